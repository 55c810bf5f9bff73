//! The parsers of a bundle's files, on bytes of every kind: they never panic, and what they read they write again byte for byte, so that two
//! texts never mean the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::sync::LazyLock;

use backup::manifest::{Header, KeyEntry, PAYLOAD, ShareEntry, Signers, TokenEntry};
use backup::payload::CopyForm;
use backup::{
    BundleId, BundleKind, Challenge, DRILLS, KeyCopy, Manifest, Payload, Proof, Reveal, Threshold,
    commitment::commitments,
};
use key_metadata::{Algorithm, Digest, KeyAlgorithm, KeyId, PublicKey, Role};
use proptest::prelude::*;
use proptest::sample::Index;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use zeroize::Zeroizing;

/// A bundle of one key and three shares, as its files.
struct Files {
    manifest: Manifest,
    text: Vec<u8>,
    payload: Vec<u8>,
    proof: Vec<u8>,
    challenge: String,
}

static FILES: LazyLock<Files> = LazyLock::new(files);

fn files() -> Files {
    let bundle = BundleId::from_random([7; 8]);
    let copy = KeyCopy {
        id: KeyId::from_random([1; 16]),
        zone: "cr".parse().unwrap(),
        role: Role::Ksk,
        label: "a key \"of\" cr".to_owned(),
        form: CopyForm::Wrapped(vec![9; 150]),
    };
    let manifest = Manifest {
        header: Header {
            version: key_metadata::version::Version1,
            bundle,
            kind: BundleKind::Keys,
            created: "2026-11-29T12:00:00Z".parse().unwrap(),
            review_by: "2027-11-29T12:00:00Z".parse().unwrap(),
            expires: "2031-11-28T12:00:00Z".parse().unwrap(),
            replaces: None,
            needed: 2,
            shares: (1..=3).map(|number| share(bundle, number)).collect(),
            keys: vec![key(&copy)],
            recovery_parents: Vec::new(),
            opened_with: Vec::new(),
            signers: Signers {
                tpm: None,
                token: None,
                tpm: None,
                officers: vec!["ana".to_owned()],
            },
        },
        files: [(PAYLOAD.to_owned(), Digest::of(b"a payload"))].into(),
    };
    let payload = Payload {
        bundle,
        kek: Some(Zeroizing::new([5; 32])),
        keys: vec![copy],
        parents: Vec::new(),
    };
    let challenge = Challenge {
        bundle,
        drill: 3,
        nonce: [0xab; 32].into(),
    };
    let proof = Proof {
        challenge,
        share: 1,
        custodian: "ana".parse().unwrap(),
        at: "2026-12-01T12:00:00Z".parse().unwrap(),
        value: Reveal([0xcd; 32]),
    };
    let signature = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n";
    Files {
        text: manifest.to_text().unwrap().into_bytes(),
        payload: payload.to_json().unwrap().to_vec(),
        proof: format!("{}{signature}", proof.to_text()).into_bytes(),
        challenge: challenge.to_string(),
        manifest,
    }
}

fn share(bundle: BundleId, number: u8) -> ShareEntry {
    let words = format!("words of share {number}").into();
    ShareEntry {
        number,
        custodian: ["ana", "luis", "rosa"][usize::from(number) - 1].parse().unwrap(),
        recipient: Some("age1tj9dv7yx00jwukmps8czt0rkwkarp28rnwdl29jd9kqsf4lhrg2styme2c".to_owned()),
        sha256: backup::shares::digest(&words),
        drills: commitments(&words, bundle, number),
    }
}

fn key(copy: &KeyCopy) -> KeyEntry {
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pair.as_ref(), &random).unwrap();
    // Without the byte that says that the point is not compressed (RFC 6605 4).
    let field = pair.public_key().as_ref()[1..].to_vec();
    let public = PublicKey::from_dnskey(KeyAlgorithm::from(Algorithm::EcdsaP256Sha256), &field).unwrap();
    KeyEntry {
        zone: copy.zone.clone(),
        id: copy.id,
        role: copy.role,
        algorithm: Algorithm::EcdsaP256Sha256,
        bits: 256,
        key_tag: public.key_tag(copy.role),
        public_key: field,
        ds: None,
        spki_sha256: public.spki_sha256().unwrap().parse().unwrap(),
        token: TokenEntry {
            name: "cr".parse().unwrap(),
            make: "SoftHSM project SoftHSM v2".to_owned(),
            serial: "0123456789abcdef".to_owned(),
            firmware: "2.6".to_owned(),
        },
        mechanism: "CKM_AES_KEY_WRAP_PAD (0x210a)".to_owned(),
        flavour: "RFC 5649".to_owned(),
        copy_sha256: copy.form.digest(),
    }
}

/// A change of a file, as a bad medium or a clumsy editor makes one.
#[derive(Clone, Debug)]
enum Change {
    Byte(Index, u8),
    Insert(Index, Vec<u8>),
    Cut(Index, Index),
    Twice(Index),
    Swap(Index, Index),
    Digit(Index, u8),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let mut lines: Vec<Vec<u8>> = bytes
            .split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        match self {
            Self::Byte(at, byte) if !bytes.is_empty() => *at.get_mut(bytes) = *byte,
            Self::Insert(at, new) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Cut(from, to) if !bytes.is_empty() => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                bytes.drain(from.min(to)..from.max(to));
            }
            Self::Twice(at) if !lines.is_empty() => {
                let at = at.index(lines.len());
                lines.insert(at, lines[at].clone());
                *bytes = lines.concat();
            }
            Self::Swap(one, other) if !lines.is_empty() => {
                let (one, other) = (one.index(lines.len()), other.index(lines.len()));
                lines.swap(one, other);
                *bytes = lines.concat();
            }
            Self::Digit(at, digit) => {
                let digits: Vec<usize> = (0..bytes.len())
                    .filter(|place| bytes[*place].is_ascii_hexdigit())
                    .collect();
                if !digits.is_empty() {
                    bytes[*at.get(&digits)] = b"0123456789abcdefABCDEF"[usize::from(*digit) % 22];
                }
            }
            Self::Byte(..) | Self::Cut(..) | Self::Twice(_) | Self::Swap(..) => {}
        }
    }
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        (any::<Index>(), "[ -~\n#+0]{1,4}").prop_map(|(at, text)| Change::Insert(at, text.into_bytes())),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Cut(from, to)),
        any::<Index>().prop_map(Change::Twice),
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Change::Swap(one, other)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, digit)| Change::Digit(at, digit)),
    ];
    prop::collection::vec(change, 0..3)
}

fn changed(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        change.apply(&mut bytes);
    }
    bytes
}

fn manifest_is_canonical(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::parse(bytes) {
        assert_eq!(manifest.to_text().unwrap().as_bytes(), bytes);
    }
}

/// Age keeps the payload's bytes as they were, so that another spelling of it is nobody's forgery; it is the same payload all the same.
fn payload_is_stable(bytes: &[u8]) {
    if let Ok(payload) = Payload::from_json(bytes, &FILES.manifest) {
        let written = payload.to_json().unwrap();
        let again = Payload::from_json(&written, &FILES.manifest).unwrap();
        assert_eq!(again.to_json().unwrap(), written);
    }
}

fn proof_is_canonical(bytes: &[u8]) {
    if let Ok((proof, signature)) = Proof::parse(bytes) {
        assert_eq!([proof.to_text().as_bytes(), signature].concat(), bytes);
        let _ = proof.check(&FILES.manifest, proof.challenge);
    }
}

fn challenge_is_canonical(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(challenge) = Challenge::parse(&text) {
        assert_eq!(challenge.to_string(), text.trim());
    }
}

fn threshold_is_canonical(text: &str) {
    if let Ok(threshold) = text.parse::<Threshold>() {
        assert_eq!(format!("{}-of-{}", threshold.needed(), threshold.shares()), text);
        assert!(
            threshold.needed() >= 2 && threshold.needed() <= threshold.shares() && threshold.shares() <= 16
        );
    }
}

#[test]
fn what_is_not_changed_is_read() {
    let files = &*FILES;
    assert_eq!(Manifest::parse(&files.text).unwrap(), files.manifest);
    let payload = Payload::from_json(&files.payload, &files.manifest).expect("the payload");
    assert_eq!(payload.to_json().unwrap()[..], files.payload[..]);
    let (proof, signature) = Proof::parse(&files.proof).unwrap();
    assert_eq!([proof.to_text().as_bytes(), signature].concat(), files.proof);
    assert_eq!(
        Challenge::parse(&files.challenge).unwrap().to_string(),
        files.challenge
    );
    assert!(usize::from(DRILLS) == files.manifest.header.shares[0].drills.len());
    for text in ["02-of-3", "+2-of-3", "2-of-03", " 2-of-3", "2-of-3\n"] {
        assert!(text.parse::<Threshold>().is_err(), "{text:?}");
    }
}

#[test]
fn other_versions_and_sizes_are_refused() {
    let text = String::from_utf8(FILES.text.clone()).unwrap();
    let refused = |text: String| Manifest::parse(text.as_bytes()).unwrap_err().to_string();
    assert!(text.contains("# version: 1\n"));
    refused(text.replacen("# version: 1\n", "# version: 2\n", 1));
    refused(String::new());
    refused("\n".repeat(5 << 20));
    refused(format!("{text}{text}"));
    let future =
        String::from_utf8(FILES.payload.clone())
            .unwrap()
            .replacen("\"version\": 1", "\"version\": 2", 1);
    let error = Payload::from_json(future.as_bytes(), &FILES.manifest)
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "the payload has version 2, and version 1 is known"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        manifest_is_canonical(&bytes);
        payload_is_stable(&bytes);
        proof_is_canonical(&bytes);
        challenge_is_canonical(&bytes);
        threshold_is_canonical(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn near_misses(yaml in "(# [a-z-]{1,9}: [a-z0-9\\[\\]{}'\"]{0,9}\n){0,6}([0-9a-f]{64}  [a-z.]{1,9}\n){0,2}", threshold in "[ +0-9]{0,3}-of-[ +0-9]{0,3}") {
        manifest_is_canonical(yaml.as_bytes());
        threshold_is_canonical(&threshold);
    }

    #[test]
    fn changed_manifests(changes in changes()) {
        manifest_is_canonical(&changed(&FILES.text, &changes));
    }

    #[test]
    fn changed_payloads(changes in changes()) {
        payload_is_stable(&changed(&FILES.payload, &changes));
    }

    #[test]
    fn changed_proofs(changes in changes()) {
        proof_is_canonical(&changed(&FILES.proof, &changes));
        challenge_is_canonical(&changed(FILES.challenge.as_bytes(), &changes));
    }
}
