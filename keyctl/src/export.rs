//! `export`: a zone's keys for other software. Private parts stay in their tokens; no PIN is written.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use interchange::bind::{KeyFiles, TokenLookup};
use interchange::dnst::{Exported, KeySet, Wrapping};
use interchange::{Command, Lost};
use key_metadata::store::replace;
use key_metadata::{KeyRecord, KeyState, SiteFolder, ZoneName};
use serde::Serialize;

use crate::choose::KeyChoice;

/// The options of `export`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    keys: KeyChoice,
    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
    #[command(subcommand)]
    target: Target,
}

/// Whom keys are for.
#[derive(Subcommand)]
enum Target {
    /// BIND: key files whose .private has the token's URI, or says that the key is external
    Bind {
        /// The folder for the files
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// How BIND reaches the token
        #[arg(long, value_enum, default_value_t = Lookup::Provider)]
        lookup: Lookup,
    },
    /// Knot DNS: keymgr commands to be run where its keystore is the same token
    Knot {
        /// knot.conf, where it is not in its usual place
        #[arg(long, value_name = "FILE")]
        configuration: Option<PathBuf>,
    },
    /// OpenDNSSEC: ods-enforcer commands
    Opendnssec {
        /// The repository of conf.xml that is the token
        #[arg(long, value_name = "NAME")]
        repository: String,
        /// The enforcer's socket, where it is not the usual one
        #[arg(long, value_name = "PATH")]
        socket: Option<PathBuf>,
    },
    /// dnst: a key set, and the .key files that it names
    Dnst {
        /// The folder for the files
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Lookup {
    /// By OpenSSL's engine: BIND 9.18 and before, where it is built with engines (Debian 12's is not)
    Engine,
    /// By an OpenSSL provider: BIND 9.20 and later
    Provider,
    /// Not at all: every BIND takes the key for one that another signer has
    External,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    /// The files that were written, or would be.
    files: Vec<PathBuf>,
    /// The commands to be run, as arguments.
    commands: Vec<Vec<String>>,
    lost: Vec<String>,
}

/// What an export comes to.
#[derive(Default)]
struct Result {
    files: Vec<PathBuf>,
    commands: Vec<Command>,
    lost: Vec<Lost>,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let mut result = Result::default();
        let mut count = 0;
        for zone in self.keys.zones(&folder)? {
            let mut keys = self.keys.keys_of(&zone, &folder)?;
            if !self.keys.is_of_one_key() {
                // What has left the zone is nobody else's concern.
                keys.retain(|key| !matches!(key.state, KeyState::Removed | KeyState::Destroyed));
            }
            count += keys.len();
            self.zone(&folder, &zone, &keys, &mut result)?;
        }
        if count == 0 {
            return Err(
                Failure::new(Exit::Failed, "there is no such key").hint("keyrite-keyctl list".to_owned())
            );
        }
        let commands = |result: &mut Result| std::mem::take(&mut result.commands);
        for command in &result.commands {
            result.lost.extend(command.lost.iter().cloned());
        }
        if self.report.json {
            return output.json(&Report {
                version: 1,
                commands: commands(&mut result)
                    .into_iter()
                    .map(|command| command.argv)
                    .collect(),
                lost: result.lost.iter().map(ToString::to_string).collect(),
                files: result.files,
            });
        }
        for command in commands(&mut result) {
            output.line(command.to_string())?;
        }
        for file in &result.files {
            output.line(match self.dry_run {
                true => format!("would write {}", file.display()),
                false => file.display().to_string(),
            })?;
        }
        result.lost.iter().for_each(|lost| output.say(lost.to_string()));
        Ok(())
    }

    fn zone(&self, site: &SiteFolder, zone: &ZoneName, keys: &[KeyRecord], result: &mut Result) -> Outcome {
        let (_, policy) = site.zone(zone)?;
        let ttl = Some(policy.dnskey_ttl.seconds());
        match &self.target {
            Target::Bind { out, lookup } => {
                for key in keys {
                    let lookup = match lookup {
                        Lookup::Engine => TokenLookup::Engine,
                        Lookup::Provider => TokenLookup::Provider,
                        Lookup::External => TokenLookup::External,
                    };
                    let files = KeyFiles::of(zone, key, ttl, lookup, None)?;
                    result.files.extend(match self.dry_run {
                        true => vec![out.join(files.name.to_string())],
                        false => files.write(out)?,
                    });
                    result.lost.extend(files.lost);
                }
            }
            Target::Knot { configuration } => {
                for key in keys {
                    let command = interchange::knot::import_pkcs11(zone, key, configuration.as_deref())?;
                    result.commands.push(command);
                }
            }
            Target::Opendnssec { repository, socket } => {
                for key in keys {
                    let command =
                        interchange::opendnssec::key_import(zone, key, repository, socket.as_deref())?;
                    result.commands.push(command);
                }
            }
            Target::Dnst { out } => self.dnst(out, zone, keys, ttl, result)?,
        }
        Ok(())
    }

    fn dnst(
        &self,
        out: &Path,
        zone: &ZoneName,
        keys: &[KeyRecord],
        ttl: Option<u32>,
        result: &mut Result,
    ) -> Outcome {
        let unreachable = |error: std::io::Error| {
            Failure::of(Exit::Failed, &error).within(format!("cannot write into {}", out.display()))
        };
        if !self.dry_run {
            std::fs::create_dir_all(out).map_err(unreachable)?;
        }
        // The key set names its files by absolute paths.
        let absolute = std::path::absolute(out).map_err(unreachable)?;
        let mut named = Vec::new();
        for key in keys {
            let files = KeyFiles::of(zone, key, ttl, TokenLookup::Provider, None)?;
            let path = absolute.join(format!("{}.key", files.name));
            if !self.dry_run {
                replace(&path, |out| out.write_all(files.key.to_string().as_bytes()))?;
            }
            named.push((key, format!("file://{}", path.display())));
            result.files.push(path);
        }
        let exported: Vec<_> = named
            .iter()
            .map(|(record, public)| Exported {
                record,
                public,
                private: None,
            })
            .collect();
        let (set, lost) = KeySet::of(zone, &exported, Wrapping::State)?;
        let text = set.render().map_err(|error| {
            Failure::of(Exit::Failed, &error).within("the key set cannot be written as JSON")
        })?;
        let path = absolute.join(format!("{}.state", zone.file_stem()));
        if !self.dry_run {
            replace(&path, |out| out.write_all(text.as_bytes()))?;
        }
        result.files.push(path);
        result.lost.extend(lost);
        Ok(())
    }
}
