//! Zone signing keys.

use super::equation::Equation;
use super::figures::Figures;
use super::wait::Wait;
use crate::span::Span;
use crate::time::Time;

/// Z1: the publication interval _Ipub_, from when a ZSK's DNSKEY is published until every cache that has the DNSKEY RRset has this key.
///
/// `Ipub = Dprp + TTLkey`, and `Psafe` on top. `Trdy = Tpub + Ipub`, and `Tact >= Trdy`.
pub fn z1_publication_interval(figures: &Figures) -> Wait {
    Wait::new(
        "Ipub",
        Equation::Z1,
        [
            ("Dprp", &figures.dprp),
            ("TTLkey", &figures.ttl_key),
            ("Psafe", &figures.psafe),
        ],
    )
}

/// Z2: when the successor of a ZSK that is active since `active` is published at the latest.
///
/// `Tpub(N+1) <= Tact(N) + Lzsk - Ipub`.
pub fn z2_latest_publication(figures: &Figures, active: Time, lifetime: Span) -> Time {
    z2_retirement(active, lifetime).before(z1_publication_interval(figures).total())
}

/// Z2, Z4: when a key retires and its successor takes over. `Tret(N) = Tact(N+1) = Tact(N) + Lzsk`.
pub fn z2_retirement(active: Time, lifetime: Span) -> Time {
    active.after(lifetime)
}

/// Z3: the retire interval _Iret_, from when a ZSK signs no more until no cache has a signature by it.
///
/// `Iret = Dsgn + Dprp + TTLsig`, and `Rsafe` on top. `Trem >= Tdea = Tret + Iret`.
pub fn z3_retire_interval(figures: &Figures) -> Wait {
    Wait::new(
        "Iret",
        Equation::Z3,
        [
            ("Dsgn", &figures.dsgn),
            ("Dprp", &figures.dprp),
            ("TTLsig", &figures.ttl_sig),
            ("Rsafe", &figures.rsafe),
        ],
    )
}

/// Z4: the retire interval of a ZSK that is rolled by double signatures, from when both sign until the old one's DNSKEY and signatures
/// can go.
///
/// `Iret = Dsgn + Dprp + max(TTLkey, TTLsig)`, and `Rsafe` on top.
pub fn z4_retire_interval(figures: &Figures) -> Wait {
    let with = |name, ttl| {
        Wait::new(
            "Iret",
            Equation::Z4,
            [
                ("Dsgn", &figures.dsgn),
                ("Dprp", &figures.dprp),
                (name, ttl),
                ("Rsafe", &figures.rsafe),
            ],
        )
    };
    with("TTLsig", &figures.ttl_sig).or_longer(with("TTLkey", &figures.ttl_key))
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::{at, distinct, figure};
    use super::*;

    #[test]
    fn z1_publication_interval() {
        assert_eq!(
            super::z1_publication_interval(&distinct()).total().seconds(),
            10_000_110
        );
    }

    #[test]
    fn z2_latest_publication() {
        let figures = Figures {
            psafe: figure("0s"),
            ..distinct()
        };
        let (active, month) = (at("2026-01-01T00:00:00Z"), "30d".parse().unwrap());
        assert_eq!(
            super::z2_latest_publication(&figures, active, month),
            at("2026-01-30T23:58:10Z")
        );
        assert_eq!(z2_retirement(active, month), at("2026-01-31T00:00:00Z"));
    }

    #[test]
    fn z3_retire_interval() {
        assert_eq!(
            super::z3_retire_interval(&distinct()).total().seconds(),
            100_001_011
        );
    }

    #[test]
    fn z4_retire_interval() {
        let signatures = super::z4_retire_interval(&distinct());
        assert_eq!(signatures.total().seconds(), 100_001_011);
        let keys = super::z4_retire_interval(&Figures {
            ttl_key: figure("2000s"),
            ..distinct()
        });
        assert_eq!(keys.total().seconds(), 100_002_011);
        assert_eq!(keys.parts[2].name, "TTLkey");
    }
}
