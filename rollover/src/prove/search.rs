//! The search for what is wrong with a schedule: each part of it goes once through the versions in the order of time.

use std::collections::BTreeSet;

use key_metadata::{Span, Time};

use super::spans::{Lasts, Spans, pairs};
use super::{Claim, Counterexample, Delay, Fault};
use crate::chain::{broken, incomplete};
use crate::rrsets::{Rrset, Version, Versions};
use crate::schedule::{KeyIndex, Schedule, Silenced};

/// What is wrong, as far as it was found.
pub struct Search<'a> {
    schedule: &'a Schedule,
    claim: &'a Claim,
    /// What is wrong, in no order.
    pub found: Vec<Counterexample>,
    /// How many mixes were looked at.
    pub mixes: usize,
}

impl<'a> Search<'a> {
    /// Nothing yet.
    pub const fn new(schedule: &'a Schedule, claim: &'a Claim) -> Self {
        Self {
            schedule,
            claim,
            found: Vec::new(),
            mixes: 0,
        }
    }

    /// Every mix, once: when the last of its three comes, with those that are still held then.
    pub fn mixes(&mut self, versions: &Versions) {
        let [mut ds, mut dnskey, mut zone] = [const { Vec::<&Version>::new() }; 3];
        let mut comes: Vec<&Version> = [&versions.ds, &versions.dnskey, &versions.zone]
            .into_iter()
            .flatten()
            .collect();
        comes.sort_by_key(|version| version.from);
        for new in comes {
            for held in [&mut ds, &mut dnskey, &mut zone] {
                held.retain(|version| version.is_held(new.from));
            }
            let only = [new];
            let (with_ds, with_dnskey, with_zone): (&[_], &[_], &[_]) = match new.rrset {
                Rrset::Ds => (&only, &dnskey, &zone),
                Rrset::Dnskey => (&ds, &only, &zone),
                Rrset::Zone => (&ds, &dnskey, &only),
            };
            for ds in with_ds {
                for dnskey in with_dnskey {
                    for zone in with_zone {
                        self.mix(ds, dnskey, zone);
                    }
                }
            }
            match new.rrset {
                Rrset::Ds => ds.push(new),
                Rrset::Dnskey => dnskey.push(new),
                Rrset::Zone => zone.push(new),
            }
        }
    }

    fn mix(&mut self, ds: &Version, dnskey: &Version, zone: &Version) {
        self.mixes += 1;
        let Some(why) = broken(self.schedule, self.claim.validators, (ds, dnskey, zone)) else {
            return;
        };
        let three = [ds, dnskey, zone];
        let last = three.iter().max_by_key(|version| version.from);
        let until = three.iter().filter_map(|version| version.held_until).min();
        let delay = last.and_then(|last| {
            // What the same step takes away stays for as long as the step is put off.
            let others = three
                .iter()
                .filter(|version| version.rrset != last.rrset && version.ended_by != last.cause);
            let until = others.filter_map(|version| version.held_until).min()?;
            last.cause.map(|cause| Delay { cause, until })
        });
        self.found.push(Counterexample {
            at: last.map_or(self.schedule.since, |last| last.from),
            until,
            fault: Fault::Chain { why },
            mix: Some(Box::new(three.map(Clone::clone))),
            delay,
        });
    }

    /// Where nothing is changing: each algorithm of the DNSKEY RRset signs it and the zone.
    pub fn completeness(&mut self, versions: &Versions) {
        let secure = versions.ds.iter().filter(|ds| !ds.keys.is_empty());
        let secure = Spans::of(secure.map(|ds| ((ds.from, ds.held_until), ds)));
        for (both, dnskey, zone) in pairs(settled(&versions.dnskey), settled(&versions.zone)) {
            let Some(ds) = secure.first_in(both) else { continue };
            let usable: BTreeSet<KeyIndex> = dnskey.keys.difference(&dnskey.revoked).copied().collect();
            if let Some(why) = incomplete(self.schedule, &usable, dnskey, zone) {
                self.found.push(Counterexample {
                    at: both.0.max(ds.from),
                    until: both.1,
                    fault: Fault::Incomplete { why },
                    mix: Some(Box::new([ds.clone(), dnskey.clone(), zone.clone()])),
                    delay: None,
                });
            }
        }
    }

    /// What the RRSIGs have left, against how long they are kept.
    pub fn expiry(&mut self, versions: &Versions) {
        let propagation = self.schedule.propagation.zone;
        for signed in self.signed(versions) {
            let served = Spans::of(
                signed
                    .versions()
                    .map(|version| ((version.from, version.until), ())),
            );
            for (place, (from, ttl)) in signed.ttls.iter().enumerate() {
                let until = signed.ttls.get(place + 1).map(|(next, _)| *next);
                let needs = Span::from_seconds(propagation.seconds().saturating_add(used(*ttl).seconds()));
                if signed.left < needs && served.first_in((*from, until)).is_some() {
                    self.found.push(Counterexample {
                        at: (*from).max(self.schedule.since).max(self.claim.since),
                        until,
                        fault: Fault::Expiry {
                            rrset: signed.rrset,
                            left: signed.left,
                            needs,
                        },
                        mix: None,
                        delay: None,
                    });
                }
            }
        }
    }

    /// What was signed last before each silence, until something is signed again and has reached every cache.
    pub fn outages(&mut self, versions: &Versions) {
        let propagation = self.schedule.propagation.zone;
        let signed = self.signed(versions).map(|signed| {
            let held = signed
                .versions()
                .map(|version| ((version.from, version.held_until), ()));
            let ttl = signed.ttls.iter().map(|(_, ttl)| *ttl).max();
            (
                Spans::of(held),
                used(ttl.map_or(Span::from_seconds(0), |ttl| ttl)),
                signed,
            )
        });
        for (held, ttl, signed) in &signed {
            for (from, until) in self.schedule.unsigned(signed.of) {
                let expires = from.after(signed.left);
                let until = until.map(|until| until.after(propagation).after(*ttl));
                if held.is_at(from) && until.is_none_or(|until| until > expires) {
                    self.found.push(Counterexample {
                        at: expires,
                        until,
                        fault: Fault::Outage {
                            rrset: signed.rrset,
                            expires,
                        },
                        mix: None,
                        delay: None,
                    });
                }
            }
        }
    }

    /// The RRsets that the zone signs.
    fn signed<'v>(&self, versions: &'v Versions) -> [Signed<'v>; 2]
    where
        'a: 'v,
    {
        let (caching, signatures) = (&self.schedule.caching, self.schedule.signatures);
        [
            Signed {
                rrset: Rrset::Dnskey,
                of: Silenced::Dnskey,
                left: signatures.dnskey,
                ttls: &caching.dnskey,
                versions: &versions.dnskey,
            },
            Signed {
                rrset: Rrset::Zone,
                of: Silenced::Zone,
                left: signatures.zone,
                ttls: &caching.zone,
                versions: &versions.zone,
            },
        ]
    }
}

/// An RRset that the zone signs.
struct Signed<'v> {
    rrset: Rrset,
    /// What is silent when it is not signed.
    of: Silenced,
    /// What its RRSIGs have left at least, as long as the signer runs.
    left: Span,
    ttls: &'v [(Time, Span)],
    versions: &'v [Version],
}

impl<'v> Signed<'v> {
    /// Those that have RRSIGs.
    fn versions(&self) -> impl Iterator<Item = &'v Version> {
        self.versions.iter().filter(|version| !version.signers.is_empty())
    }
}

/// For how long an answer is used. One that is not kept is used in the second in which it is got: an RRSIG with nothing left has expired.
fn used(ttl: Span) -> Span {
    ttl.max(Span::from_seconds(1))
}

/// The versions outside the windows of all changes, and when.
fn settled(versions: &[Version]) -> impl Iterator<Item = (Lasts, &Version)> {
    versions
        .iter()
        .filter_map(|version| Some((version.settled?, version)))
}
