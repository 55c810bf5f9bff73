//! Why a zone is not signed.

use std::sync::Arc;

use key_metadata::{Advice, KeyAlgorithm, KeyRecord, Role, ZoneName};
use zone::SameHash;

use crate::signing_key::KeySignError;

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
        /// The token's place among those that hold the key.
        holder: usize,
        /// Why not.
        source: Arc<KeySignError>,
    },
    /// A token gave something else than a signature.
    #[error("what the token gave for the {rtype} records of {owner} is no signature of key {tag} over them")]
    Unverified {
        /// The owner of the RRset.
        owner: String,
        /// Its type.
        rtype: String,
        /// The key's tag.
        tag: u16,
        /// The token's place among those that hold the key.
        holder: usize,
    },
    /// No chain of NSEC3 records can be made.
    #[error(transparent)]
    SameHash(#[from] SameHash),
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
    /// The key's tag, and the token's place among those that hold the key, where it is of a token.
    pub const fn holder(&self) -> Option<(u16, usize)> {
        match self {
            Self::Token { tag, holder, .. } | Self::Unverified { tag, holder, .. } => Some((*tag, *holder)),
            Self::NoKeys(_)
            | Self::SignedNoMore(_)
            | Self::Incomplete { .. }
            | Self::Key { .. }
            | Self::NotAtHand { .. }
            | Self::Legacy { .. }
            | Self::SameHash(_)
            | Self::Records { .. } => None,
        }
    }

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
            Self::Unverified { .. } => {
                Some("the zone was left as it was; do not use this token if it does so again".to_owned())
            }
            Self::SameHash(_) => Some("rename one of them, or take 'denial: nsec' in the policy".to_owned()),
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
            Self::Legacy { .. } | Self::Unverified { .. } | Self::SameHash(_) | Self::Records { .. } => false,
        }
    }

    fn is_absence(&self) -> bool {
        // Nothing but a token can be absent.
        matches!(self, Self::Token { source, .. } if source.is_absence())
    }
}
