//! A TPM 2.0: its storage root key, secrets sealed under it, and native keys that sign DNSSEC data.
//!
//! A [`Tpm`] is one connection; it may be cloned and used from several threads, which take turns. Everything that this crate puts into
//! the TPM's few volatile slots is flushed again: after each call only [`LoadedKey`]s and one session are left, and nothing when the
//! last clone is dropped.
//!
//! A TPM shows which one it is with an endorsement key ([`Tpm::endorsement_key`]) that its maker certified ([`Tpm::ek_certificates`]); a
//! credential that it opens ([`Tpm::activate`]) shows that an attestation key is in the same one, and that key signs what happens there
//! ([`Tpm::attest`]), what the PCRs are ([`Tpm::quote`]) and what a log's anchors hold ([`Tpm::certify_nv`]). Whoever has such a
//! [`Statement`] verifies it without a TPM.
//!
//! A native key stays in its TPM ([`Tpm::create_key`]), or leaves it to one [`RecoveryParent`] ([`Tpm::create_duplicable_key`]): encrypted
//! ([`Tpm::duplicate`]), opened in software by whoever has the [`RecoverySecret`] ([`Duplicate::open`]), and put into another TPM
//! ([`Tpm::restore`]).
//!
//! No auth value and no sealed secret crosses the bus in the clear: they travel in a session salted to the storage root key
//! ([`Tpm::ensure_srk`]), whose Name should be pinned ([`Tpm::pin_srk`]). The one session before there is a storage root key is salted to
//! a primary of the null hierarchy, which stops a listener but not somebody who answers in the TPM's place.
//!
//! The C library below logs on standard error, also what we expect and handle. Only the environment silences it: a binary starts with
//! `TSS2_LOG=all+NONE`.

mod activation;
mod anchor_value;
mod approval;
mod attestation;
mod attested;
mod auth;
mod authority;
mod blob;
mod clock;
mod command;
mod contents;
mod create;
mod credential;
mod duplicate;
mod duplication;
mod ek_certificate;
mod ek_template;
mod endorsement;
mod engine;
mod esys;
mod exit;
mod guard;
mod hierarchy;
mod import;
mod info;
mod load;
mod lockout;
mod name;
mod nv;
mod outer_wrap;
mod parent_file;
mod pcr;
mod pcr_file;
mod persistent;
mod policy;
mod public_key;
mod quote;
mod random;
mod recovery;
mod response;
mod restore;
mod seal;
mod sensitive;
mod service;
mod session;
mod simulation;
mod site;
mod srk;
mod statement;
mod statement_error;
mod template;
mod tpm;
mod turn;
mod verify;

pub use activation::ActivateError;
pub use approval::{ApprovalError, NoSuchFile, PcrAccess, PcrAccessError};
pub use attestation::{AttestationError, AttestationKey, AttestationKeyError, AttestationKeyState};
pub use auth::{AuthValue, AuthValueError};
pub use authority::{Authority, AuthorityError, POLICY_REF, SignatureError, to_be_approved};
pub use blob::{KeyBlob, KeyBlobError};
pub use clock::{ClockInfo, ClockSafety};
pub use command::CommandError;
pub use contents::{NvEntry, PersistentObject, RemoveError};
pub use create::CreateError;
pub use credential::{Credential, CredentialError};
pub use duplicate::{Duplicate, DuplicateFormError, OpenError, OpenedDuplicate};
pub use duplication::DuplicateError;
pub use ek_certificate::EkCertificate;
pub use ek_template::EkTemplate;
pub use endorsement::{EkOrigin, EndorsementError, EndorsementKey};
pub use guard::Guard;
pub use hierarchy::{Hierarchy, HierarchyError, LockoutParameters};
pub use import::ImportError;
pub use info::{Firmware, Info};
pub use load::{LoadError, LoadedKey, SignError};
pub use lockout::Lockout;
pub use name::{Name, NameError};
pub use nv::{Anchor, AnchorError, AnchorState, Holds};
pub use parent_file::ParentFileError;
pub use pcr::{PcrError, PcrValue, PcrValueError, PcrValues, pcr_policy_digest};
pub use pcr_file::{PcrFileError, pcr_file, read_pcr_file};
pub use persistent::PersistentKind;
pub use public_key::{EkPublicKey, EkPublicKeyError};
pub use quote::{AttestError, Quote};
pub use recovery::{DrawError, RecoveryParent, RecoveryParentError, RecoverySecret, RecoverySecretError};
pub use response::ResponseCode;
pub use restore::{DuplicationError, DuplicationProof, NoEntropy, RestoreError};
pub use seal::{SealError, UnsealError};
pub use sensitive::SensitiveError;
pub use service::{Enabled, Platform, Room, SelfTest};
pub use simulation::{Simulation, SimulationError};
pub use site::SiteTpmError;
pub use srk::{Srk, SrkError, SrkState};
pub use statement::{Statement, StatementFormError};
pub use statement_error::StatementError;
pub use template::SrkTemplate;
pub use tpm::{ConnectError, Tpm};
pub use verify::Attested;
