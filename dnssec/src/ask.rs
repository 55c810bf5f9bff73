//! Asking every name server of a zone and of its parent, all at once.

use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};

use domain::base::iana::Rtype;
use key_metadata::{Asked, ChildAnswer, DsAnswer, NoAnswer, Server, Time, ZoneName};

use crate::exchange::{Asking, To};
use crate::reply::{NotKnown, Reply};
use crate::seen;
use crate::servers::{FindError, ServerList, Servers, owner};
use crate::zone::Owner;

/// How many servers are asked at once; the root and a large TLD have about 50 addresses together.
const AT_ONCE: usize = 64;

/// What the servers of a zone and of its parent answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// The DS RRset, by the servers of the parent.
    pub parent: Option<Asked<DsAnswer>>,
    /// The DNSKEY RRset and the SOA, by the servers of the zone.
    pub child: Option<Asked<ChildAnswer>>,
}

impl Servers {
    /// How many servers there are to ask.
    pub fn len(&self) -> usize {
        let lists = [&self.parent, &self.child];
        lists.into_iter().flatten().map(|list| list.servers.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Asks each of them. `now` tells which of its times an RRSIG means; `done` is called when one server is through.
    pub fn ask(
        &self,
        zone: &ZoneName,
        asking: &Asking,
        now: Time,
        done: &(dyn Fn() + Sync),
    ) -> Result<Answers, FindError> {
        let zone = owner(zone)?;
        let parent_zone = self.parent_zone.as_ref().map(owner).transpose()?;
        let ask_parent = |server: &Server| {
            let reply = one(asking, server, &zone, Rtype::DS)?;
            seen::ds(&reply, &zone, parent_zone.as_ref())
        };
        let ask_child = |server: &Server| {
            let keys = one(asking, server, &zone, Rtype::DNSKEY)?;
            keys.check()?;
            let soa = one(asking, server, &zone, Rtype::SOA)?;
            seen::child(&keys, Some(&soa), &zone, now)
        };
        Ok(thread::scope(|scope| {
            let parent = scope.spawn(|| self.parent.as_ref().map(|list| each(list, ask_parent, done)));
            let child = self.child.as_ref().map(|list| each(list, ask_child, done));
            Answers {
                parent: joined(parent),
                child,
            }
        }))
    }
}

fn one(asking: &Asking, server: &Server, zone: &Owner, rtype: Rtype) -> Result<Reply, NotKnown> {
    asking.ask(server.address, zone, rtype, To::Authority)
}

fn each<A: PartialEq + Send>(
    list: &ServerList,
    ask: impl Fn(&Server) -> Result<A, NotKnown> + Sync,
    done: &(dyn Fn() + Sync),
) -> Asked<A> {
    let ask = |server: &Server| {
        let answer = ask(server);
        done();
        answer
            .map(|answer| (server.clone(), answer))
            .map_err(|NotKnown { why, detail }| NoAnswer {
                name: server.name.clone(),
                address: Some(server.address),
                why,
                detail,
            })
    };
    let mut results = Vec::with_capacity(list.servers.len());
    for some in list.servers.chunks(AT_ONCE) {
        thread::scope(|scope| {
            let asked: Vec<_> = some.iter().map(|server| scope.spawn(|| ask(server))).collect();
            results.extend(asked.into_iter().map(joined));
        });
    }
    let unasked = list.unasked.iter().cloned().map(Err);
    Asked::new(list.by, results.into_iter().chain(unasked))
}

/// What a thread came to; its panic is ours.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    match thread.join() {
        Ok(result) => result,
        Err(panic) => resume_unwind(panic),
    }
}
