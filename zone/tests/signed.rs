//! Zones that BIND, ldns and Knot sign are good, and not with any record dropped, changed or added.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test needs and lacks is a failure"
)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use keyrite_zone::check::{Question, Verdict};
use keyrite_zone::{Records, check};
use tempfile::TempDir;

const ZONE: &str = include_str!("../../tests/fixtures/hard.zone");
const ALGORITHMS: [&str; 4] = ["RSASHA256", "ECDSAP256SHA256", "ECDSAP384SHA384", "ED25519"];

fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} (Debian: bind9-utils, ldnsutils): {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with the hard zone, as BIND and ldns take it, and a KSK and a ZSK of theirs.
struct Signers {
    folder: TempDir,
    keys: Vec<String>,
}

impl Signers {
    fn new(algorithm: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Names below a DNAME and several TTLs in an RRset are refused, or mended in ways of their own.
        let taken = ZONE
            .lines()
            .filter(|line| !line.starts_with("below.dname") && !line.starts_with("ttl\t300"));
        let zone: String = taken.map(|line| format!("{line}\n")).collect();
        fs::write(folder.path().join("zone"), zone).unwrap();
        let key = |arguments: &[&str]| {
            let bits: &[&str] = if algorithm == "RSASHA256" {
                &["-b", "2048"]
            } else {
                &[]
            };
            let arguments = [&["-q", "-a", algorithm][..], bits, arguments, &["sa.cr"]].concat();
            run(folder.path(), "dnssec-keygen", &arguments).trim().to_owned()
        };
        let keys = vec![key(&["-f", "KSK"]), key(&[])];
        Self { folder, keys }
    }

    fn by_bind(&self, denial: &[&str]) -> String {
        let arguments = [
            &["-q", "-S", "-o", "sa.cr", "-O", "full", "-f", "-"][..],
            denial,
            &["zone"],
        ]
        .concat();
        run(self.folder.path(), "dnssec-signzone", &arguments)
    }

    /// With a digest of the zone.
    fn by_ldns(&self, denial: &[&str]) -> String {
        let keys: Vec<_> = self.keys.iter().map(String::as_str).collect();
        let arguments = [
            &["-b", "-z", "1:1", "-o", "sa.cr", "-f", "-"][..],
            denial,
            &["zone"],
            &keys,
        ]
        .concat();
        let text = run(self.folder.path(), "ldns-signzone", &arguments);
        let of_record = |line: &str| line.split(" ;").next().map(str::to_owned);
        let lines = text
            .lines()
            .filter(|line| !line.starts_with(';') && !line.trim().is_empty());
        lines.filter_map(of_record).map(|line| line + "\n").collect()
    }
}

fn verdict(text: &str) -> Verdict {
    let records = Records::parse(text.as_bytes(), Path::new("zone"), &"sa.cr".parse().unwrap());
    let records = records.unwrap_or_else(|error| panic!("{error}"));
    let question = Question {
        now: now(),
        ..Question::default()
    };
    check(&records, &question, &|_| {})
}

fn is_refused(text: &str) -> bool {
    let records = Records::parse(text.as_bytes(), Path::new("zone"), &"sa.cr".parse().unwrap());
    let question = Question {
        now: now(),
        ..Question::default()
    };
    records.map_or(true, |records| {
        !check(&records, &question, &|_| {}).problems.is_empty()
    })
}

#[test]
fn what_others_sign_is_good() {
    for algorithm in ALGORITHMS {
        let signers = Signers::new(algorithm);
        for (bind, ldns) in [
            (&[][..], &[][..]),
            (&["-3", "-"], &["-n", "-t", "0"]),
            (&["-3", "-", "-A"], &["-n", "-p", "-t", "0"]),
            (&["-3", "a1b2", "-H", "5"], &["-n", "-s", "a1b2", "-t", "5"]),
        ] {
            let text = signers.by_bind(bind);
            let found = verdict(&text);
            assert!(
                found.problems.is_empty(),
                "{algorithm} {bind:?}: {:#?}",
                found.problems
            );
            let is_rrsig = |line: &&str| line.split_whitespace().nth(3) == Some("RRSIG");
            assert_eq!(found.signatures, text.lines().filter(is_rrsig).count());
            let text = signers.by_ldns(ldns);
            let found = verdict(&text);
            assert!(
                found.problems.is_empty(),
                "{algorithm} {ldns:?}: {:#?}",
                found.problems
            );
            assert!(text.contains("\tZONEMD\t"));
        }
    }
}

/// A DNAME at the apex stands for every name below, but not for those of the NSEC3 chain.
#[test]
fn a_dname_at_the_apex_hides_no_nsec3() {
    let signers = Signers::new("ED25519");
    let zone = "$TTL 60\n@ SOA ns.example. root.example. 1 2 3 4 5\n@ NS ns.example.\n@ DNAME example.\n";
    fs::write(signers.folder.path().join("zone"), zone).unwrap();
    for denial in [&[][..], &["-n", "-t", "0"]] {
        let found = verdict(&signers.by_ldns(denial));
        assert!(found.problems.is_empty(), "{:#?}", found.problems);
        assert_eq!(found.denials, 1);
    }
}

/// Under a digest of the zone no record can go unnoticed, be it signed or not.
#[test]
fn nothing_that_was_changed_is_good() {
    let signers = Signers::new("ED25519");
    for denial in [&[][..], &["-n", "-t", "0"], &["-n", "-p", "-t", "0"]] {
        let text = signers.by_ldns(denial);
        let lines: Vec<_> = text.lines().collect();
        let with = |place: usize, line: Option<&str>| -> String {
            let lines = lines
                .iter()
                .enumerate()
                .filter_map(|(at, own)| match at == place {
                    true => line,
                    false => Some(*own),
                });
            lines.map(|line| format!("{line}\n")).collect()
        };
        for (place, line) in lines.iter().enumerate() {
            assert!(is_refused(&with(place, None)), "{denial:?}: nobody misses {line}");
            for edited in edits(line) {
                assert!(
                    is_refused(&with(place, Some(&edited))),
                    "{denial:?}: nobody notices {edited}"
                );
            }
            let other = lines[(place + 1) % lines.len()];
            if let Some(swapped) = swapped(line, other) {
                assert!(
                    is_refused(&with(place, Some(&swapped))),
                    "{denial:?}: nobody notices {swapped}"
                );
            }
        }
    }
}

/// The line with its TTL, and a letter or digit of its owner and of its data, changed.
fn edits(line: &str) -> Vec<String> {
    let fields: Vec<_> = line.split('\t').collect();
    let [owner, ttl, class, rtype, data @ ..] = fields.as_slice() else {
        panic!("{line}");
    };
    let data = data.join("\t");
    let changed = |text: &str| {
        // Of the last field: the last bits of base64 mean nothing, the first do.
        let from = text.rfind([' ', '\t']).map_or(0, |space| space + 1);
        let at = from + text[from..].find(|letter: char| letter.is_ascii_alphanumeric())?;
        let other = if text.as_bytes()[at] == b'1' { "2" } else { "1" };
        Some(format!("{}{other}{}", &text[..at], &text[at + 1..]))
    };
    let more = format!("{owner}\t1{ttl}\t{class}\t{rtype}\t{data}");
    let of_owner = changed(owner).map(|owner| format!("{owner}\t{ttl}\t{class}\t{rtype}\t{data}"));
    let of_data = changed(&data).map(|data| format!("{owner}\t{ttl}\t{class}\t{rtype}\t{data}"));
    std::iter::once(more).chain(of_owner).chain(of_data).collect()
}

/// The line with the data of another one of its type.
fn swapped(line: &str, other: &str) -> Option<String> {
    let (mine, theirs): (Vec<_>, Vec<_>) = (line.splitn(5, '\t').collect(), other.splitn(5, '\t').collect());
    let is_other = mine.get(3) == theirs.get(3) && mine.get(4) != theirs.get(4);
    is_other.then(|| [&mine[..4], &theirs[4..]].concat().join("\t"))
}

/// Every problem is told, not the first alone, and each with its line.
#[test]
fn all_that_is_wrong_is_told() {
    let signers = Signers::new("ED25519");
    let text = signers.by_bind(&["-3", "-"]);
    let wrong = text
        .replace("192.0.2.1\n", "192.0.2.77\n")
        .replace("\"any\"", "\"another\"");
    let wrong = wrong + "new.sa.cr. 60 IN A 192.0.2.1\nexample.net. 60 IN A 192.0.2.1\n";
    let told: Vec<_> = verdict(&wrong).problems.iter().map(ToString::to_string).collect();
    let tag = |problem: &str| {
        problem
            .split_whitespace()
            .map(str::to_owned)
            .filter(|word| word.parse::<u16>().is_err())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        told.iter()
            .map(|problem| tag(&problem.replace(": it", " it")))
            .collect::<Vec<_>>(),
        [
            "new.sa.cr has no NSEC3 record",
            "*.sa.cr TXT has a bad signature by key it does not verify",
            "*.sa.cr TXT has no good signature of algorithm 15",
            "new.sa.cr A has no good signature of algorithm 15",
            "ns1.sa.cr A has a bad signature by key it does not verify",
            "ns1.sa.cr A has no good signature of algorithm 15",
            "example.net is not in the zone",
        ]
        .map(tag)
    );
    assert!(
        verdict("")
            .problems
            .iter()
            .any(|problem| problem.what.contains("no records"))
    );
    assert!(
        verdict(ZONE)
            .problems
            .iter()
            .any(|problem| problem.what.contains("not signed"))
    );
}
