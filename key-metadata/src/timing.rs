//! How long each step of a key's life waits for the caches of the world (RFC 7583).
//!
//! A policy's TTLs are taken as they are now: whoever lowers one waits out the old one first.

use std::fmt;

use crate::policy::Policy;
use crate::role::Role;
use crate::span::Span;

/// A wait as a sum of figures that have names, so that it can be shown how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Its name in RFC 7583, such as `Ipub`.
    pub name: &'static str,
    /// Where the formula stands.
    pub source: &'static str,
    parts: Vec<(&'static str, Span)>,
}

impl Wait {
    pub(crate) fn new(name: &'static str, source: &'static str, parts: Vec<(&'static str, Span)>) -> Self {
        Self { name, source, parts }
    }

    /// The sum.
    pub fn total(&self) -> Span {
        let seconds = self.parts.iter().map(|(_, span)| span.seconds());
        // A policy's figures are bounded far below 136 years.
        Span::from_seconds(seconds.fold(0, u32::saturating_add))
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = ", self.name)?;
        if let [_, _, ..] = self.parts.as_slice() {
            let parts: Vec<_> = self
                .parts
                .iter()
                .map(|(name, span)| format!("{name} {span}"))
                .collect();
            write!(f, "{} = ", parts.join(" + "))?;
        }
        write!(f, "{} ({})", self.total(), self.source)
    }
}

/// The publication interval _Ipub_ (for a KSK, _IpubC_): how long the DNSKEY is in the zone before every cache that has the DNSKEY RRset
/// has this key.
///
/// `Ipub = Dprp + TTLkey` (RFC 7583 3.2.1, 3.3.1), `Psafe` on top, and `Dsgn` in front: the zone has the key only when it is signed again.
pub fn publication_interval(policy: &Policy) -> Wait {
    Wait::new(
        "Ipub",
        "RFC 7583 3.2.1, 3.3.1, from the next signing",
        vec![
            ("Dsgn", policy.signatures.resign),
            ("Dprp", policy.zone.propagation_delay),
            ("TTLkey", policy.dnskey_ttl),
            ("Psafe", policy.safety.publish),
        ],
    )
}

/// How long after the zone was first signed its first DS may be given to the parent: until no cache has an unsigned answer.
///
/// `Dsgn + Dprp + TTLsig`: the counterpart of [`publication_interval`] for signatures.
pub fn first_ds_interval(policy: &Policy) -> Wait {
    Wait::new(
        "Isig",
        "unsigned answers leave the caches",
        vec![
            ("Dsgn", policy.signatures.resign),
            ("Dprp", policy.zone.propagation_delay),
            ("TTLsig", policy.zone.max_ttl),
        ],
    )
}

/// The registration delay _Dreg_: from the submission of a DS until it is in the parent zone (RFC 7583 3.3.1).
pub fn registration_delay(policy: &Policy) -> Wait {
    Wait::new(
        "Dreg",
        "RFC 7583 3.3.1",
        vec![("Dreg", policy.parent.registration_delay)],
    )
}

/// The retire interval _Iret_: how long after a key's successor took over somebody can still need the key's DNSKEY.
///
/// For a ZSK `Dsgn + Dprp + TTLsig` (RFC 7583 3.2.1): until its last signature has left the caches. For a KSK `DprpP + TTLds` (3.3.1), until
/// its DS has, with `Dreg` in front: the parent takes the old DS out only when it is told to. For a CSK the longer of both. `Rsafe` on top.
pub fn retire_interval(policy: &Policy, role: Role) -> Wait {
    let zsk = || {
        Wait::new(
            "Iret",
            "RFC 7583 3.2.1",
            vec![
                ("Dsgn", policy.signatures.resign),
                ("Dprp", policy.zone.propagation_delay),
                ("TTLsig", policy.zone.max_ttl),
                ("Rsafe", policy.safety.retire),
            ],
        )
    };
    let ksk = || {
        Wait::new(
            "Iret",
            "RFC 7583 3.3.1, from when the parent takes the DS out",
            vec![
                ("Dreg", policy.parent.registration_delay),
                ("DprpP", policy.parent.propagation_delay),
                ("TTLds", policy.parent.ds_ttl),
                ("Rsafe", policy.safety.retire),
            ],
        )
    };
    match role {
        Role::Zsk => zsk(),
        Role::Ksk => ksk(),
        Role::Csk if zsk().total() > ksk().total() => zsk(),
        Role::Csk => ksk(),
    }
}

/// How long a revoked key stays published, so that every validator that follows RFC 5011 has seen it: its remove hold-down time, 30 days
/// (RFC 5011 2.4.2).
pub fn remove_hold_down() -> Wait {
    Wait::new(
        "remove hold-down",
        "RFC 5011 2.4.2",
        vec![("hold-down", Span::from_seconds(30 * 86_400))],
    )
}
