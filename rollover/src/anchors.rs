//! Validators that have the zone's KSKs as trust anchors and follow them by RFC 5011.
//!
//! Each of them asks when it likes within the query interval, and may have begun to count at any time; what counts here is the slowest of them
//! for a new key, and the fastest for a revoked one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use key_metadata::{Span, Time};
use serde::Serialize;

use crate::prove::{Counterexample, Delay, Fault};
use crate::rrsets::{Version, Versions};
use crate::schedule::{CauseIndex, KeyIndex, KeyLanes, Presence, Schedule};

const HOUR: u32 = 3600;
const DAYS_15: u32 = 15 * 86_400;

/// How long a validator must see a new key, at least, before it trusts it (RFC 5011 2.4.1).
const ADD_HOLD_DOWN: Span = Span::from_seconds(30 * 86_400);

/// The validators that follow the zone's keys by RFC 5011.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrustAnchors {
    /// The keys that all of them trust when the schedule begins.
    pub initial: BTreeSet<KeyIndex>,
    /// From when a new key is in every DNSKEY RRset until all of them trust it (_addWait_, equation T3).
    pub add_wait: Span,
    /// How long a revoked key must be seen (_remove hold-down_, RFC 5011 2.4.2).
    pub remove_hold_down: Span,
}

/// How a validator comes to the wrong trust anchors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "anchor-fault")]
pub enum AnchorFault {
    /// A DNSKEY RRset that some validator cannot check, since it trusts none of those who signed it.
    Untrusted {
        /// Who signed it.
        signers: Vec<String>,
    },
    /// A revoked key goes before everybody has seen that it is.
    RevokedTooShortly {
        /// Which.
        key: String,
    },
    /// A revocation that the key itself did not sign: nobody believes it.
    NotSelfSigned {
        /// Which.
        key: String,
    },
    /// A key that is trusted goes without a revocation: it stays a trust anchor for ever.
    NeverRevoked {
        /// Which.
        key: String,
    },
}

/// When every validator trusts each key for sure: from, until.
fn trusted(schedule: &Schedule, anchors: &TrustAnchors) -> BTreeMap<KeyIndex, (Time, Option<Time>)> {
    let mut trusted = BTreeMap::new();
    for (index, key) in schedule
        .keys
        .iter()
        .enumerate()
        .filter(|(_, key)| key.role.signs_dnskey())
    {
        let index = KeyIndex(index);
        let until = key.revoked.map(|revoked| revoked.from);
        if anchors.initial.contains(&index) {
            trusted.insert(index, (schedule.since, until));
            continue;
        }
        // One that goes before the time is over begins anew when it comes back.
        let accepted = key.dnskey.0.iter().find_map(|presence| {
            let accepted = presence.begins.by.after(anchors.add_wait);
            presence
                .ends
                .is_none_or(|ends| ends.from > accepted)
                .then_some(accepted)
        });
        if let Some(accepted) = accepted.filter(|accepted| until.is_none_or(|until| *accepted < until)) {
            trusted.insert(index, (accepted, until));
        }
    }
    trusted
}

/// All that is wrong for these validators.
pub fn faults(schedule: &Schedule, versions: &Versions, anchors: &TrustAnchors) -> Vec<Counterexample> {
    let trusted = trusted(schedule, anchors);
    let mut found: Vec<_> = versions
        .dnskey
        .iter()
        .filter(|version| !version.keys.is_empty())
        .filter_map(|version| untrusted(schedule, version, &trusted))
        .collect();
    let (seen, kept) = (until_seen(schedule), kept(schedule));
    let not_self_signed = not_self_signed(versions);
    for (index, key) in schedule.keys.iter().enumerate() {
        let index = KeyIndex(index);
        let fault = |at, until, why, delay| Counterexample {
            at,
            until,
            fault: Fault::Anchor { why },
            mix: None,
            delay,
        };
        let label = || key.label.clone();
        match (key.revoked, last_end(key)) {
            (Some(revoked), Some(ends)) => {
                let until = revoked.by.after(anchors.remove_hold_down.max(seen));
                if ends.from < until {
                    let delay = Delay {
                        cause: ends.cause,
                        until,
                    };
                    let why = AnchorFault::RevokedTooShortly { key: label() };
                    found.push(fault(ends.from, None, why, Some(delay)));
                }
            }
            (None, Some(ends)) if may_be_trusted(kept, anchors, (index, key)) => {
                found.push(fault(
                    ends.by,
                    None,
                    AnchorFault::NeverRevoked { key: label() },
                    None,
                ));
            }
            (Some(_) | None, _) => {}
        }
        if let Some(version) = not_self_signed.get(&index) {
            let why = AnchorFault::NotSelfSigned { key: label() };
            found.push(fault(version.from, version.held_until, why, None));
        }
    }
    found
}

/// When each hold-down is over, and by what it began: from then on all trust a new key, or have forgotten a revoked one; and until then nobody has come
/// to trust a key that goes unrevoked.
pub fn hold_downs(schedule: &Schedule, anchors: &TrustAnchors) -> Vec<(Time, CauseIndex)> {
    let (seen, kept) = (until_seen(schedule), kept(schedule));
    let keys = schedule.keys.iter().filter(|key| key.role.signs_dnskey());
    let hold_downs = keys.flat_map(|key| {
        let presences = key.dnskey.0.iter();
        let trusted = presences
            .clone()
            .map(|presence| (presence.begins.by.after(anchors.add_wait), presence.begins.cause));
        let gone = presences.filter_map(|presence| presence.ends);
        let untrusted = gone.map(|ends| (ends.by.after(kept).before(ADD_HOLD_DOWN), ends.cause));
        let revoked = key.revoked.map(|revoked| {
            let until = revoked.by.after(anchors.remove_hold_down.max(seen));
            (until, revoked.cause)
        });
        trusted.chain(untrusted).chain(revoked).collect::<Vec<_>>()
    });
    hold_downs.collect()
}

/// The first version in which each key is revoked and does not sign.
fn not_self_signed(versions: &Versions) -> BTreeMap<KeyIndex, &Version> {
    let mut first = BTreeMap::new();
    for version in &versions.dnskey {
        for key in version.revoked.difference(&version.signers) {
            if version.keys.contains(key) {
                first.entry(*key).or_insert(version);
            }
        }
    }
    first
}

/// How long a DNSKEY RRset may be seen after it has gone from the first server.
fn kept(schedule: &Schedule) -> Span {
    let ttl = longest_ttl(schedule).seconds();
    Span::from_seconds(ttl.saturating_add(schedule.propagation.zone.seconds()))
}

/// Whether some validator may have come to trust a key before it went: the first one that saw it, and saw it still when the add hold-down was over.
fn may_be_trusted(kept: Span, anchors: &TrustAnchors, (index, key): (KeyIndex, &KeyLanes)) -> bool {
    let accepted = |presence: &Presence| {
        let first = presence.begins.from.after(ADD_HOLD_DOWN);
        presence.ends.is_none_or(|ends| first < ends.by.after(kept))
    };
    key.role.signs_dnskey() && (anchors.initial.contains(&index) || key.dnskey.0.iter().any(accepted))
}

/// The longest TTL of the DNSKEY RRset.
fn longest_ttl(schedule: &Schedule) -> Span {
    let ttls = schedule.caching.dnskey.iter().map(|(_, ttl)| *ttl);
    ttls.max().map_or(Span::from_seconds(0), |ttl| ttl)
}

/// From when a DNSKEY RRset is on the first server until every validator has seen it: until it is on all servers, no cache has the one before, and
/// everybody has looked, though some of their questions were lost (RFC 5011 2.3).
fn until_seen(schedule: &Schedule) -> Span {
    let ttl = longest_ttl(schedule).seconds();
    let interval = (ttl / 2).clamp(HOUR, DAYS_15);
    let parts = [schedule.propagation.zone.seconds(), ttl, interval, ttl.max(HOUR)];
    Span::from_seconds(parts.into_iter().fold(0, u32::saturating_add))
}

fn last_end(key: &KeyLanes) -> Option<crate::schedule::Event> {
    key.dnskey.0.last().and_then(|presence| presence.ends)
}

/// The first instant at which that version may be held and is not signed by a key that all trust.
fn untrusted(
    schedule: &Schedule,
    version: &Version,
    trusted: &BTreeMap<KeyIndex, (Time, Option<Time>)>,
) -> Option<Counterexample> {
    let signs = |key: &&KeyIndex| version.keys.contains(*key) && !version.revoked.contains(*key);
    let by: Vec<_> = version
        .signers
        .iter()
        .filter(signs)
        .filter_map(|key| trusted.get(key))
        .collect();
    let is_trusted = |at: Time| {
        by.iter()
            .any(|(from, until)| *from <= at && until.is_none_or(|until| at < until))
    };
    // Trust only grows but for revocations, so that these are the times to look at.
    let drops = by
        .iter()
        .filter_map(|(_, until)| *until)
        .filter(|at| version.is_held(*at));
    let at = [version.from]
        .into_iter()
        .chain(drops)
        .filter(|at| !is_trusted(*at))
        .min()?;
    let later = by.iter().map(|(from, _)| *from).filter(|from| *from > at).min();
    Some(Counterexample {
        at,
        until: version.held_until,
        fault: Fault::Anchor {
            why: AnchorFault::Untrusted {
                signers: version
                    .signers
                    .iter()
                    .map(|key| schedule.key_label(*key).to_owned())
                    .collect(),
            },
        },
        mix: None,
        delay: version
            .cause
            .zip(later)
            .map(|(cause, until)| Delay { cause, until }),
    })
}

impl fmt::Display for AnchorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted { signers } if signers.is_empty() => {
                f.write_str("the DNSKEY RRset is not signed")
            }
            Self::Untrusted { signers } => write!(
                f,
                "the DNSKEY RRset is signed by {} only, which not all of them trust",
                signers.join(", ")
            ),
            Self::RevokedTooShortly { key } => {
                write!(
                    f,
                    "{key} goes before all of them have seen that it is revoked (RFC 5011 2.4.2)"
                )
            }
            Self::NotSelfSigned { key } => {
                write!(
                    f,
                    "{key} has the REVOKE bit and does not sign the DNSKEY RRset, so that nobody believes it (RFC 5011 2.1)"
                )
            }
            Self::NeverRevoked { key } => {
                write!(
                    f,
                    "{key} goes without having been revoked, and stays a trust anchor for ever"
                )
            }
        }
    }
}
