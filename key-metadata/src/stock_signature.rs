//! Signatures as openssl has them: DER, and a key as SubjectPublicKeyInfo in DER or PEM.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use spki::SubjectPublicKeyInfoRef;
use spki::der::asn1::UintRef;
use spki::der::{Decode, Encode};

/// id-ecPublicKey, secp256r1 (RFC 5480, 2.1.1) and rsaEncryption (RFC 8017, appendix A).
const EC: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const RSA: &str = "1.2.840.113549.1.1.1";

/// ECDSA-Sig-Value (RFC 3279, 2.2.3) of r | s, both of one length.
pub fn ecdsa_to_der(fixed: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = fixed.split_at_checked(fixed.len() / 2)?;
    [UintRef::new(r).ok()?, UintRef::new(s).ok()?].to_der().ok()
}

/// r | s of P-256, 32 bytes each, from an ECDSA-Sig-Value; `None` for what is none, or has anything behind it.
pub fn ecdsa_from_der(der: &[u8]) -> Option<[u8; 64]> {
    let halves = <[UintRef<'_>; 2]>::from_der(der).ok()?;
    let mut fixed = [0; 64];
    for (half, integer) in fixed.chunks_mut(32).zip(halves) {
        let start = half.len().checked_sub(integer.as_bytes().len())?;
        half.get_mut(start..)?.copy_from_slice(integer.as_bytes());
    }
    Some(fixed)
}

/// Whether `openssl dgst -sha256 -verify` takes the signature: ECDSA on P-256 as DER, or RSA (PKCS#1 v1.5) of 2048 to 8192 bits. `spki` is
/// the DER SubjectPublicKeyInfo.
pub fn verifies_as_openssl(spki: &[u8], data: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = SubjectPublicKeyInfoRef::from_der(spki) else {
        return false;
    };
    let Some(bits) = key.subject_public_key.as_bytes() else {
        return false;
    };
    let curve = key.algorithm.parameters_oid().map(|oid| oid.to_string());
    match (key.algorithm.oid.to_string().as_str(), curve.as_deref()) {
        (EC, Ok(P256)) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, bits)
            .verify(data, signature)
            .is_ok(),
        (RSA, _) => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, bits)
            .verify(data, signature)
            .is_ok(),
        (_, _) => false,
    }
}

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----\n";
const END: &str = "-----END PUBLIC KEY-----\n";
/// RFC 7468, 2: characters of a line.
const WIDTH: usize = 64;

/// A DER SubjectPublicKeyInfo as `openssl pkey -pubin` prints it (RFC 7468, 13), which `tpm2_checkquote -u` takes too.
pub fn spki_to_pem(spki: &[u8]) -> String {
    let text = STANDARD.encode(spki);
    let mut pem = BEGIN.to_owned();
    for (number, letter) in text.chars().enumerate() {
        if number > 0 && number % WIDTH == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem.push('\n');
    pem.push_str(END);
    pem
}

/// Reads what [`spki_to_pem`] writes, and nothing else; whether it is a key, who uses it tells.
pub fn spki_from_pem(pem: &str) -> Option<Vec<u8>> {
    let text = pem.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let spki = STANDARD.decode(text.replace('\n', "")).ok()?;
    (spki_to_pem(&spki) == pem).then_some(spki)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_forms_are_one(mut fixed in proptest::collection::vec(any::<u8>(), 64), zeros in 0_usize..32) {
            fixed[..zeros].fill(0);
            let der = ecdsa_to_der(&fixed).unwrap();
            prop_assert_eq!(ecdsa_from_der(&der).unwrap().to_vec(), fixed);
            let longer = [&der[..], &[0]].concat();
            prop_assert!(ecdsa_from_der(&longer).is_none());
            prop_assert!(ecdsa_from_der(&der[..der.len() - 1]).is_none());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,200}") {
            if let Some(fixed) = ecdsa_from_der(&bytes) {
                prop_assert_eq!(ecdsa_to_der(&fixed), Some(bytes.clone()));
            }
            prop_assert!(!verifies_as_openssl(&bytes, b"", b""));
            prop_assert_eq!(spki_from_pem(&text), None);
            prop_assert_eq!(spki_from_pem(&spki_to_pem(&bytes)), Some(bytes));
        }
    }

    #[test]
    fn integers_of_another_curve_or_with_padding_are_refused() {
        assert!(ecdsa_from_der(&ecdsa_to_der(&[1; 96]).unwrap()).is_none());
        assert!(ecdsa_from_der(&[0x30, 7, 2, 2, 0, 1, 2, 1, 1]).is_none());
        assert!(!verifies_as_openssl(b"no key", b"", b""));
    }
}
