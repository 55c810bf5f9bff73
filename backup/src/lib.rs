//! Backups of keys as a stranger could restore them in ten years: what a bundle holds, who has a share of what opens it, and how that is proved.
//!
//! Three layers (docs/formats/backup-bundle.md): keys leave their token only wrapped, one age file holds all that restores them ([`Payload`]), and
//! the secret that opens it ([`BundleSecret`]) is split among custodians ([`deal`], [`recombine`]). The [`Manifest`] says in the clear what is in it.
//! No token is touched here, no clock is asked, and a path is touched only by [`bundles`].

mod binary;
pub mod bundle_id;
pub mod bundles;
pub mod commitment;
pub mod drills;
pub mod evidence;
pub mod findings;
pub mod manifest;
pub mod payload;
pub mod proof;
pub mod secret;
pub mod shares;
pub mod threshold;

pub use bundle_id::BundleId;
pub use bundles::{BundleError, BundleFolder, Bundles, Staged};
pub use commitment::{Commitment, DRILLS, Reveal};
pub use drills::DrillState;
pub use evidence::{record_bundle, record_drill};
pub use findings::{Finding, Verdict, check};
pub use manifest::{BundleKind, Manifest, ManifestError};
pub use payload::{KeyCopy, ParentCopy, Payload, PayloadError};
pub use proof::{Challenge, Proof, ProofError};
pub use secret::{BundleSecret, SecretError};
pub use shares::{DealError, GivenShare, RecombineError, deal, recombine};
pub use threshold::{Threshold, ThresholdError};
