//! What a policy chooses by a word.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// Where the private keys of the KSKs are while the zone is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KskSigns {
    /// With the signer, who signs the DNSKEY RRset with the rest of the zone.
    #[default]
    Online,
    /// Apart: the DNSKEY RRset comes signed for some time ahead, as a signed key response.
    Offline,
}

/// Whether the signed zone has a digest of all its records (RFC 8976), and by what it is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Zonemd {
    /// It has none.
    #[default]
    None,
    /// SHA-384, which every verifier must know.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// How one algorithm gives way to another (RFC 6781 4.1.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlgorithmRollover {
    /// Signatures come before the DNSKEYs and go after them: for validators that want every RRset signed with every algorithm of the
    /// DNSKEY RRset.
    #[default]
    Conservative,
    /// Signatures and DNSKEYs come and go together: validators that keep to RFC 6840 5.11 take that.
    Liberal,
}

/// Whether validators have keys of the zone as trust anchors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrustAnchor {
    /// None but by the DS at the parent.
    #[default]
    None,
    /// Some do, and renew them by RFC 5011: a new KSK waits for them, and an old one is revoked.
    Rfc5011,
}
