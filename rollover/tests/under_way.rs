//! Plans of zones whose rollovers are under way: what was done late, quickly, or before an outage.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use key_metadata::timing::Figures;
use key_metadata::{
    Action, Algorithm, Backup, Change, Extractability, KeyId, KeyRecord, KeyState, KeyTimes, Policy,
    PublicKey, Role, Span, Step, Time, ZoneKeys,
};
use rollover::plan::{Act, Plan};
use rollover::planner::{Goal, Request, plan};

/// Resign 2 h, Dprp 1 h, TTLkey 1 h, TTLsig 1 d, DprpP 1 h, TTLds 1 d, Dreg 2 d, Psafe and Rsafe 1 h.
fn small_tld() -> Policy {
    let (_, text) = key_metadata::policy::SHIPPED
        .iter()
        .find(|(name, _)| *name == "small-tld")
        .unwrap();
    Policy::from_yaml(text).unwrap()
}

/// The same where everything takes some seconds: resign 2 s, Dprp 1 s, TTLs 5 s, DprpP 1 s, Dreg 3 s.
fn quick() -> Policy {
    let mut policy = small_tld();
    let seconds = Span::from_seconds;
    policy.signatures.resign = seconds(2);
    policy.zone.propagation_delay = seconds(1);
    policy.dnskey_ttl = seconds(5);
    policy.zone.max_ttl = seconds(5);
    policy.parent.propagation_delay = seconds(1);
    policy.parent.ds_ttl = seconds(5);
    policy.parent.registration_delay = seconds(3);
    policy.safety.publish = seconds(0);
    policy.safety.retire = seconds(0);
    policy
}

fn at(seconds: u32) -> Time {
    let begin: Time = "2026-12-01T00:00:00Z".parse().unwrap();
    begin.after(Span::from_seconds(seconds))
}

/// A zone of which nothing is known yet.
fn empty() -> ZoneKeys {
    ZoneKeys::new("example".parse().unwrap())
}

fn key(role: Role, number: u8, state: KeyState, times: KeyTimes) -> KeyRecord {
    KeyRecord {
        id: KeyId::from_random([number; 16]),
        role,
        public_key: PublicKey::from_dnskey(Algorithm::EcdsaP256Sha256, &[number; 64]).unwrap(),
        reference: "tpm2:tpm".parse().unwrap(),
        state,
        times,
        backup: Backup::none(Extractability::Never),
    }
}

/// A key that was made then.
fn make(keys: &mut ZoneKeys, role: Role, number: u8, when: Time) -> KeyId {
    let key = key(role, number, KeyState::Generated, KeyTimes::generated(when));
    let id = key.id;
    keys.add(key, Change::new(when, Action::Generate, "test", "ana"));
    id
}

fn take(keys: &mut ZoneKeys, id: KeyId, step: Step, when: Time) {
    let mut key = keys.key(id).unwrap().clone();
    key.take(step, when);
    keys.replace(key, Change::new(when, step.action(), "test", "ana"));
}

/// A zone whose KSK and ZSK were taken over a day before everything.
fn signed() -> (ZoneKeys, KeyId, KeyId) {
    let mut keys = empty();
    let before = at(0).before(Span::from_seconds(86_400));
    let ids = [(Role::Ksk, 1), (Role::Zsk, 2)].map(|(role, number)| {
        let mut times = KeyTimes::generated(before);
        times.published = Some(before);
        times.active = Some(before);
        let key = key(role, number, KeyState::Active, times);
        let id = key.id;
        keys.add(key, Change::new(before, Action::Import, "test", "ana"));
        id
    });
    (keys, ids[0], ids[1])
}

fn planned(policy: &Policy, keys: &ZoneKeys, now: Time, outages: Vec<(Time, Time)>) -> Plan {
    plan(&Request {
        outages,
        ..request(policy, keys, now)
    })
    .unwrap()
}

/// For a day.
fn request<'a>(policy: &'a Policy, keys: &'a ZoneKeys, now: Time) -> Request<'a> {
    Request {
        zone: keys.zone(),
        policy_name: "test",
        policy,
        keys,
        figures: Figures::of(policy),
        evidence: Vec::new(),
        expires: None,
        now,
        until: now.after(Span::from_seconds(86_400)),
        goals: Vec::new(),
        outages: Vec::new(),
    }
}

/// When that is done first.
fn first(plan: &Plan, act: Act) -> Time {
    plan.steps.iter().find(|step| step.act == act).unwrap().at
}

#[test]
fn a_key_that_is_published_in_the_second_in_which_it_was_made_is_in_no_cache() {
    let policy = small_tld();
    let mut keys = empty();
    for (role, number) in [(Role::Ksk, 1), (Role::Zsk, 2)] {
        let id = make(&mut keys, role, number, at(0));
        take(&mut keys, id, Step::Publish, at(0));
        if role == Role::Zsk {
            take(&mut keys, id, Step::Activate, at(0));
        }
    }
    // Dsgn + Dprp + TTLsig.
    let plan = planned(&policy, &keys, at(1), Vec::new());
    assert_eq!(first(&plan, Act::Submit), at((2 + 1 + 24) * 3600));
    let published = plan.schedule.keys[0].dnskey.0[0].begins;
    assert_eq!((published.from, published.by), (at(0), at(2 * 3600)));
}

#[test]
fn waits_count_from_the_last_command_of_a_step() {
    let policy = small_tld();
    let (mut keys, _, old) = signed();
    let new = make(&mut keys, Role::Zsk, 3, at(0));
    take(&mut keys, new, Step::Publish, at(0));
    take(&mut keys, new, Step::Activate, at(100_000));
    take(&mut keys, old, Step::Retire, at(100_059));
    // Dsgn + Dprp + TTLsig + Rsafe.
    let plan = planned(&policy, &keys, at(100_060), Vec::new());
    assert_eq!(first(&plan, Act::Remove), at(100_059 + (2 + 1 + 24 + 1) * 3600));
    let [retires, begins] = [old, new].map(|id| {
        let place = keys.keys().iter().position(|key| key.id == id).unwrap();
        let presence = plan.schedule.keys[place].zone_rrsig.0[0];
        presence.ends.map_or(presence.begins, |ends| ends)
    });
    // No signer ran between them: it is one change.
    assert_eq!(retires, begins);
}

#[test]
fn steps_that_follow_each_other_within_a_minute_are_not_one() {
    let policy = quick();
    let (mut keys, ..) = signed();
    let new = make(&mut keys, Role::Zsk, 3, at(0));
    take(&mut keys, new, Step::Publish, at(30));
    // Dsgn + Dprp + TTLkey = 8 s: published with the second in which it was made, it would be known at 8.
    let plan = planned(&policy, &keys, at(31), Vec::new());
    let published = plan.schedule.keys[2].dnskey.0[0].begins;
    assert_eq!((published.from, published.by), (at(30), at(32)));
}

#[test]
fn what_an_outage_came_before_is_signed_after_it() {
    let policy = small_tld();
    let (mut keys, ..) = signed();
    let new = make(&mut keys, Role::Ksk, 3, at(0));
    take(&mut keys, new, Step::Publish, at(0));
    let hours = |hours: u32| at(hours * 3600);
    let submit = |outage: Option<(Time, Time)>| {
        let plan = planned(&policy, &keys, hours(12), outage.into_iter().collect());
        let submit = plan.steps.iter().find(|step| step.act == Act::Submit).unwrap();
        (submit.waits[0].until, plan.schedule.keys[2].dnskey.0[0].begins.by)
    };
    // Dsgn 2 h, then Dprp + TTLkey + Psafe, 3 h.
    assert_eq!(submit(None), (hours(5), hours(2)));
    assert_eq!(submit(Some((hours(1), hours(10)))), (hours(13), hours(10)));
    // One that begins when the zone was signed long ago, or ends before it is due, delays nothing.
    assert_eq!(submit(Some((hours(3), hours(10)))), (hours(5), hours(2)));
    assert_eq!(submit(Some((at(60), hours(1)))), (hours(5), hours(2)));
}

#[test]
fn a_csk_is_not_active_before_its_ds_may_be_there() {
    let mut policy = small_tld();
    policy.keys.csk = policy.keys.ksk.take();
    policy.keys.zsk = None;
    let plan = planned(&policy, &empty(), at(0), Vec::new());
    let publish = plan.steps.iter().find(|step| step.act == Act::Publish).unwrap();
    // Its CDS would be published with it.
    assert!(
        !format!("{:?}", publish.command).contains("keyctl activate"),
        "{publish:?}"
    );
    let begins = |lane: &rollover::schedule::Lane| lane.0[0].begins.from;
    let csk = &plan.schedule.keys[0];
    assert_eq!(begins(&csk.zone_rrsig), begins(&csk.dnskey));
    assert_eq!(
        begins(&csk.ds).since(begins(&csk.dnskey)).seconds(),
        (2 + 1 + 24) * 3600
    );
}

/// Nobody signs the DNSKEY RRset any more until the successor of a lost KSK does: a ZSK that was published just before is in it only then.
#[test]
fn what_is_published_when_the_ksk_is_lost_waits_for_its_successor() {
    let (mut keys, ..) = signed();
    let policy = small_tld();
    let zsk = make(&mut keys, Role::Zsk, 3, at(0));
    take(&mut keys, zsk, Step::Publish, at(10));
    let lost = Goal::Lost(Role::Ksk, at(3600));
    let plan = plan(&Request {
        goals: vec![lost, Goal::Roll(Role::Zsk)],
        ..request(&policy, &keys, at(3601))
    })
    .unwrap();
    let activated = |role: Role| {
        let mut steps = plan.steps.iter().filter(|step| step.act == Act::Activate);
        let is_of = |key: &rollover::schedule::KeyIndex| plan.schedule.keys[key.0].role == role;
        steps.find(|step| step.keys.iter().any(is_of)).unwrap().at
    };
    // Dsgn + Dprp + TTLkey + Psafe after the KSK.
    let waited = activated(Role::Zsk).since(activated(Role::Ksk));
    assert_eq!(waited.seconds(), (2 + 1 + 1 + 1) * 3600);
}

/// A ZSK takes over in the second in which a KSK is published that was made within the minute before.
#[test]
fn what_is_done_in_one_second_is_not_taken_apart() {
    let (mut keys, _, old) = signed();
    let policy = small_tld();
    let zsk = make(&mut keys, Role::Zsk, 3, at(0));
    take(&mut keys, zsk, Step::Publish, at(10));
    let then = 10 * 3600;
    let ksk = make(&mut keys, Role::Ksk, 4, at(then));
    take(&mut keys, ksk, Step::Publish, at(then + 56));
    take(&mut keys, zsk, Step::Activate, at(then + 56));
    take(&mut keys, old, Step::Retire, at(then + 56));
    planned(&policy, &keys, at(then + 57), Vec::new());
}

/// After a change of the algorithm the policy may name the old one still, and whoever means to change it may have written the new one before.
#[test]
fn a_rollover_keeps_the_algorithm_of_its_key_whatever_the_policy_names() {
    let (keys, ..) = signed();
    let mut policy = small_tld();
    for key in [&mut policy.keys.ksk, &mut policy.keys.zsk].into_iter().flatten() {
        key.algorithm = Algorithm::RsaSha256;
        key.bits = Some(3072);
    }
    let plan = plan(&Request {
        until: at(200 * 86_400),
        ..request(&policy, &keys, at(0))
    })
    .unwrap();
    let made: Vec<_> = plan
        .steps
        .iter()
        .filter(|step| step.act == Act::Generate)
        .collect();
    assert_eq!(made.len(), 2);
    for step in made {
        let command = step.command.as_deref().unwrap();
        assert_eq!(
            command,
            "keyrite-keyctl generate --zone example --role zsk --algorithm ECDSAP256SHA256"
        );
    }
}
