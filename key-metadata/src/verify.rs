//! Verifying a signature in software, where no token has a say.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519,
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    RsaPublicKeyComponents, UnparsedPublicKey,
};

use crate::algorithm::Algorithm;
use crate::public_key::PublicKey;

/// Whether the signature, as an RRSIG carries it, is one of the key over the data; RSA from 1024 bits on, as keys of other tools may have.
pub fn verifies(key: &PublicKey, data: &[u8], signature: &[u8]) -> bool {
    let point = [&[4][..], key.as_dnskey()].concat();
    let rsa = |parameters| {
        key.rsa_parts().is_some_and(|(n, e)| {
            RsaPublicKeyComponents { n, e }
                .verify(parameters, data, signature)
                .is_ok()
        })
    };
    let Some(algorithm) = key.algorithm().made() else {
        return false;
    };
    match algorithm {
        Algorithm::RsaSha256 => rsa(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        Algorithm::RsaSha512 => rsa(&RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
        Algorithm::EcdsaP256Sha256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(data, signature)
            .is_ok(),
        Algorithm::EcdsaP384Sha384 => UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
            .verify(data, signature)
            .is_ok(),
        Algorithm::Ed25519 => UnparsedPublicKey::new(&ED25519, key.as_dnskey())
            .verify(data, signature)
            .is_ok(),
    }
}
