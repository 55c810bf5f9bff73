//! Signing a whole zone.

use std::collections::BTreeSet;
use std::fmt::Write;

use domain::base::cmp::CanonicalOrd;
use domain::base::iana::{Nsec3HashAlgorithm, Rtype};
use domain::base::zonefile_fmt::{DisplayKind, ZonefileFmt};
use domain::base::{Name, Record};
use domain::dnssec::sign::denial::nsec::{GenerateNsecConfig, generate_nsecs};
use domain::dnssec::sign::denial::nsec3::{GenerateNsec3Config, generate_nsec3s};
use domain::dnssec::sign::error::SigningError;
use domain::dnssec::sign::keys::signingkey::SigningKey as DomainKey;
use domain::dnssec::sign::records::{DefaultSorter, RecordsIter};
use domain::dnssec::sign::signatures::rrsigs::sign_sorted_rrset_in;
use domain::rdata::ZoneRecordData;
use domain::rdata::dnssec::Timestamp;
use domain::rdata::nsec3::{Nsec3Salt, Nsec3param};
use key_metadata::policy::{Denial, ParentSignal};
use key_metadata::{Advice, KeyAlgorithm, KeyRecord, KeyState, Policy, Role, Time, ZoneName};

use crate::apex::{key_records, set_serial};
use crate::kept::{Covered, Kept, KeptSignatures, Signing};
use crate::signing_key::{KeySignError, Seam, ZoneKey};
use crate::zone::{Owner, Zone, ZoneRecord, ZoneRrset};

/// When a signature is valid, in seconds since 1970 modulo 2^32 (RFC 4034 3.1.5).
#[derive(Clone, Copy, Debug)]
pub struct Valid {
    /// From when.
    pub inception: u32,
    /// Until when.
    pub expiration: u32,
}

/// When signatures are made again that are still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// What has so much left or less is, in seconds.
    pub refresh: u32,
    /// By how much new expirations are strewn, at most, in seconds.
    pub jitter: u32,
}

/// The figures of one signing.
#[derive(Clone, Debug)]
pub struct SignPlan {
    /// When it is, in seconds modulo 2^32.
    pub now: u32,
    /// When signatures of DNSKEY, CDS and CDNSKEY are renewed; each time, where there is nothing.
    pub dnskey_renewal: Option<Renewal>,
    /// When all others are.
    pub renewal: Option<Renewal>,
    /// The serial that the signed zone has.
    pub serial: u32,
    /// When the signatures of DNSKEY, CDS and CDNSKEY are valid.
    pub dnskey_signatures: Valid,
    /// When all others are.
    pub signatures: Valid,
    /// The TTL of DNSKEY, CDS and CDNSKEY, in seconds.
    pub dnskey_ttl: u32,
    /// How absence is proved.
    pub denial: Denial,
    /// What the parent is told.
    pub parent_signal: ParentSignal,
}

impl SignPlan {
    /// The figures that a policy gives for a signing at `now`.
    pub fn new(policy: &Policy, serial: u32, now: Time) -> Self {
        let now = now.unix_seconds() as u32;
        let refresh = policy.signatures.refresh.map(|refresh| refresh.seconds());
        let own_refresh = policy.dnskey_signatures.as_ref().map(|own| own.refresh.seconds());
        Self {
            now,
            // Strewn they are at the cost of what they have left, which only the zone's reckon with.
            dnskey_renewal: own_refresh
                .or(refresh)
                .map(|refresh| Renewal { refresh, jitter: 0 }),
            renewal: refresh.map(|refresh| Renewal {
                refresh,
                jitter: policy.signatures.jitter.seconds(),
            }),
            serial,
            dnskey_signatures: Valid {
                inception: now.wrapping_sub(policy.dnskey_inception_offset().seconds()),
                expiration: now.wrapping_add(policy.dnskey_validity().seconds()),
            },
            signatures: Valid {
                inception: now.wrapping_sub(policy.signatures.inception_offset.seconds()),
                expiration: now.wrapping_add(policy.signatures.validity.seconds()),
            },
            dnskey_ttl: policy.dnskey_ttl.seconds(),
            denial: policy.denial,
            parent_signal: policy.parent_signal,
        }
    }
}

/// Why a zone was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// Nothing to sign it with.
    #[error("zone {0} has no active keys")]
    NoKeys(ZoneName),
    /// It went insecure.
    #[error("zone {0} is signed no more: its keys are out of it")]
    SignedNoMore(ZoneName),
    /// A validator that follows one algorithm would find part of the zone unsigned (RFC 6840 5.11).
    #[error(
        "zone {zone} has a key of {algorithm} in its DNSKEY RRset, but no active {role} of that algorithm"
    )]
    Incomplete {
        /// The zone.
        zone: ZoneName,
        /// The algorithm.
        algorithm: KeyAlgorithm,
        /// The role that is missing: KSK or ZSK, either of which a CSK can be.
        role: Role,
        /// What would complete it.
        remedy: String,
    },
    /// A key whose public part makes no record.
    #[error("{role} {tag} has a public key that fits no DNSKEY record")]
    Key {
        /// Its role.
        role: Role,
        /// Its tag.
        tag: u16,
    },
    /// A key is to sign, and its private part was not given.
    #[error("{role} {tag} is to sign, but its private key is not at hand")]
    NotAtHand {
        /// Its role.
        role: Role,
        /// Its tag.
        tag: u16,
    },
    /// A key is to sign, with an algorithm that is only read.
    #[error("{role} {tag} is to sign, but Keyrite does not sign with {algorithm}")]
    Legacy {
        /// Its role.
        role: Role,
        /// Its tag.
        tag: u16,
        /// Its algorithm.
        algorithm: KeyAlgorithm,
    },
    /// A token did not sign.
    #[error("cannot sign the {rtype} records of {owner} with key {tag}")]
    Token {
        /// The owner of the RRset.
        owner: String,
        /// Its type.
        rtype: String,
        /// The key's tag.
        tag: u16,
        /// Why not.
        source: Box<KeySignError>,
    },
    /// The records cannot be signed.
    #[error("{what}: {reason}")]
    Records {
        /// Which.
        what: String,
        /// Why not.
        reason: String,
    },
}

impl SignError {
    pub(crate) fn key(record: &KeyRecord) -> Self {
        Self::Key {
            role: record.role,
            tag: record.key_tag(),
        }
    }
}

impl Advice for SignError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoKeys(zone) => Some(format!(
                "keyrite-keyctl generate --zone {zone} --role ksk --role zsk --activate"
            )),
            Self::SignedNoMore(zone) => {
                let file = zone.file_stem();
                Some(format!(
                    "publish zones/{file}.zone as it is, and remove signed/{file}.zone"
                ))
            }
            Self::Incomplete { remedy, .. } => Some(remedy.clone()),
            Self::Token { source, .. } => source.hint(),
            Self::Key { .. } | Self::NotAtHand { .. } | Self::Legacy { .. } | Self::Records { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Token { source, .. } => source.is_credential(),
            Self::NoKeys(_)
            | Self::SignedNoMore(_)
            | Self::Incomplete { .. }
            | Self::Key { .. }
            | Self::NotAtHand { .. } => false,
            Self::Legacy { .. } | Self::Records { .. } => false,
        }
    }
}

/// A zone that was signed, and not yet checked.
#[derive(Debug)]
pub struct SignedZone {
    /// The zone file: one record a line, absolute names, canonical order, the SOA first.
    pub text: String,
    /// How many signatures were made.
    pub signatures: usize,
    /// How many are of a run before.
    pub kept: usize,
    /// Those that a later run may keep.
    pub keepable: KeptSignatures,
}

type Signer<'a> = DomainKey<bytes::Bytes, Seam<'a>>;

/// Signs `zone` with the keys that do. A signature of `last`, the run before, is kept where it is over the same data by the same key, and the plan does
/// not renew it yet. `progress` is called after each signature.
pub fn sign(
    mut zone: Zone,
    name: &ZoneName,
    keys: &[ZoneKey],
    plan: &SignPlan,
    last: &KeptSignatures,
    mut progress: impl FnMut(),
) -> Result<SignedZone, SignError> {
    check_complete(name, keys)?;
    set_serial(&mut zone, plan.serial);
    let apex_records = key_records(&zone, name, keys, plan)?;
    let Zone {
        apex, mut records, ..
    } = zone;
    records.extend(apex_records);
    records.sort_by(CanonicalOrd::canonical_cmp);
    add_denial(&apex, &mut records, plan.denial)?;
    let signers = Signers::new(&apex, keys)?;
    let made = signers.sign_records(&apex, &records, (plan, last), &mut progress)?;
    let (signatures, kept) = (made.rrsigs.len() - made.kept, made.kept);
    records.extend(made.rrsigs);
    records.sort_by(CanonicalOrd::canonical_cmp);
    Ok(SignedZone {
        text: render(&apex, &records),
        signatures,
        kept,
        keepable: made.keepable,
    })
}

/// Every algorithm of the DNSKEY RRset signs that RRset and the rest of the zone.
fn check_complete(zone: &ZoneName, keys: &[ZoneKey]) -> Result<(), SignError> {
    // One that came into the zone together with its signatures does its part before it takes over, as a zone's first CSK.
    let in_use = |key: &ZoneKey| match key.record.state {
        KeyState::Active | KeyState::RetireActive => true,
        state => state.in_zone() && key.record.signs_zone(),
    };
    if !keys.iter().any(in_use) {
        let was_signed = keys.iter().any(|key| key.record.times.active.is_some());
        let is_left = keys.iter().any(|key| key.record.state.in_zone());
        return Err(match was_signed && !is_left {
            true => SignError::SignedNoMore(zone.clone()),
            false => SignError::NoKeys(zone.clone()),
        });
    }
    let in_zone = keys.iter().filter(|key| key.record.state.in_zone());
    let algorithms: BTreeSet<KeyAlgorithm> = in_zone.map(|key| key.record.algorithm()).collect();
    for algorithm in algorithms {
        let of_it = || keys.iter().filter(|key| key.record.algorithm() == algorithm);
        for (role, does) in [
            (Role::Ksk, of_it().any(|key| key.record.signs_dnskey())),
            (
                Role::Zsk,
                of_it().any(|key| key.record.signs_zone() && key.record.state.in_zone()),
            ),
        ] {
            if !does {
                return Err(SignError::Incomplete {
                    zone: zone.clone(),
                    algorithm,
                    role,
                    remedy: completion(zone, role, of_it().map(|key| &key.record)),
                });
            }
        }
    }
    Ok(())
}

/// What completes an algorithm of which `keys` are all, and none of them does the part of `role`: one that comes in is to follow the others, or
/// the others one that went, or one is to be made.
fn completion<'a>(zone: &ZoneName, role: Role, keys: impl Iterator<Item = &'a KeyRecord> + Clone) -> String {
    let does = |key: &KeyRecord| match role {
        Role::Ksk => key.role.signs_dnskey(),
        Role::Zsk | Role::Csk => key.role.signs_zone(),
    };
    let step =
        |step: &str, key: &KeyRecord| format!("keyrite-keyctl {step} --zone {zone} --key {}", key.key_tag());
    let of = |states: &[KeyState]| keys.clone().find(|key| does(key) && states.contains(&key.state));
    if let Some(key) = of(&[KeyState::PreActive]) {
        return step("publish", key);
    }
    let went = of(&[KeyState::PostActive, KeyState::Retired, KeyState::Removed]);
    if let (Some(_), Some(left)) = (went, keys.clone().find(|key| key.state.in_zone() && !does(key))) {
        let leaves = if left.signs_zone() { "withdraw" } else { "remove" };
        return step(leaves, left);
    }
    if let Some(key) = of(&[KeyState::Generated]) {
        return step("publish", key);
    }
    format!("keyrite-keyctl generate --zone {zone} --role {role} --activate").to_lowercase()
}

/// Adds the NSEC or NSEC3 chain.
fn add_denial(apex: &Owner, records: &mut Vec<ZoneRecord>, denial: Denial) -> Result<(), SignError> {
    let failed = |error: SigningError| SignError::Records {
        what: "the denial of existence".to_owned(),
        reason: error.to_string(),
    };
    let nsec3 = match denial {
        Denial::Nsec => {
            let configuration = GenerateNsecConfig::new().without_assuming_dnskeys_will_be_added();
            let iter = RecordsIter::new_from_owned(records.as_slice());
            let nsecs = generate_nsecs(apex, iter, &configuration).map_err(failed)?;
            records.extend(nsecs.into_iter().map(Record::from_record));
            records.sort_by(CanonicalOrd::canonical_cmp);
            return Ok(());
        }
        // No salt, no extra iterations (RFC 9276 3.1).
        Denial::Nsec3 => GenerateNsec3Config::<bytes::Bytes, DefaultSorter>::new(Nsec3param::default()),
        Denial::Nsec3OptOut => GenerateNsec3Config::new(Nsec3param::default()).with_opt_out(),
    };
    let configuration = nsec3.without_assuming_dnskeys_will_be_added();
    let iter = RecordsIter::new_from_owned(records.as_slice());
    let made = generate_nsec3s(apex, iter, &configuration).map_err(failed)?;
    // Opt-out is a flag of NSEC3 records: with any flag an NSEC3PARAM record is passed over (RFC 5155 4.1.2). domain 0.12.3 sets it.
    let nsec3param: ZoneRecord = Record::from_record(made.nsec3param);
    let parameters = Nsec3param::new(Nsec3HashAlgorithm::SHA1, 0, 0, Nsec3Salt::empty());
    records.push(Record::new(
        nsec3param.owner().clone(),
        nsec3param.class(),
        nsec3param.ttl(),
        parameters.into(),
    ));
    records.extend(made.nsec3s.into_iter().map(Record::from_record));
    records.sort_by(CanonicalOrd::canonical_cmp);
    Ok(())
}

/// The keys that sign, by what they sign.
struct Signers<'a> {
    dnskey: Vec<Signer<'a>>,
    zone: Vec<Signer<'a>>,
    /// Those of the zone whose DNSKEY is not there.
    unpublished: Vec<Signer<'a>>,
}

impl<'a> Signers<'a> {
    fn new(apex: &Owner, keys: &'a [ZoneKey]) -> Result<Self, SignError> {
        let mut signers = Self {
            dnskey: Vec::new(),
            zone: Vec::new(),
            unpublished: Vec::new(),
        };
        for key in keys.iter().filter(|key| key.record.signs()) {
            let record = &key.record;
            let not_at_hand = || SignError::NotAtHand {
                role: record.role,
                tag: record.key_tag(),
            };
            let token_key = key.signing.as_ref().ok_or_else(not_at_hand)?;
            let legacy = || SignError::Legacy {
                role: record.role,
                tag: record.key_tag(),
                algorithm: record.algorithm(),
            };
            let algorithm = record.algorithm().made().ok_or_else(legacy)?;
            let signer = || {
                let dnskey = crate::signing_key::dnskey(&record.public_key, key.flags())
                    .ok_or_else(|| SignError::key(record))?;
                let seam = Seam::new(token_key, algorithm, dnskey);
                Ok(Signer::new(apex.clone(), key.flags(), seam))
            };
            if record.signs_dnskey() {
                signers.dnskey.push(signer()?);
            }
            if record.signs_unpublished() {
                signers.unpublished.push(signer()?);
            } else if record.signs_zone() {
                signers.zone.push(signer()?);
            }
        }
        Ok(signers)
    }

    /// Signs every authoritative RRset of sorted records: nothing below a zone cut, and at one only DS and NSEC (RFC 4035 2.2).
    fn sign_records(
        &self,
        apex: &Owner,
        records: &[ZoneRecord],
        (plan, last): (&SignPlan, &KeptSignatures),
        progress: &mut impl FnMut(),
    ) -> Result<Made, SignError> {
        let mut made = Made {
            rrsigs: Vec::with_capacity(records.len()),
            kept: 0,
            keepable: KeptSignatures::default(),
        };
        let mut scratch = Vec::new();
        let mut cut: Option<Owner> = None;
        for name in RecordsIter::new_from_owned(records) {
            if cut.as_ref().is_some_and(|cut| name.owner().ends_with(cut)) {
                continue;
            }
            cut = name.is_zone_cut(apex).then(|| name.owner().clone());
            for rrset in name.rrsets() {
                if cut.is_some() && !matches!(rrset.rtype(), Rtype::DS | Rtype::NSEC) {
                    continue;
                }
                let (signers, term) = self.of(&rrset, apex, plan);
                for signer in signers.into_iter().flatten() {
                    made.add(signer, &rrset, (plan.now, term, last), &mut scratch)?;
                    progress();
                }
            }
        }
        Ok(made)
    }

    /// The keys that sign an RRset, and for when: CDS and CDNSKEY are signed like DNSKEY (RFC 7344 4.1). With an algorithm that comes or goes
    /// all is signed but the DNSKEY RRset (RFC 6781 4.1.4).
    fn of(&self, rrset: &ZoneRrset<'_>, apex: &Owner, plan: &SignPlan) -> ([&[Signer<'a>]; 2], Term) {
        let of_dnskey = (plan.dnskey_signatures, plan.dnskey_renewal);
        match rrset.rtype() {
            Rtype::DNSKEY if rrset.owner() == apex => ([&self.dnskey, &[]], of_dnskey),
            Rtype::CDS | Rtype::CDNSKEY if rrset.owner() == apex => {
                ([&self.dnskey, &self.unpublished], of_dnskey)
            }
            _ => ([&self.zone, &self.unpublished], (plan.signatures, plan.renewal)),
        }
    }
}

/// When a new signature is valid, and when one is renewed.
type Term = (Valid, Option<Renewal>);

/// The signatures of a zone.
struct Made {
    rrsigs: Vec<ZoneRecord>,
    kept: usize,
    keepable: KeptSignatures,
}

impl Made {
    /// Adds the signature of an RRset, of the last run or a new one.
    fn add(
        &mut self,
        signer: &Signer<'_>,
        rrset: &ZoneRrset<'_>,
        (now, (valid, renewal), last): (u32, Term, &KeptSignatures),
        scratch: &mut Vec<u8>,
    ) -> Result<(), SignError> {
        let Some(renewal) = renewal else {
            self.rrsigs.push(sign_rrset(signer, rrset, valid, scratch)?);
            return Ok(());
        };
        let dnskey = signer.dnskey();
        let signing = Signing {
            apex: signer.owner(),
            algorithm: dnskey.algorithm(),
            key_tag: dnskey.key_tag(),
            public_key: dnskey.public_key(),
        };
        let unfit = || SignError::Records {
            what: format!("the {} records of {}", rrset.rtype(), rrset.owner()),
            reason: "they make no RRSIG".to_owned(),
        };
        let covered = signing.covered(rrset).ok_or_else(unfit)?;
        if let Some(kept) = last.get(&covered).filter(|kept| renewal.keeps(kept, now)) {
            let rrsig = signing
                .rrsig(rrset, kept.inception, kept.expiration, kept.signature.clone())
                .ok_or_else(unfit)?;
            let owner = rrset.owner().clone();
            self.rrsigs
                .push(Record::new(owner, rrset.class(), rrset.ttl(), rrsig.into()));
            self.keepable.insert(covered, kept.clone());
            self.kept += 1;
            return Ok(());
        }
        let valid = renewal.strewn(valid, &covered);
        let record = sign_rrset(signer, rrset, valid, scratch)?;
        if let ZoneRecordData::Rrsig(rrsig) = record.data() {
            self.keepable.insert(
                covered,
                Kept {
                    inception: valid.inception,
                    expiration: valid.expiration,
                    signature: rrsig.signature().to_vec(),
                },
            );
        }
        self.rrsigs.push(record);
        Ok(())
    }
}

impl Renewal {
    /// Whether a signature is left as it is: valid, and for longer than the refresh (RFC 1982 arithmetic).
    fn keeps(self, kept: &Kept, now: u32) -> bool {
        let age = now.wrapping_sub(kept.inception);
        let left = kept.expiration.wrapping_sub(now);
        age < 1 << 31 && left < 1 << 31 && left > self.refresh
    }

    /// When a new signature is valid: what is signed together does not all expire together.
    fn strewn(self, valid: Valid, covered: &Covered) -> Valid {
        let chance = u32::from_be_bytes([covered[0], covered[1], covered[2], covered[3]]);
        let early = u64::from(chance) % (u64::from(self.jitter) + 1);
        Valid {
            // At most the jitter, which is 32 bits.
            expiration: valid.expiration.wrapping_sub(early as u32),
            ..valid
        }
    }
}

fn sign_rrset(
    signer: &Signer<'_>,
    rrset: &ZoneRrset<'_>,
    valid: Valid,
    scratch: &mut Vec<u8>,
) -> Result<ZoneRecord, SignError> {
    let (inception, expiration) = (
        Timestamp::from(valid.inception),
        Timestamp::from(valid.expiration),
    );
    sign_sorted_rrset_in(signer, rrset, inception, expiration, scratch)
        .map(Record::from_record)
        .map_err(|error| {
            let (owner, rtype) = (rrset.owner().to_string(), rrset.rtype().to_string());
            match signer.raw_secret_key().take_failure() {
                Some(source) => SignError::Token {
                    owner,
                    rtype,
                    tag: signer.dnskey().key_tag(),
                    source: Box::new(source),
                },
                None => SignError::Records {
                    what: format!("the {rtype} records of {owner}"),
                    reason: error.to_string(),
                },
            }
        })
}

/// The zone file: a SOA comes first, or some servers would not load it.
fn render(apex: &Name<bytes::Bytes>, records: &[ZoneRecord]) -> String {
    let mut text = String::with_capacity(records.len() * 120);
    let soa = records
        .iter()
        .filter(|record| record.rtype() == Rtype::SOA && record.owner() == apex);
    let rest = records
        .iter()
        .filter(|record| record.rtype() != Rtype::SOA || record.owner() != apex);
    for record in soa.chain(rest) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", record.display_zonefile(DisplayKind::Simple));
    }
    text
}
