use key_metadata::{Advice, Algorithm, KeySpec, PublicKey};
use keyrite_tpm::{CreateError, KeyBlob, KeyBlobError, LoadError, SignError, Tpm};
use proptest::prelude::*;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512,
    RsaPublicKeyComponents, UnparsedPublicKey,
};

use crate::{secret, tool, with_tpm};

const DATA: &[u8] = b"an RRset in canonical form";

fn spec(algorithm: Algorithm, bits: u16) -> KeySpec {
    KeySpec::new(algorithm, Some(bits)).unwrap()
}

/// Checked by ring, which has seen nothing of ours.
fn verifies(key: &PublicKey, signature: &[u8]) -> bool {
    let curve = |verifier| {
        UnparsedPublicKey::new(verifier, [&[4], key.as_dnskey()].concat())
            .verify(DATA, signature)
            .is_ok()
    };
    let rsa = |parameters| {
        let (n, e) = key.rsa_parts().unwrap();
        RsaPublicKeyComponents { n, e }
            .verify(parameters, DATA, signature)
            .is_ok()
    };
    match key.algorithm().made().unwrap() {
        Algorithm::RsaSha256 => rsa(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RsaSha512 => rsa(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::EcdsaP256Sha256 => curve(&ECDSA_P256_SHA256_FIXED),
        Algorithm::EcdsaP384Sha384 => curve(&ECDSA_P384_SHA384_FIXED),
        Algorithm::Ed25519 => false,
    }
}

#[test]
fn every_algorithm_signs_with_and_without_an_auth_value() {
    with_tpm(|tpm, _| {
        let specs = [
            spec(Algorithm::RsaSha256, 2048),
            spec(Algorithm::RsaSha512, 2048),
            spec(Algorithm::RsaSha256, 3072),
            spec(Algorithm::EcdsaP256Sha256, 256),
            spec(Algorithm::EcdsaP384Sha384, 384),
        ];
        for (spec, auth) in specs
            .into_iter()
            .flat_map(|spec| [(spec, None), (spec, Some(secret("a PIN")))])
        {
            let blob = tpm.create_key(spec, auth.as_ref()).unwrap();
            let blob = KeyBlob::from_bytes(&blob.to_bytes()).unwrap();
            let public = blob.public_key(spec.algorithm()).unwrap();
            assert_eq!(public.bits(), spec.bits());
            let key = tpm.load(&blob, auth.as_ref()).unwrap();
            for _ in 0..3 {
                let signature = key.sign(spec.algorithm(), DATA).unwrap();
                assert!(verifies(&public, &signature), "{spec}");
            }
        }
    });
}

/// A half of a P-256 signature is shorter than 32 bytes about once in 128 signatures.
#[test]
fn short_halves_are_padded_and_one_session_serves_all() {
    with_tpm(|tpm, swtpm| {
        let auth = secret("a PIN");
        let blob = tpm
            .create_key(spec(Algorithm::EcdsaP256Sha256, 256), Some(&auth))
            .unwrap();
        let public = blob.public_key(Algorithm::EcdsaP256Sha256).unwrap();
        let key = tpm.load(&blob, Some(&auth)).unwrap();
        let sessions = || {
            swtpm
                .leaked_handles()
                .unwrap()
                .into_iter()
                .filter(|h| h.contains("loaded-session"))
                .collect()
        };
        let before: Vec<String> = sessions();
        assert_eq!(before.len(), 1);
        for _ in 0..300 {
            let signature = key.sign(Algorithm::EcdsaP256Sha256, DATA).unwrap();
            assert!(signature.len() == 64 && verifies(&public, &signature));
        }
        assert_eq!(before, sessions());
    });
}

#[test]
fn what_the_tpm_does_not_make_is_said_before() {
    with_tpm(|tpm, _| {
        for refused in [spec(Algorithm::Ed25519, 256), spec(Algorithm::RsaSha256, 4096)] {
            let error = tpm.create_key(refused, None).unwrap_err();
            let CreateError::Unsupported { offered, .. } = &error else {
                panic!("{error}")
            };
            assert_eq!(offered, &tpm.offered_keys().unwrap());
            assert!(
                error.to_string().contains("it makes RSASHA256 (2048 bits), "),
                "{error}"
            );
        }
        let error = tpm
            .create_key(
                spec(Algorithm::EcdsaP256Sha256, 256),
                Some(&secret(&"x".repeat(33))),
            )
            .unwrap_err();
        assert_eq!(error, CreateError::AuthLength { length: 33 });
        let longest = secret(&"x".repeat(32));
        let blob = tpm
            .create_key(spec(Algorithm::EcdsaP256Sha256, 256), Some(&longest))
            .unwrap();
        tpm.load(&blob, Some(&longest))
            .unwrap()
            .sign(Algorithm::EcdsaP256Sha256, DATA)
            .unwrap();
    });
}

#[test]
fn a_key_signs_only_its_own_algorithms() {
    with_tpm(|tpm, _| {
        let blob = tpm
            .create_key(spec(Algorithm::EcdsaP256Sha256, 256), None)
            .unwrap();
        let error = tpm
            .load(&blob, None)
            .unwrap()
            .sign(Algorithm::RsaSha256, DATA)
            .unwrap_err();
        assert_eq!(error.to_string(), "a key of P-256 does not sign with RSASHA256");
        assert!(blob.public_key(Algorithm::EcdsaP384Sha384).is_err());
    });
}

#[test]
fn a_key_of_another_tpm_is_refused() {
    let blob = {
        let mut made = None;
        with_tpm(|tpm, _| made = tpm.create_key(spec(Algorithm::EcdsaP256Sha256, 256), None).ok());
        made.unwrap()
    };
    with_tpm(|tpm, _| {
        let Err(error) = tpm.load(&blob, None) else {
            panic!("loaded")
        };
        assert!(
            matches!(error, LoadError::OtherTpm { .. }) && error.hint().is_some(),
            "{error}"
        );
        let own = tpm
            .create_key(spec(Algorithm::EcdsaP256Sha256, 256), None)
            .unwrap();
        // The other TPM's key, said to be made here; and ours with one bit changed.
        let mut forged = blob.to_bytes();
        forged[20..54].copy_from_slice(own.parent().as_bytes());
        let mut damaged = own.to_bytes();
        *damaged.last_mut().unwrap() ^= 1;
        for bytes in [forged, damaged] {
            let Err(error) = tpm.load(&KeyBlob::from_bytes(&bytes).unwrap(), None) else {
                panic!("loaded")
            };
            assert!(matches!(error, LoadError::Damaged { .. }), "{error}");
        }
    });
}

#[test]
fn tpm2_tools_load_our_keys() {
    with_tpm(|tpm, swtpm| {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).display().to_string();
        let blob = tpm
            .create_key(spec(Algorithm::EcdsaP256Sha256, 256), None)
            .unwrap();
        std::fs::write(file("public"), blob.public_part()).unwrap();
        std::fs::write(file("private"), blob.private_part()).unwrap();
        tool(
            swtpm,
            &format!(
                "tpm2_load -Q -C 0x81000001 -u {} -r {} -c {}",
                file("public"),
                file("private"),
                file("ctx")
            ),
        );
        let attributes = tool(swtpm, &format!("tpm2_readpublic -c {}", file("ctx")));
        assert!(
            attributes.contains("fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign\n"),
            "{attributes}"
        );
        tool(swtpm, "tpm2_flushcontext -t");
    });
}

/// In a rollover more keys sign than a TPM has slots for: each is loaded again when its turn comes.
#[test]
fn more_keys_than_slots_sign_in_turn() {
    with_tpm(|tpm, swtpm| {
        let spec = spec(Algorithm::EcdsaP256Sha256, 256);
        let auth = secret("a PIN");
        let blobs: Vec<_> = (0..6)
            .map(|_| tpm.create_key(spec, Some(&auth)).unwrap())
            .collect();
        let keys: Vec<_> = blobs
            .iter()
            .map(|blob| tpm.load(blob, Some(&auth)).unwrap())
            .collect();
        for _ in 0..2 {
            for (key, blob) in keys.iter().zip(&blobs) {
                let signature = key.sign(Algorithm::EcdsaP256Sha256, DATA).unwrap();
                let public_key = blob.public_key(Algorithm::EcdsaP256Sha256).unwrap();
                assert!(key_metadata::verifies(&public_key, DATA, &signature));
            }
        }
        drop(keys);
        assert_eq!(swtpm.leaked_handles().unwrap().len(), 1, "the session alone");
    });
}

/// Slots that others have taken are told.
#[test]
fn the_slots_are_few() {
    with_tpm(|tpm, swtpm| {
        let blob = tpm
            .create_key(spec(Algorithm::EcdsaP256Sha256, 256), None)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        for number in 0..3 {
            let context = folder.path().join(number.to_string());
            tool(
                swtpm,
                &format!("tpm2_createprimary -Q -C n -c {}", context.display()),
            );
        }
        let Err(error) = tpm.load(&blob, None) else {
            panic!("it was loaded");
        };
        assert!(
            error.to_string().contains("no room") && error.hint().unwrap().contains("tpm2_flushcontext"),
            "{error}"
        );
        tool(swtpm, "tpm2_flushcontext -t");
        tpm.load(&blob, None)
            .unwrap()
            .sign(Algorithm::EcdsaP256Sha256, DATA)
            .unwrap();
    });
}

#[test]
fn a_wrong_auth_value_is_counted_down_to_the_lockout() {
    with_tpm(|tpm: &Tpm, _| {
        let right = secret("a PIN");
        let blob = tpm
            .create_key(spec(Algorithm::EcdsaP256Sha256, 256), Some(&right))
            .unwrap();
        {
            let key = tpm.load(&blob, Some(&secret("wrong"))).unwrap();
            for left in [2, 1, 0] {
                let error = key.sign(Algorithm::EcdsaP256Sha256, DATA).unwrap_err();
                assert!(
                    matches!(error, SignError::AuthRefused { tries_left: Some(n), .. } if n == left),
                    "{error:?}"
                );
                assert!(error.is_credential());
                if left == 2 {
                    assert_eq!(
                        error.hint().unwrap(),
                        "check the auth value before the next try; wrong tries until the whole TPM locks: 2"
                    );
                    // The session survives a refusal.
                    tpm.load(&blob, Some(&right))
                        .unwrap()
                        .sign(Algorithm::EcdsaP256Sha256, DATA)
                        .unwrap();
                }
            }
        }
        let error = tpm
            .load(&blob, Some(&right))
            .unwrap()
            .sign(Algorithm::EcdsaP256Sha256, DATA)
            .unwrap_err();
        assert!(
            error.to_string().contains("is locked") && error.hint().unwrap().contains("1000 s"),
            "{error}"
        );
        assert!(error.is_credential() && tpm.lockout().unwrap().in_lockout);
    });
}

/// Made by swtpm for a test like these.
fn sample() -> Vec<u8> {
    let mut made = Vec::new();
    with_tpm(|tpm, _| {
        made = tpm
            .create_key(spec(Algorithm::EcdsaP256Sha256, 256), None)
            .unwrap()
            .to_bytes()
    });
    made
}

#[test]
fn every_cut_of_a_file_is_said() {
    let whole = sample();
    for length in 0..whole.len() {
        let error = KeyBlob::from_bytes(&whole[..length]).unwrap_err();
        assert!(
            matches!(error, KeyBlobError::Magic | KeyBlobError::Truncated { .. }),
            "{length}: {error}"
        );
    }
    let error = KeyBlob::from_bytes(&[&whole[..], &[0]].concat()).unwrap_err();
    assert_eq!(error, KeyBlobError::Trailing { count: 1 });
    let mut later = whole.clone();
    later[17] = 2;
    assert_eq!(
        KeyBlob::from_bytes(&later),
        Err(KeyBlobError::Version { found: 2 })
    );
    // Each byte changed: read or refused, never a panic, and what is read writes itself again.
    for position in 0..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[position] ^= 1 << bit;
            if let Ok(blob) = KeyBlob::from_bytes(&changed) {
                assert_eq!(blob.to_bytes(), changed);
                let _ = blob.public_key(Algorithm::EcdsaP256Sha256);
            }
        }
    }
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(bytes: Vec<u8>, parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..700), 3)) {
        let _ = KeyBlob::from_bytes(&bytes);
        let mut framed = b"keyrite-tpm-key\0\x00\x01".to_vec();
        for part in parts {
            framed.extend_from_slice(&(part.len() as u16).to_be_bytes());
            framed.extend_from_slice(&part);
        }
        let _ = KeyBlob::from_bytes(&framed);
    }
}
