//! `check-proof`: custodians are asked, and their answers checked (D1).

use std::path::PathBuf;

use backup::drills::read_proof;
use backup::{BundleFolder, Challenge, DRILLS, DrillState};
use clap::Args;
use cli::{ChangeArguments, Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use key_metadata::SiteFolder;
use serde::Serialize;
use sshsig::AllowedSigners;

use crate::evidence_of::enter_proofs;
use crate::mend::Bench;
use crate::named::BundleArgument;
use crate::officers::{allowed_signers, no_signers};
use crate::random::random;

/// The options of `check-proof`.
#[derive(Args)]
pub struct Arguments {
    /// The proofs that custodians sent; none shows how far the drill is
    #[arg(value_name = "FILE")]
    proofs: Vec<PathBuf>,
    #[command(flatten)]
    bundle: BundleArgument,
    /// Begin a drill: print what the custodians are to answer. One that is not over yet is gone on with
    #[arg(long, conflicts_with = "proofs")]
    challenge: bool,
    #[command(flatten)]
    change: ChangeArguments,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    version: u32,
    bundle: String,
    challenge: Option<String>,
    proved: Vec<String>,
    missing: Vec<String>,
    /// Whether every custodian proved to hold the share.
    complete: bool,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let now = cli::now();
        let bench = Bench {
            site,
            folder: &folder,
            change: &self.change,
            now,
        };
        let _lock = bench.take(output)?;
        let bundle = self.bundle.open(Some(&folder))?;
        let allowed = allowed_signers(&folder)?.ok_or_else(|| no_signers(&folder))?;
        let last = bundle.drills(Some(&allowed))?.pop();
        if self.challenge {
            let challenge = match last {
                Some(open) if !open.is_complete() => open.challenge,
                Some(DrillState { challenge, .. }) => ask(&bundle, challenge.drill + 1)?,
                None => ask(&bundle, 1)?,
            };
            return self.tell_challenge(&bundle, challenge, output);
        }
        let Some(open) = last else {
            let failure = Failure::new(
                Exit::Failed,
                format!("nobody was asked for proofs of bundle {}", bundle.id()),
            );
            return Err(failure.hint(format!(
                "keyrite-backup check-proof --bundle {} --challenge",
                bundle.id()
            )));
        };
        let mut failures = Vec::new();
        for path in &self.proofs {
            if let Err(failure) = take(&bundle, open.challenge, path, &allowed) {
                failures.push(failure);
            }
        }
        self.report(&bundle, &folder, &allowed, site, output)?;
        output.last_of(failures).map_or(Ok(()), Err)
    }

    fn tell_challenge(&self, bundle: &BundleFolder, challenge: Challenge, output: &mut Output) -> Outcome {
        if self.report.json {
            let names = bundle
                .manifest
                .header
                .shares
                .iter()
                .map(|share| share.custodian.to_string());
            return output.json(&Report {
                version: 1,
                bundle: bundle.id().to_string(),
                challenge: Some(challenge.to_string()),
                proved: Vec::new(),
                missing: names.collect(),
                complete: false,
            });
        }
        output.line(challenge.to_string())?;
        output.say(format!(
            "next: each custodian runs keyrite-backup prove --bundle FOLDER --share SOURCE --challenge {challenge} --sign-with KEY, and sends what \
             that prints"
        ));
        Ok(())
    }

    fn report(
        &self,
        bundle: &BundleFolder,
        folder: &SiteFolder,
        allowed: &AllowedSigners,
        site: &SiteArguments,
        output: &mut Output,
    ) -> Outcome {
        let mut drills = bundle.drills(Some(allowed))?;
        let over = drills.iter().filter(|drill| drill.is_complete()).count();
        let Some(state) = drills.pop() else {
            return Ok(());
        };
        enter_proofs(bundle, over, site, folder, &self.change, cli::now())?;
        if self.report.json {
            return output.json(&Report {
                version: 1,
                bundle: bundle.id().to_string(),
                challenge: Some(state.challenge.to_string()),
                proved: state.proved.iter().map(|(name, _)| name.to_string()).collect(),
                missing: state.missing.iter().map(ToString::to_string).collect(),
                complete: state.is_complete(),
            });
        }
        for (name, at) in &state.proved {
            output.line(format!("{name}: proved at {at}"))?;
        }
        for (name, why) in &state.refused {
            output.line(format!("{name}: refused, {why}"))?;
        }
        for name in &state.missing {
            output.line(format!("{name}: no proof yet"))?;
        }
        match state.is_complete() {
            true => output.line(format!(
                "bundle {}: D1 is passed, every custodian holds the share",
                bundle.id()
            )),
            false => Ok(()),
        }
    }
}

fn ask(bundle: &BundleFolder, drill: u8) -> Outcome<Challenge> {
    if drill > DRILLS {
        let failure = Failure::new(
            Exit::Failed,
            format!(
                "bundle {} was made for {DRILLS} drills, and all are over",
                bundle.id()
            ),
        );
        return Err(failure.hint("keyrite-backup rewrap start deals new shares".to_owned()));
    }
    Ok(bundle.ask(drill, *random()?)?)
}

fn take(
    bundle: &BundleFolder,
    challenge: Challenge,
    path: &std::path::Path,
    allowed: &AllowedSigners,
) -> Outcome {
    let bytes = read_proof(path)?;
    let proof = bundle.judge(challenge, &bytes, Some(allowed)).map_err(|why| {
        let failure = Failure::new(Exit::SaysNo, format!("{} proves nothing", path.display())).because(why);
        failure.hint("ask the custodian for another one, to the challenge as it was printed".to_owned())
    })?;
    Ok(bundle.keep(&proof, &bytes)?)
}
