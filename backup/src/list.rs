//! `list`: the bundles of a site.

use backup::{BundleFolder, BundleKind, Bundles};
use clap::Args;
use cli::{Failure, Outcome, Output, ReportArguments, SiteArguments, table};
use key_metadata::backup::DrillLevel;
use key_metadata::{SiteFolder, Time};
use serde::Serialize;

use crate::mend::zones_of;

/// The options of `list`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    bundles: Vec<Line>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    bundle: String,
    kind: BundleKind,
    created: Time,
    review_by: Time,
    expires: Time,
    needed: u8,
    custodians: Vec<String>,
    keys: Vec<String>,
    recovery_parents: Vec<String>,
    opened_with: Vec<String>,
    replaces: Option<String>,
    /// The drills that it passed, each with its last time.
    drills: Vec<Passed>,
    manifest_sha256: String,
}

#[derive(Clone, Serialize)]
struct Passed {
    level: DrillLevel,
    at: Time,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let (mut lines, mut failures) = (Vec::new(), Vec::new());
        for bundle in Bundles::of(&folder).all()? {
            match bundle {
                Ok(bundle) => lines.push(line(&bundle, &folder)?),
                Err(error) => failures.push(Failure::from(error)),
            }
        }
        if self.report.json {
            output.json(&Report {
                version: 1,
                bundles: lines,
            })?;
        } else if lines.is_empty() && failures.is_empty() {
            output.say("the site has no bundle; keyrite-backup create makes one");
        } else {
            let rows = lines.into_iter().map(|line| {
                let drills: Vec<_> = line
                    .drills
                    .iter()
                    .map(|drill| format!("{} {}", drill.level, day(drill.at)))
                    .collect();
                let holds = match line.kind {
                    BundleKind::Keys | BundleKind::Canary => line.keys.join(", "),
                    BundleKind::RecoveryParent => "recovery parent".to_owned(),
                };
                [
                    line.bundle,
                    day(line.created),
                    day(line.expires),
                    format!("{} of {}", line.needed, line.custodians.len()),
                    if drills.is_empty() {
                        "-".to_owned()
                    } else {
                        drills.join(", ")
                    },
                    holds,
                ]
            });
            output.result(table(
                ["BUNDLE", "MADE", "EXPIRES", "SHARES", "DRILLS", "HOLDS"],
                rows,
            ))?;
        }
        output.last_of(failures).map_or(Ok(()), Err)
    }
}

fn day(time: Time) -> String {
    time.to_string().chars().take(10).collect()
}

fn line(bundle: &BundleFolder, folder: &SiteFolder) -> Outcome<Line> {
    let header = &bundle.manifest.header;
    Ok(Line {
        bundle: header.bundle.to_string(),
        kind: header.kind,
        created: header.created,
        review_by: header.review_by,
        expires: header.expires,
        needed: header.needed,
        custodians: header
            .shares
            .iter()
            .map(|share| share.custodian.to_string())
            .collect(),
        keys: header.keys.iter().map(backup::manifest::KeyEntry::name).collect(),
        recovery_parents: header
            .recovery_parents
            .iter()
            .map(|parent| parent.name.clone())
            .collect(),
        opened_with: header.opened_with.iter().map(ToString::to_string).collect(),
        replaces: header.replaces.map(|old| old.to_string()),
        drills: drills(bundle, folder)?,
        manifest_sha256: bundle.manifest_digest().to_string(),
    })
}

/// The drills that the records of all of a bundle's keys have, each with its last time.
fn drills(bundle: &BundleFolder, folder: &SiteFolder) -> Outcome<Vec<Passed>> {
    let id = bundle.id().to_string();
    let mut passed: Vec<Passed> = Vec::new();
    for zone in zones_of(bundle) {
        for key in folder.keys(&zone)?.keys() {
            for entry in key.backup.bundles.iter().filter(|entry| entry.bundle == id) {
                for drill in &entry.drills {
                    match passed.iter_mut().find(|known| known.level == drill.level) {
                        Some(known) => known.at = known.at.max(drill.at),
                        None => passed.push(Passed {
                            level: drill.level,
                            at: drill.at,
                        }),
                    }
                }
            }
        }
    }
    passed.sort_by_key(|passed| passed.level);
    Ok(passed)
}
