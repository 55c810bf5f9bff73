//! How a TPM of the site is set up: where its auth values go, and what is put where.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pcr_policy::PcrPolicy;
use crate::site::SiteWord;
use crate::text::written_as_text;
use crate::token_address::TpmHandle;

/// How `keyrite-tpm-init provision` sets a TPM up. Every field has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TpmSetup {
    /// Who gets the owner hierarchy's auth value.
    pub owner_auth: AuthDelivery,
    /// Who gets the endorsement hierarchy's.
    pub endorsement_auth: AuthDelivery,
    /// Who gets the lockout hierarchy's.
    pub lockout_auth: AuthDelivery,
    /// Where the attestation key is kept that signs for the ceremony log; the default has no standard behind it.
    #[schemars(with = "String")]
    pub attestation_key: TpmHandle,
    /// The NV index that the ceremony log is extended into; the default has no standard behind it.
    pub log_index: NvIndex,
    /// The NV counter that rises with every seal of the log; the default has no standard behind it.
    pub log_counter: NvIndex,
    /// Checks that say no and that the site takes on itself, each with who accepted it and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub accepted: BTreeMap<SiteWord, String>,
    /// Binds PINs that are sealed from now on to the machine's start-up (PCRs); absent, they are bound to the TPM only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pcr_policy: Option<PcrPolicy>,
}

impl Default for TpmSetup {
    fn default() -> Self {
        Self {
            owner_auth: AuthDelivery::Custodians,
            endorsement_auth: AuthDelivery::Custodians,
            lockout_auth: AuthDelivery::Custodians,
            attestation_key: TpmHandle::ATTESTATION_KEY,
            log_index: NvIndex(0x0180_0020),
            log_counter: NvIndex(0x0180_0021),
            accepted: BTreeMap::new(),
            pcr_policy: None,
        }
    }
}

impl TpmSetup {
    /// The handles and indices that it takes.
    pub fn places(&self) -> impl Iterator<Item = String> {
        let auths = [self.owner_auth, self.endorsement_auth, self.lockout_auth];
        let sealed = auths.into_iter().filter_map(|delivery| match delivery {
            AuthDelivery::Sealed(handle) => Some(handle.to_string()),
            AuthDelivery::Custodians => None,
        });
        let others = [
            self.attestation_key.to_string(),
            self.log_index.to_string(),
            self.log_counter.to_string(),
        ];
        sealed.chain(others)
    }
}

/// Who gets an auth value that is drawn at random: it is shown to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^(custodians|tpm:0x[0-9a-fA-F]+)$"))]
pub enum AuthDelivery {
    /// The site's custodians: an age file that each of them can open.
    Custodians,
    /// The TPM itself, sealed at that handle: whoever is root on this machine can use it.
    Sealed(TpmHandle),
}

/// A text that names no such place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an auth value goes to 'custodians' or is sealed at 'tpm:HANDLE'")]
pub struct AuthDeliveryError;

impl FromStr for AuthDelivery {
    type Err = AuthDeliveryError;

    fn from_str(text: &str) -> Result<Self, AuthDeliveryError> {
        match text.split_once(':') {
            None if text == "custodians" => Ok(Self::Custodians),
            Some(("tpm", handle)) => handle.parse().map(Self::Sealed).map_err(|_| AuthDeliveryError),
            Some(_) | None => Err(AuthDeliveryError),
        }
    }
}

impl fmt::Display for AuthDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Custodians => f.write_str("custodians"),
            Self::Sealed(handle) => write!(f, "tpm:{handle}"),
        }
    }
}

written_as_text!(AuthDelivery, AuthDeliveryError);

/// An NV index of the owner's range, 0x01800000 to 0x01bfffff (TCG Registry of Reserved TPM 2.0 Handles 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^0x0*1[89ab][0-9a-fA-F]{5}$"))]
pub struct NvIndex(u32);

/// A text that is no NV index of the owner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an NV index of the owner is 0x01800000 to 0x01bfffff")]
pub struct NvIndexError;

impl NvIndex {
    /// The index's number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl FromStr for NvIndex {
    type Err = NvIndexError;

    fn from_str(text: &str) -> Result<Self, NvIndexError> {
        let digits = text.strip_prefix("0x").ok_or(NvIndexError)?;
        match u32::from_str_radix(digits, 16) {
            Ok(number @ 0x0180_0000..=0x01bf_ffff) => Ok(Self(number)),
            Ok(_) | Err(_) => Err(NvIndexError),
        }
    }
}

impl fmt::Display for NvIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

written_as_text!(NvIndex, NvIndexError);

/// Somebody who keeps auth values and shares of backups, by what age encrypts to: `age1...`, also of a plugin as `age1yubikey1...`,
/// `ssh-ed25519 ...` or `ssh-rsa ...`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^(age1[a-z0-9+._-]+|ssh-(ed25519|rsa) [A-Za-z0-9+/=]+( .*)?)$"))]
pub struct Recipient(String);

/// A text that is no such recipient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a custodian is an age recipient: age1..., 'ssh-ed25519 ...' or 'ssh-rsa ...'")]
pub struct RecipientError;

impl FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, RecipientError> {
        // A private key is never quoted by the error, nor taken: it does not start so.
        let known = match text.split_once(' ') {
            None => text.strip_prefix("age1").is_some_and(is_bech32),
            Some(("ssh-ed25519" | "ssh-rsa", rest)) => {
                let key = rest.split(' ').next().map_or(rest, |key| key);
                is_base64(key) && !rest.ends_with(' ') && !rest.contains(char::is_control)
            }
            Some(_) => false,
        };
        if !known {
            return Err(RecipientError);
        }
        Ok(Self(text.to_owned()))
    }
}

/// The letters of a plugin's name and of Bech32; age itself takes them in lower case only.
fn is_bech32(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-._".contains(&byte);
    !text.is_empty() && text.bytes().all(known)
}

fn is_base64(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

written_as_text!(Recipient, RecipientError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_indices_and_recipients() {
        for good in ["custodians", "tpm:0x81020010"] {
            assert_eq!(good.parse::<AuthDelivery>().unwrap().to_string(), good);
        }
        assert!("screen".parse::<AuthDelivery>().is_err() && "tpm:0x1".parse::<AuthDelivery>().is_err());
        assert_eq!("0x1800020".parse::<NvIndex>().unwrap().to_string(), "0x01800020");
        assert!("0x01c00002".parse::<NvIndex>().is_err() && "25165856".parse::<NvIndex>().is_err());
        for good in [
            "age1xyz",
            "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
            "age1fido2-hmac1qqpc",
            "ssh-ed25519 AAAAC3Nz",
            "ssh-rsa AAAAB3Nz+/== ana@nic.example, her laptop: 'blue' #2",
        ] {
            assert_eq!(good.parse::<Recipient>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "age1",
            "AGE1XYZ",
            "age1Xyz",
            "age1xyz ",
            " age1xyz",
            "age1x yz",
            "age1\nage1",
            "age1xyz\t",
            "age1x/y",
            "age2xyz",
            "AGE-SECRET-KEY-1X",
            "AGE-PLUGIN-YUBIKEY-1X",
            "ssh-ed25519",
            "ssh-ed25519 ",
            "ssh-ed25519  AAAA",
            "ssh-ed25519 AAAA ",
            "ssh-ed25519 AAAA\nssh-rsa AAAA",
            "ssh-ed25519 AAAA\u{1b}[2J",
            "ssh-dss AAAA",
            "ecdsa-sha2-nistp256 AAAA",
        ] {
            assert!(bad.parse::<Recipient>().is_err(), "{bad:?}");
        }
    }
}
