//! `lint`: whether zones can be run by policies.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, table};
use key_metadata::policy::{PolicyError, SHIPPED};
use key_metadata::store::StoreError;
use key_metadata::timing::Wait;
use key_metadata::{Policy, PolicyName, Role, RolloverMethod, SiteFolder, Span};
use rollover::lint::{Finding, Severity, absolute, least_lifetime, lint};
use serde::Serialize;

use crate::document::Document;

/// The options of `lint`.
#[derive(Args)]
pub struct Arguments {
    /// Names of the site's or of shipped policies, or files, with a / or .yaml in their names; - is standard input. Absent, all that the
    /// site's zones have
    #[arg(value_name = "POLICY")]
    policies: Vec<String>,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    policies: Vec<Linted>,
}

/// A policy, and what is wrong with it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Linted {
    policy: String,
    /// Whether it has no error.
    ok: bool,
    /// Why it is no policy at all.
    refused: Option<String>,
    keys: Vec<Key>,
    findings: Vec<Finding>,
}

/// How the keys of a role are rolled.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Key {
    role: Role,
    rollover: RolloverMethod,
    lifetime: Span,
    lifetime_seconds: u32,
    least_lifetime: Wait,
}

impl Arguments {
    /// Lints every policy; 3 when one has an error.
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let linted = self.linted(site)?;
        let bad = linted.iter().filter(|linted| !linted.ok).count();
        let all = linted.len();
        if self.report.json {
            output.json(&Report {
                version: 1,
                policies: linted,
            })?;
        } else {
            output.result(keys_table(&linted))?;
            for linted in &linted {
                linted.tell(output)?;
            }
        }
        match bad {
            0 => Ok(()),
            _ => {
                let failure = Failure::new(Exit::SaysNo, format!("{bad} of {all} policies cannot be used"));
                Err(failure.hint(
                    "change what each remedy names; docs/formats/policy.md has the equations".to_owned(),
                ))
            }
        }
    }

    fn linted(&self, arguments: &SiteArguments) -> Outcome<Vec<Linted>> {
        // Shipped policies and files can be looked at where no site is.
        let site = if self.policies.is_empty() || arguments.site.join("site.yaml").exists() {
            Some(arguments.open()?)
        } else {
            None
        };
        let of_zones = || -> BTreeSet<String> {
            let zones = site.iter().flat_map(|site| site.site().zones.values());
            zones.map(|zone| zone.policy.to_string()).collect()
        };
        let names = match self.policies.as_slice() {
            [] => of_zones().into_iter().collect(),
            named => named.to_vec(),
        };
        names.into_iter().map(|name| one(name, site.as_ref())).collect()
    }
}

/// A policy by its name, or by the path of a file.
fn one(name: String, site: Option<&SiteFolder>) -> Outcome<Linted> {
    let is_file = name == "-" || name.contains('/') || name.ends_with(".yaml");
    let policy = if is_file {
        Policy::from_yaml(&Document::read(Path::new(&name))?.text)
    } else {
        let word: PolicyName = name
            .parse()
            .map_err(|error| Failure::of(Exit::Usage, &error).within(format!("'{name}' is no policy")))?;
        match site.map(|site| site.policy(&word)) {
            Some(Ok(policy)) => Ok(policy),
            Some(Err(StoreError::Policy { source, .. })) => Err(source),
            Some(Err(other)) => return Err(other.into()),
            None => shipped(word)?,
        }
    };
    Ok(Linted::new(name, policy))
}

fn shipped(name: PolicyName) -> Outcome<Result<Policy, PolicyError>> {
    let text = SHIPPED.iter().find(|(shipped, _)| *shipped == name.to_string());
    match text {
        Some((_, text)) => Ok(Policy::from_yaml(text)),
        None => {
            let path = PathBuf::from(format!("policies/{name}.yaml"));
            Err(StoreError::NoPolicy { name, path }.into())
        }
    }
}

impl Linted {
    fn new(name: String, policy: Result<Policy, PolicyError>) -> Self {
        let policy = match policy {
            Ok(policy) => policy,
            Err(error) => {
                return Self {
                    policy: name,
                    ok: false,
                    refused: Some(error.to_string()),
                    keys: Vec::new(),
                    findings: Vec::new(),
                };
            }
        };
        let findings = lint(&policy);
        let key = |role| {
            policy.key(role).map(|key| Key {
                role,
                rollover: policy.rollover(role),
                lifetime: key.lifetime,
                lifetime_seconds: key.lifetime.seconds(),
                least_lifetime: least_lifetime(&policy, role),
            })
        };
        Self {
            policy: name,
            ok: findings.iter().all(|finding| finding.severity != Severity::Error),
            refused: None,
            keys: Role::ALL.into_iter().filter_map(key).collect(),
            findings,
        }
    }

    fn tell(&self, output: &mut Output) -> Outcome {
        let name = &self.policy;
        if let Some(refused) = &self.refused {
            return output.line(format!("{name}: error: no policy: {refused}"));
        }
        for finding in &self.findings {
            let word = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let equation = finding.equation.map(|equation| format!("{equation}: "));
            let equation = equation.map_or(String::new(), |equation| equation);
            output.line(format!(
                "{name}: {word}: {}: {equation}{}",
                finding.field, finding.text
            ))?;
            output.line(format!("{name}: remedy: {}: {}", finding.field, finding.remedy))?;
        }
        if self.findings.is_empty() {
            output.line(format!("{name}: nothing against it"))?;
        }
        Ok(())
    }
}

/// How the keys of each policy are rolled, and how long they must live for it.
fn keys_table(linted: &[Linted]) -> String {
    let rows = linted.iter().flat_map(|linted| {
        linted.keys.iter().map(|key| {
            [
                linted.policy.clone(),
                key.role.to_string(),
                key.rollover.to_string(),
                absolute(key.lifetime),
                absolute(key.least_lifetime.total()),
            ]
        })
    });
    let rows: Vec<_> = rows.collect();
    match rows.as_slice() {
        [] => String::new(),
        _ => table(["POLICY", "ROLE", "ROLLOVER", "LIFETIME", "AT LEAST (X1)"], rows),
    }
}
