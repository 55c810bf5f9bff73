//! The simulated world: name servers, caches and validators, moment by moment.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::rc::Rc;

use super::authority::{Authority, Held, Key, RrsetName};
use super::caches::Caches;
use super::chance::Chance;
use super::clock::{Clock, Lapse, Moment};
use super::done::Done;
use super::follower::{AnchorState, Anchors, Looked, query_interval, retry_time};
use super::report::{Happened, HeldChain, Incident, MOST_INCIDENTS, Report};
use super::resolver::{Occasion, Resolver, Trust};
use super::servers::Records;
use super::validator::{Chain, Security, Why, judge_by_anchors};
use crate::schedule::KeyIndex;

/// Of a hundred resolvers, those that ask when something changes.
const LOOKERS: u64 = 50;

/// Of a hundred looks of a follower, those that are lost on the way.
const LOST: u64 = 10;

/// Of a hundred looks of a follower, those that somebody answers who replays what was served once.
const REPLAYED: u64 = 5;

/// Of a hundred questions, those that are put off to just before an RRSIG is renewed.
const LATE: u64 = 20;

/// The simulated world.
#[derive(Debug)]
pub struct World {
    /// Its clock.
    pub clock: Clock,
    /// Its keys.
    pub keys: Vec<Key>,
    /// Its name servers.
    pub authority: Authority,
    /// Chance.
    pub chance: Chance,
    /// The caches.
    pub caches: Caches,
    /// The resolvers.
    pub resolvers: Vec<Rc<Resolver>>,
    /// The trust anchors of those that have their own.
    pub anchors: BTreeMap<usize, Anchors>,
    /// How much later than RFC 5011 says a follower's look may be, after others were lost.
    pub patience: Lapse,
    data: usize,
    now: Moment,
    intended: BTreeMap<RrsetName, (Records, Lapse)>,
    lost: BTreeSet<KeyIndex>,
    outages: Vec<(Moment, Moment)>,
    queue: BinaryHeap<Reverse<(Moment, Turn, u64, Event)>>,
    count: u64,
    seen: BTreeSet<(usize, Why, [Moment; 3])>,
    report: Report,
}

/// Something that comes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Publish {
        name: RrsetName,
        records: Records,
        ttl: Lapse,
    },
    /// What is intended by then is published.
    Renew {
        name: RrsetName,
    },
    Ask {
        resolver: usize,
        occasion: Occasion,
    },
    /// Active refresh of a resolver that follows the keys (RFC 5011 2.3), and how late it is.
    Look {
        resolver: usize,
        late: Lapse,
    },
}

/// At one moment, all that changes has changed before anybody asks: nobody sees one RRset of that moment and another one of the moment before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Change,
    Question,
}

/// Whether something is intended already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// It is new.
    New,
    /// It is so already, or is to be.
    Old,
}

/// What a resolver got of everything.
struct Got {
    ds: Held,
    dnskey: Held,
    data: Vec<Held>,
}

impl World {
    /// A world without resolvers.
    pub fn new(
        (clock, chance): (Clock, Chance),
        keys: Vec<Key>,
        (authority, data): (Authority, usize),
        seed: u64,
    ) -> Self {
        let since = clock.time(Moment(0));
        Self {
            clock,
            keys,
            authority,
            chance,
            caches: Caches::new(data + 2),
            resolvers: Vec::new(),
            anchors: BTreeMap::new(),
            patience: Lapse::NONE,
            data,
            now: Moment(i64::MIN),
            intended: BTreeMap::new(),
            lost: BTreeSet::new(),
            outages: Vec::new(),
            queue: BinaryHeap::new(),
            count: 0,
            seen: BTreeSet::new(),
            report: Report {
                seed,
                since,
                until: since,
                resolvers: 0,
                followers: 0,
                queries: 0,
                validations: 0,
                insecure: 0,
                done: Done::nothing(),
                happened: Vec::new(),
                refusals: Vec::new(),
                incidents: Vec::new(),
            },
        }
    }

    fn push(&mut self, at: Moment, event: Event) {
        self.count += 1;
        let turn = match event {
            Event::Publish { .. } | Event::Renew { .. } => Turn::Change,
            Event::Ask { .. } | Event::Look { .. } => Turn::Question,
        };
        self.queue
            .push(Reverse((at.max(self.now), turn, self.count, event)));
    }

    /// The first server is to have these records at that time. Some resolvers ask just before, and just then.
    pub fn publish_at(&mut self, at: Moment, name: RrsetName, records: Records, ttl: Lapse) {
        self.push(at, Event::Publish { name, records, ttl });
        self.ask_around(at, name);
    }

    /// An RRset is to have these records from when it is renewed next; tells whether that is new.
    pub fn intend(&mut self, name: RrsetName, records: Records, ttl: Lapse) -> Intent {
        let new = Some(&(records, ttl));
        let old = self.intended.get(&name);
        let published = self.authority.last(name);
        let is_published =
            |new: &(Records, Lapse)| published.is_some_and(|copy| copy.records == new.0 && copy.ttl == new.1);
        if old == new || (old.is_none() && new.is_some_and(is_published)) {
            return Intent::Old;
        }
        if let Some(new) = new {
            self.intended.insert(name, new.clone());
        }
        Intent::New
    }

    /// An RRset is renewed then: it gets what is intended by that time.
    pub fn renew_at(&mut self, at: Moment, name: RrsetName) {
        self.push(at, Event::Renew { name });
        self.ask_around(at, name);
    }

    /// Nobody can sign with a key any more.
    pub fn lose(&mut self, key: KeyIndex) {
        self.lost.insert(key);
        for name in RrsetName::all(self.data) {
            let signs = |copy: &Rc<super::servers::Copy>| copy.records.signers.contains(&key);
            if self.authority.last(name).is_some_and(signs) {
                self.authority.silence(name, self.now, None);
            }
        }
    }

    /// Nothing is signed from one moment until the other, and nothing of the zone renewed.
    pub fn outage(&mut self, from: Moment, until: Moment) {
        self.outages.push((from, until));
        for name in RrsetName::all(self.data) {
            self.authority.silence(name, from, Some(until));
        }
    }

    /// Some resolvers ask just before something changes, and when it does.
    fn ask_around(&mut self, at: Moment, name: RrsetName) {
        for resolver in 0..self.resolvers.len() {
            if self.chance.percent(LOOKERS) {
                let before = Occasion::Before(name);
                self.push(
                    at.just_before(),
                    Event::Ask {
                        resolver,
                        occasion: before,
                    },
                );
                let after = Occasion::After(name);
                self.push(
                    at,
                    Event::Ask {
                        resolver,
                        occasion: after,
                    },
                );
            }
        }
    }

    /// Everybody asks for the first time between these moments.
    pub fn begin(&mut self, from: Moment, until: Moment) {
        self.now = from;
        for resolver in 0..self.resolvers.len() {
            let at = self.chance.between(from, until);
            let occasion = Occasion::Routine;
            self.push(at, Event::Ask { resolver, occasion });
            if self.anchors.contains_key(&resolver) {
                let at = self.chance.between(from, until);
                self.push(
                    at,
                    Event::Look {
                        resolver,
                        late: Lapse::NONE,
                    },
                );
            }
        }
    }

    /// Something that is worth telling.
    pub fn tell(&mut self, at: Moment, what: impl Into<String>) {
        let at = self.clock.time(at);
        self.report.happened.push(Happened {
            at,
            what: what.into(),
        });
    }

    /// What is done, to be counted.
    pub const fn done(&mut self) -> &mut Done {
        &mut self.report.done
    }

    /// No plan was given out.
    pub fn refuse(&mut self, why: String) {
        let at = self.clock.time(self.now);
        if self.report.refusals.last().is_none_or(|last| last.what != why) {
            self.report.refusals.push(Happened { at, what: why });
        }
    }

    /// Lets everything happen that comes before that moment.
    pub fn run_until(&mut self, end: Moment) {
        while let Some(Reverse((at, ..))) = self.queue.peek()
            && *at < end
            && let Some(Reverse((at, .., event))) = self.queue.pop()
        {
            self.now = at;
            match event {
                Event::Publish { name, records, ttl } => self.publish(name, records, ttl),
                Event::Renew { name } => self.renew(name),
                Event::Ask { resolver, occasion } => self.ask(resolver, occasion),
                Event::Look { resolver, late } => self.look(resolver, late),
            }
        }
        self.now = self.now.max(end);
    }

    fn renew(&mut self, name: RrsetName) {
        let now = self.now;
        let mut outages = self.outages.iter();
        let outage = outages.find(|(from, until)| *from <= now && now < *until);
        match (outage, name) {
            (Some((_, until)), RrsetName::Dnskey | RrsetName::Data(_)) => self.renew_at(*until, name),
            (Some(_), RrsetName::Ds) | (None, _) => {
                let Some((records, ttl)) = self.intended.get(&name).cloned() else {
                    return;
                };
                // What a lost key would have to sign stays as it is.
                if records.signers.is_disjoint(&self.lost) {
                    self.authority.speak(name, now);
                    self.publish(name, records, ttl);
                }
            }
        }
    }

    fn publish(&mut self, name: RrsetName, records: Records, ttl: Lapse) {
        let now = self.now;
        let last = self.authority.last(name);
        if last.is_some_and(|last| last.records == records && last.ttl == ttl) {
            return;
        }
        let text = self.describe(name, &records);
        self.tell(now, text);
        let mut times = self
            .authority
            .publish(name, now, (records, ttl), &mut self.chance);
        times.sort_unstable();
        times.dedup();
        for at in times.into_iter().filter(|at| *at > now) {
            self.ask_around(at, name);
        }
    }

    fn describe(&self, name: RrsetName, records: &Records) -> String {
        let keys = self.names(&records.keys).join(", ");
        let signers = self.names(&records.signers).join(", ");
        match name {
            RrsetName::Ds if keys.is_empty() => "the parent has no DS".to_owned(),
            RrsetName::Ds => format!("the DS RRset has {keys}"),
            RrsetName::Dnskey if keys.is_empty() => "there is no DNSKEY RRset".to_owned(),
            RrsetName::Dnskey if records.revoked.is_empty() => {
                format!("the DNSKEY RRset has {keys}, signed by {signers}")
            }
            RrsetName::Dnskey => {
                let revoked = self.names(&records.revoked).join(", ");
                format!("the DNSKEY RRset has {keys} ({revoked} revoked), signed by {signers}")
            }
            RrsetName::Data(_) if signers.is_empty() => format!("{name} is not signed"),
            RrsetName::Data(_) => format!("{name} is signed by {signers}"),
        }
    }

    fn names(&self, keys: &BTreeSet<KeyIndex>) -> Vec<String> {
        let keys = keys.iter().filter_map(|key| self.keys.get(key.0));
        keys.map(|key| key.label.clone()).collect()
    }

    /// All that a resolver holds, or gets, on some occasion.
    fn get(&mut self, resolver: &Resolver, occasion: Occasion) -> Option<Got> {
        let mut of = |name| {
            let way = resolver.way(name, occasion, &mut self.chance);
            let (authority, chance) = (&self.authority, &mut self.chance);
            self.caches
                .answer(resolver.cache, name, self.now, way, (authority, chance))
        };
        let (ds, dnskey) = (of(RrsetName::Ds)?, of(RrsetName::Dnskey)?);
        let data: Option<Vec<_>> = (0..self.data).map(|number| of(RrsetName::Data(number))).collect();
        let data = data?;
        Some(Got { ds, dnskey, data })
    }

    /// A resolver asks for everything, and validates it.
    fn ask(&mut self, number: usize, occasion: Occasion) {
        let Some(resolver) = self.resolvers.get(number).map(Rc::clone) else {
            return;
        };
        if let Some(got) = self.get(&resolver, occasion) {
            self.validate((number, &resolver), &got);
            self.ask_again((number, &resolver), occasion, &got);
        }
    }

    fn validate(&mut self, (number, resolver): (usize, &Resolver), got: &Got) {
        let now = self.now;
        for (place, answer) in got.data.iter().enumerate() {
            let data = (RrsetName::Data(place), answer);
            let (ds, dnskey) = (&got.ds, &got.dnskey);
            let judged = match &resolver.trust {
                Trust::Ds(validator) => validator.judge(&self.keys, Chain { ds, dnskey, data }, now),
                // What such a validator makes of a zone that has become insecure is not told by its keys.
                Trust::Anchors if dnskey.copy.records.keys.is_empty() => Ok(Security::Insecure),
                Trust::Anchors => judge_by_anchors(&self.trusted(number), (dnskey, data), now),
            };
            self.report.validations += 1;
            match judged {
                Ok(Security::Secure) => {}
                Ok(Security::Insecure) => self.report.insecure += 1,
                Err(why) => self.incident((number, &resolver.label), why, (ds, dnskey, data)),
            }
        }
    }

    fn ask_again(&mut self, (number, resolver): (usize, &Resolver), occasion: Occasion, got: &Got) {
        let now = self.now;
        match occasion {
            Occasion::Routine => {
                let mut at = now + self.chance.waiting(resolver.every);
                if self.chance.percent(LATE) {
                    let name = RrsetName::all(self.data).nth(1 + self.chance.place(self.data + 1));
                    let late = name.and_then(|name| self.authority.before_renewal(name, at));
                    at = late.filter(|late| *late > now).map_or(at, |late| late);
                }
                self.push(
                    at,
                    Event::Ask {
                        resolver: number,
                        occasion,
                    },
                );
            }
            Occasion::Before(name) => {
                // What was just got, perhaps for the last time, is looked at in its last moment too.
                let held = match name {
                    RrsetName::Ds => Some(&got.ds),
                    RrsetName::Dnskey => Some(&got.dnskey),
                    RrsetName::Data(place) => got.data.get(place),
                };
                if let Some(until) = held.map(|held| held.until).filter(|until| *until > now) {
                    let event = Event::Ask {
                        resolver: number,
                        occasion: Occasion::Last,
                    };
                    self.push(until.just_before(), event);
                }
            }
            Occasion::After(_) | Occasion::Last => {}
        }
    }

    fn incident(
        &mut self,
        (number, resolver): (usize, &str),
        why: Why,
        (ds, dnskey, (name, answer)): (&Held, &Held, (RrsetName, &Held)),
    ) {
        let mix = [ds.copy.since, dnskey.copy.since, answer.copy.since];
        if self.report.incidents.len() >= MOST_INCIDENTS || !self.seen.insert((number, why.clone(), mix)) {
            return;
        }
        let held = HeldChain {
            ds: self.names(&ds.copy.records.keys),
            dnskey: self.names(&dnskey.copy.records.keys),
            dnskey_signed_by: self.names(&dnskey.copy.records.signers),
            answer: name.to_string(),
            answer_signed_by: self.names(&answer.copy.records.signers),
        };
        self.report.incidents.push(Incident {
            at: self.clock.time(self.now),
            resolver: resolver.to_owned(),
            held: Some(held),
            why,
        });
    }

    fn trusted(&self, number: usize) -> BTreeSet<KeyIndex> {
        self.anchors
            .get(&number)
            .map_or_else(BTreeSet::new, Anchors::trusted)
    }

    /// Active refresh of a resolver that follows the keys.
    fn look(&mut self, number: usize, late: Lapse) {
        let now = self.now;
        let Some(resolver) = self.resolvers.get(number).map(Rc::clone) else {
            return;
        };
        let replayed = match self.chance.percent(REPLAYED) {
            true => self.authority.replay(RrsetName::Dnskey, now, &mut self.chance),
            false => None,
        };
        let is_replayed = replayed.is_some();
        let way = resolver.way(RrsetName::Dnskey, Occasion::Routine, &mut self.chance);
        let (authority, chance) = (&self.authority, &mut self.chance);
        let shown = replayed.or_else(|| {
            let name = RrsetName::Dnskey;
            self.caches
                .answer(resolver.cache, name, now, way, (authority, chance))
        });
        let Some(dnskey) = shown else {
            return;
        };
        let left = dnskey.expires.map_or(Lapse::NONE, |expires| expires - now);
        let retry = retry_time(dnskey.copy.ttl, left);
        let is_lost = late + retry <= self.patience && self.chance.percent(LOST);
        let looked = match self.anchors.get_mut(&number) {
            Some(anchors) if !is_lost => anchors.look(&self.keys, &dnskey, now),
            Some(_) | None => Looked::NotBelieved,
        };
        let (next, late) = match looked {
            Looked::Believed => {
                let interval = query_interval(dnskey.copy.ttl, left);
                let sooner = self.chance.up_to(Lapse(interval.0 / 2));
                (Lapse(interval.0 - sooner.0), Lapse::NONE)
            }
            Looked::NotBelieved => (retry, late + retry),
        };
        self.push(
            now + next,
            Event::Look {
                resolver: number,
                late,
            },
        );
        // What an attacker shows does harm that the zone does not answer for.
        if !is_replayed && !is_lost && looked == Looked::NotBelieved {
            self.ask(number, Occasion::Last);
        }
    }

    /// The report, at the end. `forgotten` is how long after a key has left the zone nobody can see any more that it was revoked.
    pub fn end(mut self, forgotten: Lapse) -> Report {
        let now = self.now;
        for (number, anchors) in &self.anchors {
            let resolver = self.resolvers.get(*number);
            for key in anchors.trusted() {
                if anchors.state(key) == Some(AnchorState::Missing)
                    && self.authority.is_gone(RrsetName::Dnskey, key, now - forgotten)
                {
                    let name = self.keys.get(key.0).map_or("", |key| &key.label);
                    self.report.incidents.push(Incident {
                        at: self.clock.time(now),
                        resolver: resolver.map_or_else(String::new, |resolver| resolver.label.clone()),
                        held: None,
                        why: Why::AnchorForEver { key: name.to_owned() },
                    });
                }
            }
        }
        self.report.followers = self.anchors.len();
        self.report.resolvers = self.resolvers.len();
        self.report.queries = self.caches.queries;
        self.report.until = self.clock.time(now);
        self.report
    }
}
