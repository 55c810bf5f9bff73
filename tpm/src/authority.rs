//! The authority of a PCR policy: whose signature approves a state of the machine. Only its public key is ever here.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use key_metadata::{Advice, PolicyDigest};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use sha2::{Digest as _, Sha256};
use spki::SubjectPublicKeyInfoRef;
use spki::der::asn1::{ObjectIdentifier, UintRef};
use spki::der::{self, Decode, Reader, SliceReader};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::structures::{EccParameter, EccSignature, Public, PublicKeyRsa, RsaSignature, Signature};
use tss_esapi::traits::Marshall as _;
use tss_esapi::{Error, WrapperErrorKind};

use crate::name::{Name, name_of};
use crate::template::external_public;

/// The policy reference of every approval: what the authority signed for another purpose approves no state of a machine.
pub const POLICY_REF: &[u8] = b"keyrite pin";

/// TPM_CC_PolicyAuthorize.
const POLICY_AUTHORIZE: u32 = 0x0000_016a;
/// The public exponent of every RSA key here, as bytes.
const EXPONENT: [u8; 3] = [1, 0, 1];
/// The length of an RSA modulus and signature, in bytes.
const RSA_LENGTH: usize = 256;

/// The public key of an authority, and its Name.
#[derive(Clone, Debug)]
pub struct Authority {
    key: ExternalKey,
    name: Name,
}

/// A public key from outside the TPM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExternalKey {
    P256 { x: [u8; 32], y: [u8; 32] },
    Rsa2048 { modulus: Vec<u8> },
}

/// Why a text is no authority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The private key, which has no business here.
    #[error("this is a private key")]
    PrivateKey,
    /// Not `-----BEGIN PUBLIC KEY-----`.
    #[error("this is no public key in PEM")]
    NotPem,
    /// What is in the PEM is no SubjectPublicKeyInfo (RFC 5280, 4.1.2.7).
    #[error("this PEM holds no public key")]
    NotAKey,
    /// A key that is not used here.
    #[error("an authority's key is P-256, or RSA-2048 with the exponent 65537, and this is another")]
    OtherKind,
}

impl Advice for AuthorityError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::PrivateKey => Some(
                "take it off this machine, and put its public key here: openssl pkey -in KEY -pubout".to_owned(),
            ),
            Self::NotPem | Self::NotAKey | Self::OtherKind => Some(
                "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes a key, openssl pkey -in KEY -pubout its public part"
                    .to_owned(),
            ),
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// A signature that approves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not as `openssl dgst -sha256 -sign` writes one by such a key.
    #[error("this is no {kind} signature")]
    Form {
        /// The authority's kind of key.
        kind: String,
    },
    /// Another key's, or over something else.
    #[error("this is not the authority's signature over {digest} and '{}'", POLICY_REF.escape_ascii())]
    Wrong {
        /// What it should approve.
        digest: PolicyDigest,
    },
}

/// What the authority signs, with SHA-256, to approve a policy (TPM 2.0 part 3, 23.16: approvedPolicy || policyRef).
pub fn to_be_approved(digest: PolicyDigest) -> Vec<u8> {
    [&digest.0, POLICY_REF].concat()
}

impl Authority {
    /// Reads `-----BEGIN PUBLIC KEY-----`, as `openssl pkey -pubout` writes it.
    pub fn from_pem(text: &str) -> Result<Self, AuthorityError> {
        if text.contains("PRIVATE KEY-----") {
            return Err(AuthorityError::PrivateKey);
        }
        let body = text
            .split_once("-----BEGIN PUBLIC KEY-----")
            .and_then(|(_, rest)| rest.split_once("-----END PUBLIC KEY-----"))
            .map(|(body, _)| body.split_ascii_whitespace().collect::<String>());
        let der = body.and_then(|body| STANDARD.decode(body).ok());
        Self::from_spki_der(&der.ok_or(AuthorityError::NotPem)?)
    }

    /// Reads a DER SubjectPublicKeyInfo.
    pub fn from_spki_der(bytes: &[u8]) -> Result<Self, AuthorityError> {
        let info = SubjectPublicKeyInfoRef::from_der(bytes).map_err(|_| AuthorityError::NotAKey)?;
        let parameters = info.algorithm.parameters;
        let curve = parameters.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        let bits = info.subject_public_key.raw_bytes();
        let key = match info.algorithm.oid.to_string().as_str() {
            "1.2.840.10045.2.1" if curve.is_some_and(|curve| curve.to_string() == "1.2.840.10045.3.1.7") => {
                ExternalKey::from_point(bits)
            }
            "1.2.840.113549.1.1.1" => ExternalKey::from_rsa(bits).map_err(|_| AuthorityError::NotAKey)?,
            _ => None,
        };
        key.and_then(Self::of).ok_or(AuthorityError::OtherKind)
    }

    pub(crate) fn of(key: ExternalKey) -> Option<Self> {
        let area = external_public(&key).and_then(|public| public.marshall());
        let name = name_of(&area.ok()?)?;
        Some(Self { key, name })
    }

    /// Its Name, as `tpm2_loadexternal -G ecc` or `-G rsa` and systemd have it.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The kind of its key.
    pub fn kind(&self) -> &'static str {
        match self.key {
            ExternalKey::P256 { .. } => "P-256",
            ExternalKey::Rsa2048 { .. } => "RSA-2048",
        }
    }

    /// The digest of the policy that this authority has approved a policy, whichever (TPM 2.0 part 3, 23.16).
    pub fn policy_digest(&self) -> PolicyDigest {
        let approved = Sha256::new()
            .chain_update([0; 32])
            .chain_update(POLICY_AUTHORIZE.to_be_bytes())
            .chain_update(self.name.as_bytes())
            .finalize();
        let with_reference = Sha256::new()
            .chain_update(approved)
            .chain_update(POLICY_REF)
            .finalize();
        PolicyDigest(with_reference.into())
    }

    /// Whether that is its signature approving a policy; found in software, without a TPM.
    pub fn check(&self, digest: PolicyDigest, signature: &[u8]) -> Result<(), SignatureError> {
        self.signature(signature)?;
        let message = to_be_approved(digest);
        let checked = match &self.key {
            ExternalKey::P256 { x, y } => {
                let point = [&[4][..], x, y].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(&message, signature)
            }
            ExternalKey::Rsa2048 { modulus } => {
                let n = modulus.as_slice();
                let key = RsaPublicKeyComponents { n, e: &EXPONENT };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, &message, signature)
            }
        };
        checked.map_err(|_| SignatureError::Wrong { digest })
    }

    /// A signature as the TPM takes it.
    pub(crate) fn signature(&self, bytes: &[u8]) -> Result<Signature, SignatureError> {
        let parsed = match &self.key {
            ExternalKey::P256 { .. } => ecdsa(bytes),
            ExternalKey::Rsa2048 { .. } => rsa_ssa(bytes),
        };
        parsed.map_err(|_| SignatureError::Form {
            kind: self.kind().to_owned(),
        })
    }

    /// What TPM2_LoadExternal takes.
    pub(crate) fn public(&self) -> Result<Public, Error> {
        external_public(&self.key)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, Name {}", self.kind(), self.name)
    }
}

impl ExternalKey {
    /// An uncompressed point (SEC 1, 2.3.3).
    pub(crate) fn from_point(bytes: &[u8]) -> Option<Self> {
        let (x, y) = bytes.strip_prefix(&[4])?.split_at_checked(32)?;
        Some(Self::P256 {
            x: x.try_into().ok()?,
            y: y.try_into().ok()?,
        })
    }

    fn from_rsa(bytes: &[u8]) -> Result<Option<Self>, der::Error> {
        let key = pkcs1::RsaPublicKey::from_der(bytes)?;
        let modulus = key.modulus.as_bytes();
        let fits = modulus.len() == RSA_LENGTH && modulus.first().is_some_and(|first| *first >= 0x80);
        Ok(
            (fits && key.public_exponent.as_bytes() == EXPONENT).then(|| Self::Rsa2048 {
                modulus: modulus.to_vec(),
            }),
        )
    }
}

/// Ecdsa-Sig-Value (RFC 3279, 2.2.3).
fn ecdsa(bytes: &[u8]) -> Result<Signature, Error> {
    let wrong = |_| Error::WrapperError(WrapperErrorKind::InvalidParam);
    let mut reader = SliceReader::new(bytes).map_err(wrong)?;
    let (r, s) = reader
        .sequence(|inner| Ok((UintRef::decode(inner)?, UintRef::decode(inner)?)))
        .map_err(wrong)?;
    reader.finish(()).map_err(wrong)?;
    let coordinate = |number: UintRef<'_>| {
        let bytes = number.as_bytes();
        if bytes.len() > 32 {
            return Err(Error::WrapperError(WrapperErrorKind::WrongParamSize));
        }
        EccParameter::try_from(crate::blob::left_padded(bytes, 32))
    };
    Ok(Signature::EcDsa(EccSignature::create(
        HashingAlgorithm::Sha256,
        coordinate(r)?,
        coordinate(s)?,
    )?))
}

fn rsa_ssa(bytes: &[u8]) -> Result<Signature, Error> {
    if bytes.len() != RSA_LENGTH {
        return Err(Error::WrapperError(WrapperErrorKind::WrongParamSize));
    }
    Ok(Signature::RsaSsa(RsaSignature::create(
        HashingAlgorithm::Sha256,
        PublicKeyRsa::try_from(bytes)?,
    )?))
}
