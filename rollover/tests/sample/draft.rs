//! A plan on its way.

use key_metadata::policy::{Policy, SHIPPED};
use key_metadata::timing::{Figures, Wait, registration_delay};
use key_metadata::{Role, Span, Time};
use rollover::chain::Validators;
use rollover::margin::margins;
use rollover::plan::{Act, Actor, Deadline, Plan, PlannedStep, Rollover, Runway, WaitedFor};
use rollover::prove::{Claim, Counterexample, prove};
use rollover::schedule::{
    AlgorithmNumber, Caching, CauseIndex, Event, KeyIndex, KeyLanes, Propagation, Schedule, Signatures,
};

pub fn figures() -> Figures {
    Figures::of(&policy())
}

pub fn policy() -> Policy {
    Policy::from_yaml(SHIPPED[0].1).unwrap()
}

pub struct Draft {
    now: Time,
    pub schedule: Schedule,
    steps: Vec<PlannedStep>,
    rollovers: Vec<Rollover>,
}

impl Draft {
    pub fn new(now: Time) -> Self {
        let policy = policy();
        let since = now.before(Span::from_seconds(60 * 86_400));
        let left = policy
            .signatures
            .validity
            .seconds()
            .min(policy.signatures.validity.seconds() - policy.signatures.resign.seconds());
        Self {
            now,
            schedule: Schedule {
                zone: "cr".parse().unwrap(),
                since,
                keys: Vec::new(),
                causes: vec!["before the record".to_owned()],
                caching: Caching {
                    dnskey: vec![(since, policy.dnskey_ttl)],
                    ds: vec![(since, policy.parent.ds_ttl)],
                    zone: vec![(since, policy.zone.max_ttl)],
                },
                propagation: Propagation {
                    zone: policy.zone.propagation_delay,
                    parent: policy.parent.propagation_delay,
                },
                signatures: Signatures {
                    zone: Span::from_seconds(left),
                    dnskey: Span::from_seconds(left),
                },
                silences: Vec::new(),
            },
            steps: Vec::new(),
            rollovers: Vec::new(),
        }
    }

    pub fn key(&mut self, label: &str, role: Role, algorithm: u8) -> KeyIndex {
        self.schedule
            .add(KeyLanes::new(label, role, AlgorithmNumber(algorithm)))
    }

    pub fn ksk(&mut self, label: &str) -> KeyIndex {
        self.ksk_of(label, 13)
    }

    pub fn zsk(&mut self, label: &str) -> KeyIndex {
        self.zsk_of(label, 13)
    }

    pub fn ksk_of(&mut self, label: &str, algorithm: u8) -> KeyIndex {
        let key = self.key(label, Role::Ksk, algorithm);
        let first = Event::at(self.schedule.since, CauseIndex(0));
        let lanes = &mut self.schedule.keys[key.0];
        lanes.dnskey.begin(first);
        lanes.ds.begin(first);
        lanes.dnskey_rrsig.begin(first);
        key
    }

    pub fn zsk_of(&mut self, label: &str, algorithm: u8) -> KeyIndex {
        let key = self.key(label, Role::Zsk, algorithm);
        let first = Event::at(self.schedule.since, CauseIndex(0));
        let lanes = &mut self.schedule.keys[key.0];
        lanes.dnskey.begin(first);
        lanes.zone_rrsig.begin(first);
        key
    }

    pub fn rollover(&mut self, title: &str, role: Role, from: &[KeyIndex]) -> usize {
        let number = self.rollovers.len() + 1;
        self.rollovers.push(Rollover {
            number,
            title: title.to_owned(),
            role,
            from: from.to_vec(),
            to: Vec::new(),
        });
        number
    }

    pub fn comes(&mut self, rollover: usize, keys: &[KeyIndex]) {
        self.rollovers[rollover - 1].to = keys.to_vec();
    }

    pub fn step(
        &mut self,
        rollover: usize,
        act: Act,
        keys: &[KeyIndex],
        actor: Actor,
        at: Time,
    ) -> &mut PlannedStep {
        let labels: Vec<_> = keys.iter().map(|key| self.schedule.key_label(*key)).collect();
        let what = format!("{act} {}", labels.join(", "));
        let cause = self.schedule.cause(what);
        self.steps.push(PlannedStep {
            number: 0,
            cause,
            rollover,
            act,
            keys: keys.to_vec(),
            changes: Vec::new(),
            actor,
            at,
            waits: Vec::new(),
            latest: None,
            no_return: None,
            command: Some(format!("keyrite-rollover step --zone {}", self.schedule.zone)),
        });
        self.steps.last_mut().unwrap()
    }

    pub fn tool(
        &mut self,
        rollover: usize,
        act: Act,
        keys: &[KeyIndex],
        at: Time,
        waits: &[(&str, Time, Wait)],
    ) -> CauseIndex {
        let step = self.step(rollover, act, keys, Actor::Tool, at);
        step.waits = waited(waits);
        step.cause
    }

    /// Keys that are made in a ceremony.
    pub fn ceremony(&mut self, rollover: usize, keys: &[KeyIndex], at: Time, latest: Time) {
        let step = self.step(rollover, Act::Generate, keys, Actor::Person, at);
        step.command = Some("keyrite-ceremony run new-ksk".to_owned());
        step.latest = Some(Deadline {
            at: latest,
            why: "the old key is used for longer than the policy wants".to_owned(),
        });
    }

    /// The DS of one KSK for that of another: a person asks, and the parent does it some time within Dreg.
    pub fn swap_ds(
        &mut self,
        rollover: usize,
        old: KeyIndex,
        new: KeyIndex,
        at: Time,
        waits: &[(&str, Time, Wait)],
    ) -> Time {
        let delay = registration_delay(&figures());
        let seen = at.after(delay.total());
        let step = self.step(rollover, Act::Submit, &[new], Actor::Person, at);
        step.waits = waited(waits);
        step.latest = Some(Deadline {
            at: at.after(Span::from_seconds(30 * 86_400)),
            why: "the rollover stands still, with two KSKs in every answer".to_owned(),
        });
        step.no_return =
            Some("once caches have the new DS, taking it back is a rollover of its own".to_owned());
        let cause = step.cause;
        let change = Event {
            from: at,
            by: seen,
            cause,
        };
        self.schedule.keys[new.0].ds.begin(change);
        self.schedule.keys[old.0].ds.end(change);
        let step = self.step(rollover, Act::SeeDs, &[new], Actor::Observation, seen);
        step.waits = waited(&[("the DS was given to the parent", at, delay)]);
        seen
    }

    pub fn plan(mut self, until: Time) -> Plan {
        self.steps.sort_by_key(|step| step.at);
        for (number, step) in (1..).zip(&mut self.steps) {
            step.number = number;
        }
        let claim = Claim {
            validators: Validators::Strict,
            since: self.now,
            trust_anchors: None,
        };
        let told = |found: Vec<Counterexample>| found[0].tell(&self.schedule);
        let proof = prove(&self.schedule, &claim).unwrap().map_err(told).unwrap();
        let runway = self.now.after(self.schedule.signatures.zone);
        Plan {
            version: 1,
            zone: self.schedule.zone.clone(),
            policy: "small-tld".to_owned(),
            head: None,
            now: self.now,
            until,
            rollovers: self.rollovers,
            steps: self.steps,
            margins: margins(&self.schedule, &claim).unwrap(),
            schedule: self.schedule,
            proof,
            runway: Runway {
                until: runway,
                left: runway.since(self.now),
                why: "the first RRSIG of the zone expires".to_owned(),
            },
        }
    }
}

fn waited(waits: &[(&str, Time, Wait)]) -> Vec<WaitedFor> {
    let waited = |(since, from, wait): &(&str, Time, Wait)| WaitedFor {
        since: (*since).to_owned(),
        from: *from,
        wait: wait.clone(),
        until: from.after(wait.total()),
    };
    waits.iter().map(waited).collect()
}
