//! Whether a private key is that of a public one, by arithmetic: nothing is signed.

use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair,
};

use crate::algorithm::{Algorithm, KeyAlgorithm};
use crate::public_key::PublicKey;
use crate::software_key::{RsaSecret, SoftwareSecret};

impl SoftwareSecret {
    /// Whether it is the private half of that public key.
    ///
    /// Of a curve the public half follows from the scalar. Of RSA the primes must make the modulus and the coefficient be theirs
    /// ([`rsa::KeyPair::from_components`]): whoever has the primes has the key. The exponents are shown by a signature alone, by which
    /// whoever puts the key into a token proves it. Nothing is said of RSA below 2048 bits or with an exponent below 65537: false.
    pub fn is_of(&self, public_key: &PublicKey) -> bool {
        match (self, public_key.algorithm()) {
            (Self::Rsa(secret), KeyAlgorithm::Made(Algorithm::RsaSha256 | Algorithm::RsaSha512)) => {
                is_rsa_of(secret, public_key)
            }
            (Self::Scalar(scalar), KeyAlgorithm::Made(Algorithm::EcdsaP256Sha256)) => {
                is_ecdsa_of(&ECDSA_P256_SHA256_FIXED_SIGNING, scalar, public_key)
            }
            (Self::Scalar(scalar), KeyAlgorithm::Made(Algorithm::EcdsaP384Sha384)) => {
                is_ecdsa_of(&ECDSA_P384_SHA384_FIXED_SIGNING, scalar, public_key)
            }
            (Self::Scalar(seed), KeyAlgorithm::Made(Algorithm::Ed25519)) => {
                Ed25519KeyPair::from_seed_and_public_key(seed, public_key.as_dnskey()).is_ok()
            }
            (Self::Rsa(_) | Self::Scalar(_), KeyAlgorithm::Made(_) | KeyAlgorithm::Legacy(_)) => false,
        }
    }
}

fn is_ecdsa_of(curve: &'static EcdsaSigningAlgorithm, scalar: &[u8], public_key: &PublicKey) -> bool {
    let point = [&[0x04], public_key.as_dnskey()].concat();
    EcdsaKeyPair::from_private_key_and_public_key(curve, scalar, &point, &SystemRandom::new()).is_ok()
}

fn is_rsa_of(secret: &RsaSecret, public_key: &PublicKey) -> bool {
    let RsaSecret {
        private_exponent,
        prime1,
        prime2,
        exponent1,
        exponent2,
        coefficient,
    } = secret;
    public_key.rsa_parts().is_some_and(|(n, e)| {
        rsa::KeyPair::from_components(&rsa::KeyPairComponents {
            public_key: rsa::PublicKeyComponents { n, e },
            d: private_exponent.as_slice(),
            p: prime1,
            q: prime2,
            dP: exponent1,
            dQ: exponent2,
            qInv: coefficient,
        })
        .is_ok()
    })
}
