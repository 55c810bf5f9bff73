//! A line of the log, and what it says in words.

use key_metadata::Digest;

use crate::log::{Body, Did, EndOutcome, Entry, Tail, Then, read_lines};

/// A line, whether it is an entry or not.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where it is in the file, from 1.
    pub number: u64,
    /// The line without its end, as it is in the file; bytes that are no UTF-8 are replaced.
    pub text: String,
    /// SHA-256 of the line with its end.
    pub sha256: Digest,
    /// The entry, or why it is none.
    pub entry: Result<Entry, String>,
}

/// All lines, what follows the last whole one included.
pub fn lines(log: &[u8]) -> Vec<Line> {
    let mut found = Vec::new();
    let mut reader = read_lines(log);
    let mut line = Vec::new();
    loop {
        match reader.next_into(&mut line) {
            Ok(Some(number)) => {
                let text = line.strip_suffix(b"\n").map_or(&*line, |text| text);
                let entry = Entry::from_line(text).map_err(|error| in_a_line(&error));
                found.push(of(number, text, &line, entry));
            }
            Ok(None) => break,
            Err(error) => {
                let number = found.len() as u64 + 1;
                let why = format!("{}; nothing after it is shown", in_a_line(&error));
                found.push(of(number, &line, &line, Err(why)));
                return found;
            }
        }
    }
    if let Tail::Torn(torn) = reader.tail() {
        let number = found.len() as u64 + 1;
        let why = "it has no end: it was not written whole, or cut off".to_owned();
        found.push(of(number, torn, torn, Err(why)));
    }
    found
}

fn of(number: u64, text: &[u8], whole: &[u8], entry: Result<Entry, String>) -> Line {
    Line {
        number,
        text: String::from_utf8_lossy(text).into_owned(),
        sha256: Digest::of(whole),
        entry,
    }
}

fn in_a_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// What an entry says, as a sentence without its full stop.
pub fn sentence(body: &Body) -> String {
    match body {
        Body::Genesis(genesis) => format!("The ceremony '{}' began, {}", genesis.title, genesis.kind),
        Body::Step(step) => format!("{}: {}", step.step, done(&step.did)),
        Body::Readback(readback) => {
            format!(
                "{}: {} typed the digest of {} as it was read aloud",
                readback.step, readback.checker, readback.what
            )
        }
        Body::Artefact(artefact) => {
            let what = artefact.path.as_deref().map_or("the output", |path| path);
            format!("{}: {what}, {} bytes", artefact.step, artefact.size)
        }
        Body::SecretEvent(event) => format!("{}: a secret was entered: {}", event.step, event.what),
        Body::Exception(exception) => {
            format!(
                "{}: an exception; {}",
                exception.step,
                match exception.then {
                    Then::Again => "the same step again",
                    Then::Skip => "the step is left out",
                    Then::Abort => "the ceremony is broken off",
                }
            )
        }
        Body::Skip(skip) => format!("{}: left out", skip.step),
        Body::Abort(abort) => format!("{}: the ceremony was broken off", abort.step),
        Body::Recovered(_) => "The program was interrupted, and went on".to_owned(),
        Body::Cast(cast) => format!("The recording {} of the screen began", cast.file),
        Body::Seal(seal) => format!("Seal {}: {}", seal.checkpoint, seal.reason),
        Body::Anchor(anchor) => format!("The signatures on checkpoint {}", anchor.checkpoint),
        Body::End(end) => match end.outcome {
            EndOutcome::Completed => "The end: completed".to_owned(),
            EndOutcome::Aborted => "The end: broken off".to_owned(),
        },
    }
}

fn done(did: &Did) -> String {
    match did {
        Did::Say {} => "the words were read aloud".to_owned(),
        Did::Confirm { initials } => format!("{} gave initials", initials.len()),
        Did::Record { name, value, .. } => format!("{name} is {value}"),
        Did::Attend { people } => format!("{} signed in", people.len()),
        Did::Leave { seats } => {
            let seats: Vec<_> = seats.iter().map(ToString::to_string).collect();
            format!("{} left", seats.join(", "))
        }
        Did::Clock { wall, offset } => format!("the wall clock showed {wall}, the machine {offset:+} s"),
        Did::Begin { argv, attempt } => format!("try {attempt} of {}", argv.join(" ")),
        Did::Run { attempt, exit, .. } => format!("try {attempt} ended with exit code {exit}"),
        Did::Fail { attempt, why, .. } => format!("try {attempt} failed: {why}"),
        Did::Copy { copies } => format!("{} copies were made and read again", copies.len()),
        Did::Seal { checkpoint } => format!("sealed as checkpoint {checkpoint}"),
        Did::Sign {
            checkpoint,
            signatures,
        } => format!("{} signed checkpoint {checkpoint}", signatures.len()),
        Did::Pause { checkpoint } => format!("a break began, after checkpoint {checkpoint}"),
        Did::Resume {} => "the break was over".to_owned(),
        Did::Branch { choice } => format!("the choice was {choice}"),
    }
}
