//! What a name server answered: DS at the parent, DNSKEY and SOA at the zone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::key_record::KeyRecord;
use crate::public_key::key_tag;
use crate::role::Role;
use crate::span::Span;
use crate::time::Time;
use crate::zone_name::ZoneName;

/// The REVOKE bit of a DNSKEY's flags (RFC 5011 section 7).
const REVOKE: u16 = 0x0080;
/// The SEP bit (RFC 4034 2.1.1).
const SEP: u16 = 0x0001;
/// The Zone Key bit (RFC 4034 2.1.1).
const ZONE: u16 = 0x0100;

/// A DS record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ObservedDs {
    /// The key tag.
    pub key_tag: u16,
    /// The number of the algorithm.
    pub algorithm: u8,
    /// The number of the digest.
    pub digest_type: u8,
    /// The digest, in hex.
    #[serde(with = "hex_text")]
    #[schemars(with = "String", extend("pattern" = "^([0-9a-f]{2})*$"))]
    pub digest: Vec<u8>,
}

/// A DNSKEY record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "DnskeyDocument", try_from = "DnskeyDocument")]
pub struct ObservedDnskey {
    /// The flags.
    pub flags: u16,
    /// The protocol, which is 3 of a key that counts (RFC 4034 2.1.2).
    pub protocol: u8,
    /// The number of the algorithm.
    pub algorithm: u8,
    /// The public key field.
    pub public_key: Vec<u8>,
}

/// An RRSIG record, and what came of its signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ObservedRrsig {
    /// The tag of the key that is said to have signed.
    pub key_tag: u16,
    /// The number of the algorithm.
    pub algorithm: u8,
    /// From when it holds.
    pub inception: Time,
    /// Until when it holds.
    pub expiration: Time,
    /// The TTL that was signed.
    pub original_ttl: Span,
    /// Whether it is a signature of a key that the same server gave.
    pub signature: Signature,
}

/// What came of verifying a signature with the keys that the same server gave. Its dates are another matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Signature {
    /// One of those keys made it.
    Good,
    /// A key of its tag and algorithm is there, and did not make it.
    Bad,
    /// No key of its tag and algorithm is there.
    NoKey,
    /// Its algorithm is none that this Keyrite verifies, or the keys were not at hand.
    NotChecked,
}

/// That there is no RRset, by an authoritative answer (RFC 2308).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Denial {
    /// The name is there, and has no such RRset.
    NoData,
    /// The name is not there: at a parent, no delegation.
    NxDomain,
}

/// What a name server of the parent answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DsAnswer {
    /// The TTL of the DS RRset; where there is none, how long that is kept: the lesser of the SOA's TTL and its minimum (RFC 2308 section 5).
    pub ttl: Span,
    /// The DS RRset, sorted; none where it is denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ds: Vec<ObservedDs>,
    /// How it is denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<Denial>,
}

/// What a name server of the zone answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ChildAnswer {
    /// The DNSKEY RRset.
    pub dnskey: DnskeyAnswer,
    /// The SOA; it is missing only in what was read from a file that lacks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soa: Option<SoaAnswer>,
}

/// The DNSKEY RRset of a zone and its signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DnskeyAnswer {
    /// The TTL of the RRset; where there is none, how long that is kept (RFC 2308 section 5).
    pub ttl: Span,
    /// The records, sorted; none where they are denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<DnskeyDocument>")]
    pub records: Vec<ObservedDnskey>,
    /// The RRSIG records, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rrsigs: Vec<ObservedRrsig>,
    /// How the RRset is denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<Denial>,
}

/// The SOA of a zone and its signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SoaAnswer {
    /// The serial.
    pub serial: u32,
    /// How long a secondary that cannot reach the primary answers on.
    pub expire: Span,
    /// The minimum field: with the TTL, how long denials are kept (RFC 2308 section 4).
    pub minimum: Span,
    /// The TTL of the record.
    pub ttl: Span,
    /// The RRSIG records, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rrsigs: Vec<ObservedRrsig>,
}

impl ObservedDs {
    /// Whether it is a DS of that key, whose DNSKEY has the flags of its role and no REVOKE bit. Digests 1, 2 and 4 are known.
    pub fn is_of(&self, zone: &ZoneName, key: &KeyRecord) -> bool {
        self.is_of_dnskey(zone, &ObservedDnskey::of(key))
    }

    /// Whether it is a DS of that DNSKEY.
    pub fn is_of_dnskey(&self, zone: &ZoneName, dnskey: &ObservedDnskey) -> bool {
        let digest = match self.digest_type {
            1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            2 => &digest::SHA256,
            4 => &digest::SHA384,
            _ => return false,
        };
        let mut data = zone.wire();
        dnskey.write_rdata(&mut data);
        (self.key_tag, self.algorithm) == (dnskey.key_tag(), dnskey.algorithm)
            && digest::digest(digest, &data).as_ref() == self.digest.as_slice()
    }
}

impl ObservedDnskey {
    /// The DNSKEY of a key as it is before it is revoked.
    pub fn of(key: &KeyRecord) -> Self {
        Self {
            flags: key.role.flags(),
            protocol: 3,
            algorithm: key.algorithm().number(),
            public_key: key.public_key.as_dnskey().to_vec(),
        }
    }

    /// The key tag (RFC 4034 appendix B).
    pub fn key_tag(&self) -> u16 {
        key_tag(self.flags, self.algorithm, &self.public_key)
    }

    /// Whether it is that key's, revoked or not.
    pub fn is_of(&self, key: &KeyRecord) -> bool {
        let unrevoked = Self {
            flags: self.flags & !REVOKE,
            ..self.clone()
        };
        unrevoked == Self::of(key)
    }

    /// Whether it has the REVOKE bit.
    pub const fn is_revoked(&self) -> bool {
        self.flags & REVOKE != 0
    }

    /// Whether it is a key of the zone that validators take: the Zone Key bit, no REVOKE bit, protocol 3.
    pub const fn is_zone_key(&self) -> bool {
        self.flags & (ZONE | REVOKE) == ZONE && self.protocol == 3
    }

    /// What its flags make it look like: a KSK with the SEP bit, else a ZSK. A CSK looks like a KSK.
    pub const fn looks_like(&self) -> Role {
        if self.flags & SEP != 0 {
            Role::Ksk
        } else {
            Role::Zsk
        }
    }

    fn write_rdata(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.flags.to_be_bytes());
        out.extend_from_slice(&[self.protocol, self.algorithm]);
        out.extend_from_slice(&self.public_key);
    }
}

impl ObservedRrsig {
    /// Whether it says that it is of that key.
    pub fn is_of(&self, dnskey: &ObservedDnskey) -> bool {
        (self.key_tag, self.algorithm) == (dnskey.key_tag(), dnskey.algorithm)
    }

    /// Whether a validator would take it at that time: a good signature within its dates (RFC 4035 5.3.1).
    pub fn holds_at(&self, at: Time) -> bool {
        self.signature == Signature::Good && self.inception <= at && at <= self.expiration
    }
}

impl DsAnswer {
    /// Whether the denial is there if and only if the records are not.
    pub(crate) const fn is_whole(&self) -> bool {
        self.ds.is_empty() == self.denial.is_some()
    }
}

impl ChildAnswer {
    /// Every RRSIG that was seen.
    pub fn rrsigs(&self) -> impl Iterator<Item = &ObservedRrsig> {
        let soa = self.soa.iter().flat_map(|soa| &soa.rrsigs);
        self.dnskey.rrsigs.iter().chain(soa)
    }

    /// The signatures of the DNSKEY RRset by that key that a validator would take at that time.
    pub fn is_signed_by(&self, dnskey: &ObservedDnskey, at: Time) -> bool {
        let mut rrsigs = self.dnskey.rrsigs.iter();
        rrsigs.any(|rrsig| rrsig.is_of(dnskey) && rrsig.holds_at(at))
    }

    pub(crate) const fn is_whole(&self) -> bool {
        self.dnskey.records.is_empty() == self.dnskey.denial.is_some()
    }
}

/// A DNSKEY as it is written: with the key tag, which people look for, beside what it follows from.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ObservedDnskey")]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct DnskeyDocument {
    key_tag: u16,
    flags: u16,
    protocol: u8,
    algorithm: u8,
    /// The public key field, in base64.
    #[serde(with = "base64_text")]
    #[schemars(with = "String")]
    public_key: Vec<u8>,
}

/// A DNSKEY whose key tag does not follow from the rest of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key-tag is {written}, but by the public key it is {computed}")]
pub struct KeyTagError {
    written: u16,
    computed: u16,
}

impl From<ObservedDnskey> for DnskeyDocument {
    fn from(dnskey: ObservedDnskey) -> Self {
        Self {
            key_tag: dnskey.key_tag(),
            flags: dnskey.flags,
            protocol: dnskey.protocol,
            algorithm: dnskey.algorithm,
            public_key: dnskey.public_key,
        }
    }
}

impl TryFrom<DnskeyDocument> for ObservedDnskey {
    type Error = KeyTagError;

    fn try_from(document: DnskeyDocument) -> Result<Self, KeyTagError> {
        let written = document.key_tag;
        let dnskey = Self {
            flags: document.flags,
            protocol: document.protocol,
            algorithm: document.algorithm,
            public_key: document.public_key,
        };
        match dnskey.key_tag() {
            computed if computed == written => Ok(dnskey),
            computed => Err(KeyTagError { written, computed }),
        }
    }
}

/// Octets in base64.
mod base64_text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::{Engine, STANDARD};

    pub fn serialize<S: Serializer>(octets: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(octets))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(de::Error::custom)
    }
}

/// Octets in hex.
mod hex_text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(octets: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(octets))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text).map_err(de::Error::custom)
    }
}
