//! `tpm/<name>/identity.yaml`: what is known of a TPM once it is provisioned, so that another one in its place is noticed.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::written_as_text;
use crate::time::Time;
use crate::token_address::TpmHandle;
use crate::tpm_setup::NvIndex;
use crate::version::Version1;
use crate::yaml::{self, YamlError};

/// What a TPM is known by. Nothing here is a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TpmIdentity {
    /// Always 1.
    pub version: Version1,
    /// The Name of the storage root key; every session is salted to this key and no other.
    pub storage_root_key: ObjectName,
    /// The endorsement key that the attestation key was proved under.
    pub endorsement_key: EndorsementIdentity,
    /// The attestation key.
    pub attestation_key: AttestationIdentity,
    /// The index that the ceremony log is extended into.
    pub log_index: NvIdentity,
    /// The counter that rises with every seal of the log.
    pub log_counter: CounterIdentity,
}

/// An endorsement key, by its public part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EndorsementIdentity {
    /// The TCG's template that it is made from, such as `rsa-2048`.
    pub template: String,
    /// SHA-256 of its DER SubjectPublicKeyInfo, in hex digits.
    pub spki_sha256: String,
    /// SHA-256 of its DER certificate, in hex digits; absent where the TPM has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_sha256: Option<String>,
}

/// An attestation key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AttestationIdentity {
    /// Where it is kept.
    #[schemars(with = "String")]
    pub handle: TpmHandle,
    /// Its Name.
    pub name: ObjectName,
    /// Its DER SubjectPublicKeyInfo, in base64: what its signatures are verified with.
    pub public_key: String,
    /// When a credential, made for the endorsement key and this Name, was activated: both are in one TPM.
    pub proved: Time,
}

/// An NV index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NvIdentity {
    /// Its number.
    pub index: NvIndex,
    /// Its Name after the first write.
    pub name: ObjectName,
}

/// An NV counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CounterIdentity {
    /// Its number.
    pub index: NvIndex,
    /// Its Name after the first write.
    pub name: ObjectName,
    /// The number that it was seen to rise to when the TPM was provisioned.
    pub risen_to: u64,
}

/// The Name of a TPM object: the number of its hash algorithm and a digest, in hex digits (TPM 2.0 part 1, 16).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^[0-9a-f]{44,132}$"))]
pub struct ObjectName(String);

/// A text that is no Name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a TPM object's name is the number of its hash algorithm and a digest, such as 000b and 64 hex digits"
)]
pub struct ObjectNameError;

impl FromStr for ObjectName {
    type Err = ObjectNameError;

    fn from_str(text: &str) -> Result<Self, ObjectNameError> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        // Two bytes of algorithm, and a digest of 20 to 64.
        if !digits || !text.len().is_multiple_of(2) || !(44..=132).contains(&text.len()) {
            return Err(ObjectNameError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

written_as_text!(ObjectName, ObjectNameError);

impl TpmIdentity {
    /// Reads the text of the file.
    pub fn from_yaml(text: &str) -> Result<Self, YamlError> {
        yaml::parse(text)
    }
}
