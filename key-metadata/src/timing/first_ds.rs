//! The first DS of a zone.

use super::equation::Equation;
use super::figures::Figures;
use super::ksk::k1_publication_interval;
use super::wait::{Due, Wait};
use crate::time::Time;

/// F1: when a zone's first DS may be submitted: when no cache has a DNSKEY RRset without its key, and none an answer without a signature.
///
/// `max(Tpub + IpubC, Tsigned + TTLsig + Dprp)`: `published` is when the first server had the DNSKEY, `signed` when it had the whole
/// signed zone.
pub fn f1_first_ds(figures: &Figures, published: Time, signed: Time) -> Due {
    let keys = Due {
        since: published,
        wait: k1_publication_interval(figures).of(Equation::F1, Equation::F1.source()),
    };
    let signatures = Due {
        since: signed,
        wait: Wait::new(
            "Isig",
            Equation::F1,
            [("Dprp", &figures.dprp), ("TTLsig", &figures.ttl_sig)],
        ),
    };
    if signatures.at() > keys.at() {
        signatures
    } else {
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::{at, distinct, figure};
    use super::*;

    #[test]
    fn f1_first_ds() {
        let figures = Figures {
            psafe: figure("0s"),
            ..distinct()
        };
        let begin = at("2026-01-01T00:00:00Z");
        let signatures = super::f1_first_ds(&figures, begin, begin);
        assert_eq!(signatures.at(), at("2026-01-01T00:16:50Z"));
        assert_eq!(signatures.wait.name, "Isig");
        let keys = super::f1_first_ds(&figures, at("2026-01-01T00:16:00Z"), begin);
        assert_eq!(keys.at(), at("2026-01-01T00:17:50Z"));
        assert_eq!(keys.wait.name, "IpubC");
    }
}
