//! A counterexample, played: when each change must come, which server must be asked when, so that a resolver comes to hold that mix.

use std::collections::{BTreeMap, BTreeSet};

use key_metadata::Time;
use serde::Serialize;

use super::authority::{Authority, Beginning, Choice, Held, Key, RrsetName};
use super::caches::{Caches, Keeping, Upstream, Use};
use super::chance::Chance;
use super::clock::{Clock, Lapse, Moment};
use super::of_schedule::keys;
use super::servers::Records;
use super::signing::Signing;
use super::story::{BEFORE, ChangeOf, RRSETS, Story, clock_of, open_changes};
use super::validator::{Chain, Validator, Why};
use crate::chain::Validators;
use crate::rrsets::Version;
use crate::schedule::Schedule;

/// How a resolver comes to be without a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reenactment {
    /// When it got the DS RRset, the DNSKEY RRset and the answer.
    pub got: [Time; 3],
    /// When it looks at all of them.
    pub at: Time,
    /// Why they are no chain.
    pub why: Why,
}

/// Why a counterexample cannot be played. Where there is one, either the model of the proofs is wrong or that of the simulation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPlayed {
    /// No instants of the changes make that version.
    #[error("{0} is never so")]
    NoSuchVersion(RrsetName),
    /// It is so, and no cache holds it then.
    #[error("{0} is so, and in no cache at that time")]
    NotHeld(RrsetName),
    /// The resolver has a chain.
    #[error("the resolver finds a chain")]
    Chain,
}

/// Plays a counterexample of [`mod@crate::prove`]: its three versions, held at the same time.
pub fn reenact(
    schedule: &Schedule,
    validators: Validators,
    (mix, at): (&[Version; 3], Time),
) -> Result<Reenactment, NotPlayed> {
    let clock = clock_of(schedule);
    let now = clock.moment(at);
    let [ds, dnskey, zone] = mix;
    let parts = [
        Played::new(schedule, clock, (RrsetName::Ds, ds), now)?,
        Played::new(schedule, clock, (RrsetName::Dnskey, dnskey), now)?,
        Played::new(schedule, clock, (RrsetName::Data(0), zone), now)?,
    ];
    let [ds, dnskey, data] = play(schedule, &parts, now)?;
    let keys = keys(schedule);
    let chain = Chain {
        ds: &ds,
        dnskey: &dnskey,
        data: (RrsetName::Data(0), &data),
    };
    let why = without_chain(validators, &keys, chain, now).ok_or(NotPlayed::Chain)?;
    Ok(Reenactment {
        got: parts.map(|part| clock.time(part.got)),
        at,
        why,
    })
}

/// A version of an RRset as it is brought about.
struct Played<'a> {
    story: Story<'a>,
    /// When it is asked for.
    got: Moment,
    /// From this change on, the server that is asked is as late as it may be.
    late_from: Moment,
}

impl<'a> Played<'a> {
    fn new(
        schedule: &'a Schedule,
        clock: Clock,
        (name, version): (RrsetName, &Version),
        now: Moment,
    ) -> Result<Self, NotPlayed> {
        let wanted = Records {
            keys: version.keys.clone(),
            revoked: version.revoked.clone(),
            signers: version.signers.clone(),
        };
        let since = clock.moment(version.from).max(BEFORE);
        let (story, since) =
            bring_about(schedule, clock, name, &wanted, since).ok_or(NotPlayed::NoSuchVersion(name))?;
        let propagation = Lapse::from(match name {
            RrsetName::Ds => schedule.propagation.parent,
            RrsetName::Dnskey | RrsetName::Data(_) => schedule.propagation.zone,
        });
        // It is asked for as late as the copy is there whose TTL lasts until now.
        let changes = story.changes();
        let mut lasts = Vec::new();
        for late_from in changes.iter().filter(|change| **change > since) {
            lasts.push((*late_from, (*late_from + propagation).just_before()));
            if story.records(*late_from) != wanted {
                break;
            }
        }
        lasts.push((Moment(i64::MAX), now));
        let copy_before = |late_from: Moment| {
            let copy = changes.range(..late_from).next_back();
            copy.map_or(since, |copy| since.max(*copy))
        };
        let fits = |(late_from, last): &(Moment, Moment)| {
            let (copy, got) = (copy_before(*late_from), now.min(*last));
            // With a TTL of nothing it is used for the question that it was got for.
            let is_held = got == now || got + story.ttl(copy) > now;
            got >= copy && is_held && story.records(copy) == wanted
        };
        let (late_from, last) = lasts.into_iter().find(fits).ok_or(NotPlayed::NotHeld(name))?;
        Ok(Self {
            story,
            got: now.min(last),
            late_from,
        })
    }
}

/// The story in which an RRset is as wanted at that time, or at the beginning: of the changes that may or may not have come by then, those come that
/// must; whatever comes, comes as late as it may.
fn bring_about<'a>(
    schedule: &'a Schedule,
    clock: Clock,
    name: RrsetName,
    wanted: &Records,
    since: Moment,
) -> Option<(Story<'a>, Moment)> {
    let changes = open_changes(schedule, clock, name);
    let is_open = |change: &&ChangeOf| change.from <= since && since < change.by;
    let open: Vec<_> = changes.iter().filter(is_open).copied().collect();
    let sets = 1u32.checked_shl(u32::try_from(open.len()).ok()?)?;
    (0..sets).find_map(|set| {
        let come: BTreeMap<_, _> = open
            .iter()
            .enumerate()
            .map(|(place, change)| (*change, set & (1 << place) != 0))
            .collect();
        let story = Story::new((schedule, clock), name, |change| match come.get(&change) {
            Some(true) => change.from,
            Some(false) => change.by,
            None if change.by <= since => change.from,
            None => change.by,
        });
        (story.records(since) == *wanted).then_some((story, since))
    })
}

/// One cache asks for each of them at its time, and has all of them now.
fn play(schedule: &Schedule, parts: &[Played<'_>; 3], now: Moment) -> Result<[Held; 3], NotPlayed> {
    let mut chance = Chance::of_seed(0);
    let propagation = [
        schedule.propagation.parent.into(),
        schedule.propagation.zone.into(),
    ];
    let beginning = |story: &Story<'_>| Beginning {
        records: story.records(BEFORE),
        ttl: story.ttl(BEFORE),
        signing: (story.name != RrsetName::Ds).then_some(Signing {
            validity: Lapse(i64::MAX),
            every: Lapse::NONE,
            phase: Moment(0),
            silences: Vec::new(),
        }),
    };
    let beginnings = parts.iter().map(|part| beginning(&part.story)).collect();
    let mut authority = Authority::new(1, propagation, beginnings, &mut chance);
    for part in parts {
        let delay = match part.story.name {
            RrsetName::Ds => propagation[0],
            RrsetName::Dnskey | RrsetName::Data(_) => propagation[1],
        };
        for at in part.story.changes() {
            let delays = [if at >= part.late_from { delay } else { Lapse::NONE }];
            let (records, ttl) = (part.story.records(at), part.story.ttl(at));
            authority.publish_after(part.story.name, at, (records, ttl), &delays);
        }
    }
    let mut caches = Caches::new(RRSETS + 2);
    let cache = caches.add(Upstream::Servers, Keeping::ByTtl);
    let mut turns: BTreeSet<(Moment, RrsetName)> = BTreeSet::new();
    turns.extend(parts.iter().map(|part| (part.got, part.story.name)));
    for (at, name) in turns {
        let way = (Use::Nothing, Choice::Any);
        caches.answer(cache, name, at, way, (&authority, &mut chance));
    }
    let mut held = Vec::new();
    for part in parts {
        let name = part.story.name;
        let way = (Use::Held, Choice::Any);
        let answer = caches.answer(cache, name, now, way, (&authority, &mut chance));
        held.push(answer.ok_or(NotPlayed::NotHeld(name))?);
    }
    <[Held; 3]>::try_from(held).map_err(|_| NotPlayed::Chain)
}

/// Why one of the validators that a claim is for has no chain.
fn without_chain(validators: Validators, keys: &[Key], chain: Chain<'_>, now: Moment) -> Option<Why> {
    let algorithms: BTreeSet<_> = keys.iter().map(|key| key.algorithm).collect();
    let lenient = algorithms.into_iter().map(|algorithm| Validator::Lenient {
        knows: [algorithm].into(),
    });
    let strict = match validators {
        Validators::Strict => Some(Validator::Strict),
        Validators::Standard => None,
    };
    lenient
        .chain(strict)
        .find_map(|validator| validator.judge(keys, chain, now).err())
}
