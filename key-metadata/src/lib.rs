//! What Keyrite knows of every DNSSEC key, and the files of a site that hold it.
//!
//! No token, no network and no clock is touched here: times are arguments, and a path is touched only by [`store`] and, through it, [`approvals`].

pub mod advice;
pub mod algorithm;
pub mod approvals;
pub mod cka_id;
pub mod key_id;
pub mod key_record;
pub mod life;
pub mod pcr_policy;
pub mod policy;
pub mod public_key;
pub mod role;
pub mod schema;
pub mod site;
pub mod software_key;
pub mod span;
pub mod store;
mod text;
pub mod time;
pub mod token_address;
pub mod token_uri;
pub mod tpm_identity;
pub mod tpm_setup;
mod verify;
pub mod version;
pub mod yaml;
pub mod zone_keys;
pub mod zone_name;

pub use advice::Advice;
pub use algorithm::{Algorithm, KeyAlgorithm, KeySpec};
pub use approvals::{Approvals, PolicyDigest};
pub use cka_id::CkaId;
pub use key_id::KeyId;
pub use key_record::{Extractability, KeyRecord, KeyReference};
pub use life::{KeyState, KeyTimes};
pub use pcr_policy::{PcrNumber, PcrPolicy, PcrSelection};
pub use policy::Policy;
pub use public_key::PublicKey;
pub use role::Role;
pub use site::{PolicyName, Site, TokenName};
pub use software_key::{RsaSecret, SoftwareKey, SoftwareSecret};
pub use span::Span;
pub use store::SiteFolder;
pub use time::Time;
pub use token_address::{PinSource, Tcti, TokenAddress, TpmHandle};
pub use token_uri::{TokenLabel, TokenUri};
pub use tpm_identity::{ObjectName, TpmIdentity};
pub use tpm_setup::{AuthDelivery, NvIndex, Recipient, TpmSetup};
pub use verify::verifies;
pub use zone_keys::ZoneKeys;
pub use zone_name::ZoneName;
