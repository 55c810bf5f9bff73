//! named in real time, with TTLs of a second: what its files are read as is what it served, at every moment of a KSK and a ZSK rollover.

use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::Utc;
use interchange::{Event, ForeignKey, RecordState};
use key_metadata::{Role, Span, Time, ZoneName};
use rollover::chain::Validators;
use rollover::histories::{Circumstances, bind};
use rollover::prove::{Claim, prove};
use rollover::schedule::{Propagation, Signatures};

use crate::named::Named;
use crate::served::{self, Sample};

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
        samples.push(Sample::take(named.port, ZONE));
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
    let tags: Vec<u16> = keys.iter().map(ForeignKey::key_tag).collect();
    served::compare(&schedule, &tags, &samples);
    // A parent whose TTL is longer than named was told: Rsafe covers a second of it, and no more.
    let slow = Circumstances {
        ttl_ds: Span::from_seconds(6),
        ..AROUND
    };
    let reading = bind::schedule(&zone, &keys, &slow, Time::from(Utc::now())).unwrap();
    assert!(prove(&reading.schedule, &claim).unwrap().is_err());
}
