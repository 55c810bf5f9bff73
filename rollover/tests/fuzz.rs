//! The readers under whatever may come: nothing panics, what is read is written so that it reads the same, and lanes are in order.
//!
//! As a test it runs for a second; `make fuzz` runs it for ten minutes. A case is one of the outages with edits, since random bytes would not get past
//! the first line.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bolero::TypeGenerator;
use interchange::knot::{Custody, ListedKey};
use interchange::{Event, Times};
use key_metadata::{Role, Span, Time, yaml};
use proptest::prelude::*;
use rollover::chain::Validators;
use rollover::histories::recorded::History;
use rollover::histories::{Circumstances, HistoryError, knot};
use rollover::prove::{Claim, prove};
use rollover::schedule::{Lane, Propagation, Schedule, Signatures};

/// Which outage, and what is done to it. Positions are in 65536ths of the lines.
#[derive(Debug, TypeGenerator)]
struct Case {
    file: u8,
    edits: [Edit; 3],
}

#[derive(Debug, TypeGenerator)]
enum Edit {
    Nothing,
    Word { line: u16, at: u8, word: u8 },
    Digit { line: u16, at: u8, digit: u8 },
    Delete { line: u16 },
    Repeat { line: u16, to: u16 },
    Take { file: u8, line: u16, to: u16 },
    Cut { line: u16 },
}

const WORDS: [&str; 24] = [
    "",
    " ",
    "[",
    "]",
    "{",
    "}",
    ":",
    "- ",
    ",",
    "#",
    "'",
    "\"",
    "&a ",
    "*a",
    "!!str ",
    "|",
    "~",
    "-1",
    "4294967296",
    "1w",
    "0s",
    "9999-12-31T23:59:59Z",
    "KSK",
    "\u{202e}",
];

fn outages() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outages");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

fn position(length: usize, at: u16) -> usize {
    (length * usize::from(at)) >> 16
}

impl Case {
    fn apply(&self, files: &[String]) -> String {
        let file = |file: u8| files[usize::from(file) % files.len()].lines().map(str::to_owned);
        let mut lines: Vec<String> = file(self.file).collect();
        for edit in &self.edits {
            edit.apply(&mut lines, |from| file(from).collect());
            if lines.is_empty() {
                break;
            }
        }
        lines.join("\n") + "\n"
    }
}

impl Edit {
    fn apply(&self, lines: &mut Vec<String>, other: impl Fn(u8) -> Vec<String>) {
        let place = |line: u16, lines: &Vec<String>| position(lines.len(), line);
        match *self {
            Self::Nothing => {}
            Self::Word { line, at, word } => {
                let place = place(line, lines);
                let line = &mut lines[place];
                let ends = line.char_indices().map(|(index, _)| index).chain([line.len()]);
                let at = ends.clone().nth(usize::from(at) % ends.count()).unwrap();
                line.insert_str(at, WORDS[usize::from(word) % WORDS.len()]);
            }
            Self::Digit { line, at, digit } => {
                let place = place(line, lines);
                let digits: Vec<usize> = lines[place]
                    .char_indices()
                    .filter(|(_, c)| c.is_ascii_digit())
                    .map(|(index, _)| index)
                    .collect();
                if let Some(at) = digits.get(usize::from(at) % digits.len().max(1)) {
                    lines[place].replace_range(*at..=*at, &(digit % 10).to_string());
                }
            }
            Self::Delete { line } => {
                let place = place(line, lines);
                lines.remove(place);
            }
            Self::Repeat { line, to } => {
                let (line, to) = (lines[place(line, lines)].clone(), place(to, lines));
                lines.insert(to, line);
            }
            Self::Take { file, line, to } => {
                let (other, to) = (other(file), place(to, lines));
                lines.insert(to, other[position(other.len(), line)].clone());
            }
            Self::Cut { line } => lines.truncate(place(line, lines)),
        }
    }
}

/// Each lane is in the order of time, and nothing is done before it begins.
fn is_in_order(schedule: &Schedule) {
    for key in &schedule.keys {
        for Lane(lane) in [&key.dnskey, &key.ds, &key.dnskey_rrsig, &key.zone_rrsig] {
            for presence in lane {
                assert!(presence.begins.from <= presence.begins.by, "{lane:?}");
                let ends = presence.ends;
                assert!(
                    ends.is_none_or(|ends| presence.begins.from <= ends.from && ends.from <= ends.by),
                    "{lane:?}"
                );
            }
            assert!(
                lane.is_sorted_by(|one, next| one.ends.is_some_and(|ends| ends.from <= next.begins.from))
            );
        }
    }
}

fn proves(schedule: &Schedule) {
    let claim = Claim {
        validators: Validators::Strict,
        since: schedule.since,
        trust_anchors: None,
    };
    if let Ok(Err(found)) = prove(schedule, &claim) {
        assert!(found.iter().all(|found| !found.tell(schedule).is_empty()));
    }
}

#[test]
fn history() {
    let files = outages();
    let seconds = std::env::var("FUZZ_SECONDS").map_or(1, |seconds| seconds.parse().unwrap());
    let (cases, accepted) = (AtomicU64::new(0), AtomicU64::new(0));
    bolero::check!()
        .with_test_time(Duration::from_secs(seconds))
        .with_iterations(usize::MAX)
        .with_max_len(4096)
        .with_type::<Case>()
        .for_each(|case| {
            cases.fetch_add(1, Relaxed);
            match History::from_yaml(&case.apply(&files)) {
                Err(error) => assert!(!error.to_string().is_empty()),
                Ok(history) => {
                    accepted.fetch_add(1, Relaxed);
                    let again = History::from_yaml(&yaml::render(&history).unwrap()).unwrap();
                    assert_eq!(again, history);
                    let schedule = history.schedule().unwrap();
                    is_in_order(&schedule);
                    proves(&schedule);
                }
            }
        });
    eprintln!(
        "history: {} cases in {seconds} s, {} accepted",
        cases.load(Relaxed),
        accepted.load(Relaxed)
    );
    assert!(accepted.load(Relaxed) > 0);
}

fn time(days: u32) -> Time {
    let start: Time = "2026-01-01T00:00:00Z".parse().unwrap();
    start.after(Span::from_seconds(days * 86_400))
}

const EVENTS: [Event; 8] = [
    Event::PreActive,
    Event::Published,
    Event::Ready,
    Event::Active,
    Event::RetireActive,
    Event::Retired,
    Event::PostActive,
    Event::Removed,
];

prop_compose! {
    fn listed()(
        tag in 0u16..4,
        role in prop::sample::select(Role::ALL.to_vec()),
        algorithm in prop::sample::select(vec!["13", "15"]),
        times in prop::collection::vec(prop::option::of(0u32..20), EVENTS.len()),
    ) -> ListedKey {
        let times: Times = EVENTS
            .iter()
            .zip(times)
            .filter_map(|(event, days)| Some((*event, time(days?))))
            .collect();
        ListedKey {
            zone: "example".parse().unwrap(),
            id: vec![u8::try_from(tag).unwrap()],
            role,
            tag,
            algorithm: algorithm.parse().unwrap(),
            size: 256,
            custody: Custody::Keystore,
            times,
        }
    }
}

proptest! {
    #[test]
    fn any_list_of_knot_is_read_in_order_or_refused(
        lists in prop::collection::vec(prop::collection::vec(listed(), 0..4), 1..3),
        now in 0u32..25,
    ) {
        let day = Span::from_seconds(86_400);
        let around = Circumstances {
            ttl_dnskey: day,
            ttl_ds: day,
            ttl_zone: day,
            propagation: Propagation { zone: day, parent: day },
            signatures: Signatures { zone: Span::from_seconds(9 * 86_400), dnskey: Span::from_seconds(9 * 86_400) },
            dsgn: day,
            registration_delay: day,
        };
        match knot::schedule(&"example".parse().unwrap(), &lists, &around, time(now)) {
            Ok(reading) => {
                is_in_order(&reading.schedule);
                proves(&reading.schedule);
            }
            Err(HistoryError::NoKeys { .. } | HistoryError::Backwards { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
