//! From a token's key to the records of a signed zone: DNSKEY, DS, CDS, CDNSKEY, NSEC, NSEC3 and RRSIG;
//! and the trust anchors of a zone as RFC 9718 publishes them.
//!
//! A zone goes through [`Zone::parse`], [`sign()`], [`SignedZone::check`] and [`SignedZone::write`]. Times are arguments,
//! and no file is touched.

mod apex;
mod ask;
mod backup_proof;
mod blobs;
mod check;
mod complete;
mod copies;
mod dig;
mod dig_reader;
mod exchange;
mod expiration;
mod file_key;
mod file_token;
mod inventory;
mod kept;
mod key_owner;
mod key_records;
mod mentions;
mod parent_ds;
mod queue;
mod recovery;
mod reply;
mod seen;
mod serial;
mod servers;
mod sign;
mod sign_error;
mod sign_plan;
mod signed_data;
mod signed_keys;
mod signers;
mod signing_key;
mod site_tokens;
mod trust_anchor;
mod verifier;
mod zone;

pub use pkcs11::{Family, Likeness, Presence, WrapMechanism};

pub use backup_proof::BackupProof;
pub use copies::{Copier, Copy, DUPLICATE, LeftToken, NotCopied, Restorer, TokenFacts, TpmStatement};
pub use key_metadata::KeyEncryptionKey;
pub use pkcs11::LogKey;
pub use tpm::{AuthValue, Duplicate, RecoveryParent, RecoverySecret};

pub use ask::Answers;
pub use check::{CheckError, Checked, check, question};
pub use dig::{DigError, DigText};
pub use exchange::{Asking, Transport};
pub use expiration::{first_expiration, near};
pub use file_key::{FileKey, FileSignError, NoFileKey};
pub use file_token::FileTokenError;
pub use inventory::{KeyPlace, TokenKey, TokenKeys};
pub use kept::{KeptError, KeptSignatures};
pub use key_owner::KeyOwner;
pub use key_records::{DsDigest, DsDigestError, KeyRecords};
pub use mentions::Mentions;
pub use parent_ds::ds_at_parent;
pub use queue::{QueuedKey, SigningQueue};
pub use serial::{SerialError, next_serial, serial_of};
pub use servers::{Addresses, FindError, Resolver, ServerList, Servers, resolvers_of};
pub use sign::{SignedZone, TokenMissed, sign};
pub use sign_error::SignError;
pub use sign_plan::{Renewal, SignPlan, Valid};
pub use signed_keys::{SignedKeys, SignedKeysError};
pub use signing_key::{KeySignError, SigningKey, TrialError, ZoneKey};
pub use site_tokens::{SiteTokenError, SiteTokens};
pub use trust_anchor::{TrustAnchor, TrustAnchors, Validity, ValidityError, XmlText, XmlTextError};
pub use zone::{MADE_BY_SIGNING, Zone, ZoneError};
