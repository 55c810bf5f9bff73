//! `site.yaml`: the tokens and the zones of a site.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::advice::Advice;
use crate::key_record::KeyReference;
use crate::pcr_policy::PcrNumber;
use crate::reload::{Reload, ReloadError};
use crate::text::written_as_text;
use crate::token_address::{PinSource, Tcti, TokenAddress, TpmHandle};
use crate::tpm_setup::{Recipient, TpmSetup};
use crate::version::Version1;
use crate::yaml::{self, YamlError};
use crate::zone_name::ZoneName;

/// A name that `site.yaml` gives to a token or a policy: 1 to 64 of `a-z A-Z 0-9 . _ -`, not starting with a dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$"))]
pub struct SiteWord(String);

/// The name of a token in `site.yaml`.
pub type TokenName = SiteWord;
/// The name of a policy: a file of `policies/` in the site, or one that is shipped.
pub type PolicyName = SiteWord;

/// A text that is no such name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no such name; one has 1 to 64 letters, digits, dots, dashes and underscores")]
pub struct SiteWordError(String);

impl FromStr for SiteWord {
    type Err = SiteWordError;

    fn from_str(text: &str) -> Result<Self, SiteWordError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.is_empty() || text.len() > 64 || text.starts_with('.') || !text.chars().all(allowed) {
            return Err(SiteWordError(text.chars().take(80).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SiteWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

written_as_text!(SiteWord, SiteWordError);

/// The tokens and zones of a site, as `site.yaml` has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Site {
    /// Always 1.
    pub version: Version1,
    /// Whether what is signed here is ever published: production, unless it says otherwise.
    #[serde(default, skip_serializing_if = "Purpose::is_production")]
    pub purpose: Purpose,
    /// The tokens, by the name that the rest of the site has for them.
    #[serde(deserialize_with = "yaml::unique_map")]
    pub tokens: BTreeMap<TokenName, SiteToken>,
    /// The zones.
    #[serde(deserialize_with = "yaml::unique_map")]
    pub zones: BTreeMap<ZoneName, SiteZone>,
    /// Who keeps the auth values of the TPMs and the shares of backups, by name.
    #[serde(
        default,
        deserialize_with = "yaml::unique_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub custodians: BTreeMap<SiteWord, Recipient>,
    /// What is run after a zone was replaced, such as `rndc reload ZONE`; nothing when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload: Option<Reload>,
}

/// What a site is for. The default is our choice: what forgets to say it has to be safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Zones that somebody relies on. Private keys are in tokens only.
    #[default]
    Production,
    /// Benchmarks and tests, which nobody relies on. Private keys may be in files.
    Laboratory,
}

impl Purpose {
    // serde hands over a reference.
    const fn is_production(&self) -> bool {
        matches!(self, Self::Production)
    }
}

/// A token of the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SiteToken {
    /// `pkcs11:token=LABEL?module-path=...` (RFC 7512), `tpm2:` and a TCTI, or in a laboratory `file:` and a folder of the site.
    pub address: TokenAddress,
    /// Where the user PIN comes from; for a TPM, the authorisation value of its keys. Asked for when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<PinSource>,
    /// Where the SO PIN comes from; only PKCS#11 tokens have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub so_pin: Option<PinSource>,
    /// How a TPM is set up; PKCS#11 tokens have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<TpmSetup>,
    /// Tokens that hold this one's keys too, or some of them: the signer shares its work out among all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<TokenName>,
}

/// A zone of the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SiteZone {
    /// The key and signing policy.
    pub policy: PolicyName,
    /// The token that holds the zone's keys.
    pub token: TokenName,
    /// Key tags that other signers of the zone use (RFC 8901): a new key that has one of them is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_key_tags: Vec<u16>,
    /// What is run after this zone was replaced, in the place of the site's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload: Option<Reload>,
}

/// Why `site.yaml` is no site.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// Not the YAML that it must be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A zone names a token that is not listed.
    #[error("zones.{zone}.token: no token is named '{token}'; there is {known}")]
    NoToken {
        /// The zone.
        zone: ZoneName,
        /// The name that it gives.
        token: TokenName,
        /// The names that there are.
        known: String,
    },
    /// A replica that is none.
    #[error("tokens.{token}.replicas: {replica}: {reason}")]
    Replica {
        /// The token.
        token: TokenName,
        /// The name that it gives.
        replica: TokenName,
        /// What is wrong with it.
        reason: String,
    },
    /// Two tokens have the same address, so a key's reference would not say which.
    #[error("tokens.{first} and tokens.{second} are the same token, {address}")]
    SameToken {
        /// One.
        first: TokenName,
        /// The other.
        second: TokenName,
        /// Their address.
        address: String,
    },
    /// A PKCS#11 token without a module, or with a key's id.
    #[error("tokens.{token}.address: {reason}")]
    Address {
        /// The token.
        token: TokenName,
        /// What is wrong with its address.
        reason: &'static str,
    },
    /// A set-up for a token that is no TPM.
    #[error("tokens.{token}.setup: only a TPM has one")]
    Setup {
        /// The token.
        token: TokenName,
    },
    /// A handle or an index that two things of the site are to be kept at.
    #[error("tokens.{token}.setup: {place} is taken by something else of the site")]
    SamePlace {
        /// The token.
        token: TokenName,
        /// The handle or index.
        place: String,
    },
    /// A PCR policy on what any program can reset.
    #[error("tokens.{token}.setup.pcr-policy.pcrs: any program can reset PCR {pcr}, so it proves nothing")]
    ResettablePcr {
        /// The token.
        token: TokenName,
        /// The PCR.
        pcr: PcrNumber,
    },
    /// A command that cannot be run.
    #[error("{field}.{source}")]
    Reload {
        /// `reload`, or the zone's.
        field: String,
        /// Why not.
        source: ReloadError,
    },
    /// An SO PIN for a TPM.
    #[error("tokens.{token}.so-pin: a TPM has no SO PIN")]
    SoPin {
        /// The token.
        token: TokenName,
    },
    /// A PIN for keys in files.
    #[error("tokens.{token}.{field}: keys in files have no PIN")]
    FilePin {
        /// The token.
        token: TokenName,
        /// `pin` or `so-pin`.
        field: &'static str,
    },
    /// Keys in files where somebody relies on them.
    #[error(
        "tokens.{token}.address: private keys in files are for a laboratory, and 'purpose' of this site is production"
    )]
    FilesInProduction {
        /// The token.
        token: TokenName,
    },
}

impl SiteError {
    /// What to do about it, where that is more than to mend the field.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::FilesInProduction { .. } => Some(
                "name a PKCS#11 token or a TPM; only where nobody relies on what is signed, write 'purpose: laboratory'",
            ),
            Self::FilePin { .. } => Some("take the field away: who may read the folder may sign"),
            Self::Yaml(_)
            | Self::NoToken { .. }
            | Self::Replica { .. }
            | Self::SameToken { .. }
            | Self::Address { .. }
            | Self::Setup { .. }
            | Self::SamePlace { .. }
            | Self::ResettablePcr { .. }
            | Self::Reload { .. }
            | Self::SoPin { .. } => None,
        }
    }
}

/// A sealed PIN, and no one TPM that holds it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a PIN is sealed at {handle}, but the site lists {count} TPMs")]
pub struct WhichTpm {
    /// The handle.
    pub handle: TpmHandle,
    /// How many TPMs there are.
    pub count: usize,
}

impl Advice for WhichTpm {
    fn hint(&self) -> Option<String> {
        Some("list one TPM in site.yaml, with an address such as tpm2:device:/dev/tpmrm0".to_owned())
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl Site {
    /// Reads the text of `site.yaml`.
    pub fn from_yaml(text: &str) -> Result<Self, SiteError> {
        let site: Self = yaml::parse(text)?;
        site.check_tokens()?;
        site.check_replicas()?;
        site.check_setups()?;
        site.check_reloads()?;
        for (zone, entry) in &site.zones {
            if !site.tokens.contains_key(&entry.token) {
                return Err(SiteError::NoToken {
                    zone: zone.clone(),
                    token: entry.token.clone(),
                    known: site.token_names(),
                });
            }
        }
        Ok(site)
    }

    fn check_tokens(&self) -> Result<(), SiteError> {
        let mut seen: BTreeMap<String, &TokenName> = BTreeMap::new();
        for (name, token) in &self.tokens {
            let identity = match &token.address {
                TokenAddress::Pkcs11(_) if token.setup.is_some() => {
                    return Err(SiteError::Setup { token: name.clone() });
                }
                TokenAddress::Pkcs11(uri) if uri.module_path.is_none() => {
                    let reason = "it names no module; add '?module-path=/path/to/module.so'";
                    return Err(SiteError::Address {
                        token: name.clone(),
                        reason,
                    });
                }
                TokenAddress::Pkcs11(uri) if uri.names_key() => {
                    let reason = "it names a key; a token's address has no 'id' and no 'object'";
                    return Err(SiteError::Address {
                        token: name.clone(),
                        reason,
                    });
                }
                TokenAddress::Pkcs11(uri) => format!("{} {:?}", uri.token, uri.serial),
                TokenAddress::Tpm(_) if token.so_pin.is_some() => {
                    return Err(SiteError::SoPin { token: name.clone() });
                }
                TokenAddress::Tpm(tcti) => tcti.to_string(),
                TokenAddress::File(folder) => {
                    self.check_key_folder(name, token)?;
                    format!("file:{:?}", folder.as_path().components().collect::<PathBuf>())
                }
            };
            if let Some(first) = seen.insert(identity, name) {
                let address = token.address.to_string();
                return Err(SiteError::SameToken {
                    first: first.clone(),
                    second: name.clone(),
                    address,
                });
            }
        }
        Ok(())
    }

    fn token_names(&self) -> String {
        let names: Vec<_> = self.tokens.keys().map(ToString::to_string).collect();
        names.join(", ")
    }

    fn check_replicas(&self) -> Result<(), SiteError> {
        for (token, entry) in &self.tokens {
            let mut seen = BTreeSet::from([token]);
            for replica in &entry.replicas {
                let reason = if !self.tokens.contains_key(replica) {
                    format!("no token has that name; there is {}", self.token_names())
                } else if !seen.insert(replica) {
                    "it is the token itself, or is there twice".to_owned()
                } else {
                    continue;
                };
                return Err(SiteError::Replica {
                    token: token.clone(),
                    replica: replica.clone(),
                    reason,
                });
            }
        }
        Ok(())
    }

    /// Keys in files are for a laboratory, and have neither PIN nor set-up.
    fn check_key_folder(&self, name: &TokenName, entry: &SiteToken) -> Result<(), SiteError> {
        let token = name.clone();
        match self.purpose {
            Purpose::Production => return Err(SiteError::FilesInProduction { token }),
            Purpose::Laboratory => {}
        }
        for (field, source) in [("pin", &entry.pin), ("so-pin", &entry.so_pin)] {
            if source.is_some() {
                return Err(SiteError::FilePin { token, field });
            }
        }
        match entry.setup {
            Some(_) => Err(SiteError::Setup { token }),
            None => Ok(()),
        }
    }

    fn check_reloads(&self) -> Result<(), SiteError> {
        let of_site = self.reload.iter().map(|reload| ("reload".to_owned(), reload));
        let of_zones = self.zones.iter().filter_map(|(zone, entry)| {
            let reload = entry.reload.as_ref()?;
            Some((format!("zones.{zone}.reload"), reload))
        });
        for (field, reload) in of_site.chain(of_zones) {
            reload
                .check()
                .map_err(|source| SiteError::Reload { field, source })?;
        }
        Ok(())
    }

    /// What is run after a zone was replaced.
    pub fn reload(&self, zone: &ZoneName) -> Option<&Reload> {
        let own = self.zones.get(zone).and_then(|entry| entry.reload.as_ref());
        own.or(self.reload.as_ref())
    }

    /// Nothing of a set-up may take the place of another thing of it, or of a sealed PIN.
    fn check_setups(&self) -> Result<(), SiteError> {
        for (name, _) in self.tpms() {
            let setup = self.tpm_setup(name);
            let mut seen: BTreeSet<String> = self.sealed_pins().map(String::from).collect();
            seen.insert(TpmHandle::SRK.to_string());
            for place in setup.places() {
                if !seen.insert(place.clone()) {
                    let token = name.clone();
                    return Err(SiteError::SamePlace { token, place });
                }
            }
            let mut pcrs = setup.pcr_policy.iter().flat_map(|policy| policy.pcrs.iter());
            if let Some(pcr) = pcrs.find(|pcr| pcr.is_resettable()) {
                let token = name.clone();
                return Err(SiteError::ResettablePcr { token, pcr });
            }
        }
        Ok(())
    }

    /// How a TPM of the site is set up.
    pub fn tpm_setup(&self, name: &TokenName) -> TpmSetup {
        let setup = self.tokens.get(name).and_then(|token| token.setup.clone());
        setup.map_or_else(TpmSetup::default, |setup| setup)
    }

    /// The handles at which PINs are sealed in the site's TPM.
    pub fn sealed_pins(&self) -> impl Iterator<Item = TpmHandle> {
        let sources = self.tokens.values().flat_map(|token| [&token.pin, &token.so_pin]);
        sources.filter_map(|source| match source {
            Some(PinSource::Tpm(handle)) => Some(*handle),
            Some(PinSource::Prompt | PinSource::File(_) | PinSource::Fd(_)) | None => None,
        })
    }

    /// The tokens that hold a token's keys too.
    pub fn replicas(&self, token: &TokenName) -> &[TokenName] {
        self.tokens.get(token).map_or(&[], |entry| &entry.replicas)
    }

    /// The site's one TPM, where the PIN of `handle` is sealed.
    pub fn only_tpm(&self, handle: TpmHandle) -> Result<(&TokenName, &Tcti), WhichTpm> {
        let mut tpms = self.tpms();
        match (tpms.next(), tpms.count()) {
            (Some(only), 0) => Ok(only),
            (Some(_), more) => Err(WhichTpm {
                handle,
                count: more + 1,
            }),
            (None, _) => Err(WhichTpm { handle, count: 0 }),
        }
    }

    /// The site's TPMs.
    pub fn tpms(&self) -> impl Iterator<Item = (&TokenName, &Tcti)> {
        self.tokens
            .iter()
            .filter_map(|(name, token)| match &token.address {
                TokenAddress::Tpm(tcti) => Some((name, tcti)),
                TokenAddress::Pkcs11(_) | TokenAddress::File(_) => None,
            })
    }

    /// The token that holds the key of this reference: by name for a TPM and for files, by label and serial for PKCS#11.
    pub fn token_of(&self, reference: &KeyReference) -> Option<(&TokenName, &SiteToken)> {
        self.tokens
            .iter()
            .find(|(name, token)| match (reference, &token.address) {
                (KeyReference::Tpm(wanted), TokenAddress::Tpm(_))
                | (KeyReference::File(wanted, _), TokenAddress::File(_)) => wanted == *name,
                (KeyReference::Pkcs11(key), TokenAddress::Pkcs11(uri)) => {
                    key.token == uri.token
                        && (key.serial.is_none() || uri.serial.is_none() || key.serial == uri.serial)
                }
                (KeyReference::Tpm(_), TokenAddress::Pkcs11(_) | TokenAddress::File(_))
                | (KeyReference::Pkcs11(_), TokenAddress::Tpm(_) | TokenAddress::File(_))
                | (KeyReference::File(..), TokenAddress::Pkcs11(_) | TokenAddress::Tpm(_)) => false,
            })
    }
}
