//! The rules of a key's life, against the vectors of RFC 7583's equations as a peer's system tests have them, and the outages that each rule
//! is to prevent.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use key_metadata::backup::{BundleEntry, Drill, DrillLevel};
use key_metadata::gate::{CLOCK_SKEW, Refusal, Rule, refusals};
use key_metadata::policy::KskSigns;
use key_metadata::step::{Step, next_step};
use key_metadata::timing::{Figures, publication_interval, retire_interval};
use key_metadata::{
    Action, Algorithm, Backup, Change, Extractability, KeyId, KeyRecord, KeyReference, KeyState, KeyTimes,
    Policy, PublicKey, Role, Span, Time, TokenUri, ZoneKeys,
};

const POLICY: &str = include_str!("../../policies/small-tld.yaml");
const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;

/// The shipped policy, with some figures set.
fn policy(figures: &[(&str, &str)]) -> Policy {
    let mut value: serde_yaml::Value = serde_yaml::from_str(POLICY).unwrap();
    for (path, figure) in figures {
        let mut place = &mut value;
        for part in path.split('/') {
            place = place.get_mut(part).unwrap();
        }
        *place = serde_yaml::from_str(figure).unwrap();
    }
    Policy::from_yaml(&serde_yaml::to_string(&value).unwrap()).unwrap()
}

fn at(hours: u32) -> Time {
    "2026-01-01T00:00:00Z"
        .parse::<Time>()
        .unwrap()
        .after(Span::from_seconds(hours * HOUR))
}

fn key(number: u8, role: Role, state: KeyState) -> KeyRecord {
    let id = KeyId::from_random([number; 16]);
    let mut times = KeyTimes::generated(at(0));
    if state != KeyState::Generated {
        times.published = Some(at(0));
    }
    if matches!(state, KeyState::Active | KeyState::Retired) {
        times.active = Some(at(0));
    }
    if state == KeyState::Retired {
        times.retired = Some(at(0));
    }
    KeyRecord {
        id,
        role,
        public_key: PublicKey::from_dnskey(Algorithm::Ed25519, &[number; 32]).unwrap(),
        reference: KeyReference::Pkcs11("pkcs11:token=cr".parse::<TokenUri>().unwrap().of_key(id)),
        state,
        times,
        backup: Backup::none(Extractability::Never),
    }
}

fn zone(keys: impl IntoIterator<Item = KeyRecord>) -> ZoneKeys {
    let mut zone = ZoneKeys::new("cr".parse().unwrap());
    for key in keys {
        zone.add(key, change(Action::Generate));
    }
    zone
}

fn change(action: Action) -> Change {
    Change::new(at(0), action, "test", "test")
}

fn ask(step: Step, number: usize, keys: &ZoneKeys, policy: &Policy, now: Time) -> Vec<Refusal> {
    refusals(step, &keys.keys()[number], keys, policy, &[], now)
}

fn rules(refusals: &[Refusal]) -> Vec<Rule> {
    refusals.iter().map(|refusal| refusal.rule).collect()
}

#[test]
fn intervals_are_those_of_the_vectors() {
    let hours = |wait: key_metadata::timing::Wait| wait.total().seconds() / HOUR;
    // ZSK pre-publication: Ipub 26 h, Iret 241 h.
    let zsk = policy(&[
        ("signatures/resign", "0s"),
        ("zone/propagation-delay", "1h"),
        ("dnskey-ttl", "1h"),
        ("safety/publish", "1d"),
    ]);
    assert_eq!(hours(publication_interval(&Figures::of(&zsk))), 26);
    let zsk = policy(&[
        ("signatures/resign", "7d"),
        ("zone/propagation-delay", "1h"),
        ("zone/max-ttl", "1d"),
        ("safety/retire", "2d"),
    ]);
    assert_eq!(hours(retire_interval(&Figures::of(&zsk), Role::Zsk)), 241);
    // KSK double-KSK: IpubC 27 h, Iret 50 h.
    let ksk = policy(&[
        ("signatures/resign", "0s"),
        ("zone/propagation-delay", "1h"),
        ("dnskey-ttl", "2h"),
        ("safety/publish", "1d"),
        ("parent/registration-delay", "0s"),
        ("parent/propagation-delay", "1h"),
        ("parent/ds-ttl", "1h"),
        ("safety/retire", "2d"),
    ]);
    assert_eq!(hours(publication_interval(&Figures::of(&ksk))), 27);
    assert_eq!(hours(retire_interval(&Figures::of(&ksk), Role::Ksk)), 50);
    // CSK: in one roll the signatures are slowest, in the other the DS.
    let signatures = policy(&[
        ("signatures/resign", "25d"),
        ("zone/propagation-delay", "1h"),
        ("zone/max-ttl", "1d"),
        ("safety/retire", "2h"),
        ("parent/registration-delay", "0s"),
        ("parent/propagation-delay", "1h"),
        ("parent/ds-ttl", "1h"),
    ]);
    assert_eq!(hours(retire_interval(&Figures::of(&signatures), Role::Ksk)), 4);
    assert_eq!(
        hours(retire_interval(&Figures::of(&signatures), Role::Csk)),
        26 * 24 + 3
    );
    let ds = policy(&[
        ("signatures/resign", "12h"),
        ("zone/propagation-delay", "1h"),
        ("zone/max-ttl", "1d"),
        ("safety/retire", "1h"),
        ("parent/registration-delay", "0s"),
        ("parent/propagation-delay", "7d"),
        ("parent/ds-ttl", "1h"),
    ]);
    assert_eq!(hours(retire_interval(&Figures::of(&ds), Role::Zsk)), 38);
    assert_eq!(hours(retire_interval(&Figures::of(&ds), Role::Csk)), 170);
}

#[test]
fn a_wait_shows_its_sum() {
    assert_eq!(
        publication_interval(&Figures::of(&policy(&[]))).to_string(),
        "Ipub = Dsgn 2h + Dprp 1h + TTLkey 1h + Psafe 1h = 5h (RFC 7583 3.2.1, 3.3.1, from the next signing)"
    );
}

#[test]
fn the_first_keys_of_a_zone_need_not_wait_and_later_ones_do() {
    let policy = policy(&[]);
    let first = zone([
        key(1, Role::Ksk, KeyState::Published),
        key(2, Role::Zsk, KeyState::Published),
    ]);
    for number in [0, 1] {
        assert_eq!(ask(Step::Activate, number, &first, &policy, at(0)), []);
    }
    // Another signer of the zone signs it already.
    let with_others = refusals(Step::Activate, &first.keys()[1], &first, &policy, &[7], at(4));
    assert_eq!(rules(&with_others), [Rule::PublicationInterval]);
    let later = zone([
        key(1, Role::Zsk, KeyState::Active),
        key(2, Role::Zsk, KeyState::Published),
    ]);
    let early = ask(Step::Activate, 1, &later, &policy, at(4));
    assert_eq!(rules(&early), [Rule::PublicationInterval]);
    assert_eq!(early[0].not_before, Some(at(5)));
    assert!(
        early[0].why.contains("so not before 2026-01-01T05:00:00Z"),
        "{}",
        early[0]
    );
    assert_eq!(ask(Step::Activate, 1, &later, &policy, at(5)), []);
}

#[test]
fn a_ksk_takes_over_when_its_ds_is_at_the_parent() {
    let policy = policy(&[]);
    let mut keys = zone([
        key(1, Role::Ksk, KeyState::Active),
        key(2, Role::Zsk, KeyState::Active),
        key(3, Role::Ksk, KeyState::Published),
    ]);
    assert_eq!(
        rules(&ask(Step::Activate, 2, &keys, &policy, at(5))),
        [Rule::RegistrationDelay]
    );
    assert_eq!(
        rules(&ask(Step::Submit, 2, &keys, &policy, at(4))),
        [Rule::PublicationInterval, Rule::FirstDs]
    );
    // Its DS is the first one only as long as no other was submitted: signatures leave the caches later than keys.
    assert_eq!(
        rules(&ask(Step::Submit, 2, &keys, &policy, at(26))),
        [Rule::FirstDs]
    );
    assert_eq!(ask(Step::Submit, 2, &keys, &policy, at(27)), []);
    let mut submitted = keys.keys()[2].clone();
    submitted.take(Step::Submit, at(27));
    assert_eq!(submitted.state, KeyState::Ready);
    keys.replace(submitted, change(Action::Submit));
    assert_eq!(
        ask(Step::Activate, 2, &keys, &policy, at(28))[0].not_before,
        Some(at(27 + 48))
    );
    assert_eq!(ask(Step::Activate, 2, &keys, &policy, at(75)), []);
    // A ZSK has no DS.
    assert_eq!(
        rules(&ask(Step::Submit, 1, &keys, &policy, at(99))),
        [Rule::Order]
    );
    assert_eq!(
        rules(&ask(Step::Revoke, 1, &keys, &policy, at(99))),
        [Rule::Order]
    );
}

#[test]
fn no_key_goes_without_a_successor_of_its_algorithm() {
    let policy = policy(&[]);
    let alone = zone([
        key(1, Role::Zsk, KeyState::Active),
        key(2, Role::Zsk, KeyState::Published),
    ]);
    assert_eq!(
        rules(&ask(Step::Retire, 0, &alone, &policy, at(99))),
        [Rule::Successor]
    );
    let two = zone([
        key(1, Role::Zsk, KeyState::Active),
        key(2, Role::Zsk, KeyState::Active),
    ]);
    assert_eq!(ask(Step::Retire, 0, &two, &policy, at(99)), []);
    // A CSK does both parts: a ZSK alone does not succeed it.
    let csk = zone([
        key(1, Role::Csk, KeyState::Active),
        key(2, Role::Zsk, KeyState::Active),
    ]);
    assert_eq!(
        rules(&ask(Step::Retire, 0, &csk, &policy, at(99))),
        [Rule::Successor]
    );
    let mut other = key(2, Role::Zsk, KeyState::Active);
    other.public_key = PublicKey::from_dnskey(Algorithm::EcdsaP256Sha256, &P256).unwrap();
    let other = zone([key(1, Role::Zsk, KeyState::Active), other]);
    assert_eq!(
        rules(&ask(Step::Retire, 0, &other, &policy, at(99))),
        [Rule::Successor]
    );
}

/// The base point of P-256 (SEC 2, 2.4.2).
const P256: [u8; 64] = [
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77,
    0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3,
    0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
    0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];

/// The outage of .nz in 2023: the old KSK was removed while caches had its DS.
#[test]
fn a_dnskey_stays_as_long_as_a_cache_can_need_it() {
    let policy = policy(&[]);
    let keys = zone([
        key(1, Role::Ksk, KeyState::Retired),
        key(2, Role::Zsk, KeyState::Retired),
        key(3, Role::Csk, KeyState::Retired),
    ]);
    // Dreg 2d + DprpP 1h + TTLds 1d + Rsafe 1h; Dsgn 2h + Dprp 1h + TTLsig 1d + Rsafe 1h.
    for (number, hours) in [(0, 74), (1, 28), (2, 74)] {
        let early = ask(Step::Remove, number, &keys, &policy, at(hours - 1));
        assert_eq!(rules(&early), [Rule::RetireInterval]);
        assert_eq!(early[0].not_before, Some(at(hours)));
        assert_eq!(ask(Step::Remove, number, &keys, &policy, at(hours)), []);
    }
    // What never signed is needed by nobody, but for its DS.
    let unused = zone([key(1, Role::Ksk, KeyState::Published)]);
    assert_eq!(ask(Step::Remove, 0, &unused, &policy, at(0)), []);
    let mut submitted = key(1, Role::Ksk, KeyState::Published);
    submitted.take(Step::Submit, at(1));
    let keys = zone([submitted]);
    assert_eq!(
        rules(&ask(Step::Remove, 0, &keys, &policy, at(999))),
        [Rule::RetireInterval]
    );
}

#[test]
fn a_revoked_key_is_shown_for_thirty_days() {
    let policy = policy(&[]);
    let keys = zone([
        key(1, Role::Ksk, KeyState::Retired),
        key(2, Role::Ksk, KeyState::Active),
    ]);
    assert_eq!(
        rules(&ask(Step::Revoke, 0, &keys, &policy, at(1))),
        [Rule::RetireInterval]
    );
    assert_eq!(
        rules(&ask(Step::Revoke, 1, &keys, &policy, at(1))),
        [Rule::Successor, Rule::RetireInterval]
    );
    let mut revoked = keys.keys()[0].clone();
    revoked.take(Step::Revoke, at(100));
    assert!(revoked.signs_dnskey());
    assert!(revoked.signs_with_signer(KskSigns::Online) && !revoked.signs_with_signer(KskSigns::Offline));
    let keys = zone([revoked, key(2, Role::Ksk, KeyState::Active)]);
    let early = ask(Step::Remove, 0, &keys, &policy, at(101));
    assert_eq!(rules(&early), [Rule::HoldDown]);
    assert_eq!(
        early[0].not_before,
        Some(at(100).after(Span::from_seconds(30 * DAY)))
    );
}

#[test]
fn a_key_that_can_be_lost_is_not_relied_on() {
    let policy = policy(&[("keys/ksk/require-backup", "[D0, D1, D3]")]);
    let drill = |level| Drill { level, at: at(0) };
    let bundle = |levels: &[DrillLevel]| BundleEntry {
        bundle: "b".to_owned(),
        created: at(0),
        drills: levels.iter().copied().map(drill).collect(),
    };
    let with = |bundles: Vec<BundleEntry>| {
        let mut key = key(1, Role::Ksk, KeyState::Published);
        key.backup.bundles = bundles;
        ask(Step::Activate, 0, &zone([key]), &policy, at(99))
    };
    use DrillLevel::{D0, D1, D2, D3};
    assert_eq!(rules(&with(vec![])), [Rule::BackupEvidence]);
    // Two halves of the evidence make no whole.
    let halves = with(vec![bundle(&[D0, D1]), bundle(&[D3, D0])]);
    assert_eq!(rules(&halves), [Rule::BackupEvidence]);
    assert!(
        halves[0].why.ends_with("of its 2 bundles the best one lacks D3"),
        "{}",
        halves[0]
    );
    assert_eq!(with(vec![bundle(&[D2]), bundle(&[D0, D3, D1])]), []);
}

/// The outage of .ru in 2024: two keys under one tag.
#[test]
fn a_tag_that_is_taken_is_not_published() {
    let keys = zone([key(1, Role::Zsk, KeyState::Generated)]);
    let key = &keys.keys()[0];
    for tag in [key.key_tag(), key.revoked_key_tag()] {
        let found = refusals(Step::Publish, key, &keys, &policy(&[]), &[tag], at(0));
        assert_eq!(rules(&found), [Rule::KeyTag]);
        assert!(!found[0].rule.can_be_overridden());
    }
}

/// What is recorded as done long ago has no wait after it: by a clock that was set back nothing is done.
#[test]
fn a_clock_that_was_set_back_is_refused() {
    let mut keys = ZoneKeys::new("cr".parse().unwrap());
    let change = Change::new(at(4), Action::Generate, "test", "test");
    keys.add(key(1, Role::Zsk, KeyState::Generated), change);
    assert_eq!(
        rules(&ask(Step::Publish, 0, &keys, &policy(&[]), at(3))),
        [Rule::Clock]
    );
    let told = &ask(Step::Publish, 0, &keys, &policy(&[]), at(0))[0];
    assert!(
        told.rule.can_be_overridden() && told.why.contains("(generate)"),
        "{told}"
    );
    // The clocks of two hosts may differ so much.
    let behind = at(4).before(CLOCK_SKEW);
    assert_eq!(ask(Step::Publish, 0, &keys, &policy(&[]), behind), []);
}

/// From every state, the steps that a key can take are those of the order, and one of them leads on until it is destroyed.
#[test]
fn the_order_leads_from_generated_to_destroyed() {
    let policy = policy(&[]);
    for role in Role::ALL {
        let mut key = key(1, role, KeyState::Generated);
        let mut seen = vec![key.state];
        while let Some(step) = next_step(&key) {
            let keys = zone([key.clone()]);
            let order = |step| {
                ask(step, 0, &keys, &policy, at(9999))
                    .iter()
                    .any(|r| r.rule == Rule::Order)
            };
            assert!(!order(step), "{role} {} {step}", key.state);
            let destroys = matches!(key.state, KeyState::Generated | KeyState::Removed);
            assert_eq!(order(Step::Destroy), !destroys, "{role} {}", key.state);
            key.take(step, at(1));
            assert!(key.times.of(key.state).is_some());
            seen.push(key.state);
        }
        assert_eq!(seen.last(), Some(&KeyState::Destroyed));
        assert!(seen.contains(&KeyState::Active) && seen.contains(&KeyState::Retired));
    }
}
