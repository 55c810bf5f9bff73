//! What a step is called in a sentence: what the tool does, what a person must do, what must be seen.

use crate::plan::{Act, Actor, Plan, PlannedStep};
use crate::planner::Stage;
use crate::schedule::{KeyIndex, Schedule};

/// The labels of keys, as in `KSK 1 and ZSK 2`.
pub fn names(schedule: &Schedule, keys: &[KeyIndex]) -> String {
    let labels: Vec<_> = keys.iter().map(|key| schedule.key_label(*key)).collect();
    match labels.as_slice() {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Who a step is up to.
pub const fn who(actor: Actor) -> &'static str {
    match actor {
        Actor::Tool => "keyrite",
        Actor::Person => "you",
        Actor::Observation => "seen",
    }
}

/// A step in a sentence without its time: `keyrite publishes ZSK new 1`, `you give the parent the DS of KSK new 1`.
pub fn sentence(plan: &Plan, step: &PlannedStep) -> String {
    let schedule = &plan.schedule;
    let of = |stage: Stage| -> Vec<KeyIndex> {
        let fits = step.changes.iter().filter(|(_, found)| *found == stage);
        fits.map(|(key, _)| *key).collect()
    };
    let (all, who) = (names(schedule, &step.keys), who(step.actor));
    let (one, many) = if step.keys.len() == 1 {
        ("its", "it")
    } else {
        ("their", "them")
    };
    match step.act {
        Act::Generate => format!(
            "{who} {} {all} made in {one} token",
            if step.actor == Actor::Person {
                "have"
            } else {
                "has"
            }
        ),
        Act::PreActivate => format!("{who} signs the zone with {all}, without publishing {many}"),
        Act::Publish => match of(Stage::Active).as_slice() {
            [] => format!("{who} publishes {all}"),
            signers => format!(
                "{who} publishes {all}, and signs the zone with {}",
                names(schedule, signers)
            ),
        },
        Act::Submit => match of(Stage::Published).as_slice() {
            [] => format!("{who} give the parent the DS of {all}"),
            published => format!(
                "{who} publish {} and give the parent {one} DS",
                names(schedule, published)
            ),
        },
        Act::SeeDs => format!("the DS of {all} at every server of the parent"),
        Act::Activate => {
            let (new, old, out) = (of(Stage::Active), of(Stage::Retired), of(Stage::DsWithdrawn));
            let mut text = match (new.as_slice(), old.as_slice()) {
                (new, []) => format!("keyrite lets {} take over", names(schedule, new)),
                ([], old) => format!("keyrite retires {}", names(schedule, old)),
                (new, old) => format!(
                    "keyrite lets {} take over from {}",
                    names(schedule, new),
                    names(schedule, old)
                ),
            };
            let removed = of(Stage::Removed);
            if !removed.is_empty() {
                text += ", which leaves the zone";
            }
            if !out.is_empty() {
                text += &format!(
                    "; you have the parent take out the DS of {}",
                    names(schedule, &out)
                );
            }
            text
        }
        Act::Retire => format!("{who} retires {all}"),
        Act::AskForNoDs => format!("{who} have the parent take out the DS of {all}"),
        Act::GoInsecure => format!("{who} have the parent take out every DS, that of {all}"),
        Act::SeeNoDs => format!("no DS of {all} at any server of the parent"),
        Act::Withdraw => format!("{who} takes the DNSKEYs of {all} out of the zone; the ZSKs sign on"),
        Act::Revoke => format!("{who} publishes {all} with the REVOKE bit"),
        Act::Remove => format!("{who} takes {all} out of the zone"),
        Act::Destroy => format!("{who} destroy the private part of {all}"),
    }
}
