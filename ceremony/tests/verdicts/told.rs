//! What is told where there is nothing to look at: never that it holds.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use ceremony::log::Entry;
use ceremony::verify::{ClaimVerdict, VERIFY_SH, verify};
use key_metadata::Digest;

use crate::made::SCRIPT;
use crate::seats::Keys;
use crate::stopped::{evidence, ids, plain, stopped};
use crate::tpm_side::Anchors;

/// verify.sh with only the programs of that folder, or with all.
fn shell(ceremony: &Path, programs: Option<&Path>) -> (i32, String) {
    let script = ceremony.with_extension("sh");
    fs::write(&script, VERIFY_SH).unwrap();
    let mut command = Command::new("/bin/sh");
    command.arg(script).arg(ceremony);
    if let Some(programs) = programs {
        command.env("PATH", programs);
    }
    said(&command.output().unwrap())
}

fn said(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap(), text)
}

fn tool(ceremony: &Path) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_keyrite-ceremony"))
        .arg("verify")
        .arg(ceremony)
        .output();
    said(&output.unwrap())
}

/// What the line of a claim begins with, in verify.sh's words.
fn verdict<'t>(text: &'t str, id: &str) -> Option<&'t str> {
    let line = text.lines().find(|line| {
        let of = line.get(13..).map_or("", |rest| rest);
        of == id || of.starts_with(&format!("{id}:")) || of.starts_with(&format!("{id} "))
    });
    line.map(|line| line[..13].trim_end())
}

#[test]
fn the_script_can_be_read_before_it_is_believed() {
    assert!(VERIFY_SH.lines().count() <= 100);
}

#[test]
fn an_unanchored_log_has_claims_that_nobody_checked() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::make(&folder.path().join("keys"));
    let made = stopped(&folder.path().join("unanchored"), plain(&keys, SCRIPT));
    let verification = verify(&made, None).unwrap();
    assert_eq!(verification.verdict(), ClaimVerdict::Pass);
    let unanchored = ["tpm-log", "tpm-counter", "tpm-quote", "tpm-clock", "counter"];
    let unchecked = ids(&verification, ClaimVerdict::NotChecked);
    for id in unanchored.iter().chain(&["keys", "token", "previous", "trust"]) {
        assert!(unchecked.contains(id), "{id}: {verification:#?}");
    }
    for id in unanchored {
        assert!(evidence(&verification, id).contains("unanchored"));
    }
    let (code, text) = tool(made.path());
    assert_eq!(code, 0, "{text}");
    let count = format!("0 fail, {} not checked", unchecked.len());
    assert!(text.lines().next().unwrap().ends_with(&count), "{text}");
    let (code, text) = shell(made.path(), None);
    assert_eq!(code, 0, "{text}");
    for id in ["tpm-log", "tpm-counter", "tpm-quote", "tpm-clock", "token"] {
        assert_eq!(verdict(&text, id), Some("not checked"), "{text}");
    }
}

#[test]
fn the_keys_to_compare_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::make(&folder.path().join("keys"));
    let anchors = Anchors::start(&folder.path().join("tpm"));
    let mut with = plain(&keys, SCRIPT);
    with.anchors = Some(&anchors);
    let made = stopped(&folder.path().join("anchored"), with);
    let told = verify(&made, None).unwrap();
    let told = evidence(&told, "trust");
    assert!(told.contains(&anchors.of_genesis().ak_name), "{told}");
    let output = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(folder.path().join("keys/witness-1.pub"))
        .output()
        .unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    let fingerprint = line.split(' ').nth(1).unwrap();
    assert!(
        told.contains(&format!("witness-1@nic.example {fingerprint}")),
        "{told}"
    );

    // Where a tool is missing, nothing is said to pass, and the exit code is no 0.
    let programs = folder.path().join("programs");
    fs::create_dir(&programs).unwrap();
    for from in ["/usr/bin", "/bin"] {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() != "tpm2_checkquote" {
                // The second of the two is often the first again.
                let _ = symlink(entry.path(), programs.join(entry.file_name()));
            }
        }
    }
    let (code, text) = shell(made.path(), None);
    assert_eq!((code, verdict(&text, "tpm-quote")), (0, Some("pass")), "{text}");
    let (code, text) = shell(made.path(), Some(&programs));
    assert_eq!(code, 1, "{text}");
    assert!(!text.contains("pass"), "{text}");
    assert!(text.contains("there is no tpm2_checkquote"), "{text}");
}

#[test]
fn a_rehearsal_is_told_and_does_not_count_as_a_ceremony() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::make(&folder.path().join("keys"));
    let script = SCRIPT.replace("kind: PRODUCTION", "kind: REHEARSAL");
    let made = stopped(&folder.path().join("rehearsed"), plain(&keys, &script));
    let verification = verify(&made, None).unwrap();
    assert_eq!(verification.verdict(), ClaimVerdict::Pass, "{verification:#?}");
    assert!(evidence(&verification, "kind").starts_with("REHEARSAL, nothing here is fit for use"));
    let (code, text) = shell(made.path(), None);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("REHEARSAL: nothing here is fit for use"), "{text}");

    // Called the other thing, its chain made anew.
    let log = fs::read_to_string(made.log()).unwrap();
    let (mut anew, mut prev) = (Vec::new(), Digest::ZERO);
    for line in log.replacen("\"REHEARSAL\"", "\"PRODUCTION\"", 1).lines() {
        let mut entry = Entry::from_line(line.as_bytes()).unwrap();
        entry.prev = prev;
        let line = entry.to_line().unwrap();
        prev = Digest::of(&line);
        anew.extend(line);
    }
    fs::write(made.log(), anew).unwrap();
    let verification = verify(&made, None).unwrap();
    assert!(ids(&verification, ClaimVerdict::Fail).contains(&"kind"));
    let (code, text) = shell(made.path(), None);
    assert_eq!((code, verdict(&text, "kind")), (3, Some("fail")), "{text}");
}

#[test]
fn a_live_tpm_is_named_as_the_site_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::make(&folder.path().join("keys"));
    let anchors = Anchors::start(&folder.path().join("tpm"));
    let mut with = plain(&keys, SCRIPT);
    with.anchors = Some(&anchors);
    let made = stopped(&folder.path().join("anchored"), with);
    // It has no resource manager: one program at a time.
    let Anchors { swtpm, tpm } = anchors;
    drop(tpm);
    let site = format!(
        "version: 1\ntokens:\n  chip:\n    address: tpm2:{}\nzones: {{}}\n",
        swtpm.tcti()
    );
    fs::write(folder.path().join("site.yaml"), site).unwrap();
    let asked = |anchor: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_keyrite-ceremony"))
            .args([
                "verify",
                "--attestation-key",
                "0x81010020",
                "--anchor",
                anchor,
                "--site",
            ])
            .args([folder.path(), made.path()])
            .output()
            .unwrap();
        let (code, text) = said(&output);
        (code, text + &String::from_utf8_lossy(&output.stderr))
    };
    for anchor in ["chip", swtpm.tcti()] {
        let (code, text) = asked(anchor);
        assert_eq!(code, 0, "{text}");
        for id in ["live-tpm", "live-counter", "live-log", "live-clock"] {
            assert!(
                text.lines()
                    .any(|line| line.starts_with("pass") && line.contains(id)),
                "{text}"
            );
        }
    }
    for anchor in ["hsm", "no such thing"] {
        let (code, text) = asked(anchor);
        assert_eq!(code, 2, "{text}");
    }
}
