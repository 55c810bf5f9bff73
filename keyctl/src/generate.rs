//! `generate`: key pairs made in their tokens, proved, and recorded.

use clap::{Args, ValueEnum};
use cli::{Exit, Failure, Outcome, Output, Progress, ReportArguments, SiteArguments, ZoneChoice};
use dnssec::SiteTokens;
use key_metadata::key_record::{Action, Backup, ProvenanceEntry};
use key_metadata::site::SiteZone;
use key_metadata::{
    Algorithm, Extractability, KeyAlgorithm, KeyId, KeyRecord, KeySpec, KeyState, KeyTimes, Policy, Role,
    SiteFolder, Time, TokenName, ZoneKeys, ZoneName,
};
use serde::Serialize;

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
    #[arg(long, value_enum, default_value_t = BackupChoice::None)]
    backup: BackupChoice,
    /// Publish and activate at once: right for the first keys of a zone. A zone that has an active key of the role is left alone
    #[arg(long)]
    activate: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BackupChoice {
    /// Not at all: who loses the token loses the key
    None,
    /// Wrapped by another key of its token
    Wrap,
}

impl BackupChoice {
    const fn extractability(self) -> Extractability {
        match self {
            Self::None => Extractability::Never,
            Self::Wrap => Extractability::Wrapped,
        }
    }
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
    /// `generated`, `there already` or `would generate`.
    done: &'static str,
    key_tag: Option<u16>,
    id: Option<KeyId>,
    state: KeyState,
}

const GENERATED: &str = "generated";

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
            .filter(|line| line.done == GENERATED)
            .map(Line::name)
            .collect();
        if self.report.json {
            output.json(&Report {
                version: 1,
                keys: lines,
            })?;
        }
        if !made.is_empty() && self.backup == BackupChoice::None {
            output.warn("these keys have no backup: who loses their token loses them (--backup wrap)");
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
        // The zones were taken from the site.
        let Some(entry) = self.folder.site().zones.get(name) else {
            return Ok(());
        };
        let zone = Zone {
            name,
            entry,
            policy: self.folder.policy(&entry.policy)?,
        };
        let lock = if self.arguments.dry_run {
            None
        } else {
            Some(self.folder.lock_keys(name)?)
        };
        let mut keys = self.folder.keys(name)?;
        for &role in &self.arguments.roles {
            let spec = self.spec(&zone, role)?;
            let active = |key: &&KeyRecord| key.role == role && key.state == KeyState::Active;
            let line = match (keys.keys().iter().find(active), &lock) {
                (Some(key), _) if self.arguments.activate => self.there_already(&zone, key)?,
                (_, None) => self.line(&zone, role, spec),
                (_, Some(lock)) => {
                    let key = self.make(&zone, role, spec, &keys)?;
                    let line = Line {
                        done: GENERATED,
                        key_tag: Some(key.key_tag()),
                        id: Some(key.id),
                        ..self.line(&zone, role, spec)
                    };
                    keys.add(key.clone());
                    if let Err(error) = self.folder.write_keys(&keys, lock) {
                        return Err(self.undo(&key, error.into()));
                    }
                    line
                }
            };
            if !self.arguments.report.json {
                progress.without(|| output.line(line.text()))?;
            }
            self.lines.push(line);
            progress.step();
        }
        Ok(())
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

    /// Makes a pair, and gives it only if its tags are free and it signs; otherwise it is destroyed again.
    fn make(&mut self, zone: &Zone<'_>, role: Role, spec: KeySpec, keys: &ZoneKeys) -> Outcome<KeyRecord> {
        let token = &zone.entry.token;
        let (site, folder) = (self.site, self.folder);
        self.tokens.open_with(token, |tokens| {
            site.user_pin(folder, token, |handle| Ok(tokens.unseal(handle)?))
        })?;
        let id = KeyId::from_random(random()?);
        let label = label(zone.name, role);
        let extractability = self.arguments.backup.extractability();
        let (public_key, reference) = self.tokens.generate(token, spec, id, &label, extractability)?;
        let now = cli::now();
        let mut key = KeyRecord {
            id,
            role,
            public_key,
            reference,
            state: KeyState::Generated,
            times: KeyTimes::generated(now),
            backup: Backup {
                extractability,
                bundles: Vec::new(),
            },
            provenance: vec![self.entry(Action::Generate, now)],
        };
        if let Err(failure) = self.prove(&key, keys, &zone.entry.foreign_key_tags) {
            return Err(self.undo(&key, failure));
        }
        if self.arguments.activate {
            key.activate(self.entry(Action::Activate, now));
        }
        Ok(key)
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

    /// Destroys a key that will not be recorded; if that fails too, both are told.
    fn undo(&self, key: &KeyRecord, failure: Failure) -> Failure {
        match self.tokens.destroy(key) {
            Ok(()) => failure,
            Err(error) => failure.and(
                Failure::from(error).within(format!("key {} is in its token, and in no record", key.id)),
            ),
        }
    }

    fn entry(&self, action: Action, at: Time) -> ProvenanceEntry {
        let tool = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned();
        ProvenanceEntry {
            at,
            action,
            tool,
            operator: cli::operator(self.site.operator.as_deref()),
            reason: None,
        }
    }
}

/// What other tools show of a key: role and zone, cut to the 32 bytes that a token keeps.
fn label(zone: &ZoneName, role: Role) -> String {
    let mut label = format!("{role} {zone}");
    label.truncate(32);
    label
}

fn random<const N: usize>() -> Outcome<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::of(Exit::Failed, &error).within("the system's generator failed"))?;
    Ok(bytes)
}
