//! How much earlier each step of a proved schedule could come before something broke.

use std::collections::BTreeSet;

use key_metadata::{Span, Time};
use serde::Serialize;

use crate::anchors;
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

/// How many of the times at which something leaves the caches are tried, backwards from a step, and how many at which a hold-down is over. A rollover has no more than a dozen, and what is
/// before it has left the caches for longer than any margin.
const LOOK_BACK: usize = 12;

/// The margins of the steps from `claim.since` on that wait for the caches; a step that is not among them waits for none.
///
/// A mix comes to be where a step meets what has not left the caches, and a validator that follows the keys is left behind where it meets a
/// hold-down that is not over. Each of these times is tried by moving the step there, and the whole schedule is proved anew. Where the margin ends
/// before, since steps come in another order, it is looked for between.
pub fn margins(schedule: &Schedule, claim: &Claim) -> Result<Vec<Margin>, VersionsError> {
    let versions = Versions::of(schedule)?;
    let forgotten = [&versions.ds, &versions.dnskey, &versions.zone]
        .into_iter()
        .flatten();
    let forgotten: Ends = forgotten
        .filter_map(|version| version.held_until.map(|until| (until, version.ended_by)))
        .collect();
    let hold_downs = claim.trust_anchors.iter();
    let hold_downs: Ends = hold_downs
        .flat_map(|anchors| anchors::hold_downs(schedule, anchors))
        .map(|(until, cause)| (until, Some(cause)))
        .collect();
    let is_safe = |cause, by| prove(&schedule.earlier(cause, by), claim).map(|proof| proof.is_ok());
    let mut margins = Vec::new();
    for (cause, at) in begins(schedule, claim.since) {
        let mut before = last_before(&forgotten, cause, at);
        before.extend(last_before(&hold_downs, cause, at));
        before.sort_unstable();
        let mut safe = Span::from_seconds(0);
        for until in before.iter().rev() {
            let more = Span::from_seconds(at.since(*until).seconds().saturating_add(1));
            if is_safe(cause, more)? {
                safe = more;
                continue;
            }
            let slack = last_safe((safe, more), |by| is_safe(cause, by))?;
            margins.push(Margin { cause, slack });
            break;
        }
    }
    Ok(margins)
}

/// When something is over, and by what it came to that.
type Ends = BTreeSet<(Time, Option<CauseIndex>)>;

/// The last ends that are not after a time, and not of that cause.
fn last_before(ends: &Ends, cause: CauseIndex, at: Time) -> Vec<Time> {
    let before = ends.range(..=(at, Some(CauseIndex(usize::MAX)))).rev();
    let of_others = before.filter(|(_, ended_by)| *ended_by != Some(cause));
    of_others.map(|(until, _)| *until).take(LOOK_BACK).collect()
}

/// The last span of those from a safe one to one that is not which is safe, as the next one is not: most often the last of all.
fn last_safe(
    (safe, more): (Span, Span),
    is_safe: impl Fn(Span) -> Result<bool, VersionsError>,
) -> Result<Span, VersionsError> {
    let (mut safe, mut more) = (safe.seconds(), more.seconds());
    let mut next = more.saturating_sub(1);
    while more > safe.saturating_add(1) {
        match is_safe(Span::from_seconds(next))? {
            true => safe = next,
            false => more = next,
        }
        next = safe.midpoint(more);
    }
    Ok(Span::from_seconds(safe))
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
