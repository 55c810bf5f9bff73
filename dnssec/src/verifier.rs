//! Signatures verified in software, many by one key, by the library that is the faster one for its algorithm.

use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, VerificationAlgorithm,
};
use key_metadata::{Algorithm, PublicKey, verifies};

/// A public key that signatures are verified by, from any number of threads.
#[derive(Clone)]
pub(crate) enum Verifier {
    /// Prepared once: AWS-LC verifies P-384 four times, RSA twice and Ed25519 one and a half times as fast as ring.
    Prepared(ParsedPublicKey),
    /// By ring, which is not slower with P-256, and takes what the other does not prepare.
    Other(PublicKey),
}

impl Verifier {
    pub(crate) fn new(key: &PublicKey) -> Self {
        let how: Option<&'static dyn VerificationAlgorithm> = match key.algorithm().made() {
            Some(Algorithm::RsaSha256) => Some(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
            Some(Algorithm::RsaSha512) => Some(&RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
            Some(Algorithm::EcdsaP384Sha384) => Some(&ECDSA_P384_SHA384_FIXED),
            Some(Algorithm::Ed25519) => Some(&ED25519),
            Some(Algorithm::EcdsaP256Sha256) | None => None,
        };
        let prepared = how.and_then(|how| ParsedPublicKey::new(how, key.spki_der().ok()?).ok());
        prepared.map_or_else(|| Self::Other(key.clone()), Self::Prepared)
    }

    /// Whether the signature, as an RRSIG carries it, is one of the key over the data.
    pub(crate) fn verifies(&self, data: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Prepared(key) => key.verify_sig(data, signature).is_ok(),
            Self::Other(key) => verifies(key, data, signature),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use key_metadata::{KeySpec, verifies};

    use super::*;
    use crate::file_key::{FileKey, generate};

    #[test]
    fn it_says_what_the_other_library_says() {
        for algorithm in Algorithm::ALL {
            let pair = generate(KeySpec::new(algorithm, None).unwrap()).unwrap();
            let other = generate(KeySpec::new(algorithm, None).unwrap()).unwrap();
            let key = FileKey::new(Path::new("a file"), &pair).unwrap();
            let verifier = Verifier::new(&pair.public_key);
            let is_prepared = matches!(verifier, Verifier::Prepared(_));
            assert_eq!(
                is_prepared,
                algorithm != Algorithm::EcdsaP256Sha256,
                "{algorithm}"
            );
            let signature = key.sign(algorithm, b"data").unwrap();
            assert!(verifier.verifies(b"data", &signature), "{algorithm}");
            assert!(!verifier.verifies(b"Data", &signature), "{algorithm}");
            assert!(!verifier.verifies(b"data", &signature[1..]), "{algorithm}");
            assert!(
                !Verifier::new(&other.public_key).verifies(b"data", &signature),
                "{algorithm}"
            );
            for place in [0, signature.len() / 2, signature.len() - 1] {
                let mut changed = signature.clone();
                changed[place] ^= 1;
                assert!(!verifier.verifies(b"data", &changed), "{algorithm} {place}");
                assert!(
                    !verifies(&pair.public_key, b"data", &changed),
                    "{algorithm} {place}"
                );
            }
            assert!(verifies(&pair.public_key, b"data", &signature), "{algorithm}");
        }
    }
}
