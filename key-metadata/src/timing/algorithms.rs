//! Zones whose algorithm is replaced, and zones that become insecure.
//!
//! Until its end, a rollover keeps to this: each algorithm of the DS or the DNSKEY RRset signs the whole zone (RFC 6840 5.11). KSK and
//! ZSK roll together.

use super::equation::Equation;
use super::figures::Figures;
use super::wait::Wait;

/// A1, conservative: everything is signed with the new algorithm, whose DNSKEYs are not published; until no cache has an answer without
/// the new signatures.
///
/// `Dsgn + Dprp + TTLsig`, and `Psafe` on top.
pub fn a1_signature_interval(figures: &Figures) -> Wait {
    Wait::new(
        "Isig",
        Equation::A1,
        [
            ("Dsgn", &figures.dsgn),
            ("Dprp", &figures.dprp),
            ("TTLsig", &figures.ttl_sig),
            ("Psafe", &figures.psafe),
        ],
    )
}

/// A1 and A2, liberal: signatures and DNSKEYs of the new algorithm come together.
///
/// `Dsgn + Dprp + max(TTLkey, TTLsig)`, and `Psafe` on top.
pub fn a1_liberal_interval(figures: &Figures) -> Wait {
    let keys = Wait::new(
        "Ipub",
        Equation::A1,
        [
            ("Dsgn", &figures.dsgn),
            ("Dprp", &figures.dprp),
            ("TTLkey", &figures.ttl_key),
            ("Psafe", &figures.psafe),
        ],
    );
    a1_signature_interval(figures).or_longer(keys)
}

/// A2: the new DNSKEYs are published, and both KSKs sign; until every cache that has the DNSKEY RRset has them.
///
/// `Dprp + TTLkey`, and `Psafe` on top.
pub fn a2_publication_interval(figures: &Figures) -> Wait {
    Wait::new(
        "Ipub",
        Equation::A2,
        [
            ("Dprp", &figures.dprp),
            ("TTLkey", &figures.ttl_key),
            ("Psafe", &figures.psafe),
        ],
    )
}

/// A3: the parent is told to swap the DS; until no cache has the old one.
///
/// `Dreg + DprpP + TTLds`, and `Rsafe` on top.
pub fn a3_ds_interval(figures: &Figures) -> Wait {
    ds_gone(Equation::A3, figures)
}

/// A4: the old DNSKEYs go, and the old signatures stay; until no cache has a DNSKEY RRset with the old algorithm.
///
/// `Dprp + TTLkey`, and `Rsafe` on top.
pub fn a4_withdrawal_interval(figures: &Figures) -> Wait {
    Wait::new(
        "Iret",
        Equation::A4,
        [
            ("Dprp", &figures.dprp),
            ("TTLkey", &figures.ttl_key),
            ("Rsafe", &figures.rsafe),
        ],
    )
}

/// A5: the old signatures go, which nobody needs any more; until no server has one.
///
/// `Dsgn + Dprp`.
pub fn a5_removal_interval(figures: &Figures) -> Wait {
    Wait::new(
        "Irem",
        Equation::A5,
        [("Dsgn", &figures.dsgn), ("Dprp", &figures.dprp)],
    )
}

/// U1: the parent is told to take the DS out (CDS `0 0 0 00`, CDNSKEY `0 3 0 AA==`); until no cache has it, and DNSKEYs and signatures
/// can go.
///
/// `Dreg + DprpP + TTLds`, and `Rsafe` on top.
pub fn u1_insecure_interval(figures: &Figures) -> Wait {
    ds_gone(Equation::U1, figures)
}

fn ds_gone(equation: Equation, figures: &Figures) -> Wait {
    Wait::new(
        "Iret",
        equation,
        [
            ("Dreg", &figures.dreg),
            ("DprpP", &figures.dprp_parent),
            ("TTLds", &figures.ttl_ds),
            ("Rsafe", &figures.rsafe),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::{distinct, figure};
    use super::*;

    #[test]
    fn a1_signature_interval() {
        assert_eq!(
            super::a1_signature_interval(&distinct()).total().seconds(),
            10_001_011
        );
    }

    #[test]
    fn a1_liberal_interval() {
        assert_eq!(
            super::a1_liberal_interval(&distinct()).total().seconds(),
            10_001_011
        );
        let keys = super::a1_liberal_interval(&Figures {
            ttl_key: figure("2000s"),
            ..distinct()
        });
        assert_eq!(keys.total().seconds(), 10_002_011);
    }

    #[test]
    fn a2_publication_interval() {
        assert_eq!(
            super::a2_publication_interval(&distinct()).total().seconds(),
            10_000_110
        );
    }

    #[test]
    fn a3_ds_interval() {
        assert_eq!(super::a3_ds_interval(&distinct()).total().seconds(), 101_110_000);
    }

    #[test]
    fn a4_withdrawal_interval() {
        assert_eq!(
            super::a4_withdrawal_interval(&distinct()).total().seconds(),
            100_000_110
        );
    }

    #[test]
    fn a5_removal_interval() {
        assert_eq!(super::a5_removal_interval(&distinct()).total().seconds(), 11);
    }

    #[test]
    fn u1_insecure_interval() {
        let wait = super::u1_insecure_interval(&distinct());
        assert_eq!(
            (wait.total().seconds(), wait.equation),
            (101_110_000, Equation::U1)
        );
    }
}
