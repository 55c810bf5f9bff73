//! The records that a key stands for at its zone and at its parent.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use domain::base::iana::{DigestAlgorithm, SecurityAlgorithm};
use domain::base::name::ToName;
use domain::base::rdata::ComposeRecordData;
use domain::base::zonefile_fmt::{DisplayKind, ZonefileFmt};
use domain::base::{Name, Ttl};
use domain::crypto::common::{DigestBuilder, DigestType};
use domain::rdata::{Cdnskey, Cds, Dnskey, Ds};
use key_metadata::{KeyRecord, ZoneName};

use crate::signing_key::{dnskey, flags};

/// The digest of a DS record (IANA registry "DNSSEC Delegation Signer (DS) Resource Record (RR) Type Digest Algorithms").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DsDigest {
    /// SHA-256, number 2 (RFC 4509).
    Sha256,
    /// SHA-384, number 4 (RFC 6605).
    Sha384,
}

/// A text that names no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no digest for a DS; SHA-256 and SHA-384 are")]
pub struct DsDigestError(String);

impl DsDigest {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha384];

    /// The number in the IANA registry.
    pub const fn number(self) -> u8 {
        match self {
            Self::Sha256 => 2,
            Self::Sha384 => 4,
        }
    }

    const fn algorithm(self) -> DigestAlgorithm {
        match self {
            Self::Sha256 => DigestAlgorithm::SHA256,
            Self::Sha384 => DigestAlgorithm::SHA384,
        }
    }

    pub(crate) fn of(self, data: &[u8]) -> Bytes {
        let mut digest = DigestBuilder::new(match self {
            Self::Sha256 => DigestType::Sha256,
            Self::Sha384 => DigestType::Sha384,
        });
        digest.update(data);
        Bytes::copy_from_slice(digest.finish().as_ref())
    }
}

impl fmt::Display for DsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
        })
    }
}

impl FromStr for DsDigest {
    type Err = DsDigestError;

    /// Reads `sha-256`, `SHA256` or `2`.
    fn from_str(text: &str) -> Result<Self, DsDigestError> {
        match text.to_ascii_lowercase().replace('-', "").as_str() {
            "sha256" | "2" => Ok(Self::Sha256),
            "sha384" | "4" => Ok(Self::Sha384),
            _ => Err(DsDigestError(text.to_owned())),
        }
    }
}

/// A key's records, in their canonical presentation (one line, absolute name).
pub struct KeyRecords {
    owner: Name<Bytes>,
    dnskey: Dnskey<Bytes>,
}

impl KeyRecords {
    /// The records of a key of `zone`; `None` if the zone's name is none in DNS, which [`ZoneName`] rules out.
    pub fn new(zone: &ZoneName, key: &KeyRecord) -> Option<Self> {
        Self::with_flags(zone, key, flags(key))
    }

    /// The records that the key had before it was revoked, if it was: by them others know it (RFC 5011 section 7).
    pub(crate) fn unrevoked(zone: &ZoneName, key: &KeyRecord) -> Option<Self> {
        Self::with_flags(zone, key, key.role.flags())
    }

    fn with_flags(zone: &ZoneName, key: &KeyRecord, flags: u16) -> Option<Self> {
        let owner = Name::from_str(&zone.with_final_dot()).ok()?;
        Some(Self {
            owner,
            dnskey: dnskey(&key.public_key, flags)?.convert(),
        })
    }

    /// The CDS and CDNSKEY records by which `zone` asks its parent to remove its DS (RFC 8078 section 4).
    pub fn delete_signal(zone: &ZoneName, ttl: u32) -> [String; 2] {
        let owner = zone.with_final_dot();
        ["CDS 0 0 0 00", "CDNSKEY 0 3 0 AA=="].map(|record| format!("{owner} {ttl} IN {record}"))
    }

    /// The same, to be signed with the zone; there is nothing in them that could not be written.
    pub(crate) fn delete_data() -> Option<(Cds<Bytes>, Cdnskey<Bytes>)> {
        let (algorithm, digest) = (SecurityAlgorithm::from_int(0), DigestAlgorithm::from_int(0));
        let zero = Bytes::from_static(&[0]);
        let cds = Cds::new(0, algorithm, digest, zero.clone()).ok()?;
        Some((cds, Cdnskey::new(0, 3, algorithm, zero).ok()?))
    }

    /// The DNSKEY record.
    pub fn dnskey(&self, ttl: u32) -> String {
        self.line(ttl, &self.dnskey_data())
    }

    /// The DS record for the parent.
    pub fn ds(&self, ttl: u32, digest: DsDigest) -> Option<String> {
        Some(self.line(ttl, &self.ds_data(digest)?))
    }

    /// The CDS record (RFC 7344).
    pub fn cds(&self, ttl: u32, digest: DsDigest) -> Option<String> {
        Some(self.line(ttl, &self.cds_data(digest)?))
    }

    /// The CDNSKEY record (RFC 7344).
    pub fn cdnskey(&self, ttl: u32) -> Option<String> {
        Some(self.line(ttl, &self.cdnskey_data()?))
    }

    pub(crate) fn dnskey_data(&self) -> Dnskey<Bytes> {
        self.dnskey.clone()
    }

    pub(crate) fn cds_data(&self, digest: DsDigest) -> Option<Cds<Bytes>> {
        Cds::new(
            self.dnskey.key_tag(),
            self.algorithm(),
            digest.algorithm(),
            self.digest(digest),
        )
        .ok()
    }

    pub(crate) fn cdnskey_data(&self) -> Option<Cdnskey<Bytes>> {
        let key = &self.dnskey;
        Cdnskey::new(
            key.flags(),
            key.protocol(),
            key.algorithm(),
            key.public_key().clone(),
        )
        .ok()
    }

    fn ds_data(&self, digest: DsDigest) -> Option<Ds<Bytes>> {
        Ds::new(
            self.dnskey.key_tag(),
            self.algorithm(),
            digest.algorithm(),
            self.digest(digest),
        )
        .ok()
    }

    fn algorithm(&self) -> SecurityAlgorithm {
        self.dnskey.algorithm()
    }

    /// The digest of owner name and RDATA (RFC 4034 5.1.4).
    pub(crate) fn digest(&self, digest: DsDigest) -> Bytes {
        let mut data = Vec::new();
        // Appending to a Vec cannot fail.
        let _ = self.owner.compose_canonical(&mut data);
        let _ = self.dnskey.compose_canonical_rdata(&mut data);
        digest.of(&data)
    }

    fn line(&self, ttl: u32, data: &(impl ZonefileFmt + domain::base::RecordData)) -> String {
        let owner = if self.owner.is_root() {
            ".".to_owned()
        } else {
            format!("{}.", self.owner)
        };
        let data_text = data.display_zonefile(DisplayKind::Simple);
        format!(
            "{owner} {} IN {} {data_text}",
            Ttl::from_secs(ttl).as_secs(),
            data.rtype()
        )
    }
}
