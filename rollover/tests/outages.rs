//! Outages that were, each as a history: what is found, when, with what in the caches, and which step had to wait until when; and that with the
//! wait nothing is found.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use std::collections::BTreeSet;

use key_metadata::{Span, Time};
use rollover::chain::{Break, Validators};
use rollover::histories::recorded::History;
use rollover::prove::{Claim, Counterexample, Fault, Proof, prove};
use rollover::rrsets::{Rrset, Version};
use rollover::schedule::{AlgorithmNumber, KeyIndex, Schedule};

fn read(text: &str) -> Schedule {
    History::from_yaml(text).unwrap().schedule().unwrap()
}

fn proved(schedule: &Schedule) -> Result<Proof, Vec<Counterexample>> {
    for_validators(schedule, Validators::Strict)
}

fn for_validators(schedule: &Schedule, validators: Validators) -> Result<Proof, Vec<Counterexample>> {
    let claim = Claim {
        validators,
        since: schedule.since,
        trust_anchors: None,
    };
    prove(schedule, &claim).unwrap()
}

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

fn span(text: &str) -> Span {
    text.parse().unwrap()
}

fn keys(schedule: &Schedule, labels: &[&str]) -> BTreeSet<KeyIndex> {
    let place = |label: &&str| schedule.keys.iter().position(|key| key.label == **label).unwrap();
    labels.iter().map(place).map(KeyIndex).collect()
}

/// Whose DS, whose DNSKEY, who signed that, and who signed the zone.
fn mix(found: &Counterexample) -> [&BTreeSet<KeyIndex>; 4] {
    let [ds, dnskey, zone]: &[Version; 3] = found.mix.as_deref().unwrap();
    [&ds.keys, &dnskey.keys, &dnskey.signers, &zone.signers]
}

/// Makes the steps wait that are named, one after the other, until nothing is found; which they were and until when they waited.
fn mended(schedule: &Schedule, validators: Validators) -> Vec<(String, Time)> {
    let mut schedule = schedule.clone();
    let mut waited: Vec<(String, Time)> = Vec::new();
    while let Err(found) = for_validators(&schedule, validators) {
        assert!(waited.len() < 10, "{waited:?}");
        let delay = found[0].delay.unwrap();
        let step = schedule.cause_name(delay.cause).to_owned();
        schedule = schedule.not_before(delay.cause, delay.until);
        match waited.iter_mut().find(|(known, _)| *known == step) {
            Some((_, until)) => *until = delay.until,
            None => waited.push((step, delay.until)),
        }
    }
    waited
}

/// The earliest of what is found.
fn first(schedule: &Schedule) -> Counterexample {
    proved(schedule).unwrap_err().remove(0)
}

const RSASHA256: AlgorithmNumber = AlgorithmNumber(8);

fn no_key_for(algorithm: AlgorithmNumber) -> Fault {
    Fault::Chain {
        why: Break::NoKeyForDs { algorithm },
    }
}

#[test]
fn nz_2023_the_old_ksk_went_before_its_ds_had_left_the_caches() {
    let schedule = read(include_str!("outages/nz-2023-05.yaml"));
    let found = first(&schedule);
    assert_eq!(found.at, time("2023-05-29T10:45:00Z"));
    assert_eq!(found.fault, no_key_for(RSASHA256));
    let of = |labels: &[&str]| keys(&schedule, labels);
    assert_eq!(
        mix(&found),
        [
            &of(&["KSK old"]),
            &of(&["KSK new", "ZSK"]),
            &of(&["KSK new"]),
            &of(&["ZSK"])
        ]
    );
    // DprpP + TTLds after the DS was exchanged (K3).
    let until = time("2023-05-30T01:00:00Z");
    assert_eq!(
        mended(&schedule, Validators::Strict),
        [("the old KSK is removed".to_owned(), until)]
    );
    assert_eq!(
        found.tell(&schedule),
        "from 2023-05-29T10:45:00Z until 2023-05-30T01:00:00Z, a resolver may find no chain: no DNSKEY matches a DS of RSASHA256; held: DS of \
         KSK old; DNSKEY of KSK new, ZSK signed by KSK new; zone signed by ZSK; 'the old KSK is removed' must wait until 2023-05-30T01:00:00Z"
    );
    // A second less is not enough.
    let step = found.delay.unwrap().cause;
    assert!(proved(&schedule.not_before(step, until.before(span("1s")))).is_err());
}

#[test]
fn gov_2013_one_algorithm_alone_was_signed_with() {
    let schedule = read(include_str!("outages/gov-2013-08.yaml"));
    let found = first(&schedule);
    assert_eq!(found.at, time("2013-08-14T12:00:00Z"));
    assert_eq!(found.fault, no_key_for(AlgorithmNumber(7)));
    let of = |labels: &[&str]| keys(&schedule, labels);
    let [ds, dnskey, signers, _] = mix(&found);
    assert_eq!(ds, &of(&["KSK of 7"]));
    assert_eq!(
        (dnskey, signers),
        (&of(&["KSK of 8", "ZSK of 8"]), &of(&["KSK of 8"]))
    );
    // The DS of algorithm 7 goes on 2 September, and leaves the caches DprpP + TTLds later.
    let alone = "the zone is signed with algorithm 8 alone".to_owned();
    let until = time("2013-09-03T13:00:00Z");
    assert_eq!(mended(&schedule, Validators::Standard), [(alone, until)]);
    // Strict validators hold a zone of both algorithms against one that is signed with one: there, the DNSKEYs have to go first (A4 and A5).
    assert!(
        for_validators(
            &schedule.not_before(found.delay.unwrap().cause, until),
            Validators::Strict
        )
        .is_err()
    );
}

#[test]
fn nasa_2012_old_and_new_were_never_there_together() {
    let schedule = read(include_str!("outages/nasa-2012-01.yaml"));
    let found = first(&schedule);
    assert_eq!(found.at, time("2012-01-18T12:00:00Z"));
    assert_eq!(found.fault, no_key_for(AlgorithmNumber(7)));
    let of = |labels: &[&str]| keys(&schedule, labels);
    assert_eq!(
        mix(&found),
        [
            &of(&["KSK old"]),
            &of(&["KSK new", "ZSK"]),
            &of(&["KSK new"]),
            &of(&["ZSK"])
        ]
    );
    // K1: the DS waits Dprp + TTLkey for the new DNSKEY. K3: the old KSK waits DprpP + TTLds for the old DS.
    let mut waited = mended(&schedule, Validators::Strict);
    waited.sort();
    assert_eq!(
        waited,
        [
            ("the DS is exchanged".to_owned(), time("2012-01-18T13:10:00Z")),
            (
                "the old KSK is withdrawn".to_owned(),
                time("2012-01-19T14:10:00Z")
            ),
        ]
    );
}

#[test]
fn hbonow_2015_a_ds_had_no_dnskey() {
    let text = include_str!("outages/hbonow-2015-03.yaml");
    let schedule = read(text);
    let found = first(&schedule);
    assert_eq!(
        (found.at, found.until, found.fault.clone()),
        (
            time("2015-03-09T12:00:00Z"),
            Some(time("2015-03-11T12:10:00Z")),
            no_key_for(RSASHA256)
        )
    );
    let none = BTreeSet::new();
    assert_eq!(
        mix(&found),
        [&keys(&schedule, &["KSK of the DS"]), &none, &none, &none]
    );
    // No wait mends it: there must be a key, and everything must be signed, before.
    assert_eq!(found.delay, None);
    let there = "there: { dnskey: [KSK of the DS], dnskey-signed-by: [KSK of the DS], zone-signed-by: [KSK of the DS] }";
    proved(&read(&text.replace("there: {}", there))).unwrap();
}

#[test]
fn ripe_2023_a_ttl_was_longer_than_what_signatures_had_left() {
    let text = include_str!("outages/ripe-2023-11.yaml");
    let schedule = read(text);
    let found = proved(&schedule).unwrap_err();
    let [expiry, outage] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(expiry.at, time("2023-10-25T10:45:00Z"));
    assert_eq!(
        expiry.fault,
        Fault::Expiry {
            rrset: Rrset::Zone,
            left: span("7d"),
            needs: span("10d10m")
        }
    );
    // To the minute when they did expire.
    let expires = time("2023-11-01T10:45:00Z");
    assert_eq!(outage.at, expires);
    assert_eq!(
        outage.fault,
        Fault::Outage {
            rrset: Rrset::Zone,
            expires
        }
    );
    // No step comes too early; the TTL and the signer are wrong. Each is found by itself.
    assert!(
        found
            .iter()
            .all(|found| found.delay.is_none() && found.mix.is_none())
    );
    let right_ttl = text.replace("ttl: 10d", "ttl: 1d");
    let faults = |text: &str| -> Vec<_> {
        let found = proved(&read(text)).unwrap_err();
        found.into_iter().map(|found| (found.at, found.fault)).collect()
    };
    assert_eq!(faults(&right_ttl), [(outage.at, outage.fault.clone())]);
    let (signing, _) = text.split_once("silences:").unwrap();
    assert_eq!(faults(signing), [(expiry.at, expiry.fault.clone())]);
    let (both, _) = right_ttl.split_once("silences:").unwrap();
    proved(&read(both)).unwrap();
}

#[test]
fn e164_2011_the_dnskey_rrset_was_not_signed_by_the_key_of_its_ds() {
    let text = include_str!("outages/e164-2011-02.yaml");
    let schedule = read(text);
    let found = first(&schedule);
    let algorithm = AlgorithmNumber(5);
    assert_eq!(found.at, time("2011-02-15T13:00:00Z"));
    assert_eq!(
        found.fault,
        Fault::Chain {
            why: Break::DnskeyNotSigned { algorithm }
        }
    );
    let of = |labels: &[&str]| keys(&schedule, labels);
    assert_eq!(
        mix(&found),
        [
            &of(&["KSK 33067"]),
            &of(&["KSK old", "KSK 33067", "ZSK"]),
            &of(&["KSK old"]),
            &of(&["ZSK"])
        ]
    );
    // Until the new zone had reached every cache; and no wait mends it, since the DS stays.
    assert_eq!(found.until, Some(time("2011-02-15T18:30:00Z")));
    assert_eq!(found.delay, None);
    let signed = "then: { dnskey-signed-by: [KSK old, KSK 33067] }";
    proved(&read(
        &text.replace("then: { dnskey-signed-by: [KSK old] }", signed),
    ))
    .unwrap();
}

#[test]
fn slack_2021_signing_was_turned_off_while_caches_had_the_ds() {
    let schedule = read(include_str!("outages/slack-2021-09.yaml"));
    let found = first(&schedule);
    assert_eq!(found.at, time("2021-09-30T18:00:00Z"));
    assert_eq!(found.fault, no_key_for(AlgorithmNumber(13)));
    let of = |labels: &[&str]| keys(&schedule, labels);
    let [ds, dnskey, ..] = mix(&found);
    assert_eq!((ds, dnskey), (&of(&["KSK"]), &of(&[])));
    // U1: DprpP + TTLds after the DS was taken out.
    assert_eq!(
        mended(&schedule, Validators::Strict),
        [("signing is turned off".to_owned(), time("2021-10-01T17:10:00Z"))]
    );
}

#[test]
fn se_2022_is_no_fault_of_times_or_sets() {
    proved(&read(include_str!("outages/se-2022-02.yaml"))).unwrap();
}

#[test]
fn the_example_of_the_format_is_one() {
    let page = include_str!("../../docs/formats/history-of-rrsets.md");
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    proved(&read(example)).unwrap();
}
