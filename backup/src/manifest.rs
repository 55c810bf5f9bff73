//! What a bundle says of itself in the clear: `manifest`.
//!
//! Lines that start with `# ` are a YAML document, the others are what `sha256sum -c` reads, so that a stranger needs nothing else to check it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use key_metadata::public_key::PublicKeyError;
use key_metadata::site::SiteWord;
use key_metadata::yaml::{self, YamlError};
use key_metadata::{
    Algorithm, Digest, KeyAlgorithm, KeyId, KeyRecord, PublicKey, Role, Time, TokenName, ZoneName,
    version::Version1,
};
use serde::{Deserialize, Serialize};

use crate::binary;
use crate::bundle_id::BundleId;
use crate::commitment::DRILLS;
use crate::threshold::{Threshold, ThresholdError};

/// The largest manifest that is read, in bytes: of some thousand keys.
pub const LARGEST: usize = 4 << 20;
/// The file that the manifest vouches for.
pub const PAYLOAD: &str = "payload.age";

/// What a bundle is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BundleKind {
    /// It holds keys of zones.
    Keys,
    /// It holds the private part of a TPM's recovery parent.
    RecoveryParent,
    /// It holds a key that was made for a drill.
    Canary,
}

/// A bundle's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The YAML document.
    pub header: Header,
    /// SHA-256 of each other file of the bundle, but for the signatures.
    pub files: BTreeMap<String, Digest>,
}

/// The YAML document of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Header {
    /// Always 1.
    pub version: Version1,
    /// The bundle's name.
    pub bundle: BundleId,
    /// What it is for.
    pub kind: BundleKind,
    /// When it was made.
    pub created: Time,
    /// When somebody looks at it again.
    pub review_by: Time,
    /// From when on nothing is restored from it.
    pub expires: Time,
    /// The bundle that it takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<BundleId>,
    /// How many shares open it.
    pub needed: u8,
    /// Who has a share.
    pub shares: Vec<ShareEntry>,
    /// The keys in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyEntry>,
    /// The recovery parents whose private part is in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery_parents: Vec<ParentEntry>,
    /// Other bundles without whose shares nothing in this one can be used: those of the recovery parents of its native keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opened_with: Vec<BundleId>,
    /// Who signed these bytes.
    pub signers: Signers,
}

/// A share, and who has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ShareEntry {
    /// Its number, from 1.
    pub number: u8,
    /// Who has it.
    pub custodian: SiteWord,
    /// To what it was encrypted; absent where it went to paper only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// SHA-256 of its words, in lower case with one blank between.
    pub sha256: Digest,
    /// SHA-256 of what its custodian reveals in each drill to come, in their order.
    pub drills: Vec<Digest>,
}

/// A key in a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KeyEntry {
    /// Its zone.
    pub zone: ZoneName,
    /// Its id.
    pub id: KeyId,
    /// What it is for.
    pub role: Role,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its size.
    pub bits: u16,
    /// Its key tag.
    pub key_tag: u16,
    /// The public key field of its DNSKEY.
    #[serde(with = "binary")]
    pub public_key: Vec<u8>,
    /// Its DS, digest type 2, without owner and TTL; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ds: Option<String>,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki_sha256: Digest,
    /// Where it was.
    pub token: TokenEntry,
    /// By what it left the token: a PKCS#11 mechanism, or `TPM2_Duplicate`.
    pub mechanism: String,
    /// What that gave: `RFC 5649`, or the Name of the recovery parent.
    pub flavour: String,
    /// SHA-256 of what left the token.
    pub copy_sha256: Digest,
}

/// A token that a key came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TokenEntry {
    /// Its name in the site.
    pub name: TokenName,
    /// Who made it, and what.
    pub make: String,
    /// Its serial number.
    pub serial: String,
    /// Its firmware.
    pub firmware: String,
}

/// A recovery parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ParentEntry {
    /// The TPM whose keys leave it for this parent.
    pub token: TokenName,
    /// Its Name, in hex.
    pub name: String,
    /// Its public area, TPM2B_PUBLIC.
    #[serde(with = "binary")]
    pub public: Vec<u8>,
}

/// Who signed a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Signers {
    /// The key by which a PKCS#11 token signs logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenSigner>,
    /// The attestation key of a TPM, where no PKCS#11 token was at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<TokenSigner>,
    /// Officers, by the name that they have in `allowed_signers`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub officers: Vec<String>,
}

/// A token that signed a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TokenSigner {
    /// Its name in the site.
    pub name: TokenName,
    /// The SubjectPublicKeyInfo of the key that signed.
    #[serde(with = "binary")]
    pub spki: Vec<u8>,
}

/// Why a text is no manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Too large.
    #[error("it has {found} bytes, a manifest has at most {LARGEST}")]
    Size {
        /// Its size.
        found: usize,
    },
    /// A byte that no manifest has.
    #[error("line {line} has a byte that is neither printable ASCII nor a line's end")]
    Byte {
        /// The line, from 1.
        line: usize,
    },
    /// A line that is neither part of the YAML nor of `sha256sum`.
    #[error("line {line} is neither '# ' and YAML nor a SHA-256 and a file's name")]
    Line {
        /// The line, from 1.
        line: usize,
    },
    /// The YAML is not what it must be.
    #[error("in the lines that start with '# '")]
    Yaml {
        /// Where and why.
        #[from]
        source: YamlError,
    },
    /// It cannot be written.
    #[error("it cannot be written as YAML: {reason}")]
    Render {
        /// Why.
        reason: String,
    },
    /// It is not written as Keyrite writes it, so that somebody else did.
    #[error("it is not as Keyrite writes one: line {line} differs")]
    Form {
        /// The line, from 1.
        line: usize,
    },
    /// The numbers of shares.
    #[error("needed: {source}")]
    Threshold {
        /// What is wrong.
        #[from]
        source: ThresholdError,
    },
    /// A field that contradicts another.
    #[error("{field}: {reason}")]
    Contradiction {
        /// The field.
        field: String,
        /// What is wrong.
        reason: String,
    },
}

impl Manifest {
    /// Reads a manifest: every line, and that its fields agree with each other.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > LARGEST {
            return Err(ManifestError::Size { found: bytes.len() });
        }
        let allowed = |byte: &u8| matches!(byte, b'\n' | 0x20..=0x7e);
        if let Some(place) = bytes.iter().position(|byte| !allowed(byte)) {
            let line = bytes[..place].iter().filter(|byte| **byte == b'\n').count() + 1;
            return Err(ManifestError::Byte { line });
        }
        let text = String::from_utf8_lossy(bytes);
        let (mut document, mut files) = (String::new(), BTreeMap::new());
        for (place, line) in text.lines().enumerate() {
            if let Some(yaml) = line.strip_prefix("# ") {
                document.push_str(yaml);
                document.push('\n');
                continue;
            }
            let wrong = || ManifestError::Line { line: place + 1 };
            let (digest, name) = line.split_once("  ").ok_or_else(wrong)?;
            let is_name = !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
            let digest = digest.parse().map_err(|_| wrong())?;
            if !is_name || name.starts_with('.') || files.insert(name.to_owned(), digest).is_some() {
                return Err(wrong());
            }
        }
        let header: Header = yaml::parse(&document)?;
        let manifest = Self { header, files };
        manifest.check()?;
        let written = manifest.to_text()?;
        if written.as_bytes() != bytes {
            let differs = |(ours, theirs): (&str, &str)| ours != theirs;
            let same = written
                .lines()
                .zip(text.lines())
                .take_while(|pair| !differs(*pair));
            return Err(ManifestError::Form {
                line: same.count() + 1,
            });
        }
        Ok(manifest)
    }

    /// The text of the file `manifest`.
    pub fn to_text(&self) -> Result<String, ManifestError> {
        let failed = |reason: String| ManifestError::Render { reason };
        let yaml = yaml::render(&self.header).map_err(|error| failed(error.to_string()))?;
        let mut text = String::new();
        let lines = yaml.lines().try_for_each(|line| writeln!(text, "# {line}"));
        let files = |()| {
            self.files
                .iter()
                .try_for_each(|(name, digest)| writeln!(text, "{digest}  {name}"))
        };
        lines.and_then(files).map_err(|error| failed(error.to_string()))?;
        if let Some(line) = text
            .lines()
            .position(|line| !line.bytes().all(|byte| matches!(byte, 0x20..=0x7e)))
        {
            return Err(ManifestError::Byte { line: line + 1 });
        }
        Ok(text)
    }

    /// How many shares there are, and how many suffice.
    pub fn threshold(&self) -> Result<Threshold, ThresholdError> {
        Threshold::new(self.header.needed.into(), self.header.shares.len())
    }

    fn check(&self) -> Result<(), ManifestError> {
        let wrong = |field: &str, reason: &str| ManifestError::Contradiction {
            field: field.to_owned(),
            reason: reason.to_owned(),
        };
        let header = &self.header;
        self.threshold()?;
        if !self.files.keys().map(String::as_str).eq([PAYLOAD]) {
            return Err(wrong(PAYLOAD, "it is the one file that a manifest vouches for"));
        }
        if header.created > header.review_by || header.review_by > header.expires {
            return Err(wrong(
                "expires",
                "created, review-by and expires follow each other in time",
            ));
        }
        let mut custodians = BTreeSet::new();
        for (place, share) in header.shares.iter().enumerate() {
            let field = format!("shares[{place}]");
            if usize::from(share.number) != place + 1 {
                return Err(wrong(&field, "shares are numbered from 1"));
            }
            if share.drills.len() != usize::from(DRILLS) {
                return Err(wrong(
                    &field,
                    "a share has as many commitments as there are drills",
                ));
            }
            if !custodians.insert(&share.custodian) {
                return Err(wrong(&field, "nobody has two shares"));
            }
        }
        let Signers { token, tpm, officers } = &header.signers;
        if token.is_none() && tpm.is_none() && officers.is_empty() {
            return Err(wrong("signers", "nobody signed it"));
        }
        if !header.signers.officers.iter().all(|name| is_principal(name)) {
            return Err(wrong("signers.officers", "a name that cannot be that of a file"));
        }
        match header.kind {
            BundleKind::Keys if header.keys.is_empty() => return Err(wrong("keys", "there are none")),
            BundleKind::Canary if header.keys.len() != 1 => return Err(wrong("keys", "a drill has one")),
            BundleKind::RecoveryParent if header.recovery_parents.is_empty() => {
                return Err(wrong("recovery-parents", "there are none"));
            }
            BundleKind::Keys | BundleKind::Canary | BundleKind::RecoveryParent => {}
        }
        let mut ids = BTreeSet::new();
        for (place, key) in header.keys.iter().enumerate() {
            let field = format!("keys[{place}]");
            if !ids.insert(key.id) {
                return Err(wrong(&field, "its id is there twice"));
            }
            key.check().map_err(|reason| wrong(&field, &reason))?;
        }
        Ok(())
    }
}

/// Whether an officer has a name that can be part of a file's: letters, digits, `.`, `_`, `-`, `@`, and no dot in front.
pub fn is_principal(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    !name.is_empty() && name.len() <= 64 && !name.starts_with('.') && name.bytes().all(allowed)
}

impl KeyEntry {
    /// The public key.
    pub fn public(&self) -> Result<PublicKey, PublicKeyError> {
        PublicKey::from_dnskey(KeyAlgorithm::from(self.algorithm), &self.public_key)
    }

    /// Whether it is that key of the zone.
    pub fn is(&self, key: &KeyRecord) -> bool {
        self.id == key.id && self.public().is_ok_and(|public| public == key.public_key)
    }

    /// Its zone, role and tag, for people.
    pub fn name(&self) -> String {
        format!("{} {} {}", self.zone, self.role, self.key_tag)
    }

    /// What follows from the public key, follows.
    fn check(&self) -> Result<(), String> {
        let public = self.public().map_err(|error| error.to_string())?;
        let spki = public.spki_sha256().map_err(|error| error.to_string())?;
        let follow = [
            (
                "key-tag",
                self.key_tag.to_string(),
                public.key_tag(self.role).to_string(),
            ),
            ("bits", self.bits.to_string(), public.bits().to_string()),
            ("spki-sha256", self.spki_sha256.to_string(), spki),
        ];
        match follow.iter().find(|(_, written, computed)| written != computed) {
            None => Ok(()),
            Some((field, written, computed)) => Err(format!(
                "{field} is {written}, but by the public key it is {computed}"
            )),
        }
    }
}
