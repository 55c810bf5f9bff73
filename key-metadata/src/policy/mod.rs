//! Key and signing policies: figures that a zone is run by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, KeySpec, KeySpecError};
use crate::backup::DrillLevel;
use crate::role::Role;
use crate::rollover_method::RolloverMethod;
use crate::span::Span;
use crate::version::Version1;

mod check;
mod words;

pub use check::PolicyError;
pub use words::{AlgorithmRollover, Denial, KskSigns, ParentSignal, SerialPolicy, TrustAnchor, Zonemd};

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
    /// The RRSIG records of the DNSKEY, CDS and CDNSKEY RRsets, where they are made apart; absent, they are as the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dnskey_signatures: Option<PolicyDnskeySignatures>,
    /// Where the private keys of the KSKs are; `online` when absent.
    #[serde(default)]
    pub ksk_signs: KskSigns,
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
    /// The ZONEMD record, by which whoever fetches the zone sees that it is whole (RFC 8976); `none` when absent.
    #[serde(default)]
    pub zonemd: Zonemd,
    /// What the zone tells its parent.
    pub parent_signal: ParentSignal,
    /// How one algorithm gives way to another; `conservative` when absent.
    #[serde(default)]
    pub algorithm_rollover: AlgorithmRollover,
    /// Whether validators have keys of the zone as trust anchors; `none` when absent.
    #[serde(default)]
    pub trust_anchor: TrustAnchor,
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
    /// How one is replaced by its successor: a KSK by `double-ksk` (when absent), `double-ds` or `double-rrset`, a ZSK by `pre-publication`
    /// (when absent) or `double-signature`, a CSK by `pre-publication`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<RolloverMethod>,
    /// How many more are published for the case that the active one is lost or known to others (RFC 7583 section 4), at most 2; none when
    /// absent.
    #[serde(default)]
    #[schemars(range(max = 2))]
    pub standby: u8,
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
    /// A run renews an RRSIG that has this much left or less, and each one by a key that signs no more; absent, each run renews all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Span>,
    /// By how much expirations are strewn, at most, so that not all are renewed at one time; none when absent.
    #[serde(default = "nothing")]
    pub jitter: Span,
    /// How long the signer may be down without harm; not at all when absent.
    #[serde(default = "nothing")]
    pub outage_margin: Span,
}

/// The RRSIG records of the DNSKEY, CDS and CDNSKEY RRsets, where they are made apart.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicyDnskeySignatures {
    /// From signing to expiration.
    pub validity: Span,
    /// What they have left when others take their place: with an offline KSK, when the time of the next bundle begins.
    pub refresh: Span,
    /// How far the inception is before the signing.
    pub inception_offset: Span,
}

/// The zone, as its name servers answer for it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicyZone {
    /// The largest TTL of any record in it (TTLsig).
    pub max_ttl: Span,
    /// Until every name server of the zone has what the first one has (Dprp).
    pub propagation_delay: Span,
    /// The SOA's expire field: how long a secondary server serves the zone without hearing of its primary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soa_expire: Option<Span>,
    /// The TTL of answers that something is not there (RFC 2308 section 4), where it is longer than `max-ttl`, or to be held against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_ttl: Option<Span>,
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
    /// By how many percent, from 1 to 100, the records of a zone and their size may differ from those of the last release, either way; by any
    /// when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub largest_change: Option<u8>,
}

impl Policy {
    /// The keys of that role, where the policy has any.
    pub const fn key(&self, role: Role) -> Option<&PolicyKey> {
        match role {
            Role::Ksk => self.keys.ksk.as_ref(),
            Role::Zsk => self.keys.zsk.as_ref(),
            Role::Csk => self.keys.csk.as_ref(),
        }
    }

    /// How keys of that role are rolled.
    pub fn rollover(&self, role: Role) -> RolloverMethod {
        let method = self.key(role).and_then(|key| key.rollover);
        method.map_or(RolloverMethod::usual(role), |method| method)
    }

    /// From the signing of the DNSKEY RRset to the expiration of its RRSIGs.
    pub const fn dnskey_validity(&self) -> Span {
        match &self.dnskey_signatures {
            Some(own) => own.validity,
            None => self.signatures.validity,
        }
    }

    /// How far their inception is before the signing.
    pub const fn dnskey_inception_offset(&self) -> Span {
        match &self.dnskey_signatures {
            Some(own) => own.inception_offset,
            None => self.signatures.inception_offset,
        }
    }

    /// What an RRSIG of the zone that the first name server gives has left at least, as long as the signer runs: `refresh - resign -
    /// jitter`, or `validity - resign - jitter` where each run renews all.
    pub fn least_remaining(&self) -> Span {
        let signatures = &self.signatures;
        let renewed = signatures
            .refresh
            .map_or(signatures.validity, |refresh| refresh.min(signatures.validity));
        renewed.less(signatures.resign).less(signatures.jitter)
    }

    /// The same of the RRSIGs of the DNSKEY RRset: `refresh - resign` of those that are made apart.
    pub fn least_dnskey_remaining(&self) -> Span {
        match &self.dnskey_signatures {
            Some(own) => own.refresh.min(own.validity).less(self.signatures.resign),
            None => self.least_remaining(),
        }
    }
}

impl PolicyKey {
    /// Algorithm and size.
    pub fn spec(&self) -> Result<KeySpec, KeySpecError> {
        KeySpec::new(self.algorithm, self.bits)
    }
}

const fn nothing() -> Span {
    Span::from_seconds(0)
}

/// The policies that come with Keyrite, by name.
pub const SHIPPED: [(&str, &str); 5] = [
    ("small-tld", include_str!("../../../policies/small-tld.yaml")),
    ("large-tld", include_str!("../../../policies/large-tld.yaml")),
    ("root-like", include_str!("../../../policies/root-like.yaml")),
    ("offline-ksk", include_str!("../../../policies/offline-ksk.yaml")),
    ("csk", include_str!("../../../policies/csk.yaml")),
];
