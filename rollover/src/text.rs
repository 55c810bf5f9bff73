//! A plan and its steps as text for people.

use key_metadata::Time;

use crate::plan::{Actor, Plan, PlannedStep};
use crate::wording::{formula, names, who_and_what};

/// The whole plan. A step that somebody must do, or that must be seen, is told apart from one that the tool does.
pub fn plan(plan: &Plan) -> String {
    let proof = &plan.proof;
    let [ds, dnskey, zone] = proof.versions;
    let mut text = format!(
        "{}: planned until {} by policy {}\nproved safe for {} from {} on: {} mixes of {ds} DS, {dnskey} DNSKEY and {zone} zone RRsets\n",
        plan.zone, plan.until, plan.policy, proof.validators, proof.since, proof.mixes
    );
    for rollover in &plan.rollovers {
        let steps: Vec<_> = plan
            .steps
            .iter()
            .filter(|step| step.rollover == rollover.number)
            .collect();
        if steps.is_empty() {
            continue;
        }
        text += &format!(
            "\n{}: {}\n",
            rollover.title,
            keys(plan, &rollover.from, &rollover.to)
        );
        for step in steps {
            text += &self::step(plan, step);
        }
    }
    text
}

fn keys(plan: &Plan, from: &[crate::schedule::KeyIndex], to: &[crate::schedule::KeyIndex]) -> String {
    match (from, to) {
        ([], to) => names(&plan.schedule, to),
        (from, []) => names(&plan.schedule, from),
        (from, to) => format!("{} -> {}", names(&plan.schedule, from), names(&plan.schedule, to)),
    }
}

/// A step with all that is to be known of it.
pub fn step(plan: &Plan, step: &PlannedStep) -> String {
    let mark = match step.actor {
        Actor::Tool => ' ',
        Actor::Person => '!',
        Actor::Observation => '?',
    };
    let mut text = format!(
        "{:>3} {mark} {}  {}\n",
        step.number,
        step.at,
        who_and_what(plan, step)
    );
    let mut line = |what: String| text += &format!("      {what}\n");
    for wait in &step.waits {
        line(format!(
            "waits: {} since {} at {}",
            formula(&wait.wait),
            wait.since,
            wait.from
        ));
    }
    if let Some(margin) = margin(plan, step) {
        line(margin);
    }
    if let Some(latest) = &step.latest {
        line(format!("latest: {}, or {}", latest.at, latest.why));
    }
    if let Some(why) = &step.no_return {
        line(format!("point of no return: {why}"));
    }
    if let Some(command) = &step.command {
        line(format!("$ {command}"));
    }
    text
}

fn margin(plan: &Plan, step: &PlannedStep) -> Option<String> {
    let margin = plan.margins.iter().find(|margin| margin.cause == step.cause)?;
    Some(match margin.slack.seconds() {
        0 => "margin: none, a second earlier is not safe".to_owned(),
        _ => format!("margin: {}, earlier is not safe", margin.slack),
    })
}

/// How far something is from now, as in `in 3d4h` or `2h ago`.
pub fn distance(now: Time, at: Time) -> String {
    match at.cmp(&now) {
        std::cmp::Ordering::Greater => format!("in {}", at.since(now)),
        std::cmp::Ordering::Equal => "now".to_owned(),
        std::cmp::Ordering::Less => format!("{} ago", now.since(at)),
    }
}
