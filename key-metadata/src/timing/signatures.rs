//! How long signatures must last.

use super::equation::Equation;
use super::figures::{Figure, Figures};
use super::wait::Wait;
use crate::time::Time;

/// S1: what an RRSIG must have left at least when it is renewed, so that none expires in a cache.
///
/// `refresh >= Dprp + TTLsig + resign + jitter + outage margin`.
pub fn s1_least_refresh(figures: &Figures, resign: &Figure, jitter: &Figure, outage: &Figure) -> Wait {
    Wait::new(
        "refresh",
        Equation::S1,
        [
            ("Dprp", &figures.dprp),
            ("TTLsig", &figures.ttl_sig),
            ("resign", resign),
            ("jitter", jitter),
            ("outage margin", outage),
        ],
    )
}

/// S2: how far the RRSIGs of the DNSKEY RRset of a signed key response's bundle reach at least into the time of the next bundle.
///
/// `Dprp + TTLkey`.
pub fn s2_overlap(figures: &Figures) -> Wait {
    Wait::new(
        "overlap",
        Equation::S2,
        [("Dprp", &figures.dprp), ("TTLkey", &figures.ttl_key)],
    )
}

/// S2: when the RRSIGs of a bundle's DNSKEY RRset expire at the earliest. `expiration >= inception(i+1) + Dprp + TTLkey`.
pub fn s2_least_expiration(figures: &Figures, next_inception: Time) -> Time {
    s2_overlap(figures).from(next_inception)
}

/// S3: what an RRSIG must have left at least when it is renewed, so that a secondary server that hears nothing of its primary gives the
/// zone up before its signatures expire.
///
/// `SOA expire <= refresh - resign - jitter`. Where each run signs everything, the validity is in the place of the refresh.
pub fn s3_least_refresh(expire: &Figure, resign: &Figure, jitter: &Figure) -> Wait {
    Wait::new(
        "refresh",
        Equation::S3,
        [("SOA expire", expire), ("resign", resign), ("jitter", jitter)],
    )
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::{at, distinct, figure};
    use super::*;

    #[test]
    fn s1_least_refresh() {
        // The zone ripe.net had a TTL of 864000 s and a refresh of 7 d.
        let figures = Figures {
            dprp: figure("0s"),
            ttl_sig: figure("864000s"),
            ..distinct()
        };
        let least = super::s1_least_refresh(&figures, &figure("0s"), &figure("0s"), &figure("0s"));
        assert!(least.total() > figure("7d").span);
        let least = super::s1_least_refresh(&distinct(), &figure("2s"), &figure("30s"), &figure("400s"));
        assert_eq!(least.total().seconds(), 1442);
    }

    #[test]
    fn s2_least_expiration() {
        assert_eq!(
            super::s2_least_expiration(&distinct(), at("2026-01-11T00:00:00Z")),
            at("2026-01-11T00:01:50Z")
        );
    }

    #[test]
    fn s3_least_refresh() {
        let least = super::s3_least_refresh(&figure("7d"), &figure("1d"), &figure("12h"));
        assert_eq!(least.sum(), "SOA expire 7d + resign 1d + jitter 12h");
        assert_eq!(least.total(), figure("8d12h").span);
    }
}
