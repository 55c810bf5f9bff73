//! A zone whose plan is obeyed step by step, each command only where the records' gate takes it.

use std::fmt::Write as _;

use key_metadata::evidence::Sighting;
use key_metadata::gate::refusals;
use key_metadata::timing::Figures;
use key_metadata::{
    Action, Algorithm, Backup, Change, Digest, Extractability, Intention, Intentions, KeptGoal, KeyId,
    KeyRecord, KeyReference, KeySpec, KeyState, KeyTimes, Policy, PublicKey, Role, Span, Step, Time,
    TokenUri, ZoneKeys, ZoneName,
};
use rollover::decided::{decided, keys_about};
use rollover::plan::{Act, Actor, Plan, PlannedStep};
use rollover::planner::{PlanError, Request, plan};

/// When the parent shows what it was told.
#[derive(Clone, Copy, Debug)]
pub enum Parent {
    /// At once.
    Quick,
    /// As the policy has it.
    Usual,
    /// Three times as late.
    Late,
}

/// Policy, records, and what is wanted.
pub struct Life {
    zone: ZoneName,
    policy: Policy,
    pub keys: ZoneKeys,
    pub now: Time,
    /// Between two commands, in seconds.
    pub gap: u32,
    /// How late each step is taken, in seconds.
    pub late: u32,
    pub parent: Parent,
    kept: Intentions,
    made: u8,
    /// What was done.
    pub told: String,
}

pub fn time(text: &str) -> Time {
    text.parse().unwrap()
}

impl Life {
    pub fn new(policy: Policy) -> Self {
        let zone: ZoneName = "example".parse().unwrap();
        Self {
            keys: ZoneKeys::new(zone.clone()),
            kept: Intentions::new(zone.clone()),
            zone,
            policy,
            now: time("2026-12-01T00:00:00Z"),
            gap: 1,
            late: 0,
            parent: Parent::Usual,
            made: 0,
            told: String::new(),
        }
    }

    /// Something is wanted from now on, and kept as the tool keeps it.
    pub fn want(&mut self, goal: KeptGoal) {
        self.kept.intentions.push(Intention {
            at: self.now,
            operator: "ana".to_owned(),
            tool: "keyrite-tests".to_owned(),
            reason: "a test".to_owned(),
            goal,
            keys: keys_about(goal, &self.keys, self.now),
            plan: Digest::of(b"plan"),
        });
        writeln!(self.told, "{} WANTED {goal}", self.now).unwrap();
    }

    /// Nothing is wanted any more.
    pub fn forget(&mut self) {
        self.kept.intentions.clear();
    }

    pub fn plan(&self, days: u32) -> Result<Plan, PlanError> {
        plan(&Request {
            zone: &self.zone,
            policy_name: "test",
            policy: &self.policy,
            keys: &self.keys,
            figures: Figures::of(&self.policy),
            evidence: Vec::new(),
            expires: None,
            now: self.now,
            until: self.now.after(Span::from_seconds(days * 86_400)),
            goals: decided(&self.kept, &self.keys, self.now),
            outages: Vec::new(),
        })
    }

    /// Takes the first step of the plan; whether there was one within `days`.
    pub fn step(&mut self, days: u32) -> Result<bool, String> {
        let plan = self.plan(days).map_err(|error| error.to_string())?;
        let Some(step) = plan.steps.first() else {
            return Ok(false);
        };
        self.now = self.now.max(step.at);
        match step.actor {
            Actor::Observation => self.see(&plan, step)?,
            Actor::Person | Actor::Tool => {
                self.now = self.now.after(Span::from_seconds(self.late));
                self.obey(&plan, step)?;
            }
        }
        Ok(true)
    }

    /// Takes steps until nothing is due within a day, for at most so many steps.
    pub fn finish(&mut self, most: usize) -> Result<(), String> {
        for _ in 0..most {
            let plan = self.plan(1).map_err(|error| error.to_string())?;
            let calm = self.now.after(Span::from_seconds(45 * 86_400));
            if plan.steps.first().is_none_or(|step| step.at > calm) {
                return Ok(());
            }
            self.step(1)?;
        }
        Err(format!("it does not come to an end in {most} steps"))
    }

    fn see(&mut self, plan: &Plan, step: &PlannedStep) -> Result<(), String> {
        let (sighting, asked): (_, fn(&KeyTimes) -> Option<Time>) = match step.act {
            Act::SeeDs => (Sighting::Registered, |times| times.submitted),
            _ => (Sighting::Deregistered, |times| {
                times.retired.or(times.retire_active).or(times.removed)
            }),
        };
        let keys: Vec<_> = step
            .keys
            .iter()
            .map(|key| self.labelled(plan.schedule.key_label(*key)))
            .collect();
        for key in keys {
            let asked = asked(&self.keys.key(key).unwrap().times).unwrap_or(self.now);
            let dreg = Figures::of(&self.policy).dreg.span.seconds();
            let seen = asked.after(Span::from_seconds(match self.parent {
                Parent::Quick => 5,
                Parent::Usual => dreg,
                Parent::Late => dreg * 3,
            }));
            self.now = self.now.max(seen);
            let seen = seen.max(asked);
            writeln!(self.told, "{} {sighting:?} at {seen}", self.now).unwrap();
            let change = Change::new(self.now, sighting.step().action(), "keyrite-tests", "ana");
            self.keys
                .enter_sighting(key, sighting, seen, &"a look".parse().unwrap(), change)
                .map_err(|error| format!("{error:?}"))?;
        }
        Ok(())
    }

    fn labelled(&self, label: &str) -> KeyId {
        let named = |key: &&KeyRecord| format!("{} {}", key.role, key.key_tag()) == label;
        self.keys.keys().iter().find(named).unwrap().id
    }

    /// The command of a step, as the tool of the records would take it or not: all of it or nothing.
    fn obey(&mut self, plan: &Plan, planned: &PlannedStep) -> Result<(), String> {
        let Some(command) = &planned.command else {
            return Ok(());
        };
        writeln!(self.told, "{} {command}", self.now).unwrap();
        let words: Vec<_> = command.split(' ').collect();
        assert_eq!((words[0], words[2]), ("keyrite-keyctl", "--zone"), "{command}");
        let steps: Vec<_> = match words[1] {
            "generate" => {
                self.generate(&words)?;
                Vec::new()
            }
            "together" => words[4..]
                .iter()
                .map(|word| word.split_once(':').unwrap())
                .collect(),
            verb => vec![(verb, words[5])],
        };
        let mut keys = self.keys.clone();
        for (verb, tag) in steps {
            let step = Step::ALL
                .into_iter()
                .find(|step| step.to_string() == verb)
                .unwrap();
            let tag: u16 = tag.parse().map_err(|_| format!("{command}: no tag"))?;
            let of_tag = |key: &&KeyRecord| key.key_tag() == tag && key.state != KeyState::Destroyed;
            let mut key = keys.keys().iter().find(of_tag).unwrap().clone();
            let found = refusals(step, &key, &keys, &self.policy, &[], self.now);
            if !found.is_empty() {
                let found: Vec<_> = found.iter().map(ToString::to_string).collect();
                let title = plan
                    .rollovers
                    .get(planned.rollover - 1)
                    .map(|rollover| &rollover.title);
                return Err(format!(
                    "{} {step} {} ({title:?}): {}",
                    self.now,
                    key.name(),
                    found.join("; ")
                ));
            }
            key.take(step, self.now);
            keys.replace(key, Change::new(self.now, step.action(), "keyrite-tests", "ana"));
        }
        self.keys = keys;
        self.now = self.now.after(Span::from_seconds(self.gap));
        Ok(())
    }

    fn generate(&mut self, words: &[&str]) -> Result<(), String> {
        let after = |option: &str| {
            let place = words.iter().position(|word| *word == option)?;
            words.get(place + 1).copied()
        };
        let role = match after("--role") {
            Some("ksk") => Role::Ksk,
            Some("zsk") => Role::Zsk,
            Some("csk") => Role::Csk,
            other => return Err(format!("no role: {other:?}")),
        };
        let of_policy = || self.policy.key(role).and_then(|key| key.spec().ok());
        let algorithm: Option<Algorithm> = after("--algorithm").map(|text| text.parse().unwrap());
        let bits = after("--bits").map(|text| text.parse().unwrap());
        let spec = match algorithm {
            Some(algorithm) => KeySpec::new(algorithm, bits).unwrap(),
            None => of_policy().ok_or(format!("the policy has no {role}"))?,
        };
        self.made += 1;
        let bytes = [self.made; 256];
        let public_key = match spec.algorithm() {
            Algorithm::EcdsaP256Sha256 => PublicKey::from_dnskey(spec.algorithm(), &bytes[..64]),
            Algorithm::EcdsaP384Sha384 => PublicKey::from_dnskey(spec.algorithm(), &bytes[..96]),
            Algorithm::Ed25519 => PublicKey::from_dnskey(spec.algorithm(), &bytes[..32]),
            Algorithm::RsaSha256 | Algorithm::RsaSha512 => {
                PublicKey::rsa(spec.algorithm(), &[self.made | 0x80; 256], &[1, 0, 1])
            }
        };
        let id = KeyId::from_random([self.made; 16]);
        let record = KeyRecord {
            id,
            role,
            public_key: public_key.unwrap(),
            reference: KeyReference::Pkcs11("pkcs11:token=cr".parse::<TokenUri>().unwrap().of_key(id)),
            state: KeyState::Generated,
            times: KeyTimes::generated(self.now),
            backup: Backup::none(Extractability::Never),
        };
        self.keys.add(
            record,
            Change::new(self.now, Action::Generate, "keyrite-tests", "ana"),
        );
        Ok(())
    }

    /// The keys that are not destroyed, and their states.
    pub fn states(&self) -> String {
        let mut states: Vec<_> = self
            .keys
            .keys()
            .iter()
            .filter(|key| key.state != KeyState::Destroyed)
            .map(|key| format!("{} {} {}", key.role, key.algorithm(), key.state))
            .collect();
        states.sort();
        states.join(", ")
    }
}
