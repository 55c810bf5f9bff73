//! What a server answers, against what its keys were read as.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::Utc;
use key_metadata::{Span, Time};
use rollover::schedule::{Event, KeyLanes, Lane, Presence, Schedule};

use crate::daemon::run;

/// What a server answered, by key tags.
pub struct Sample {
    at: Time,
    dnskey: BTreeSet<u16>,
    dnskey_rrsig: BTreeSet<u16>,
    zone_rrsig: BTreeSet<u16>,
}

impl Sample {
    /// Asks the server at that port of the loopback interface. `ns` of the zone has an address.
    pub fn take(port: u16, zone: &str) -> Self {
        let port = port.to_string();
        let ask = |name: &str, kind: &str| {
            let argv = ["drill", "-D", "-p", &port, "@127.0.0.1", name, kind];
            run("ldnsutils", Path::new("/"), &argv)
        };
        let keys = ask(zone, "DNSKEY");
        let signed = |answer: &str, kind: &str| {
            let covered = format!("\tRRSIG\t{kind} ");
            let records = answer.lines().filter_map(|line| line.split_once(&covered));
            records
                .map(|(_, rest)| rest.split(' ').nth(5).unwrap().parse().unwrap())
                .collect()
        };
        Self {
            at: Time::from(Utc::now()),
            dnskey: keys
                .lines()
                .filter_map(|line| line.split_once(";{id = "))
                .map(|(_, rest)| rest.split(' ').next().unwrap().parse().unwrap())
                .collect(),
            dnskey_rrsig: signed(&keys, "DNSKEY"),
            zone_rrsig: signed(&ask(&format!("ns.{zone}"), "A"), "A"),
        }
    }
}

/// How late a server can be that has other things to do.
const LATE: Span = Span::from_seconds(2);

/// Whether a lane has something at that time; nothing, about when it changes.
fn has(lane: &Lane, at: Time) -> Option<bool> {
    let is_near = |event: Event| event.from.before(LATE) <= at && at <= event.by.after(LATE);
    let mut events = lane
        .0
        .iter()
        .flat_map(|one| [Some(one.begins), one.ends])
        .flatten();
    if events.any(is_near) {
        return None;
    }
    let is_there = |one: &Presence| one.begins.by <= at && one.ends.is_none_or(|ends| at < ends.from);
    Some(lane.0.iter().any(is_there))
}

fn key_of(schedule: &Schedule, tag: u16) -> &KeyLanes {
    let ends = format!(" {tag}");
    schedule
        .keys
        .iter()
        .find(|key| key.label.ends_with(&ends))
        .unwrap()
}

/// Every lane of every key, at the time of every answer.
pub fn compare(schedule: &Schedule, tags: &[u16], samples: &[Sample]) {
    let mut compared = [0; 3];
    for sample in samples {
        for tag in tags {
            let lanes = key_of(schedule, *tag);
            for (part, lane, served) in [
                (0, &lanes.dnskey, &sample.dnskey),
                (1, &lanes.dnskey_rrsig, &sample.dnskey_rrsig),
                (2, &lanes.zone_rrsig, &sample.zone_rrsig),
            ] {
                if let Some(read) = has(lane, sample.at) {
                    let served = served.contains(tag);
                    assert_eq!(
                        read, served,
                        "{} at {}, part {part}: {lane:#?}",
                        lanes.label, sample.at
                    );
                    compared[part] += 1;
                }
            }
        }
    }
    // Of each key two or three changes take out some seconds.
    let least = samples.len() * tags.len() / 4;
    assert!(
        compared.iter().all(|count| *count > least),
        "{compared:?} of {} answers and {} keys",
        samples.len(),
        tags.len()
    );
}
