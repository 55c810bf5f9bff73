//! Where a rehearsal is held: a TPM and tokens in software, a site on them, media and people's keys.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use key_metadata::{Advice, SiteFolder};
use sandbox::{SoftHsm, Swtpm, TokenRecords};

use super::file::RehearsalFile;
use super::folder::{Occupant, StageFolder};
use super::people;
use super::site::Names;
use crate::script::{Action, MaterialKind, Script, Word};

/// A stage. Its TPM runs until this is dropped.
pub struct Stage {
    folder: StageFolder,
    names: Names,
    tools: PathBuf,
    store: SoftHsm,
    swtpm: Swtpm,
}

/// Why there is no stage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// Something else is in the folder.
    #[error("there is something else than a rehearsal in {}", folder.display())]
    Occupied {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder, or what is started in it.
    #[error("setting the stage in {}", folder.display())]
    Setting {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A command of the preparation that is no tool of the suite.
    #[error("'{command}' is no tool of the suite; only those prepare a rehearsal")]
    Stranger {
        /// The first word.
        command: String,
    },
    /// A command of the preparation that did not start.
    #[error("cannot start {command}")]
    Start {
        /// The command.
        command: String,
        /// The cause.
        source: io::Error,
    },
    /// A command of the preparation that failed.
    #[error("the preparation '{command}' ended with {ended}: {said}")]
    Failed {
        /// The command.
        command: String,
        /// Its exit status.
        ended: String,
        /// The last lines that it said.
        said: String,
    },
}

/// What everything is started by: it ends with whoever started it. Of Debian's package util-linux.
const SETPRIV: [&str; 4] = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"];

impl Stage {
    /// Sets a stage for the script in `folder`; a rehearsal that was there is removed. The suite's tools are in `tools`.
    pub fn set(
        folder: &Path,
        script: &Script,
        file: &RehearsalFile,
        of_user: Option<&SiteFolder>,
        tools: &Path,
    ) -> Result<Self, StageError> {
        let setting = |source| StageError::Setting {
            folder: folder.to_owned(),
            source,
        };
        if StageFolder::occupant(folder).map_err(setting)? == Occupant::Stranger {
            return Err(StageError::Occupied {
                folder: folder.to_owned(),
            });
        }
        Self::build(folder, script, file, of_user, tools).map_err(setting)
    }

    fn build(
        folder: &Path,
        script: &Script,
        file: &RehearsalFile,
        of_user: Option<&SiteFolder>,
        tools: &Path,
    ) -> io::Result<Self> {
        let folder = StageFolder::make(folder)?;
        let names = Names::of(script, file, of_user.map(SiteFolder::site));
        let store = SoftHsm::installed(folder.path())?;
        let swtpm = Swtpm::start(&folder.tpm())?;
        names.write(&folder.site(), swtpm.tcti())?;
        if let Some(of_user) = of_user {
            copy_policies(&of_user.path("policies"), &folder.site().join("policies"))?;
        }
        let allowed = people::make_keys(&folder.people(), &people::cast(script))?;
        fs::write(folder.site().join("allowed_signers"), allowed)?;
        for medium in media(script) {
            fs::create_dir(folder.medium(medium))?;
        }
        Ok(Self {
            store,
            tools: tools.to_owned(),
            folder,
            names,
            swtpm,
        })
    }

    /// Its folder.
    pub fn folder(&self) -> &StageFolder {
        &self.folder
    }

    /// The TPM.
    pub fn swtpm(&self) -> &Swtpm {
        &self.swtpm
    }

    /// The records of the tokens, to be taken before the power is cut.
    pub fn token_records(&self) -> io::Result<TokenRecords> {
        self.store.records()
    }

    /// What a power cut does to the TPM, [`Swtpm::cut_power`], and to tokens in hardware: they keep their records. Nobody is on the stage.
    pub fn cut_power(&mut self, records: &TokenRecords) -> io::Result<()> {
        records.put_back()?;
        self.swtpm.cut_power()
    }

    /// A tool of the suite, in the site's folder; it reaches the tokens, and ends with the thread that started it.
    pub fn tool(&self, name: impl AsRef<OsStr>) -> Command {
        let [program, arguments @ ..] = SETPRIV;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg(self.tools.join(name.as_ref()))
            .current_dir(self.folder.site())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("SOFTHSM2_CONF", self.store.configuration())
            .env("TPM2TOOLS_TCTI", self.swtpm.tcti())
            .stdin(Stdio::null());
        command
    }

    /// Does what the script takes as given; each command is told before it runs.
    pub fn prepare(
        &self,
        script: &Script,
        file: &RehearsalFile,
        told: &mut dyn FnMut(&str),
    ) -> Result<(), StageError> {
        for argv in preparation(script, &self.names, file) {
            let command = argv.join(" ");
            let Some((tool, arguments)) = argv.split_first().filter(|(tool, _)| is_tool(tool)) else {
                return Err(StageError::Stranger { command });
            };
            told(&command);
            let output = self.tool(tool).args(arguments).output();
            let output = output.map_err(|source| StageError::Start {
                command: command.clone(),
                source,
            })?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(StageError::Failed {
                    command,
                    ended: output.status.to_string(),
                    said: said.lines().collect::<Vec<_>>().join("; "),
                });
            }
        }
        Ok(())
    }
}

/// The commands that prepare a rehearsal: a TPM and tokens that are set up, where the script does not do that itself, and what the file says.
fn preparation(script: &Script, names: &Names, file: &RehearsalFile) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    // A log that the TPM anchors has its indices before the first step.
    if script.tpm.is_some() || !runs(script, "provision") {
        commands.push(words(&["keyrite-tpm-init", "provision", "--tpm", &names.tpm]));
    }
    let log_key = script.log_key.as_ref().map(ToString::to_string);
    for token in names.to_initialise() {
        if !runs(script, "token") || log_key.as_deref() == Some(token) {
            commands.push(words(&["keyrite-tpm-init", "token", "--token", token]));
        }
    }
    commands.extend(file.prepare.iter().cloned());
    commands
}

/// Whether a step runs that verb of keyrite-tpm-init.
fn runs(script: &Script, verb: &str) -> bool {
    // `token change-pin` and its like are for tokens that are there.
    let other = |word: &String| matches!(&**word, "change-pin" | "unlock" | "probe");
    script.plan().iter().any(|planned| {
        let Action::Run(run) = &planned.step.action else {
            return false;
        };
        let tool = run.argv.first().is_some_and(|tool| tool == "keyrite-tpm-init");
        tool && run.argv.iter().any(|word| word == verb) && !run.argv.iter().any(other)
    })
}

fn is_tool(name: &str) -> bool {
    name.starts_with("keyrite-") && !name.contains('/')
}

/// The materials of a script that files are copied to.
pub fn media(script: &Script) -> impl Iterator<Item = &Word> {
    let media = script
        .materials
        .iter()
        .filter(|(_, material)| material.kind == MaterialKind::Medium);
    media.map(|(name, _)| name)
}

fn copy_policies(from: &Path, to: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    fs::create_dir_all(to)?;
    for entry in entries {
        let entry = entry?;
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

impl Advice for StageError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Occupied { .. } => Some("choose an empty folder with --out FOLDER".to_owned()),
            Self::Setting { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("a rehearsal needs swtpm, softhsm2 and openssh-client (Debian)".to_owned())
            }
            Self::Start { .. } => Some("the suite's tools belong into one folder".to_owned()),
            Self::Setting { .. } | Self::Stranger { .. } | Self::Failed { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Occupied { .. }
            | Self::Setting { .. }
            | Self::Stranger { .. }
            | Self::Start { .. }
            | Self::Failed { .. } => false,
        }
    }
}
