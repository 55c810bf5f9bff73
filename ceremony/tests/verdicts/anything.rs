//! Files that nobody meant, in the place of those of a real ceremony: nothing panics, and nothing passes.

use std::fs;
use std::str::FromStr;

use ceremony::log::{CeremonyFolder, Checkpoint, Entry};
use ceremony::verify::{ClaimVerdict, verify};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::made::SCRIPT;
use crate::seats::Keys;
use crate::stopped::{ids, plain, stopped};
use crate::tpm_side::Anchors;

/// Files of each kind that the verifier reads.
const FILES: [&str; 17] = [
    "log.jsonl",
    "script.yaml",
    "allowed_signers",
    "ak.pem",
    "cast-1",
    "checkpoint-1",
    "checkpoint-2",
    "checkpoint-2.officer-1.sig",
    "checkpoint-1.extend.attest",
    "checkpoint-2.extend.attest",
    "checkpoint-2.extend.sig",
    "checkpoint-2.counter.attest",
    "checkpoint-2.counter.sig",
    "checkpoint-2.quote.attest",
    "checkpoint-2.quote.sig",
    "checkpoint-2.quote.tss",
    "checkpoint-2.quote.pcrs",
];

/// A change of a text.
#[derive(Clone, Debug)]
enum Change {
    Set(u8),
    Insert(Vec<u8>),
    Remove(usize),
    Repeat(usize),
    Cut,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        any::<u8>().prop_map(Change::Set),
        (0x20..0x7f_u8).prop_map(Change::Set),
        prop_oneof![
            any::<Vec<u8>>(),
            "[\\[\\]{}\",:0-9a-f\\\\]{1,9}".prop_map(String::into_bytes),
            "(,\"n\":1|null|-1|1e9|18446744073709551616|\\\\ud800|\\{\\}|\\[\\])"
                .prop_map(String::into_bytes),
        ]
        .prop_map(Change::Insert),
        (1..200_usize).prop_map(Change::Remove),
        (1..200_usize).prop_map(Change::Repeat),
        Just(Change::Cut),
    ]
}

fn changed(bytes: &[u8], at: &prop::sample::Index, change: &Change) -> Vec<u8> {
    let mut anew = bytes.to_vec();
    if anew.is_empty() {
        return vec![0];
    }
    let at = at.index(anew.len());
    match change {
        Change::Set(byte) => anew[at] = *byte,
        Change::Insert(more) => drop(anew.splice(at..at, more.iter().copied())),
        Change::Remove(count) => drop(anew.drain(at..(at + count).min(bytes.len()))),
        Change::Repeat(count) => {
            let again = &bytes[at..(at + count).min(bytes.len())];
            drop(anew.splice(at..at, again.iter().copied()));
        }
        Change::Cut => anew.truncate(at),
    }
    anew
}

fn put(ceremony: &CeremonyFolder, name: &str, own: &[u8], other: &[u8]) -> Result<(), TestCaseError> {
    // What comes after a recording's last mark is under no seal; that is told, and is all right.
    if own == other || (name == "cast-1" && other.starts_with(own)) {
        return Ok(());
    }
    fs::write(ceremony.file(name), other).unwrap();
    let verification = verify(ceremony, None).unwrap();
    fs::write(ceremony.file(name), own).unwrap();
    prop_assert_eq!(verification.verdict(), ClaimVerdict::Fail, "{}", name);
    Ok(())
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn any_file_in_the_place_of_another_fails() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::make(&folder.path().join("keys"));
    let anchors = Anchors::start(&folder.path().join("tpm"));
    let mut with = plain(&keys, SCRIPT);
    with.anchors = Some(&anchors);
    let ceremony = stopped(&folder.path().join("ceremony"), with);
    let own = verify(&ceremony, None).unwrap();
    assert!(ids(&own, ClaimVerdict::Fail).is_empty(), "{own:#?}");
    for name in FILES {
        let own = fs::read(ceremony.file(name)).unwrap();
        runner(16)
            .run(&any::<Vec<u8>>(), |bytes| put(&ceremony, name, &own, &bytes))
            .unwrap();
        runner(24)
            .run(&(any::<prop::sample::Index>(), change()), |(at, change)| {
                put(&ceremony, name, &own, &changed(&own, &at, &change))
            })
            .unwrap();
    }
    let own = verify(&ceremony, None).unwrap();
    assert!(ids(&own, ClaimVerdict::Fail).is_empty(), "all was put back");
}

#[test]
fn a_changed_line_is_read_as_it_is_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::make(&folder.path().join("keys"));
    let ceremony = stopped(&folder.path().join("ceremony"), plain(&keys, SCRIPT));
    let log = fs::read(ceremony.log()).unwrap();
    for line in log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let own = Entry::from_line(line).unwrap();
        let changes = prop::collection::vec((any::<prop::sample::Index>(), change()), 1..4);
        runner(256)
            .run(&changes, |changes| {
                let mut anew = line.to_vec();
                for (at, change) in &changes {
                    anew = changed(&anew, at, change);
                }
                if let Ok(entry) = Entry::from_line(&anew) {
                    // What is written of it is one line, which is read as the same entry.
                    let written = entry.to_line().unwrap();
                    let again = Entry::from_line(&written[..written.len() - 1]).unwrap();
                    prop_assert_eq!(&again, &entry);
                    prop_assert!(anew == line || entry != own || written[..written.len() - 1] == *line);
                }
                Ok(())
            })
            .unwrap();
    }
}

proptest! {
    #![proptest_config(Config { cases: 1024, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_bytes_are_no_entry(bytes: Vec<u8>) {
        prop_assert!(Entry::from_line(&bytes).is_err());
    }

    #[test]
    fn any_bytes_are_no_checkpoint(text: String) {
        prop_assert!(Checkpoint::from_str(&text).is_err());
    }

    #[test]
    fn any_body_is_read_or_refused(
        kind in "(genesis|step|readback|artefact|secret-event|exception|skip|abort|recovered|cast|seal|anchor|end)",
        body in "(\\{|\\}|\\[|\\]|\"[a-z]{0,5}\"|:|,|[0-9]|null|-|\\.|\\\\u[0-9a-f]{4}){0,30}",
    ) {
        let prev = "0".repeat(64);
        let line = format!(
            "{{\"n\":1,\"prev\":\"{prev}\",\"t\":\"2026-11-23T10:07:31Z\",\"type\":\"{kind}\",\"by\":[],\"body\":{{{body}}}}}"
        );
        let _ = Entry::from_line(line.as_bytes());
    }
}
