//! Caches: of resolvers, and of the forwarders that they ask.

use super::authority::{Authority, Choice, Held, RrsetName};
use super::chance::Chance;
use super::clock::Moment;

/// The place of a cache among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheNumber(pub usize);

/// Whom a cache asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// The name servers.
    Servers,
    /// Another cache, which tells what is left of the TTL.
    Cache(CacheNumber),
}

/// How long signed answers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// For their TTL, whatever their RRSIGs say.
    ByTtl,
    /// Until their RRSIGs expire at most (RFC 4035 5.3.3).
    UntilExpiration,
}

/// Whether what is held is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// As long as it is kept.
    Held,
    /// It is dropped before, as a cache may at any time.
    Nothing,
}

/// A cache.
#[derive(Debug)]
struct Cache {
    upstream: Upstream,
    keeping: Keeping,
    held: Vec<Option<Held>>,
}

/// All caches of the world.
#[derive(Debug)]
pub struct Caches {
    caches: Vec<Cache>,
    rrsets: usize,
    /// How many answers came from name servers.
    pub queries: u64,
}

impl Caches {
    /// None yet; each is to hold that many RRsets.
    pub const fn new(rrsets: usize) -> Self {
        Self {
            caches: Vec::new(),
            rrsets,
            queries: 0,
        }
    }

    /// One more.
    pub fn add(&mut self, upstream: Upstream, keeping: Keeping) -> CacheNumber {
        self.caches.push(Cache {
            upstream,
            keeping,
            held: vec![None; self.rrsets],
        });
        CacheNumber(self.caches.len() - 1)
    }

    /// Through how many other caches it asks.
    pub fn depth(&self, cache: CacheNumber) -> usize {
        match self.caches.get(cache.0).map(|cache| cache.upstream) {
            Some(Upstream::Cache(upstream)) => 1 + self.depth(upstream),
            Some(Upstream::Servers) | None => 0,
        }
    }

    /// What a cache answers: what it holds, or what it is told upstream, and holds from then on.
    pub fn answer(
        &mut self,
        cache: CacheNumber,
        name: RrsetName,
        at: Moment,
        (used, choice): (Use, Choice),
        (authority, chance): (&Authority, &mut Chance),
    ) -> Option<Held> {
        let asked = self.caches.get(cache.0)?;
        let held = asked.held.get(name.place())?.as_ref();
        match (held, used) {
            (Some(held), Use::Held) if held.until > at => return Some(held.clone()),
            (Some(_) | None, Use::Held | Use::Nothing) => {}
        }
        let (upstream, keeping) = (asked.upstream, asked.keeping);
        let mut answer = match upstream {
            Upstream::Servers => {
                self.queries += 1;
                authority.answer(name, choice, at, chance)?
            }
            Upstream::Cache(upstream) => {
                let mut answer = self.answer(upstream, name, at, (used, choice), (authority, chance))?;
                answer.until = at + (answer.until - at).whole_seconds();
                answer
            }
        };
        if let (Keeping::UntilExpiration, Some(expires)) = (keeping, answer.expires) {
            answer.until = answer.until.min(expires.max(at));
        }
        if let Some(place) = self
            .caches
            .get_mut(cache.0)
            .and_then(|cache| cache.held.get_mut(name.place()))
        {
            *place = Some(answer.clone());
        }
        Some(answer)
    }
}
