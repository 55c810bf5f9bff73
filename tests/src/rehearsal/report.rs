//! What the rehearsal ends with: tags, DS and verdicts of each zone.

use std::collections::BTreeMap;
use std::fmt::Write;

use keyrite_tests::{Rig, ZONES};
use serde_json::Value;

use crate::step::{Problem, Runner, say};

/// How many signatures `keyrite-signer sign --json` says it made.
pub fn signatures(json: &str) -> Result<u64, Problem> {
    let zones = document(json)?["zones"]
        .as_array()
        .map_or_else(Vec::new, Vec::clone);
    if zones.len() != ZONES.len() {
        return Err(Problem(format!(
            "{} zones were signed, not {}",
            zones.len(),
            ZONES.len()
        )));
    }
    Ok(zones.iter().filter_map(|zone| zone["signatures"].as_u64()).sum())
}

/// Asks the referees about each zone; the table to print, or the first that was not content.
pub fn verify(runner: &Runner<'_>, rig: &Rig) -> Result<String, Problem> {
    let tags = tags(&runner.run("keyrite-keyctl", &["list", "--json"])?)?;
    let mut table = String::new();
    for zone in ZONES {
        let file = rig
            .site()
            .join(format!("signed/{zone}.zone"))
            .display()
            .to_string();
        let relative = format!("signed/{zone}.zone");
        let origin = format!("{zone}.");
        let tags = tags.get(zone).map_or_else(String::new, Clone::clone);
        let _ = writeln!(table, "\n{zone}\n  keys               {tags}");
        let ds = runner.run("keyrite-keyctl", &["ds", "--zone", zone])?;
        let _ = write!(table, "  DS                 {ds}");
        for (tool, arguments) in [
            ("dnssec-verify", vec!["-o", &origin, &file]),
            ("ldns-verify-zone", vec![file.as_str()]),
        ] {
            say(&format!(
                "$ {tool} {}",
                arguments.join(" ").replace(&file, &relative)
            ));
            let (content, said) = runner.referee(tool, &arguments)?;
            if !content {
                return Err(Problem(format!("{tool} refuses {zone}:\n{said}")));
            }
            let _ = writeln!(table, "  {tool:<18} {}", last_word(&said));
        }
    }
    Ok(table)
}

/// The verdict in a referee's output: its last line that says one, else that it had nothing to say.
fn last_word(said: &str) -> &str {
    said.lines()
        .rfind(|line| line.contains("verified"))
        .map_or("no error", str::trim)
}

/// "KSK 123, ZSK 456" for each zone.
fn tags(json: &str) -> Result<BTreeMap<String, String>, Problem> {
    let mut tags: BTreeMap<String, String> = BTreeMap::new();
    for key in document(json)?["keys"]
        .as_array()
        .map_or_else(Vec::new, Vec::clone)
    {
        let text = |field: &str| key[field].as_str().map_or_else(String::new, str::to_owned);
        let line = tags.entry(text("zone")).or_default();
        let comma = if line.is_empty() { "" } else { ", " };
        let _ = write!(
            line,
            "{comma}{} {} ({})",
            text("role"),
            key["key-tag"],
            text("algorithm")
        );
    }
    Ok(tags)
}

fn document(json: &str) -> Result<Value, Problem> {
    serde_json::from_str(json).map_err(|error| Problem(format!("a tool printed what is not JSON: {error}")))
}
