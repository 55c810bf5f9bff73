//! When RRSIGs were made, and so when they expire: in runs of a signer, of which some do not come.

use super::clock::{Lapse, Moment};

/// The runs of a signer, as far as they make the RRSIGs of one RRset.
#[derive(Clone, Debug)]
pub struct Signing {
    /// From signing to expiration.
    pub validity: Lapse,
    /// From one run to the next.
    pub every: Lapse,
    /// When one of the runs is.
    pub phase: Moment,
    /// When there is none: from, and until when a run begins them again.
    pub silences: Vec<(Moment, Option<Moment>)>,
}

impl Signing {
    /// The last run before, or at, that time: a regular one, or the one that ends a silence.
    pub fn last_run(&self, at: Moment) -> Moment {
        let is_silent = |run: &Moment| {
            let silences = self.silences.iter();
            let mut around =
                silences.filter(|(from, until)| from <= run && until.is_none_or(|until| *run < until));
            around.next().is_some()
        };
        let before = self.silences.iter().filter(|(from, _)| *from <= at);
        let ends = self
            .silences
            .iter()
            .filter_map(|(_, until)| *until)
            .filter(|until| *until <= at);
        before
            .map(|(from, _)| self.regular(from.just_before()))
            .chain(ends)
            .chain([self.regular(at)])
            .filter(|run| !is_silent(run))
            .max()
            .map_or(Moment(i64::MIN), |run| run)
    }

    /// The last run, if all came.
    fn regular(&self, at: Moment) -> Moment {
        match self.every.0 {
            ..=0 => at,
            every => at - Lapse((at - self.phase).0.rem_euclid(every)),
        }
    }

    /// When the RRSIGs expire that a server has at that time, which took them over `behind` later than they were made, of an RRset that is as it is
    /// since then.
    pub fn expires(&self, at: Moment, behind: Lapse, since: Moment) -> Moment {
        self.last_run(at - behind).max(since) + self.validity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signing(silences: &[(i64, Option<i64>)]) -> Signing {
        Signing {
            validity: Lapse(100),
            every: Lapse(10),
            phase: Moment(3),
            silences: silences
                .iter()
                .map(|(from, until)| (Moment(*from), until.map(Moment)))
                .collect(),
        }
    }

    #[test]
    fn runs_come_again_and_again() {
        let runs = [2, 3, 12, 13].map(|at| signing(&[]).last_run(Moment(at)).0);
        assert_eq!(runs, [-7, 3, 3, 13]);
        assert_eq!(signing(&[]).expires(Moment(25), Lapse(5), Moment(0)), Moment(113));
        assert_eq!(
            signing(&[]).expires(Moment(25), Lapse(5), Moment(21)),
            Moment(121)
        );
    }

    #[test]
    fn in_a_silence_there_is_none() {
        let runs = |silences: &[_], times: [i64; 4]| times.map(|at| signing(silences).last_run(Moment(at)).0);
        assert_eq!(runs(&[(13, Some(35))], [13, 34, 35, 43]), [3, 3, 35, 43]);
        assert_eq!(runs(&[(14, None)], [13, 14, 99, 999]), [13, 13, 13, 13]);
        // One that begins before the other ends: what the first one's end would have signed is not signed.
        assert_eq!(
            runs(&[(13, Some(35)), (30, Some(50))], [34, 35, 49, 50]),
            [3, 3, 3, 50]
        );
    }
}
