//! How much earlier each step of a proved schedule could come before something broke.

use std::collections::BTreeSet;

use key_metadata::{Span, Time};
use serde::Serialize;

use crate::prove::{Claim, prove};
use crate::rrsets::{Versions, VersionsError};
use crate::schedule::{CauseIndex, Schedule};

/// The margin of a step: what it waits beyond what it must.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Margin {
    /// The step.
    pub cause: CauseIndex,
    /// By how much it can be moved; a second more, and there is a counterexample.
    pub slack: Span,
}

/// How many of the times at which something leaves the caches are tried, backwards from a step. A rollover has no more than a dozen, and what is
/// before it has left the caches for longer than any margin.
const LOOK_BACK: usize = 12;

/// The margins of the steps from `claim.since` on that wait for the caches; a step that is not among them waits for none.
///
/// A mix comes to be where a step meets what has not left the caches, so that these times are the only ones that a margin can end at. Each is
/// tried by moving the step there, and the whole schedule is proved anew.
pub fn margins(schedule: &Schedule, claim: &Claim) -> Result<Vec<Margin>, VersionsError> {
    let versions = Versions::of(schedule)?;
    let ends: BTreeSet<(Time, Option<CauseIndex>)> = [&versions.ds, &versions.dnskey, &versions.zone]
        .into_iter()
        .flatten()
        .filter_map(|version| version.held_until.map(|until| (until, version.ended_by)))
        .collect();
    let mut margins = Vec::new();
    for (cause, at) in begins(schedule, claim.since) {
        let before = ends
            .range(..=(at, None))
            .chain(ends.range((at, Some(CauseIndex(0)))..=(at, Some(CauseIndex(usize::MAX)))));
        let before: Vec<_> = before
            .filter(|(_, ended_by)| *ended_by != Some(cause))
            .map(|(until, _)| *until)
            .collect();
        for until in before.iter().rev().take(LOOK_BACK) {
            let slack = at.since(*until);
            let more = Span::from_seconds(slack.seconds().saturating_add(1));
            if prove(&schedule.earlier(cause, more), claim)?.is_err() {
                margins.push(Margin { cause, slack });
                break;
            }
        }
    }
    Ok(margins)
}

/// When each cause has its first effect.
fn begins(schedule: &Schedule, since: Time) -> Vec<(CauseIndex, Time)> {
    let mut begins: std::collections::BTreeMap<CauseIndex, Time> = std::collections::BTreeMap::new();
    for event in schedule.keys.iter().flat_map(|key| key.events()) {
        let first = begins.entry(event.cause).or_insert(event.from);
        *first = event.from.min(*first);
    }
    begins.into_iter().filter(|(_, at)| *at >= since).collect()
}
