//! The lines of the log for themselves: their form, their chain, their times and their order.

use super::claim::Claim;
use super::look::{Look, not_checked};
use super::record::Record;
use crate::log::{Body, EndOutcome};
use crate::script::Kind;

/// The claims about the lines, in the order of the specification.
pub(super) fn claims(record: &Record) -> Vec<Claim> {
    vec![
        format(record),
        chain(record),
        times(record),
        order(record),
        finished(record),
        kind(record),
    ]
}

fn format(record: &Record) -> Claim {
    let mut look = Look::default();
    for what in &record.file {
        look.fault(what);
    }
    for (line, why) in &record.broken {
        look.fault_at(*line, why);
    }
    look.claim(
        "format",
        "each line of the log is an entry",
        r#"LC_ALL=C grep -nv '^{"n":[0-9]*,"prev":"[0-9a-f]\{64\}","t":"[0-9TZ:-]\{20\}","type":"[a-z-]*","by":\[[^]]*\],"body":{[ -~]*}}$' log.jsonl"#,
        std::format!("{} lines", record.count),
    )
}

fn chain(record: &Record) -> Claim {
    let mut look = Look::default();
    if record.count == 0 {
        look.fault("there are no lines");
    }
    for (line, why) in &record.unchained {
        look.fault_at(*line, why);
    }
    look.claim(
        "chain",
        "each line names the digest of the line before it",
        r#"n=7; sed -n "$((n-1))p" log.jsonl | sha256sum; sed -n "${n}p" log.jsonl | cut -c1-90"#,
        std::format!(
            "{} lines, each with the number and the digest that it must have",
            record.count
        ),
    )
}

fn times(record: &Record) -> Claim {
    let mut look = Look::default();
    for pair in record.entries.windows(2) {
        if let [(_, before), (line, after)] = pair
            && after.t < before.t
        {
            look.fault_at(*line, std::format!("{} is before {}", after.t, before.t));
        }
    }
    let times = record
        .entries
        .first()
        .zip(record.entries.last())
        .map(|((_, first), (_, last))| std::format!("from {} to {}", first.t, last.t));
    look.claim(
        "times",
        "no line is older than the line before it",
        r#"sed 's/.*"t":"\([^"]*\)","type.*/\1/' log.jsonl | LC_ALL=C sort -c"#,
        times.map_or_else(|| "no lines".to_owned(), |times| times),
    )
}

/// Where a log is, by the types of its entries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Nothing,
    Open,
    Ended,
    Closed,
}

fn order(record: &Record) -> Claim {
    let mut look = Look::default();
    let (mut stage, mut seals, mut unanchored) = (Stage::Nothing, 0, None);
    for (line, entry) in &record.entries {
        let name = entry.body.type_name();
        match (stage, &entry.body) {
            (Stage::Nothing, Body::Genesis(_)) => stage = Stage::Open,
            (Stage::Nothing, _) => {
                look.fault_at(
                    *line,
                    std::format!("the first entry is a {name} entry, no genesis"),
                );
                stage = Stage::Open;
            }
            (Stage::Open | Stage::Ended, Body::Genesis(_)) => look.fault_at(*line, "a second genesis"),
            (Stage::Open, Body::End(_)) => stage = Stage::Ended,
            (Stage::Ended, Body::Seal(_)) => stage = Stage::Closed,
            // The program was interrupted between the end and its seal.
            (Stage::Ended, Body::Recovered(_) | Body::Cast(_)) | (Stage::Open, _) => {}
            (Stage::Ended, _) => look.fault_at(*line, std::format!("a {name} entry after the end")),
            (Stage::Closed, _) => look.fault_at(*line, std::format!("a {name} entry after the last seal")),
        }
        if let Body::Seal(seal) = &entry.body {
            seals += 1;
            if seal.checkpoint != seals {
                let what = std::format!(
                    "the seal of checkpoint {}, where {seals} follows",
                    seal.checkpoint
                );
                look.fault_at(*line, what);
            }
            if let Some(before) = unanchored.replace(seal.checkpoint) {
                let what = std::format!("checkpoint {before} has no anchor entry before the next seal");
                look.fault_at(*line, what);
            }
        }
        if let Body::Anchor(anchor) = &entry.body
            && unanchored.take() != Some(anchor.checkpoint)
        {
            let what = std::format!(
                "an anchor entry of checkpoint {}, which was not sealed just before",
                anchor.checkpoint
            );
            look.fault_at(*line, what);
        }
    }
    if stage == Stage::Nothing {
        look.fault("there is no genesis");
    }
    look.claim(
        "order",
        "the entries come in the order of a ceremony: genesis once and first, seals by number, each anchored, nothing after the last",
        r#"sed 's/.*"type":"\([a-z-]*\)","by".*/\1/' log.jsonl | uniq -c"#,
        std::format!("{seals} seals"),
    )
}

fn finished(record: &Record) -> Claim {
    let mut look = Look::default();
    let mut seen = String::new();
    let ends: Vec<_> = record.entries.iter().rev().take(2).collect();
    match ends.as_slice() {
        [(line, last), (_, before)] => match (&last.body, &before.body) {
            (Body::Seal(_), Body::End(end)) => {
                look.at(*line);
                seen = match end.outcome {
                    EndOutcome::Completed => "completed".to_owned(),
                    EndOutcome::Aborted => "it was broken off, and its safe state reached".to_owned(),
                };
            }
            (Body::Seal(_), Body::Recovered(_) | Body::Cast(_)) if has_end(record) => {
                look.at(*line);
                seen = "it ended, after an interruption".to_owned();
            }
            (_, _) => {
                look.fault("the ceremony is not finished: its log does not close with an end and a seal")
            }
        },
        _ => look.fault("the ceremony is not finished: its log does not close with an end and a seal"),
    }
    look.claim(
        "finished",
        "the ceremony came to its end, which is sealed",
        r#"tail -n 2 log.jsonl | sed 's/.*"type":"\([a-z-]*\)","by".*/\1/'"#,
        seen,
    )
}

fn has_end(record: &Record) -> bool {
    record
        .entries
        .iter()
        .any(|(_, entry)| matches!(entry.body, Body::End(_)))
}

fn kind(record: &Record) -> Claim {
    let claim = "the log's name says whether the ceremony counts, as its genesis does";
    let command = r#"head -n 1 log.jsonl | grep -o '"log":"[^"]*","kind":"[A-Z]*"'"#;
    let Some(genesis) = record.genesis() else {
        return not_checked("kind", claim, command, "the log has no genesis");
    };
    let mut look = Look::default();
    look.at(1);
    let named = genesis.log.as_str().starts_with("REHEARSAL/");
    match (genesis.kind, named) {
        (Kind::Production, false) | (Kind::Rehearsal, true) => {}
        (Kind::Production, true) => {
            look.fault_at(1, "kind is PRODUCTION, and the log has a rehearsal's name")
        }
        (Kind::Rehearsal, false) => look.fault_at(
            1,
            "kind is REHEARSAL, and the log has the name of a ceremony that counts",
        ),
    }
    let seen = match genesis.kind {
        Kind::Production => std::format!("PRODUCTION: {}", genesis.log),
        Kind::Rehearsal => std::format!("REHEARSAL, nothing here is fit for use: {}", genesis.log),
    };
    look.claim("kind", claim, command, seen)
}
