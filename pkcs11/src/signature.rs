//! From what a token signs and answers to what an RRSIG record carries.

use key_metadata::Algorithm;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// DER of `DigestInfo` up to the digest, for SHA-256 and SHA-512 (RFC 8017 9.2, note 1).
const SHA256_INFO: [u8; 19] =
    *b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
const SHA512_INFO: [u8; 19] =
    *b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40";

/// What CKM_RSA_PKCS, CKM_ECDSA or CKM_EDDSA is given for `data`: the DigestInfo, the digest, or the data themselves.
pub(crate) fn input(algorithm: Algorithm, data: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::RsaSha256 => [&SHA256_INFO[..], &Sha256::digest(data)].concat(),
        Algorithm::RsaSha512 => [&SHA512_INFO[..], &Sha512::digest(data)].concat(),
        Algorithm::EcdsaP256Sha256 => Sha256::digest(data).to_vec(),
        Algorithm::EcdsaP384Sha384 => Sha384::digest(data).to_vec(),
        Algorithm::Ed25519 => data.to_vec(),
    }
}

/// How many bytes a signature has; `bits` is the size of an RSA key.
pub(crate) fn length(algorithm: Algorithm, bits: u16) -> usize {
    match algorithm {
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => usize::from(bits).div_ceil(8),
        Algorithm::EcdsaP384Sha384 => 96,
        Algorithm::EcdsaP256Sha256 | Algorithm::Ed25519 => 64,
    }
}

/// The signature field of `length` bytes: the token's answer, whose integers may have lost their leading zeros (r and s each, half
/// of the answer). `None` where it is nothing of the kind.
pub(crate) fn field(algorithm: Algorithm, answer: &[u8], length: usize) -> Option<Vec<u8>> {
    let integers = match algorithm {
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => 1,
        Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => 2,
        Algorithm::Ed25519 => return (answer.len() == length).then(|| answer.to_vec()),
    };
    let given = answer.len() / integers;
    if answer.is_empty() || !answer.len().is_multiple_of(integers) || answer.len() > length {
        return None;
    }
    let mut field = Vec::with_capacity(length);
    for integer in answer.chunks(given) {
        field.resize(field.len() + length / integers - given, 0);
        field.extend_from_slice(integer);
    }
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_integers_are_padded_and_long_ones_refused() {
        let p256 = Algorithm::EcdsaP256Sha256;
        let padded = field(p256, &[1, 2], 64).unwrap();
        assert_eq!((padded.len(), padded[31], padded[63]), (64, 1, 2));
        assert_eq!(field(p256, &[9; 64], 64), Some(vec![9; 64]));
        assert_eq!(
            field(Algorithm::RsaSha256, &[9; 255], 256).map(|field| (field.len(), field[0])),
            Some((256, 0))
        );
        assert!(
            field(p256, &[9; 63], 64).is_none()
                && field(p256, &[9; 66], 64).is_none()
                && field(p256, &[], 64).is_none()
        );
        assert!(field(Algorithm::Ed25519, &[9; 63], 64).is_none());
    }
}
