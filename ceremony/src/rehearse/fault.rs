//! What goes wrong in a rehearsal, for real, so that people have seen it.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::draw;
use super::folder::StageFolder;
use crate::script::{Action, Script, Step, Word};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The power fails while a program runs: every process is killed, and the TPM is started anew.
    Power,
    /// A medium cannot be written.
    Jam,
    /// The PIN is not the token's.
    WrongPin,
    /// The token is not there.
    Absent,
}

/// A fault and the step in which it happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlacedFault {
    /// What goes wrong.
    pub fault: Fault,
    /// Where.
    pub step: Word,
}

/// A text that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no fault; there are power, jam, wrong-pin and absent")]
pub struct FaultError(String);

/// What uses the keys in a token, and so its PIN: a tool and its verb.
const NEED_THE_TOKEN: [(&str, &str); 7] = [
    ("keyrite-keyctl", "generate"),
    ("keyrite-keyctl", "activate"),
    ("keyrite-keyctl", "destroy"),
    ("keyrite-keyctl", "inventory"),
    ("keyrite-keyctl", "import"),
    ("keyrite-signer", "sign"),
    ("keyrite-backup", "create"),
];

impl Fault {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Power, Self::Jam, Self::WrongPin, Self::Absent];

    /// The steps in which it shows, of those that come on every way through the script.
    pub fn steps(self, script: &Script) -> Vec<&Step> {
        let shows = |step: &Step| match self {
            Self::Power => argv(step).is_some(),
            Self::Jam => first_medium(step).is_some(),
            Self::WrongPin | Self::Absent => argv(step).is_some_and(needs_the_token),
        };
        let plan = script.plan();
        let always = plan.iter().filter(|planned| planned.guards.is_empty());
        always
            .map(|planned| planned.step)
            .filter(|step| shows(step))
            .collect()
    }

    /// Where it happens: the power may fail in any of them, the others show in the first. `None` where no step shows it.
    pub fn place(self, script: &Script) -> io::Result<Option<PlacedFault>> {
        let steps = self.steps(script);
        let step = match self {
            Self::Power => draw::one_of(&steps)?.copied(),
            Self::Jam | Self::WrongPin | Self::Absent => steps.first().copied(),
        };
        Ok(step.map(|step| PlacedFault {
            fault: self,
            step: step.id.clone(),
        }))
    }

    /// What a step must do for the fault to show.
    pub fn shows_where(self) -> &'static str {
        match self {
            Self::Power => "runs a program",
            Self::Jam => "copies to a medium",
            Self::WrongPin | Self::Absent => "uses the keys of a token",
        }
    }

    /// What is seen of it, for the exception sheet.
    pub fn happened(self) -> &'static str {
        match self {
            Self::Power => "the power failed",
            Self::Jam => "the medium cannot be written",
            Self::WrongPin => "the token refused the PIN",
            Self::Absent => "the token is not there",
        }
    }

    /// What is done about it, for the exception sheet.
    pub fn decided(self) -> &'static str {
        match self {
            Self::Power => "the machine is started again",
            Self::Jam => "the medium is put into its drive again",
            Self::WrongPin => "site.yaml names the right source of the PIN again",
            Self::Absent => "the token is put in again",
        }
    }
}

/// Whether a command uses the keys in a token.
fn needs_the_token(argv: &[String]) -> bool {
    let Some((tool, arguments)) = argv.split_first() else {
        return false;
    };
    let verb = |verb: &str| arguments.iter().any(|argument| argument == verb);
    let dry = verb("--dry-run");
    !dry && NEED_THE_TOKEN
        .iter()
        .any(|(named, its)| tool == named && verb(its))
}

impl PlacedFault {
    /// Lets it happen. A power failure is for whoever started the program.
    pub fn plant(&self, stage: &StageFolder, script: &Script) -> io::Result<()> {
        match self.fault {
            Fault::Power => Ok(()),
            Fault::Jam => match self.medium(script) {
                None => Ok(()),
                Some(medium) => {
                    fs::rename(stage.medium(medium), stage.taken_medium(medium))?;
                    fs::write(stage.medium(medium), "no folder can be made here\n")
                }
            },
            Fault::WrongPin => {
                write_wrong_pin(&stage.wrong_pin())?;
                let file = stage.site().join("site.yaml");
                let right = fs::read_to_string(&file)?;
                let wrong = with_wrong_pin(&right, stage, spared(script));
                if wrong == right {
                    return Err(io::Error::other("site.yaml names no PIN that could be wrong"));
                }
                fs::rename(&file, stage.right_site())?;
                fs::write(&file, wrong)
            }
            Fault::Absent => {
                fs::create_dir(stage.absent())?;
                move_tokens(&stage.tokens(), &stage.absent(), spared(script))
            }
        }
    }

    /// Puts it right.
    pub fn repair(&self, stage: &StageFolder, script: &Script) -> io::Result<()> {
        match self.fault {
            Fault::Power => Ok(()),
            Fault::Jam => match self.medium(script) {
                None => Ok(()),
                Some(medium) => {
                    fs::remove_file(stage.medium(medium))?;
                    fs::rename(stage.taken_medium(medium), stage.medium(medium))
                }
            },
            Fault::WrongPin => {
                fs::rename(stage.right_site(), stage.site().join("site.yaml"))?;
                fs::remove_file(stage.wrong_pin())
            }
            Fault::Absent => {
                move_tokens(&stage.absent(), &stage.tokens(), None)?;
                fs::remove_dir(stage.absent())
            }
        }
    }

    fn medium<'s>(&self, script: &'s Script) -> Option<&'s Word> {
        let plan = script.plan();
        let planned = plan.iter().find(|planned| planned.step.id == self.step)?;
        first_medium(planned.step)
    }
}

fn argv(step: &Step) -> Option<&[String]> {
    let Action::Run(run) = &step.action else {
        return None;
    };
    Some(&run.argv)
}

fn first_medium(step: &Step) -> Option<&Word> {
    let Action::Copy(copy) = &step.action else {
        return None;
    };
    copy.to.first()
}

/// The token that stays as it is, where there is another: that of the log's own key.
fn spared(script: &Script) -> Option<String> {
    script.log_key.as_ref().map(ToString::to_string)
}

/// Eight digits, which no PIN of a rehearsal is: those have 32 characters or more.
fn write_wrong_pin(file: &Path) -> io::Result<()> {
    let pin = format!("{:08}\n", draw::below(100_000_000)?);
    let mut options = fs::File::options();
    let mut file = options
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(file)?;
    io::Write::write_all(&mut file, pin.as_bytes())
}

/// site.yaml with another source of the user PIN for its PKCS#11 tokens. `spared` keeps its own, unless it is the only one.
fn with_wrong_pin(text: &str, stage: &StageFolder, spared: Option<String>) -> String {
    let of_token = |line: &str| line.contains("address: pkcs11:token=");
    let is_spared = |line: &str| {
        let name = spared
            .as_ref()
            .map(|name| format!("address: pkcs11:token={name}?"));
        name.is_some_and(|name| line.contains(&name))
    };
    let only = !text.lines().any(|line| of_token(line) && !is_spared(line));
    let mut changes = false;
    let mut changed = String::new();
    for line in text.lines() {
        if line.contains("address: ") {
            changes = of_token(line) && (only || !is_spared(line));
        }
        if changes && line.starts_with("    pin: ") {
            changed.push_str(&format!("    pin: file:{}\n", stage.wrong_pin().display()));
        } else {
            changed.push_str(line);
            changed.push('\n');
        }
    }
    changed
}

/// Whether the folder is one of SoftHSM's tokens, with that label.
pub(super) fn has_label(folder: &Path, label: &str) -> io::Result<bool> {
    let object = folder.join("token.object");
    if !object.is_file() {
        return Ok(false);
    }
    // A label is padded with blanks to 32 bytes (PKCS#11 2.40, CK_TOKEN_INFO).
    let label = format!("{label:<32}");
    let bytes = fs::read(object)?;
    Ok(bytes
        .windows(label.len())
        .any(|window| window == label.as_bytes()))
}

/// Moves the folders of SoftHSM's tokens. The one with the label `spared` stays, unless it is the only one.
fn move_tokens(from: &Path, to: &Path, spared: Option<String>) -> io::Result<()> {
    let (mut moved, mut kept) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let is_spared = match &spared {
            Some(label) => has_label(&path, label)?,
            None => false,
        };
        if is_spared {
            kept.push(path)
        } else {
            moved.push(path)
        }
    }
    if moved.is_empty() {
        moved = kept;
    }
    if moved.is_empty() {
        return Err(io::Error::other("there is no token to be taken away"));
    }
    for path in moved {
        if let Some(name) = path.file_name() {
            fs::rename(&path, to.join(name))?;
        }
    }
    Ok(())
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Power => "power",
            Self::Jam => "jam",
            Self::WrongPin => "wrong-pin",
            Self::Absent => "absent",
        })
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let found = Self::ALL.into_iter().find(|fault| fault.to_string() == text);
        found.ok_or_else(|| FaultError(text.chars().take(60).collect()))
    }
}
