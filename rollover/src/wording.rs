//! A step of a plan in words, which keep apart what Keyrite does, what people must do, and what must be seen.

use key_metadata::timing::Wait;

use crate::plan::{Act, Actor, Plan, PlannedStep};
use crate::planner::Stage;
use crate::schedule::{KeyIndex, Schedule};

/// The labels of keys, as in `KSK 1 and ZSK 2`.
pub fn names(schedule: &Schedule, keys: &[KeyIndex]) -> String {
    let labels: Vec<_> = keys.iter().map(|key| schedule.key_label(*key)).collect();
    match labels.as_slice() {
        [] => "the keys".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What is done in a step, or what is seen, as in `give the DS of KSK 2371 to the parent`.
pub fn phrase(plan: &Plan, step: &PlannedStep) -> String {
    let schedule = &plan.schedule;
    let of = |stage: Stage| -> Vec<KeyIndex> {
        let fits = step.changes.iter().filter(|(_, found)| *found == stage);
        fits.map(|(key, _)| *key).collect()
    };
    let keys = names(schedule, &step.keys);
    let see = match step.actor {
        Actor::Tool | Actor::Person => "see that ",
        Actor::Observation => "",
    };
    match step.act {
        Act::Generate => format!("make {keys}"),
        Act::PreActivate => format!("sign the zone with {keys}, the DNSKEY not being published"),
        Act::Publish => {
            let signing = [of(Stage::Active), of(Stage::PreActive)].concat();
            match signing.as_slice() {
                [] => format!("publish the DNSKEY of {keys}"),
                signing => format!(
                    "publish the DNSKEY of {keys}, and sign the zone with {}",
                    names(schedule, signing)
                ),
            }
        }
        Act::Submit => match of(Stage::Published).as_slice() {
            [] => format!(
                "give the DS of {} to the parent",
                submitted(schedule, step, &of(Stage::Submitted))
            ),
            published => format!(
                "publish {} and give the DS to the parent",
                names(schedule, published)
            ),
        },
        Act::SeeDs => format!("{see}the DS of {keys} is at every server of the parent"),
        Act::Activate => activate(schedule, step, of),
        Act::Retire => format!("retire {keys}"),
        Act::AskForNoDs => format!("have the parent take out the DS of {keys}"),
        Act::GoInsecure => format!("have the parent take out every DS, that of {keys}"),
        Act::SeeNoDs => format!("{see}the DS of {keys} is at no server of the parent"),
        Act::Withdraw => format!("withdraw the DNSKEY of {keys}, keeping the RRSIGs"),
        Act::Revoke => format!("publish {keys} with the REVOKE bit"),
        Act::Remove => format!("remove {keys} from the zone"),
        Act::Destroy => format!("destroy the private part of {keys}"),
    }
}

/// The keys that are submitted in a step, which may have others.
fn submitted(schedule: &Schedule, step: &PlannedStep, submitted: &[KeyIndex]) -> String {
    match submitted {
        [] => names(schedule, &step.keys),
        submitted => names(schedule, submitted),
    }
}

/// A key takes over from another one, which may leave, at once or at the parent.
fn activate(schedule: &Schedule, step: &PlannedStep, of: impl Fn(Stage) -> Vec<KeyIndex>) -> String {
    let new = of(Stage::Active);
    let new = if new.is_empty() { &step.keys } else { &new };
    let mut text = format!("let {} take over", names(schedule, new));
    let old: Vec<_> = step
        .keys
        .iter()
        .filter(|key| !new.contains(key))
        .copied()
        .collect();
    if !old.is_empty() {
        text += &format!(" from {}", names(schedule, &old));
    }
    let leaving = [of(Stage::Removed), of(Stage::PostActive)].concat();
    if !leaving.is_empty() {
        text += ", whose DNSKEY leaves the zone";
    }
    let out = of(Stage::DsWithdrawn);
    if !out.is_empty() {
        text += &format!(
            ", and have the parent take out the DS of {}",
            names(schedule, &out)
        );
    }
    text
}

/// Who does a step, and what, without when: `Keyrite will publish ...`, `You must give ...`.
pub fn who_and_what(plan: &Plan, step: &PlannedStep) -> String {
    let what = phrase(plan, step);
    match step.actor {
        Actor::Tool => format!("Keyrite will {what}"),
        Actor::Person => format!("You must {what}"),
        Actor::Observation => format!("To be seen: {what}"),
    }
}

/// Who does a step and when: `Keyrite will publish ... at T`, `You must give ... before T`.
pub fn sentence(plan: &Plan, step: &PlannedStep) -> String {
    let (what, at) = (phrase(plan, step), step.at);
    match (step.actor, &step.latest) {
        (Actor::Tool, _) => format!("Keyrite will {what} at {at}"),
        (Actor::Person, Some(latest)) => {
            format!("You must {what}, at {at} or later and before {}", latest.at)
        }
        (Actor::Person, None) => format!("You must {what}, at {at} or later"),
        (Actor::Observation, _) => format!("To be seen, not before {at}: {what}"),
    }
}

/// A wait with its formula, and where its figures are from.
pub fn formula(wait: &Wait) -> String {
    wait.explained()
}
