//! The hourly run: little of eight zones is due.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::measure::{in_turn, run};
use crate::site::{Laboratory, Policy};
use crate::table::{case, row};
use crate::zones;

/// Runs of each that count.
const ROUNDS: usize = 5;
/// Delegations of each zone that changed, and so many that went and came.
const CHANGED: usize = 5;

/// Expirations are strewn from two days to 32, as those of dnssec-signzone are here.
const STREWN: Policy = Policy {
    algorithm: "ECDSAP256SHA256",
    signatures: "  validity: 32d\n  jitter: 30d\n  refresh: 1d",
};
/// Half a day of them is due.
const DUE: Policy = Policy {
    algorithm: "ECDSAP256SHA256",
    signatures: "  validity: 32d\n  jitter: 30d\n  refresh: 60h",
};
/// The same in the words of dnssec-signzone: a jitter of 30 days, and what has less than 60 hours left.
const BIND_STREWN: [&str; 6] = ["-e", "+32d", "-j", "2592000", "-O", "full"];
const BIND_DUE: [&str; 8] = ["-e", "+32d", "-j", "2592000", "-i", "216000", "-O", "full"];

pub fn rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = Laboratory::new(folder.path(), STREWN, &zones::SET);
    let signer = site.signer();
    run(&signer);
    let mut script = String::new();
    for (zone, delegations) in zones::SET {
        let signed = folder.path().join(format!("{zone}.signed"));
        run(&site.bind(zone, &site.unsigned(zone), &signed, &BIND_STREWN));
        zones::write(&site.unsigned(zone), zone, delegations, CHANGED).expect("a zone");
        let input = folder.path().join(format!("{zone}.later"));
        join(&site.unsigned(zone), &signed, &input);
        let again = site.bind(
            zone,
            &input,
            &folder.path().join(format!("{zone}.again")),
            &BIND_DUE,
        );
        let words = std::iter::once(again.get_program()).chain(again.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        script.push_str(&format!("{} &&\n", words.join(" ")));
    }
    site.set_policy(DUE);
    let before = folder.path().join("before");
    fs::rename(site.folder(), &before).expect("a folder");
    let mut bind = Command::new("sh");
    bind.arg("-c").arg(script + "true").current_dir(folder.path());
    let runs = in_turn(ROUNDS, &[&signer, &bind], &|_| {
        // The keys are in the site.
        let mut again = Command::new("sh");
        again.arg("-c").arg("rm -rf site && cp -a before site");
        run(again.current_dir(folder.path()));
    });
    case(
        "eight zones an hour later, ECDSAP256SHA256, NSEC3, 20,360 delegations",
        &runs[0],
    );
    row(
        "dnssec-signzone -i of its own: s, ratio to signer",
        &runs[1],
        &runs[0],
        |run| run.wall,
        "8.3 times the signer's time or more (0.12)",
    );
}

/// The zone of an hour later with what signing made an hour before, which is one record a line.
fn join(unsigned: &Path, signed: &Path, out: &Path) {
    let mut text = fs::read_to_string(unsigned).expect("a zone");
    let signed = fs::read_to_string(signed).expect("a signed zone");
    for line in signed.lines() {
        let rtype = line.split_whitespace().nth(3);
        if matches!(rtype, Some("RRSIG" | "NSEC3" | "NSEC3PARAM" | "DNSKEY")) {
            text.push_str(line);
            text.push('\n');
        }
    }
    fs::write(out, text).expect("a zone");
}
