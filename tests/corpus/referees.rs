//! Whether others take what was signed.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use key_metadata::{SiteFolder, ZoneName};
use zone::{Record, Records};

use crate::mutations::{self, Line};
use crate::site::Bench;
use crate::zones::{self, Zone};
use crate::{facts, others};

/// So many zones are judged side by side.
const SIDE_BY_SIDE: usize = 2;

/// Signs every zone in one run, and has each judged. All that anybody has against one is told.
pub fn judge(bench: &Bench, algorithm: &str, denial: &str) -> Result<(), String> {
    let zones = zones::all(algorithm);
    let folder = bench.site(&format!("{algorithm}-{denial}"), algorithm, denial, &zones);
    let mut problems = String::new();
    let signed = bench.run(&folder, "keyrite-signer", &["sign"]);
    let said = String::from_utf8_lossy(&signed.stderr);
    if !signed.status.success() {
        let _ = writeln!(problems, "sign: {said}");
    }
    facts::of_run(&said, &mut problems);
    let site = SiteFolder::open(&folder).unwrap();
    let is_signed = |zone: &Zone| site.signed_path(&zone.name.parse().unwrap()).exists();
    // What was not signed is told apart, and would end the run.
    let names = zones.iter().filter(|zone| is_signed(zone));
    let arguments: Vec<_> = names.flat_map(|zone| ["--zone", &zone.name]).collect();
    let verified = bench.run(&folder, "keyrite-signer", &[&["verify"], &arguments[..]].concat());
    if !verified.status.success() {
        let said = String::from_utf8_lossy(&[verified.stdout, verified.stderr].concat()).into_owned();
        let bad = said.lines().filter(|line| !line.contains(": good as of "));
        for line in bad.take(20) {
            let _ = writeln!(problems, "verify: {line}");
        }
    }
    let next = AtomicUsize::new(0);
    let found = Mutex::new(problems);
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(zone) = zones.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let of_zone = match is_signed(zone) {
                        true => of_zone(bench, (algorithm, denial), &site, zone),
                        false => "it was not signed\n".to_owned(),
                    };
                    let mut found = found.lock().unwrap();
                    for line in of_zone.lines() {
                        let _ = writeln!(found, "{}: {line}", zone.name);
                    }
                }
            });
        }
    });
    let problems = found.into_inner().unwrap();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems),
    }
}

/// What there is against a zone.
fn of_zone(bench: &Bench, (algorithm, denial): (&str, &str), site: &SiteFolder, zone: &Zone) -> String {
    let name: ZoneName = zone.name.parse().unwrap();
    let signed = site.signed_path(&name);
    let text = fs::read_to_string(&signed).unwrap();
    let mut problems = String::new();
    facts::of_zone(&zone.name, denial, &text, &mut problems);
    // The records are the same, whoever signs them.
    if algorithm == "ECDSAP256SHA256" {
        others::same_records(&site.unsigned_path(&name), &signed, &zone.name, &mut problems);
    }
    let scratch = bench.scratch(&format!("{algorithm}-{denial}/for-referees"));
    let trusted = scratch.join(format!("{}.ksk", name.file_stem()));
    fs::write(&trusted, bench.ksk(algorithm, &name)).unwrap();
    let origin = absolute(&zone.name);
    let all = [Referee::Bind, Referee::Ldns, Referee::Knot];
    for referee in all.into_iter().filter(|referee| referee.can_read(&zone.name)) {
        let own = scratch.join(format!("{}.{}", name.file_stem(), referee.program()));
        let file = match referee.form(&name, &signed) {
            Some(text) => {
                fs::write(&own, text).unwrap();
                &own
            }
            None => &signed,
        };
        referee.judge(file, &trusted, &origin, &mut problems);
    }
    problems
}

/// A zone's name with its final dot.
pub fn absolute(zone: &str) -> String {
    match zone {
        "." => zone.to_owned(),
        _ => format!("{zone}."),
    }
}

/// A verifier that others wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referee {
    /// BIND's dnssec-verify.
    Bind,
    /// ldns-verify-zone.
    Ldns,
    /// Knot DNS's kzonecheck.
    Knot,
}

impl Referee {
    const fn program(self) -> &'static str {
        match self {
            Self::Bind => "dnssec-verify",
            Self::Ldns => "ldns-verify-zone",
            Self::Knot => "kzonecheck",
        }
    }

    /// Whether it can judge a zone at all.
    fn can_read(self, zone: &str) -> bool {
        // ldns 1.8.3 has 65,535 characters for the text of RDATA (LDNS_MAX_PACKETLEN: `could not parse the RR's rdata`, signed or not), and as
        // many octets for what is signed. BIND and Knot DNS take the zone.
        !(self == Self::Ldns && zone == "wide.test")
    }

    /// The text that it is given in the place of a zone's own, where its reader, and not its judgement, is in the way.
    fn form(self, zone: &ZoneName, signed: &Path) -> Option<String> {
        // Knot DNS 3.2.6 knows no MB, MG, MR and HIP (`unsupported record type`); as unknown types it takes them.
        (self == Self::Knot && zone.as_str() == "old.test").then(|| {
            let records = Records::read(signed, zone, &mut |_| {}).unwrap();
            mutations::text(&records.iter().map(line).collect::<Vec<_>>())
        })
    }

    fn judge(self, file: &Path, trusted: &Path, origin: &str, problems: &mut String) {
        let mut command = Command::new(self.program());
        let says_yes = match self {
            // Without -x and -z: every key signs what its flags say.
            Self::Bind => {
                command.args(["-o", origin]);
                "Zone fully signed:"
            }
            // All of the zone, which is the default, and a chain from a key that is trusted.
            Self::Ldns => {
                command.arg("-k").arg(trusted);
                "Zone is verified and complete"
            }
            Self::Knot => {
                command.args(["--verbose", "--dnssec", "on", "--origin", origin]);
                "No semantic error found"
            }
        };
        let output = command.arg(file).env_clear().output().unwrap_or_else(|error| {
            panic!(
                "{} (Debian: bind9-utils, ldnsutils, knot-dnssecutils): {error}",
                self.program()
            )
        });
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if !output.status.success() || !said.contains(says_yes) {
            for line in said.lines().filter(|line| !line.is_empty()).take(8) {
                let _ = writeln!(problems, "{}: {line}", self.program());
            }
            let _ = writeln!(problems, "{}: {}", self.program(), output.status);
        }
    }
}

/// A record as it is on the wire.
pub fn line(record: Record<'_>) -> Line {
    Line {
        owner: record.owner().octets().to_vec(),
        ttl: record.ttl(),
        rtype: record.rtype().to_int(),
        rdata: record.rdata().to_vec(),
    }
}
