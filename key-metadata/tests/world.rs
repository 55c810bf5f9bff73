//! The gate against a world of caches: whatever steps are taken by chance, as long as nothing stands against them, every validator can verify the
//! zone at every hour, whichever DS, DNSKEY and other RRset it holds of those that a cache can have then.
//!
//! Validators that follow any one algorithm are asked, those that follow each of the DS RRset (RFC 6840 5.11) and, in walks without a liberal
//! step, those that follow each of the DNSKEY RRset (RFC 6781 4.1.4).

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use std::collections::BTreeSet;

use key_metadata::gate::refusals;
use key_metadata::step::next_step;
use key_metadata::{
    Action, Algorithm, Backup, Change, Extractability, KeyAlgorithm, KeyId, KeyRecord, KeyReference,
    KeyState, KeyTimes, Policy, PublicKey, Role, Sighting, Span, Step, Time, TokenUri, ZoneKeys,
};

/// The base point of P-256 (SEC 2, 2.4.2), whose first octet is another for another key.
const P256: [u8; 64] = [
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77,
    0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3,
    0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
    0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];

/// Figures in hours, small so that much happens.
#[derive(Clone, Copy, Debug)]
struct Figures {
    dsgn: u32,
    dprp: u32,
    ttl_key: u32,
    ttl_sig: u32,
    dreg: u32,
    dprp_parent: u32,
    ttl_ds: u32,
}

const FIGURES: Figures = Figures {
    dsgn: 2,
    dprp: 1,
    ttl_key: 3,
    ttl_sig: 6,
    dreg: 5,
    dprp_parent: 1,
    ttl_ds: 4,
};

/// Of those figures, and without safety margins, so that the waits are as short as they can be.
fn policy() -> Policy {
    let text = include_str!("../../policies/small-tld.yaml");
    let mut policy = Policy::from_yaml(text).unwrap();
    let hours = |hours| Span::from_seconds(hours * 3600);
    policy.signatures.resign = hours(FIGURES.dsgn);
    policy.zone.propagation_delay = hours(FIGURES.dprp);
    policy.dnskey_ttl = hours(FIGURES.ttl_key);
    policy.zone.max_ttl = hours(FIGURES.ttl_sig);
    policy.parent.registration_delay = hours(FIGURES.dreg);
    policy.parent.propagation_delay = hours(FIGURES.dprp_parent);
    policy.parent.ds_ttl = hours(FIGURES.ttl_ds);
    policy.safety.publish = hours(0);
    policy.safety.retire = hours(0);
    policy
}

fn at(hours: usize) -> Time {
    let start: Time = "2026-01-01T00:00:00Z".parse().unwrap();
    start.after(Span::from_seconds(u32::try_from(hours).unwrap() * 3600))
}

fn change(action: Action, hour: usize) -> Change {
    Change::new(at(hour), action, "test", "test")
}

fn key(number: u8, role: Role, algorithm: Algorithm) -> KeyRecord {
    let id = KeyId::from_random([number; 16]);
    let public_key = match algorithm {
        Algorithm::Ed25519 => PublicKey::from_dnskey(algorithm, &[number; 32]),
        _ => {
            let mut bytes = P256;
            bytes[0] = number;
            PublicKey::from_dnskey(algorithm, &bytes)
        }
    };
    KeyRecord {
        id,
        role,
        public_key: public_key.unwrap(),
        reference: KeyReference::Pkcs11("pkcs11:token=cr".parse::<TokenUri>().unwrap().of_key(id)),
        state: KeyState::Generated,
        times: KeyTimes::generated(at(0)),
        backup: Backup::none(Extractability::Never),
    }
}

/// Keys by their places in the file, a bit each.
type Keys = u32;

/// What is published of the keys in one hour.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Published {
    dnskey: Keys,
    dnskey_rrsig: Keys,
    zone_rrsig: Keys,
}

/// What a walk may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Approach {
    /// An algorithm comes and goes with its signatures around its DNSKEY.
    Conservative,
    /// It may come and go with both at the same time.
    Liberal,
}

struct World {
    keys: ZoneKeys,
    policy: Policy,
    /// What is true of the world, whatever the policy says.
    figures: Figures,
    approach: Approach,
    algorithms: [Keys; 2],
    hour: usize,
    /// Of each hour.
    zone: Vec<Published>,
    /// The DS RRset of each hour, at the first server of the parent.
    parent: Vec<Keys>,
    /// What the parent was told and will do: in which hour, of which key.
    due: Vec<(usize, usize, Sighting)>,
    random: u64,
    taken: Vec<String>,
}

const START: usize = 100;

impl World {
    /// A zone whose first keys are active, and known in all the world.
    fn new(seed: u64, approach: Approach, figures: Figures) -> Self {
        let roles: &[Role] = if seed.is_multiple_of(3) {
            &[Role::Csk]
        } else {
            &[Role::Ksk, Role::Zsk]
        };
        let mut keys = ZoneKeys::new("cr".parse().unwrap());
        for (number, role) in (1..).zip(roles) {
            let mut key = key(number, *role, Algorithm::Ed25519);
            key.take(Step::Publish, at(0));
            if role.signs_dnskey() {
                key.take(Step::Register, at(0));
            }
            key.take(Step::Activate, at(0));
            keys.add(key, change(Action::Generate, 0));
        }
        let mut number = 10;
        for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
            for role in [Role::Ksk, Role::Zsk, Role::Csk] {
                keys.add(key(number, role, algorithm), change(Action::Generate, 0));
                number += 1;
            }
        }
        let mut world = Self {
            keys,
            policy: policy(),
            figures,
            approach,
            algorithms: [0, 0],
            hour: START,
            zone: Vec::new(),
            parent: Vec::new(),
            due: Vec::new(),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            taken: Vec::new(),
        };
        let ed25519 = KeyAlgorithm::from(Algorithm::Ed25519);
        let first = world.places(|key| key.algorithm() == ed25519);
        world.algorithms = [first, world.places(|_| true) & !first];
        let (published, wanted) = (world.published(), world.wanted());
        world.zone.resize(START + 1, published);
        world.parent.resize(START + 1, wanted);
        world
    }

    /// A number below `most` (xorshift64).
    fn below(&mut self, most: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 11).unwrap() % most
    }

    fn places(&self, has: impl Fn(&KeyRecord) -> bool) -> Keys {
        let keys = self.keys.keys().iter().enumerate();
        keys.filter(|(_, key)| has(key))
            .fold(0, |places, (place, _)| places | 1 << place)
    }

    /// What is to be at the parent.
    fn wanted(&self) -> Keys {
        self.places(|key| key.wants_ds() && key.times.submitted.is_some())
    }

    fn published(&self) -> Published {
        Published {
            dnskey: self.places(|key| key.state.in_zone()),
            dnskey_rrsig: self.places(KeyRecord::signs_dnskey),
            zone_rrsig: self.places(KeyRecord::signs_zone),
        }
    }

    fn now(&self) -> Time {
        at(self.hour)
    }

    /// Whether the signer would sign it: every algorithm of the DNSKEY RRset signs that and the rest.
    fn is_complete(&self) -> bool {
        let now = self.published();
        let signs = |of, by| of & by & now.dnskey != 0;
        let in_zone = self.algorithms.iter().filter(|of| *of & now.dnskey != 0);
        in_zone.fold(true, |complete, of| {
            complete && signs(of, now.dnskey_rrsig) && signs(of, now.zone_rrsig)
        })
    }

    /// One hour with up to three steps, which the signer sees together.
    fn pass(&mut self) {
        self.hour += 1;
        let before = self.wanted();
        if self.below(3) == 0 {
            self.act();
        }
        self.tell(before);
        let mut parent = self.parent[self.hour - 1];
        for (_, place, what) in self.due.iter().filter(|(hour, ..)| *hour == self.hour) {
            match what {
                Sighting::Registered => parent |= 1 << place,
                Sighting::Deregistered => parent &= !(1 << place),
            }
        }
        self.parent.push(parent);
        self.zone.push(self.published());
    }

    fn act(&mut self) {
        let (keys, count) = (self.keys.clone(), self.taken.len());
        for _ in 0..40 {
            self.attempt();
            if self.taken.len() >= count + 3 {
                break;
            }
        }
        if !self.is_complete() {
            self.keys = keys;
            self.taken.truncate(count);
        }
    }

    /// Tells the parent what is wanted now and was not before. It does what it is told within Dreg, of each key in that order.
    fn tell(&mut self, before: Keys) {
        let now = self.wanted();
        for place in 0..self.keys.keys().len() {
            let bit = 1 << place;
            let what = match (before & bit != 0, now & bit != 0) {
                (false, true) => Sighting::Registered,
                (true, false) => Sighting::Deregistered,
                (false, false) | (true, true) => continue,
            };
            let most = self.figures.dreg as usize;
            let delay = [0, most, self.below(most + 1)][self.below(3)];
            let told = self.due.iter().filter(|(_, of, _)| *of == place);
            let last = told.map(|(hour, ..)| *hour).max();
            self.due
                .push(((self.hour + delay).max(last.map_or(0, |hour| hour)), place, what));
        }
    }

    fn attempt(&mut self) {
        let place = self.below(self.keys.keys().len());
        let key = self.keys.keys()[place].clone();
        if self.below(4) == 0 {
            self.look(place, &key);
            return;
        }
        // Half of the time on the usual way, half at random.
        let usual = next_step(&key).filter(|_| self.below(2) == 0);
        let step = usual.map_or_else(|| Step::ALL[self.below(Step::ALL.len())], |step| step);
        match step {
            Step::Register | Step::Deregister | Step::Revoke | Step::Destroy => return,
            Step::Submit if key.times.submitted.is_some() => return,
            // Rarely, or no walk would come far.
            Step::GoInsecure if self.below(20) != 0 => return,
            Step::Remove if key.state != KeyState::Retired && self.below(3) != 0 => return,
            _ if self.approach == Approach::Conservative && self.is_liberal(step, place, &key) => return,
            _ => {}
        }
        if !refusals(step, &key, &self.keys, &self.policy, &[], self.now()).is_empty() {
            return;
        }
        let mut after = key.clone();
        after.take(step, self.now());
        self.taken
            .push(format!("{}: {step} {} {place}", self.hour, key.role));
        self.keys.replace(after, change(step.action(), self.hour));
    }

    /// Whether with this step DNSKEY and signatures of an algorithm come or go at the same time.
    fn is_liberal(&self, step: Step, place: usize, key: &KeyRecord) -> bool {
        let published = self.published();
        let (bit, of) = (
            1 << place,
            self.algorithms.iter().find(|of| *of & 1 << place != 0),
        );
        let others = of.unwrap() & published.zone_rrsig & published.dnskey & !bit;
        let both = step == Step::Introduce || step == Step::Remove && key.signs_zone() && key.state.in_zone();
        both && others == 0
    }

    /// Asks the parent, whose servers were all alike for long enough.
    fn look(&mut self, place: usize, key: &KeyRecord) {
        let since = self.hour - 1 - self.figures.dprp_parent as usize;
        let shown = || {
            self.parent[since..self.hour]
                .iter()
                .map(|parent| parent & 1 << place != 0)
        };
        let sighting = match (shown().all(|shown| shown), shown().any(|shown| shown)) {
            (true, _) => Sighting::Registered,
            (_, false) => Sighting::Deregistered,
            (false, true) => return,
        };
        // A DS that is still on its way there was not seen gone.
        let is_due = self
            .due
            .iter()
            .any(|(hour, of, _)| *of == place && *hour >= self.hour);
        if sighting == Sighting::Deregistered && is_due {
            return;
        }
        let evidence = "all servers".parse().unwrap();
        let change = change(Action::Accept, self.hour);
        let entered = self
            .keys
            .enter_sighting(key.id, sighting, self.now(), &evidence, change);
        if entered.is_ok() {
            self.taken
                .push(format!("{}: {sighting:?} {} {place}", self.hour, key.role));
        }
    }

    /// Asks every validator.
    fn check(&self) -> Result<(), String> {
        let since = |wait: u32| self.hour - wait as usize..=self.hour;
        let Figures {
            dsgn,
            dprp,
            ttl_key,
            ttl_sig,
            dprp_parent,
            ttl_ds,
            ..
        } = self.figures;
        let ds: BTreeSet<Keys> = self.parent[since(dprp_parent + ttl_ds)].iter().copied().collect();
        let keys: BTreeSet<Published> = self.zone[since(dsgn + dprp + ttl_key)].iter().copied().collect();
        let zone = self.zone[since(dsgn + dprp + ttl_sig)].iter();
        let zone: BTreeSet<Keys> = zone.map(|zone| zone.zone_rrsig).collect();
        for ds in &ds {
            for keys in &keys {
                for zone in &zone {
                    self.verify(*ds, *keys, *zone).map_err(|what| {
                        let taken = self.taken.join("\n");
                        let dnskey = keys.dnskey;
                        format!(
                            "hour {}: {what}\nDS {ds:b}, DNSKEY {dnskey:b}, RRSIG {zone:b}\n{taken}",
                            self.hour
                        )
                    })?;
                }
            }
        }
        Ok(())
    }

    fn verify(&self, ds: Keys, keys: Published, zone: Keys) -> Result<(), &'static str> {
        if ds == 0 {
            return Ok(());
        }
        let (entry_points, signers) = (ds & keys.dnskey_rrsig, zone & keys.dnskey);
        if entry_points == 0 || signers == 0 {
            return Err("nothing verifies");
        }
        for of in self.algorithms {
            if of & ds != 0 && (of & entry_points == 0 || of & signers == 0) {
                return Err("an algorithm of the DS RRset does not verify");
            }
            if self.approach == Approach::Conservative && of & keys.dnskey != 0 && of & signers == 0 {
                return Err("an algorithm of the DNSKEY RRset does not verify");
            }
        }
        Ok(())
    }

    /// A walk of some weeks, and what went wrong.
    fn walk(&mut self) -> Result<(), String> {
        for _ in 0..400 {
            self.pass();
            self.check()?;
        }
        Ok(())
    }
}

#[test]
fn whatever_the_gate_allows_verifies_everywhere() {
    let mut seen = BTreeSet::new();
    for seed in 1..=walks() {
        let approach = if seed % 2 == 0 {
            Approach::Conservative
        } else {
            Approach::Liberal
        };
        let mut world = World::new(seed, approach, FIGURES);
        if let Err(what) = world.walk() {
            panic!("walk {seed}, {what}");
        }
        for key in world.keys.keys() {
            let states = KeyState::ALL
                .iter()
                .filter(|state| key.times.of(**state).is_some());
            seen.extend(states.map(|state| (key.role, *state)));
        }
    }
    // Nothing of all that is true because nothing happens.
    let never = |role, state| {
        let by_hand = [KeyState::Dead, KeyState::Revoked, KeyState::Destroyed].contains(&state);
        by_hand || role == Role::Zsk && state == KeyState::RetireActive
    };
    for role in Role::ALL {
        for state in KeyState::ALL {
            assert_eq!(
                seen.contains(&(role, state)),
                !never(role, state),
                "{role} {state}"
            );
        }
    }
}

/// A world that is slower than the policy says, by two hours and in one figure, is found out.
#[test]
fn every_figure_counts() {
    type Longer = fn(&mut Figures);
    let longer: [(&str, Longer); 7] = [
        ("Dsgn", |figures| figures.dsgn += 2),
        ("Dprp", |figures| figures.dprp += 2),
        ("TTLkey", |figures| figures.ttl_key += 2),
        ("TTLsig", |figures| figures.ttl_sig += 2),
        ("Dreg", |figures| figures.dreg += 2),
        ("DprpP", |figures| figures.dprp_parent += 2),
        ("TTLds", |figures| figures.ttl_ds += 2),
    ];
    for (name, change) in longer {
        let mut figures = FIGURES;
        change(&mut figures);
        let fails = |seed| World::new(seed, Approach::Conservative, figures).walk().is_err();
        assert!((1..=400).any(fails), "{name}");
    }
}

/// How many walks: more on request.
fn walks() -> u64 {
    std::env::var("WALKS")
        .ok()
        .map_or(200, |walks| walks.parse().unwrap())
}
