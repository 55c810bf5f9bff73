//! A step of a plan in words, which keep apart what Keyrite does and what people must do.

use key_metadata::timing::Wait;

use crate::plan::{Act, Actor, Plan, PlannedStep};

/// What is done in a step, or what is seen, as in `give the DS of KSK 2371 to the parent`.
pub fn phrase(plan: &Plan, step: &PlannedStep) -> String {
    let labels: Vec<_> = step
        .keys
        .iter()
        .map(|key| plan.schedule.key_label(*key))
        .collect();
    let keys = match labels.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => "the keys".to_owned(),
    };
    let see = match step.actor {
        Actor::Tool | Actor::Person => "see that ",
        Actor::Observation => "",
    };
    match step.act {
        Act::Generate => format!("make {keys}"),
        Act::PreActivate => format!("sign the zone with {keys}, the DNSKEY not being published"),
        Act::Publish => format!("publish the DNSKEY of {keys}"),
        Act::Submit => format!("give the DS of {keys} to the parent"),
        Act::SeeDs => format!("{see}the DS of {keys} is at every server of the parent"),
        Act::Activate => format!("let {keys} take over"),
        Act::Retire => format!("retire {keys}"),
        Act::AskForNoDs => format!("have the parent take out the DS of {keys}"),
        Act::SeeNoDs => format!("{see}the DS of {keys} is at no server of the parent"),
        Act::Withdraw => format!("withdraw the DNSKEY of {keys}, keeping the RRSIGs"),
        Act::Revoke => format!("publish {keys} with the REVOKE bit"),
        Act::Remove => format!("remove {keys} from the zone"),
        Act::Destroy => format!("destroy the private part of {keys}"),
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

/// A wait with its formula.
pub fn formula(wait: &Wait) -> String {
    wait.to_string()
}
