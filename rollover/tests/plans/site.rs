//! Zones whose keys are in no token: records alone.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what a test or a benchmark needs and lacks is a failure"
)]

use key_metadata::step::Step;
use key_metadata::timing::Figures;
use key_metadata::{
    Action, Algorithm, Backup, Change, Extractability, KeyId, KeyRecord, KeyReference, KeyState, KeyTimes,
    Policy, PublicKey, Role, Span, Time, TokenUri, ZoneKeys,
};
use rollover::planner::{Goal, PlanError, Request, plan};

use rollover::plan::Plan;

/// Policy, keys and what is asked.
pub struct Zone {
    pub policy: Policy,
    pub keys: ZoneKeys,
    pub now: Time,
    made: u8,
}

pub fn time(text: &str) -> Time {
    text.parse().unwrap()
}

/// A shipped policy.
pub fn policy(name: &str) -> Policy {
    let (_, text) = key_metadata::policy::SHIPPED
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap();
    Policy::from_yaml(text).unwrap()
}

impl Zone {
    /// A zone without keys, in a year that has begun.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            keys: ZoneKeys::new("example".parse().unwrap()),
            now: time("2026-12-01T00:00:00Z"),
            made: 0,
        }
    }

    /// The same with a KSK and a ZSK that were taken over a year ago.
    pub fn signed(policy: Policy) -> Self {
        let mut zone = Self::new(policy);
        let since = time("2025-12-01T00:00:00Z");
        let roles: &[Role] = match zone.policy.key(Role::Csk) {
            Some(_) => &[Role::Csk],
            None => &[Role::Ksk, Role::Zsk],
        };
        for role in roles {
            zone.import(*role, since);
        }
        zone
    }

    /// A key that another signer had.
    pub fn import(&mut self, role: Role, at: Time) -> KeyId {
        self.made += 1;
        let id = KeyId::from_random([self.made; 16]);
        let mut times = KeyTimes::generated(at);
        times.published = Some(at);
        times.active = Some(at);
        let spec = self.policy.key(role).unwrap();
        let public_key = match spec.algorithm {
            Algorithm::EcdsaP256Sha256 => PublicKey::from_dnskey(spec.algorithm, &[self.made; 64]).unwrap(),
            Algorithm::RsaSha256 => {
                PublicKey::rsa(spec.algorithm, &[self.made | 0x80; 256], &[1, 0, 1]).unwrap()
            }
            other => panic!("no key of {other} is made here"),
        };
        let record = KeyRecord {
            id,
            role,
            public_key,
            reference: KeyReference::Pkcs11("pkcs11:token=cr".parse::<TokenUri>().unwrap().of_key(id)),
            state: KeyState::Active,
            times,
            backup: Backup::none(Extractability::Never),
        };
        self.keys
            .add(record, Change::new(at, Action::Import, "keyrite-tests", "ana"));
        id
    }

    /// A key that is made now and takes these steps an hour ago, one by one.
    pub fn take(&mut self, role: Role, steps: &[Step]) {
        let at = self.now.before(Span::from_seconds(3600));
        let id = self.import(role, at);
        let mut record = self.keys.key(id).unwrap().clone();
        record.state = KeyState::Generated;
        record.times = KeyTimes::generated(at);
        // Its history begins anew, so that it is no imported one.
        let keys = std::mem::replace(&mut self.keys, ZoneKeys::new("example".parse().unwrap()));
        for key in keys.keys().iter().filter(|key| key.id != id) {
            let action = Change::new(key.times.generated, Action::Import, "keyrite-tests", "ana");
            self.keys.add(key.clone(), action);
        }
        self.keys.add(
            record.clone(),
            Change::new(at, Action::Generate, "keyrite-tests", "ana"),
        );
        for step in steps {
            record.take(*step, at);
            self.keys.replace(
                record.clone(),
                Change::new(at, step.action(), "keyrite-tests", "ana"),
            );
        }
    }

    /// What a plan of so many days is asked for.
    pub fn request(&self, days: u32, goals: Vec<Goal>) -> Request<'_> {
        Request {
            zone: self.keys.zone(),
            policy_name: "test",
            policy: &self.policy,
            keys: &self.keys,
            figures: Figures::of(&self.policy),
            evidence: Vec::new(),
            expires: None,
            now: self.now,
            until: self.now.after(Span::from_seconds(days * 86_400)),
            goals,
            outages: Vec::new(),
        }
    }

    /// The plan of so many days.
    pub fn plan(&self, days: u32, goals: Vec<Goal>) -> Result<Plan, PlanError> {
        plan(&self.request(days, goals))
    }
}
