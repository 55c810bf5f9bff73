//! `token probe`: what a token does, seen by having it done.

use clap::Args as ClapArgs;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, table};
use key_metadata::KeySpec;
use pkcs11::{PinOwner, Probe, ProbeVerdict, Storage, Token, WrapMechanism};
use serde::Serialize;

use crate::token::Chosen;
use crate::token::chosen::{ChoiceArguments, LoginArguments};

/// The options of `token probe`.
#[derive(ClapArgs)]
pub struct Arguments {
    #[command(flatten)]
    choice: ChoiceArguments,
    #[command(flatten)]
    login: LoginArguments,
    /// Say what would be tried, and log in to nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    version: u32,
    token: String,
    /// Where the objects of the probe were; absent where nothing was made.
    objects: Option<&'static str>,
    keys: Vec<Row>,
    wraps: Vec<Row>,
}

/// One operation.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    #[serde(flatten)]
    wrapping: Option<Wrapping>,
    /// The key; absent where it does not matter which.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    verdict: &'static str,
    /// Why, where it does not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Wrapping {
    mechanism: &'static str,
    number: String,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let chosen = Chosen::new(site, &folder, self.choice.token.as_ref())?;
        let token = chosen.open()?;
        let last_try = self.login.last_try();
        let source = chosen.pin_source(PinOwner::User, None)?;
        chosen.before_a_try(&token, PinOwner::User, last_try, output)?;
        if self.dry_run {
            return self.tell(&chosen, Report::prospect(&chosen, &token)?, output);
        }
        let pin = chosen.read_pin(PinOwner::User, &source)?;
        token.login_with(&pin, last_try)?;
        let probe = token.probe()?;
        self.tell(&chosen, Report::new(&chosen, &probe), output)?;
        say_of(&chosen, &probe, output);
        let wrong = probe.keys.iter().filter(|key| !key.verdict.works()).count()
            + probe.wraps.iter().filter(|wrap| wrap.verdict.lies()).count();
        match wrong {
            0 => Ok(()),
            _ => Err(Failure::new(
                Exit::SaysNo,
                format!(
                    "token '{}' does not do {wrong} of the things that it says it does",
                    chosen.name
                ),
            )),
        }
    }

    fn tell(&self, chosen: &Chosen<'_>, report: Report, output: &mut Output) -> Outcome {
        if self.report.json {
            return output.json(&report);
        }
        let rows = report.keys.iter().chain(&report.wraps).map(|row| {
            let key = row.key.as_deref().map_or("any key", |key| key);
            let what = match &row.wrapping {
                Some(Wrapping { mechanism, number }) => format!("wrap {key} by {mechanism} ({number})"),
                None => format!("make {key}, and sign"),
            };
            let why = row.reason.as_deref().map_or("", |reason| reason);
            [what, row.verdict.to_owned(), why.to_owned()]
        });
        let heading = format!("token '{}'", chosen.name);
        output.result(table([heading.as_str(), "verdict", "answer"], rows))
    }
}

/// What a person may want to know beside the table.
fn say_of(chosen: &Chosen<'_>, probe: &Probe, output: &Output) {
    let name = chosen.name;
    if probe.removed > 0 {
        output.say(format!(
            "token '{name}': removed {} objects that a probe had left when it was killed",
            probe.removed
        ));
    }
    match probe.storage {
        Storage::Session => {}
        Storage::Token => output.say(format!(
            "token '{name}': refuses session objects, so those of the probe were in the token; they are destroyed"
        )),
    }
}

impl Report {
    fn new(chosen: &Chosen<'_>, probe: &Probe) -> Self {
        Self {
            version: 1,
            token: chosen.name.to_string(),
            objects: Some(match probe.storage {
                Storage::Session => "session",
                Storage::Token => "token",
            }),
            keys: probe
                .keys
                .iter()
                .map(|key| Row::of(None, Some(key.spec), &key.verdict))
                .collect(),
            wraps: probe
                .wraps
                .iter()
                .map(|wrap| Row::of(Some(wrap.mechanism), wrap.spec, &wrap.verdict))
                .collect(),
        }
    }

    /// What would be tried.
    fn prospect(chosen: &Chosen<'_>, token: &Token) -> Outcome<Self> {
        let keys = token.claimed()?;
        let keys = keys
            .into_iter()
            .map(|spec| Row::new(None, Some(spec), WOULD_TRY, None));
        let wraps = WrapMechanism::ALL
            .into_iter()
            .map(|mechanism| Row::new(Some(mechanism), None, WOULD_TRY, None));
        Ok(Self {
            version: 1,
            token: chosen.name.to_string(),
            objects: None,
            keys: keys.collect(),
            wraps: wraps.collect(),
        })
    }
}

const WOULD_TRY: &str = "would try";

impl Row {
    fn new(
        mechanism: Option<WrapMechanism>,
        key: Option<KeySpec>,
        verdict: &'static str,
        reason: Option<String>,
    ) -> Self {
        Self {
            wrapping: mechanism.map(|mechanism| Wrapping {
                mechanism: mechanism.name(),
                number: format!("0x{:04x}", mechanism.number()),
            }),
            key: key.map(|spec| spec.to_string()),
            verdict,
            reason,
        }
    }

    fn of(mechanism: Option<WrapMechanism>, key: Option<KeySpec>, verdict: &ProbeVerdict) -> Self {
        let (word, reason) = match verdict {
            ProbeVerdict::Works => ("works", None),
            ProbeVerdict::Refused(call) => ("refused", Some(call.to_string())),
            ProbeVerdict::Lies(lie) => ("lies", Some(lie.to_string())),
        };
        Self::new(mechanism, key, word, reason)
    }
}
