//! A step's program: argv, never a shell; what it read, wrote and printed is kept.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use ceremony::log::{Artefact as Kept, ArtefactRole, Body, Did, SecretEvent};
use ceremony::run::Ask;
use ceremony::script::{Again, Artefact, Planned, Run, Seat, Word, quoted};
use cli::{Exit, Failure, Outcome};
use key_metadata::Digest;
use key_metadata::store::{read_bytes, replace};

use super::Ceremony;
use super::copy::digest_of;
use super::screen::harmless;
use super::stop::{Go, Stop};

/// More is no output of a step, in bytes; our choice.
const LONGEST: usize = 16 << 20;

/// What came of a program.
struct Ended {
    exit: Option<u8>,
    printed: Vec<u8>,
    said: Vec<u8>,
    why: Option<String>,
}

/// Which stream a piece is of.
enum Piece {
    Printed(Vec<u8>),
    Said(Vec<u8>),
}

impl Ceremony<'_> {
    /// Shows a program, runs it, and keeps what came of it.
    pub fn program(&mut self, planned: &Planned<'_>, run: &Run) -> Go {
        let id = &planned.step.id;
        let by = self.acting(&self.seats(&planned.step.by));
        let mut argv = Vec::new();
        for argument in &run.argv {
            argv.push(self.fill(argument)?);
        }
        if self
            .progress
            .begun
            .as_ref()
            .is_some_and(|begun| begun.step == *id)
        {
            self.interrupted_before(id, run)?;
        }
        self.screen.paragraph(&format!(
            "$ {}",
            argv.iter()
                .map(|argument| quoted(argument))
                .collect::<Vec<_>>()
                .join(" ")
        ))?;
        if let Some(secret) = &run.secret {
            self.screen.paragraph(&format!(
                "It asks for a secret, here at the terminal: {secret}. It is not recorded."
            ))?;
        }
        match &run.destroys {
            Some(tag) => self.confirm_destruction(id, &by, tag)?,
            None => self.go_on(id, "\n[Enter] to run it   [e] exception   [Ctrl-C] more: ")?,
        }
        let attempt = self.progress.attempts.get(id).map_or(1, |attempts| attempts + 1);
        let path = match self.known_program(argv.first().map_or("", |name| name)) {
            Ok(path) => path,
            Err(failure) => return self.refused(id, &failure),
        };
        let inputs = self.artefacts(id, &run.inputs, ArtefactRole::Input);
        let inputs = match inputs {
            Ok(inputs) => inputs,
            Err(failure) => return self.refused(id, &failure),
        };
        self.did(
            id,
            by.clone(),
            Did::Begin {
                argv: argv.clone(),
                attempt,
            },
        )?;
        for input in inputs {
            self.append(by.clone(), Body::Artefact(input))?;
        }
        if let Some(secret) = &run.secret {
            let what = secret.clone();
            self.append(
                by.clone(),
                Body::SecretEvent(SecretEvent {
                    step: id.clone(),
                    what,
                }),
            )?;
        }
        self.screen.put("\n")?;
        let shows = run.values.is_empty();
        let mut ended = self.execute(&path, &argv, shows)?;
        let printed = self.keep(id, ArtefactRole::Printed, None, &ended.printed)?;
        let mut kept = vec![printed.clone()];
        if !ended.said.is_empty() {
            kept.push(self.keep(id, ArtefactRole::Said, None, &ended.said)?);
        }
        let succeeded = ended.why.is_none() && ended.exit.is_some_and(|exit| run.succeeds.contains(&exit));
        let mut values = BTreeMap::new();
        if succeeded {
            match self.artefacts(id, &run.outputs, ArtefactRole::Output) {
                Ok(outputs) => kept.extend(outputs),
                Err(failure) => ended.why = Some(failure.in_a_line()),
            }
            match super::values::taken(&ended.printed, &run.values) {
                Ok(taken) => values = taken,
                Err(why) => ended.why = Some(why),
            }
        } else if ended.why.is_none() {
            ended.why = Some(ended.exit.map_or_else(
                || "a signal ended it, or it did not start".to_owned(),
                |exit| format!("exit code {exit}"),
            ));
        }
        for artefact in kept {
            self.append(by.clone(), Body::Artefact(artefact))?;
        }
        match ended.why {
            None => {
                for (name, value) in &values {
                    self.screen.paragraph(&format!("{name} = {}", harmless(value)))?;
                }
                let exit = ended.exit.map_or(0, |exit| exit);
                let printed = printed.sha256;
                self.did(
                    id,
                    by,
                    Did::Run {
                        attempt,
                        exit,
                        printed,
                        values,
                    },
                )?;
                self.screen.paragraph(&format!("\nDone, exit code {exit}."))?;
                self.go_on(id, "[Enter] it is as expected   [e] exception   [Ctrl-C] more: ")
            }
            Some(why) => {
                self.screen.paragraph(&format!("\nIT FAILED: {why}"))?;
                let did = Did::Fail {
                    attempt,
                    exit: ended.exit,
                    why,
                    printed: printed.sha256,
                };
                self.did(id, by, did)?;
                self.retry(id, "to try again")?;
                Err(Stop::Again)
            }
        }
    }

    /// A step that cannot run yet.
    fn refused(&mut self, step: &Word, failure: &Failure) -> Go {
        self.screen.paragraph(&failure.to_string())?;
        self.retry(step, "to try again")?;
        Err(Stop::Again)
    }

    /// The program of this step began before, and nobody knows how far it came.
    fn interrupted_before(&mut self, step: &Word, run: &Run) -> Go {
        match run.again {
            Again::Safe => Ok(self.screen.paragraph(
                "This program was interrupted. Run again, it goes on where it was and comes to the same end.",
            )?),
            Again::Ask => {
                self.screen.paragraph(
                    "This program was interrupted, and nobody knows how far it came. Look at what it did before it runs again, and write \
                     down what you decide.",
                )?;
                self.sheet(step, None)?;
                Err(Stop::Recorded)
            }
        }
    }

    /// The key tag, from where people have it, and the initials of a second person.
    fn confirm_destruction(&mut self, step: &Word, by: &[Seat], tag: &str) -> Go {
        let tag = self.fill(tag)?;
        self.screen
            .paragraph("\nTHIS DESTROYS A KEY. It cannot be undone.")?;
        self.exact(
            step,
            Ask::KeyTag(tag.clone()),
            &tag,
            "its key tag, as the officers have it: ",
        )?;
        let mut officers = by.iter();
        let (Some(_), Some(second)) = (officers.next(), officers.next().cloned()) else {
            let failure = Failure::new(
                Exit::PartWay,
                format!("step {step} takes two people who act, and one is there"),
            );
            return Err(failure.into());
        };
        self.screen.paragraph(&format!(
            "A second officer agrees to the destruction of key {tag}."
        ))?;
        self.initials(step, &second).map(|_| ())
    }

    /// Where a program of the script is: a sibling of this one, or what the script says.
    pub fn program_path(&self, name: &str) -> Outcome<PathBuf> {
        let listed = self
            .setting
            .script
            .programs
            .iter()
            .find(|(known, _)| known.to_string() == name);
        match listed {
            Some((_, program)) => Ok(program.path.clone()),
            None if name.starts_with("keyrite-") && !name.contains('/') => Ok(self.setting.tools.join(name)),
            None => Err(Failure::new(
                Exit::PartWay,
                format!("'{name}' is no tool of the suite, and the script's programs do not list it"),
            )),
        }
    }

    /// The same, and it must be the file of the first entry.
    fn known_program(&self, name: &str) -> Outcome<PathBuf> {
        let path = self.program_path(name)?;
        let genesis = self.progress.genesis.as_ref();
        let known = genesis.and_then(|genesis| genesis.tools.iter().find(|tool| tool.name == name));
        let Some(known) = known else {
            let failure = Failure::new(
                Exit::PartWay,
                format!("{name} was not there when the ceremony began"),
            );
            return Err(failure
                .hint("leave the step out by an exception (e), or begin a new ceremony with it".to_owned()));
        };
        let now = file_digest(&path)?;
        let wanted = self
            .setting
            .script
            .programs
            .iter()
            .find(|(listed, _)| listed.to_string() == name);
        let wanted = wanted.and_then(|(_, program)| program.sha256);
        if now != known.sha256 || wanted.is_some_and(|wanted| wanted != now) {
            return Err(Failure::new(
                Exit::PartWay,
                format!(
                    "{} is another program than the ceremony's: SHA-256 {now}",
                    path.display()
                ),
            ));
        }
        Ok(path)
    }

    /// Runs it in the site's folder. It has our terminal, so that it can ask for a secret there; its two streams come here.
    fn execute(&mut self, path: &Path, argv: &[String], shows: bool) -> Outcome<Ended> {
        let mut command = Command::new(path);
        command
            .args(argv.iter().skip(1))
            .current_dir(&self.setting.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut ended = Ended {
            exit: None,
            printed: Vec::new(),
            said: Vec::new(),
            why: None,
        };
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                ended.why = Some(format!("it did not start: {error}"));
                return Ok(ended);
            }
        };
        let pieces = pieces(&mut child);
        for piece in pieces {
            let (bytes, of) = match &piece {
                Piece::Printed(bytes) => (bytes, &mut ended.printed),
                Piece::Said(bytes) => (bytes, &mut ended.said),
            };
            if of.len() + bytes.len() > LONGEST {
                ended.why = Some(format!("it printed more than {LONGEST} bytes"));
                // It may have ended by itself.
                let _ = child.kill();
                break;
            }
            of.extend(bytes);
            if shows || matches!(piece, Piece::Said(_)) {
                self.screen.put(&harmless(&String::from_utf8_lossy(bytes)))?;
            }
        }
        let status = child
            .wait()
            .map_err(|error| Failure::of(Exit::PartWay, &error).within("waiting for the program"))?;
        ended.exit = status.code().and_then(|code| u8::try_from(code).ok());
        if !shows {
            self.screen.paragraph(&format!(
                "({} bytes of output are kept as evidence)",
                ended.printed.len()
            ))?;
        }
        Ok(ended)
    }

    /// The files of a step, with the digests that they must have, kept as evidence.
    fn artefacts(&mut self, step: &Word, files: &[Artefact], role: ArtefactRole) -> Outcome<Vec<Kept>> {
        let mut kept = Vec::new();
        for file in files {
            let name = self.fill(&file.path.display().to_string())?;
            let bytes = read_bytes(&self.setting.site.path(&name))?;
            let artefact = self.keep(step, role, Some(name.clone()), &bytes)?;
            if let Some(wanted) = &file.sha256 {
                let wanted = self.fill(wanted)?;
                if artefact.sha256.to_string() != wanted {
                    return Err(Failure::new(
                        Exit::PartWay,
                        format!("{role} {name} has SHA-256 {}, not {wanted}", artefact.sha256),
                    ));
                }
            }
            kept.push(artefact);
        }
        Ok(kept)
    }

    /// Keeps some bytes under their digest; the entry about them is the caller's.
    pub fn keep(&self, step: &Word, role: ArtefactRole, path: Option<String>, bytes: &[u8]) -> Outcome<Kept> {
        let sha256 = Digest::of(bytes);
        let place = self.folder.evidence(&sha256);
        if !place.exists() {
            replace(&place, |file| file.write_all(bytes))?;
        }
        Ok(Kept {
            step: step.clone(),
            role,
            path,
            sha256,
            size: bytes.len() as u64,
        })
    }
}

/// The digest of a file of any size.
pub fn file_digest(path: &Path) -> Outcome<Digest> {
    let read = File::open(path).and_then(|mut file| digest_of(&mut file, &mut io::sink()));
    let (digest, _) =
        read.map_err(|error| Failure::of(Exit::PartWay, &error).within(path.display().to_string()))?;
    Ok(digest)
}

/// What a program prints and says, as it comes, to its end.
fn pieces(child: &mut Child) -> mpsc::Receiver<Piece> {
    let (sender, receiver) = mpsc::channel();
    let (printed, said) = (child.stdout.take(), child.stderr.take());
    let other = sender.clone();
    std::thread::spawn(move || forward(printed, |bytes| sender.send(Piece::Printed(bytes)).is_ok()));
    std::thread::spawn(move || forward(said, |bytes| other.send(Piece::Said(bytes)).is_ok()));
    receiver
}

fn forward(from: Option<impl Read>, mut to: impl FnMut(Vec<u8>) -> bool) {
    let Some(mut from) = from else {
        return;
    };
    let mut buffer = vec![0; 1 << 14];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let bytes = buffer.get(..read).map_or_else(Vec::new, <[u8]>::to_vec);
        if !to(bytes) {
            return;
        }
    }
}
