//! A security key that signed without being touched. ssh-keygen does not look at that; we do.

use std::fs;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ceremony::log::{EndOutcome, names};
use ceremony::verify::{ClaimVerdict, verify};
use ring::signature::{Ed25519KeyPair, KeyPair};
use sha2::{Digest, Sha256, Sha512};

use crate::made::{Made, SCRIPT};
use crate::seats::Keys;
use crate::stopped::{break_off, evidence, ids, plain};

const ALGORITHM: &[u8] = b"sk-ssh-ed25519@openssh.com";

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes()[..], bytes].concat()
}

fn public(pair: &Ed25519KeyPair) -> Vec<u8> {
    [ALGORITHM, pair.public_key().as_ref(), b"ssh:"]
        .map(string)
        .concat()
}

/// A signature file as PROTOCOL.sshsig and PROTOCOL.u2f have it.
fn sign(pair: &Ed25519KeyPair, flags: u8, message: &[u8]) -> String {
    let namespace = names::NAMESPACE.as_bytes();
    let about = [namespace, b"", b"sha512"].map(string).concat();
    let message = [b"SSHSIG", &about[..], &string(&Sha512::digest(message))].concat();
    let counter = 9_u32.to_be_bytes();
    let signed = [
        &Sha256::digest(b"ssh:")[..],
        &[flags],
        &counter,
        &Sha256::digest(message),
    ];
    let signature = pair.sign(&signed.concat());
    let signature = [
        &string(ALGORITHM)[..],
        &string(signature.as_ref()),
        &[flags],
        &counter,
    ];
    let blob = [
        b"SSHSIG\0\0\0\x01",
        &string(&public(pair))[..],
        &about,
        &string(&signature.concat()),
    ];
    let base64 = BASE64_STANDARD.encode(blob.concat());
    let lines: Vec<_> = base64
        .as_bytes()
        .chunks(70)
        .map(String::from_utf8_lossy)
        .collect();
    format!(
        "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n",
        lines.join("\n")
    )
}

#[test]
fn a_signature_without_touch_does_not_pass() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::make(&folder.path().join("keys"));
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    // The ceremony's list has the security key; the maker of ceremonies signs with the file's key, and that is put right below.
    let file = folder.path().join("keys/officer-1.pub");
    let own = fs::read(&file).unwrap();
    let line = format!(
        "{} {} officer-1\n",
        String::from_utf8_lossy(ALGORITHM),
        BASE64_STANDARD.encode(public(&pair))
    );
    fs::write(&file, line).unwrap();
    let mut made = Made::begin(&folder.path().join("ceremony"), plain(&keys, SCRIPT));
    fs::write(&file, own).unwrap();
    break_off(&mut made, EndOutcome::Aborted);

    let checkpoint = fs::read(made.folder.file(names::checkpoint(2))).unwrap();
    let signature = made
        .folder
        .file(names::signature(2, &"officer-1".parse().unwrap()));
    let judged = |flags| {
        fs::write(&signature, sign(&pair, flags, &checkpoint)).unwrap();
        verify(&made.folder, None).unwrap()
    };
    let touched = judged(0x01);
    assert!(ids(&touched, ClaimVerdict::Fail).is_empty(), "{touched:#?}");
    assert!(evidence(&touched, "signature-officer-1").contains("(touched, its counter 9)"));
    let with_pin = judged(0x05);
    assert!(evidence(&with_pin, "signature-officer-1").contains("with PIN or finger"));
    for flags in [0x00, 0x04] {
        let untouched = judged(flags);
        assert_eq!(
            ids(&untouched, ClaimVerdict::Fail),
            ["signature-officer-1"],
            "{untouched:#?}"
        );
    }
}
