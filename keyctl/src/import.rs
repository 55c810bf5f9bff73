//! `import`: keys that other software made become keys of a zone, each after it has signed.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use dnssec::SiteTokens;
use interchange::{ForeignKey, Import, Lost, PrivatePart};
use key_metadata::store::{self, Lock};
use key_metadata::{
    Algorithm, CkaId, KeyId, KeyState, KeyTimes, PublicKey, Role, SiteFolder, TokenName, ZoneKeys, ZoneName,
};
use serde::Serialize;

use crate::backup_choice::BackupChoice;
use crate::gated::GateArguments;
use crate::reconcile::Mender;
use crate::take_in::{Candidate, Place, Private};

/// The options of `import`.
#[derive(Args)]
pub struct Arguments {
    /// The zone whose keys they become
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: ZoneName,
    /// The token that has them, or into which software keys are put; the zone's when absent
    #[arg(long, value_name = "NAME")]
    token: Option<TokenName>,
    /// How a software key that is put into a token can be backed up there
    #[arg(long, value_enum, default_value_t = BackupChoice::Wrap)]
    pub(crate) backup: BackupChoice,
    #[command(flatten)]
    pub(crate) gate: GateArguments,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
    #[command(subcommand)]
    source: Source,
}

/// Where keys come from.
#[derive(Subcommand)]
enum Source {
    /// BIND's key files: software keys are put into the token, keys of a token are found there
    Bind {
        /// A key's file (K*.key, K*.private or K*.state), or a folder with all keys of the zone
        #[arg(value_name = "FILE|FOLDER", required = true)]
        paths: Vec<PathBuf>,
    },
    /// Knot DNS, keys in a token: what 'keymgr -j ZONE list' and 'keymgr ZONE dnskey' print
    Knot {
        /// The list, as JSON
        list: PathBuf,
        /// The DNSKEY records of its keys
        #[arg(long, value_name = "FILE")]
        dnskey: PathBuf,
    },
    /// OpenDNSSEC: what 'ods-enforcer key list --verbose --parsable --all' and 'ods-enforcer key export' print
    Opendnssec {
        /// The list
        list: PathBuf,
        /// The DNSKEY records of its keys
        #[arg(long, value_name = "FILE")]
        dnskey: PathBuf,
    },
    /// dnst: the state file of 'dnst keyset'
    Dnst {
        /// The state file
        state: PathBuf,
    },
    /// A key in the token that no record names
    Token {
        /// Its CKA_ID, in hex
        #[arg(long, value_name = "HEX", required_unless_present = "label")]
        id: Option<CkaId>,
        /// Its CKA_LABEL
        #[arg(long, conflicts_with = "id")]
        label: Option<String>,
        /// What it is for: ksk, zsk or csk
        #[arg(long)]
        role: Role,
        /// Its algorithm, by mnemonic or number
        #[arg(long)]
        algorithm: Algorithm,
    },
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    keys: Vec<Line>,
    lost: Vec<LostField>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    zone: ZoneName,
    role: Role,
    key_tag: u16,
    id: Option<KeyId>,
    state: KeyState,
    token: TokenName,
    /// `imported`, `there already` or `would import`.
    done: &'static str,
}

/// A field that was read and not kept.
#[derive(Serialize)]
struct LostField {
    file: PathBuf,
    line: Option<usize>,
    field: String,
    value: String,
    why: String,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let zone = &self.zone;
        let Some(entry) = folder.site().zones.get(zone) else {
            return Err(Failure::new(Exit::Usage, format!("the site has no zone {zone}")));
        };
        let token = self.token.as_ref().map_or(&entry.token, |token| token);
        let lock = folder.lock_keys(zone)?;
        let mut run = Run {
            arguments: self,
            site,
            folder: &folder,
            tokens: SiteTokens::new(&folder),
            keys: folder.keys(zone)?,
            lock: &lock,
            token,
            lines: Vec::new(),
            lost: Vec::new(),
        };
        if !self.dry_run {
            let mut mender = Mender {
                site,
                folder: &folder,
                change: &self.gate.change,
            };
            for line in mender.mend(&mut run.keys, &mut run.tokens, &lock)? {
                output.say(line.to_string());
            }
        }
        let result = run.all(output);
        let (lines, lost) = (run.lines, run.lost);
        let imported = lines.iter().any(|line| line.done == IMPORTED);
        if self.report.json {
            let field = |lost: Lost| LostField {
                field: lost.field,
                value: lost.value.to_string(),
                why: lost.why.to_string(),
                file: lost.file,
                line: lost.line,
            };
            output.json(&Report {
                version: 1,
                keys: lines,
                lost: lost.into_iter().map(field).collect(),
            })?;
        } else {
            for line in &lines {
                output.line(line.text())?;
            }
            lost.iter().for_each(|lost| output.say(lost.to_string()));
        }
        result.map_err(|failure| if imported { failure.part_way() } else { failure })
    }
}

const IMPORTED: &str = "imported";

impl Line {
    fn text(&self) -> String {
        format!(
            "{} {} {}: {}, {}, in token '{}'",
            self.zone, self.role, self.key_tag, self.done, self.state, self.token
        )
    }
}

/// One run over several keys of one zone.
pub struct Run<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) site: &'a SiteArguments,
    pub(crate) folder: &'a SiteFolder,
    pub(crate) tokens: SiteTokens<'a>,
    pub(crate) keys: ZoneKeys,
    pub(crate) lock: &'a Lock,
    pub(crate) token: &'a TokenName,
    lines: Vec<Line>,
    lost: Vec<Lost>,
}

impl Run<'_> {
    fn all(&mut self, output: &Output) -> Outcome {
        let import = match &self.arguments.source {
            Source::Token {
                id,
                label,
                role,
                algorithm,
            } => {
                let place = match (id, label) {
                    (Some(id), _) => Place::Id(id.clone()),
                    (None, label) => Place::Label(label.clone().map_or_else(String::new, |label| label)),
                };
                return self.of_token(place, *role, *algorithm);
            }
            Source::Bind { paths } => bind(paths, &self.arguments.zone)?,
            Source::Knot { list, dnskey } => {
                let listing = interchange::knot::Listing::parse(list, &store::read_text(list)?)?;
                let records = records(dnskey, &mut self.lost)?;
                interchange::knot::import(listing, &records)?
            }
            Source::Opendnssec { list, dnskey } => {
                let listing = interchange::opendnssec::Listing::parse(list, &store::read_text(list)?)?;
                let records = records(dnskey, &mut self.lost)?;
                interchange::opendnssec::import(listing, &records)?
            }
            Source::Dnst { state } => interchange::dnst::read(state)?,
        };
        for exposed in &import.exposed {
            output.warn(format!(
                "{} holds a private key, and others can read it (mode {:o}): whoever did has the key",
                exposed.file.display(),
                exposed.mode
            ));
        }
        self.lost.extend(import.lost);
        if import.keys.is_empty() {
            return Err(Failure::new(
                Exit::Failed,
                format!("there is no key of {}", self.arguments.zone),
            ));
        }
        for key in import.keys {
            self.foreign(key)?;
        }
        Ok(())
    }

    fn foreign(&mut self, key: ForeignKey) -> Outcome {
        let name = format!("{} {} from {}", key.role, key.key_tag(), key.source.display());
        if key.zone != self.arguments.zone {
            let failure = Failure::new(Exit::Failed, format!("{name} is a key of {}", key.zone));
            return Err(failure.hint(format!("import it with --zone {}", key.zone)));
        }
        let life = key.life(cli::now());
        self.lost.extend(life.lost);
        if self.is_there(&key.public_key, key.role) {
            return Ok(());
        }
        let not_here = |why: &str, hint: &str| {
            Failure::new(Exit::Failed, format!("{name}: {why}")).hint(hint.to_owned())
        };
        let private = match key.private {
            PrivatePart::Software(secret) => Private::Software(secret),
            PrivatePart::Token(key) => {
                let token = self.token_of(&key, &name)?;
                let id = key.id.as_deref().and_then(|id| CkaId::try_from(id).ok());
                let place = match (id, key.object) {
                    (Some(id), _) => Place::Id(id),
                    (None, object) => Place::Label(object.map_or_else(String::new, |object| object)),
                };
                Private::In(token, place)
            }
            PrivatePart::Keystore { id, .. } => match CkaId::try_from(id.as_slice()) {
                Ok(id) => Private::In(self.token.clone(), Place::Id(id)),
                Err(error) => return Err(not_here(&error.to_string(), "it is in no token")),
            },
            PrivatePart::None => {
                return Err(not_here(
                    "its private part is not there",
                    "a key that another signer has is no key of ours: list its tag under foreign-key-tags in site.yaml",
                ));
            }
            PrivatePart::File(path) => {
                return Err(not_here(
                    &format!("its private part is in {}", path.display()),
                    "that is a key file as BIND has them: import it with 'import bind'",
                ));
            }
            PrivatePart::Kmip(_) => {
                return Err(not_here(
                    "its private part is behind a KMIP server",
                    "reach the same HSM by PKCS#11, and import it with 'import token'",
                ));
            }
        };
        self.one(Candidate {
            role: key.role,
            public_key: key.public_key,
            state: life.state,
            times: life.times,
            private,
            from: key.source.display().to_string(),
        })
    }

    /// A key of a token that nobody told of: it is as one that was just made.
    fn of_token(&mut self, place: Place, role: Role, algorithm: Algorithm) -> Outcome {
        let token = self.token.clone();
        self.open(&token)?;
        let id = self.id(&token, place)?;
        let public_key = self.tokens.public_key_of(&token, &id, algorithm)?;
        if self.is_there(&public_key, role) {
            return Ok(());
        }
        self.one(Candidate {
            role,
            public_key,
            state: KeyState::Generated,
            times: KeyTimes::generated(cli::now()),
            private: Private::In(token.clone(), Place::Id(id)),
            from: format!("token '{token}'"),
        })
    }

    /// Whether the zone has the key already: an import can be run again.
    fn is_there(&mut self, public_key: &PublicKey, role: Role) -> bool {
        let Some(key) = self.keys.keys().iter().find(|key| key.public_key == *public_key) else {
            return false;
        };
        let line = Line {
            zone: self.arguments.zone.clone(),
            role,
            key_tag: key.key_tag(),
            id: Some(key.id),
            state: key.state,
            token: self
                .tokens
                .token_of(key)
                .map_or_else(|_| self.token.clone(), Clone::clone),
            done: "there already",
        };
        self.lines.push(line);
        true
    }

    fn one(&mut self, candidate: Candidate) -> Outcome {
        let zone = &self.arguments.zone;
        let (role, tag) = (candidate.role, candidate.public_key.key_tag(candidate.role));
        let name = format!("{role} {tag} from {}", candidate.from);
        let state = candidate.state;
        let (token, id) = if self.arguments.dry_run {
            let token = match &candidate.private {
                Private::Software(_) => self.token.clone(),
                Private::In(token, _) => token.clone(),
            };
            (token, None)
        } else {
            let (token, id) = self
                .take_in(candidate)
                .map_err(|failure| failure.within(format!("{name} was not imported")))?;
            (token, Some(id))
        };
        self.lines.push(Line {
            zone: zone.clone(),
            role,
            key_tag: tag,
            id,
            state,
            token,
            done: if id.is_some() { IMPORTED } else { "would import" },
        });
        Ok(())
    }

    /// The site's token that a foreign label means.
    fn token_of(&self, key: &interchange::TokenKey, name: &str) -> Outcome<TokenName> {
        let Some(label) = &key.token else {
            return Ok(self.token.clone());
        };
        let fits = |(_, token): &(&TokenName, &key_metadata::site::SiteToken)| match &token.address {
            key_metadata::TokenAddress::Pkcs11(uri) => {
                uri.token.as_str() == label
                    && (key.serial.is_none() || uri.serial.is_none() || key.serial == uri.serial)
            }
            key_metadata::TokenAddress::Tpm(_) | key_metadata::TokenAddress::File(_) => false,
        };
        let found = self.folder.site().tokens.iter().find(fits);
        found.map(|(name, _)| name.clone()).ok_or_else(|| {
            Failure::new(
                Exit::Failed,
                format!("{name} is in a token labelled '{label}', which the site does not list"),
            )
            .hint("list it under 'tokens' in site.yaml".to_owned())
        })
    }
}

fn bind(paths: &[PathBuf], zone: &ZoneName) -> Outcome<Import> {
    let mut all = Import::default();
    for path in paths {
        let import = match path.is_dir() {
            true => interchange::bind::read_folder(path, zone)?,
            false => interchange::bind::read_key(path)?,
        };
        all.keys.extend(import.keys);
        all.lost.extend(import.lost);
        all.exposed.extend(import.exposed);
    }
    Ok(all)
}

fn records(path: &Path, lost: &mut Vec<Lost>) -> Outcome<Vec<interchange::records::Dnskey>> {
    let (records, more) = interchange::records::read(path, &store::read_text(path)?)?;
    lost.extend(more);
    Ok(records)
}
