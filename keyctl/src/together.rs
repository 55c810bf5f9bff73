//! `together`: several steps of a zone's keys at once, or none of them. What a rollover changes in one go is in the records in one go, whatever
//! happens to the program: no signer finds a half of it.

use std::str::FromStr;

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use dnssec::SiteTokens;
use key_metadata::gate::{Rule, refusals};
use key_metadata::step::Step;
use key_metadata::{Digest, KeyId, KeyRecord, KeyState, Role, SiteFolder, Time, ZoneKeys, ZoneName};
use serde::Serialize;

use crate::choose::is_named;
use crate::gated::{GateArguments, not_done};
use crate::open::open;
use crate::random::random;
use crate::step::sign_again;

/// The options of `together`.
#[derive(Args)]
pub struct Arguments {
    /// The zone
    #[arg(long, value_name = "ZONE")]
    zone: ZoneName,
    /// The steps in their order, as publish:TAG or activate:TAG; destroy is none of them
    #[arg(required = true, value_name = "STEP:TAG|ID")]
    steps: Vec<StepOfKey>,
    #[command(flatten)]
    gate: GateArguments,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
}

/// A step, and the key that takes it.
#[derive(Clone, Debug)]
struct StepOfKey {
    step: Step,
    key: String,
}

impl FromStr for StepOfKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, key) = text
            .split_once(':')
            .ok_or("write STEP:TAG, a step and the key that takes it")?;
        // What was seen is recorded with who saw it, and what cannot be undone is done alone.
        let is_taken_here = |step: &Step| !matches!(step, Step::Register | Step::Deregister | Step::Destroy);
        let mut steps = Step::ALL.into_iter().filter(is_taken_here);
        let step = steps.find(|step| step.to_string() == name);
        Ok(Self {
            step: step.ok_or_else(|| format!("'{name}' is no step that is taken together with others"))?,
            key: key.to_owned(),
        })
    }
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    version: u32,
    zone: ZoneName,
    /// Whether it was done, or would be (`--dry-run`).
    done: bool,
    steps: Vec<Line>,
    /// The last entry of the zone's history after it.
    head: Option<Digest>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    role: Role,
    key_tag: u16,
    id: KeyId,
    step: String,
    from: KeyState,
    to: KeyState,
    at: Time,
    /// The rules that were overridden.
    overrides: Vec<Rule>,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let (folder, zone) = (site.open()?, &self.zone);
        let lock = match self.dry_run {
            true => None,
            false => Some(folder.lock_keys(zone)?),
        };
        let mut keys = folder.keys(zone)?;
        let mut tokens = SiteTokens::new(&folder);
        // One time for all of them: it is one change.
        let now = cli::now();
        let mut lines = Vec::new();
        for step in &self.steps {
            lines.push(self.take(step, &mut keys, (&folder, site, &mut tokens), now)?);
        }
        if let Some(lock) = &lock {
            folder.write_keys(&keys, lock)?;
        }
        let report = Report {
            version: 1,
            zone: zone.clone(),
            done: lock.is_some(),
            steps: lines,
            head: lock.as_ref().and(keys.head()),
        };
        if self.report.json {
            return output.json(&report);
        }
        for line in &report.steps {
            output.line(line.text(&report))?;
        }
        output.say(format!("next: {}", sign_again(&keys)));
        Ok(())
    }

    /// Takes one of them, by what those before it have made of the records.
    fn take(
        &self,
        StepOfKey { step, key }: &StepOfKey,
        keys: &mut ZoneKeys,
        (folder, site, tokens): (&SiteFolder, &SiteArguments, &mut SiteTokens<'_>),
        now: Time,
    ) -> Outcome<Line> {
        let zone = &self.zone;
        let (entry, policy) = folder.zone(zone)?;
        let mut record = named(keys, key)?.clone();
        let found = refusals(*step, &record, keys, &policy, &entry.foreign_key_tags, now);
        let not_done = || not_done(zone, &record, *step);
        let change = self.gate.pass(found, step.action(), now, site, not_done)?;
        if !self.dry_run && is_relied_on(*step, &record) {
            let token = tokens.token_of(&record)?;
            open(tokens, site, folder, token)?;
            let nonce: [u8; 32] = random()?;
            let prove = || -> Outcome { Ok(tokens.signing_key(&record)?.prove(&record.public_key, &nonce)?) };
            prove().map_err(|failure| {
                failure
                    .within(format!("{}: it does not sign", Rule::TrialSignature))
                    .within(not_done())
            })?;
        }
        let (from, overrides) = (record.state, change.overrides.clone());
        record.take(*step, now);
        keys.replace(record.clone(), change);
        Ok(Line {
            role: record.role,
            key_tag: record.key_tag(),
            id: record.id,
            step: step.to_string(),
            from,
            to: record.state,
            at: now,
            overrides,
        })
    }
}

impl Line {
    fn text(&self, report: &Report) -> String {
        let would = if report.done { "" } else { "would be " };
        let to = match self.from == self.to {
            true => "submitted".to_owned(),
            false => self.to.to_string(),
        };
        let against: Vec<_> = self.overrides.iter().map(ToString::to_string).collect();
        let against = match against.is_empty() {
            true => String::new(),
            false => format!(", against {}", against.join(" and ")),
        };
        format!(
            "{} {} {}: {would}{to}, was {}{against}",
            report.zone, self.role, self.key_tag, self.from
        )
    }
}

fn named<'k>(keys: &'k ZoneKeys, name: &str) -> Outcome<&'k KeyRecord> {
    let zone = keys.zone();
    let named: Vec<_> = keys.keys().iter().filter(|key| is_named(key, name)).collect();
    match named.as_slice() {
        [key] => Ok(key),
        [] => Err(
            Failure::new(Exit::Failed, format!("zone {zone} has no key {name}"))
                .hint(format!("keyrite-keyctl list --zone {zone}")),
        ),
        several => Err(Failure::new(
            Exit::Usage,
            format!("zone {zone} has {} keys of tag {name}", several.len()),
        )
        .hint("name it by its id".to_owned())),
    }
}

/// Whether the key is relied on from this step on: it signs then, or takes over, or the parent has its DS.
const fn is_relied_on(step: Step, key: &KeyRecord) -> bool {
    match step {
        Step::PreActivate | Step::Introduce | Step::Activate => true,
        Step::Submit => matches!(key.state, KeyState::Generated),
        Step::Publish
        | Step::Register
        | Step::RetireActive
        | Step::GoInsecure
        | Step::Retire
        | Step::Deregister
        | Step::Withdraw
        | Step::Revoke
        | Step::Remove
        | Step::Destroy => false,
    }
}
