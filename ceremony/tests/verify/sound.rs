//! Ceremonies as they should be: everything passes, and both tools say so.

use std::path::Path;
use std::process::Command;

use ceremony::log::CeremonyFolder;
use ceremony::verify::{Claim, ClaimVerdict, Verification, verify};

use crate::made::{Made, SCRIPT, With};
use crate::seats::Keys;
use crate::tpm_side::{Anchors, LogToken};

/// What verify.sh says: its exit code and lines.
pub fn shell(folder: &Path, previous: Option<&Path>) -> (i32, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/verify.sh");
    let output = Command::new("sh")
        .arg(script)
        .arg(folder)
        .args(previous)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.code().unwrap(), said.concat())
}

pub fn told(verification: &Verification) -> String {
    let line = |claim: &Claim| format!("{} {}: {}\n", claim.verdict, claim.id, claim.evidence);
    verification.claims.iter().map(line).collect()
}

#[track_caller]
pub fn passes(folder: &CeremonyFolder, previous: Option<&CeremonyFolder>) -> Verification {
    let verification = verify(folder, previous).unwrap();
    let (code, said) = shell(folder.path(), previous.map(CeremonyFolder::path));
    eprintln!("{}{said}", told(&verification));
    assert_eq!(verification.verdict(), ClaimVerdict::Pass);
    assert_eq!(code, 0);
    verification
}

#[test]
fn a_ceremony_with_tpm_and_token() {
    let folder = tempfile::tempdir().unwrap();
    let anchors = Anchors::start(&folder.path().join("tpm"));
    let token = LogToken::make(&folder.path().join("token"));
    let keys = Keys::make(&folder.path().join("keys"));
    let with = With {
        anchors: Some(&anchors),
        token: Some(&token),
        keys: &keys,
        script: SCRIPT,
        previous: None,
    };
    let mut made = Made::begin(&folder.path().join("2026-q4"), with);
    made.hold();
    let first = made.folder.clone();
    let verification = passes(&first, None);
    assert_eq!(
        verification.count(ClaimVerdict::NotChecked),
        2,
        "the first ceremony has none before it; whose keys they are, no folder shows"
    );
    let with = With {
        previous: Some((&first, 5)),
        ..with
    };
    let mut next = Made::begin(&folder.path().join("2027-q1"), with);
    next.hold();
    let verification = passes(&next.folder, Some(&first));
    assert_eq!(verification.count(ClaimVerdict::NotChecked), 1);
}
