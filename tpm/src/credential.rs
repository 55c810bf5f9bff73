//! TPM2_MakeCredential in software: a secret that one TPM alone gives back, and only where it holds a certain key as well.
//!
//! TPM 2.0 part 1, 24, with annexes B.10.4 (RSA) and C.6.4 (ECC). It is not left to the TPM, since the TPM is what it examines.

use aes::cipher::{AsyncStreamCipher, KeyIvInit};
use aes::{Aes128, Aes256};
use cfb_mode::Encryptor;
use key_metadata::Advice;
use ring::agreement::{ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hmac;
use ring::rand::SystemRandom;
use rsa::rand_core::{OsRng, RngCore};
use rsa::{BigUint, Oaep, RsaPublicKey};
use sha2::{Sha256, Sha384};
use zeroize::Zeroizing;

use crate::blob::with_size;
use crate::ek_template::{EkTemplate, Strength};
use crate::name::Name;
use crate::public_key::EkPublicKey;

/// The longest secret, in bytes: a digest of the endorsement key's hash (TPM2_MakeCredential; TPM 2.0 part 3, 12.6). SHA-256 in any case.
pub(crate) const LONGEST: usize = 32;

/// The labels of part 1, 24.4 and 24.5, and of annexes B.10.4 and C.6.4; each ends with a zero byte.
const IDENTITY: &str = "IDENTITY\0";
const STORAGE: &[u8] = b"STORAGE\0";
const INTEGRITY: &[u8] = b"INTEGRITY\0";

/// A secret for the holder of two keys: the endorsement key that it is encrypted for, and the key whose Name it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The contents of TPM2B_ID_OBJECT.
    pub(crate) object: Vec<u8>,
    /// The contents of TPM2B_ENCRYPTED_SECRET.
    pub(crate) secret: Vec<u8>,
}

/// Why a credential was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The key is not of the template's kind.
    #[error("this key is none of the template {template}")]
    OtherKind {
        /// The template.
        template: EkTemplate,
    },
    /// A number or a point that makes no key.
    #[error("nothing can be encrypted for this {template} key")]
    Unusable {
        /// The template.
        template: EkTemplate,
    },
    /// A secret of no bytes or of too many.
    #[error("a credential holds 1 to {LONGEST} bytes, not {length}")]
    Length {
        /// The secret's length, in bytes.
        length: usize,
    },
}

impl Advice for CredentialError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::OtherKind { .. } | Self::Unusable { .. } => Some(
                "the endorsement key's certificate is not what its place says; ask the TPM's maker"
                    .to_owned(),
            ),
            Self::Length { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl Credential {
    /// Encrypts `secret` for the endorsement key, bound to the Name of a key that must be in the same TPM.
    ///
    /// `key` comes from the certificate, not from the TPM.
    pub fn make(
        template: EkTemplate,
        key: &EkPublicKey,
        name: &Name,
        secret: &[u8],
    ) -> Result<Self, CredentialError> {
        let length = secret.len();
        if !(1..=LONGEST).contains(&length) {
            return Err(CredentialError::Length { length });
        }
        let strength = template.strength();
        let (seed, encrypted) = match (template, key) {
            (
                EkTemplate::Rsa2048 | EkTemplate::Rsa2048High | EkTemplate::Rsa3072,
                EkPublicKey::Rsa { modulus, exponent },
            ) => rsa_seed(strength, modulus, exponent),
            (EkTemplate::P256 | EkTemplate::P256High, EkPublicKey::P256(point))
            | (EkTemplate::P384, EkPublicKey::P384(point)) => ecc_seed(strength, point),
            (
                EkTemplate::Rsa2048
                | EkTemplate::Rsa2048High
                | EkTemplate::Rsa3072
                | EkTemplate::P256
                | EkTemplate::P256High
                | EkTemplate::P384,
                EkPublicKey::Rsa { .. } | EkPublicKey::P256(_) | EkPublicKey::P384(_),
            ) => return Err(CredentialError::OtherKind { template }),
        }
        .ok_or(CredentialError::Unusable { template })?;
        let object = protect(strength, &seed, name, secret).ok_or(CredentialError::Unusable { template })?;
        Ok(Self {
            object,
            secret: encrypted,
        })
    }

    /// The file that `tpm2_activatecredential -i` takes: its magic number and version, TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = [0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1];
        [
            &header,
            with_size(&self.object).as_slice(),
            &with_size(&self.secret),
        ]
        .concat()
    }
}

/// A seed and its OAEP encryption, under the label of annex B.10.4.
fn rsa_seed(strength: Strength, modulus: &[u8], exponent: &[u8]) -> Option<(Zeroizing<Vec<u8>>, Vec<u8>)> {
    let key = RsaPublicKey::new(BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent)).ok()?;
    let mut seed = Zeroizing::new(vec![0; strength.length()]);
    OsRng.try_fill_bytes(&mut seed).ok()?;
    let padding = match strength {
        Strength::Standard => Oaep::new_with_label::<Sha256, _>(IDENTITY),
        Strength::High => Oaep::new_with_label::<Sha384, _>(IDENTITY),
    };
    let encrypted = key.encrypt(&mut OsRng, padding, &seed).ok()?;
    Some((seed, encrypted))
}

/// A seed agreed with an ephemeral key (annex C.6.4), and that key's public point as TPMS_ECC_POINT.
fn ecc_seed(strength: Strength, point: &[u8]) -> Option<(Zeroizing<Vec<u8>>, Vec<u8>)> {
    let curve = match strength {
        Strength::Standard => &ECDH_P256,
        Strength::High => &ECDH_P384,
    };
    let ephemeral = EphemeralPrivateKey::generate(curve, &SystemRandom::new()).ok()?;
    let public = ephemeral.compute_public_key().ok()?;
    let (x, y) = coordinates(public.as_ref())?;
    let (static_x, _) = coordinates(point)?;
    let peer = UnparsedPublicKey::new(curve, point);
    let seed = agree_ephemeral(ephemeral, &peer, |shared| kdf_e(strength, shared, x, static_x)).ok()?;
    Some((seed, [with_size(x), with_size(y)].concat()))
}

/// x and y of an uncompressed point.
fn coordinates(point: &[u8]) -> Option<(&[u8], &[u8])> {
    let both = point.strip_prefix(&[4])?;
    Some(both.split_at(both.len() / 2))
}

/// TPMS_ID_OBJECT: the HMAC as TPM2B, and what it covers, the secret's TPM2B encrypted (part 1, 24.4 and 24.5).
fn protect(strength: Strength, seed: &[u8], name: &Name, secret: &[u8]) -> Option<Vec<u8>> {
    let key_bits = match strength {
        Strength::Standard => 128,
        Strength::High => 256,
    };
    let key = kdf_a(strength, seed, STORAGE, name.as_bytes(), key_bits);
    let mut identity = with_size(secret);
    let start = [0; 16];
    match strength {
        Strength::Standard => Encryptor::<Aes128>::new_from_slices(&key, &start)
            .ok()?
            .encrypt(&mut identity),
        Strength::High => Encryptor::<Aes256>::new_from_slices(&key, &start)
            .ok()?
            .encrypt(&mut identity),
    }
    let digest_bits = match strength {
        Strength::Standard => 256,
        Strength::High => 384,
    };
    let key = kdf_a(strength, seed, INTEGRITY, &[], digest_bits);
    let mut covered = identity.clone();
    covered.extend_from_slice(name.as_bytes());
    let tag = hmac::sign(&hmac::Key::new(mac(strength), &key), &covered);
    let mut object = with_size(tag.as_ref());
    object.append(&mut identity);
    Some(object)
}

fn mac(strength: Strength) -> hmac::Algorithm {
    match strength {
        Strength::Standard => hmac::HMAC_SHA256,
        Strength::High => hmac::HMAC_SHA384,
    }
}

/// KDFa (part 1, 11.4.10.2) with one context, for at most a digest: one round.
fn kdf_a(strength: Strength, key: &[u8], label: &[u8], context: &[u8], bits: u32) -> Zeroizing<Vec<u8>> {
    let key = hmac::Key::new(mac(strength), key);
    let input = [&1_u32.to_be_bytes(), label, context, &bits.to_be_bytes()].concat();
    let mut output = Zeroizing::new(hmac::sign(&key, &input).as_ref().to_vec());
    output.truncate(bits as usize / 8);
    output
}

/// KDFe (part 1, 11.4.10.3) for a digest: one round.
fn kdf_e(strength: Strength, shared: &[u8], ephemeral_x: &[u8], static_x: &[u8]) -> Zeroizing<Vec<u8>> {
    let round = 1_u32.to_be_bytes();
    Zeroizing::new(strength.digest(&[&round, shared, IDENTITY.as_bytes(), ephemeral_x, static_x]))
}
