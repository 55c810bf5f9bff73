//! Security keys (FIDO), without one: signatures as PROTOCOL.u2f has them, by a key in software. ssh-keygen says that they are right.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use sha2::{Digest, Sha256, Sha512};
use sshsig::{SecurityKey, VerifyError};

use crate::desk::{Case, Desk, NAMESPACE, NOW};
use crate::verify::armoured;

const MESSAGE: &[u8] = b"a checkpoint";

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes()[..], bytes].concat()
}

/// SHA256(application) || flags || counter || SHA256(message), the message being what an SSHSIG signs.
fn signed(flags: u8, counter: u32) -> Vec<u8> {
    let message = [
        b"SSHSIG".to_vec(),
        string(NAMESPACE.as_bytes()),
        string(b""),
        string(b"sha512"),
        string(&Sha512::digest(MESSAGE)),
    ];
    [
        &Sha256::digest(b"ssh:")[..],
        &[flags],
        &counter.to_be_bytes(),
        &Sha256::digest(message.concat()),
    ]
    .concat()
}

fn file(key: &[u8], algorithm: &[u8], signature: &[u8], flags: u8, counter: u32) -> Vec<u8> {
    let signature = [
        &string(algorithm)[..],
        &string(signature),
        &[flags],
        &counter.to_be_bytes(),
    ];
    let blob = [
        &b"SSHSIG\0\0\0\x01"[..],
        &string(key),
        &string(NAMESPACE.as_bytes()),
        &string(b""),
        &string(b"sha512"),
        &string(&signature.concat()),
    ];
    armoured(&blob.concat())
}

fn public_line(algorithm: &str, key: &[u8]) -> String {
    use base64::Engine;
    let base64 = base64::engine::general_purpose::STANDARD.encode(key);
    format!("ada {algorithm} {base64}\n")
}

fn judge(allowed: &str, sign: impl Fn(u8, u32) -> Vec<u8>) {
    let desk = Desk::new();
    for (flags, counter) in [(0x01, 7), (0x05, 0x0102_0304), (0xff, u32::MAX)] {
        let signature = sign(flags, counter);
        let case = Case {
            allowed,
            principal: "ada",
            namespace: NAMESPACE,
            at: NOW,
            signature: &signature,
            message: MESSAGE,
        };
        let verified = desk.verify(&case).good();
        let seen = verified.security_key.unwrap();
        assert_eq!(seen, SecurityKey { flags, counter });
        assert!(seen.user_present());
        assert_eq!(seen.user_verified(), flags != 0x01);
        desk.verify(&Case {
            message: b"another",
            ..case
        })
        .bad();
    }
    for flags in [0x00, 0x04] {
        let signature = sign(flags, 9);
        let case = Case {
            allowed,
            principal: "ada",
            namespace: NAMESPACE,
            at: NOW,
            signature: &signature,
            message: MESSAGE,
        };
        let error = desk.verify(&case).stricter();
        let VerifyError::NotTouched {
            flags: seen, counter, ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!((seen, counter), (flags, 9));
    }
}

#[test]
fn ed25519_with_and_without_touch() {
    let algorithm = "sk-ssh-ed25519@openssh.com";
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = pair.public_key().as_ref();
    let key = [string(algorithm.as_bytes()), string(public), string(b"ssh:")].concat();
    judge(&public_line(algorithm, &key), |flags, counter| {
        let signature = pair.sign(&signed(flags, counter));
        file(&key, algorithm.as_bytes(), signature.as_ref(), flags, counter)
    });
}

#[test]
fn ecdsa_with_and_without_touch() {
    let algorithm = "sk-ecdsa-sha2-nistp256@openssh.com";
    let random = SystemRandom::new();
    let scheme = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(scheme, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(scheme, pkcs8.as_ref(), &random).unwrap();
    let public = pair.public_key().as_ref();
    let fields = [algorithm.as_bytes(), b"nistp256", public, b"ssh:"];
    let key = fields.map(string).concat();
    judge(&public_line(algorithm, &key), |flags, counter| {
        let signature = pair.sign(&random, &signed(flags, counter)).unwrap();
        let (r, s) = signature.as_ref().split_at(32);
        let signature = [string(&positive(r)), string(&positive(s))].concat();
        file(&key, algorithm.as_bytes(), &signature, flags, counter)
    });
}

/// An mpint (RFC 4251 5).
fn positive(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[zeros..];
    if bytes[0] & 0x80 == 0 {
        bytes.to_vec()
    } else {
        [&[0][..], bytes].concat()
    }
}
