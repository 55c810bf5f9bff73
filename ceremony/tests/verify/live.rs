//! The TPM asked again: cleared, its index made anew, its state restored from an older copy, another TPM, a later ceremony.

use std::fs;
use std::path::Path;
use std::process::Command;

use ceremony::log::CeremonyFolder;
use ceremony::verify::{Claim, ClaimVerdict, verify_live};
use tpm::Anchor;

use crate::made::{Made, SCRIPT, With};
use crate::seats::Keys;
use crate::sound::{shell, told};
use crate::tpm_side::{Anchors, at, counter_index, log_index};

const NONCE: [u8; 32] = [0x5a; 32];

fn asked(folder: &CeremonyFolder, anchors: &Anchors) -> Vec<Claim> {
    verify_live(folder, &anchors.tpm, at(), &NONCE).unwrap()
}

#[track_caller]
fn fails(claims: &[Claim], expected: &[&str]) {
    let failing: Vec<_> = claims
        .iter()
        .filter(|claim| claim.verdict == ClaimVerdict::Fail)
        .map(|claim| claim.id.as_str())
        .collect();
    assert_eq!(failing, expected, "{claims:#?}");
}

fn held<'a>(path: &Path, anchors: &'a Anchors, keys: &'a Keys) -> Made<'a> {
    let with = With {
        anchors: Some(anchors),
        token: None,
        keys,
        script: SCRIPT,
        previous: None,
    };
    let mut made = Made::begin(path, with);
    made.hold();
    made
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(status.unwrap().success());
}

#[test]
fn the_tpm_of_the_ceremony_says_so_and_a_later_ceremony_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::make(&folder.path().join("keys"));
    let anchors = Anchors::start(&folder.path().join("tpm"));
    let first = held(&folder.path().join("first"), &anchors, &keys);
    fails(&asked(&first.folder, &anchors), &[]);
    let later = held(&folder.path().join("later"), &anchors, &keys);
    fails(&asked(&first.folder, &anchors), &["live-counter", "live-log"]);
    fails(&asked(&later.folder, &anchors), &[]);
}

#[test]
fn an_older_state_of_the_tpm_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let [state, older] = ["tpm", "older"].map(|name| folder.path().join(name));
    let keys = Keys::make(&folder.path().join("keys"));
    drop(Anchors::start(&state));
    copy(&state, &older);
    let made = {
        let anchors = Anchors::start(&state);
        held(&folder.path().join("held"), &anchors, &keys).folder
    };
    let anchors = Anchors::start(&older);
    fails(&asked(&made, &anchors), &["live-counter", "live-log"]);
    // A log that goes on with it: its seals have numbers again that others had.
    let forked = held(&folder.path().join("forked"), &anchors, &keys).folder;
    let files = |folder: &CeremonyFolder| fs::read(folder.file("checkpoint-5")).unwrap();
    assert_ne!(files(&made), files(&forked));
}

#[test]
fn a_cleared_tpm_and_another_one_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::make(&folder.path().join("keys"));
    let anchors = Anchors::start(&folder.path().join("tpm"));
    let made = held(&folder.path().join("held"), &anchors, &keys).folder;
    let other = Anchors::start(&folder.path().join("other"));
    fails(
        &asked(&made, &other),
        &["live-tpm", "live-counter", "live-log", "live-clock"],
    );
    anchors.swtpm.must("tpm2_clear", &["-c", "l"]).unwrap();
    let everything = ["live-tpm", "live-counter", "live-log", "live-clock"];
    fails(&asked(&made, &anchors), &everything);
    anchors.provision();
    fails(&asked(&made, &anchors), &everything);
}

#[test]
fn an_index_made_anew_is_noticed_by_the_log_and_by_the_tpm() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::make(&folder.path().join("keys"));
    let anchors = Anchors::start(&folder.path().join("tpm"));
    let with = With {
        anchors: Some(&anchors),
        token: None,
        keys: &keys,
        script: SCRIPT,
        previous: None,
    };
    let mut made = Made::begin(&folder.path().join("held"), with);
    made.open();
    let anew = |anchor, index: key_metadata::NvIndex| {
        anchors
            .swtpm
            .must("tpm2_nvundefine", &["-C", "o", &index.to_string()])
            .unwrap();
        anchors.tpm.define_anchor(anchor, index, None).unwrap();
    };
    // The digests of the lines so far are replayed, but for one.
    anew(Anchor::Log, log_index());
    for byte in 0..3 {
        anchors.tpm.extend_log(log_index(), &[byte; 32]).unwrap();
    }
    made.make_keys();
    made.close();
    let verification = ceremony::verify::verify(&made.folder, None).unwrap();
    fails(&verification.claims, &["tpm-log"]);
    let (code, said) = shell(made.folder.path(), None);
    assert_eq!(code, 3, "{said}{}", told(&verification));
    fails(&asked(&made.folder, &anchors), &["live-log"]);
    // A counter that is made anew goes on above every number that there was.
    anew(Anchor::Counter, counter_index());
    anchors.tpm.raise_counter(counter_index()).unwrap();
    fails(&asked(&made.folder, &anchors), &["live-counter", "live-log"]);
}
