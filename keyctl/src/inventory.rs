//! `inventory`: the tokens held against the records, both ways. That a key is in a token is shown by a signature of it, never by its tag or
//! its id.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, Progress, ReportArguments, SiteArguments, ZoneChoice};
use dnssec::{KeyPlace, Likeness, SiteTokens, TokenKey, TrialError};
use key_metadata::{
    CkaId, KeyId, KeyRecord, KeyState, Role, Site, SiteFolder, TokenName, ZoneKeys, ZoneName,
};
use serde::Serialize;

use crate::open::open;
use crate::random::random;

/// The options of `inventory`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    zones: ZoneChoice,
    /// Look into that token too, once for each; the tokens of the zones and of their keys always are
    #[arg(long = "token", value_name = "NAME")]
    tokens: Vec<TokenName>,
    /// Every token that is looked into must have every key: for signers that stand in for each other
    #[arg(long)]
    replicas: bool,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    /// What of each key is in each token.
    keys: Vec<Line>,
    /// What the records and the tokens do not agree on; empty, where all is well.
    findings: Vec<Finding>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    zone: ZoneName,
    role: Role,
    key_tag: u16,
    id: KeyId,
    state: KeyState,
    token: TokenName,
    found: Found,
}

/// What a token was seen to have of a key.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Found {
    /// It signed a nonce, and the signature verifies with the DNSKEY of the record.
    Proven,
    /// It is not there.
    Absent,
    /// It signed with another key.
    OtherKey,
}

/// What the records and the tokens do not agree on.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Finding {
    zone: Option<ZoneName>,
    token: TokenName,
    what: String,
    remedy: String,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let zones = self.zones.zones(&folder)?;
        let mut keys = Vec::new();
        for zone in &zones {
            keys.push(folder.keys(zone)?);
        }
        let names = self.tokens(&folder, &keys)?;
        let mut look = Look {
            site: folder.site(),
            tokens: SiteTokens::new(&folder),
            lines: Vec::new(),
            findings: Vec::new(),
        };
        for name in &names {
            open(&mut look.tokens, site, &folder, name)?;
        }
        let count = keys
            .iter()
            .map(|zone| zone.keys().len() * names.len())
            .sum::<usize>();
        let progress = Progress::new("proving", count as u64);
        for zone in &keys {
            look.pending(zone);
            for key in zone.keys() {
                for name in &names {
                    look.key(zone.zone(), key, name, self.replicas)?;
                    progress.step();
                }
            }
        }
        drop(progress);
        for name in &names {
            look.token(name, &keys, self.zones.is_all())?;
        }
        look.twice(&keys);
        if !self.zones.is_all() && !self.report.json {
            output.say("only these zones' keys were looked at: what else is in the tokens is not judged");
        }
        self.print(look.lines, look.findings, output)
    }

    /// The tokens to look into: of the zones, of their keys, and those that were named.
    fn tokens(&self, folder: &SiteFolder, keys: &[ZoneKeys]) -> Outcome<BTreeSet<TokenName>> {
        let site = folder.site();
        let mut names = BTreeSet::new();
        for name in &self.tokens {
            if !site.tokens.contains_key(name) {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("the site has no token named '{name}'"),
                ));
            }
            names.insert(name.clone());
        }
        for zone in keys {
            names.extend(site.zones.get(zone.zone()).map(|entry| entry.token.clone()));
            let of_keys = zone.keys().iter().filter(|key| key.state != KeyState::Destroyed);
            names.extend(of_keys.filter_map(|key| Some(site.token_of(&key.reference)?.0.clone())));
        }
        for name in names.clone() {
            names.extend(site.replicas(&name).iter().cloned());
        }
        Ok(names)
    }

    fn print(&self, lines: Vec<Line>, findings: Vec<Finding>, output: &mut Output) -> Outcome {
        let failure = (!findings.is_empty()).then(|| {
            let what = match findings.len() {
                1 => "one thing".to_owned(),
                count => format!("{count} things"),
            };
            let failure = Failure::new(Exit::SaysNo, format!("tokens and records do not agree on {what}"));
            findings.iter().fold(failure, |failure, finding| {
                failure.because(format!("{}: {}", finding.what, finding.remedy))
            })
        });
        if self.report.json {
            output.json(&Report {
                version: 1,
                keys: lines,
                findings,
            })?;
        } else if lines.is_empty() {
            output.say("no keys");
        } else {
            let row = |line: &Line| {
                [
                    line.zone.to_string(),
                    line.role.to_string(),
                    line.key_tag.to_string(),
                    line.state.to_string(),
                    line.token.to_string(),
                    line.found.text().to_owned(),
                ]
            };
            output.result(cli::table(
                ["ZONE", "ROLE", "TAG", "STATE", "TOKEN", "FOUND"],
                lines.iter().map(row),
            ))?;
        }
        failure.map_or(Ok(()), Err)
    }
}

impl Found {
    const fn text(self) -> &'static str {
        match self {
            Self::Proven => "proven by a signature",
            Self::Absent => "not there",
            Self::OtherKey => "ANOTHER KEY",
        }
    }
}

/// One look into the tokens.
struct Look<'a> {
    site: &'a Site,
    tokens: SiteTokens<'a>,
    lines: Vec<Line>,
    findings: Vec<Finding>,
}

impl Look<'_> {
    fn pending(&mut self, zone: &ZoneKeys) {
        for pending in zone.pending() {
            self.findings.push(Finding {
                zone: Some(zone.zone().clone()),
                token: pending.token.clone(),
                what: format!(
                    "key {} of {} was begun at {} and interrupted",
                    pending.id,
                    zone.zone(),
                    pending.since
                ),
                remedy: format!("keyrite-keyctl reconcile --zone {}", zone.zone()),
            });
        }
    }

    /// Has a key sign in a token, and says what that shows.
    fn key(&mut self, zone: &ZoneName, key: &KeyRecord, token: &TokenName, replicas: bool) -> Outcome {
        let home = self.tokens.token_of(key).ok();
        let is_home = home == Some(token);
        let replicas = replicas || home.is_some_and(|home| self.site.replicas(home).contains(token));
        let found = self.found(key, token)?;
        let name = format!("{} {} of {zone}", key.role, key.key_tag());
        let wanted = key.state != KeyState::Destroyed && (is_home || replicas);
        let mut finding = |what: String, remedy: &str| {
            self.findings.push(Finding {
                zone: Some(zone.clone()),
                token: token.clone(),
                what,
                remedy: remedy.to_owned(),
            });
        };
        match found {
            Found::Absent if wanted => finding(
                format!("{name} is {} and not in token '{token}'", key.state),
                match is_home {
                    true => "restore it, or record that it is gone: keyrite-keyctl destroy --gone",
                    false => "a signer with this token cannot stand in: restore the key there",
                },
            ),
            Found::OtherKey => finding(
                format!("token '{token}' has another key where {name} should be"),
                "do not publish or sign before it is known which is right",
            ),
            Found::Proven if key.state == KeyState::Destroyed => finding(
                format!("{name} was destroyed, and token '{token}' still signs with it"),
                "an old copy of the token came back: destroy the key there with the token's own tool",
            ),
            Found::Proven | Found::Absent => {}
        }
        // A token that neither has a key nor should have it says nothing.
        if found != Found::Absent || wanted {
            self.lines.push(Line {
                zone: zone.clone(),
                role: key.role,
                key_tag: key.key_tag(),
                id: key.id,
                state: key.state,
                token: token.clone(),
                found,
            });
        }
        Ok(())
    }

    fn found(&self, key: &KeyRecord, token: &TokenName) -> Outcome<Found> {
        let Some(signing_key) = self.tokens.signing_key_in(token, key)? else {
            return Ok(Found::Absent);
        };
        // An algorithm that is only read cannot be tried, and Keyrite made no such key.
        let nonce: [u8; 32] = random()?;
        match signing_key.prove(&key.public_key, &nonce) {
            Ok(()) => Ok(Found::Proven),
            Err(TrialError::Verify) => Ok(Found::OtherKey),
            Err(error) => Err(error.into()),
        }
    }

    /// Holds what is in a token against the records.
    fn token(&mut self, name: &TokenName, zones: &[ZoneKeys], all: bool) -> Outcome {
        let found = self.tokens.keys_in(name)?;
        let mut findings = Vec::new();
        let mut finding = |zone: Option<&ZoneName>, what: String, remedy: &str| {
            findings.push(Finding {
                zone: zone.cloned(),
                token: name.clone(),
                what,
                remedy: remedy.to_owned(),
            });
        };
        for error in &found.unreadable {
            finding(None, error.to_string(), "bring the file back, or take it away");
        }
        let records = || all_of(zones);
        let by_id: BTreeMap<CkaId, _> = records().map(|found| (found.1.cka_id(), found)).collect();
        for key in &found.keys {
            // Where a record says that its key is, it mostly is; only otherwise all records are gone through.
            let here = id(key).and_then(|id| by_id.get(&id).copied());
            let likeness = here.map(|(_, record)| key.is_of(&record.public_key));
            let same = match (here, likeness) {
                (Some(here), Some(Likeness::Same)) => Some(here),
                (_, _) => records().find(|(_, record)| key.is_of(&record.public_key) == Likeness::Same),
            };
            match (same, here, likeness) {
                (Some((zone, record)), _, _) if !key.has_private && record.state != KeyState::Destroyed => {
                    finding(
                        Some(zone),
                        format!(
                            "token '{name}' has only the public half of {} {} of {zone}",
                            record.role,
                            record.key_tag()
                        ),
                        "restore the key from its backup",
                    );
                }
                (Some(_), _, _) => {}
                (None, Some((zone, record)), Some(Likeness::Other)) => finding(
                    Some(zone),
                    format!(
                        "token '{name}' has another key under the id of {} {} of {zone}",
                        record.role,
                        record.key_tag()
                    ),
                    "do not publish or sign before it is known which is right",
                ),
                // Its public half is not there to be compared; by its id it is this one, and its signature was tried.
                (None, Some(_), _) => {}
                (None, None, _) if all && !is_log_key(key) && !is_pending(key, zones) => finding(
                    None,
                    format!("token '{name}' has {}, which no record names", describe(key)),
                    "import it, or destroy it with the token's own tool if nobody needs it",
                ),
                (None, None, _) => {}
            }
        }
        self.findings.extend(findings);
        Ok(())
    }

    /// Two records of one key: the end of one would be the end of both.
    fn twice(&mut self, zones: &[ZoneKeys]) {
        let mut seen: BTreeMap<&[u8], (&ZoneName, &KeyRecord)> = BTreeMap::new();
        for (zone, key) in all_of(zones) {
            let Some((first, one)) = seen.insert(key.public_key.as_dnskey(), (zone, key)) else {
                continue;
            };
            let token = self.tokens.token_of(key).ok().cloned();
            self.findings.extend(token.map(|token| Finding {
                zone: Some(zone.clone()),
                token,
                what: format!(
                    "{} {} of {first} and {} {} of {zone} are one key",
                    one.role,
                    one.key_tag(),
                    key.role,
                    key.key_tag()
                ),
                remedy: "destroying one of them would destroy both".to_owned(),
            }));
        }
    }
}

fn all_of(zones: &[ZoneKeys]) -> impl Iterator<Item = (&ZoneName, &KeyRecord)> {
    zones
        .iter()
        .flat_map(|zone| zone.keys().iter().map(move |key| (zone.zone(), key)))
}

fn is_pending(key: &TokenKey, zones: &[ZoneKeys]) -> bool {
    let mut pending = zones.iter().flat_map(|zone| zone.pending());
    pending.any(|pending| id(key) == Some(pending.id.into()))
}

/// Whether it signs a ceremony's log: it is in no zone, and no record should name it.
fn is_log_key(key: &TokenKey) -> bool {
    id(key).is_some_and(|id| id.is_of_ceremony_log())
}

/// What a key is found by in its token.
fn id(key: &TokenKey) -> Option<CkaId> {
    match &key.place {
        KeyPlace::Pkcs11 { id } => id.clone(),
        KeyPlace::Tpm { id, .. } => id.map(CkaId::from),
        KeyPlace::File { .. } => None,
    }
}

fn describe(key: &TokenKey) -> String {
    let half = match (key.has_private, key.has_public) {
        (true, true) => "a key",
        (true, false) => "the private half of a key",
        (false, _) => "the public half of a key",
    };
    let place = match &key.place {
        KeyPlace::Pkcs11 { id: Some(id) } => format!("id {id}"),
        KeyPlace::Pkcs11 { id: None } => "no id".to_owned(),
        KeyPlace::Tpm { path, .. } | KeyPlace::File { path, .. } => path.display().to_string(),
    };
    let label = key
        .label
        .as_ref()
        .map_or_else(String::new, |label| format!(", label '{label}'"));
    format!("{half} ({}, {place}{label})", key.family)
}
