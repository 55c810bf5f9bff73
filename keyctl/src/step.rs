//! `publish`, `submit`, `activate`, `retire`, `revoke`, `remove` and the steps of other rollovers: a key's life goes on.

use clap::Args;
use cli::{Exit, Outcome, Output, ReportArguments, SiteArguments};
use dnssec::SiteTokens;
use key_metadata::gate::{Refusal, Rule, out_of_order, refusals};
use key_metadata::step::{Step, is_usual, next_step};
use key_metadata::{Digest, KeyId, KeyRecord, KeyState, Role, SiteFolder, Time, ZoneKeys, ZoneName};
use serde::Serialize;

use crate::choose_one::OneKeyEach;
use crate::gated::{GateArguments, not_done};
use crate::open::open;
use crate::random::random;

/// The options of a step.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    keys: OneKeyEach,
    #[command(flatten)]
    gate: GateArguments,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    steps: Vec<Line>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    zone: ZoneName,
    role: Role,
    key_tag: u16,
    id: KeyId,
    /// What was done: `publish` and so on.
    step: String,
    /// Whether it was done, or would be (`--dry-run`).
    done: bool,
    from: KeyState,
    to: KeyState,
    /// The same in a word or more.
    #[serde(skip)]
    reached: String,
    at: Time,
    /// The rules that were overridden.
    overrides: Vec<Rule>,
    /// The last entry of the zone's history after it.
    head: Option<Digest>,
    /// What is to be done next, where there is anything.
    next: Option<String>,
}

impl Arguments {
    pub fn run(&self, step: Step, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let mut run = Run {
            arguments: self,
            step,
            site,
            folder: &folder,
            tokens: SiteTokens::new(&folder),
        };
        let (mut lines, mut failures) = (Vec::new(), Vec::new());
        for zone in self.keys.zones(&folder)? {
            match run.zone(&zone) {
                Ok(line) => {
                    if !self.report.json {
                        output.line(line.text())?;
                        if let Some(next) = &line.next {
                            output.say(format!("next: {next}"));
                        }
                    }
                    lines.push(line);
                }
                Err(failure) => {
                    let exit = failure.exit();
                    failures.push(failure);
                    // One zone's refusal does not hold the others; a token that refuses must not be asked again.
                    if exit == Exit::Credential {
                        break;
                    }
                }
            }
        }
        let done = !lines.is_empty();
        if self.report.json {
            output.json(&Report {
                version: 1,
                steps: lines,
            })?;
        }
        match output.last_of(failures) {
            None => Ok(()),
            Some(failure) if done => Err(failure.part_way()),
            Some(failure) => Err(failure),
        }
    }
}

/// What a key has come to, where that is more than its state: its DS was given to the parent, or it signs before it is active.
fn reached(from: KeyState, key: &KeyRecord) -> String {
    if key.state == from {
        return "submitted".to_owned();
    }
    if key.state != KeyState::Active && key.state.in_zone() && key.signs_zone() {
        return format!("{} and signs", key.state);
    }
    key.state.to_string()
}

impl Line {
    fn text(&self) -> String {
        let would = if self.done { "" } else { "would be " };
        let against: Vec<_> = self.overrides.iter().map(ToString::to_string).collect();
        let against = if against.is_empty() {
            String::new()
        } else {
            format!(", against {}", against.join(" and "))
        };
        format!(
            "{} {} {}: {would}{}, was {}{against}",
            self.zone, self.role, self.key_tag, self.reached, self.from
        )
    }
}

/// One run over several zones.
struct Run<'a> {
    arguments: &'a Arguments,
    step: Step,
    site: &'a SiteArguments,
    folder: &'a SiteFolder,
    tokens: SiteTokens<'a>,
}

impl Run<'_> {
    fn zone(&mut self, zone: &ZoneName) -> Outcome<Line> {
        let (folder, step, now) = (self.folder, self.step, cli::now());
        let (entry, policy) = folder.zone(zone)?;
        let lock = match self.arguments.dry_run {
            true => None,
            false => Some(folder.lock_keys(zone)?),
        };
        let mut keys = folder.keys(zone)?;
        let foreign = &entry.foreign_key_tags;
        let ask = |key: &KeyRecord| refusals(step, key, &keys, &policy, foreign, now);
        let fits = |key: &KeyRecord| out_of_order(step, key).is_none() && is_usual(step, key);
        let mut key = self.arguments.keys.of(&keys, fits)?.clone();
        let (gate, action) = (&self.arguments.gate, step.action());
        let change = gate.pass(ask(&key), action, now, self.site, || not_done(zone, &key, step))?;
        let overrides = change.overrides.clone();
        let from = key.state;
        if lock.is_some() && self.relies_on(&key) {
            self.prove(zone, &key)?;
        }
        key.take(step, now);
        let (role, key_tag, id, to) = (key.role, key.key_tag(), key.id, key.state);
        keys.replace(key.clone(), change);
        if let Some(lock) = &lock {
            folder.write_keys(&keys, lock)?;
        }
        let next = next(&keys, &key, |step| {
            refusals(step, &key, &keys, &policy, foreign, now)
        });
        Ok(Line {
            zone: zone.clone(),
            role,
            key_tag,
            id,
            step: step.to_string(),
            done: lock.is_some(),
            from,
            to,
            reached: reached(from, &key),
            at: now,
            overrides,
            head: lock.as_ref().and(keys.head()),
            next,
        })
    }

    /// Whether the key is relied on from this step on: it signs then, or takes over, or the parent has its DS.
    const fn relies_on(&self, key: &KeyRecord) -> bool {
        match self.step {
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

    /// Has the key sign, before anybody relies on it.
    fn prove(&mut self, zone: &ZoneName, key: &KeyRecord) -> Outcome {
        let token = self.tokens.token_of(key)?;
        open(&mut self.tokens, self.site, self.folder, token)?;
        let nonce: [u8; 32] = random()?;
        let prove = || -> Outcome { Ok(self.tokens.signing_key(key)?.prove(&key.public_key, &nonce)?) };
        prove().map_err(|failure| {
            failure
                .within(format!("{}: it does not sign", Rule::TrialSignature))
                .within(not_done(zone, key, self.step))
        })
    }
}

/// What brings the zone to what its keys' records say.
pub fn sign_again(keys: &ZoneKeys) -> String {
    let (zone, file) = (keys.zone(), keys.zone().file_stem());
    match keys.is_signed_no_more() {
        true => format!("publish zones/{file}.zone as it is, and remove signed/{file}.zone"),
        false => format!("keyrite-signer sign --zone {zone}"),
    }
}

/// What is to be done with the key next, and when.
pub fn next(keys: &ZoneKeys, key: &KeyRecord, ask: impl FnOnce(Step) -> Vec<Refusal>) -> Option<String> {
    let step = next_step(key)?;
    let zone = keys.zone();
    let refusals = ask(step);
    let from = refusals.iter().filter_map(|refusal| refusal.not_before).max();
    let command = format!("keyrite-keyctl {step} --zone {zone} --key {}", key.key_tag());
    let sign = || format!("{}; then ", sign_again(keys));
    let first = match key.state {
        // The parent acts on what the zone signals, or on what it is told.
        KeyState::PreActive if key.wants_ds() => {
            format!("{}have the parent add its DS to those that it has, and ", sign())
        }
        KeyState::RetireActive => {
            let remedies = refusals.iter().filter(|refusal| refusal.not_before.is_none());
            let mut remedies: Vec<_> = remedies.map(|refusal| refusal.remedy.as_str()).collect();
            remedies.dedup();
            let waits: String = remedies.iter().map(|remedy| format!("{remedy}; then ")).collect();
            format!("{}{waits}", sign())
        }
        KeyState::PreActive
        | KeyState::Published
        | KeyState::Removed
        | KeyState::Revoked
        | KeyState::Active
        | KeyState::Retired
        | KeyState::PostActive => sign(),
        KeyState::Generated | KeyState::Ready | KeyState::Dead | KeyState::Destroyed => String::new(),
    };
    Some(match from {
        Some(time) => format!("{first}{command}, not before {time}"),
        None => format!("{first}{command}"),
    })
}
