//! A ceremony on a stage, in a process of its own: followed by its log, and killed where the power fails.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

use key_metadata::Advice;
use rustix::process::{Pid, Signal, kill_process_group};

use super::draw;
use super::fault::{Fault, PlacedFault};
use super::file::RehearsalFile;
use super::follow::Follower;
use super::part::{Entrance, Part};
use super::stage::{Stage, media};
use crate::log::{Body, CeremonyFolder, Did, Entry};
use crate::script::{Script, Seat, Word};

/// The tool that holds ceremonies.
pub const TOOL: &str = "keyrite-ceremony";
/// How often the log is looked at; our choice.
const LOOK: Duration = Duration::from_millis(25);
/// The power fails within so many milliseconds after a program began; our choice, about as long as a key generation takes.
const POWER_HOLDS: usize = 200;
/// How much of what the program said is told when it failed; our choice.
const LAST_LINES: usize = 12;

/// What happens in a rehearsal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An entry was logged.
    Logged(Box<Entry>),
    /// The power failed in this step, and is there again.
    PowerFailed(Word),
}

/// Why a rehearsal did not come to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HoldError {
    /// The process or its files.
    #[error("holding the ceremony in {}", folder.display())]
    Io {
        /// The rehearsal's folder.
        folder: std::path::PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The ceremony ended otherwise than it should.
    #[error("the ceremony ended with {ended}: {said}")]
    Ended {
        /// Its exit status.
        ended: ExitStatus,
        /// The last that it said.
        said: String,
    },
    /// A fault that nobody noticed.
    #[error("the fault '{}' in step '{}' left no trace in the log", placed.fault, placed.step)]
    Unnoticed {
        /// The fault.
        placed: PlacedFault,
    },
}

/// Holds the ceremony of a script on a stage that is prepared. Gives the log's entries.
pub fn hold(
    stage: &mut Stage,
    (script, script_file): (&Script, &Path),
    file: &RehearsalFile,
    fault: Option<&PlacedFault>,
    told: &mut dyn FnMut(Event),
) -> Result<Vec<Entry>, HoldError> {
    let folder = stage.folder().path().to_owned();
    let failed = |source| HoldError::Io {
        folder: folder.clone(),
        source,
    };
    let mut part = Part {
        answers: file.answers.clone(),
        losses: file.losses.clone(),
        fault: fault.cloned(),
        entrance: Entrance::First,
    };
    let log = CeremonyFolder::of_site(&stage.folder().site(), script.id()).log();
    let mut follower = Follower::new(log);
    let mut entries = Vec::new();
    let mut power = fault.filter(|placed| placed.fault == Fault::Power);
    loop {
        part.write(stage.folder()).map_err(failed)?;
        let mut run = Run::start(stage, script, script_file).map_err(failed)?;
        let ended = loop {
            // Looked for first: what it logged before it ended is read after.
            let ended = run.child.try_wait().map_err(failed)?;
            let mut fails = false;
            for entry in follower.entries().map_err(failed)? {
                fails |= power.is_some_and(|placed| begins(&entry, &placed.step));
                entries.push(entry.clone());
                told(Event::Logged(Box::new(entry)));
            }
            if ended.is_some() {
                break ended;
            }
            if fails {
                break None;
            }
            sleep(LOOK);
        };
        match (ended, power.take()) {
            (None, placed) => {
                let records = stage.token_records().map_err(failed)?;
                let held = draw::below(POWER_HOLDS).map_err(failed)?;
                sleep(Duration::from_millis(held as u64));
                drop(run);
                stage.cut_power(&records).map_err(failed)?;
                part.entrance = Entrance::Resumed;
                if let Some(placed) = placed {
                    told(Event::PowerFailed(placed.step.clone()));
                }
            }
            (Some(ended), _) if ended.success() => break,
            (Some(ended), _) => {
                let said = last_words(&stage.folder().talk()).map_err(failed)?;
                return Err(HoldError::Ended { ended, said });
            }
        }
    }
    match fault {
        Some(placed) if !noticed(&entries, placed, part.entrance) => Err(HoldError::Unnoticed {
            placed: placed.clone(),
        }),
        Some(_) | None => Ok(entries),
    }
}

fn begins(entry: &Entry, at: &Word) -> bool {
    matches!(&entry.body, Body::Step(step) if step.step == *at && matches!(step.did, Did::Begin { .. }))
}

/// Whether the log shows the fault: an interruption that was gone on from, or an exception at the step and the step done all the same.
fn noticed(entries: &[Entry], placed: &PlacedFault, entrance: Entrance) -> bool {
    let exception =
        |entry: &Entry| matches!(&entry.body, Body::Exception(exception) if exception.step == placed.step);
    match placed.fault {
        Fault::Power => entrance == Entrance::Resumed,
        Fault::Jam | Fault::WrongPin | Fault::Absent => entries.iter().any(exception),
    }
}

/// The process; with it its group is killed: the tools that it runs.
struct Run {
    child: Child,
}

impl Run {
    fn start(stage: &Stage, script: &Script, script_file: &Path) -> io::Result<Self> {
        let appended = |path| File::options().create(true).append(true).open(path);
        let folder = stage.folder();
        let mut command = stage.tool(TOOL);
        command
            .arg("--site")
            .arg(folder.site())
            .arg("run")
            .arg(script_file);
        command.arg("--rehearsal-answers").arg(folder.part());
        for medium in media(script) {
            command.arg("--medium").arg(named(medium, &folder.medium(medium)));
        }
        let seats: Vec<Seat> = script
            .roles
            .keys()
            .flat_map(|role| script.seats_of(role))
            .collect();
        for seat in seats {
            command.arg("--signing-key").arg(named(&seat, &folder.key(&seat)));
        }
        let child = command
            .stdout(Stdio::from(appended(folder.screens())?))
            .stderr(Stdio::from(appended(folder.talk())?))
            .process_group(0)
            .spawn()?;
        Ok(Self { child })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait()
            && let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn named(name: &impl std::fmt::Display, path: &Path) -> String {
    format!("{name}={}", path.display())
}

fn last_words(talk: &Path) -> io::Result<String> {
    let text = fs::read(talk)?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    Ok(lines.get(from..).map_or_else(String::new, |last| last.join("; ")))
}

impl Advice for HoldError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { .. } => None,
            Self::Ended { .. } => {
                Some("screens.txt in the rehearsal's folder has what the screen showed".to_owned())
            }
            Self::Unnoticed { .. } => Some("this is a fault of the script or of Keyrite".to_owned()),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Ended { .. } | Self::Unnoticed { .. } => false,
        }
    }
}
