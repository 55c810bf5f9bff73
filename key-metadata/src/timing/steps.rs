//! The waits of a key's life as its steps are taken: from when a key is said to be published, and before the zone is signed with it; from
//! when its successor took over, and before the parent took the old DS out.

use super::algorithms::a3_ds_interval;
use super::equation::Equation;
use super::figures::Figures;
use super::trust_anchors::t4_remove_hold_down;
use super::wait::Wait;
use super::zsk::{z1_publication_interval, z3_retire_interval};
use crate::role::Role;

/// The publication interval _Ipub_ (for a KSK, _IpubC_): how long the DNSKEY is in the zone before every cache that has the DNSKEY RRset
/// has this key.
///
/// [`z1_publication_interval`] with `Dsgn` in front: the zone has the key only when it is signed again.
pub fn publication_interval(figures: &Figures) -> Wait {
    z1_publication_interval(figures)
        .preceded_by("Dsgn", &figures.dsgn)
        .of(Equation::Z1, "RFC 7583 3.2.1, 3.3.1, from the next signing")
}

/// How long after the zone was first signed its first DS may be given to the parent: until no cache has an unsigned answer.
///
/// `Dsgn + Dprp + TTLsig`: the counterpart of [`publication_interval`] for signatures.
pub fn first_ds_interval(figures: &Figures) -> Wait {
    Wait::new(
        "Isig",
        Equation::F1,
        [
            ("Dsgn", &figures.dsgn),
            ("Dprp", &figures.dprp),
            ("TTLsig", &figures.ttl_sig),
        ],
    )
    .of(Equation::F1, "unsigned answers leave the caches")
}

/// The registration delay _Dreg_: from the submission of a DS until it is in the parent zone (RFC 7583 3.3.1).
pub fn registration_delay(figures: &Figures) -> Wait {
    Wait::new("Dreg", Equation::K1, [("Dreg", &figures.dreg)])
}

/// The retire interval _Iret_: how long after a key's successor took over somebody can still need the key's DNSKEY.
///
/// For a ZSK [`z3_retire_interval`]: until its last signature has left the caches. For a KSK `DprpP + TTLds + Rsafe` (RFC 7583 3.3.1),
/// until its DS has, with `Dreg` in front: the parent takes the old DS out only when it is told to. For a CSK the longer of both.
pub fn retire_interval(figures: &Figures, role: Role) -> Wait {
    let ksk = || {
        let source = "RFC 7583 3.3.1, from when the parent takes the DS out";
        a3_ds_interval(figures).of(Equation::K3, source)
    };
    match role {
        Role::Zsk => z3_retire_interval(figures),
        Role::Ksk => ksk(),
        Role::Csk => ksk().or_longer(z3_retire_interval(figures)),
    }
}

/// How long a revoked key stays published, so that every validator that follows RFC 5011 has seen it: its remove hold-down time, 30 days
/// (RFC 5011 2.4.2).
pub fn remove_hold_down() -> Wait {
    t4_remove_hold_down()
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::distinct;
    use super::*;

    #[test]
    fn steps_count_the_signing_and_the_registration() {
        let figures = distinct();
        let seconds = |wait: Wait| wait.total().seconds();
        assert_eq!(seconds(publication_interval(&figures)), 10_000_111);
        assert_eq!(seconds(first_ds_interval(&figures)), 1011);
        assert_eq!(seconds(registration_delay(&figures)), 1_000_000);
        assert_eq!(seconds(retire_interval(&figures, Role::Zsk)), 100_001_011);
        assert_eq!(seconds(retire_interval(&figures, Role::Ksk)), 101_110_000);
        assert_eq!(seconds(retire_interval(&figures, Role::Csk)), 101_110_000);
    }
}
