//! The waits of the steps that [`crate::timing`] has no wait for yet: from when a step is taken, and before the zone is signed with it.

use crate::policy::Policy;
use crate::role::Role;
use crate::time::Time;
use crate::timing::{Wait, retire_interval};

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

/// A1: until no cache has an answer that is not signed by a key that signs since then.
///
/// `Isig = Dsgn + Dprp + TTLsig`, and `Psafe` on top.
pub(super) fn signatures_known(policy: &Policy) -> Wait {
    Wait::new(
        "Isig",
        "RFC 6781 4.1.4",
        vec![
            ("Dsgn", policy.signatures.resign),
            ("Dprp", policy.zone.propagation_delay),
            ("TTLsig", policy.zone.max_ttl),
            ("Psafe", policy.safety.publish),
        ],
    )
}

/// D1: until every cache that has the DS RRset has this DS.
///
/// `IpubP = DprpP + TTLds`, `Psafe` on top, and `Dreg` in front where it was not seen.
pub(super) fn ds_known(policy: &Policy, at_parent: AtParent) -> Wait {
    let mut parts = vec![
        ("DprpP", policy.parent.propagation_delay),
        ("TTLds", policy.parent.ds_ttl),
        ("Psafe", policy.safety.publish),
    ];
    if let AtParent::Told(_) = at_parent {
        parts.insert(0, ("Dreg", policy.parent.registration_delay));
    }
    Wait::new("IpubP", "RFC 7583 3.3.2", parts)
}

/// K3, A3, U1: until no cache has a DS that left the parent, or one DS RRset without a DS that came to it.
///
/// `Iret = DprpP + TTLds`, `Rsafe` on top, and `Dreg` in front where it was not seen.
pub(super) fn ds_forgotten(policy: &Policy, at_parent: AtParent) -> Wait {
    match at_parent {
        AtParent::Told(_) => retire_interval(policy, Role::Ksk),
        AtParent::Seen(_) => Wait::new(
            "Iret",
            "RFC 7583 3.3.1",
            vec![
                ("DprpP", policy.parent.propagation_delay),
                ("TTLds", policy.parent.ds_ttl),
                ("Rsafe", policy.safety.retire),
            ],
        ),
    }
}

/// A4, D3: until no cache has the DNSKEY RRset with a key that was withdrawn.
///
/// `Iret = Dsgn + Dprp + TTLkey`, and `Rsafe` on top.
pub(super) fn dnskey_forgotten(policy: &Policy, role: Role) -> Wait {
    let source = match role {
        Role::Ksk => "RFC 7583 3.3.2, from the next signing",
        Role::Zsk | Role::Csk => "RFC 6781 4.1.4, from the next signing",
    };
    Wait::new(
        "Iret",
        source,
        vec![
            ("Dsgn", policy.signatures.resign),
            ("Dprp", policy.zone.propagation_delay),
            ("TTLkey", policy.dnskey_ttl),
            ("Rsafe", policy.safety.retire),
        ],
    )
}

/// Z4: until every cache has the DNSKEY and the signatures of a key that came with both.
///
/// `Iret = Dsgn + Dprp + max(TTLkey, TTLsig)`, and `Rsafe` on top.
pub(super) fn double_signature(policy: &Policy) -> Wait {
    let longest = if policy.dnskey_ttl > policy.zone.max_ttl {
        ("TTLkey", policy.dnskey_ttl)
    } else {
        ("TTLsig", policy.zone.max_ttl)
    };
    Wait::new(
        "Iret",
        "RFC 7583 3.2.2",
        vec![
            ("Dsgn", policy.signatures.resign),
            ("Dprp", policy.zone.propagation_delay),
            longest,
            ("Rsafe", policy.safety.retire),
        ],
    )
}
