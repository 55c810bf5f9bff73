//! An observation in words.

use cli::table;
use key_metadata::{Asked, ChildAnswer, DsAnswer, NoAnswer, Observation, Time, ZoneName};
use rollover::compare::Finding;
use rollover::tags::{DnskeyTag, DsTag};

/// The tables for people.
pub fn shown(zone: &ZoneName, observation: &Observation) -> String {
    let mut text = format!("{zone} as of {}\n\n", observation.at);
    if let Some(parent) = &observation.parent {
        let of = observation.parent_zone.as_ref().map_or_else(
            || "SERVER OF THE PARENT".to_owned(),
            |parent| format!("SERVER OF {parent}"),
        );
        let rows = rows(parent, |answer| [ds_of(answer), answer.ttl.to_string()]);
        text.push_str(&table([&of, "ADDRESS", "DS", "TTL"], rows));
        text.push('\n');
    }
    if let Some(child) = &observation.child {
        let of = format!("SERVER OF {zone}");
        let rows = rows(child, |answer| {
            let serial = answer.soa.as_ref().map(|soa| soa.serial.to_string());
            let until = answer.rrsigs().map(|rrsig| rrsig.expiration).min();
            [
                dnskeys_of(answer),
                answer.dnskey.ttl.to_string(),
                serial.map_or_else(|| "-".to_owned(), |serial| serial),
                until.map_or_else(|| "-".to_owned(), |until: Time| until.to_string()),
            ]
        });
        let heading = [&of, "ADDRESS", "DNSKEY", "TTL", "SERIAL", "SIGNED UNTIL"];
        text.push_str(&table(heading, rows));
        text.push('\n');
    }
    text
}

/// A row for each server: its name, its address, and what its answer comes to, or why it is not known.
fn rows<A, const N: usize, const M: usize>(
    asked: &Asked<A>,
    cells: impl Fn(&A) -> [String; N],
) -> Vec<[String; M]> {
    let row = |name: String, address: String, cells: Vec<String>| {
        let mut all = [name, address].into_iter().chain(cells);
        std::array::from_fn(|_| all.next().map_or_else(String::new, |cell| cell))
    };
    let answered = asked.each().map(|(server, answer)| {
        row(
            server.name.to_string(),
            server.address.to_string(),
            cells(answer).into(),
        )
    });
    let unknown = asked.unknown.iter().map(|unknown: &NoAnswer| {
        let address = unknown
            .address
            .map_or_else(|| "-".to_owned(), |address| address.to_string());
        row(
            unknown.name.to_string(),
            address,
            vec![format!("({})", unknown.why)],
        )
    });
    answered.chain(unknown).collect()
}

fn ds_of(answer: &DsAnswer) -> String {
    match answer.ds.is_empty() {
        true => "none".to_owned(),
        false => joined(answer.ds.iter().map(DsTag)),
    }
}

/// With the SEP bit first.
fn dnskeys_of(answer: &ChildAnswer) -> String {
    match answer.dnskey.records.is_empty() {
        true => "none".to_owned(),
        false => joined(answer.dnskey.records.iter().rev().map(DnskeyTag)),
    }
}

pub fn joined(parts: impl Iterator<Item = impl ToString>) -> String {
    parts.map(|part| part.to_string()).collect::<Vec<_>>().join(", ")
}

pub fn said(finding: &Finding) -> String {
    let at = match finding.servers.is_empty() {
        true => String::new(),
        false => format!(" [{}]", joined(finding.servers.iter())),
    };
    format!("{}: {}{at}", finding.severity, finding.text)
}
