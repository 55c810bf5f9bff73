//! The waits of the steps that depend on what was seen of the parent, and of those that count from when they are taken, before the zone is
//! signed so.

use crate::policy::Policy;
use crate::role::Role;
use crate::time::Time;
use crate::timing::{
    Figures, Wait, a4_withdrawal_interval, d1_publication_interval, d3_retire_interval, k3_retire_interval,
    retire_interval,
};

/// Since when a DS is at the parent, or is not, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtParent {
    /// Every server of the parent showed it.
    Seen(Time),
    /// The parent was told, and does it within Dreg.
    Told(Time),
}

impl AtParent {
    pub(super) const fn since(self) -> Time {
        match self {
            Self::Seen(at) | Self::Told(at) => at,
        }
    }
}

/// D1: until every cache that has the DS RRset has this DS; with `Dreg` in front where it was not seen.
pub(super) fn ds_known(policy: &Policy, at_parent: AtParent) -> Wait {
    let figures = Figures::of(policy);
    let wait = d1_publication_interval(&figures);
    match at_parent {
        AtParent::Told(_) => wait.preceded_by("Dreg", &figures.dreg),
        AtParent::Seen(_) => wait,
    }
}

/// K3, A3, U1: until no cache has a DS that left the parent, or one DS RRset without a DS that came to it; with `Dreg` in front where it was
/// not seen.
pub(super) fn ds_forgotten(policy: &Policy, at_parent: AtParent) -> Wait {
    let figures = Figures::of(policy);
    match at_parent {
        AtParent::Told(_) => retire_interval(&figures, Role::Ksk),
        AtParent::Seen(_) => k3_retire_interval(&figures),
    }
}

/// A4, D3: until no cache has the DNSKEY RRset with a key that was withdrawn, from the next signing.
pub(super) fn dnskey_forgotten(policy: &Policy, role: Role) -> Wait {
    let figures = Figures::of(policy);
    let wait = match role {
        Role::Ksk => d3_retire_interval(&figures),
        Role::Zsk | Role::Csk => a4_withdrawal_interval(&figures),
    };
    wait.preceded_by("Dsgn", &figures.dsgn)
}
