//! What the name servers of a zone and of its parent say: the DS RRset, the DNSKEY RRset, and RRsets of the zone.

use std::rc::Rc;

use key_metadata::Role;

use super::chance::Chance;
use super::clock::{Lapse, Moment};
use super::servers::{Copy, Records, Servers};
use super::signing::Signing;
use crate::schedule::{AlgorithmNumber, KeyIndex};

/// An RRset of the simulated world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RrsetName {
    /// The DS RRset, at the parent.
    Ds,
    /// The DNSKEY RRset.
    Dnskey,
    /// One of the others, each of which is signed when its turn comes.
    Data(usize),
}

impl RrsetName {
    /// Its place in lists of all.
    pub const fn place(self) -> usize {
        match self {
            Self::Ds => 0,
            Self::Dnskey => 1,
            Self::Data(number) => number + 2,
        }
    }

    /// All of a zone with that many RRsets beside the DNSKEY RRset.
    pub fn all(data: usize) -> impl Iterator<Item = Self> {
        [Self::Ds, Self::Dnskey]
            .into_iter()
            .chain((0..data).map(Self::Data))
    }
}

/// A key of the simulated world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What people call it.
    pub label: String,
    /// What it is for.
    pub role: Role,
    /// Its algorithm.
    pub algorithm: AlgorithmNumber,
}

/// An answer as it is kept.
#[derive(Clone, Debug)]
pub struct Held {
    /// What was answered.
    pub copy: Rc<Copy>,
    /// From then on it is kept no more.
    pub until: Moment,
    /// When its RRSIGs expire; never, where it has none of the zone's.
    pub expires: Option<Moment>,
}

/// Which server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Whichever.
    Any,
    /// The one that has the newest version.
    Newest,
    /// The one that has the oldest.
    Oldest,
}

/// The name servers of a zone and of its parent.
#[derive(Debug)]
pub struct Authority {
    rrsets: Vec<OfRrset>,
    propagation: [Lapse; 2],
    behind: Vec<Lapse>,
}

/// An RRset on its servers.
#[derive(Debug)]
struct OfRrset {
    servers: Servers,
    signing: Option<Signing>,
}

/// How an RRset is in the beginning.
#[derive(Debug)]
pub struct Beginning {
    /// Its records.
    pub records: Records,
    /// Its TTL.
    pub ttl: Lapse,
    /// How it is signed; nothing for the DS RRset, whose signatures are the parent's affair.
    pub signing: Option<Signing>,
}

impl Authority {
    /// That many servers each; `rrsets` in the order of their places. Until all servers have a change, it takes `propagation` at most: at the
    /// parent, in the zone.
    pub fn new(servers: usize, propagation: [Lapse; 2], rrsets: Vec<Beginning>, chance: &mut Chance) -> Self {
        let since = Moment(i64::MIN);
        let rrsets = rrsets.into_iter().map(
            |Beginning {
                 records,
                 ttl,
                 signing,
             }| OfRrset {
                servers: Servers::new(servers, Copy { records, ttl, since }),
                signing,
            },
        );
        Self {
            rrsets: rrsets.collect(),
            propagation,
            behind: delays(servers, propagation[1], chance),
        }
    }

    fn of(&self, name: RrsetName) -> Option<&OfRrset> {
        self.rrsets.get(name.place())
    }

    fn delay(&self, name: RrsetName) -> Lapse {
        let [parent, zone] = self.propagation;
        match name {
            RrsetName::Ds => parent,
            RrsetName::Dnskey | RrsetName::Data(_) => zone,
        }
    }

    /// The first server has these records from now on; tells when each server has them.
    pub fn publish(
        &mut self,
        name: RrsetName,
        at: Moment,
        (records, ttl): (Records, Lapse),
        chance: &mut Chance,
    ) -> Vec<Moment> {
        let count = self.of(name).map_or(0, |rrset| rrset.servers.count());
        let delays = delays(count, self.delay(name), chance);
        self.publish_after(name, at, (records, ttl), &delays);
        delays.into_iter().map(|delay| at + delay).collect()
    }

    /// The same with a delay for each server.
    pub fn publish_after(
        &mut self,
        name: RrsetName,
        at: Moment,
        (records, ttl): (Records, Lapse),
        delays: &[Lapse],
    ) {
        if let Some(rrset) = self.rrsets.get_mut(name.place()) {
            let since = at;
            rrset.servers.publish(Copy { records, ttl, since }, delays);
        }
    }

    /// What the first server has, or will have, of it last.
    pub fn last(&self, name: RrsetName) -> Option<&Rc<Copy>> {
        self.of(name)?.servers.last()
    }

    /// Nothing is signed from then on, until a run that begins it again.
    pub fn silence(&mut self, name: RrsetName, from: Moment, until: Option<Moment>) {
        let signing = self
            .rrsets
            .get_mut(name.place())
            .and_then(|rrset| rrset.signing.as_mut());
        if let Some(signing) = signing {
            signing.silences.push((from, until));
        }
    }

    /// It is signed again from then on.
    pub fn speak(&mut self, name: RrsetName, at: Moment) {
        let signing = self
            .rrsets
            .get_mut(name.place())
            .and_then(|rrset| rrset.signing.as_mut());
        let silences = signing.into_iter().flat_map(|signing| &mut signing.silences);
        for (_, until) in silences.filter(|(_, until)| until.is_none()) {
            *until = Some(at);
        }
    }

    /// The last instant before the server that is furthest behind takes over what was signed anew next.
    pub fn before_renewal(&self, name: RrsetName, at: Moment) -> Option<Moment> {
        let signing = self.of(name)?.signing.as_ref()?;
        let behind = *self.behind.last()?;
        let next = signing.last_run(at) + signing.every;
        Some((next + behind).just_before())
    }

    /// What a server answers.
    pub fn answer(&self, name: RrsetName, choice: Choice, at: Moment, chance: &mut Chance) -> Option<Held> {
        let rrset = self.of(name)?;
        let server = match choice {
            Choice::Any => chance.place(rrset.servers.count()),
            Choice::Newest => rrset.servers.newest(at),
            Choice::Oldest => rrset.servers.oldest(at),
        };
        let copy = Rc::clone(rrset.servers.copy(server, at)?);
        let behind = self.behind.get(server).map_or(Lapse::NONE, |behind| *behind);
        let signing = rrset
            .signing
            .as_ref()
            .filter(|_| !copy.records.signers.is_empty());
        Some(Held {
            until: at + copy.ttl,
            expires: signing.map(|signing| signing.expires(at, behind, copy.since)),
            copy,
        })
    }

    /// By how many servers it is given with that key at that time.
    pub fn given(&self, name: RrsetName, key: KeyIndex, at: Moment) -> Given {
        let Some(rrset) = self.of(name) else {
            return Given::Nowhere;
        };
        let servers = 0..rrset.servers.count();
        let copies = servers.filter_map(|server| rrset.servers.copy(server, at));
        let (with, without): (Vec<_>, Vec<_>) = copies.partition(|copy| copy.records.keys.contains(&key));
        match (with.is_empty(), without.is_empty()) {
            (true, _) => Given::Nowhere,
            (false, true) => Given::Everywhere,
            (false, false) => Given::Here,
        }
    }

    /// Whether no server gave it with that key any more at that time, nor is to.
    pub fn is_gone(&self, name: RrsetName, key: KeyIndex, at: Moment) -> bool {
        let last = self.last(name);
        self.given(name, key, at) == Given::Nowhere
            && last.is_some_and(|last| last.since <= at && !last.records.keys.contains(&key))
    }

    /// What somebody answers who kept it when it was served: one of the earlier copies, whose RRSIGs must not have expired.
    pub fn replay(&self, name: RrsetName, at: Moment, chance: &mut Chance) -> Option<Held> {
        let rrset = self.of(name)?;
        let (copy, next) = rrset.servers.earlier(at, chance)?;
        let made = rrset
            .signing
            .as_ref()?
            .last_run(next.just_before())
            .max(copy.since);
        let expires = made + rrset.signing.as_ref()?.validity;
        (expires > at && !copy.records.signers.is_empty()).then(|| Held {
            copy: Rc::clone(copy),
            until: at,
            expires: Some(expires),
        })
    }
}

/// By how many servers something is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// By every server.
    Everywhere,
    /// By some, and not by others.
    Here,
    /// By no server.
    Nowhere,
}

/// How much later than the first server each has a change: the first at once, the last often as late as may be.
fn delays(count: usize, most: Lapse, chance: &mut Chance) -> Vec<Lapse> {
    let last = count.saturating_sub(1);
    (0..count)
        .map(|server| match server {
            0 => Lapse::NONE,
            _ if server == last && chance.percent(50) => most,
            _ => chance.up_to(most),
        })
        .collect()
}
