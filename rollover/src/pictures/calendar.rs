//! A plan as a calendar (RFC 5545): an event for each step and for each deadline, and alarms for what people must do.
//!
//! Nothing in it is random: an event is the same in every plan in which it is the same step with the same keys, so that a calendar that takes
//! a new plan in moves the events that it has.

use std::collections::BTreeMap;

use key_metadata::{Digest, Span, Time};

use crate::pictures::content_lines::ContentLines;
use crate::plan::{Actor, Deadline, Plan, PlannedStep};
use crate::wording::{formula, phrase, sentence};

/// How long before a deadline people are told. Our choice: a weekend and a day.
const AHEAD: Span = Span::from_seconds(3 * 86_400);

/// The plan as a file of iCalendar.
pub fn ics(plan: &Plan) -> String {
    let mut lines = ContentLines::default();
    let mut seen = BTreeMap::new();
    lines.component("VCALENDAR", |calendar| {
        calendar.property("VERSION", "2.0");
        calendar.text("PRODID", "-//Keyrite//keyrite-rollover//EN");
        calendar.property("CALSCALE", "GREGORIAN");
        calendar.text("NAME", &format!("Keys of {}", plan.zone));
        calendar.text("X-WR-CALNAME", &format!("Keys of {}", plan.zone));
        for step in &plan.steps {
            let identity = Identity::of(plan, step, &mut seen);
            step_event(calendar, plan, step, &identity);
            if let (Actor::Person, Some(latest)) = (step.actor, &step.latest) {
                deadline_event(calendar, plan, (step, latest), &identity);
            }
        }
    });
    lines.into_text()
}

/// By what a step is known in every plan: its zone, act and keys, and how many of the like are before it.
struct Identity(String);

impl Identity {
    fn of(plan: &Plan, step: &PlannedStep, seen: &mut BTreeMap<String, usize>) -> Self {
        let mut text = format!("{}\n{}", plan.zone, step.act);
        for key in &step.keys {
            text += &format!("\n{}", plan.schedule.key_label(*key));
        }
        let count = seen.entry(text.clone()).or_insert(0);
        *count += 1;
        Self(format!("{text}\n{count}"))
    }

    fn uid(&self, of: &str) -> String {
        let digest = Digest::of(format!("{of}\n{}", self.0).as_bytes()).to_string();
        format!("{}@keyrite", digest.get(..32).map_or("", |start| start))
    }
}

fn step_event(calendar: &mut ContentLines, plan: &Plan, step: &PlannedStep, identity: &Identity) {
    calendar.component("VEVENT", |event| {
        head(event, plan, &identity.uid("step"));
        event.property("DTSTART", &time(step.at));
        if let Some(window) = window(plan, step) {
            event.property("DURATION", &duration(window));
        }
        event.text("SUMMARY", &summary(plan, step));
        event.text("DESCRIPTION", &description(plan, step));
        event.text("CATEGORIES", category(step.actor));
        // Nobody is busy all the time until a deadline.
        event.property("TRANSP", "TRANSPARENT");
        match step.actor {
            Actor::Person => alarm(event, &summary(plan, step), Span::from_seconds(0)),
            Actor::Tool | Actor::Observation => {}
        }
    });
}

fn deadline_event(
    calendar: &mut ContentLines,
    plan: &Plan,
    (step, latest): (&PlannedStep, &Deadline),
    identity: &Identity,
) {
    let what = phrase(plan, step);
    let summary = format!("Latest: you must {what} before {} ({})", latest.at, plan.zone);
    calendar.component("VEVENT", |event| {
        head(event, plan, &identity.uid("latest"));
        event.property("DTSTART", &time(latest.at));
        event.text("SUMMARY", &summary);
        let text = format!(
            "{}\nAfter it {}.\nIf it is done, this is nothing to you.",
            summary, latest.why
        );
        event.text("DESCRIPTION", &text);
        event.text("CATEGORIES", category(step.actor));
        event.property("TRANSP", "TRANSPARENT");
        // Not before it can be done.
        alarm(event, &summary, AHEAD.min(latest.at.since(step.at)));
    });
}

fn head(event: &mut ContentLines, plan: &Plan, uid: &str) {
    event.property("UID", uid);
    event.property("DTSTAMP", &time(plan.now));
    // It must rise with every change (3.8.7.4); the minutes since 1970 do.
    let minutes = plan
        .now
        .unix_seconds()
        .div_euclid(60)
        .clamp(0, i64::from(i32::MAX));
    event.property("SEQUENCE", &minutes.to_string());
}

fn alarm(event: &mut ContentLines, text: &str, before: Span) {
    event.component("VALARM", |alarm| {
        alarm.property("ACTION", "DISPLAY");
        alarm.text("DESCRIPTION", text);
        let sign = if before.seconds() == 0 { "" } else { "-" };
        alarm.property("TRIGGER", &format!("{sign}{}", duration(before)));
    });
}

/// How long a step can take, or be done: a person has until the deadline, other changes have the window of the schedule.
fn window(plan: &Plan, step: &PlannedStep) -> Option<Span> {
    let person = match (step.actor, &step.latest) {
        (Actor::Person, Some(latest)) => Some(latest.at),
        (Actor::Person, None) | (Actor::Tool | Actor::Observation, _) => None,
    };
    let events = plan.schedule.keys.iter().flat_map(|key| key.events());
    let changed = events
        .filter(|event| event.cause == step.cause)
        .map(|event| event.by);
    let until = person.or_else(|| changed.max())?;
    (until > step.at).then(|| until.since(step.at))
}

fn summary(plan: &Plan, step: &PlannedStep) -> String {
    let (what, zone) = (phrase(plan, step), &plan.zone);
    match (step.actor, &step.latest) {
        (Actor::Tool, _) => format!("Keyrite will {what} ({zone})"),
        (Actor::Person, Some(latest)) => format!("You must {what} before {} ({zone})", latest.at),
        (Actor::Person, None) => format!("You must {what} ({zone})"),
        (Actor::Observation, _) => format!("To be seen: {what} ({zone})"),
    }
}

fn description(plan: &Plan, step: &PlannedStep) -> String {
    let mut lines = vec![format!("{}.", sentence(plan, step))];
    lines.extend(match step.actor {
        Actor::Tool => {
            Some("keyrite-rollover step does it when it runs: you need do nothing else.".to_owned())
        }
        Actor::Person => None,
        Actor::Observation => Some("It is looked for, and recorded when it is seen.".to_owned()),
    });
    lines.push(format!("Step {} of the plan for {}.", step.number, plan.zone));
    if let Some(command) = &step.command {
        lines.push(format!("Command: {command}"));
    }
    for wait in &step.waits {
        let (since, from, until) = (&wait.since, wait.from, wait.until);
        lines.push(format!(
            "Not before {until}: {}, since {from}, when {since}",
            formula(&wait.wait)
        ));
    }
    if let Some(latest) = &step.latest {
        lines.push(format!("Latest: {}; after it {}.", latest.at, latest.why));
    }
    if let Some(why) = &step.no_return {
        lines.push(format!("No way back: {why}."));
    }
    lines.join("\n")
}

const fn category(actor: Actor) -> &'static str {
    match actor {
        Actor::Tool => "Keyrite does",
        Actor::Person => "You must",
        Actor::Observation => "To be seen",
    }
}

/// In UTC (3.3.5).
fn time(time: Time) -> String {
    time.to_utc().format("%Y%m%dT%H%M%SZ").to_string()
}

/// Days, hours, minutes and seconds (3.3.6).
fn duration(span: Span) -> String {
    let seconds = span.seconds();
    if seconds == 0 {
        return "PT0S".to_owned();
    }
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut text = "P".to_owned();
    if days > 0 {
        text += &format!("{days}D");
    }
    if rest > 0 {
        text += "T";
        let (hours, minutes, seconds) = (rest / 3600, rest % 3600 / 60, rest % 60);
        // Hours and seconds have minutes between them (dur-time).
        if hours > 0 {
            text += &format!("{hours}H");
        }
        if minutes > 0 || (hours > 0 && seconds > 0) {
            text += &format!("{minutes}M");
        }
        if seconds > 0 {
            text += &format!("{seconds}S");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_of_the_standard() {
        for (seconds, text) in [
            (0, "PT0S"),
            (86_400, "P1D"),
            (3600, "PT1H"),
            (3601, "PT1H0M1S"),
            (90_060, "P1DT1H1M"),
            (59, "PT59S"),
        ] {
            assert_eq!(duration(Span::from_seconds(seconds)), text);
        }
    }
}
