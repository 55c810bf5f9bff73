//! The check against zones that BIND's dnssec-signzone signed (9.18; valid in 2026), and against every mutation of one line.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use std::fs;
use std::path::Path;

use key_metadata::{Time, ZoneName};
use keyrite_dnssec::{Zone, check};
use proptest::prelude::*;
use zone::Records;

const NOW: &str = "2026-06-01T00:00:00Z";

fn fixtures() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()))
        .collect();
    found.sort();
    assert_eq!(found.len(), 5, "one for each algorithm");
    found
}

fn check_at(text: &str, now: &str) -> Result<usize, Box<dyn std::error::Error>> {
    let zone: ZoneName = "sa.cr".parse().unwrap();
    let records = Records::parse(text.as_bytes(), Path::new("signed"), &zone)?;
    let checked = check(&records, &[], Vec::new(), now.parse::<Time>().unwrap())?;
    match checked.delegations.first() {
        Some(problem) => Err(problem.to_string().into()),
        None => Ok(checked.signatures),
    }
}

#[test]
fn what_bind_signed_is_good_while_it_is_valid() {
    for (name, text) in fixtures() {
        let signatures = check_at(&text, NOW).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            signatures,
            text.lines().filter(|line| line.contains("RRSIG\t")).count(),
            "{name}"
        );
        assert!(check_at(&text, "2025-12-31T23:59:59Z").is_err(), "{name}");
        assert!(check_at(&text, "2027-01-01T00:00:01Z").is_err(), "{name}");
    }
}

/// Whether the signatures do not cover a line: delegations (but for their bit in the denial) and what is below them.
fn is_unsigned(line: &str) -> bool {
    let below = [
        "ns.glue.sa.cr.",
        "insecure.sa.cr.",
        "glue.sa.cr.",
        "secure.sa.cr.",
        "x.far.sa.cr.",
    ];
    let owner = line.split_whitespace().next().unwrap();
    let unsigned = ["IN NS", "IN A\t", "IN AAAA\t"]
        .iter()
        .any(|rtype| line.contains(rtype));
    below.contains(&owner) && unsigned
}

#[test]
fn a_line_that_is_dropped_is_missed() {
    for (name, text) in fixtures() {
        let lines: Vec<_> = text.lines().collect();
        for (dropped, line) in lines.iter().enumerate() {
            let rest: String = lines
                .iter()
                .enumerate()
                .filter(|(i, _)| *i != dropped)
                .map(|(_, l)| format!("{l}\n"))
                .collect();
            let found = check_at(&rest, NOW).is_err();
            // Without its NS a cut is none, which opt-out lets go for an insecure one with nothing below. One of two addresses goes unnoticed, and the
            // only one of a name server below its own cut does not.
            let may_go = is_unsigned(line)
                && !line.starts_with("insecure.sa.cr.\t")
                && (!line.contains("IN NS") || name.contains("optout") && line.starts_with("x.far"));
            assert!(found || may_go, "{name}: nobody misses {line}");
            assert!(
                !(found && may_go),
                "{name}: {line} is not covered, and yet it is missed"
            );
        }
    }
}

#[test]
fn a_line_that_is_changed_is_noticed() {
    for (name, text) in fixtures() {
        let lines: Vec<_> = text.lines().collect();
        for (changed, line) in lines.iter().enumerate().filter(|(_, line)| !is_unsigned(line)) {
            // A letter or digit of the record's data becomes another.
            let data = line.rfind(char::is_whitespace).unwrap() + 1;
            let Some(at) = line[data..]
                .find(|c: char| c.is_ascii_alphanumeric())
                .map(|at| data + at)
            else {
                continue;
            };
            let other = if line.as_bytes()[at] == b'1' { "2" } else { "1" };
            let edited = format!("{}{other}{}", &line[..at], &line[at + 1..]);
            let text: String = lines
                .iter()
                .enumerate()
                .map(|(i, l)| format!("{}\n", if i == changed { &edited } else { *l }))
                .collect();
            assert!(check_at(&text, NOW).is_err(), "{name}: nobody notices {edited}");
        }
    }
}

#[test]
fn a_record_that_is_added_is_noticed() {
    for (name, text) in fixtures() {
        for more in [
            "new.sa.cr. 3600 IN A 192.0.2.200",
            "stop.sa.cr. 3600 IN TXT \"more\"",
            "stop.sa.cr. 3600 IN A 192.0.2.201",
            "sa.cr. 3600 IN DNSKEY 257 3 15 Mel1dl7YLwCl8GCtJny8pICybje8/HWJyMzPsYGr+3M=",
            "new.sa.cr. 3600 IN DS 1 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
            "example.net. 3600 IN A 192.0.2.202",
            "ns.glue.sa.cr. 3600 IN RRSIG A 13 4 3600 20270101000000 20260101000000 1 sa.cr. AAAA",
            "sa.cr. 3600 IN SOA a. b. 1 1 1 1 1",
        ] {
            if name.contains("ed25519") && more.contains("DNSKEY") {
                continue; // It is this zone's own.
            }
            assert!(
                check_at(&format!("{text}{more}\n"), NOW).is_err(),
                "{name}: nobody notices {more}"
            );
        }
    }
}

#[test]
fn no_text_makes_a_reader_panic() {
    let zone: ZoneName = "sa.cr".parse().unwrap();
    let (_, text) = fixtures().swap_remove(0);
    for end in (0..text.len()).step_by(7) {
        let _ = check_at(&text[..end], NOW);
        let _ = Zone::parse(&text.as_bytes()[..end], Path::new("zone"), &zone);
    }
    for byte in 0..=u8::MAX {
        let bytes = [byte; 300];
        assert!(Zone::parse(&bytes, Path::new("zone"), &zone).is_err());
    }
}

/// One change of a text: what, where, and how much.
fn mutate(text: &mut Vec<u8>, (kind, at, byte): (u8, usize, u8)) {
    if text.is_empty() {
        return;
    }
    let at = at % text.len();
    match kind {
        0 => text[at] = byte,
        1 => {
            text.remove(at);
        }
        2 => text.insert(at, b"\"\\()@;. \t\n$0*"[usize::from(byte) % 13]),
        3 => text.truncate(at + 1),
        _ => {
            let piece: Vec<u8> = text[at..].iter().take(40).copied().collect();
            let to = usize::from(byte) * 7 % text.len();
            text.splice(to..to, piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// domain 0.12.3 panicked at some of these: unbalanced parentheses and quotes, empty labels, mixed TTLs.
    #[test]
    fn a_damaged_zone_file_makes_no_reader_panic(changes in proptest::collection::vec((0u8..5, any::<usize>(), any::<u8>()), 1..5)) {
        let hard = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hard.zone");
        let mut text = fs::read(hard).unwrap();
        changes.into_iter().for_each(|change| mutate(&mut text, change));
        let zone: ZoneName = "sa.cr".parse().unwrap();
        let _ = Zone::parse(&text, Path::new("zone"), &zone);
        let _ = check_at(&String::from_utf8_lossy(&text), NOW);
    }
}
