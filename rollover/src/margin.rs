//! How much earlier each step of a proved schedule could come before a mix without a chain came to be.

use std::collections::BTreeMap;

use key_metadata::Span;
use serde::Serialize;

use crate::chain::{Validators, broken};
use crate::rrsets::{Rrset, Version, Versions, VersionsError};
use crate::schedule::{CauseIndex, Schedule};

/// The margin of a step: what it waits beyond what it must.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Margin {
    /// The step.
    pub cause: CauseIndex,
    /// By how much it can be moved; a second more, and there is a mix without a chain.
    pub slack: Span,
}

/// How far back a mix is looked for. One rollover has no more than five versions of an RRset, and what is before the one before it has left
/// the caches for longer than any margin.
const LOOK_BACK: usize = 24;

/// The margins of all steps that wait for the caches; a step that is not among them waits for none.
pub fn margins(schedule: &Schedule, validators: Validators) -> Result<Vec<Margin>, VersionsError> {
    let versions = Versions::of(schedule)?;
    let mut least: BTreeMap<CauseIndex, Span> = BTreeMap::new();
    for rrset in [Rrset::Ds, Rrset::Dnskey, Rrset::Zone] {
        let (own, [one, other]) = match rrset {
            Rrset::Ds => (&versions.ds, [&versions.dnskey, &versions.zone]),
            Rrset::Dnskey => (&versions.dnskey, [&versions.ds, &versions.zone]),
            Rrset::Zone => (&versions.zone, [&versions.ds, &versions.dnskey]),
        };
        for new in own {
            let Some(cause) = new.cause else { continue };
            for one in near(one, new) {
                for other in near(other, new) {
                    let Some(slack) = slack(schedule, validators, new, cause, (one, other)) else {
                        continue;
                    };
                    let known = least.entry(cause).or_insert(slack);
                    *known = slack.min(*known);
                }
            }
        }
    }
    Ok(least
        .into_iter()
        .map(|(cause, slack)| Margin { cause, slack })
        .collect())
}

/// The versions that come before that one, or with it, the nearest.
fn near<'a>(versions: &'a [Version], new: &Version) -> &'a [Version] {
    let end = versions.partition_point(|version| version.from <= new.from);
    &versions[end.saturating_sub(LOOK_BACK)..end]
}

/// How long these three miss each other by, where they would be no chain.
fn slack(
    schedule: &Schedule,
    validators: Validators,
    new: &Version,
    cause: CauseIndex,
    (one, other): (&Version, &Version),
) -> Option<Span> {
    // The two must be held together, or there is no mix at any time; and what moves with the step does not meet it.
    let together = one.held_until.is_none_or(|until| other.from < until)
        && other.held_until.is_none_or(|until| one.from < until);
    let ends = [one, other]
        .into_iter()
        .filter_map(|version| version.held_until.map(|until| (until, version.ended_by)));
    let (until, ended_by) = ends.min()?;
    let moves_along = ended_by == Some(cause) || one.cause == Some(cause) || other.cause == Some(cause);
    if !together || moves_along || until > new.from {
        return None;
    }
    let three = match new.rrset {
        Rrset::Ds => (new, one, other),
        Rrset::Dnskey => (one, new, other),
        Rrset::Zone => (one, other, new),
    };
    broken(schedule, validators, three)?;
    Some(new.from.since(until))
}
