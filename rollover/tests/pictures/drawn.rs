//! Whatever a schedule and a plan say is drawn.

use icalendar::Calendar;
use icalendar::Component;
use key_metadata::{Role, Span};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rollover::pictures::{Chart, Glyphs, Mark, MarkKind, Shown, ics, sheet, svg, terminal};
use rollover::plan::{Act, Actor, Deadline, Plan};
use rollover::schedule::{
    AlgorithmNumber, CauseIndex, Event, KeyIndex, KeyLanes, Lane, Presence, Schedule, Silence,
};
use roxmltree::Document;

use super::{canvas, events, sample, time};

/// Seconds since 1970, near enough to each other that lanes and chart meet.
fn seconds() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 1_700_000_000_i64..1_702_000_000, 1 => -4_000_000_000_i64..4_200_000_000]
}

prop_compose! {
    fn event()(from in seconds(), window in prop_oneof![Just(0_u32), 0_u32..900_000], cause in 0_usize..5) -> Event {
        Event { from: time(from), by: time(from).after(Span::from_seconds(window)), cause: CauseIndex(cause) }
    }
}

fn lane() -> impl Strategy<Value = Lane> {
    vec((event(), option::of(event())), 0..3).prop_map(|presences| {
        let presence = |(begins, ends)| Presence { begins, ends };
        Lane(presences.into_iter().map(presence).collect())
    })
}

prop_compose! {
    fn key()(
        label in ".{0,30}",
        algorithm: u8,
        lanes in [lane(), lane(), lane(), lane()],
        revoked in option::of(event()),
    ) -> KeyLanes {
        let [dnskey, ds, dnskey_rrsig, zone_rrsig] = lanes;
        KeyLanes { dnskey, ds, dnskey_rrsig, zone_rrsig, revoked, ..KeyLanes::new(label, Role::Csk, AlgorithmNumber(algorithm)) }
    }
}

prop_compose! {
    fn schedule()(
        since in seconds(),
        keys in vec(key(), 0..5),
        silences in vec((seconds(), option::of(seconds())), 0..2),
        ttl in 0_u32..400_000,
    ) -> Schedule {
        let mut schedule = sample::double_ksk().schedule;
        let silence = |(from, until): (i64, Option<i64>)| Silence { from: time(from), until: until.map(time), of: rollover::schedule::Silenced::All, cause: CauseIndex(0) };
        schedule.since = time(since);
        schedule.keys = keys;
        schedule.silences = silences.into_iter().map(silence).collect();
        schedule.caching.zone = vec![(time(since), Span::from_seconds(ttl))];
        schedule
    }
}

fn kind() -> impl Strategy<Value = MarkKind> {
    proptest::sample::select(MarkKind::ALL.to_vec())
}

prop_compose! {
    fn mark()(at in seconds(), label: String, kind in kind(), number in option::of(0_usize..2000)) -> Mark {
        Mark { at: time(at), label, kind, number }
    }
}

/// Whether anything of a lane is in the chart's time.
fn is_seen(lane: &Lane, chart: &Chart<'_>) -> bool {
    lane.0.iter().any(|presence| {
        let begins = presence.begins.from;
        let ends = presence
            .ends
            .map(|ends| ends.by.max(ends.from).max(presence.begins.by));
        begins < chart.until && ends.is_none_or(|ends| ends > chart.from && ends > begins)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_schedule_is_drawn(
        schedule in schedule(),
        happened in option::of(schedule()),
        (from, until, now) in (seconds(), seconds(), seconds()),
        marks in vec(mark(), 0..30),
        title: String,
        columns in 0_usize..200,
    ) {
        let chart = Chart {
            title,
            schedule: &schedule,
            happened: happened.as_ref(),
            shown: Shown::All,
            from: time(from),
            until: time(until),
            now: time(now),
            marks,
        };
        for glyphs in [Glyphs::Unicode, Glyphs::Ascii] {
            let text = terminal(&chart, columns, glyphs);
            let widest = text.lines().map(|line| line.chars().count()).max();
            prop_assert!(widest.unwrap_or(0) <= columns.max(48), "{text}");
            let hidden = |c: char| c != '\n' && c.is_control();
            prop_assert!(!text.contains(hidden));
        }
        let text = svg(&chart);
        let document = Document::parse(&text).unwrap();
        canvas::check(&document);
        for (name, lane) in [
            ("DNSKEY", (|key| &key.dnskey) as fn(&KeyLanes) -> &Lane),
            ("DS", |key| &key.ds),
            ("RRSIG(DNSKEY)", |key| &key.dnskey_rrsig),
            ("RRSIG(zone)", |key| &key.zone_rrsig),
        ] {
            let seen = schedule.keys.iter().filter(|key| from < until && is_seen(lane(key), &chart)).count();
            prop_assert!(canvas::lanes(&document, name) >= seen);
        }
        prop_assert_eq!(svg(&chart), text);
    }

    #[test]
    fn any_plan_is_a_calendar_and_a_sheet(
        labels in vec(any::<String>(), 3),
        steps in vec((seconds(), option::of((seconds(), any::<String>())), option::of(any::<String>()), 0_usize..3, 0_usize..9), 6),
    ) {
        let plan = changed(sample::double_ksk(), &labels, &steps);
        let text = ics(&plan);
        prop_assert!(text.ends_with("\r\n"));
        for line in text.split_terminator("\r\n") {
            prop_assert!(line.len() <= 75 && !line.contains(['\r', '\n']), "{line:?}");
        }
        let calendar: Calendar = text.parse().unwrap();
        let deadlines = plan.steps.iter().filter(|step| step.actor == Actor::Person && step.latest.is_some());
        prop_assert_eq!(events(&calendar).count(), plan.steps.len() + deadlines.count());
        for event in events(&calendar) {
            prop_assert!(event.property_value("SUMMARY").is_some() && event.property_value("DTSTART").is_some());
        }
        let page = sheet(&plan).unwrap();
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        canvas::check(&Document::parse_with_options(&page, options).unwrap());
    }
}

type Step = (i64, Option<(i64, String)>, Option<String>, usize, usize);

fn changed(mut plan: Plan, labels: &[String], steps: &[Step]) -> Plan {
    for (key, label) in plan.schedule.keys.iter_mut().zip(labels) {
        key.label.clone_from(label);
    }
    for (step, (at, latest, no_return, actor, act)) in plan.steps.iter_mut().zip(steps) {
        step.at = time(*at);
        step.latest = latest.as_ref().map(|(at, why)| Deadline {
            at: time(*at),
            why: why.clone(),
        });
        step.no_return.clone_from(no_return);
        step.actor = [Actor::Tool, Actor::Person, Actor::Observation][*actor];
        step.act = [
            Act::Generate,
            Act::Publish,
            Act::Submit,
            Act::SeeDs,
            Act::Activate,
            Act::AskForNoDs,
            Act::SeeNoDs,
            Act::Withdraw,
            Act::Destroy,
        ][*act];
        step.keys = (0..*actor).map(KeyIndex).collect();
    }
    plan
}
