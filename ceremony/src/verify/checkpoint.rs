//! The checkpoints, and the files about them.

use std::collections::{BTreeMap, BTreeSet};

use key_metadata::Digest;

use super::VerifyError;
use super::claim::Claim;
use super::files::{digest, names, read};
use super::look::{Look, not_checked};
use super::record::{Record, Sealed};
use crate::log::{Body, CeremonyFolder, Checkpoint, Did, Genesis, names as named};

const CHECKPOINT: (&str, &str, &str) = (
    "checkpoint",
    "each seal's checkpoint has the log's name, its size then, and the RFC 6962 root over its lines",
    "sh verify.sh # or any implementation of RFC 6962 over the lines of log.jsonl; then: cat checkpoint-N",
);
const FILES: (&str, &str, &str) = (
    "files",
    "the files about each checkpoint are those that the log names, no more and no less",
    r#"grep '"type":"anchor"\|"did":{"sign"' log.jsonl | grep -o '"checkpoint-[^"]*":"[0-9a-f]*"' | sed 's/"\(.*\)":"\(.*\)"/\2  \1/' | sha256sum -c"#,
);

/// The claims about checkpoints.
pub(super) fn claims(folder: &CeremonyFolder, record: &Record) -> Result<Vec<Claim>, VerifyError> {
    let Some(genesis) = record.genesis() else {
        let claims = [CHECKPOINT, FILES];
        return Ok(claims
            .map(|(id, claim, command)| not_checked(id, claim, command, "the log has no genesis"))
            .into());
    };
    Ok(vec![
        checkpoint(folder, record, genesis)?,
        files(folder, record, genesis)?,
    ])
}

fn checkpoint(folder: &CeremonyFolder, record: &Record, genesis: &Genesis) -> Result<Claim, VerifyError> {
    let mut look = Look::default();
    for sealed in &record.seals {
        look.at(sealed.line);
        let name = named::checkpoint(sealed.seal.checkpoint);
        let expected = Checkpoint {
            log: genesis.log.clone(),
            size: sealed.line,
            root: sealed.root,
        };
        match read(folder, &name)? {
            None => look.fault_at(sealed.line, format!("there is no {name}")),
            Some(bytes) if bytes == expected.to_string().as_bytes() => {}
            Some(bytes) => look.fault_at(sealed.line, difference(&name, &bytes, &expected)),
        }
    }
    if record.seals.is_empty() {
        look.fault("the log has no seal");
    }
    let (id, claim, command) = CHECKPOINT;
    let last = record.seals.last().map_or_else(String::new, |sealed| {
        format!(
            "{} checkpoints, the last one of {} lines",
            record.seals.len(),
            sealed.line
        )
    });
    Ok(look.claim(id, claim, command, last))
}

/// What in a checkpoint is not as it must be.
fn difference(name: &str, bytes: &[u8], expected: &Checkpoint) -> String {
    let found = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    match found {
        None => format!("{name} is no checkpoint of three lines"),
        Some(Checkpoint { log, .. }) if log != expected.log => format!("{name} is of the log {log}"),
        Some(Checkpoint { size, .. }) if size != expected.size => {
            format!(
                "{name} is of {size} lines, and its seal is line {}",
                expected.size
            )
        }
        Some(Checkpoint { .. }) => format!("{name} has another root than the lines"),
    }
}

/// The names of all files about a checkpoint that its seal makes.
fn files_of(sealed: &Sealed, genesis: &Genesis) -> BTreeSet<String> {
    let number = sealed.seal.checkpoint;
    let mut files = BTreeSet::from([named::checkpoint(number)]);
    files.extend(
        sealed
            .seal
            .signers
            .iter()
            .map(|seat| named::signature(number, seat)),
    );
    if genesis.token.is_some() {
        files.insert(named::token(number));
    }
    if genesis.tpm.is_some() {
        for what in ["extend", "counter", "quote"] {
            files.extend(["attest", "sig"].map(|form| named::tpm(number, what, form)));
        }
        files.extend(["tss", "pcrs"].map(|form| named::tpm(number, "quote", form)));
    }
    files
}

fn files(folder: &CeremonyFolder, record: &Record, genesis: &Genesis) -> Result<Claim, VerifyError> {
    let mut look = Look::default();
    let mut expected = BTreeSet::new();
    let mut by_checkpoint = BTreeMap::new();
    for sealed in &record.seals {
        let files = files_of(sealed, genesis);
        expected.extend(files.iter().cloned());
        by_checkpoint.insert(sealed.seal.checkpoint, files);
    }
    let mut compared = 0;
    for (line, entry) in &record.entries {
        let digests: &BTreeMap<String, Digest> = match &entry.body {
            Body::Anchor(anchor) => {
                look.at(*line);
                let of_seal = by_checkpoint.get(&anchor.checkpoint);
                if of_seal.is_none_or(|files| !files.iter().eq(anchor.files.keys())) {
                    let what = format!("it does not name the files of checkpoint {}", anchor.checkpoint);
                    look.fault_at(*line, what);
                }
                &anchor.files
            }
            Body::Step(step) => match &step.did {
                Did::Sign {
                    checkpoint,
                    signatures,
                } => {
                    look.at(*line);
                    let prefix = format!("{}.", named::checkpoint(*checkpoint));
                    for name in signatures.keys() {
                        if !(name.starts_with(&prefix) && name.ends_with(".sig")) {
                            look.fault_at(
                                *line,
                                format!("{name} is no signature on checkpoint {checkpoint}"),
                            );
                        }
                        expected.insert(name.clone());
                    }
                    signatures
                }
                Did::Say {}
                | Did::Confirm { .. }
                | Did::Record { .. }
                | Did::Attend { .. }
                | Did::Leave { .. }
                | Did::Clock { .. }
                | Did::Begin { .. }
                | Did::Run { .. }
                | Did::Fail { .. }
                | Did::Copy { .. }
                | Did::Seal { .. }
                | Did::Pause { .. }
                | Did::Resume {}
                | Did::Branch { .. } => continue,
            },
            Body::Genesis(_)
            | Body::Readback(_)
            | Body::Artefact(_)
            | Body::SecretEvent(_)
            | Body::Exception(_)
            | Body::Skip(_)
            | Body::Abort(_)
            | Body::Recovered(_)
            | Body::Cast(_)
            | Body::Seal(_)
            | Body::End(_) => continue,
        };
        for (name, named) in digests {
            compared += 1;
            match digest(folder, name)? {
                None => look.fault_at(*line, format!("there is no {name}")),
                Some(is) if is != *named => look.fault_at(*line, format!("{name} has {is}, not {named}")),
                Some(_) => {}
            }
        }
    }
    let there = names(folder, ".")?;
    let there: BTreeSet<String> = there
        .into_iter()
        .filter(|name| name.starts_with("checkpoint-"))
        .collect();
    for name in expected.difference(&there) {
        look.fault(format!("there is no {name}"));
    }
    for name in there.difference(&expected) {
        look.fault(format!("no line of the log is about {name}"));
    }
    let (id, claim, command) = FILES;
    let seen = format!("{} files, {compared} of them by digest", expected.len());
    Ok(look.claim(id, claim, command, seen))
}
