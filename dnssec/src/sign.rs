//! Signing a whole zone: what is kept and what is due is told apart, tokens sign what is due, and meanwhile more is got ready.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use domain::base::iana::Rtype;
use key_metadata::ZoneName;
use rayon::prelude::*;
use zone::{RdataAt, Records, Rrsig, Set, WriteError, add_denial, nodes};

use crate::apex::add_key_records;
use crate::complete::check_complete;
use crate::kept::{self, Covered, Kept, KeptSignatures};
use crate::queue::{Failure, Missed, Signatures, Submitted};
use crate::sign_error::SignError;
use crate::sign_plan::{SignPlan, Valid};
use crate::signers::{Signer, Unit, signers, units};
use crate::signing_key::ZoneKey;
use crate::zone::Zone;

/// So many RRsets are got ready together.
const AT_ONCE: usize = 2048;
/// So many times that wait for tokens at most, while more is got ready.
const AHEAD: usize = 3;

/// A zone that was signed, and not yet checked.
pub struct SignedZone {
    pub(crate) records: Records,
    /// The serial of its SOA.
    pub serial: u32,
    /// How many signatures were made.
    pub signatures: usize,
    /// How many are of a run before.
    pub kept: usize,
    /// How many each token made, by the key's tag and the token's place among those that hold it.
    pub shares: BTreeMap<(u16, usize), usize>,
    /// Tokens that did not sign, each once for a key; others that hold the key did.
    pub missed: Vec<TokenMissed>,
    /// In the order of what they are over.
    made: Vec<Made>,
}

/// A token that was to sign and did not.
#[derive(Debug)]
pub struct TokenMissed {
    /// The key's tag.
    pub tag: u16,
    /// The token's place among those that hold the key.
    pub holder: usize,
    /// Why not.
    pub error: SignError,
}

/// A signature that was verified when it was made, in this run or before.
struct Made {
    covered: Covered,
    rrsig: RdataAt,
    /// Whether a later run may keep it.
    is_keepable: bool,
}

/// Signs `zone` with the keys that do. A signature of `last`, the run before, is kept where it is over the same data by the same key, and the plan does
/// not renew it yet. `progress` hears of each signature.
pub fn sign(
    zone: Zone,
    name: &ZoneName,
    keys: &[ZoneKey],
    plan: &SignPlan,
    last: &KeptSignatures,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<SignedZone, SignError> {
    check_complete(name, keys)?;
    let mut records = zone.records;
    let serial = plan.last_serial.map_or(plan.serial, |last| last);
    records.set_serial(serial);
    add_key_records(&mut records, name, keys, plan)?;
    records.push_zonemd(plan.zonemd);
    records.settle();
    add_denial(&mut records, plan.denial)?;
    let mut signing = Signing {
        apex: records.apex().octets().to_vec(),
        zone: SignedZone {
            records,
            serial,
            signatures: 0,
            kept: 0,
            shares: BTreeMap::new(),
            missed: Vec::new(),
            made: Vec::new(),
        },
        signers: signers(keys, plan)?,
        plan,
        last,
        progress,
    };
    signing.all()?;
    Ok(signing.zone)
}

/// A zone while it is signed.
struct Signing<'a> {
    apex: Vec<u8>,
    zone: SignedZone,
    signers: Vec<Signer>,
    plan: &'a SignPlan,
    last: &'a KeptSignatures,
    progress: &'a (dyn Fn(u64) + Sync),
}

/// What a signature is over, and the one of before, where it is kept.
struct Found<'a> {
    covered: Covered,
    kept: Option<Kept<'a>>,
}

/// RRsets that wait for their signatures.
struct Chunk {
    ready: Vec<Ready>,
    /// What each signer has to sign, and the places among those that are ready.
    due: Vec<(usize, Vec<usize>, Submitted)>,
}

struct Ready {
    unit: Unit,
    ttl: u32,
    covered: Covered,
    /// RDATA of a signature that is kept; nothing before a new one is made.
    rdata: Vec<u8>,
}

impl<'a> Signing<'a> {
    fn all(&mut self) -> Result<(), SignError> {
        let zonemd = self.zone.records.zonemd();
        let units: Vec<_> = nodes(&self.zone.records)
            .iter()
            .flat_map(|node| units(&self.zone.records, node, &self.signers))
            .filter(|unit| Some(unit.place) != zonemd)
            .collect();
        let mut found: Vec<_> = units.par_iter().map(|unit| self.found(*unit)).collect();
        if self.zone.serial != self.plan.serial && found.iter().any(|found| found.kept.is_none()) {
            self.zone.serial = self.plan.serial;
            self.zone.records.set_serial(self.plan.serial);
            let soa = self.zone.records.soa();
            let of_soa = units
                .iter()
                .zip(&mut found)
                .filter(|(unit, _)| Some(unit.place) == soa);
            for (unit, found) in of_soa {
                *found = self.found(*unit);
            }
        }
        self.reserve(units.len());
        self.make(&units, &found)?;
        if zonemd.is_some() {
            self.zonemd()?;
        }
        self.zone.made.par_sort_unstable_by_key(|made| made.covered);
        Ok(())
    }

    /// The digest, over the signatures too, and its own signatures.
    fn zonemd(&mut self) -> Result<(), SignError> {
        self.zone.records.digest();
        let (records, place) = (&self.zone.records, self.zone.records.zonemd());
        let units: Vec<_> = units(records, &records.apex_node(), &self.signers)
            .filter(|unit| Some(unit.place) == place)
            .collect();
        let found: Vec<_> = units.iter().map(|unit| self.found(*unit)).collect();
        self.make(&units, &found)
    }

    /// Signs RRsets.
    fn make(&mut self, units: &[Unit], found: &[Found<'a>]) -> Result<(), SignError> {
        let mut under_way = VecDeque::new();
        for (units, found) in units.chunks(AT_ONCE).zip(found.chunks(AT_ONCE)) {
            under_way.push_back(self.start(units, found));
            if under_way.len() > AHEAD
                && let Some(chunk) = under_way.pop_front()
            {
                self.take_in(chunk)?;
            }
        }
        for chunk in under_way {
            self.take_in(chunk)?;
        }
        self.zone.records.settle();
        Ok(())
    }

    fn reserve(&mut self, count: usize) {
        // A public key is as long as a signature, but for Ed25519's. Names have 20 octets or so.
        let keys = self
            .signers
            .iter()
            .map(|signer| signer.public_key.as_dnskey().len());
        let octets = 18 + self.apex.len() + keys.max().map_or(64, |longest| longest.max(64)) + 20;
        self.zone.records.reserve(count, octets);
        self.zone.made.reserve_exact(count);
    }

    /// What is to be signed (RFC 4034 3.1.8.1).
    fn data(&self, signer: &Signer, set: Set<'_>, valid: Valid) -> Vec<u8> {
        let mut data = Vec::with_capacity(200);
        Rrsig::unsigned(&signer.head(set, valid), self.zone.records.apex()).signed_data(set, &mut data);
        data
    }

    fn found(&self, unit: Unit) -> Found<'a> {
        let signer = &self.signers[usize::from(unit.signer)];
        let (valid, renewal) = unit.group.term(self.plan);
        let data = self.data(signer, self.zone.records.set(unit.place), valid);
        let covered = kept::covered(signer.public_key.as_dnskey(), &data);
        let last = renewal.and_then(|renewal| {
            let kept = self.last.get(&covered)?;
            renewal.keeps(&kept, self.plan.now).then_some(kept)
        });
        Found { covered, kept: last }
    }

    /// Gives the tokens what they are to sign.
    fn start(&self, units: &[Unit], found: &[Found<'a>]) -> Chunk {
        let (ready, data): (Vec<_>, Vec<_>) = units
            .par_iter()
            .zip(found)
            .map(|(unit, found)| self.ready(*unit, found))
            .unzip();
        let mut by_signer: Vec<(Vec<usize>, Vec<Vec<u8>>)> = Vec::new();
        by_signer.resize_with(self.signers.len(), Default::default);
        for ((place, ready), data) in ready.iter().enumerate().zip(data) {
            if let Some(data) = data {
                let (places, all) = &mut by_signer[usize::from(ready.unit.signer)];
                places.push(place);
                all.push(data);
            }
        }
        let due = by_signer
            .into_iter()
            .enumerate()
            .filter(|(_, (places, _))| !places.is_empty());
        let due = due.map(|(number, (places, data))| {
            let signer = &self.signers[number];
            (
                number,
                places,
                signer.key.submit(&signer.verifier, signer.algorithm, data),
            )
        });
        Chunk {
            due: due.collect(),
            ready,
        }
    }

    /// A signature that is kept, or what is to be signed.
    fn ready(&self, unit: Unit, found: &Found<'a>) -> (Ready, Option<Vec<u8>>) {
        let signer = &self.signers[usize::from(unit.signer)];
        let set = self.zone.records.set(unit.place);
        let (valid, renewal) = unit.group.term(self.plan);
        let ready = |rdata| Ready {
            unit,
            ttl: set.ttl(),
            covered: found.covered,
            rdata,
        };
        match found.kept {
            Some(kept) => {
                let valid = Valid {
                    inception: kept.inception,
                    expiration: kept.expiration,
                };
                let head = signer.head(set, valid);
                let rrsig = Rrsig::unsigned(&head, self.zone.records.apex());
                (ready(rrsig.with(kept.signature)), None)
            }
            None => {
                let valid = renewal.map_or(valid, |renewal| renewal.strewn(valid, &found.covered));
                (ready(Vec::new()), Some(self.data(signer, set, valid)))
            }
        }
    }

    /// Waits for the signatures, and puts all into the zone.
    fn take_in(&mut self, mut chunk: Chunk) -> Result<(), SignError> {
        for (signer, places, submitted) in &chunk.due {
            let tag = self.signers[*signer].tag;
            let records = &self.zone.records;
            let error = |missed: Missed| {
                let set = records.set(chunk.ready[places[missed.place]].unit.place);
                (missed.holder, failed_at(set, tag, missed))
            };
            let Signatures {
                signatures,
                made,
                missed,
            } = submitted.wait(self.progress).map_err(|missed| error(missed).1)?;
            for (holder, made) in made.into_iter().enumerate() {
                *self.zone.shares.entry((tag, holder)).or_default() += made;
            }
            for (holder, error) in missed.into_iter().map(error) {
                let mut before = self.zone.missed.iter();
                if before.all(|missed| (missed.tag, missed.holder) != (tag, holder)) {
                    self.zone.missed.push(TokenMissed { tag, holder, error });
                }
            }
            self.zone.signatures += signatures.len();
            for ((place, data), signature) in places.iter().zip(submitted.data()).zip(signatures) {
                chunk.ready[*place].rdata = [&data[..18], &self.apex, &signature].concat();
            }
        }
        let due: usize = chunk.due.iter().map(|(_, places, _)| places.len()).sum();
        self.zone.kept += chunk.ready.len() - due;
        (self.progress)((chunk.ready.len() - due) as u64);
        for ready in chunk.ready {
            let records = &mut self.zone.records;
            let rrsig = records.push_at(ready.unit.place, Rtype::RRSIG, ready.ttl, &ready.rdata);
            self.zone.made.push(Made {
                covered: ready.covered,
                rrsig,
                is_keepable: ready.unit.group.term(self.plan).1.is_some(),
            });
        }
        Ok(())
    }
}

fn failed_at(set: Set<'_>, tag: u16, missed: Missed) -> SignError {
    let (owner, rtype, holder) = (set.owner().to_string(), set.rtype().to_string(), missed.holder);
    match missed.failure {
        Failure::Sign(source) => SignError::Token {
            owner,
            rtype,
            tag,
            holder,
            source,
        },
        Failure::Unverified => SignError::Unverified {
            owner,
            rtype,
            tag,
            holder,
        },
    }
}

impl SignedZone {
    /// How many records it has.
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it has none, which no zone that was signed is.
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Writes the zone file: one record a line, absolute names, canonical order, the SOA first. What is written reads as what was checked.
    pub fn write(&self, out: &mut dyn io::Write, progress: &dyn Fn(u64)) -> Result<(), WriteError> {
        zone::write(&self.records, out, progress)
    }

    /// Whether a later run may keep any of the signatures.
    pub fn has_keepable(&self) -> bool {
        self.made.iter().any(|made| made.is_keepable)
    }

    /// Writes those that a later run may keep.
    pub fn write_kept(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let keepable = self.made.iter().filter(|made| made.is_keepable);
        let kept = keepable.filter_map(|made| Some((&made.covered, self.kept(made)?)));
        kept::write(kept, out)
    }

    fn kept(&self, made: &Made) -> Option<Kept<'_>> {
        let rrsig = Rrsig::new(self.records.rdata_at(made.rrsig))?;
        Some(Kept {
            inception: rrsig.inception(),
            expiration: rrsig.expiration(),
            signature: rrsig.signature,
        })
    }

    /// Whether a signature is one of those that were verified: by that key, over those data.
    pub(crate) fn vouches(&self, public_key: &[u8], rrsig: Rrsig<'_>, data: &[u8]) -> bool {
        let covered = kept::covered(public_key, data);
        let found = self.made.binary_search_by(|made| made.covered.cmp(&covered));
        let made = found.ok().and_then(|place| self.kept(&self.made[place]));
        made.is_some_and(|made| {
            (made.inception, made.expiration) == (rrsig.inception(), rrsig.expiration())
                && made.signature == rrsig.signature
        })
    }
}

impl std::fmt::Debug for SignedZone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedZone")
            .field("records", &self.records.len())
            .field("serial", &self.serial)
            .field("signatures", &self.signatures)
            .field("kept", &self.kept)
            .finish_non_exhaustive()
    }
}
