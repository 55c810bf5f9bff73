//! What is wanted in a life beside the policy's rollovers: one thing after the other, as people would have it.

use std::collections::BTreeSet;

use key_metadata::{KeyId, KeyRecord, Time};

use super::records::ZoneRecords;
use super::world::World;
use crate::planner::Goal;

/// All that is wanted and not fulfilled.
#[derive(Debug)]
pub struct Wishes(Vec<Wish>);

/// Something that is wanted.
#[derive(Debug)]
struct Wish {
    from: Time,
    goal: Goal,
    /// The keys that it is about; it is fulfilled when none of them is active any more.
    about: Option<BTreeSet<KeyId>>,
}

impl Wishes {
    /// Each goal, and from when on it is wanted.
    pub fn new(wishes: &[(Time, Goal)]) -> Self {
        let wishes = wishes.iter().map(|(from, goal)| Wish {
            from: *from,
            goal: *goal,
            about: None,
        });
        Self(wishes.collect())
    }

    /// What is wanted now.
    pub fn goals(&self) -> Vec<Goal> {
        let wanted = self.0.iter().filter(|wish| wish.about.is_some());
        wanted.map(|wish| wish.goal).collect()
    }

    /// When something is wanted next.
    pub fn next(&self, now: Time) -> Option<Time> {
        self.0
            .iter()
            .map(|wish| wish.from)
            .filter(|from| *from > now)
            .min()
    }

    /// Looks what is wanted from now on; and what was, and is fulfilled.
    pub fn look(&mut self, (records, world): (&ZoneRecords, &mut World), now: Time) {
        let mut is_busy = self.0.iter().any(|wish| wish.about.is_some());
        for wish in &mut self.0 {
            if wish.from <= now && wish.about.is_none() && !is_busy {
                let about = records.active(|key| is_about(&wish.goal, key));
                if about.is_empty() {
                    continue;
                }
                world.tell(world.clock.moment(now), format!("wanted: {}", words(&wish.goal)));
                if let Goal::Lost(..) = wish.goal {
                    about
                        .iter()
                        .filter_map(|key| records.place(*key))
                        .for_each(|key| world.lose(key));
                }
                wish.about = Some(about);
                is_busy = true;
            }
        }
        let active = records.active(|_| true);
        self.0.retain(|wish| {
            let fulfilled = |about: &BTreeSet<KeyId>| about.is_disjoint(&active);
            wish.goal == Goal::Insecure || !wish.about.as_ref().is_some_and(fulfilled)
        });
    }
}

fn words(goal: &Goal) -> String {
    match goal {
        Goal::Roll(role) => format!("another {role}"),
        Goal::Compromised(role) => format!("another {role}: somebody else has it"),
        Goal::Lost(role, _) => format!("another {role}: nobody has it any more"),
        Goal::Algorithm(spec) => format!("the algorithm {}", spec.algorithm()),
        Goal::Insecure => "no signatures any more".to_owned(),
        Goal::Abandon => "the way back".to_owned(),
    }
}

/// Whether a key goes when something is fulfilled.
fn is_about(goal: &Goal, key: &KeyRecord) -> bool {
    match goal {
        Goal::Roll(role) | Goal::Compromised(role) | Goal::Lost(role, ..) => key.role == *role,
        Goal::Algorithm(spec) => key.algorithm().number() != spec.algorithm().number(),
        Goal::Insecure => true,
        Goal::Abandon => key.times.active.is_none(),
    }
}
