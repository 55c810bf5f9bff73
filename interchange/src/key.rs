//! A key of other software.

use std::fmt;
use std::path::PathBuf;

use key_metadata::{KeyState, PublicKey, Role, SoftwareKey, ZoneName};

use crate::states::RecordStates;
use crate::times::Times;
use crate::token_key::TokenKey;

/// A key as other software knows it.
pub struct ForeignKey {
    /// The zone that it is for.
    pub zone: ZoneName,
    /// What it is for.
    pub role: Role,
    /// The public part.
    pub public_key: PublicKey,
    /// Whether its DNSKEY has the REVOKE bit.
    pub revocation: Revocation,
    /// The TTL of its DNSKEY record, in seconds, where it is told.
    pub ttl: Option<u32>,
    /// What happened to it, and what is to happen.
    pub times: Times,
    /// Where it is in its life, where the other software says so. [`Self::life`] tells it from the times otherwise.
    pub state: Option<KeyState>,
    /// How far caches know its records, where the other software says so.
    pub records: RecordStates,
    /// How long it is to be in use, in seconds; 0 is for ever.
    pub lifetime: Option<u32>,
    /// The tag of the key that it follows.
    pub predecessor: Option<u16>,
    /// The tag of the key that follows it.
    pub successor: Option<u16>,
    /// The private part.
    pub private: PrivatePart,
    /// The file that it was read from.
    pub source: PathBuf,
}

/// Whether a DNSKEY has the REVOKE bit (RFC 5011 section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// It has not.
    NotRevoked,
    /// It has.
    Revoked,
}

/// Where the private part of a foreign key is.
pub enum PrivatePart {
    /// Not there: a public key only, or one that another signer has (`External:` in BIND's files).
    None,
    /// In the file, in the clear.
    Software(SoftwareKey),
    /// In a PKCS#11 token.
    Token(TokenKey),
    /// In a keystore of the other software's configuration, under this id: the CKA_ID in a token, or for Knot also the name of a PEM file.
    Keystore {
        /// 1 to 64 bytes.
        id: Vec<u8>,
        /// OpenDNSSEC's name of the repository; Knot does not tell.
        repository: Option<String>,
    },
    /// In another file.
    File(PathBuf),
    /// Behind a KMIP server: its `kmip:` URI.
    Kmip(String),
}

impl ForeignKey {
    /// The tag of its DNSKEY as it is, REVOKE bit included.
    pub fn key_tag(&self) -> u16 {
        match self.revocation {
            Revocation::NotRevoked => self.public_key.key_tag(self.role),
            Revocation::Revoked => self.public_key.revoked_key_tag(self.role),
        }
    }
}

impl fmt::Debug for ForeignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ForeignKey({} {} {} {:?})",
            self.zone,
            self.role,
            self.key_tag(),
            self.private
        )
    }
}

impl fmt::Debug for PrivatePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Software(_) => f.write_str("Software"),
            Self::Token(key) => write!(f, "Token({key})"),
            Self::Keystore { id, .. } => write!(f, "Keystore({})", hex::encode(id)),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Kmip(uri) => write!(f, "Kmip({uri})"),
        }
    }
}
