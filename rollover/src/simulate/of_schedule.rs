//! A schedule as it may come true: each change at some instant of its window, on each server some time later, in each RRset of the zone when its
//! turn comes.

use std::collections::{BTreeMap, BTreeSet};

use super::Setting;
use super::authority::{Authority, Beginning, Key, RrsetName};
use super::chance::Chance;
use super::clock::{Clock, Lapse, Moment};
use super::population::Population;
use super::report::Report;
use super::signing::Signing;
use super::story::{BEFORE, RRSETS, Story, clock_of, longest_ttl};
use super::world::World;
use crate::anchors::TrustAnchors;
use crate::chain::Validators;
use crate::schedule::{KeyLanes, Schedule, Silenced};

/// Lets a schedule come true by chance, and tells who was without a chain.
pub fn simulate_schedule(
    schedule: &Schedule,
    validators: Validators,
    anchors: Option<&TrustAnchors>,
    setting: &Setting,
) -> Report {
    let mut chance = Chance::of_seed(setting.seed);
    let clock = clock_of(schedule);
    let stories: Vec<_> = RrsetName::all(RRSETS)
        .map(|name| {
            let mut drawn = BTreeMap::new();
            Story::new((schedule, clock), name, |change| {
                let instant = || chance.between(change.from, change.by);
                *drawn.entry(change).or_insert_with(instant)
            })
        })
        .collect();
    let beginnings = stories
        .iter()
        .map(|story| beginning(schedule, story, &mut chance));
    let beginnings = beginnings.collect();
    let propagation = [
        schedule.propagation.parent.into(),
        schedule.propagation.zone.into(),
    ];
    let authority = Authority::new(setting.servers, propagation, beginnings, &mut chance);
    let keys = keys(schedule);
    let algorithms: BTreeSet<_> = keys.iter().map(|key| key.algorithm).collect();
    let mut world = World::new((clock, chance), keys, (authority, RRSETS), setting.seed);
    let end = end(schedule, clock, &stories);
    world.patience = patience(schedule);
    world.populate(&Population {
        resolvers: setting.resolvers,
        validators,
        algorithms: algorithms.into_iter().collect(),
        anchors: anchors.map(|anchors| anchors.initial.clone()),
        every: Lapse((end - Moment(0)).0 / i64::from(setting.questions.max(1))),
    });
    be_silent(schedule, clock, &mut world);
    world.begin(Moment(0) - longest_ttl(schedule), Moment(0));
    for story in &stories {
        for at in story.changes() {
            world.publish_at(at, story.name, story.records(at), story.ttl(at));
        }
    }
    world.run_until(end);
    world.end(longest_ttl(schedule) + schedule.propagation.zone.into())
}

/// By how much lost questions may delay a look of somebody who follows the keys: T3 has room for it (`2 * max(TTL)`, of which a look after the hold-down
/// takes a part).
fn patience(schedule: &Schedule) -> Lapse {
    let caching = &schedule.caching;
    let ttls = [&caching.dnskey, &caching.zone].into_iter().flatten();
    let ttl = ttls.map(|(_, ttl)| Lapse::from(*ttl)).max();
    ttl.map_or(Lapse::NONE, |ttl| ttl.percent(50))
}

/// The keys of a schedule.
pub fn keys(schedule: &Schedule) -> Vec<Key> {
    let key = |key: &KeyLanes| Key {
        label: key.label.clone(),
        role: key.role,
        algorithm: key.algorithm,
    };
    schedule.keys.iter().map(key).collect()
}

fn be_silent(schedule: &Schedule, clock: Clock, world: &mut World) {
    for silence in &schedule.silences {
        let until = silence.until.map(|until| clock.moment(until));
        for name in RrsetName::all(RRSETS) {
            match (silence.of, name) {
                (_, RrsetName::Ds)
                | (Silenced::Dnskey, RrsetName::Data(_))
                | (Silenced::Zone, RrsetName::Dnskey) => {}
                (Silenced::All | Silenced::Dnskey, RrsetName::Dnskey)
                | (Silenced::All | Silenced::Zone, RrsetName::Data(_)) => {
                    world.authority.silence(name, clock.moment(silence.from), until);
                }
            }
        }
    }
}

/// When all of it has left every cache.
fn end(schedule: &Schedule, clock: Clock, stories: &[Story<'_>]) -> Moment {
    let times = stories.iter().flat_map(Story::changes);
    let silences = schedule.silences.iter();
    let silences = silences.map(|silence| clock.moment(silence.until.map_or(silence.from, |until| until)));
    let last = times
        .chain(silences)
        .max()
        .map_or(Moment(0), |last| last.max(Moment(0)));
    let propagation = Lapse::from(schedule.propagation.zone.max(schedule.propagation.parent));
    let ttl = longest_ttl(schedule);
    let expiry = match schedule.silences.iter().any(|silence| silence.until.is_none()) {
        true => Lapse::from(schedule.signatures.zone.max(schedule.signatures.dnskey)),
        false => Lapse::NONE,
    };
    last + propagation + propagation + ttl + ttl + expiry + Lapse::seconds(10)
}

/// How an RRset is before anything changes.
fn beginning(schedule: &Schedule, story: &Story<'_>, chance: &mut Chance) -> Beginning {
    let least = match story.name {
        RrsetName::Ds => None,
        RrsetName::Dnskey => Some(schedule.signatures.dnskey),
        RrsetName::Data(_) => Some(schedule.signatures.zone),
    };
    Beginning {
        records: story.records(BEFORE),
        ttl: story.ttl(BEFORE),
        signing: least.map(|least| signing(least.into(), chance)),
    }
}

/// A signer that leaves no RRSIG with less than `least`: it comes before each answer, often, or rarely.
fn signing(least: Lapse, chance: &mut Chance) -> Signing {
    let every = match chance.below(3) {
        0 => Lapse::NONE,
        1 => least.percent(2),
        _ => least.percent(75),
    };
    Signing {
        validity: least + every,
        every,
        phase: Moment(0) + chance.up_to(every),
        silences: Vec::new(),
    }
}
