//! The signatures of people on the checkpoints.

use std::collections::{BTreeMap, BTreeSet};

use key_metadata::Time;

use super::VerifyError;
use super::claim::Claim;
use super::files::read;
use super::look::{Look, not_checked};
use super::record::Record;
use crate::log::{Body, CeremonyFolder, Did, Person, names};
use crate::script::Seat;
use sshsig::{AllowedSigners, Expected, verify};

/// A signature that must be there.
struct Wanted {
    line: u64,
    at: Time,
    checkpoint: u64,
    person: Option<Person>,
}

/// One claim for each seat that signs.
pub(super) fn claims(folder: &CeremonyFolder, record: &Record) -> Result<Vec<Claim>, VerifyError> {
    let wanted = wanted(record);
    let allowed = match read(folder, "allowed_signers")? {
        None => Err("there is no allowed_signers".to_owned()),
        Some(text) => AllowedSigners::parse(&text).map_err(|error| format!("allowed_signers: {error}")),
    };
    let mut claims = Vec::new();
    for (seat, wanted) in &wanted {
        let mut look = Look::default();
        let (mut keys, mut touches, mut principals) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for wanted in wanted {
            look.at(wanted.line);
            let number = wanted.checkpoint;
            let file = names::signature(number, seat);
            let principal = wanted
                .person
                .as_ref()
                .and_then(|person| person.principal.as_deref());
            let Some(principal) = principal else {
                look.fault_at(
                    wanted.line,
                    format!("nobody signed in for {seat} with a principal"),
                );
                continue;
            };
            principals.insert(principal);
            let allowed = match &allowed {
                Ok(allowed) => allowed,
                Err(why) => {
                    look.fault(why);
                    break;
                }
            };
            let files = (read(folder, &names::checkpoint(number))?, read(folder, &file)?);
            let (Some(checkpoint), Some(armoured)) = files else {
                look.fault_at(
                    wanted.line,
                    format!("there is no checkpoint-{number} with {file}"),
                );
                continue;
            };
            let expected = Expected {
                allowed,
                principal,
                namespace: names::NAMESPACE,
                at: wanted.at,
            };
            match verify(&expected, &armoured, &checkpoint) {
                Ok(good) => {
                    keys.insert(format!("{} {}", good.key_type, good.fingerprint));
                    if let Some(key) = good.security_key {
                        let verified = if key.user_verified() {
                            "with PIN or finger"
                        } else {
                            "touched"
                        };
                        touches.insert(format!("{verified}, its counter {}", key.counter));
                    }
                }
                Err(error) => look.fault_at(wanted.line, format!("{file}: {}", in_a_line(&error))),
            }
        }
        claims.push(look.claim(
            &format!("signature-{seat}"),
            &format!("{seat} signed {}", checkpoints(wanted)),
            &command(seat, wanted),
            seen(wanted, &keys, &touches),
        ));
    }
    if !last_is_signed(record) {
        claims.push(unsigned(record));
    }
    Ok(claims)
}

fn in_a_line(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.map_or_else(String::new, |cause| cause))
}

/// Whether the last seal names people.
fn last_is_signed(record: &Record) -> bool {
    record
        .seals
        .last()
        .is_some_and(|sealed| !sealed.seal.signers.is_empty())
}

/// What stands in the place of signatures where the last checkpoint has none: without any, whoever wrote the files could have made it all up.
fn unsigned(record: &Record) -> Claim {
    let id = "signatures";
    let claim = "people signed the last checkpoint";
    let command = "tail -n 1 log.jsonl | grep -o '\"signers\":[^]]*]'";
    if record.seals.is_empty() {
        return not_checked(id, claim, command, "the log has no seal");
    }
    let mut look = Look::default();
    look.fault("nobody signs the last checkpoint");
    look.claim(id, claim, command, String::new())
}

fn wanted(record: &Record) -> BTreeMap<Seat, Vec<Wanted>> {
    let mut wanted: BTreeMap<Seat, Vec<Wanted>> = BTreeMap::new();
    let mut people: BTreeMap<Seat, Person> = BTreeMap::new();
    for (line, entry) in &record.entries {
        let mut signs = |seat: &Seat, checkpoint, people: &BTreeMap<Seat, Person>| {
            wanted.entry(seat.clone()).or_default().push(Wanted {
                line: *line,
                at: entry.t,
                checkpoint,
                person: people.get(seat).cloned(),
            });
        };
        match &entry.body {
            Body::Seal(seal) => {
                seal.signers
                    .iter()
                    .for_each(|seat| signs(seat, seal.checkpoint, &people));
            }
            Body::Step(step) => match &step.did {
                Did::Attend { people: came } => {
                    people.extend(came.iter().map(|person| (person.seat.clone(), person.clone())));
                }
                Did::Sign {
                    checkpoint,
                    signatures,
                } => {
                    for name in signatures.keys() {
                        let seat = name
                            .strip_prefix(&format!("checkpoint-{checkpoint}."))
                            .and_then(|rest| rest.strip_suffix(".sig"))
                            .and_then(|seat| seat.parse().ok());
                        if let Some(seat) = seat {
                            signs(&seat, *checkpoint, &people);
                        }
                    }
                }
                Did::Say {}
                | Did::Confirm { .. }
                | Did::Record { .. }
                | Did::Leave { .. }
                | Did::Clock { .. }
                | Did::Begin { .. }
                | Did::Run { .. }
                | Did::Fail { .. }
                | Did::Copy { .. }
                | Did::Seal { .. }
                | Did::Pause { .. }
                | Did::Resume {}
                | Did::Branch { .. } => {}
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
            | Body::Anchor(_)
            | Body::End(_) => {}
        }
    }
    wanted
}

fn checkpoints(wanted: &[Wanted]) -> String {
    let numbers: BTreeSet<_> = wanted.iter().map(|wanted| wanted.checkpoint).collect();
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    match numbers.as_slice() {
        [only] => format!("checkpoint {only}"),
        several => format!("checkpoints {}", several.join(", ")),
    }
}

fn seen(wanted: &[Wanted], keys: &BTreeSet<String>, touches: &BTreeSet<String>) -> String {
    let names: BTreeSet<_> = wanted
        .iter()
        .filter_map(|wanted| wanted.person.as_ref())
        .map(|person| person.name.as_str())
        .collect();
    let names: Vec<_> = names.into_iter().collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let touches: Vec<_> = touches.iter().map(String::as_str).collect();
    let touched = if touches.is_empty() {
        String::new()
    } else {
        format!(" ({})", touches.join("; "))
    };
    format!("{}, by {}{touched}", names.join(", "), keys.join(", "))
}

fn command(seat: &Seat, wanted: &[Wanted]) -> String {
    let each = wanted.iter().map(|wanted| {
        let principal = wanted.person.as_ref().and_then(|person| person.principal.clone());
        // It is pasted into a shell, and somebody else wrote it.
        let principal = principal.map_or_else(String::new, |principal| principal.replace('\'', r"'\''"));
        let at: String = wanted.at.to_string().chars().filter(|c| c.is_ascii_digit()).collect();
        let number = wanted.checkpoint;
        format!(
            "ssh-keygen -Y verify -f allowed_signers -I '{principal}' -n {} -Overify-time={at}Z -s {} < checkpoint-{number}",
            names::NAMESPACE,
            names::signature(number, seat),
        )
    });
    each.collect::<Vec<_>>().join("; ")
}
