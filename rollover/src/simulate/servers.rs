//! Name servers: each takes a new version over some time after the first one has it.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::chance::Chance;
use super::clock::{Lapse, Moment};
use crate::schedule::KeyIndex;

/// What records an RRset has, as far as a validator looks at them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Records {
    /// The keys that its DS or DNSKEY records are of.
    pub keys: BTreeSet<KeyIndex>,
    /// Those of them with the REVOKE bit.
    pub revoked: BTreeSet<KeyIndex>,
    /// The keys whose RRSIGs are with it.
    pub signers: BTreeSet<KeyIndex>,
}

/// An RRset as a server has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Copy {
    /// Its records.
    pub records: Records,
    /// How long an answer with it is kept.
    pub ttl: Lapse,
    /// When the first server had it.
    pub since: Moment,
}

/// The servers of one zone, as far as they give one RRset.
#[derive(Debug)]
pub struct Servers {
    copies: Vec<Rc<Copy>>,
    /// Of each server when it took which copy over, the oldest first.
    taken: Vec<Vec<(Moment, usize)>>,
}

impl Servers {
    /// So many servers that all have that copy, and have had it for ever.
    pub fn new(count: usize, copy: Copy) -> Self {
        Self {
            copies: vec![Rc::new(copy)],
            taken: vec![vec![(Moment(i64::MIN), 0)]; count],
        }
    }

    /// The first server has a new copy, and each of them takes it over that much later. One that has a newer copy by then does not go back.
    pub fn publish(&mut self, copy: Copy, delays: &[Lapse]) {
        let (since, number) = (copy.since, self.copies.len());
        self.copies.push(Rc::new(copy));
        for (taken, delay) in self.taken.iter_mut().zip(delays) {
            let at = since + *delay;
            while taken.last().is_some_and(|(earlier, _)| *earlier >= at) {
                taken.pop();
            }
            taken.push((at, number));
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.taken.len()
    }

    /// The number of the copy that a server has at that time.
    fn number(&self, server: usize, at: Moment) -> usize {
        let taken = self.taken.get(server).map_or(&[][..], |taken| taken);
        let before = taken.partition_point(|(since, _)| *since <= at);
        before
            .checked_sub(1)
            .and_then(|place| taken.get(place))
            .map_or(0, |(_, number)| *number)
    }

    /// What a server gives at that time.
    pub fn copy(&self, server: usize, at: Moment) -> Option<&Rc<Copy>> {
        self.copies.get(self.number(server, at))
    }

    /// The copy that was published last.
    pub fn last(&self) -> Option<&Rc<Copy>> {
        self.copies.last()
    }

    /// One of the copies that the first server had before the one that it has at that time, and when it had the next.
    pub fn earlier(&self, at: Moment, chance: &mut Chance) -> Option<(&Rc<Copy>, Moment)> {
        let here = self.copies.iter().take_while(|copy| copy.since <= at).count();
        let place = chance.place(here.checked_sub(1)?);
        let next = self.copies.get(place + 1).filter(|next| next.since <= at)?;
        Some((self.copies.get(place)?, next.since))
    }

    /// The server with the newest copy.
    pub fn newest(&self, at: Moment) -> usize {
        let servers = 0..self.count();
        servers
            .max_by_key(|server| self.number(*server, at))
            .map_or(0, |server| server)
    }

    /// The server with the oldest copy.
    pub fn oldest(&self, at: Moment) -> usize {
        let servers = 0..self.count();
        servers
            .min_by_key(|server| self.number(*server, at))
            .map_or(0, |server| server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(since: i64, ttl: i64) -> Copy {
        Copy {
            records: Records::default(),
            ttl: Lapse(ttl),
            since: Moment(since),
        }
    }

    #[test]
    fn servers_take_over_and_never_go_back() {
        let mut servers = Servers::new(2, copy(i64::MIN, 0));
        servers.publish(copy(100, 1), &[Lapse(0), Lapse(50)]);
        let given = |servers: &Servers, server, at| servers.copy(server, Moment(at)).unwrap().ttl.0;
        assert_eq!((given(&servers, 0, 99), given(&servers, 0, 100)), (0, 1));
        assert_eq!((given(&servers, 1, 149), given(&servers, 1, 150)), (0, 1));
        assert_eq!((servers.oldest(Moment(120)), servers.newest(Moment(120))), (1, 0));
        servers.publish(copy(110, 2), &[Lapse(0), Lapse(10)]);
        assert_eq!(
            (
                given(&servers, 1, 119),
                given(&servers, 1, 120),
                given(&servers, 1, 150)
            ),
            (0, 2, 2)
        );
    }
}
