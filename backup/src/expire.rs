//! `expire`: what needs a look, as an exit code for cron.

use backup::{BundleKind, Bundles};
use clap::Args;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, table};
use key_metadata::backup::DrillLevel;
use key_metadata::{Extractability, KeyRecord, KeyState, SiteFolder, Span, Time};
use serde::Serialize;

/// The options of `expire`.
#[derive(Args)]
pub struct Arguments {
    /// How long before a bundle's dates it is told of
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    ahead: Span,
    /// After what time custodians are to prove their shares again (D1). No standard has a figure
    #[arg(long, value_name = "SPAN", default_value = "100d")]
    prove_every: Span,
    /// After what time a bundle is to be restored for a drill again (D2 or D3). No standard has a figure
    #[arg(long, value_name = "SPAN", default_value = "400d")]
    restore_every: Span,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    ok: bool,
    findings: Vec<Due>,
}

/// Something that needs a look.
#[derive(Serialize)]
struct Due {
    /// The bundle or key.
    what: String,
    /// Why.
    why: String,
    /// What to do.
    remedy: String,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let now = cli::now();
        let mut due = self.bundles(&folder, now)?;
        for zone in folder.site().zones.keys() {
            for key in folder.keys(zone)?.keys() {
                due.extend(self.key(&format!("{zone} {} {}", key.role, key.key_tag()), key, now));
            }
        }
        let count = due.len();
        if self.report.json {
            output.json(&Report {
                version: 1,
                ok: count == 0,
                findings: due,
            })?;
        } else if count > 0 {
            output.result(table(
                ["WHAT", "WHY", "REMEDY"],
                due.into_iter().map(|due| [due.what, due.why, due.remedy]),
            ))?;
        } else {
            output.say("nothing needs a look");
        }
        match count {
            0 => Ok(()),
            _ => Err(Failure::new(
                Exit::SaysNo,
                format!("{count} of bundles and keys need a look"),
            )),
        }
    }

    fn bundles(&self, folder: &SiteFolder, now: Time) -> Outcome<Vec<Due>> {
        let mut due = Vec::new();
        for bundle in Bundles::of(folder).all()? {
            let bundle = match bundle {
                Ok(bundle) => bundle,
                Err(error) => {
                    due.push(Due {
                        what: "bundle".to_owned(),
                        why: Failure::from(error).in_a_line(),
                        remedy: "take another copy of it".to_owned(),
                    });
                    continue;
                }
            };
            let (header, what) = (&bundle.manifest.header, format!("bundle {}", bundle.id()));
            let soon = now.after(self.ahead);
            let mut add = |why: String, remedy: String| {
                due.push(Due {
                    what: what.clone(),
                    why,
                    remedy,
                });
            };
            let rewrap = format!("keyrite-backup rewrap start --bundle {}", bundle.id());
            if now >= header.expires {
                add(format!("it expired at {}", header.expires), rewrap);
            } else if soon >= header.expires {
                add(format!("it expires at {}", header.expires), rewrap);
            } else if soon >= header.review_by {
                add(format!("it is to be reviewed by {}", header.review_by), rewrap);
            }
            if header.kind == BundleKind::Canary {
                continue;
            }
            for share in &header.shares {
                match folder.site().custodians.get(&share.custodian) {
                    None => add(
                        format!("{} has a share, and is no custodian any more", share.custodian),
                        format!("keyrite-backup rewrap start --bundle {}", header.bundle),
                    ),
                    Some(recipient)
                        if share
                            .recipient
                            .as_ref()
                            .is_some_and(|was| *was != recipient.to_string()) =>
                    {
                        add(
                            format!(
                                "{}'s share was encrypted to another recipient than the one of now",
                                share.custodian
                            ),
                            format!("keyrite-backup rewrap start --bundle {}", header.bundle),
                        )
                    }
                    Some(_) => {}
                }
            }
            if let Some(old) = header.replaces
                && folder.path(format!("backups/{old}")).exists()
            {
                add(
                    format!("it is to take the place of bundle {old}, and is not acknowledged by all"),
                    format!(
                        "keyrite-backup check-proof --bundle {} --challenge",
                        header.bundle
                    ),
                );
            }
        }
        Ok(due)
    }

    fn key(&self, what: &str, key: &KeyRecord, now: Time) -> Option<Due> {
        let due = |why: String, remedy: &str| {
            Some(Due {
                what: what.to_owned(),
                why,
                remedy: remedy.to_owned(),
            })
        };
        if key.state == KeyState::Destroyed
            || key.state == KeyState::Removed
            || key.backup.extractability == Extractability::Never
        {
            return None;
        }
        if key.backup.bundles.is_empty() {
            return due("no bundle holds it".to_owned(), "keyrite-backup create");
        }
        let drills = || key.backup.bundles.iter().flat_map(|bundle| &bundle.drills);
        let last = |levels: &[DrillLevel]| {
            drills()
                .filter(|drill| levels.contains(&drill.level))
                .map(|drill| drill.at)
                .max()
        };
        match last(&[DrillLevel::D1]) {
            None => {
                return due(
                    "no custodian has proved a share of it (D1)".to_owned(),
                    "keyrite-backup check-proof --challenge",
                );
            }
            Some(at) if at.after(self.prove_every) < now => {
                return due(
                    format!("shares of it were proved last at {at} (D1)"),
                    "keyrite-backup check-proof --challenge",
                );
            }
            Some(_) => {}
        }
        match last(&[DrillLevel::D2, DrillLevel::D3]) {
            None => due(
                "nothing of its bundles was ever restored (D2, D3)".to_owned(),
                "keyrite-backup drill start",
            ),
            Some(at) if at.after(self.restore_every) < now => due(
                format!("a restore was drilled last at {at} (D2, D3)"),
                "keyrite-backup drill start",
            ),
            Some(_) => None,
        }
    }
}
