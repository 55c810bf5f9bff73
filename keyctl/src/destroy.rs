//! `destroy`: the private part of a key is destroyed in its token, once nothing refers to it.

use std::fs;
use std::io;
use std::path::Path;

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, confirm};
use dnssec::{Mentions, Presence, SiteTokens};
use key_metadata::gate::{Refusal, Rule, refusals};
use key_metadata::pending::{Operation, Pending};
use key_metadata::step::Step;
use key_metadata::{
    Action, Change, Digest, Extractability, KeyId, KeyRecord, KeyReference, Role, SiteFolder, TokenName,
    ZoneName,
};
use serde::Serialize;

use crate::choose_one::OneKeyEach;
use crate::gated::{GateArguments, not_done};
use crate::open::open;
use crate::reconcile::{Ending, Mended, Mender};
use crate::step::sign_again;

/// The options of `destroy`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    key: OneKeyEach,
    #[command(flatten)]
    gate: GateArguments,
    /// The key tag, where it was typed elsewhere: it is not asked for then
    #[arg(long, value_name = "TAG")]
    confirm: Option<u16>,
    /// The token does not have the key any more, or is lost: only record that, with --reason
    #[arg(long, requires = "reason")]
    gone: bool,
    /// Say what would be done, and do nothing
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
    zone: ZoneName,
    role: Role,
    key_tag: u16,
    id: KeyId,
    /// Whether it was done, or would be (`--dry-run`).
    done: bool,
    /// What copies elsewhere could still do.
    copies: Vec<String>,
    head: Option<Digest>,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let zones = self.key.zones(&folder)?;
        let [zone] = zones.as_slice() else {
            return Err(Failure::new(
                Exit::Usage,
                "one key of one zone is destroyed at a time",
            ));
        };
        let mut tokens = SiteTokens::new(&folder);
        let lock = folder.lock_keys(zone)?;
        let mut keys = folder.keys(zone)?;
        let mut mended = Vec::new();
        // Of a token that is lost nobody can ask what was begun in it.
        if !self.dry_run && !self.gone {
            let mut mender = Mender {
                site,
                folder: &folder,
                change: &self.gate.change,
            };
            mended = mender.mend(&mut keys, &mut tokens, &lock)?;
            mended.iter().for_each(|line| output.say(line.to_string()));
        }
        let ((entry, policy), now) = (folder.zone(zone)?, cli::now());
        let ask =
            |key: &KeyRecord| refusals(Step::Destroy, key, &keys, &policy, &entry.foreign_key_tags, now);
        // What is asked for again after a run that was killed is done now.
        let done = |key: &KeyRecord| {
            let ended = |line: &Mended| line.id == key.id && line.outcome == Ending::Destroyed;
            mended.iter().any(ended)
        };
        let fits = |key: &KeyRecord| done(key) || ask(key).is_empty();
        let key = self.key.of(&keys, fits)?.clone();
        let name = format!("{} {} of {zone}", key.role, key.key_tag());
        let copies = copies(&folder, &key);
        let mut report = Report {
            version: 1,
            zone: zone.clone(),
            role: key.role,
            key_tag: key.key_tag(),
            id: key.id,
            done: false,
            copies,
            head: None,
        };
        if done(&key) {
            report.copies.iter().for_each(|copy| output.warn(copy));
            report.done = true;
            report.head = keys.head();
            let text = format!("{name}: destroyed in token '{}'", place(&folder, &key));
            return self.tell(&report, text, output);
        }
        let mut found = ask(&key);
        if found.is_empty() {
            found.extend(references(&folder, zone, &key)?);
        }
        let change = self.gate.pass(found, Action::Destroy, now, site, || {
            not_done(zone, &key, Step::Destroy)
        })?;
        report.copies.iter().for_each(|copy| output.warn(copy));
        if self.dry_run {
            return self.tell(
                &report,
                format!("{name}: would be destroyed in token '{}'", place(&folder, &key)),
                output,
            );
        }
        self.confirm(&key, &name)?;
        let place = place(&folder, &key);
        if self.gone {
            let token = folder.site().token_of(&key.reference).map(|(name, _)| name);
            record(&mut keys, key, change, now, token);
        } else {
            let token = tokens.token_of(&key)?;
            open(&mut tokens, site, &folder, token)?;
            if tokens.presence_of(&key)? == Presence::Absent {
                let failure = Failure::new(
                    Exit::Failed,
                    format!("token '{token}' has no key {}", key.cka_id()),
                );
                return Err(failure.within(not_done(zone, &key, Step::Destroy)).hint(
                    "check that this is the token that the key was made in; if it is gone for good, record that with --gone"
                        .to_owned(),
                ));
            }
            keys.begin(Pending {
                id: key.id,
                token: token.clone(),
                since: now,
                operator: change.operator.clone(),
                operation: Operation::Destroy {
                    reason: change.reason.clone(),
                },
            });
            folder.write_keys(&keys, &lock)?;
            // Whatever fails from here on, the note of what was begun stays, and the next run ends it.
            tokens
                .destroy(&key)
                .map_err(|error| Failure::from(error).part_way())?;
            record(&mut keys, key, change, now, Some(token));
        }
        folder
            .write_keys(&keys, &lock)
            .map_err(|error| Failure::from(error).part_way())?;
        report.done = true;
        report.head = keys.head();
        let done = if self.gone {
            "recorded as gone from"
        } else {
            "destroyed in"
        };
        self.tell(&report, format!("{name}: {done} token '{place}'"), output)
    }

    fn tell(&self, report: &Report, text: String, output: &mut Output) -> Outcome {
        match self.report.json {
            true => output.json(report),
            false => output.line(text),
        }
    }

    fn confirm(&self, key: &KeyRecord, name: &str) -> Outcome {
        match self.confirm {
            Some(tag) if tag == key.key_tag() => Ok(()),
            Some(tag) => Err(Failure::new(
                Exit::Usage,
                format!("--confirm {tag} is not the tag of {name}"),
            )),
            None => confirm(&format!("destroy {name}"), &key.key_tag().to_string()),
        }
    }
}

/// Records the end of a key, and of what was begun for it in its token, where the site still has that.
fn record(
    keys: &mut key_metadata::ZoneKeys,
    mut key: KeyRecord,
    change: Change,
    now: key_metadata::Time,
    token: Option<&TokenName>,
) {
    let id = key.id;
    key.take(Step::Destroy, now);
    keys.replace(key, change);
    if let Some(token) = token {
        keys.settle(id, token);
    }
}

fn place(folder: &SiteFolder, key: &KeyRecord) -> String {
    match folder.site().token_of(&key.reference) {
        Some((name, _)) => name.to_string(),
        None => key.reference.to_string(),
    }
}

/// What is published or recorded in the site and refers to the key: zone files of its zone and of the zone above it, and other zones' keys
/// that are the same object of a token. Every key file is read: this is rare, and cannot be undone.
fn references(folder: &SiteFolder, zone: &ZoneName, key: &KeyRecord) -> Outcome<Vec<Refusal>> {
    let zones = &folder.site().zones;
    let parent = zones
        .keys()
        .filter(|other| zone.is_below(other))
        .max_by_key(|other| other.as_str().len());
    let mut found = Vec::new();
    let keys = folder.keys(zone)?;
    for of in [Some(zone), parent].into_iter().flatten() {
        for path in [folder.unsigned_path(of), folder.signed_path(of)] {
            let Some(text) = read(&path)? else { continue };
            let mentions = Mentions::count(&text, &path, of, zone, key)?;
            if !mentions.is_none() {
                let remedy = match of == zone {
                    true if keys.is_signed_no_more() => sign_again(&keys),
                    true => format!("sign the zone without it: {}", sign_again(&keys)),
                    false => format!("take its DS out of {of}, and sign that zone"),
                };
                let why = format!("{} has records of it: {mentions}", path.display());
                found.push(Refusal::new(Rule::Referenced, why, remedy));
            }
        }
    }
    for other in zones.keys().filter(|other| *other != zone) {
        let others = folder.keys(other)?;
        let same = others.keys().iter().find(|other| match &key.reference {
            KeyReference::Pkcs11(_) | KeyReference::File(..) => other.reference == key.reference,
            KeyReference::Tpm(_) => other.id == key.id,
        });
        if let Some(same) = same {
            found.push(Refusal::new(
                Rule::Referenced,
                format!(
                    "{} {} of {other} is the same object of the token",
                    same.role,
                    same.key_tag()
                ),
                format!("end the life of that key first: keyrite-keyctl show --zone {other}"),
            ));
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Outcome<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Failure::of(Exit::Failed, &error).within(format!("cannot read {}", path.display())))
        }
    }
}

/// What copies elsewhere could still do when the key is destroyed here.
fn copies(folder: &SiteFolder, key: &KeyRecord) -> Vec<String> {
    let mut copies = Vec::new();
    for bundle in &key.backup.bundles {
        copies.push(format!(
            "bundle {} of {} holds this key: whoever has it and its shares can restore the key and sign with it",
            bundle.bundle, bundle.created
        ));
    }
    match &key.reference {
        KeyReference::Tpm(name) => copies.push(format!(
            "what is destroyed is {}: a copy of that file, in a backup or in version control, signs again in TPM '{name}' for \
             whoever has the authorisation value of its keys",
            folder.tpm_key_path(key.id).display()
        )),
        KeyReference::File(name, stem) => copies.push(format!(
            "what is destroyed is {stem}.private in the folder of '{name}': a copy of that file signs again for whoever has it"
        )),
        KeyReference::Pkcs11(_) => copies.push(
            "a token whose store is a folder of files (a software token, or a TPM behind PKCS#11) signs again from an old copy of \
             that folder"
                .to_owned(),
        ),
    }
    if key.backup.bundles.is_empty() && key.backup.extractability == Extractability::Wrapped {
        copies.push(
            "the key could be wrapped: no bundle of it is recorded, others may have been made".to_owned(),
        );
    }
    copies
}
