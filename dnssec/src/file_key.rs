//! A private key in memory, of a laboratory: parsed once, wiped when it is dropped, and used by any number of threads at once.

use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsBigEndian, AsDer, Curve25519SeedBin, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding, RsaKeyPair,
};
use key_metadata::{Advice, Algorithm, KeyAlgorithm, KeySpec, PublicKey, SoftwareKey, SoftwareSecret};
use zeroize::Zeroizing;

/// A private key that was read from a file. It prints and copies in no way; AWS-LC wipes what it frees.
pub struct FileKey {
    path: PathBuf,
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Why what a file has is no key that signs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoFileKey {
    /// The key is of an algorithm that is only read.
    #[error("{}: Keyrite does not sign with {algorithm}", path.display())]
    Legacy {
        /// The file.
        path: PathBuf,
        /// The algorithm.
        algorithm: KeyAlgorithm,
    },
    /// An RSA key of another size.
    #[error("{}, Modulus: it has {bits} bits, and an RSA key in a file has 2048 to 4096", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// Its size.
        bits: u16,
    },
    /// Numbers that make no key, or not the one of the public key.
    #[error("{}, {fields}: they make no key of {algorithm} with that public key", path.display())]
    Numbers {
        /// The file.
        path: PathBuf,
        /// Their names in the file.
        fields: &'static str,
        /// The algorithm.
        algorithm: Algorithm,
    },
}

impl Advice for NoFileKey {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Legacy { .. } | Self::Size { .. } => Some("make a key that Keyrite makes too".to_owned()),
            Self::Numbers { .. } => Some("the file is damaged: put back its last good copy".to_owned()),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Legacy { .. } | Self::Size { .. } | Self::Numbers { .. } => false,
        }
    }
}

/// Why a key of a file did not sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileSignError {
    /// It is a key of another algorithm.
    #[error("the key of {} is of {own}, and does not sign for {algorithm}", path.display())]
    Algorithm {
        /// The file.
        path: PathBuf,
        /// The key's.
        own: Algorithm,
        /// The one asked for.
        algorithm: Algorithm,
    },
    /// The library failed.
    #[error("the key of {} made no signature", path.display())]
    Library {
        /// The file.
        path: PathBuf,
    },
}

impl Advice for FileSignError {
    fn hint(&self) -> Option<String> {
        None
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Algorithm { .. } | Self::Library { .. } => false,
        }
    }
}

impl FileKey {
    /// The key that was read from that file, if its numbers make one: RSA's are held against each other (RFC 8017 3.2), and a curve's public half
    /// is computed.
    pub fn new(path: &Path, key: &SoftwareKey) -> Result<Self, NoFileKey> {
        let public_key = &key.public_key;
        let algorithm = public_key.algorithm().made().ok_or_else(|| NoFileKey::Legacy {
            path: path.to_owned(),
            algorithm: public_key.algorithm(),
        })?;
        let bits = public_key.bits();
        let mut fields = "PrivateKey";
        let pair = match (algorithm, &key.secret) {
            (Algorithm::RsaSha256 | Algorithm::RsaSha512, _) if !(2048..=4096).contains(&bits) => {
                let path = path.to_owned();
                return Err(NoFileKey::Size { path, bits });
            }
            (Algorithm::RsaSha256 | Algorithm::RsaSha512, SoftwareSecret::Rsa(_)) => {
                fields = "Modulus to Coefficient";
                let der = key.to_pkcs1();
                der.and_then(|der| RsaKeyPair::from_der(&der).ok()).map(Pair::Rsa)
            }
            (Algorithm::EcdsaP256Sha256, SoftwareSecret::Scalar(scalar)) => {
                ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, scalar, public_key)
            }
            (Algorithm::EcdsaP384Sha384, SoftwareSecret::Scalar(scalar)) => {
                ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, scalar, public_key)
            }
            (Algorithm::Ed25519, SoftwareSecret::Scalar(seed)) => {
                let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public_key.as_dnskey());
                pair.ok().map(Pair::Ed25519)
            }
            (
                Algorithm::RsaSha256
                | Algorithm::RsaSha512
                | Algorithm::EcdsaP256Sha256
                | Algorithm::EcdsaP384Sha384
                | Algorithm::Ed25519,
                SoftwareSecret::Rsa(_) | SoftwareSecret::Scalar(_),
            ) => None,
        };
        let path = path.to_owned();
        match pair {
            Some(pair) => Ok(Self {
                path,
                algorithm,
                pair,
            }),
            None => Err(NoFileKey::Numbers {
                path,
                fields,
                algorithm,
            }),
        }
    }

    /// The signature of `data` as an RRSIG carries it (RFC 3110, 6605, 8080).
    pub fn sign(&self, algorithm: Algorithm, data: &[u8]) -> Result<Vec<u8>, FileSignError> {
        if algorithm != self.algorithm {
            return Err(FileSignError::Algorithm {
                path: self.path.clone(),
                own: self.algorithm,
                algorithm,
            });
        }
        let failed = |_: Unspecified| FileSignError::Library {
            path: self.path.clone(),
        };
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match algorithm {
                    Algorithm::RsaSha512 => &RSA_PKCS1_SHA512,
                    Algorithm::RsaSha256
                    | Algorithm::EcdsaP256Sha256
                    | Algorithm::EcdsaP384Sha384
                    | Algorithm::Ed25519 => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, data, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => Ok(pair.sign(&random, data).map_err(failed)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(data).map_err(failed)?.as_ref().to_vec()),
        }
    }
}

fn ecdsa(curve: &'static EcdsaSigningAlgorithm, scalar: &[u8], public_key: &PublicKey) -> Option<Pair> {
    let point = [&[0x04], public_key.as_dnskey()].concat();
    let pair = EcdsaKeyPair::from_private_key_and_public_key(curve, scalar, &point);
    pair.ok().map(Pair::Ecdsa)
}

/// A new key pair from the library's generator; `None` where that fails.
pub(crate) fn generate(spec: KeySpec) -> Option<SoftwareKey> {
    let algorithm = spec.algorithm();
    match algorithm {
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => {
            let size = match spec.bits() {
                2048 => KeySize::Rsa2048,
                3072 => KeySize::Rsa3072,
                4096 => KeySize::Rsa4096,
                _ => return None,
            };
            let pair = RsaKeyPair::generate(size).ok()?;
            let public = pair.public_key();
            let (modulus, exponent) = (public.modulus(), public.exponent());
            let [modulus, exponent] =
                [modulus, exponent].map(|integer| integer.big_endian_without_leading_zero().to_vec());
            let public_key = PublicKey::rsa(algorithm, &modulus, &exponent).ok()?;
            let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
            SoftwareKey::from_pkcs8(der.as_ref(), &public_key).ok()
        }
        Algorithm::EcdsaP256Sha256 => new_ecdsa(algorithm, &ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::EcdsaP384Sha384 => new_ecdsa(algorithm, &ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::Ed25519 => {
            let pair = Ed25519KeyPair::generate().ok()?;
            let seed: Curve25519SeedBin<'_> = pair.seed().ok()?.as_be_bytes().ok()?;
            scalar(algorithm, pair.public_key().as_ref(), seed.as_ref())
        }
    }
}

fn new_ecdsa(algorithm: Algorithm, curve: &'static EcdsaSigningAlgorithm) -> Option<SoftwareKey> {
    let pair = EcdsaKeyPair::generate(curve).ok()?;
    let secret: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().ok()?;
    let point = pair.public_key().as_ref().strip_prefix(&[0x04])?;
    scalar(algorithm, point, secret.as_ref())
}

fn scalar(algorithm: Algorithm, public_key: &[u8], secret: &[u8]) -> Option<SoftwareKey> {
    Some(SoftwareKey {
        public_key: PublicKey::from_dnskey(algorithm, public_key).ok()?,
        secret: SoftwareSecret::Scalar(Zeroizing::new(secret.to_vec())),
    })
}
