//! How long a key must live at least.

use super::equation::Equation;
use super::figures::Figures;
use super::ksk::{
    c1_retire_interval, d1_publication_interval, d3_retire_interval, k3_retire_interval,
    r1_publication_interval,
};
use super::steps::publication_interval;
use super::wait::Wait;
use super::zsk::{z3_retire_interval, z4_retire_interval};
use crate::role::Role;
use crate::rollover_method::RolloverMethod;

/// X1: the least lifetime of a key of that role, with which it has gone before its successor's successor comes.
///
/// `Lzsk >= Ipub + Iret`, `Lksk >= IpubC + Dreg + Iret`, each with `Dsgn` in front of what the zone must be signed with first; of the other
/// methods their own intervals. A method that the role does not have is taken for its usual one.
pub fn x1_least_lifetime(figures: &Figures, role: Role, method: RolloverMethod) -> Wait {
    use RolloverMethod::{DoubleDs, DoubleKsk, DoubleRrset, DoubleSignature, PrePublication};
    // From when a step is taken: Dsgn before the zone has it, Dreg before the parent has it.
    let signed = |wait: Wait| wait.preceded_by("Dsgn", &figures.dsgn);
    let registered = |wait: Wait| wait.preceded_by("Dreg", &figures.dreg);
    let waits = match (role, method) {
        (Role::Zsk, DoubleSignature) => vec![z4_retire_interval(figures)],
        (Role::Zsk, PrePublication | DoubleKsk | DoubleDs | DoubleRrset) => {
            vec![publication_interval(figures), z3_retire_interval(figures)]
        }
        (Role::Ksk, DoubleDs) => vec![
            registered(d1_publication_interval(figures)),
            signed(d3_retire_interval(figures)),
        ],
        (Role::Ksk, DoubleRrset) => vec![signed(r1_publication_interval(figures))],
        (Role::Ksk, DoubleKsk | PrePublication | DoubleSignature) => vec![
            publication_interval(figures),
            registered(k3_retire_interval(figures)),
        ],
        (Role::Csk, PrePublication | DoubleSignature | DoubleKsk | DoubleDs | DoubleRrset) => vec![
            publication_interval(figures),
            registered(c1_retire_interval(figures)),
        ],
    };
    let name = match role {
        Role::Ksk => "Lksk",
        Role::Zsk => "Lzsk",
        Role::Csk => "Lcsk",
    };
    Wait {
        name,
        equation: Equation::X1,
        source: Equation::X1.source(),
        parts: waits.into_iter().flat_map(|wait| wait.parts).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::distinct;
    use super::*;

    #[test]
    fn x1_least_lifetime() {
        let least = |role, method| {
            super::x1_least_lifetime(&distinct(), role, method)
                .total()
                .seconds()
        };
        let (publish, signatures) = (10_000_111, 100_001_011);
        assert_eq!(
            least(Role::Zsk, RolloverMethod::PrePublication),
            publish + signatures
        );
        assert_eq!(least(Role::Zsk, RolloverMethod::DoubleSignature), signatures);
        assert_eq!(
            least(Role::Ksk, RolloverMethod::DoubleKsk),
            publish + 1_000_000 + 100_110_000
        );
        assert_eq!(
            least(Role::Ksk, RolloverMethod::DoubleDs),
            1_000_000 + 10_110_000 + 100_000_111
        );
        assert_eq!(least(Role::Ksk, RolloverMethod::DoubleRrset), 11_110_001);
        assert_eq!(
            least(Role::Csk, RolloverMethod::PrePublication),
            publish + 1_000_000 + 100_110_000
        );
        let text = super::x1_least_lifetime(&distinct(), Role::Zsk, RolloverMethod::PrePublication).sum();
        assert!(
            text.starts_with("Dsgn 1s + Dprp 10s + TTLkey 1m40s + Psafe"),
            "{text}"
        );
    }
}
