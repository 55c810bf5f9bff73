//! `keyrite-ceremony run`: holds a ceremony, or goes on with one that was interrupted.

mod anchors;
mod ask;
mod begin;
mod copy;
mod log_key;
mod people;
mod program;
mod recover;
mod screen;
mod seal;
mod sheet;
mod sign;
mod step;
mod stop;
mod terminal;
mod values;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use ceremony::check::{Severity, check};
use ceremony::explain::explain;
use ceremony::log::{Body, CeremonyFolder, EndOutcome, LogFile};
use ceremony::progress::{Finished, Next, Progress};
use ceremony::rehearse::Answers;
use ceremony::script::{Kind, Script, Seat, Word};
use cli::{Exit, Failure, Outcome, Output, SiteArguments, now};
use key_metadata::store::read_text;
use key_metadata::{Digest, SiteFolder};

use self::anchors::Anchors;
use self::log_key::LogKey;
use self::screen::Screen;
use self::stop::Stop;
use self::terminal::{Console, Terminal};

/// Hold a ceremony by its script; run again, it goes on where it was interrupted
#[derive(clap::Args)]
pub struct Arguments {
    /// The script
    script: PathBuf,
    /// Answer for this being the site's first ceremony, which has none before it
    #[arg(long)]
    first_ceremony: bool,
    /// Where a medium of the script is, instead of the path that the script gives
    #[arg(long = "medium", value_name = "NAME=PATH", value_parser = medium)]
    media: Vec<(Word, PathBuf)>,
    /// The private key file of a seat; without one it is asked for
    #[arg(long = "signing-key", value_name = "SEAT=PATH", value_parser = signing_key)]
    signing_keys: Vec<(Seat, PathBuf)>,
    /// Only say what would be done, step by step
    #[arg(long)]
    dry_run: bool,
    /// What keyrite-ceremony rehearse tells the process that holds the ceremony
    #[arg(long, hide = true, value_name = "FILE")]
    rehearsal_answers: Option<PathBuf>,
}

fn medium(text: &str) -> Result<(Word, PathBuf), String> {
    pair(text)
}

fn signing_key(text: &str) -> Result<(Seat, PathBuf), String> {
    pair(text)
}

fn pair<N: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<(N, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("it is NAME=PATH")?;
    let name = name.parse().map_err(|error: N::Err| error.to_string())?;
    Ok((name, path.into()))
}

/// What a ceremony is held with.
pub struct Setting<'s> {
    /// The script.
    pub script: &'s Script,
    /// Its text.
    pub text: &'s str,
    /// The site.
    pub site: &'s SiteFolder,
    /// Its folder, from the root of the file system: programs run there.
    pub root: PathBuf,
    /// Whether it counts.
    pub kind: Kind,
    /// Whether no ceremony before it is right.
    pub first: First,
    /// The folder with the suite's tools.
    pub tools: PathBuf,
    /// Where media are that are elsewhere than the script says.
    pub media: BTreeMap<Word, PathBuf>,
    /// Key files by seat.
    pub signing_keys: BTreeMap<Seat, PathBuf>,
}

/// What was said of the ceremony before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// There is none, and somebody answers for it.
    Answered,
    /// Nothing.
    Unsaid,
}

impl Arguments {
    /// Runs the verb.
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let text = read_text(&self.script)?;
        let checked = check(&text).map_err(|error| {
            let mut failure = Failure::new(
                Exit::SaysNo,
                format!("the script {} cannot be followed", self.script.display()),
            );
            for finding in error
                .findings
                .iter()
                .filter(|finding| finding.severity == Severity::Error)
            {
                failure = failure.because(finding.to_string());
            }
            failure.hint(format!("keyrite-ceremony check {}", self.script.display()))
        })?;
        for finding in &checked.warnings {
            output.warn(format!("{}:{finding}", self.script.display()));
        }
        let script = checked.script;
        if self.dry_run {
            let explained = explain(&text).map_err(|error| {
                Failure::of(Exit::Failed, &error).within(self.script.display().to_string())
            })?;
            return output.result(explained.to_string());
        }
        let folder = site.open()?;
        let (kind, console) = match &self.rehearsal_answers {
            Some(part) => (
                Kind::Rehearsal,
                Console::Answers(Box::new(Answers::open(part, &script, now)?)),
            ),
            None if io::stdin().is_terminal() => (script.kind, Console::Terminal(Terminal::open()?)),
            None => {
                let failure = Failure::new(Exit::Failed, "a ceremony is held at a terminal");
                return Err(failure.hint("to practise without one: keyrite-ceremony rehearse".to_owned()));
            }
        };
        let setting = Setting {
            script: &script,
            text: &text,
            site: &folder,
            root: std::fs::canonicalize(folder.path("."))
                .map_err(|error| Failure::of(Exit::Failed, &error).within("the site's folder"))?,
            kind,
            first: if self.first_ceremony {
                First::Answered
            } else {
                First::Unsaid
            },
            tools: cli::siblings()?,
            media: self.media.iter().cloned().collect(),
            signing_keys: self.signing_keys.iter().cloned().collect(),
        };
        hold(setting, console, output)
    }
}

/// Holds a ceremony to its end, or until it is interrupted.
pub fn hold<'s>(setting: Setting<'s>, console: Console<'s>, output: &mut Output) -> Outcome {
    let mut ceremony = Ceremony::open(setting, console)?;
    let outcome = ceremony.go()?;
    let folder = ceremony.folder.path().display().to_string();
    ceremony.console.finish()?;
    output.say(format!(
        "the ceremony is in {folder}; verify it: keyrite-ceremony verify {folder}"
    ));
    match outcome {
        EndOutcome::Completed => Ok(()),
        EndOutcome::Aborted => Err(Failure::new(
            Exit::SaysNo,
            "the ceremony was broken off, in its safe state; its log is whole",
        )),
    }
}

/// How often a rehearsal's answers try a step again; our choice.
const PATIENCE: u32 = 4;

/// A ceremony that is being held.
struct Ceremony<'s> {
    setting: Setting<'s>,
    folder: CeremonyFolder,
    log: LogFile,
    progress: Progress,
    anchors: Anchors<'s>,
    log_key: Option<LogKey>,
    screen: Screen,
    console: Console<'s>,
}

impl Ceremony<'_> {
    /// From where it is to its end.
    fn go(&mut self) -> Outcome<EndOutcome> {
        let mut in_vain = 0;
        loop {
            let done = match self.progress.next(self.setting.script) {
                Next::Genesis => self.begin(),
                Next::Signatures(number) => {
                    let signed = self.signatures(number);
                    if signed.is_ok()
                        && self.progress.is_sealed_to_the_end()
                        && let Some(outcome) = self.progress.ended
                    {
                        self.farewell(number, outcome)?;
                        return Ok(outcome);
                    }
                    signed
                }
                Next::Seal(reason) => self.seal(&reason).map(|_| ()).map_err(Stop::from),
                Next::Carry(decided) => self.carry(&decided).map_err(Stop::from),
                Next::Step(planned) => self.step(&planned),
                Next::End(outcome) => self.end(outcome).map_err(Stop::from),
            };
            match done {
                Ok(()) | Err(Stop::Recorded) => in_vain = 0,
                // People know when to stop; answers do not.
                Err(Stop::Again) if in_vain == PATIENCE && self.console.is_of_answers() => {
                    let failure = Failure::new(Exit::PartWay, "the same step failed again and again");
                    return Err(failure.hint("the ceremony's last screens say why".to_owned()));
                }
                Err(Stop::Again) => in_vain += 1,
                Err(Stop::Failure(failure)) => {
                    if self.progress.genesis.is_none() {
                        return Err(failure);
                    }
                    let id = self.setting.script.id();
                    let hint = format!("run the same command again: ceremony '{id}' goes on where it is");
                    return Err(failure.part_way().hint(hint));
                }
            }
        }
    }

    /// Writes an entry: on the disk, in the TPM, and known here, before anything else is done.
    fn append(&mut self, by: Vec<Seat>, body: Body) -> Outcome<Digest> {
        let digest = self.log.append(now(), by, body)?;
        self.anchors.extend(&digest)?;
        if let Some(entry) = self.log.entries().last() {
            self.progress.take(self.setting.script, entry);
        }
        Ok(digest)
    }

    fn end(&mut self, outcome: EndOutcome) -> Outcome {
        let exceptions = u32::try_from(self.progress.exceptions.len()).map_or(u32::MAX, |count| count);
        let end = ceremony::log::End {
            outcome,
            done: self.progress.count(Finished::Done),
            skipped: self.progress.count(Finished::Skipped),
            exceptions,
        };
        self.append(Vec::new(), Body::End(end))?;
        Ok(())
    }

    /// The last screen: the head that people take home on paper.
    fn farewell(&mut self, number: u64, outcome: EndOutcome) -> Outcome {
        let path = self.folder.file(ceremony::log::names::checkpoint(number));
        let checkpoint = Digest::of(&key_metadata::store::read_bytes(&path)?);
        let words = cli::words::words(&checkpoint).join(" ");
        let how = match outcome {
            EndOutcome::Completed => "over",
            EndOutcome::Aborted => "broken off",
        };
        let lines = [
            "".to_owned(),
            format!(
                "The ceremony is {how}. Write down the digest of its last checkpoint, which vouches for all of it, and keep it elsewhere:"
            ),
            checkpoint.to_string(),
            words,
        ];
        let lines = lines.iter().flat_map(|line| {
            screen::wrapped(line, screen::COLUMNS - 1)
                .into_iter()
                .chain([String::new()])
        });
        self.screen.put_unrecorded(&lines.collect::<Vec<_>>().join(
            "
",
        ))
    }
}
