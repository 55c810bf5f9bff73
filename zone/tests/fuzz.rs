//! A fuzz target for zone files: nothing panics, neither in reading one nor in checking it, and an error has its line.
//!
//! As a test it runs for a second; `make fuzz` runs it for ten minutes. Cases are made as those of the crate `interchange` are.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    reason = "what a test needs and lacks is a failure; cases are shared"
)]

#[path = "../../interchange/tests/fuzz/case.rs"]
mod case;

use std::path::Path;

use keyrite_zone::check::Question;
use keyrite_zone::{ReadError, Records, check};

use case::Corpus;

/// 1 June 2026, when the signed zones of the corpus are valid.
const NOW: u32 = 1_780_272_000;

/// Whether the text was read, and then how many problems it has.
fn zone(text: &str) -> Option<usize> {
    let lines = text.split('\n').count();
    match Records::parse(text.as_bytes(), Path::new("zone"), &"sa.cr".parse().unwrap()) {
        Ok(records) => {
            let question = Question {
                now: NOW,
                ..Question::default()
            };
            Some(check(&records, &question, &|_| {}).problems.len())
        }
        Err(ReadError::Syntax { place, reason, .. }) => {
            assert!(
                place.line >= 1 && place.line as usize <= lines,
                "{place} {reason}"
            );
            None
        }
        Err(ReadError::Directive { line, directive, .. }) => {
            assert!(line >= 1 && line as usize <= lines, "{line} {directive}");
            None
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn zone_file() {
    let corpus = Corpus {
        files: vec![
            include_str!("../../tests/fixtures/hard.zone").to_owned(),
            include_str!("../../dnssec/tests/fixtures/bind-ecdsap256sha256.nsec3.zone").to_owned(),
            include_str!("../../dnssec/tests/fixtures/bind-ecdsap384sha384.nsec.zone").to_owned(),
        ],
    };
    let problems: Vec<_> = corpus.files.iter().map(|file| zone(file)).collect();
    assert_eq!(problems, [Some(1), Some(0), Some(0)]);
    corpus.fuzz("zone", |text| zone(text).is_some());
}
