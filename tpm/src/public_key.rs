//! The public half of a TPM's key, as a SubjectPublicKeyInfo and back.

use key_metadata::{Advice, Algorithm, PublicKey};
use pkcs1::RsaPublicKey;
use spki::SubjectPublicKeyInfoRef;
use spki::der::Decode;
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::structures::Public;

use crate::blob::left_padded;

/// rsaEncryption and id-RSAES-OAEP (RFC 8017, appendix A): TPM vendors write either for an endorsement key.
const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const RSAES_OAEP: &str = "1.2.840.113549.1.1.7";
/// id-ecPublicKey, secp256r1 and secp384r1 (RFC 5480, 2.1.1).
const EC: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";

/// A public key, however its SubjectPublicKeyInfo is written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EkPublicKey {
    /// RSA; big-endian integers without leading zeros.
    Rsa {
        /// The modulus.
        modulus: Vec<u8>,
        /// The public exponent.
        exponent: Vec<u8>,
    },
    /// A point of P-256: 4, x and y, 65 bytes.
    P256(Vec<u8>),
    /// A point of P-384: 4, x and y, 97 bytes.
    P384(Vec<u8>),
}

/// Bytes that are no key that a TPM's template gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no SubjectPublicKeyInfo of an RSA, P-256 or P-384 key")]
pub struct EkPublicKeyError;

impl Advice for EkPublicKeyError {
    fn hint(&self) -> Option<String> {
        None
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl EkPublicKey {
    /// Reads a DER SubjectPublicKeyInfo (RFC 5280, 4.1.2.7).
    pub fn from_spki(der: &[u8]) -> Result<Self, EkPublicKeyError> {
        Self::read(der).ok_or(EkPublicKeyError)
    }

    fn read(der: &[u8]) -> Option<Self> {
        let spki = SubjectPublicKeyInfoRef::from_der(der).ok()?;
        let key = spki.subject_public_key.as_bytes()?;
        match spki.algorithm.oid.to_string().as_str() {
            RSA_ENCRYPTION | RSAES_OAEP => {
                let key = RsaPublicKey::from_der(key).ok()?;
                Some(Self::Rsa {
                    modulus: key.modulus.as_bytes().to_vec(),
                    exponent: key.public_exponent.as_bytes().to_vec(),
                })
            }
            EC => match (
                spki.algorithm.parameters_oid().ok()?.to_string().as_str(),
                key.len(),
                key.first(),
            ) {
                (P256, 65, Some(4)) => Some(Self::P256(key.to_vec())),
                (P384, 97, Some(4)) => Some(Self::P384(key.to_vec())),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The SubjectPublicKeyInfo of a public area; `None` for what is no RSA, P-256 or P-384 key.
pub(crate) fn spki_of(public: &Public) -> Option<Vec<u8>> {
    // The algorithm stands for its kind of key: the SubjectPublicKeyInfo does not say what it signs with.
    let key = match public {
        Public::Rsa {
            unique, parameters, ..
        } => {
            // 0 stands for the default (TPM 2.0 part 2, 12.2.3.5).
            let exponent = match parameters.exponent().value() {
                0 => 65_537,
                given => given,
            };
            PublicKey::rsa(Algorithm::RsaSha256, unique, &exponent.to_be_bytes())
        }
        Public::Ecc {
            unique, parameters, ..
        } => {
            let (algorithm, length) = match parameters.ecc_curve() {
                EccCurve::NistP256 => (Algorithm::EcdsaP256Sha256, 32),
                EccCurve::NistP384 => (Algorithm::EcdsaP384Sha384, 48),
                _ => return None,
            };
            let coordinates = [left_padded(unique.x(), length), left_padded(unique.y(), length)];
            PublicKey::from_dnskey(algorithm, &coordinates.concat())
        }
        Public::KeyedHash { .. } | Public::SymCipher { .. } => return None,
    };
    key.ok()?.spki_der().ok()
}
