//! `verify`: a bundle checked without its secret (D0).

use std::path::PathBuf;

use backup::manifest::TokenSigner;
use backup::{BundleFolder, Finding, Verdict, check};
use clap::Args;
use cli::{ChangeArguments, Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, table};
use dnssec::SiteTokens;
use key_metadata::backup::DrillLevel;
use key_metadata::{KeyRecord, KeyState, SiteFolder};
use serde::Serialize;

use crate::create::tell_words;
use crate::evidence_of::enter;
use crate::named::{BundleArgument, site_if_there};
use crate::officers::{allowed_signers, read_signers};
use crate::random::random;
use crate::tokens::open;

/// The options of `verify`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    bundle: BundleArgument,
    /// Who may sign, where there is no site, or not its own file: OpenSSH's allowed_signers
    #[arg(long, value_name = "FILE")]
    allowed_signers: Option<PathBuf>,
    /// Leave the tokens alone: whether the keys are still in them is not checked
    #[arg(long)]
    offline: bool,
    /// Record that the bundle passed D0
    #[arg(long, conflicts_with = "offline")]
    record: bool,
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
    ok: bool,
    bundle: String,
    manifest_sha256: String,
    manifest_words: String,
    findings: Vec<Finding>,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site_if_there(site)?;
        let bundle = self.bundle.open(folder.as_ref())?;
        let allowed = match (&self.allowed_signers, &folder) {
            (Some(path), _) => Some(
                read_signers(path)?
                    .ok_or_else(|| Failure::new(Exit::Usage, format!("there is no {}", path.display())))?,
            ),
            (None, Some(folder)) => allowed_signers(folder)?,
            (None, None) => None,
        };
        let now = cli::now();
        let mut findings = check(&bundle, allowed.as_ref(), now);
        findings.extend(match &folder {
            Some(folder) => self.keys(&bundle, folder, site)?,
            None => vec![Finding::new(
                "keys",
                Verdict::NotChecked,
                "whether its keys are in the tokens: there is no site here",
            )],
        });
        let failed = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
        let digest = bundle.manifest_digest();
        let words = cli::words::words(&digest).join(" ");
        if self.report.json {
            output.json(&Report {
                version: 1,
                ok: !failed,
                bundle: bundle.id().to_string(),
                manifest_sha256: digest.to_string(),
                manifest_words: words,
                findings: findings.clone(),
            })?;
        } else {
            let rows = findings.iter().map(|finding| {
                let verdict = match finding.verdict {
                    Verdict::Pass => "pass",
                    Verdict::Warn => "warn",
                    Verdict::Fail => "FAIL",
                    Verdict::NotChecked => "not checked",
                };
                [verdict.to_owned(), finding.check.to_owned(), finding.text.clone()]
            });
            output.result(table(["", "CHECK", "FOUND"], rows))?;
            output.line(format!("manifest {digest}"))?;
            tell_words(&digest, output)?;
        }
        if failed {
            let failure = Failure::new(Exit::SaysNo, format!("bundle {} is not good", bundle.id()));
            return Err(failure.hint(
                "take another copy of it; 'keyrite-backup create' makes a new one from the live tokens"
                    .to_owned(),
            ));
        }
        if let (true, Some(folder)) = (self.record, &folder) {
            let count = enter(&bundle, DrillLevel::D0, None, site, folder, &self.change, now)?;
            output.say(format!("D0 is recorded for {count} keys"));
        }
        Ok(())
    }

    /// Whether the key that the manifest names for a token is the one that the token has: its signature says no more than that.
    fn signer(
        &self,
        signer: &TokenSigner,
        tokens: &mut SiteTokens<'_>,
        folder: &SiteFolder,
        site: &SiteArguments,
    ) -> Outcome<Finding> {
        let (check, name) = ("signer's key", &signer.name);
        if self.offline || !folder.site().tokens.contains_key(name) {
            let text =
                format!("whether the key that signed is that of token '{name}': the token was not asked");
            return Ok(Finding::new(check, Verdict::NotChecked, text));
        }
        if let Err(failure) = open(tokens, site, folder, name) {
            let why = failure.in_a_line();
            let text = format!("whether the key that signed is that of token '{name}': {why}");
            return Ok(Finding::new(check, Verdict::NotChecked, text));
        }
        Ok(match tokens.signer_spki(name)? {
            Some(spki) if spki == signer.spki => Finding::new(
                check,
                Verdict::Pass,
                format!("the key that signed is the one that token '{name}' has"),
            ),
            Some(_) => Finding::new(
                check,
                Verdict::Warn,
                format!(
                    "token '{name}' has another key than the one that signed: it was initialised anew since, or somebody else signed"
                ),
            ),
            None => Finding::new(
                check,
                Verdict::NotChecked,
                format!("token '{name}' has no such key any more"),
            ),
        })
    }

    /// Whether each key that is listed is still in its token, or is marked as gone.
    fn keys(
        &self,
        bundle: &BundleFolder,
        folder: &SiteFolder,
        site: &SiteArguments,
    ) -> Outcome<Vec<Finding>> {
        let mut tokens = SiteTokens::new(folder);
        let mut findings = Vec::new();
        for entry in &bundle.manifest.header.keys {
            let records = folder.keys(&entry.zone)?;
            let check = "key";
            let Some(record) = records.key(entry.id).filter(|record| entry.is(record)) else {
                let text = format!("{}: the site's records do not know it", entry.name());
                findings.push(Finding::new(check, Verdict::Fail, text));
                continue;
            };
            findings.push(match (record.state, self.offline) {
                (KeyState::Destroyed, _) => Finding::new(
                    check,
                    Verdict::Pass,
                    format!("{}: destroyed since, by the records", entry.name()),
                ),
                (_, true) => Finding::new(
                    check,
                    Verdict::NotChecked,
                    format!("{}: the tokens were left alone", entry.name()),
                ),
                (_, false) => match signs(record, &mut tokens, folder, site) {
                    Ok(()) => Finding::new(
                        check,
                        Verdict::Pass,
                        format!("{}: it signs in its token", entry.name()),
                    ),
                    // A token that refuses is not asked for each key again: it would lock.
                    Err(failure) if failure.exit() == Exit::Credential => return Err(failure),
                    Err(failure) => Finding::new(
                        check,
                        Verdict::Fail,
                        format!("{}: {}", entry.name(), failure.in_a_line()),
                    ),
                },
            });
        }
        // After the keys: a token that refused was asked once, and is not asked again.
        let signers = &bundle.manifest.header.signers;
        for signer in signers.token.iter().chain(&signers.tpm) {
            findings.push(self.signer(signer, &mut tokens, folder, site)?);
        }
        Ok(findings)
    }
}

fn signs(
    record: &KeyRecord,
    tokens: &mut SiteTokens<'_>,
    folder: &SiteFolder,
    site: &SiteArguments,
) -> Outcome {
    let name = tokens.token_of(record)?;
    open(tokens, site, folder, name)?;
    Ok(tokens
        .signing_key(record)?
        .prove(&record.public_key, &*random::<32>()?)?)
}
