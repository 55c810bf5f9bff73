//! What BIND reads of a zone file.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::facts;
use crate::referees::absolute;

/// The types that only signing puts into a zone.
const MADE_BY_SIGNING: [&str; 7] = ["RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "CDS", "CDNSKEY"];

/// As BIND reads them, a signed zone has the records of the unsigned one, less those that cannot be reached.
pub fn same_records(unsigned: &Path, signed: &Path, zone: &str, problems: &mut String) {
    let (mut before, after) = match (records(unsigned, zone), records(signed, zone)) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(error), _) | (_, Err(error)) => {
            let _ = writeln!(problems, "{error}");
            return;
        }
    };
    before.retain(|record| !facts::is_occluded(zone, &record.owner));
    for lost in before.difference(&after).take(5) {
        let _ = writeln!(problems, "lost, or changed: {}", lost.start());
    }
    for made in after.difference(&before).take(5) {
        let _ = writeln!(problems, "not in the unsigned zone: {}", made.start());
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    owner: String,
    /// With its TTL and its data.
    text: String,
}

impl Record {
    /// Enough of it to be known by.
    fn start(&self) -> String {
        self.text.chars().take(200).collect()
    }
}

/// The records of a zone but for those that signing makes, as BIND writes them.
fn records(file: &Path, zone: &str) -> Result<BTreeSet<Record>, String> {
    let mut command = Command::new("named-compilezone");
    let unchecked = ["-k", "-n", "-r", "-m", "-M", "-S", "-T", "-W"];
    command.args(unchecked.iter().flat_map(|check| [check, "ignore"]));
    // $INCLUDE is taken from where the program runs.
    command.current_dir(file.parent().unwrap());
    let output = command
        .args(["-i", "none", "-s", "full", "-o", "-"])
        .arg(absolute(zone))
        .arg(fs::canonicalize(file).unwrap())
        .output()
        .expect("named-compilezone (Debian: bind9-utils)");
    let text = String::from_utf8(output.stdout).unwrap();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("named-compilezone {}: {said}", file.display()));
    }
    let lines = text.lines().filter(|line| !line.starts_with(';'));
    Ok(lines.filter_map(|line| record(line, zone)).collect())
}

fn record(line: &str, zone: &str) -> Option<Record> {
    let mut fields: Vec<_> = line.split_whitespace().collect();
    let rtype = fields[3];
    if MADE_BY_SIGNING.contains(&rtype) {
        return None;
    }
    if rtype == "SOA" {
        // The serial rises.
        fields[6] = "";
    }
    if facts::has_mixed_ttls(zone) {
        // BIND takes the first one of an RRset, and Keyrite the lowest.
        fields[1] = "";
    }
    let owner = fields[0].to_lowercase();
    fields[0] = &owner;
    Some(Record {
        text: fields.join(" "),
        owner: owner.clone(),
    })
}
