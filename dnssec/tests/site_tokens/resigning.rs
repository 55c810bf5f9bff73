//! Runs over a zone that is edited, whose keys change, and whose signatures come of age: each keeps what it may, makes what it must, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use key_metadata::policy::Zonemd;
use key_metadata::{Algorithm, Policy, Role, Span, Step, Time};
use keyrite_dnssec::{KeptSignatures, SignPlan, SignedZone, Zone, check, sign};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use zone::{Records, Rrsig};

use crate::signing::{Bench, Fallible, text_of};
use crate::softhsm::two_tokens;
use crate::{Body, Outcome};

pub const TESTS: &[(&str, Body)] = &[(
    "resigning: after any edits, waits and steps of keys, what is due and what changed is signed, and nothing else",
    any_sequence,
)];

/// What happens between two runs.
#[derive(Clone, Debug)]
enum Event {
    /// A name gets an address, or another one.
    Set(u8, u8),
    /// It is removed.
    Clear(u8),
    /// It becomes a delegation.
    Delegate(u8),
    /// So many hours pass.
    Wait(u16),
    /// The next step of the keys is taken.
    Roll,
}

/// A ZSK is rolled by pre-publication, then the KSK is revoked beside a second one.
const STEPS: [(usize, Step); 7] = [
    (2, Step::Publish),
    (2, Step::Activate),
    (1, Step::Retire),
    (1, Step::Remove),
    (3, Step::Publish),
    (3, Step::Activate),
    (0, Step::Retire),
];

fn events() -> impl Strategy<Value = Vec<Vec<Event>>> {
    let event = prop_oneof![
        4 => (0u8..6, 0u8..4).prop_map(|(name, address)| Event::Set(name, address)),
        2 => (0u8..6).prop_map(Event::Clear),
        1 => (0u8..6).prop_map(Event::Delegate),
        3 => (1u16..120).prop_map(Event::Wait),
        2 => Just(Event::Roll),
    ];
    proptest::collection::vec(proptest::collection::vec(event, 0..4), 2..8)
}

fn any_sequence(folder: &Path) -> Outcome {
    let site = two_tokens(folder)?;
    let mut bench = Bench::new(&site)?;
    let active = [Step::Publish, Step::Activate];
    for (role, steps) in [
        (Role::Ksk, &active[..]),
        (Role::Zsk, &active),
        (Role::Zsk, &[]),
        (Role::Ksk, &[]),
    ] {
        bench.key(role, Algorithm::EcdsaP256Sha256, steps)?;
    }
    let first = bench.keys.clone();
    let bench = std::cell::RefCell::new(bench);
    let mut runner = TestRunner::new(Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    });
    runner.run(&events(), |events| {
        let mut bench = bench.borrow_mut();
        bench.keys = first.clone();
        live(&mut bench, &events).map_err(|error| TestCaseError::fail(error.to_string()))
    })?;
    Ok(())
}

/// One zone from run to run.
fn live(bench: &mut Bench<'_>, events: &[Vec<Event>]) -> Outcome {
    let mut policy = Policy::from_yaml(include_str!("../../../policies/large-tld.yaml"))?;
    // It is over all signatures, and so it is due whenever one is.
    policy.zonemd = Zonemd::Sha384;
    let refresh = policy.signatures.refresh.ok_or("no refresh")?;
    let (mut names, mut now) = (BTreeMap::new(), "2026-11-23T10:00:00Z".parse::<Time>()?);
    let (mut steps, mut last) = (STEPS.iter(), None::<(Seen, KeptSignatures)>);
    for (serial, events) in (1..).zip(events) {
        for event in events {
            match event {
                Event::Set(name, address) => {
                    names.insert(*name, format!("n{name}.e 3600 A 192.0.2.{address}\n"));
                }
                Event::Clear(name) => {
                    names.remove(name);
                }
                Event::Delegate(name) => {
                    names.insert(*name, format!("n{name}.e 3600 NS ns.example.\n"));
                }
                Event::Wait(hours) => now = now.after(Span::from_seconds(u32::from(*hours) * 3600)),
                Event::Roll => {
                    if let Some((key, step)) = steps.next() {
                        bench.keys[*key].take(*step, now);
                    }
                }
            }
        }
        // No two runs are in one second.
        now = now.after(Span::from_seconds(1));
        let text: String = names.values().map(String::as_str).collect();
        let text = format!(
            "@ 3600 SOA ns root {serial} 7200 3600 1209600 3600\n@ 3600 NS ns\nns 3600 A 192.0.2.9\n{text}"
        );
        let run = |kept: &KeptSignatures| -> Fallible<SignedZone> {
            let zone = Zone::parse(text.as_bytes(), Path::new("cr.zone"), &bench.zone)?;
            let plan = SignPlan::new(&policy, serial, now);
            Ok(sign(
                zone,
                &bench.zone,
                &bench.zone_keys()?,
                &plan,
                kept,
                &|_| {},
            )?)
        };
        let none = KeptSignatures::default();
        let made = run(last.as_ref().map_or(&none, |(_, kept)| kept))?;
        let checked = made.check(&[], Vec::new(), now)?;
        assert_eq!(checked.signatures, made.signatures + made.kept);
        let text = text_of(&made)?;
        let read = |text: &str| Records::parse(text.as_bytes(), Path::new("signed"), &bench.zone);
        let records = read(&text)?;
        assert_eq!(
            check(&records, &[], Vec::new(), now)?,
            checked,
            "a stranger finds the same"
        );
        let (seen, full) = (Seen::of(&records), Seen::of(&read(&text_of(&run(&none)?)?)?));
        // The digest is over the signatures.
        let but_for_digest = |seen: &Seen| {
            let mut sets = seen.sets.clone();
            sets.retain(|(_, rtype), _| *rtype != ZONEMD);
            sets
        };
        assert_eq!(
            but_for_digest(&seen),
            but_for_digest(&full),
            "but for its signatures the zone is what it is without"
        );
        assert!(
            seen.rrsigs.keys().eq(full.rrsigs.keys()),
            "the same is signed by the same keys"
        );
        let nothing = Seen::default();
        let before = last.as_ref().map_or(&nothing, |(seen, _)| seen);
        let mut kept = 0;
        for (what, rrsig) in &seen.rrsigs {
            let set = (what.0.clone(), what.1);
            let is_as_before = before.sets.get(&set) == seen.sets.get(&set);
            let old = before.rrsigs.get(what).filter(|_| is_as_before);
            let lasts = |old: &&(u32, Vec<u8>)| {
                let left = old.0.wrapping_sub(now.unix_seconds() as u32).cast_signed();
                i64::from(left) > i64::from(refresh.seconds())
            };
            let may_stay = old.filter(lasts).is_some();
            assert_eq!(may_stay, old == Some(rrsig), "{what:?}");
            kept += usize::from(may_stay);
        }
        assert_eq!((made.kept, made.signatures), (kept, seen.rrsigs.len() - kept));
        let mut bytes = Vec::new();
        made.write_kept(&mut bytes)?;
        let keepable = KeptSignatures::of_bytes(bytes)?;
        assert_eq!(keepable.len(), seen.rrsigs.len());
        last = Some((seen, keepable));
    }
    Ok(())
}

/// The type's number (RFC 8976).
const ZONEMD: u16 = 63;

/// TTL and RDATA of each record.
type Set = BTreeSet<(u32, Vec<u8>)>;
/// Owner, covered type and tag of the key.
type Signed = (Vec<u8>, u16, u16);

/// What is in a signed zone.
#[derive(Default)]
struct Seen {
    /// By owner and type.
    sets: BTreeMap<(Vec<u8>, u16), Set>,
    /// Expiration and RDATA.
    rrsigs: BTreeMap<Signed, (u32, Vec<u8>)>,
}

impl Seen {
    fn of(records: &Records) -> Self {
        let mut seen = Self::default();
        for record in records.iter() {
            let (owner, rdata) = (record.owner().canonical(), record.rdata().to_vec());
            match Rrsig::new(&rdata).filter(|_| record.rtype().to_string() == "RRSIG") {
                Some(rrsig) => {
                    let what = (owner, rrsig.covered().to_int(), rrsig.key_tag());
                    seen.rrsigs.insert(what, (rrsig.expiration(), rdata.clone()));
                }
                None => {
                    let set = seen.sets.entry((owner, record.rtype().to_int())).or_default();
                    set.insert((record.ttl(), rdata));
                }
            }
        }
        seen
    }
}
