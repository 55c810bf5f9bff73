//! Charts, calendars and sheets of plans.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers")]

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use icalendar::{Calendar, CalendarComponent, Component};
use key_metadata::{Digest, Span, Time};
use rollover::pictures::{Chart, Glyphs, Mark, MarkKind, Shown, coloured, ics, json, sheet, svg, terminal};
use rollover::plan::{Actor, Plan};
use rollover::schedule::{CauseIndex, Event, Schedule, Silence};
use rollover::wording::{formula, phrase};
use roxmltree::Document;
use snapbox::{assert_data_eq, file};

#[path = "pictures/canvas.rs"]
mod canvas;
#[path = "pictures/drawn.rs"]
mod drawn;
#[allow(dead_code, reason = "the example uses the rest")]
mod sample;

fn of(plan: &Plan) -> String {
    terminal(&Chart::of_plan(plan, None), 80, Glyphs::Unicode)
}

#[test]
fn a_zsk_prepublication_in_a_terminal() {
    assert_data_eq!(of(&sample::zsk_prepublication()), file!["pictures/zsk.txt"]);
}

#[test]
fn a_double_ksk_in_a_terminal() {
    assert_data_eq!(of(&sample::double_ksk()), file!["pictures/ksk.txt"]);
}

#[test]
fn an_algorithm_rollover_in_a_terminal() {
    assert_data_eq!(of(&sample::algorithm_rollover()), file!["pictures/algorithm.txt"]);
}

#[test]
fn two_years_in_a_terminal() {
    assert_data_eq!(of(&sample::two_years()), file!["pictures/two-years.txt"]);
}

#[test]
fn what_happened_over_what_was_planned_in_a_terminal() {
    let (plan, happened) = sample::under_way();
    let chart = Chart::of_plan(&plan, Some(&happened));
    assert_data_eq!(
        terminal(&chart, 80, Glyphs::Unicode),
        file!["pictures/under-way.txt"]
    );
}

#[test]
fn one_rollover_of_many_in_ascii() {
    let plan = sample::two_years();
    let chart = Chart::of_rollover(&plan, 2, None).unwrap();
    let text = terminal(&chart, 100, Glyphs::Ascii);
    assert!(text.is_ascii());
    assert_data_eq!(text, file!["pictures/rollover.txt"]);
    assert!(Chart::of_rollover(&plan, 99, None).is_none());
}

/// The colours are nothing but colours.
#[test]
fn a_chart_in_colours_is_the_chart() {
    let (plan, happened) = sample::under_way();
    let chart = Chart::of_plan(&plan, Some(&happened));
    let text = coloured(&chart, 80, Glyphs::Unicode);
    let mut plain = String::new();
    for (place, piece) in text.split("\u{1b}[").enumerate() {
        plain.push_str(if place == 0 {
            piece
        } else {
            piece.split_once('m').unwrap().1
        });
    }
    assert_eq!(plain, terminal(&chart, 80, Glyphs::Unicode));
}

#[test]
fn a_label_speaks_to_no_terminal() {
    let mut plan = sample::double_ksk();
    plan.schedule.keys[2].label = "KSK \u{1b}[2J\u{202e}".to_owned();
    let text = of(&plan);
    assert!(!text.contains(['\u{1b}', '\u{202e}']));
    assert!(text.contains("\u{27e8}U+001B\u{27e9}"));
}

/// What the bars say: the hover titles of a chart, which have the times.
fn told(chart: &Chart<'_>) -> Vec<String> {
    let text = svg(chart);
    let document = Document::parse(&text).unwrap();
    document
        .descendants()
        .filter(|node| node.has_tag_name((canvas::SVG, "title")))
        .map(|node| node.text().unwrap().to_owned())
        .collect()
}

/// The shades end when RFC 7583's sums do: Ipub is Dprp 1 h and TTLkey 1 h after the publication, Iret of a ZSK Dprp 1 h and TTLsig 24 h after
/// the last signature, that of a KSK DprpP 1 h and TTLds 24 h after its DS went.
#[test]
fn shades_follow_the_caches() {
    let plan = sample::zsk_prepublication();
    let titles = told(&Chart::of_plan(&plan, None)).join("\n");
    for line in [
        "DNSKEY of ZSK new 1, rumoured: from 2026-12-01T10:00:00Z until 2026-12-01T12:00:00Z",
        "DNSKEY of ZSK new 1, omnipresent: from 2026-12-01T12:00:00Z on",
        "RRSIG(zone) of ZSK new 1, uncertain: from 2026-12-01T15:00:00Z until 2026-12-01T17:00:00Z",
        "RRSIG(zone) of ZSK new 1, rumoured: from 2026-12-01T17:00:00Z until 2026-12-02T18:00:00Z",
        "RRSIG(zone) of ZSK 21733, omnipresent: from 2026-09-30T10:00:00Z until 2026-12-01T15:00:00Z",
        "RRSIG(zone) of ZSK 21733, unretentive: from 2026-12-01T17:00:00Z until 2026-12-02T18:00:00Z",
        "DNSKEY of ZSK 21733, unretentive: from 2026-12-02T19:00:00Z until 2026-12-02T21:00:00Z",
    ] {
        assert!(titles.contains(line), "{line}\n{titles}");
    }
    let plan = sample::double_ksk();
    let titles = told(&Chart::of_plan(&plan, None)).join("\n");
    for line in [
        "DS of KSK 2371, uncertain: from 2026-12-01T15:00:00Z until 2026-12-03T15:00:00Z",
        "DS of KSK 2371, unretentive: from 2026-12-03T15:00:00Z until 2026-12-04T16:00:00Z",
        "DS of KSK new 1, rumoured: from 2026-12-03T15:00:00Z until 2026-12-04T16:00:00Z",
    ] {
        assert!(titles.contains(line), "{line}\n{titles}");
    }
}

#[test]
fn what_happened_is_drawn_until_now_alone() {
    let (plan, happened) = sample::under_way();
    let titles = told(&Chart::of_plan(&plan, Some(&happened)));
    let has = |start: &str, end: &str| {
        let mut titles = titles.iter();
        titles.any(|title| title.starts_with(start) && title.ends_with(end))
    };
    // Planned from the first on, seen on the second.
    assert!(has(
        "DS of KSK new 1, uncertain: from 2026-12-01T15:00:00Z",
        "as it was planned"
    ));
    assert!(has(
        "DS of KSK new 1, uncertain: from 2026-12-02T15:00:00Z",
        "as it happened"
    ));
    let now = plan.now.to_string();
    let late = titles
        .iter()
        .filter(|title| title.ends_with("as it happened"))
        .find(|title| {
            let from = title.split("from ").nth(1).unwrap();
            from[..20] > *now
        });
    assert_eq!(late, None);
}

#[test]
fn a_key_that_was_not_planned_is_shown() {
    let (plan, mut happened) = sample::under_way();
    happened.keys[2].label = "KSK 4711".to_owned();
    let chart = Chart::of_plan(&plan, Some(&happened));
    assert!(terminal(&chart, 80, Glyphs::Unicode).contains("KSK 4711 ECDSAP256SHA256, not planned"));
    assert!(told(&chart).contains(&"KSK 4711, ECDSAP256SHA256, not planned".to_owned()));
}

#[test]
fn an_outage_and_a_revoked_key_are_shown() {
    let mut plan = sample::double_ksk();
    let at = |days: u32| sample::start().after(Span::from_seconds(days * 86_400));
    plan.schedule.silences.push(Silence {
        from: at(10),
        until: Some(at(12)),
        of: rollover::schedule::Silenced::All,
        cause: CauseIndex(0),
    });
    plan.schedule.keys[0].revoked = Some(Event::at(at(4), CauseIndex(0)));
    let chart = Chart::of_plan(&plan, None);
    let text = terminal(&chart, 80, Glyphs::Ascii);
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(line("nobody signs").contains("xxxxx"));
    assert!(line("  DNSKEY").contains("#R#"));
    let titles = told(&chart);
    assert!(
        titles.contains(&"nobody signs, from 2026-12-09T10:00:00Z until 2026-12-11T10:00:00Z".to_owned())
    );
    assert!(titles.contains(&"KSK 2371 has the REVOKE bit from 2026-12-03T10:00:00Z".to_owned()));
}

/// Where changes come in too many orders to be followed, that is said.
#[test]
fn what_cannot_be_followed_is_told() {
    let mut plan = sample::zsk_prepublication();
    for number in 0..12 {
        let cause = plan.schedule.cause(format!("change {number}"));
        let mut key = plan.schedule.keys[1].clone();
        key.label = format!("KSK {number}");
        key.dnskey.0.clear();
        key.dnskey.begin(Event {
            from: plan.now,
            by: plan.until,
            cause,
        });
        plan.schedule.add(key);
    }
    let chart = Chart::of_plan(&plan, None);
    assert!(terminal(&chart, 80, Glyphs::Ascii).contains("What caches hold is not drawn"));
    assert!(svg(&chart).contains("what caches hold is not drawn"));
}

fn is_well_formed(text: &str) {
    let mut child = Command::new("xmllint")
        .args(["--noout", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("xmllint of Debian's libxml2-utils");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn pictures_are_well_formed_and_within_their_canvas() {
    for plan in [
        sample::zsk_prepublication(),
        sample::double_ksk(),
        sample::algorithm_rollover(),
        sample::two_years(),
    ] {
        let text = svg(&Chart::of_plan(&plan, None));
        is_well_formed(&text);
        canvas::check(&Document::parse(&text).unwrap());
        let page = sheet(&plan).unwrap();
        is_well_formed(&page);
        let options = roxmltree::ParsingOptions {
            allow_dtd: true,
            ..Default::default()
        };
        canvas::check(&Document::parse_with_options(&page, options).unwrap());
    }
}

/// What a plan comes to, as one digest of each.
fn digests(plan: &Plan, happened: Option<&Schedule>) -> Vec<String> {
    let chart = Chart::of_plan(plan, happened);
    [
        terminal(&chart, 80, Glyphs::Unicode),
        coloured(&chart, 80, Glyphs::Unicode),
        svg(&chart),
        ics(plan),
        sheet(plan).unwrap(),
        json(plan).unwrap(),
    ]
    .iter()
    .map(|text| Digest::of(text.as_bytes()).to_string())
    .collect()
}

fn all_digests() -> Vec<String> {
    let (plan, happened) = sample::under_way();
    let mut all = digests(&plan, Some(&happened));
    for plan in [
        sample::zsk_prepublication(),
        sample::two_years(),
        sample::algorithm_rollover(),
    ] {
        all.extend(digests(&plan, None));
    }
    all
}

/// Run by the test below, in another process.
#[test]
#[ignore = "another test runs it"]
fn print_digests() {
    println!("digests: {}", all_digests().join(" "));
}

#[test]
fn the_same_plan_has_the_same_bytes() {
    let here = all_digests();
    assert_eq!(all_digests(), here);
    // Another process has other seeds of its maps.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "print_digests", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let there = said.split("digests: ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(there, here.join(" "));
}

#[test]
fn another_time_has_other_bytes() {
    let plan = sample::double_ksk();
    let mut later = plan.clone();
    later.now = later.now.after(Span::from_seconds(86_400));
    let same = digests(&plan, None)
        .into_iter()
        .zip(digests(&later, None))
        .filter(|(one, other)| one == other);
    assert_eq!(same.count(), 0);
}

#[test]
fn a_calendar_keeps_apart_who_does_what() {
    let plan = sample::double_ksk();
    let text = ics(&plan);
    assert!(
        text.ends_with("END:VCALENDAR\r\n") && text.matches('\n').count() == text.matches("\r\n").count()
    );
    let calendar: Calendar = text.parse().unwrap();
    let summaries: Vec<&str> = events(&calendar)
        .map(|event| event.property_value("SUMMARY").unwrap())
        .collect();
    assert_eq!(
        summaries,
        [
            "You must make KSK new 1 before 2027-01-30T10:00:00Z (cr)",
            "Latest: you must make KSK new 1 before 2027-01-30T10:00:00Z (cr)",
            "Keyrite will publish the DNSKEY of KSK new 1 (cr)",
            "You must give the DS of KSK new 1 to the parent before 2026-12-31T15:00:00Z (cr)",
            "Latest: you must give the DS of KSK new 1 to the parent before 2026-12-31T15:00:00Z (cr)",
            "To be seen: the DS of KSK new 1 is at every server of the parent (cr)",
            "Keyrite will remove KSK 2371 from the zone (cr)",
            "You must destroy the private part of KSK 2371 (cr)",
        ]
    );
    // An alarm for what people must do, and for its deadlines; none for the rest.
    let alarms: Vec<Option<&str>> = events(&calendar)
        .map(|event| {
            let alarm = event.components().first()?;
            alarm.property_value("TRIGGER")
        })
        .collect();
    let (now, ahead) = (Some("PT0S"), Some("-P3D"));
    assert_eq!(alarms, [now, ahead, None, now, ahead, None, None, now]);
    let submit = events(&calendar).nth(3).unwrap();
    assert_eq!(submit.property_value("DURATION"), Some("P30D"));
    assert_eq!(submit.property_value("DTSTAMP"), Some("20261129T100000Z"));
    let description = submit.property_value("DESCRIPTION").unwrap();
    assert!(description.contains(
        "Ipub = Dsgn 2h (policy) + Dprp 1h (policy) + TTLkey 1h (policy) + Psafe 1h (policy) = 5h"
    ));
    assert!(description.contains("Command: keyrite-rollover step --zone cr"));
}

fn events(calendar: &Calendar) -> impl Iterator<Item = &icalendar::Event> {
    calendar.components.iter().filter_map(CalendarComponent::as_event)
}

fn uids(plan: &Plan) -> Vec<String> {
    let calendar: Calendar = ics(plan).parse().unwrap();
    events(&calendar)
        .map(|event| event.property_value("UID").unwrap().to_owned())
        .collect()
}

/// A calendar that takes in a later plan moves what it has.
#[test]
fn an_event_is_known_again() {
    let plan = sample::two_years();
    let all: BTreeSet<String> = uids(&plan).into_iter().collect();
    assert_eq!(all.len(), uids(&plan).len());
    let mut later = plan.clone();
    later.now = later.now.after(Span::from_seconds(100 * 86_400));
    later.steps.drain(..6);
    for (number, step) in (1..).zip(&mut later.steps) {
        step.number = number;
        step.at = step.at.after(Span::from_seconds(3600));
    }
    let left: BTreeSet<String> = uids(&later).into_iter().collect();
    assert!(left.is_subset(&all) && left.len() == all.len() - 6);
}

#[test]
fn a_sheet_has_all_that_is_to_be_done() {
    let plan = sample::double_ksk();
    let page = sheet(&plan).unwrap();
    let digest = Digest::of(json(&plan).unwrap().as_bytes());
    assert!(page.contains(&digest.to_string()));
    let words = cli::words::words(&digest);
    assert!(page.contains(&words[..8].join(" ")) && page.contains(&words[24..].join(" ")));
    assert_eq!(page.matches("class=\"blank\"").count(), 2 * plan.steps.len());
    for step in &plan.steps {
        assert!(page.contains(&phrase(&plan, step)));
        assert!(page.contains(&step.at.to_string()));
        assert!(page.contains(step.command.as_ref().unwrap()));
        for wait in &step.waits {
            assert!(page.contains(&formula(&wait.wait)));
        }
        if let Some(latest) = &step.latest {
            assert!(page.contains(&format!("latest {}: after it {}", latest.at, latest.why)));
        }
        if let Some(why) = &step.no_return {
            assert!(page.contains(&format!("no way back: {why}")));
        }
    }
    // A plan of many rollovers has a chart of all, and one of each.
    assert_eq!(page.matches("<svg ").count(), 1);
    let plan = sample::two_years();
    assert_eq!(sheet(&plan).unwrap().matches("<svg ").count(), 10);
}

#[test]
fn marks_need_no_plan() {
    let plan = sample::zsk_prepublication();
    let chart = Chart {
        title: "by hand".to_owned(),
        schedule: &plan.schedule,
        happened: None,
        shown: Shown::All,
        from: plan.now,
        until: plan.until,
        now: plan.now,
        marks: vec![Mark {
            at: plan.now.after(Span::from_seconds(86_400)),
            label: "look".to_owned(),
            kind: MarkKind::from(Actor::Person),
            number: None,
        }],
    };
    assert!(terminal(&chart, 80, Glyphs::Ascii).contains("  *  2026-11-30T10:00:00Z  you must     look\n"));
    canvas::check(&Document::parse(&svg(&chart)).unwrap());
}

/// Marks for which there is no room of their own stand together, also at the end of the axis.
#[test]
fn marks_that_stand_together_are_all_numbered() {
    let plan = sample::double_ksk();
    let mut chart = Chart::of_plan(&plan, None);
    let last = |number| Mark {
        at: chart.until,
        label: "look".to_owned(),
        kind: MarkKind::Tool,
        number: Some(number),
    };
    chart.marks = (1998..2010).map(last).collect();
    let text = terminal(&chart, 80, Glyphs::Ascii);
    let row = text
        .lines()
        .find(|line| line.starts_with("Keyrite does"))
        .unwrap();
    assert!(row.ends_with(" 1998-2009") && row.len() == 80, "{row}");
    let text = svg(&chart);
    assert!(text.contains(">1998-2009</text>"));
    canvas::check(&Document::parse(&text).unwrap());
}

/// A time in the calendar, from seconds since 1970.
fn time(seconds: i64) -> Time {
    let first: Time = "1970-01-01T00:00:00Z".parse().unwrap();
    let span = Span::from_seconds(u32::try_from(seconds.abs()).unwrap_or(u32::MAX));
    if seconds < 0 {
        first.before(span)
    } else {
        first.after(span)
    }
}
