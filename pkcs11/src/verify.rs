//! Verifying a signature in software, where no token has a say.

use key_metadata::{Algorithm, PublicKey};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};

/// Whether the signature is one of the key over the data.
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
        Algorithm::RsaSha256 => rsa(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RsaSha512 => rsa(&RSA_PKCS1_2048_8192_SHA512),
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
