//! `generate`: key pairs made in their tokens, proved, and recorded.

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, Progress, ReportArguments, SiteArguments, ZoneChoice};
use dnssec::{KeyOwner, SiteTokens};
use key_metadata::gate::{Refusal, Rule, is_first};
use key_metadata::pending::{Operation, Pending};
use key_metadata::site::SiteZone;
use key_metadata::step::Step;
use key_metadata::store::Lock;
use key_metadata::{
    Action, Algorithm, Backup, Change, Extractability, KeyAlgorithm, KeyId, KeyRecord, KeySpec, KeyState,
    KeyTimes, Policy, Role, SiteFolder, TokenName, ZoneKeys, ZoneName,
};
use serde::Serialize;

use crate::backup_choice::BackupChoice;
use crate::gated::GateArguments;
use crate::open::open;
use crate::random::random;
use crate::reconcile::{Ending, Mended, Mender, take_back};

/// The options of `generate`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    zones: ZoneChoice,
    /// Make keys for every zone of the site
    #[arg(long, conflicts_with = "zones")]
    all: bool,
    /// What the keys are for, once for each: ksk, zsk or csk
    #[arg(long = "role", value_name = "ROLE", required = true)]
    roles: Vec<Role>,
    /// The algorithm, by mnemonic or number; the policy's when absent
    #[arg(long, value_name = "ALGORITHM")]
    algorithm: Option<Algorithm>,
    /// The size of an RSA key: 2048, 3072 or 4096
    #[arg(long, value_name = "BITS")]
    bits: Option<u16>,
    /// How the key can be backed up, which is decided for ever when it is made
    #[arg(long, value_enum, default_value_t = BackupChoice::Wrap)]
    backup: BackupChoice,
    /// Publish and activate at once: right for the first keys of a zone. A zone that has an active key of the role is left alone
    #[arg(long)]
    activate: bool,
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
    keys: Vec<Line>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    zone: ZoneName,
    role: Role,
    algorithm: KeyAlgorithm,
    bits: u16,
    token: TokenName,
    /// `generated`, `adopted` (made by a run that was killed), `there already` or `would generate`.
    done: &'static str,
    key_tag: Option<u16>,
    id: Option<KeyId>,
    state: KeyState,
}

const GENERATED: &str = "generated";
const ADOPTED: &str = "adopted";

impl Line {
    fn name(&self) -> String {
        format!("{} {}", self.zone, self.role)
    }

    fn text(&self) -> String {
        let what = match self.key_tag {
            Some(tag) => format!("{} {tag}", self.name()),
            None => self.name(),
        };
        let size = if self.bits == 256 || self.bits == 384 {
            String::new()
        } else {
            format!(" {} bits", self.bits)
        };
        format!(
            "{what}: {}, {}{size}, {}, in token '{}'",
            self.done, self.algorithm, self.state, self.token
        )
    }
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        if self.zones.is_all() && !self.all {
            let failure = Failure::new(Exit::Usage, "no zone is named");
            return Err(failure.hint("name zones with --zone, or take them all with --all".to_owned()));
        }
        let folder = site.open()?;
        let zones = self.zones.zones(&folder)?;
        let progress = Progress::new("generating", (zones.len() * self.roles.len()) as u64);
        let mut run = Run {
            arguments: self,
            site,
            folder: &folder,
            tokens: SiteTokens::new(&folder),
            lines: Vec::new(),
        };
        let result = zones
            .iter()
            .try_for_each(|zone| run.zone(zone, output, &progress));
        drop(progress);
        let lines = run.lines;
        let made: Vec<_> = lines
            .iter()
            .filter(|line| line.done == GENERATED || line.done == ADOPTED)
            .map(Line::name)
            .collect();
        if self.report.json {
            output.json(&Report {
                version: 1,
                keys: lines,
            })?;
        }
        if !made.is_empty() && self.backup == BackupChoice::None {
            output.warn("these keys have no backup: who loses their token loses them");
        }
        result.map_err(|failure| {
            if made.is_empty() {
                return failure;
            }
            if !self.activate {
                let made = made.join(", ");
                output.say(format!(
                    "made before it failed, and made twice if not left out of the next run: {made}"
                ));
            }
            failure.part_way()
        })
    }
}

/// One run over several zones.
struct Run<'a> {
    arguments: &'a Arguments,
    site: &'a SiteArguments,
    folder: &'a SiteFolder,
    tokens: SiteTokens<'a>,
    lines: Vec<Line>,
}

/// What one zone is given.
struct Zone<'a> {
    name: &'a ZoneName,
    entry: &'a SiteZone,
    policy: Policy,
}

impl Run<'_> {
    fn zone(&mut self, name: &ZoneName, output: &mut Output, progress: &Progress) -> Outcome {
        let (entry, policy) = self.folder.zone(name)?;
        let zone = Zone { name, entry, policy };
        if self.arguments.dry_run {
            return self.would(&zone, output, progress);
        }
        let lock = self.folder.lock_keys(name)?;
        let mut keys = self.folder.keys(name)?;
        let mut mender = Mender {
            site: self.site,
            folder: self.folder,
            change: &self.arguments.gate.change,
        };
        let mended = mender.mend(&mut keys, &mut self.tokens, &lock)?;
        for line in &mended {
            output.say(line.to_string());
        }
        for &role in &self.arguments.roles {
            let spec = self.spec(&zone, role)?;
            let active = |key: &&KeyRecord| key.role == role && key.state == KeyState::Active;
            let line = match keys.keys().iter().find(active) {
                Some(key) if self.arguments.activate => self.there_already(&zone, key)?,
                Some(_) | None => match self.adopted(&keys, &mended, role, spec) {
                    Some(id) => {
                        self.activate(&zone, id, &mut keys)?;
                        self.folder.write_keys(&keys, &lock)?;
                        self.made(&zone, role, spec, id, &keys, ADOPTED)
                    }
                    None => {
                        let id = self.make(&zone, role, spec, &mut keys, &lock)?;
                        self.made(&zone, role, spec, id, &keys, GENERATED)
                    }
                },
            };
            self.tell(line, output, progress)?;
        }
        Ok(())
    }

    /// A key as it is asked for, which a run that was killed has made, and which would otherwise be made a second time: one that this run found, and,
    /// where the key is to be activated, also one that was found before and is not used yet.
    fn adopted(&self, keys: &ZoneKeys, mended: &[Mended], role: Role, spec: KeySpec) -> Option<KeyId> {
        let extractability = self.arguments.backup.extractability();
        let asked_for = |key: &&KeyRecord| {
            let size = (key.algorithm(), key.public_key.bits());
            key.role == role
                && key.state == KeyState::Generated
                && size == (spec.algorithm().into(), spec.bits())
                && key.backup.extractability == extractability
        };
        let now = |key: &&KeyRecord| {
            mended
                .iter()
                .any(|line| line.id == key.id && line.outcome == Ending::Adopted)
        };
        let before = |key: &&KeyRecord| {
            let last = keys.history().iter().rfind(|entry| entry.key == key.id);
            self.arguments.activate && last.is_some_and(|entry| entry.action == Action::Adopt)
        };
        let found = keys
            .keys()
            .iter()
            .filter(asked_for)
            .find(|key| now(key) || before(key));
        found.map(|key| key.id)
    }

    /// What would be made.
    fn would(&mut self, zone: &Zone<'_>, output: &mut Output, progress: &Progress) -> Outcome {
        let keys = self.folder.keys(zone.name)?;
        for pending in keys.pending() {
            output.say(format!(
                "{}: key {} was begun at {} and interrupted; that would be ended first",
                zone.name, pending.id, pending.since
            ));
        }
        for &role in &self.arguments.roles {
            let spec = self.spec(zone, role)?;
            let active = |key: &&KeyRecord| key.role == role && key.state == KeyState::Active;
            let line = match keys.keys().iter().find(active) {
                Some(key) if self.arguments.activate => self.there_already(zone, key)?,
                Some(_) | None => {
                    self.pass(zone, role, &keys, Action::Generate)?;
                    self.line(zone, role, spec)
                }
            };
            self.tell(line, output, progress)?;
        }
        Ok(())
    }

    fn tell(&mut self, line: Line, output: &mut Output, progress: &Progress) -> Outcome {
        if !self.arguments.report.json {
            progress.without(|| output.line(line.text()))?;
        }
        self.lines.push(line);
        progress.step();
        Ok(())
    }

    /// The report on a key that there is now.
    fn made(
        &self,
        zone: &Zone<'_>,
        role: Role,
        spec: KeySpec,
        id: KeyId,
        keys: &ZoneKeys,
        done: &'static str,
    ) -> Line {
        Line {
            done,
            key_tag: keys.key(id).map(KeyRecord::key_tag),
            id: Some(id),
            ..self.line(zone, role, spec)
        }
    }

    /// The report on an active key that is left alone; it must be what was asked for.
    fn there_already(&self, zone: &Zone<'_>, key: &KeyRecord) -> Outcome<Line> {
        let (role, algorithm) = (key.role, key.algorithm());
        if let Some(wanted) = self.arguments.algorithm
            && KeyAlgorithm::from(wanted) != algorithm
        {
            let error = format!(
                "zone {} has an active {role} of {algorithm}, and {wanted} was asked for",
                zone.name
            );
            let hint = "--activate is for the first keys of a zone; another algorithm comes in by a rollover";
            return Err(Failure::new(Exit::Failed, error).hint(hint.to_owned()));
        }
        Ok(Line {
            zone: zone.name.clone(),
            role,
            algorithm,
            bits: key.public_key.bits(),
            token: self.tokens.token_of(key)?.clone(),
            done: "there already",
            key_tag: Some(key.key_tag()),
            id: Some(key.id),
            state: key.state,
        })
    }

    /// The report on a key that is yet to be made.
    fn line(&self, zone: &Zone<'_>, role: Role, spec: KeySpec) -> Line {
        let state = if self.arguments.activate {
            KeyState::Active
        } else {
            KeyState::Generated
        };
        Line {
            zone: zone.name.clone(),
            role,
            algorithm: spec.algorithm().into(),
            bits: spec.bits(),
            token: zone.entry.token.clone(),
            done: "would generate",
            key_tag: None,
            id: None,
            state,
        }
    }

    /// What is asked for, else what the policy says.
    fn spec(&self, zone: &Zone<'_>, role: Role) -> Outcome<KeySpec> {
        let usage = |error: &dyn std::error::Error| Failure::of(Exit::Usage, error);
        if let Some(algorithm) = self.arguments.algorithm {
            return KeySpec::new(algorithm, self.arguments.bits).map_err(|error| usage(&error));
        }
        let policy = zone.policy.key(role).ok_or_else(|| {
            let failure = Failure::new(
                Exit::Usage,
                format!(
                    "policy '{}' of zone {} has no {role}",
                    zone.entry.policy, zone.name
                ),
            );
            failure.hint("give --algorithm, or another role".to_owned())
        })?;
        KeySpec::new(policy.algorithm, self.arguments.bits.or(policy.bits)).map_err(|error| usage(&error))
    }

    /// Makes a pair and records it, if its tags are free and it signs; otherwise it is destroyed again. A run that is killed in the middle
    /// leaves a note of what it had begun, by which the next one ends it.
    fn make(
        &mut self,
        zone: &Zone<'_>,
        role: Role,
        spec: KeySpec,
        keys: &mut ZoneKeys,
        lock: &Lock,
    ) -> Outcome<KeyId> {
        let change = self.pass(zone, role, keys, Action::Generate)?;
        let token = &zone.entry.token;
        let folder = self.folder;
        open(&mut self.tokens, self.site, folder, token)?;
        let extractability = self.arguments.backup.extractability();
        if extractability == Extractability::Wrapped {
            self.tokens.backup_capability(token, spec)?;
        }
        let id = KeyId::from_random(random()?);
        keys.begin(Pending {
            id,
            token: token.clone(),
            since: change.at,
            operator: change.operator.clone(),
            operation: Operation::Generate {
                role,
                algorithm: spec.algorithm(),
                bits: spec.bits(),
                extractability,
            },
        });
        folder.write_keys(keys, lock)?;
        let owner = KeyOwner {
            zone: zone.name,
            role,
            now: change.at,
        };
        let made = self.tokens.generate(token, spec, id, &owner, extractability);
        let key = made
            .map_err(Failure::from)
            .map(|(public_key, reference)| KeyRecord {
                id,
                role,
                public_key,
                reference,
                state: KeyState::Generated,
                times: KeyTimes::generated(change.at),
                backup: Backup::none(extractability),
            });
        let foreign = &zone.entry.foreign_key_tags;
        match key.and_then(|key| self.prove(&key, keys, foreign).map(|()| key)) {
            Ok(key) => {
                keys.add(key, change);
                keys.settle(id, token);
                // In one write, or a run that is killed between two would leave a key that the next does not take for the one asked for.
                let activated = self.activate(zone, id, keys);
                // A write that fails leaves the note of what was begun, by which the next run finds the key.
                folder.write_keys(keys, lock)?;
                activated.map(|()| id)
            }
            Err(failure) => Err(take_back(&self.tokens, folder, token, id, failure, keys, lock)),
        }
    }

    /// Asks the rules that stand against a key that is yet to be made.
    fn pass(&self, zone: &Zone<'_>, role: Role, keys: &ZoneKeys, action: Action) -> Outcome<Change> {
        let policy = zone.policy.key(role);
        let required = policy.map_or(&[][..], |key| &key.require_backup);
        let mut refusals = Vec::new();
        if !required.is_empty() && (self.arguments.backup == BackupChoice::None || self.arguments.activate) {
            let names: Vec<_> = required.iter().map(ToString::to_string).collect();
            refusals.push(Refusal::new(
                Rule::BackupEvidence,
                format!(
                    "policy '{}' asks for a bundle that passed {}, and a {role} made so has none",
                    zone.entry.policy,
                    names.join(", ")
                ),
                "make it with a backup and without --activate, and activate it when its bundle is drilled",
            ));
        }
        if self.arguments.activate && !is_first(role, keys, &zone.entry.foreign_key_tags) {
            refusals.push(Refusal::new(
                Rule::PublicationInterval,
                "the zone is signed already, and caches have its DNSKEY RRset without a new key",
                "make it without --activate, publish it, and activate it when every cache has it",
            ));
        }
        let refused = || format!("zone {} gets no such {role}", zone.name);
        self.arguments
            .gate
            .pass(refusals, action, cli::now(), self.site, refused)
    }

    /// Activates a new key where that was asked for; it is not written yet.
    fn activate(&self, zone: &Zone<'_>, id: KeyId, keys: &mut ZoneKeys) -> Outcome {
        let Some(mut key) = keys.key(id).cloned().filter(|_| self.arguments.activate) else {
            return Ok(());
        };
        let change = self.pass(zone, key.role, keys, Action::Activate)?;
        key.take(Step::Activate, change.at);
        keys.replace(key, change);
        Ok(())
    }

    fn prove(&self, key: &KeyRecord, keys: &ZoneKeys, foreign: &[u16]) -> Outcome {
        keys.check_tags(key, foreign).map_err(|clash| {
            let failure = Failure::of(Exit::Failed, &clash)
                .within(format!("the new {} cannot be used and was destroyed", key.role));
            failure.hint("run this again: a new key has another tag".to_owned())
        })?;
        let nonce: [u8; 32] = random()?;
        Ok(self.tokens.signing_key(key)?.prove(&key.public_key, &nonce)?)
    }
}
