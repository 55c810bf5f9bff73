//! What was decided for a zone, and is not done yet.

use key_metadata::{
    Intention, Intentions, KeptGoal, KeyId, KeyRecord, KeySpec, KeyState, Role, Time, ZoneKeys,
};

use crate::planner::{Goal, coming};

/// What was decided and is not done yet, for a planner; the same twice is one.
pub fn decided(kept: &Intentions, keys: &ZoneKeys, now: Time) -> Vec<Goal> {
    let mut goals = Vec::new();
    for intention in open(kept, keys, now) {
        if let Some(goal) = goal(intention.goal, intention.at).filter(|goal| !goals.contains(goal)) {
            goals.push(goal);
        }
    }
    goals
}

/// The decisions that are not done yet.
pub fn open<'a>(kept: &'a Intentions, keys: &ZoneKeys, now: Time) -> Vec<&'a Intention> {
    let coming = coming(keys, now);
    let is_open = |intention: &&Intention| {
        let mut about = intention.keys.iter().filter_map(|id| keys.key(*id));
        match intention.goal {
            KeptGoal::Roll { .. } | KeptGoal::Compromised { .. } | KeptGoal::Lost { .. } => {
                about.any(is_in_use)
            }
            KeptGoal::Abandon => about.any(|key| coming.contains(&key.id)),
            KeptGoal::Algorithm { .. } | KeptGoal::Insecure => {
                goal(intention.goal, intention.at).is_some_and(|goal| !is_reached(&goal, keys))
            }
        }
    };
    kept.intentions.iter().filter(is_open).collect()
}

/// What was decided at a time, for a planner; none, where it names keys that cannot be.
pub fn goal(kept: KeptGoal, at: Time) -> Option<Goal> {
    Some(match kept {
        KeptGoal::Roll { role } => Goal::Roll(role),
        KeptGoal::Compromised { role } => Goal::Compromised(role),
        KeptGoal::Lost { role } => Goal::Lost(role, at),
        KeptGoal::Algorithm { algorithm, bits } => Goal::Algorithm(KeySpec::new(algorithm, bits).ok()?),
        KeptGoal::Insecure => Goal::Insecure,
        KeptGoal::Abandon => Goal::Abandon,
    })
}

/// Whether the keys are as they were to be: of an algorithm that all of them have already.
pub fn is_reached(goal: &Goal, keys: &ZoneKeys) -> bool {
    match goal {
        Goal::Algorithm(spec) => !keys.keys().iter().any(|key| {
            key.times.active.is_some()
                && key.times.destroyed.is_none()
                && key.algorithm().number() != spec.algorithm().number()
        }),
        Goal::Roll(_) | Goal::Compromised(_) | Goal::Lost(..) | Goal::Insecure | Goal::Abandon => false,
    }
}

/// The keys that something wanted is about.
pub fn keys_about(wish: KeptGoal, keys: &ZoneKeys, now: Time) -> Vec<KeyId> {
    let in_use = |role: Option<Role>| {
        let fits = |key: &&KeyRecord| is_in_use(key) && role.is_none_or(|role| key.role == role);
        keys.keys().iter().filter(fits).map(|key| key.id).collect()
    };
    match wish {
        KeptGoal::Roll { role } | KeptGoal::Compromised { role } | KeptGoal::Lost { role } => {
            in_use(Some(role))
        }
        KeptGoal::Algorithm { .. } | KeptGoal::Insecure => in_use(None),
        KeptGoal::Abandon => coming(keys, now),
    }
}

fn is_in_use(key: &KeyRecord) -> bool {
    key.state == KeyState::Active
}
