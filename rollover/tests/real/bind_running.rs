//! named in real time, with TTLs of a second: what its files are read as is what it served, at every moment of a KSK and a ZSK rollover.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::Utc;
use interchange::{Event, ForeignKey, RecordState};
use key_metadata::{Role, Span, Time, ZoneName};
use rollover::chain::Validators;
use rollover::histories::{Circumstances, bind};
use rollover::prove::{Claim, prove};
use rollover::schedule::{KeyLanes, Lane, Propagation, Schedule, Signatures};

use crate::daemon::run;
use crate::named::Named;

const ZONE: &str = "running.example";

const POLICY: &str = "keys { ksk lifetime PT15S algorithm 13; zsk lifetime PT15S algorithm 13; };\n\
    purge-keys 0; dnskey-ttl PT1S; max-zone-ttl PT1S; zone-propagation-delay PT1S; parent-ds-ttl PT1S; parent-propagation-delay PT1S;\n\
    publish-safety PT1S; retire-safety PT1S; signatures-validity PT60S; signatures-validity-dnskey PT60S; signatures-refresh PT53S;\n\
    signatures-jitter PT0S;\n";

const SECOND: Span = Span::from_seconds(1);

const AROUND: Circumstances = Circumstances {
    ttl_dnskey: SECOND,
    ttl_ds: SECOND,
    ttl_zone: SECOND,
    propagation: Propagation {
        zone: SECOND,
        parent: SECOND,
    },
    signatures: Signatures {
        zone: Span::from_seconds(53),
        dnskey: Span::from_seconds(53),
    },
    dsgn: Span::from_seconds(7),
    registration_delay: Span::from_seconds(5),
};

/// What named answered.
struct Sample {
    at: Time,
    dnskey: BTreeSet<u16>,
    dnskey_rrsig: BTreeSet<u16>,
    zone_rrsig: BTreeSet<u16>,
}

impl Sample {
    fn take(named: &Named) -> Self {
        let ask = |name: &str, kind: &str| {
            let port = named.port.to_string();
            let folder = named.keys(ZONE);
            run(
                "ldnsutils",
                &folder,
                &["drill", "-D", "-p", &port, "@127.0.0.1", name, kind],
            )
        };
        let keys = ask(ZONE, "DNSKEY");
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
            zone_rrsig: signed(&ask(&format!("ns.{ZONE}"), "A"), "A"),
        }
    }
}

/// Whether a lane has something at that time; nothing, where a second of it may not be known.
fn has(lane: &Lane, at: Time) -> Option<bool> {
    let is_near =
        |event: rollover::schedule::Event| event.from.before(SECOND) <= at && at <= event.by.after(SECOND);
    let mut events = lane
        .0
        .iter()
        .flat_map(|one| [Some(one.begins), one.ends])
        .flatten();
    if events.any(is_near) {
        return None;
    }
    let is_there = |one: &rollover::schedule::Presence| {
        one.begins.by <= at && one.ends.is_none_or(|ends| at < ends.from)
    };
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

/// Tells named that the parent did what the CDS ask for.
fn obey_cds(named: &Named, keys: &[ForeignKey]) {
    for key in keys.iter().filter(|key| key.role == Role::Ksk) {
        let tag = key.key_tag().to_string();
        let told = |event| key.times.get(event).is_some();
        let word = match key.records.ds.state {
            Some(RecordState::Rumoured) if !told(Event::DsSeen) => "published",
            Some(RecordState::Unretentive) if !told(Event::DsGone) => "withdrawn",
            Some(_) | None => continue,
        };
        named.rndc(&["dnssec", "-checkds", "-key", &tag, word, ZONE]);
    }
}

#[test]
fn what_is_read_is_what_named_served_and_is_proved_at_every_moment() {
    let folder = tempfile::tempdir().unwrap();
    let begin = Time::from(Utc::now());
    let named = Named::start(folder.path(), &[(ZONE, POLICY, 1)]);
    let zone: ZoneName = ZONE.parse().unwrap();
    let claim = Claim {
        validators: Validators::Strict,
        since: begin,
        trust_anchors: None,
    };
    let start = Instant::now();
    let mut samples = Vec::new();
    let (schedule, keys) = loop {
        assert!(
            start.elapsed() < Duration::from_secs(50),
            "no KSK and ZSK were rolled"
        );
        sleep(Duration::from_millis(200));
        samples.push(Sample::take(&named));
        // named may be at work on one of the files.
        let Ok(import) = interchange::bind::read_folder(&named.keys(ZONE), &zone) else {
            continue;
        };
        obey_cds(&named, &import.keys);
        let reading = bind::schedule(&zone, &import.keys, &AROUND, Time::from(Utc::now())).unwrap();
        let verdict = prove(&reading.schedule, &claim).unwrap();
        if let Err(found) = &verdict {
            let told: Vec<_> = found.iter().map(|found| found.tell(&reading.schedule)).collect();
            panic!("{told:#?}");
        }
        let is_over = |role| {
            let gone = |key: &&ForeignKey| {
                key.role == role
                    && key.records.goal == Some(RecordState::Hidden)
                    && key.records.dnskey.state == Some(RecordState::Hidden)
            };
            import.keys.iter().any(|key| gone(&key))
        };
        if is_over(Role::Ksk) && is_over(Role::Zsk) {
            break (reading.schedule, import.keys);
        }
    };
    let mut compared = [0; 3];
    for sample in &samples {
        for key in &keys {
            let lanes = key_of(&schedule, key.key_tag());
            let served = |tags: &BTreeSet<u16>| tags.contains(&key.key_tag());
            for (part, lane, is) in [
                (0, &lanes.dnskey, served(&sample.dnskey)),
                (1, &lanes.dnskey_rrsig, served(&sample.dnskey_rrsig)),
                (2, &lanes.zone_rrsig, served(&sample.zone_rrsig)),
            ] {
                if let Some(read) = has(lane, sample.at) {
                    assert_eq!(
                        read, is,
                        "{} at {}, part {part}: {lane:#?}",
                        lanes.label, sample.at
                    );
                    compared[part] += 1;
                }
            }
        }
    }
    // Each change takes out at most four seconds of some thirty, and the signatures of the zone take Dsgn besides.
    assert!(
        compared.iter().all(|count| *count > samples.len()),
        "{compared:?} of {}",
        samples.len()
    );
    // A parent whose TTL is longer than named was told: Rsafe covers a second of it, and no more.
    let slow = Circumstances {
        ttl_ds: Span::from_seconds(6),
        ..AROUND
    };
    let reading = bind::schedule(&zone, &keys, &slow, Time::from(Utc::now())).unwrap();
    assert!(prove(&reading.schedule, &claim).unwrap().is_err());
}
