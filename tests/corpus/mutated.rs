//! A zone that Keyrite signed, with one record changed.

use std::fs;
use std::path::Path;

use key_metadata::{SiteFolder, ZoneName};
use zone::check::{Question, Verdict};
use zone::{Records, check};

use crate::mutations::{Effect, Line, mutations, text};
use crate::referees::line;
use crate::site::Bench;
use crate::zones;

const ALGORITHM: &str = "ECDSAP256SHA256";
/// So many are told; a mistake is seldom alone.
const SHOWN: usize = 20;
const ZONE: &str = "small.test";

/// Signs the small zone, and looks whether each mutation is told, or taken, as it must be.
pub fn judge(bench: &Bench, denial: &str) -> Result<(), String> {
    let (name, now): (ZoneName, _) = (ZONE.parse().unwrap(), chrono::Utc::now().timestamp() as u32);
    let mut zones = zones::all(ALGORITHM);
    zones.retain(|zone| zone.name == ZONE);
    let site = bench.site(&format!("mutated-{denial}"), ALGORITHM, denial, &zones);
    bench.must(&site, "keyrite-signer", &["sign", "--zone", ZONE]);
    let signed = SiteFolder::open(&site).unwrap().signed_path(&name);
    let records = read(&fs::read_to_string(signed).unwrap(), &name).unwrap();
    let lines: Vec<_> = records.iter().map(line).collect();
    let verdict = |lines: &[Line]| -> Result<Verdict, String> {
        let question = Question {
            now,
            ..Question::default()
        };
        Ok(check(&read(&text(lines), &name)?, &question, &|_| {}))
    };
    let first = verdict(&lines)?;
    assert!(first.problems.is_empty(), "{:#?}", first.problems);
    let (mut problems, mut counts) = (Vec::new(), [0; 3]);
    for mutation in mutations(&lines, &name.wire()) {
        let is_taken = verdict(&mutation.lines).is_ok_and(|verdict| verdict.problems.is_empty());
        let (place, is_right) = match mutation.effect {
            Effect::Seen => (0, !is_taken),
            Effect::Unsigned => (1, is_taken),
            Effect::None => (2, is_taken),
        };
        counts[place] += 1;
        if !is_right {
            let said = if is_taken { "taken" } else { "refused" };
            problems.push(format!("{said}: {}", mutation.what));
        }
    }
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
    match problems.len() {
        0 => Ok(()),
        count => Err(format!(
            "{count} mutations:\n{}",
            problems[..count.min(SHOWN)].join("\n")
        )),
    }
}

fn read(text: &str, zone: &ZoneName) -> Result<Records, String> {
    Records::parse(text.as_bytes(), Path::new("signed"), zone).map_err(|error| error.to_string())
}
