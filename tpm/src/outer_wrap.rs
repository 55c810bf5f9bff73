//! What is encrypted in software so that only one key of a TPM opens it: a credential, or a key that goes under it; and what a TPM
//! encrypted so for a key that is in none.
//!
//! Both are alike (TPM 2.0 part 1, 23.3.2 and 24, with annexes B.10 for RSA and C.6 for ECC): a seed for the key, and under keys that are
//! derived from the seed and a Name, the content encrypted and its HMAC.

use aes::cipher::{AsyncStreamCipher, KeyIvInit};
use aes::{Aes128, Aes256};
use cfb_mode::{Decryptor, Encryptor};
use ring::agreement::{
    Algorithm, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral,
};
use ring::hmac;
use ring::rand::SystemRandom;
use rsa::rand_core::{OsRng, RngCore};
use rsa::{BigUint, Oaep, RsaPublicKey};
use sha2::{Sha256, Sha384};
use zeroize::Zeroizing;

use crate::blob::{left_padded, only_sized, split_sized, with_size};
use crate::ek_template::Strength;
use crate::name::Name;
use crate::public_key::EkPublicKey;
use crate::recovery::{FIELD, RecoverySecret};

/// The labels of part 1, 23.3.2, 24.4 and 24.5; each ends with a zero byte.
const STORAGE: &[u8] = b"STORAGE\0";
const INTEGRITY: &[u8] = b"INTEGRITY\0";

/// What is wrapped; a seed for one is none for the other.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// A credential, for TPM2_ActivateCredential.
    Credential,
    /// A key's sensitive area, for TPM2_Import.
    Duplicate,
}

impl Purpose {
    /// The labels of annexes B.10.3, B.10.4, C.6.3 and C.6.4; each ends with a zero byte.
    const fn label(self) -> &'static str {
        match self {
            Self::Credential => "IDENTITY\0",
            Self::Duplicate => "DUPLICATE\0",
        }
    }
}

/// A content that only one key opens, bound to the Name of another.
pub(crate) struct Wrapped {
    /// The contents of TPM2B_ID_OBJECT or of TPM2B_PRIVATE.
    pub(crate) object: Vec<u8>,
    /// The contents of TPM2B_ENCRYPTED_SECRET.
    pub(crate) seed: Vec<u8>,
}

impl Wrapped {
    /// `content` for the holder of `key`, of that strength; `None` where the key is none.
    pub(crate) fn make(
        strength: Strength,
        purpose: Purpose,
        key: &EkPublicKey,
        name: &Name,
        content: &[u8],
    ) -> Option<Self> {
        let (seed, encrypted) = match key {
            EkPublicKey::Rsa { modulus, exponent } => rsa_seed(strength, purpose, modulus, exponent),
            EkPublicKey::P256(point) => ecc_seed(strength, purpose, &ECDH_P256, point),
            EkPublicKey::P384(point) => ecc_seed(strength, purpose, &ECDH_P384, point),
        }?;
        Some(Self {
            object: protect(strength, &seed, name, content)?,
            seed: encrypted,
        })
    }

    /// The content, for the holder of the key, a P-256 one of the standard strength; `None` where the whole is not as it was made for that
    /// key, purpose and Name.
    pub(crate) fn open(
        &self,
        key: &RecoverySecret,
        purpose: Purpose,
        name: &Name,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let (x, rest) = split_sized(&self.seed)?;
        let y = only_sized(rest)?;
        // A TPM may leave out leading zeros; more than the field's length is no coordinate.
        let point = [&[4], &left_padded(x, FIELD)[..], &left_padded(y, FIELD)].concat();
        let (x, _) = coordinates(&point)?;
        let shared = key.agree(&point)?;
        let seed = kdf_e(
            Strength::Standard,
            purpose,
            shared.raw_secret_bytes(),
            x,
            key.parent().x(),
        );
        unprotect(&seed, name, &self.object)
    }
}

/// A seed and its OAEP encryption (annex B.10).
fn rsa_seed(
    strength: Strength,
    purpose: Purpose,
    modulus: &[u8],
    exponent: &[u8],
) -> Option<(Zeroizing<Vec<u8>>, Vec<u8>)> {
    let key = RsaPublicKey::new(BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent)).ok()?;
    let mut seed = Zeroizing::new(vec![0; strength.length()]);
    OsRng.try_fill_bytes(&mut seed).ok()?;
    let padding = match strength {
        Strength::Standard => Oaep::new_with_label::<Sha256, _>(purpose.label()),
        Strength::High => Oaep::new_with_label::<Sha384, _>(purpose.label()),
    };
    let encrypted = key.encrypt(&mut OsRng, padding, &seed).ok()?;
    Some((seed, encrypted))
}

/// A seed agreed with an ephemeral key (annex C.6), and that key's public point as TPMS_ECC_POINT.
fn ecc_seed(
    strength: Strength,
    purpose: Purpose,
    curve: &'static Algorithm,
    point: &[u8],
) -> Option<(Zeroizing<Vec<u8>>, Vec<u8>)> {
    let ephemeral = EphemeralPrivateKey::generate(curve, &SystemRandom::new()).ok()?;
    let public = ephemeral.compute_public_key().ok()?;
    let (x, y) = coordinates(public.as_ref())?;
    let (static_x, _) = coordinates(point)?;
    let peer = UnparsedPublicKey::new(curve, point);
    let seed = agree_ephemeral(ephemeral, &peer, |shared| {
        kdf_e(strength, purpose, shared, x, static_x)
    })
    .ok()?;
    Some((seed, [with_size(x), with_size(y)].concat()))
}

/// x and y of an uncompressed point.
fn coordinates(point: &[u8]) -> Option<(&[u8], &[u8])> {
    let both = point.strip_prefix(&[4])?;
    Some(both.split_at(both.len() / 2))
}

/// The HMAC as TPM2B, and what it covers, the content's TPM2B encrypted (part 1, 23.3.2, 24.4 and 24.5).
fn protect(strength: Strength, seed: &[u8], name: &Name, content: &[u8]) -> Option<Vec<u8>> {
    let key_bits = match strength {
        Strength::Standard => 128,
        Strength::High => 256,
    };
    let key = kdf_a(strength, seed, STORAGE, name.as_bytes(), key_bits);
    // The only copy, which is encrypted where it is.
    let mut encrypted = with_size(content);
    let start = [0; 16];
    match strength {
        Strength::Standard => Encryptor::<Aes128>::new_from_slices(&key, &start)
            .ok()?
            .encrypt(&mut encrypted),
        Strength::High => Encryptor::<Aes256>::new_from_slices(&key, &start)
            .ok()?
            .encrypt(&mut encrypted),
    }
    let digest_bits = match strength {
        Strength::Standard => 256,
        Strength::High => 384,
    };
    let key = kdf_a(strength, seed, INTEGRITY, &[], digest_bits);
    let mut covered = encrypted.clone();
    covered.extend_from_slice(name.as_bytes());
    let tag = hmac::sign(&hmac::Key::new(mac(strength), &key), &covered);
    let mut object = with_size(tag.as_ref());
    object.append(&mut encrypted);
    Some(object)
}

/// The reverse of [`protect`] for the standard strength; `None` where the HMAC is another.
fn unprotect(seed: &[u8], name: &Name, object: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let strength = Strength::Standard;
    let (tag, encrypted) = split_sized(object)?;
    let key = kdf_a(strength, seed, INTEGRITY, &[], 256);
    let covered = [encrypted, name.as_bytes()].concat();
    hmac::verify(&hmac::Key::new(mac(strength), &key), &covered, tag).ok()?;
    let key = kdf_a(strength, seed, STORAGE, name.as_bytes(), 128);
    let mut content = Zeroizing::new(encrypted.to_vec());
    Decryptor::<Aes128>::new_from_slices(&key, &[0; 16])
        .ok()?
        .decrypt(&mut content);
    let prefix = content.len() - only_sized(&content)?.len();
    // In its place, so that there is one copy.
    content.drain(..prefix);
    Some(content)
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
fn kdf_e(
    strength: Strength,
    purpose: Purpose,
    shared: &[u8],
    ephemeral_x: &[u8],
    static_x: &[u8],
) -> Zeroizing<Vec<u8>> {
    let round = 1_u32.to_be_bytes();
    Zeroizing::new(strength.digest(&[&round, shared, purpose.label().as_bytes(), ephemeral_x, static_x]))
}
