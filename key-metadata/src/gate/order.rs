//! The order of a key's life.

use super::{Refusal, Rule};
use crate::key_record::KeyRecord;
use crate::life::KeyState;
use crate::role::Role;
use crate::step::Step;

/// Whether `step` is one that `key` cannot take as it is, whatever the policy, the time and the zone's other keys.
pub fn out_of_order(step: Step, key: &KeyRecord) -> Option<Refusal> {
    let order = |why: String, remedy: String| Some(Refusal::new(Rule::Order, why, remedy));
    let from = step.from(key.role);
    if from.is_empty() {
        let remedy = match key.role {
            Role::Zsk => "name a KSK or a CSK",
            Role::Ksk | Role::Csk => "name a ZSK or a CSK",
        };
        return order(format!("a {} has no {}", key.role, what(step)), remedy.to_owned());
    }
    if !from.contains(&key.state) {
        let states: Vec<_> = from.iter().map(ToString::to_string).collect();
        let states = states.join(" or ");
        let why = format!("it is {}, and {step} takes a key that is {states}", key.state);
        return order(why, next_steps(key));
    }
    let times = &key.times;
    match step {
        Step::Withdraw if key.state == KeyState::Published && !key.signs_zone() => order(
            "it signs nothing that could stay".to_owned(),
            "remove it".to_owned(),
        ),
        Step::Register if times.registered.is_some() => order(
            "its DS was seen at the parent already".to_owned(),
            next_steps(key),
        ),
        Step::Deregister if times.deregistered.is_some() => order(
            "its DS was seen gone from the parent already".to_owned(),
            next_steps(key),
        ),
        Step::Deregister if !key.had_ds() => {
            order("it never had a DS at the parent".to_owned(), next_steps(key))
        }
        Step::PreActivate
        | Step::Publish
        | Step::Introduce
        | Step::Submit
        | Step::Register
        | Step::Activate
        | Step::RetireActive
        | Step::GoInsecure
        | Step::Retire
        | Step::Deregister
        | Step::Withdraw
        | Step::Revoke
        | Step::Remove
        | Step::Destroy => None,
    }
}

/// What a key of some roles does not have, so that it does not take that step.
const fn what(step: Step) -> &'static str {
    match step {
        Step::PreActivate | Step::Introduce => "signatures in the zone but those of its keys",
        Step::Revoke => "trust anchor",
        Step::Submit | Step::Register | Step::RetireActive | Step::GoInsecure | Step::Deregister => "DS",
        // Every role takes these.
        Step::Publish | Step::Activate | Step::Retire | Step::Withdraw | Step::Remove | Step::Destroy => {
            "such step"
        }
    }
}

/// What can be done with a key as it is.
fn next_steps(key: &KeyRecord) -> String {
    let has_ds = key.role.signs_dnskey();
    match key.state {
        KeyState::Generated => "publish it, or destroy it",
        KeyState::PreActive if key.role.signs_zone() => "publish it, or remove it",
        KeyState::PreActive => "activate it, publish it, or remove it",
        KeyState::Published if has_ds => "submit its DS, activate it, or remove it",
        KeyState::Published | KeyState::Ready => "activate it, or remove it",
        KeyState::Active => "retire it once its successor is active",
        KeyState::RetireActive if key.role.signs_zone() => {
            "withdraw or remove it once its DS has left the caches"
        }
        KeyState::RetireActive => "remove it once its DS has left the caches",
        KeyState::Retired | KeyState::Dead if has_ds => "remove it, or revoke it where it was a trust anchor",
        KeyState::Retired | KeyState::PostActive | KeyState::Dead | KeyState::Revoked => "remove it",
        KeyState::Removed => "destroy it",
        KeyState::Destroyed => "nothing more can be done with it",
    }
    .to_owned()
}
