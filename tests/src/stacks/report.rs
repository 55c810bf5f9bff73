//! What the main job ends with: tags, DS and verdicts of each zone.

use std::collections::BTreeMap;
use std::fmt::Write;

use keyrite_tests::{Rig, ZONES};
use serde_json::Value;

use crate::step::{Problem, Runner, say};

/// What `keyrite-signer sign --json` says it did: a line for each zone, and how many signatures it made in all.
pub fn signed(json: &str) -> Result<(String, u64), Problem> {
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
    let number = |zone: &Value, field: &str| zone[field].as_u64().map_or(0, |number| number);
    let (mut lines, mut total) = (String::new(), 0);
    for zone in &zones {
        let (name, signatures) = (
            zone["zone"].as_str().map_or("?", |name| name),
            number(zone, "signatures"),
        );
        let _ = writeln!(
            lines,
            "{name}: {signatures} signatures in {} ms",
            number(zone, "milliseconds")
        );
        total += signatures;
    }
    Ok((lines, total))
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
            let _ = writeln!(table, "  {tool:<18} {}", verdict(&said));
        }
    }
    Ok(table)
}

/// The verdict in a referee's output, in its own words.
fn verdict(said: &str) -> &str {
    let says_so = |line: &&str| line.contains("verified") || line.contains("fully signed");
    said.lines()
        .rfind(says_so)
        .map_or("content, without a word", |line| {
            line.trim_end_matches([' ', ':'])
        })
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
