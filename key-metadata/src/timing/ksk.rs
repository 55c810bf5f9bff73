//! Key signing keys and combined signing keys.

use super::equation::Equation;
use super::figures::Figures;
use super::wait::Wait;
use super::zsk::{z2_retirement, z3_retire_interval};
use crate::span::Span;
use crate::time::Time;

/// K1: the publication interval _IpubC_, from when a KSK's DNSKEY is published and signs until every cache that has the DNSKEY RRset has
/// that.
///
/// `IpubC = DprpC + TTLkey`, and `Psafe` on top. `Trdy = Tpub + IpubC`, and `Tsbm >= Trdy`.
pub fn k1_publication_interval(figures: &Figures) -> Wait {
    Wait::new(
        "IpubC",
        Equation::K1,
        [
            ("DprpC", &figures.dprp),
            ("TTLkey", &figures.ttl_key),
            ("Psafe", &figures.psafe),
        ],
    )
}

/// K1, K2: when a KSK whose DS is submitted then is active, and its predecessor retires. `Tact = Tsbm + Dreg`.
pub fn k1_activation(figures: &Figures, submitted: Time) -> Time {
    submitted.after(figures.dreg.span)
}

/// K2: when the successor of a KSK that is active since `active` is published at the latest.
///
/// `Tpub(N+1) <= Tact(N) + Lksk - Dreg - IpubC`.
pub fn k2_latest_publication(figures: &Figures, active: Time, lifetime: Span) -> Time {
    let submission = z2_retirement(active, lifetime).before(figures.dreg.span);
    submission.before(k1_publication_interval(figures).total())
}

/// K3: the retire interval _Iret_, from when the parent has the new DS and not the old one until no cache has the old one.
///
/// `Iret = DprpP + TTLds`, and `Rsafe` on top. `Trem >= Tret + Iret`.
pub fn k3_retire_interval(figures: &Figures) -> Wait {
    Wait::new(
        "Iret",
        Equation::K3,
        [
            ("DprpP", &figures.dprp_parent),
            ("TTLds", &figures.ttl_ds),
            ("Rsafe", &figures.rsafe),
        ],
    )
}

/// D1: the publication interval _IpubP_ of a DS that precedes its DNSKEY, from when the parent has it until every cache that has the DS
/// RRset has it.
///
/// `IpubP = DprpP + TTLds`, and `Psafe` on top. `Tpub = Tsbm + Dreg`, and `Trdy = Tpub + IpubP`.
pub fn d1_publication_interval(figures: &Figures) -> Wait {
    Wait::new(
        "IpubP",
        Equation::D1,
        [
            ("DprpP", &figures.dprp_parent),
            ("TTLds", &figures.ttl_ds),
            ("Psafe", &figures.psafe),
        ],
    )
}

/// D2: when the DS of the successor of a KSK that is active since `active` is submitted at the latest.
///
/// `Tsbm(N+1) <= Tact(N) + Lksk - Dreg - IpubP`.
pub fn d2_latest_submission(figures: &Figures, active: Time, lifetime: Span) -> Time {
    let published = z2_retirement(active, lifetime).before(d1_publication_interval(figures).total());
    published.before(figures.dreg.span)
}

/// D3: the retire interval of a KSK that was swapped for one whose DS came first, from the swap until its own DS can go.
///
/// `Iret = DprpC + TTLkey`, and `Rsafe` on top.
pub fn d3_retire_interval(figures: &Figures) -> Wait {
    Wait::new(
        "Iret",
        Equation::D3,
        [
            ("DprpC", &figures.dprp),
            ("TTLkey", &figures.ttl_key),
            ("Rsafe", &figures.rsafe),
        ],
    )
}

/// R1: the publication interval of a KSK whose DNSKEY is published when its DS is submitted, until every cache that has one of both
/// RRsets has this key's.
///
/// `Ipub = max(Dreg + DprpP + TTLds, DprpC + TTLkey)`, and `Psafe` on top. `Tact = Tpub + Ipub`, and `Trem >= Tret = Tact + Lksk`.
pub fn r1_publication_interval(figures: &Figures) -> Wait {
    let ds = Wait::new(
        "Ipub",
        Equation::R1,
        [
            ("Dreg", &figures.dreg),
            ("DprpP", &figures.dprp_parent),
            ("TTLds", &figures.ttl_ds),
            ("Psafe", &figures.psafe),
        ],
    );
    let key = Wait::new(
        "Ipub",
        Equation::R1,
        [
            ("DprpC", &figures.dprp),
            ("TTLkey", &figures.ttl_key),
            ("Psafe", &figures.psafe),
        ],
    );
    ds.or_longer(key)
}

/// R1: when the successor of a KSK that is active since `active` is published at the latest.
///
/// `Tpub(N+1) <= Tact(N) + Lksk - Ipub`.
pub fn r1_latest_publication(figures: &Figures, active: Time, lifetime: Span) -> Time {
    z2_retirement(active, lifetime).before(r1_publication_interval(figures).total())
}

/// C1: the retire interval of a CSK whose DS was swapped when its successor began to sign the zone.
///
/// The longer of [`k3_retire_interval`] and [`z3_retire_interval`].
pub fn c1_retire_interval(figures: &Figures) -> Wait {
    let longer = k3_retire_interval(figures).or_longer(z3_retire_interval(figures));
    longer.of(Equation::C1, Equation::C1.source())
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::{at, distinct, figure};
    use super::*;

    fn active() -> Time {
        at("2026-01-01T00:00:00Z")
    }

    fn without_safety() -> Figures {
        Figures {
            psafe: figure("0s"),
            ..distinct()
        }
    }

    fn days(days: u32) -> Span {
        Span::from_seconds(days * 86_400)
    }

    #[test]
    fn k1_publication_interval() {
        assert_eq!(
            super::k1_publication_interval(&distinct()).total().seconds(),
            10_000_110
        );
        assert_eq!(
            k1_activation(&distinct(), active()),
            active().after(Span::from_seconds(1_000_000))
        );
    }

    #[test]
    fn k2_latest_publication() {
        let latest = super::k2_latest_publication(&without_safety(), active(), days(60));
        assert_eq!(
            latest,
            active().after(Span::from_seconds(60 * 86_400 - 1_000_000 - 110))
        );
    }

    #[test]
    fn k3_retire_interval() {
        assert_eq!(
            super::k3_retire_interval(&distinct()).total().seconds(),
            100_110_000
        );
    }

    #[test]
    fn d1_publication_interval() {
        assert_eq!(
            super::d1_publication_interval(&distinct()).total().seconds(),
            10_110_000
        );
    }

    #[test]
    fn d2_latest_submission() {
        let latest = super::d2_latest_submission(&without_safety(), active(), days(60));
        assert_eq!(
            latest,
            active().after(Span::from_seconds(60 * 86_400 - 1_000_000 - 110_000))
        );
    }

    #[test]
    fn d3_retire_interval() {
        assert_eq!(
            super::d3_retire_interval(&distinct()).total().seconds(),
            100_000_110
        );
    }

    #[test]
    fn r1_publication_interval() {
        let ds = super::r1_publication_interval(&distinct());
        assert_eq!(ds.total().seconds(), 11_110_000);
        let key = super::r1_publication_interval(&Figures {
            ttl_key: figure("2000000s"),
            ..distinct()
        });
        assert_eq!(key.total().seconds(), 12_000_010);
    }

    #[test]
    fn r1_latest_publication() {
        let latest = super::r1_latest_publication(&without_safety(), active(), days(60));
        assert_eq!(
            latest,
            active().after(Span::from_seconds(60 * 86_400 - 1_110_000))
        );
    }

    #[test]
    fn c1_retire_interval() {
        let ds = super::c1_retire_interval(&distinct());
        assert_eq!((ds.total().seconds(), ds.equation), (100_110_000, Equation::C1));
        let signatures = super::c1_retire_interval(&Figures {
            dsgn: figure("110000s"),
            ..distinct()
        });
        assert_eq!(signatures.total().seconds(), 100_111_010);
        assert_eq!(signatures.parts[0].name, "Dsgn");
    }
}
