//! A ceremony that is broken off once the people are there, and its safe state reached: a short one, whose last checkpoint alone is signed.

use std::fs;
use std::path::Path;

use ceremony::log::{Abort, Body, CeremonyFolder, Did, End, EndOutcome, Exception, Then};
use ceremony::verify::{ClaimVerdict, Verification, verify};

use crate::made::{Made, SCRIPT, With};
use crate::seats::Keys;

pub const SIGNERS: [&str; 3] = ["officer-1", "officer-2", "witness-1"];

/// Without a TPM, without a token, the site's first.
pub fn plain<'a>(keys: &'a Keys, script: &'a str) -> With<'a> {
    With {
        anchors: None,
        token: None,
        keys,
        script,
        previous: None,
    }
}

/// Breaks a ceremony off that has begun, and ends it.
pub fn break_off(made: &mut Made<'_>, outcome: EndOutcome) {
    made.open();
    let exception = Exception {
        step: "generate".parse().unwrap(),
        expected: "a token".to_owned(),
        happened: "it is broken".to_owned(),
        decided: "we stop".to_owned(),
        then: Then::Abort,
        agree: ["administrator-1", "officer-1", "officer-2"]
            .map(|seat| seat.parse().unwrap())
            .into(),
        disagree: vec![],
    };
    made.add(&["administrator-1"], Body::Exception(exception));
    let abort = Abort {
        step: "generate".parse().unwrap(),
        reason: "the token is broken".to_owned(),
    };
    made.add(&["administrator-1"], Body::Abort(abort));
    made.step("log-out", Did::Say {});
    let end = End {
        outcome,
        done: 7,
        skipped: 0,
        exceptions: 2,
    };
    made.add(&[], Body::End(end));
    made.seal("the end", &SIGNERS);
}

/// A whole one that was broken off.
pub fn stopped(path: &Path, with: With<'_>) -> CeremonyFolder {
    let mut made = Made::begin(path, with);
    break_off(&mut made, EndOutcome::Aborted);
    made.folder
}

/// The names of the claims with that verdict.
pub fn ids(verification: &Verification, verdict: ClaimVerdict) -> Vec<&str> {
    let claims = verification.claims.iter();
    let with = claims.filter(|claim| claim.verdict == verdict);
    with.map(|claim| claim.id.as_str()).collect()
}

pub fn evidence<'v>(verification: &'v Verification, id: &str) -> &'v str {
    let claim = verification.claims.iter().find(|claim| claim.id == id);
    &claim.unwrap().evidence
}

#[test]
fn it_passes_as_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::make(&folder.path().join("keys"));
    let made = stopped(&folder.path().join("stopped"), plain(&keys, SCRIPT));
    let verification = verify(&made, None).unwrap();
    assert!(
        ids(&verification, ClaimVerdict::Fail).is_empty(),
        "{verification:#?}"
    );
    assert_eq!(
        evidence(&verification, "finished"),
        "it was broken off, and its safe state reached"
    );
}

#[test]
fn what_was_recorded_after_the_last_seal_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::make(&folder.path().join("keys"));
    let made = stopped(&folder.path().join("stopped"), plain(&keys, SCRIPT));
    let recordings = || evidence(&verify(&made, None).unwrap(), "recordings").to_owned();
    assert!(!recordings().contains("under no seal"), "{}", recordings());
    let mut recording = fs::read(made.file("cast-1")).unwrap();
    recording.extend(b"[99.0,\"o\",\"Farewell.\"]\n");
    fs::write(made.file("cast-1"), recording).unwrap();
    let told = recordings();
    assert!(
        told.ends_with("23 bytes came after the last of them and are under no seal"),
        "{told}"
    );
}

#[test]
fn it_does_not_pass_as_one_that_was_completed() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::make(&folder.path().join("keys"));
    let mut made = Made::begin(&folder.path().join("stopped"), plain(&keys, SCRIPT));
    break_off(&mut made, EndOutcome::Completed);
    let verification = verify(&made.folder, None).unwrap();
    assert_eq!(
        ids(&verification, ClaimVerdict::Fail),
        ["steps"],
        "{verification:#?}"
    );
}

#[test]
fn one_that_simply_stops_is_not_finished() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::make(&folder.path().join("keys"));
    let mut made = Made::begin(&folder.path().join("stopped"), plain(&keys, SCRIPT));
    made.open();
    let verification = verify(&made.folder, None).unwrap();
    let failing = ids(&verification, ClaimVerdict::Fail);
    assert!(failing.contains(&"finished"), "{verification:#?}");
    assert!(failing.contains(&"steps") && failing.contains(&"signatures"));
}
