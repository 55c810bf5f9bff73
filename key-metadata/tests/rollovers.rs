//! Every method of rollover as a walk of steps through the gate: each step that waits is refused one second before its wait is over, by the rule
//! that is named, and free when it is.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use key_metadata::evidence::SightingError;
use key_metadata::gate::{Refusal, Rule, refusals};
use key_metadata::{
    Action, Algorithm, Backup, Change, Evidence, Extractability, KeyId, KeyRecord, KeyReference, KeyState,
    KeyTimes, Policy, PublicKey, Role, Sighting, Span, Step, Time, TokenUri, ZoneKeys,
};

use Rule::{
    Algorithm as OfAlgorithm, Clock, FirstDs, Order, PublicationInterval, RegistrationDelay, RetireInterval,
    Successor,
};

/// The base point of P-256 (SEC 2, 2.4.2).
const P256: [u8; 64] = [
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77,
    0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3,
    0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
    0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];

/// The waits of the shipped policy, in hours: Dsgn 2, Dprp 1, TTLkey 1, TTLsig 24, Dreg 48, DprpP 1, TTLds 24, Psafe 1, Rsafe 1.
const IPUB: u32 = 5;
const ISIG: u32 = 28;
const DREG: u32 = 48;
const IPUB_P: u32 = 26;
const DS_GONE: u32 = 26;
const DNSKEY_GONE: u32 = 5;
const DOUBLE: u32 = 28;

/// A zone's keys, and the hour.
struct Walk {
    keys: ZoneKeys,
    policy: Policy,
}

fn at(hours: u32) -> Time {
    "2026-01-01T00:00:00Z"
        .parse::<Time>()
        .unwrap()
        .after(Span::from_seconds(hours * 3600))
}

fn second_before(time: Time) -> Time {
    time.before(Span::from_seconds(1))
}

fn rules(refusals: &[Refusal]) -> Vec<Rule> {
    refusals.iter().map(|refusal| refusal.rule).collect()
}

fn change(action: Action, now: Time) -> Change {
    Change::new(now, action, "test", "test")
}

/// Keys of one algorithm have numbers below 10, those of another from 10 on.
fn key(number: u8, role: Role, state: KeyState) -> KeyRecord {
    let id = KeyId::from_random([number; 16]);
    let public_key = match number {
        0..10 => PublicKey::from_dnskey(Algorithm::Ed25519, &[number; 32]),
        10.. => PublicKey::from_dnskey(Algorithm::EcdsaP256Sha256, &P256),
    };
    let mut key = KeyRecord {
        id,
        role,
        public_key: public_key.unwrap(),
        reference: KeyReference::Pkcs11("pkcs11:token=cr".parse::<TokenUri>().unwrap().of_key(id)),
        state: KeyState::Generated,
        times: KeyTimes::generated(at(0)),
        backup: Backup::none(Extractability::Never),
    };
    if state == KeyState::Active {
        key.take(Step::Publish, at(0));
        if role.signs_dnskey() {
            key.take(Step::Register, at(0));
        }
        key.take(Step::Activate, at(0));
    }
    key
}

impl Walk {
    /// A zone whose first keys are active, and known in all the world, since hour 0.
    fn new(active: &[Role], generated: &[(u8, Role)]) -> Self {
        let mut keys = ZoneKeys::new("cr".parse().unwrap());
        for (number, role) in (1..).zip(active) {
            keys.add(
                key(number, *role, KeyState::Active),
                change(Action::Generate, at(0)),
            );
        }
        for (number, role) in generated {
            keys.add(
                key(*number, *role, KeyState::Generated),
                change(Action::Generate, at(0)),
            );
        }
        let policy = Policy::from_yaml(include_str!("../../policies/small-tld.yaml")).unwrap();
        Self { keys, policy }
    }

    fn key(&self, number: u8) -> &KeyRecord {
        self.keys.key(KeyId::from_random([number; 16])).unwrap()
    }

    fn ask(&self, step: Step, number: u8, now: Time) -> Vec<Refusal> {
        refusals(step, self.key(number), &self.keys, &self.policy, &[], now)
    }

    /// The step is refused at that hour, by those rules and whatever the time.
    fn refused(&self, step: Step, number: u8, hour: u32, by: &[Rule]) {
        let found = self.ask(step, number, at(hour));
        assert_eq!(rules(&found), by, "{step} of {number}: {found:?}");
        assert!(
            found.iter().all(|refusal| refusal.not_before.is_none()),
            "{found:?}"
        );
    }

    /// The step is refused until that hour, by those rules, and then taken.
    fn waits(&mut self, step: Step, number: u8, hour: u32, by: &[Rule]) {
        let early = self.ask(step, number, second_before(at(hour)));
        assert_eq!(rules(&early), by, "{step} of {number}: {early:?}");
        let last = early.iter().map(|refusal| refusal.not_before).max().unwrap();
        assert_eq!(last, Some(at(hour)), "{step} of {number}: {early:?}");
        assert!(
            early.iter().all(|refusal| refusal.why.contains(" = ")),
            "{early:?}"
        );
        self.takes(step, number, hour);
    }

    /// The step is free at that hour, and taken.
    fn takes(&mut self, step: Step, number: u8, hour: u32) {
        assert_eq!(self.ask(step, number, at(hour)), [], "{step} of {number}");
        self.overrides(step, number, hour);
    }

    /// The step is taken, whatever stands against it.
    fn overrides(&mut self, step: Step, number: u8, hour: u32) {
        let mut key = self.key(number).clone();
        key.take(step, at(hour));
        assert!(key.times.of(key.state).is_some());
        self.keys.replace(key, change(step.action(), at(hour)));
    }

    fn sees(&mut self, sighting: Sighting, number: u8, hour: u32) {
        let (id, now) = (KeyId::from_random([number; 16]), at(hour));
        let evidence = "3 of 3 servers".parse().unwrap();
        let change = change(Action::Accept, now);
        self.keys
            .enter_sighting(id, sighting, now, &evidence, change)
            .unwrap();
    }

    fn state(&self, number: u8) -> KeyState {
        self.key(number).state
    }
}

const PAIR: [Role; 2] = [Role::Ksk, Role::Zsk];
const KSK: u8 = 1;
const ZSK: u8 = 2;
const NEW: u8 = 3;

#[test]
fn zsk_double_signature() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Zsk)]);
    walk.refused(Step::Remove, ZSK, 9, &[Successor]);
    walk.takes(Step::Introduce, NEW, 10);
    assert!(walk.key(NEW).signs_zone() && walk.state(NEW).in_zone());
    // The new one is no successor as long as some caches do not know it.
    walk.refused(Step::Remove, ZSK, 999, &[Successor]);
    walk.refused(Step::Retire, ZSK, 999, &[Successor]);
    walk.waits(Step::Activate, NEW, 10 + IPUB, &[PublicationInterval]);
    walk.waits(Step::Remove, ZSK, 10 + DOUBLE, &[RetireInterval]);
    assert!(!walk.key(ZSK).signs());
    walk.takes(Step::Destroy, ZSK, 10 + DOUBLE);
}

/// A TTL of the DNSKEY RRset above all others is what counts then.
#[test]
fn zsk_double_signature_with_a_long_dnskey_ttl() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Zsk)]);
    walk.policy.dnskey_ttl = "2d".parse().unwrap();
    walk.takes(Step::Introduce, NEW, 10);
    walk.waits(Step::Activate, NEW, 10 + 52, &[PublicationInterval]);
    let early = walk.ask(Step::Remove, ZSK, at(10 + 51));
    // Its successor was activated an hour later than that.
    assert_eq!(rules(&early), [Clock, RetireInterval]);
    assert!(
        early[1]
            .why
            .starts_with("Iret = Dsgn 2h + Dprp 1h + TTLkey 2d + Rsafe 1h = 2d4h (RFC 7583 3.2.2) since ZSK"),
        "{}",
        early[1]
    );
    walk.takes(Step::Remove, ZSK, 10 + 52);
}

#[test]
fn a_zsk_that_was_introduced_can_be_given_up_at_once() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Zsk)]);
    walk.takes(Step::Introduce, NEW, 10);
    walk.takes(Step::Remove, NEW, 11);
}

/// Whoever signs since a moment ago is in no cache, even if its DNSKEY is in all of them.
#[test]
fn a_zsk_that_was_published_first_signs_as_long_before_the_old_one_goes_at_once() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Zsk)]);
    walk.takes(Step::Publish, NEW, 10);
    assert!(!walk.key(NEW).signs());
    walk.waits(Step::Activate, NEW, 10 + IPUB, &[PublicationInterval]);
    walk.waits(Step::Remove, ZSK, 10 + IPUB + DOUBLE, &[RetireInterval]);
}

#[test]
fn ksk_double_ds() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Ksk)]);
    walk.takes(Step::Submit, NEW, 10);
    assert_eq!(walk.state(NEW), KeyState::PreActive);
    assert!(walk.key(NEW).wants_ds() && !walk.key(NEW).signs() && !walk.state(NEW).in_zone());
    walk.refused(Step::Withdraw, KSK, 999, &[Successor]);
    walk.refused(Step::Remove, KSK, 999, &[Successor]);
    walk.waits(Step::Activate, NEW, 10 + DREG + IPUB_P, &[PublicationInterval]);
    // Both at the same signing.
    let swap = 10 + DREG + IPUB_P;
    walk.takes(Step::Withdraw, KSK, swap);
    assert!(walk.key(KSK).wants_ds() && !walk.key(KSK).signs_dnskey());
    walk.waits(Step::Remove, KSK, swap + DNSKEY_GONE, &[RetireInterval]);
    assert!(!walk.key(KSK).wants_ds());
    walk.waits(
        Step::Destroy,
        KSK,
        swap + DNSKEY_GONE + DREG + DS_GONE,
        &[RetireInterval],
    );
}

#[test]
fn ksk_double_ds_by_evidence() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Ksk)]);
    walk.takes(Step::Submit, NEW, 10);
    walk.sees(Sighting::Registered, NEW, 20);
    walk.waits(Step::Activate, NEW, 20 + IPUB_P, &[PublicationInterval]);
    let swap = 20 + IPUB_P;
    walk.takes(Step::Withdraw, KSK, swap);
    walk.waits(Step::Remove, KSK, swap + DNSKEY_GONE, &[RetireInterval]);
    walk.sees(Sighting::Deregistered, KSK, 60);
    walk.waits(Step::Destroy, KSK, 60 + DS_GONE, &[RetireInterval]);
}

#[test]
fn a_ds_without_its_dnskey_needs_another_beside_it() {
    // The zone's only KSK.
    let mut walk = Walk::new(&[Role::Zsk], &[(NEW, Role::Ksk)]);
    walk.refused(Step::Submit, NEW, 999, &[RegistrationDelay]);
    // One of another algorithm would not do: a validator may ask for each that the DS RRset has.
    walk = Walk::new(&PAIR, &[(10, Role::Ksk)]);
    walk.refused(Step::Submit, 10, 999, &[RegistrationDelay]);
    // One whose DS is not known to be there neither.
    walk = Walk::new(&PAIR, &[(NEW, Role::Ksk)]);
    let mut first = walk.key(KSK).clone();
    first.times.registered = None;
    first.times.submitted = Some(at(5));
    walk.keys.replace(first.clone(), change(Action::Accept, at(5)));
    let early = walk.ask(Step::Submit, NEW, second_before(at(5 + DREG)));
    assert_eq!(rules(&early), [RegistrationDelay]);
    assert_eq!(early[0].not_before, Some(at(5 + DREG)));
    assert_eq!(walk.ask(Step::Submit, NEW, at(5 + DREG)), []);
    first.times.submitted = None;
    walk.keys.replace(first, change(Action::Accept, at(5)));
    walk.refused(Step::Submit, NEW, 999, &[RegistrationDelay]);
    // A CSK's signatures would be missing.
    let walk = Walk::new(&[Role::Csk], &[(NEW, Role::Csk)]);
    walk.refused(Step::Submit, NEW, 999, &[Order]);
}

#[test]
fn a_ds_that_came_first_can_be_given_up_and_its_key_stays_until_it_is_gone() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Ksk)]);
    walk.takes(Step::Submit, NEW, 10);
    walk.takes(Step::Remove, NEW, 11);
    assert!(!walk.key(NEW).wants_ds());
    walk.waits(Step::Destroy, NEW, 11 + DREG + DS_GONE, &[RetireInterval]);
}

/// The outage of .nz in 2023, for a KSK whose successor was activated against the rules.
#[test]
fn a_ksk_is_not_withdrawn_while_a_cache_has_its_ds_alone() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Ksk)]);
    walk.takes(Step::Publish, NEW, 10);
    walk.waits(Step::Submit, NEW, 10 + IPUB, &[PublicationInterval]);
    walk.overrides(Step::Activate, NEW, 20);
    let known = 10 + IPUB + DREG + DS_GONE;
    walk.waits(Step::Withdraw, KSK, known, &[RetireInterval]);
}

#[test]
fn ksk_double_rrset() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Ksk)]);
    walk.takes(Step::Submit, NEW, 10);
    walk.takes(Step::Publish, NEW, 10);
    assert_eq!(walk.state(NEW), KeyState::Ready);
    walk.waits(Step::Activate, NEW, 10 + DREG, &[RegistrationDelay]);
    walk.waits(Step::Remove, KSK, 10 + DREG + DS_GONE, &[RetireInterval]);
    walk.waits(Step::Destroy, KSK, 10 + 2 * (DREG + DS_GONE), &[RetireInterval]);
}

/// Where the DS is there sooner than the DNSKEY is known, that counts.
#[test]
fn ksk_double_rrset_by_evidence() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Ksk)]);
    walk.takes(Step::Submit, NEW, 10);
    walk.takes(Step::Publish, NEW, 10);
    walk.sees(Sighting::Registered, NEW, 11);
    walk.waits(Step::Activate, NEW, 10 + IPUB, &[PublicationInterval]);
    walk.waits(Step::Remove, KSK, 11 + DS_GONE, &[RetireInterval]);
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Ksk)]);
    walk.takes(Step::Submit, NEW, 10);
    walk.sees(Sighting::Registered, NEW, 11);
    walk.takes(Step::Publish, NEW, 40);
    walk.overrides(Step::Activate, NEW, 41);
    walk.waits(Step::Remove, KSK, 40 + IPUB, &[RetireInterval]);
}

#[test]
fn ksk_double_ksk_by_evidence() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Ksk)]);
    walk.takes(Step::Publish, NEW, 10);
    walk.waits(Step::Submit, NEW, 10 + IPUB, &[PublicationInterval]);
    assert_eq!(rules(&walk.ask(Step::Activate, NEW, at(20))), [RegistrationDelay]);
    walk.sees(Sighting::Registered, NEW, 20);
    walk.takes(Step::Activate, NEW, 20);
    walk.takes(Step::Retire, KSK, 20);
    assert_eq!(
        walk.ask(Step::Remove, KSK, at(25))[0].not_before,
        Some(at(20 + DREG + DS_GONE))
    );
    walk.sees(Sighting::Deregistered, KSK, 30);
    walk.waits(Step::Remove, KSK, 30 + DS_GONE, &[RetireInterval]);
    // What was seen counts, also where it took longer than the policy says.
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Ksk)]);
    walk.overrides(Step::Publish, NEW, 10);
    walk.overrides(Step::Activate, NEW, 10);
    walk.takes(Step::Retire, KSK, 10);
    walk.sees(Sighting::Deregistered, KSK, 200);
    walk.waits(Step::Remove, KSK, 200 + DS_GONE, &[RetireInterval]);
}

/// What was seen of the DS does not hasten the signatures.
#[test]
fn a_csk_waits_for_signatures_and_ds() {
    let mut walk = Walk::new(&[Role::Csk], &[(NEW, Role::Csk)]);
    walk.overrides(Step::Activate, NEW, 10);
    walk.takes(Step::Retire, 1, 10);
    walk.sees(Sighting::Deregistered, 1, 11);
    walk.waits(Step::Remove, 1, 10 + DOUBLE, &[RetireInterval]);
}

const NEW_KSK: u8 = 11;
const NEW_ZSK: u8 = 12;

#[test]
fn algorithm_conservative() {
    let mut walk = Walk::new(&PAIR, &[(NEW_KSK, Role::Ksk), (NEW_ZSK, Role::Zsk)]);
    walk.refused(Step::Publish, NEW_ZSK, 9, &[OfAlgorithm]);
    walk.refused(Step::Publish, NEW_KSK, 9, &[OfAlgorithm]);
    // A1
    walk.takes(Step::PreActivate, NEW_ZSK, 10);
    assert!(walk.key(NEW_ZSK).signs_zone() && !walk.state(NEW_ZSK).in_zone());
    walk.refused(Step::Activate, NEW_ZSK, 999, &[Order]);
    // A2
    let known = 10 + ISIG;
    assert_eq!(
        rules(&walk.ask(Step::Publish, NEW_KSK, second_before(at(known)))),
        [OfAlgorithm]
    );
    walk.waits(Step::Publish, NEW_ZSK, known, &[OfAlgorithm]);
    walk.takes(Step::Publish, NEW_KSK, known);
    assert!(walk.key(NEW_ZSK).signs_zone() && walk.key(NEW_KSK).signs_dnskey());
    // A3: nothing of the old algorithm goes before the new one does all.
    walk.waits(Step::Submit, NEW_KSK, known + IPUB, &[PublicationInterval]);
    walk.refused(Step::Retire, KSK, 999, &[Successor]);
    walk.waits(Step::Activate, NEW_KSK, known + IPUB + DREG, &[RegistrationDelay]);
    walk.refused(Step::Retire, KSK, 999, &[Successor]);
    walk.takes(Step::Activate, NEW_ZSK, known + IPUB + DREG);
    let swap = known + IPUB + DREG;
    walk.refused(Step::Retire, ZSK, 999, &[Successor]);
    walk.refused(Step::Withdraw, ZSK, 999, &[RetireInterval]);
    walk.refused(Step::Remove, ZSK, 999, &[RetireInterval]);
    walk.takes(Step::Retire, KSK, swap);
    // A4
    let gone = swap + DREG + DS_GONE;
    assert_eq!(
        rules(&walk.ask(Step::Remove, KSK, second_before(at(gone)))),
        [RetireInterval]
    );
    walk.waits(Step::Withdraw, ZSK, gone, &[RetireInterval]);
    walk.waits(Step::Remove, KSK, gone, &[RetireInterval]);
    assert!(walk.key(ZSK).signs_zone() && !walk.state(ZSK).in_zone());
    // A5
    walk.waits(Step::Remove, ZSK, gone + DNSKEY_GONE, &[RetireInterval]);
    walk.takes(Step::Destroy, ZSK, gone + DNSKEY_GONE);
    walk.takes(Step::Destroy, KSK, gone + DNSKEY_GONE);
}

#[test]
fn algorithm_conservative_by_evidence() {
    let mut walk = Walk::new(&PAIR, &[(NEW_KSK, Role::Ksk), (NEW_ZSK, Role::Zsk)]);
    walk.takes(Step::PreActivate, NEW_ZSK, 10);
    // A KSK asks for the signatures of the ZSK.
    walk.waits(Step::Publish, NEW_KSK, 10 + ISIG, &[OfAlgorithm]);
    walk.takes(Step::Publish, NEW_ZSK, 10 + ISIG);
    walk.takes(Step::Submit, NEW_KSK, 50);
    walk.takes(Step::Activate, NEW_ZSK, 50);
    walk.sees(Sighting::Registered, NEW_KSK, 60);
    walk.takes(Step::Activate, NEW_KSK, 60);
    walk.takes(Step::Retire, KSK, 60);
    walk.sees(Sighting::Deregistered, KSK, 70);
    walk.waits(Step::Withdraw, ZSK, 70 + DS_GONE, &[RetireInterval]);
    walk.takes(Step::Remove, KSK, 70 + DS_GONE);
}

#[test]
fn algorithm_liberal() {
    let mut walk = Walk::new(&PAIR, &[(NEW_KSK, Role::Ksk), (NEW_ZSK, Role::Zsk)]);
    // A1 and A2
    walk.takes(Step::Introduce, NEW_ZSK, 10);
    walk.takes(Step::Publish, NEW_KSK, 10);
    // A3: DNSKEYs and signatures are known, of which the signatures are slower.
    let early = walk.ask(Step::Submit, NEW_KSK, at(11));
    assert_eq!(rules(&early), [PublicationInterval, FirstDs]);
    walk.waits(Step::Submit, NEW_KSK, 10 + 27, &[FirstDs]);
    walk.takes(Step::Activate, NEW_ZSK, 40);
    walk.waits(Step::Activate, NEW_KSK, 37 + DREG, &[RegistrationDelay]);
    walk.takes(Step::Retire, KSK, 37 + DREG);
    // A4 and A5
    walk.waits(Step::Remove, ZSK, 37 + DREG + DREG + DS_GONE, &[RetireInterval]);
    walk.takes(Step::Remove, KSK, 37 + DREG + DREG + DS_GONE);
}

#[test]
fn algorithm_of_a_csk() {
    let mut walk = Walk::new(&[Role::Csk], &[(10, Role::Csk)]);
    walk.refused(Step::Publish, 10, 9, &[OfAlgorithm]);
    walk.takes(Step::PreActivate, 10, 10);
    assert!(!walk.key(10).wants_ds() && !walk.key(10).signs_dnskey());
    walk.waits(Step::Publish, 10, 10 + ISIG, &[OfAlgorithm]);
    assert!(!walk.key(10).wants_ds() && walk.key(10).signs_dnskey() && walk.key(10).signs_zone());
    walk.refused(Step::RetireActive, 1, 999, &[Successor]);
    walk.waits(Step::Submit, 10, 10 + ISIG + IPUB, &[PublicationInterval]);
    walk.sees(Sighting::Registered, 10, 50);
    walk.takes(Step::Activate, 10, 50);
    // It cannot stop signing as long as its DNSKEY is there.
    walk.refused(Step::Retire, 1, 999, &[Successor]);
    walk.refused(Step::Withdraw, 1, 999, &[Order]);
    walk.takes(Step::RetireActive, 1, 50);
    assert!(walk.key(1).signs_zone() && walk.key(1).signs_dnskey() && !walk.key(1).wants_ds());
    walk.sees(Sighting::Deregistered, 1, 60);
    walk.waits(Step::Withdraw, 1, 60 + DS_GONE, &[RetireInterval]);
    assert!(walk.key(1).signs_zone() && !walk.key(1).signs_dnskey() && !walk.key(1).wants_ds());
    walk.waits(Step::Remove, 1, 60 + DS_GONE + DNSKEY_GONE, &[RetireInterval]);
    // The liberal end.
    let mut walk = Walk::new(&[Role::Csk], &[(10, Role::Csk)]);
    walk.overrides(Step::Activate, 10, 10);
    walk.takes(Step::RetireActive, 1, 50);
    walk.waits(Step::Remove, 1, 50 + DREG + DS_GONE, &[RetireInterval]);
}

/// An algorithm that is given up before its DS was submitted goes as it came, backwards.
#[test]
fn an_algorithm_that_is_given_up() {
    let mut walk = Walk::new(&PAIR, &[(NEW_KSK, Role::Ksk), (NEW_ZSK, Role::Zsk)]);
    walk.takes(Step::PreActivate, NEW_ZSK, 10);
    walk.takes(Step::Remove, NEW_ZSK, 11);
    let mut walk = Walk::new(&PAIR, &[(NEW_KSK, Role::Ksk), (NEW_ZSK, Role::Zsk)]);
    walk.takes(Step::Introduce, NEW_ZSK, 10);
    walk.takes(Step::Publish, NEW_KSK, 10);
    walk.refused(Step::Remove, NEW_ZSK, 999, &[RetireInterval]);
    walk.takes(Step::Withdraw, NEW_ZSK, 20);
    walk.takes(Step::Remove, NEW_KSK, 20);
    walk.waits(Step::Remove, NEW_ZSK, 20 + DNSKEY_GONE, &[RetireInterval]);
    // Once its DS is at the parent, it stays until that is gone.
    let mut walk = Walk::new(&PAIR, &[(NEW_KSK, Role::Ksk), (NEW_ZSK, Role::Zsk)]);
    walk.takes(Step::Introduce, NEW_ZSK, 10);
    walk.takes(Step::Publish, NEW_KSK, 10);
    walk.takes(Step::Submit, NEW_KSK, 40);
    walk.refused(Step::Withdraw, NEW_ZSK, 999, &[RetireInterval]);
}

/// A zone that becomes insecure keeps its keys until its DS was seen gone for long enough: one that the parent has left would make it bogus.
#[test]
fn insecure() {
    let mut walk = Walk::new(&PAIR, &[]);
    walk.refused(Step::Remove, ZSK, 9, &[Successor]);
    walk.refused(Step::Remove, KSK, 9, &[Successor]);
    walk.takes(Step::GoInsecure, KSK, 10);
    assert!(walk.key(KSK).signs_dnskey() && !walk.key(KSK).wants_ds());
    // Time alone does not do.
    for (step, number) in [(Step::Retire, ZSK), (Step::Remove, ZSK), (Step::Remove, KSK)] {
        walk.refused(step, number, 9999, &[RetireInterval]);
    }
    walk.sees(Sighting::Deregistered, KSK, 20);
    assert_eq!(
        walk.ask(Step::Retire, ZSK, second_before(at(20 + DS_GONE))).len(),
        1
    );
    walk.waits(Step::Remove, KSK, 20 + DS_GONE, &[RetireInterval]);
    walk.waits(Step::Remove, ZSK, 20 + DS_GONE, &[RetireInterval]);
    let mut walk = Walk::new(&[Role::Csk], &[]);
    walk.takes(Step::GoInsecure, 1, 10);
    walk.refused(Step::Remove, 1, 9999, &[RetireInterval]);
    walk.sees(Sighting::Deregistered, 1, 20);
    walk.waits(Step::Remove, 1, 20 + DS_GONE, &[RetireInterval]);
}

#[test]
fn a_zone_is_not_insecure_because_its_ksk_went_against_the_rules() {
    let mut walk = Walk::new(&PAIR, &[]);
    walk.takes(Step::GoInsecure, KSK, 10);
    walk.overrides(Step::Remove, KSK, 11);
    walk.refused(Step::Remove, ZSK, 9999, &[RetireInterval]);
}

/// As long as another DS is wanted, the zone is not to be insecure.
#[test]
fn a_zone_with_another_ds_is_not_insecure() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Ksk)]);
    walk.takes(Step::Publish, NEW, 10);
    walk.takes(Step::Submit, NEW, 20);
    walk.takes(Step::GoInsecure, KSK, 30);
    walk.sees(Sighting::Deregistered, KSK, 40);
    walk.refused(Step::Remove, ZSK, 9999, &[Successor]);
    walk.takes(Step::GoInsecure, NEW, 50);
    walk.refused(Step::Remove, ZSK, 9999, &[RetireInterval]);
    walk.sees(Sighting::Deregistered, NEW, 60);
    // It was never seen there, and may have been on its way.
    walk.waits(Step::Remove, ZSK, 20 + DREG + DS_GONE, &[RetireInterval]);
}

#[test]
fn steps_of_one_role_are_refused_to_the_others() {
    let walk = Walk::new(&PAIR, &[(NEW, Role::Ksk), (4, Role::Zsk)]);
    for (step, number) in [
        (Step::PreActivate, NEW),
        (Step::Introduce, NEW),
        (Step::Submit, 4),
        (Step::Register, ZSK),
        (Step::GoInsecure, ZSK),
        (Step::RetireActive, ZSK),
        (Step::Deregister, ZSK),
    ] {
        walk.refused(step, number, 99, &[Order]);
    }
}

#[test]
fn a_sighting_is_entered_with_its_evidence_and_only_where_it_can_be() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Ksk)]);
    let enter = |walk: &mut Walk, number, sighting, seen, now| {
        let evidence: Evidence = "3 of 3 servers of the parent".parse().unwrap();
        let id = KeyId::from_random([number; 16]);
        walk.keys
            .enter_sighting(id, sighting, at(seen), &evidence, change(Action::Accept, at(now)))
    };
    // Of a key that nobody gave to the parent, one that was seen already, one whose DS is wanted, and one that is not there.
    for (number, sighting) in [
        (NEW, Sighting::Registered),
        (KSK, Sighting::Registered),
        (KSK, Sighting::Deregistered),
    ] {
        let error = enter(&mut walk, number, sighting, 5, 5).unwrap_err();
        assert!(matches!(error, SightingError::Order { .. }), "{error}");
    }
    let error = enter(&mut walk, 99, Sighting::Registered, 5, 5).unwrap_err();
    assert!(matches!(error, SightingError::NoKey(_)), "{error}");
    walk.takes(Step::Submit, NEW, 10);
    for (seen, now) in [(9, 20), (21, 20)] {
        let error = enter(&mut walk, NEW, Sighting::Registered, seen, now).unwrap_err();
        assert!(matches!(error, SightingError::Time { .. }), "{error}");
    }
    enter(&mut walk, NEW, Sighting::Registered, 15, 20).unwrap();
    assert_eq!(walk.key(NEW).times.registered, Some(at(15)));
    let entry = walk.keys.history().last().unwrap();
    assert_eq!((entry.action, entry.at), (Action::Register, at(20)));
    assert_eq!(entry.reason.as_deref(), Some("3 of 3 servers of the parent"));
    assert!("".parse::<Evidence>().is_err() && "two\nlines".parse::<Evidence>().is_err());
    let text = key_metadata::yaml::render(&walk.keys).unwrap();
    let read = ZoneKeys::from_yaml(&text, walk.keys.zone()).unwrap();
    assert_eq!(read, walk.keys);
}

/// A DS that was seen at the parent was given there, whoever did that: by CDS, the parent takes it by itself.
#[test]
fn a_ds_that_is_seen_was_submitted() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Ksk)]);
    walk.takes(Step::Publish, NEW, 10);
    walk.sees(Sighting::Registered, NEW, 12);
    assert_eq!(walk.state(NEW), KeyState::Ready);
    assert_eq!(walk.key(NEW).times.submitted, Some(at(12)));
    walk.waits(Step::Activate, NEW, 10 + IPUB, &[PublicationInterval]);
}

#[test]
fn a_zone_that_went_insecure_is_signed_for_the_first_time_again() {
    let mut walk = Walk::new(&PAIR, &[(NEW, Role::Ksk), (4, Role::Zsk)]);
    walk.takes(Step::GoInsecure, KSK, 10);
    walk.sees(Sighting::Deregistered, KSK, 20);
    for key in [KSK, ZSK] {
        walk.takes(Step::Remove, key, 20 + DS_GONE);
    }
    walk.takes(Step::Publish, NEW, 50);
    walk.takes(Step::Publish, 4, 50);
    walk.takes(Step::Activate, 4, 50);
}

#[test]
fn a_first_signing_is_gone_back_from_until_a_ds_is_given_to_the_parent() {
    const FIRST: [(u8, Role); 2] = [(KSK, Role::Ksk), (ZSK, Role::Zsk)];
    let mut walk = Walk::new(&[], &FIRST);
    for (step, key) in [(Step::Publish, KSK), (Step::Publish, ZSK), (Step::Activate, ZSK)] {
        walk.takes(step, key, 10);
    }
    assert_eq!(walk.ask(Step::Remove, KSK, at(11)), []);
    walk.takes(Step::Remove, ZSK, 11);

    let mut walk = Walk::new(&[], &FIRST);
    for (step, key) in [(Step::Publish, KSK), (Step::Publish, ZSK), (Step::Activate, ZSK)] {
        walk.takes(step, key, 10);
    }
    walk.takes(Step::Submit, KSK, 50);
    walk.refused(Step::Remove, ZSK, 9999, &[Successor]);
}
