//! Key and signing policies: figures that a zone is run by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, KeySpec, KeySpecError};
use crate::backup::DrillLevel;
use crate::role::Role;
use crate::span::Span;
use crate::version::Version1;
use crate::yaml::{self, YamlError};

/// How the keys of a zone are made and how it is signed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Policy {
    /// Always 1.
    pub version: Version1,
    /// What it is for, in a sentence.
    pub description: String,
    /// The keys of each role that the policy knows.
    pub keys: PolicyKeys,
    /// The TTL of the DNSKEY, CDS and CDNSKEY RRsets.
    pub dnskey_ttl: Span,
    /// The RRSIG records.
    pub signatures: PolicySignatures,
    /// The zone, as its name servers answer for it.
    pub zone: PolicyZone,
    /// The parent zone, which has the DS.
    pub parent: PolicyParent,
    /// What is waited on top of what must be.
    pub safety: PolicySafety,
    /// How the absence of a name is proved.
    pub denial: Denial,
    /// The SOA serial of the signed zone.
    pub serial: SerialPolicy,
    /// What the zone tells its parent.
    pub parent_signal: ParentSignal,
}

/// What the keys of each role are.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicyKeys {
    /// Key signing keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ksk: Option<PolicyKey>,
    /// Zone signing keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zsk: Option<PolicyKey>,
    /// Combined signing keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csk: Option<PolicyKey>,
}

/// The keys of one role.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicyKey {
    /// Their algorithm.
    pub algorithm: Algorithm,
    /// Their size in bits, where the algorithm has more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<u16>,
    /// How long one is used before its successor takes over.
    pub lifetime: Span,
    /// The drills that a bundle with the key must have passed before the key is activated; none where a key may be lost with its token.
    pub require_backup: Vec<DrillLevel>,
}

/// The RRSIG records.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicySignatures {
    /// From signing to expiration.
    pub validity: Span,
    /// How far the inception is before the signing, for clocks that are behind.
    pub inception_offset: Span,
    /// Until what changed in the keys has changed in the whole signed zone: from one run of the signer to the end of the next (Dsgn,
    /// RFC 7583 3.2.1).
    pub resign: Span,
}

/// The zone, as its name servers answer for it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicyZone {
    /// The largest TTL of any record in it (TTLsig).
    pub max_ttl: Span,
    /// Until every name server of the zone has what the first one has (Dprp).
    pub propagation_delay: Span,
}

/// The parent zone, which has the DS.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicyParent {
    /// The TTL of the DS RRset (TTLds).
    pub ds_ttl: Span,
    /// Until every name server of the parent has what the first one has (DprpP).
    pub propagation_delay: Span,
    /// From telling the parent of a change of the DS until it is in the parent zone (Dreg).
    pub registration_delay: Span,
}

/// What is waited on top of what must be.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicySafety {
    /// Before a published key is used (Psafe).
    pub publish: Span,
    /// Before a retired key is removed (Rsafe).
    pub retire: Span,
}

/// How the absence of a name or type is proved. NSEC3 is without salt and with no extra iterations (RFC 9276 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Denial {
    /// NSEC (RFC 4034 section 4).
    Nsec,
    /// NSEC3 (RFC 5155).
    Nsec3,
    /// NSEC3 with opt-out of insecure delegations (RFC 5155 section 6).
    Nsec3OptOut,
}

/// Where the serial of the signed zone comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SerialPolicy {
    /// As in the unsigned zone.
    Keep,
    /// One more than the last signed zone, or the unsigned zone's if that is later.
    Increment,
    /// YYYYMMDDnn, rising from the last signed zone (RFC 1912 2.2).
    Date,
    /// Seconds since 1970, rising from the last signed zone.
    Unixtime,
}

/// What the zone tells its parent about its DS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ParentSignal {
    /// Nothing.
    None,
    /// CDS and CDNSKEY for each active key that the DNSKEY RRset is signed with (RFC 7344).
    Cds,
}

/// Why a text is no policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not the YAML that it must be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A key of a size that the algorithm does not have.
    #[error("keys.{role}: {source}")]
    Key {
        /// The role.
        role: Role,
        /// What is wrong.
        source: KeySpecError,
    },
    /// A figure outside what a zone can be run by.
    #[error("{field}: {value} is not between {least} and {most}")]
    Range {
        /// The field.
        field: &'static str,
        /// Its value.
        value: Span,
        /// The least that is taken.
        least: Span,
        /// The most.
        most: Span,
    },
}

const HOUR: Span = Span::from_seconds(3600);
const YEAR: Span = Span::from_seconds(365 * 86_400);

impl Policy {
    /// Reads the text of a policy.
    pub fn from_yaml(text: &str) -> Result<Self, PolicyError> {
        let policy: Self = yaml::parse(text)?;
        for role in Role::ALL {
            if let Some(key) = policy.key(role) {
                key.spec().map_err(|source| PolicyError::Key { role, source })?;
            }
        }
        // No standard bounds these; outside them lies a slip of the pen (14s for 14d), not a policy.
        let zero = Span::from_seconds(0);
        let (week, year) = (Span::from_seconds(7 * 86_400), YEAR);
        for (field, value, least, most) in [
            ("signatures.validity", policy.signatures.validity, HOUR, year),
            (
                "signatures.inception-offset",
                policy.signatures.inception_offset,
                zero,
                week,
            ),
            ("signatures.resign", policy.signatures.resign, zero, year),
            ("dnskey-ttl", policy.dnskey_ttl, zero, week),
            ("zone.max-ttl", policy.zone.max_ttl, zero, year),
            (
                "zone.propagation-delay",
                policy.zone.propagation_delay,
                zero,
                year,
            ),
            ("parent.ds-ttl", policy.parent.ds_ttl, zero, year),
            (
                "parent.propagation-delay",
                policy.parent.propagation_delay,
                zero,
                year,
            ),
            (
                "parent.registration-delay",
                policy.parent.registration_delay,
                zero,
                year,
            ),
            ("safety.publish", policy.safety.publish, zero, year),
            ("safety.retire", policy.safety.retire, zero, year),
        ] {
            if value < least || value > most {
                return Err(PolicyError::Range {
                    field,
                    value,
                    least,
                    most,
                });
            }
        }
        Ok(policy)
    }

    /// The keys of that role, where the policy has any.
    pub const fn key(&self, role: Role) -> Option<&PolicyKey> {
        match role {
            Role::Ksk => self.keys.ksk.as_ref(),
            Role::Zsk => self.keys.zsk.as_ref(),
            Role::Csk => self.keys.csk.as_ref(),
        }
    }
}

impl PolicyKey {
    /// Algorithm and size.
    pub fn spec(&self) -> Result<KeySpec, KeySpecError> {
        KeySpec::new(self.algorithm, self.bits)
    }
}

/// The policies that come with Keyrite, by name.
pub const SHIPPED: [(&str, &str); 1] = [("small-tld", include_str!("../../policies/small-tld.yaml"))];
