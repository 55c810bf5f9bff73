//! The files that the steps left: evidence, recordings, ends of lines.

use std::collections::{BTreeMap, BTreeSet};

use key_metadata::Digest;

use super::VerifyError;
use super::claim::Claim;
use super::files::{digest, digest_of_start, length, names};
use super::look::Look;
use super::record::Record;
use crate::log::{Body, CastMark, CeremonyFolder, Did};

/// The claims about these files.
pub(super) fn claims(folder: &CeremonyFolder, record: &Record) -> Result<Vec<Claim>, VerifyError> {
    Ok(vec![
        evidence(folder, record)?,
        casts(folder, record)?,
        torn(folder, record)?,
    ])
}

/// The digests that an entry names as files in evidence.
fn named_by(body: &Body) -> Option<Digest> {
    match body {
        Body::Artefact(artefact) => Some(artefact.sha256),
        Body::Step(step) => match &step.did {
            Did::Run { printed, .. } | Did::Fail { printed, .. } => Some(*printed),
            Did::Say {}
            | Did::Confirm { .. }
            | Did::Record { .. }
            | Did::Attend { .. }
            | Did::Leave { .. }
            | Did::Clock { .. }
            | Did::Begin { .. }
            | Did::Copy { .. }
            | Did::Seal { .. }
            | Did::Sign { .. }
            | Did::Pause { .. }
            | Did::Resume {}
            | Did::Branch { .. } => None,
        },
        Body::Genesis(_)
        | Body::Readback(_)
        | Body::SecretEvent(_)
        | Body::Exception(_)
        | Body::Skip(_)
        | Body::Abort(_)
        | Body::Recovered(_)
        | Body::Cast(_)
        | Body::Seal(_)
        | Body::Anchor(_)
        | Body::End(_) => None,
    }
}

fn evidence(folder: &CeremonyFolder, record: &Record) -> Result<Claim, VerifyError> {
    let mut look = Look::default();
    let mut named = BTreeMap::new();
    let mut artefacts = BTreeSet::new();
    for (line, entry) in &record.entries {
        if let Some(sha256) = named_by(&entry.body) {
            named.entry(sha256).or_insert(*line);
        }
        if let Body::Artefact(artefact) = &entry.body {
            look.at(*line);
            artefacts.insert(artefact.sha256);
        }
        if let Body::Seal(seal) = &entry.body {
            let listed: BTreeSet<_> = seal.artefacts.iter().copied().collect();
            if listed != artefacts || listed.len() != seal.artefacts.len() {
                look.fault_at(
                    *line,
                    "the seal does not list each artefact of the lines before it once",
                );
            }
        }
    }
    for (sha256, line) in &named {
        match digest(folder, &format!("evidence/{sha256}"))? {
            None => look.fault_at(*line, format!("there is no evidence/{sha256}")),
            Some(is) if is != *sha256 => look.fault_at(*line, format!("evidence/{sha256} has {is}")),
            Some(_) => {}
        }
    }
    for name in names(folder, "evidence")? {
        if name
            .parse()
            .is_ok_and(|sha256: Digest| named.contains_key(&sha256))
        {
            continue;
        }
        look.fault(format!("no line of the log names evidence/{name}"));
    }
    Ok(look.claim(
        "evidence",
        "each file that a step read, wrote or printed is in evidence under its digest, and nothing else is",
        "cd evidence && sha256sum * | awk '$1 != $2'",
        format!("{} files", named.len()),
    ))
}

fn casts(folder: &CeremonyFolder, record: &Record) -> Result<Claim, VerifyError> {
    let mut look = Look::default();
    let mut begun = BTreeSet::new();
    let mut marks = 0;
    let mut marked: BTreeMap<&str, u64> = BTreeMap::new();
    for (line, entry) in &record.entries {
        let mark: Option<&CastMark> = match &entry.body {
            Body::Cast(cast) => {
                look.at(*line);
                begun.insert(cast.file.clone());
                None
            }
            Body::Seal(seal) => Some(&seal.cast),
            Body::Recovered(recovered) => recovered.cast.as_ref(),
            Body::Genesis(_)
            | Body::Step(_)
            | Body::Readback(_)
            | Body::Artefact(_)
            | Body::SecretEvent(_)
            | Body::Exception(_)
            | Body::Skip(_)
            | Body::Abort(_)
            | Body::Anchor(_)
            | Body::End(_) => None,
        };
        let Some(mark) = mark else { continue };
        let upto = marked.entry(&mark.file).or_default();
        *upto = mark.offset.max(*upto);
        marks += 1;
        if !begun.contains(&mark.file) {
            look.fault_at(*line, format!("the recording {} did not begin before", mark.file));
            continue;
        }
        match digest_of_start(folder, &mark.file, mark.offset)? {
            None => look.fault_at(*line, format!("there is no {}", mark.file)),
            Some((_, length)) if length < mark.offset => {
                look.fault_at(
                    *line,
                    format!("{} has {length} bytes, not {}", mark.file, mark.offset),
                );
            }
            Some((is, _)) if is != mark.sha256 => {
                look.fault_at(
                    *line,
                    format!("the first {} bytes of {} have {is}", mark.offset, mark.file),
                );
            }
            Some(_) => {}
        }
    }
    unnamed(folder, "cast-", &begun, &mut look)?;
    let after = after_marks(folder, &begun, &marked)?;
    let unsealed = if after == 0 {
        String::new()
    } else {
        format!("; {after} bytes came after the last of them and are under no seal")
    };
    Ok(look.claim(
        "recordings",
        "the recordings of the screen are as they were at each seal",
        r#"head -c OFFSET cast-1 | sha256sum; grep -o '"cast":{"file"[^}]*}' log.jsonl"#,
        format!("{} recordings, {marks} marks{unsealed}", begun.len()),
    ))
}

/// How much of the recordings comes after their last mark, such as what the screen showed while people signed the last checkpoint.
fn after_marks(
    folder: &CeremonyFolder,
    begun: &BTreeSet<String>,
    marked: &BTreeMap<&str, u64>,
) -> Result<u64, VerifyError> {
    let mut after = 0;
    for name in begun {
        let marked = marked.get(name.as_str()).map_or(0, |upto| *upto);
        let length = length(folder, name)?.map_or(0, |length| length);
        after += length.saturating_sub(marked);
    }
    Ok(after)
}

fn torn(folder: &CeremonyFolder, record: &Record) -> Result<Claim, VerifyError> {
    let mut look = Look::default();
    let mut kept = BTreeSet::new();
    for (line, entry) in &record.entries {
        let Body::Recovered(recovered) = &entry.body else {
            continue;
        };
        look.at(*line);
        for torn in &recovered.torn {
            kept.insert(torn.file.clone());
            match digest(folder, &torn.file)? {
                None => look.fault_at(*line, format!("there is no {}", torn.file)),
                Some(is) if is != torn.sha256 => {
                    look.fault_at(*line, format!("{} has {is}, not {}", torn.file, torn.sha256));
                }
                Some(_) => {}
            }
        }
    }
    unnamed(folder, "torn-", &kept, &mut look)?;
    let recovered = record
        .entries
        .iter()
        .filter(|(_, entry)| matches!(entry.body, Body::Recovered(_)));
    let seen = format!(
        "{} interruptions, {} ends of lines kept",
        recovered.count(),
        kept.len()
    );
    Ok(look.claim(
        "torn",
        "what an interruption left is kept as the log says",
        r#"sha256sum torn-*; grep -o '"torn":\[[^]]*\]' log.jsonl"#,
        seen,
    ))
}

/// Files with such a name that the log does not have.
fn unnamed(
    folder: &CeremonyFolder,
    prefix: &str,
    named: &BTreeSet<String>,
    look: &mut Look,
) -> Result<(), VerifyError> {
    for name in names(folder, ".")? {
        if name.starts_with(prefix) && !named.contains(&name) {
            look.fault(format!("no line of the log is about {name}"));
        }
    }
    for name in named {
        if !name.starts_with(prefix) {
            look.fault(format!("{name} is no name of such a file"));
        }
    }
    Ok(())
}
