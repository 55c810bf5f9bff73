//! What follows from observations: what every server had, since when, and how long answers are kept.
//!
//! A server that did not answer is never taken to have or not to have anything. "Everywhere" is said by complete observations only
//! ([`Asked::is_complete`]). A complete or incomplete one in which some server contradicts ends the run; an incomplete one in which no server does
//! says nothing.

use crate::observation::{Asked, Observation};
use crate::observations::Observations;
use crate::observed::{ChildAnswer, DsAnswer, ObservedDnskey, ObservedDs, ObservedRrsig};
use crate::span::Span;
use crate::time::Time;

/// The latest unbroken run of observations in which something held at every server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it was last seen that it did not hold everywhere; `None` where that was never seen. It came after this,
    pub after: Option<Time>,
    /// and by this: the first complete observation of the run.
    pub since: Time,
    /// The last complete observation of the run.
    pub until: Time,
}

/// At how many servers something was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// When.
    pub at: Time,
    /// How many had it.
    pub had: usize,
    /// How many answered.
    pub answered: usize,
    /// How many there are.
    pub servers: usize,
}

/// One side of an observation.
trait Side: Sized + 'static {
    fn of(observation: &Observation) -> Option<&Asked<Self>>;
}

impl Side for DsAnswer {
    fn of(observation: &Observation) -> Option<&Asked<Self>> {
        observation.parent.as_ref()
    }
}

impl Side for ChildAnswer {
    fn of(observation: &Observation) -> Option<&Asked<Self>> {
        observation.child.as_ref()
    }
}

impl Observations {
    /// The run in which every parent server's answer is as `holds` says. It may go by all that an answer has.
    pub fn parent_run(&self, holds: impl Fn(&DsAnswer) -> bool) -> Option<Run> {
        self.run(holds)
    }

    /// The run in which every answer of the zone's servers is as `holds` says. It may go by DNSKEY records, TTLs and who signed; observations that
    /// differ in dates and serials only are not all kept ([`Observations::add`]).
    pub fn child_run(&self, holds: impl Fn(&ChildAnswer) -> bool) -> Option<Run> {
        self.run(holds)
    }

    /// Since when every parent server has such a DS.
    pub fn ds_seen_everywhere(&self, ds: impl Fn(&ObservedDs) -> bool) -> Option<Time> {
        self.parent_run(|answer| answer.ds.iter().any(&ds))
            .map(|run| run.since)
    }

    /// Since when no parent server has such a DS.
    pub fn ds_gone_everywhere(&self, ds: impl Fn(&ObservedDs) -> bool) -> Option<Time> {
        self.parent_run(|answer| !answer.ds.iter().any(&ds))
            .map(|run| run.since)
    }

    /// Since when every server of the zone has such a DNSKEY.
    pub fn dnskey_seen_everywhere(&self, dnskey: impl Fn(&ObservedDnskey) -> bool) -> Option<Time> {
        self.child_run(|answer| answer.dnskey.records.iter().any(&dnskey))
            .map(|run| run.since)
    }

    /// Since when no server of the zone has such a DNSKEY.
    pub fn dnskey_gone_everywhere(&self, dnskey: impl Fn(&ObservedDnskey) -> bool) -> Option<Time> {
        self.child_run(|answer| !answer.dnskey.records.iter().any(&dnskey))
            .map(|run| run.since)
    }

    /// Since when every server of the zone has such a signature of the DNSKEY RRset.
    pub fn dnskey_signed_everywhere(&self, rrsig: impl Fn(&ObservedRrsig) -> bool) -> Option<Time> {
        self.child_run(|answer| answer.dnskey.rrsigs.iter().any(&rrsig))
            .map(|run| run.since)
    }

    /// Since when every server of the zone has such a signature of the SOA, which stands for the rest of the zone only as far as the whole zone
    /// is signed at once.
    pub fn soa_signed_everywhere(&self, rrsig: impl Fn(&ObservedRrsig) -> bool) -> Option<Time> {
        let signed = |answer: &ChildAnswer| {
            let soa = answer.soa.as_ref();
            soa.is_some_and(|soa| soa.rrsigs.iter().any(&rrsig))
        };
        self.child_run(signed).map(|run| run.since)
    }

    /// At how many parent servers such a DS was last.
    pub fn ds_count(&self, ds: impl Fn(&ObservedDs) -> bool) -> Option<Count> {
        self.count(|answer: &DsAnswer| answer.ds.iter().any(&ds))
    }

    /// At how many servers of the zone such a DNSKEY was last.
    pub fn dnskey_count(&self, dnskey: impl Fn(&ObservedDnskey) -> bool) -> Option<Count> {
        self.count(|answer: &ChildAnswer| answer.dnskey.records.iter().any(&dnskey))
    }

    /// TTLds: the largest TTL of a DS RRset in the newest observation in which every parent server answered and one had a DS, and when that
    /// was; a larger one that any server gave since then counts in its place.
    pub fn ds_ttl(&self) -> Option<(Span, Time)> {
        self.ttl(|answer: &DsAnswer| (!answer.ds.is_empty()).then_some(answer.ttl))
    }

    /// The same for how long it is kept that there is no DS.
    pub fn ds_denial_ttl(&self) -> Option<(Span, Time)> {
        self.ttl(|answer: &DsAnswer| answer.ds.is_empty().then_some(answer.ttl))
    }

    /// TTLkey: the same for the DNSKEY RRset at the zone's servers.
    pub fn dnskey_ttl(&self) -> Option<(Span, Time)> {
        self.ttl(|answer: &ChildAnswer| (!answer.dnskey.records.is_empty()).then_some(answer.dnskey.ttl))
    }

    /// The same for denials of the zone: the lesser of the SOA's TTL and its minimum (RFC 2308 section 5).
    pub fn negative_ttl(&self) -> Option<(Span, Time)> {
        self.ttl(|answer: &ChildAnswer| answer.soa.as_ref().map(|soa| soa.ttl.min(soa.minimum)))
    }

    /// The largest TTL of a DS RRset that any parent server gave since then, that time included.
    pub fn largest_ds_ttl_since(&self, since: Time) -> Option<Span> {
        self.largest(since, |answer: &DsAnswer| {
            (!answer.ds.is_empty()).then_some(answer.ttl)
        })
    }

    /// The largest TTL of a DNSKEY RRset that any server of the zone gave since then, that time included.
    pub fn largest_dnskey_ttl_since(&self, since: Time) -> Option<Span> {
        self.largest(since, |answer: &ChildAnswer| {
            (!answer.dnskey.records.is_empty()).then_some(answer.dnskey.ttl)
        })
    }

    /// When the first of the signatures expires that any server of the zone had in the newest observation in which one answered, and when
    /// that was. After an incomplete observation a server may have older ones.
    pub fn first_expiration(&self) -> Option<(Time, Time)> {
        self.all().iter().rev().find_map(|observation| {
            let answers = observation.child.iter().flat_map(Asked::distinct);
            let first = answers
                .flat_map(ChildAnswer::rrsigs)
                .map(|rrsig| rrsig.expiration)
                .min()?;
            Some((first, observation.at))
        })
    }

    /// The newest observation in which every parent server answered.
    pub fn newest_of_parent(&self) -> Option<&Observation> {
        self.newest_complete::<DsAnswer>()
    }

    /// The newest observation in which every server of the zone answered.
    pub fn newest_of_child(&self) -> Option<&Observation> {
        self.newest_complete::<ChildAnswer>()
    }

    /// Those that asked this side, newest first.
    fn sides<A: Side>(&self) -> impl Iterator<Item = (&Observation, &Asked<A>)> {
        self.all()
            .iter()
            .rev()
            .filter_map(|observation| Some((observation, A::of(observation)?)))
    }

    fn newest_complete<A: Side>(&self) -> Option<&Observation> {
        self.sides::<A>()
            .find(|(_, asked)| asked.is_complete())
            .map(|(observation, _)| observation)
    }

    fn run<A: Side>(&self, holds: impl Fn(&A) -> bool) -> Option<Run> {
        let (mut run, mut after) = (None::<Run>, None);
        for (observation, asked) in self.sides::<A>() {
            if !asked.distinct().all(&holds) {
                // As the first server was asked it may have begun to hold already; before that nobody knows.
                after = Some(observation.began);
                break;
            }
            if asked.is_complete() {
                let until = run.map_or(observation.at, |run| run.until);
                run = Some(Run {
                    after: None,
                    since: observation.at,
                    until,
                });
            }
        }
        run.map(|run| Run { after, ..run })
    }

    fn count<A: Side>(&self, had: impl Fn(&A) -> bool) -> Option<Count> {
        let (observation, asked) = self.sides::<A>().next()?;
        Some(Count {
            at: observation.at,
            had: asked.each().filter(|(_, answer)| had(answer)).count(),
            answered: asked.answered(),
            servers: asked.len(),
        })
    }

    fn ttl<A: Side>(&self, ttl: impl Fn(&A) -> Option<Span>) -> Option<(Span, Time)> {
        let largest = |asked: &Asked<A>| asked.distinct().filter_map(&ttl).max();
        let mut since = None;
        for (observation, asked) in self.sides::<A>() {
            since = since.max(largest(asked));
            if asked.is_complete() && largest(asked).is_some() {
                return since.map(|span| (span, observation.at));
            }
        }
        None
    }

    fn largest<A: Side>(&self, since: Time, ttl: impl Fn(&A) -> Option<Span>) -> Option<Span> {
        self.sides::<A>()
            .take_while(|(observation, _)| observation.at >= since)
            .flat_map(|(_, asked)| asked.distinct())
            .filter_map(ttl)
            .max()
    }
}
