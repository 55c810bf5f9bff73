//! The script as plain text: 80 columns, 60 lines a page, each with the script's digest in its foot.

use key_metadata::Digest;

use super::EXCEPTION_SHEETS;
use super::paper::{self, PaperStep, Part, SHEET};
use super::wrap::wrap;
use crate::script::{Kind, Script, Seat};

/// Lines on a page, its foot included.
pub const LINES_OF_A_PAGE: usize = 60;
const WIDTH: usize = 80;
/// Two lines of the head, and a blank one after it; a blank one before the foot, and its line.
const ROOM: usize = LINES_OF_A_PAGE - 5;
/// Columns of what is said and done; the rest is for initials and the time.
const STEP: usize = 54;

/// The text.
pub(super) fn text(script: &Script, digest: Digest) -> String {
    let mut pages = Pages::default();
    cover(&mut pages, script);
    let plan = script.plan();
    let steps = paper::steps(script, &plan);
    for act in &script.acts {
        pages.new_page();
        let heading = format!("Act '{}': {}", act.id, act.title);
        pages.block(&underlined(&heading));
        let of_act = plan.iter().zip(&steps);
        for (_, step) in of_act.filter(|(planned, _)| planned.act.is_some_and(|of| of.id == act.id)) {
            pages.block(&step_lines(step));
        }
    }
    if !script.safe_state.is_empty() {
        pages.new_page();
        pages.block(&underlined("Safe state: only when the ceremony is broken off"));
        for step in paper::steps(script, &script.safe_state_plan()) {
            pages.block(&step_lines(&step));
        }
    }
    for number in 1..=EXCEPTION_SHEETS {
        pages.new_page();
        pages.block(&sheet(script, number));
    }
    pages.finish(script, digest)
}

#[derive(Default)]
struct Pages {
    pages: Vec<Vec<String>>,
}

impl Pages {
    fn new_page(&mut self) {
        self.pages.push(Vec::new());
    }

    /// Lines that stay together where a page has room for them, and a blank one.
    fn block(&mut self, lines: &[String]) {
        let used = self.pages.last().map_or(ROOM, Vec::len);
        if used + lines.len() > ROOM && used > 0 {
            self.new_page();
        }
        for line in lines.iter().map(String::as_str).chain([""]) {
            if self.pages.last().is_none_or(|page| page.len() == ROOM) {
                if line.is_empty() {
                    continue;
                }
                self.new_page();
            }
            if let Some(page) = self.pages.last_mut() {
                page.push(line.to_owned());
            }
        }
    }

    fn finish(self, script: &Script, digest: Digest) -> String {
        let count = self.pages.len();
        let mut text = String::new();
        let kind = script.kind.to_string();
        let title = first_of(&wrap(&script.title, WIDTH - kind.len() - 2));
        for (index, mut page) in self.pages.into_iter().enumerate() {
            page.resize(ROOM, String::new());
            let number = format!("page {} of {count}", index + 1);
            let log = first_of(&wrap(script.log.as_str(), WIDTH - number.len() - 2));
            let head = [both(&title, &kind), both(&log, &number), String::new()];
            let foot = [String::new(), format!("script SHA-256 {digest}")];
            for line in head.into_iter().chain(page).chain(foot) {
                text.push_str(line.trim_end());
                text.push('\n');
            }
            text.push('\u{c}');
        }
        text
    }
}

/// One at the left, one at the right.
fn both(left: &str, right: &str) -> String {
    let between = WIDTH.saturating_sub(left.chars().count() + right.chars().count());
    format!("{left}{}{right}", " ".repeat(between))
}

fn first_of(lines: &[String]) -> String {
    lines.first().map_or_else(String::new, Clone::clone)
}

fn underlined(text: &str) -> Vec<String> {
    let mut lines = wrap(text, WIDTH);
    lines.push("=".repeat(WIDTH));
    lines
}

fn indented(text: &str, indent: usize, width: usize) -> Vec<String> {
    let lines = wrap(text, width - indent).into_iter();
    lines
        .map(|line| format!("{}{line}", " ".repeat(indent)))
        .collect()
}

/// Both columns beside each other.
fn beside(left: Vec<String>, right: &[String]) -> Vec<String> {
    let count = left.len().max(right.len());
    let mut left = left;
    left.resize(count, String::new());
    left.into_iter()
        .enumerate()
        .map(|(at, left)| match right.get(at) {
            Some(right) => {
                let between = (STEP + 2).saturating_sub(left.chars().count());
                format!("{left}{}{right}", " ".repeat(between))
            }
            None => left,
        })
        .collect()
}

fn cover(pages: &mut Pages, script: &Script) {
    pages.new_page();
    pages.block(&underlined(&script.title));
    if script.kind == Kind::Rehearsal {
        pages.block(&["*** REHEARSAL: nothing that is made in it is fit for use ***".to_owned()]);
    }
    pages.block(&wrap(&script.purpose, WIDTH));
    let previous = script
        .previous()
        .map_or_else(|| "none: it is the first".to_owned(), ToString::to_string);
    let mut facts = vec![
        ("Kind".to_owned(), script.kind.to_string()),
        ("Log".to_owned(), script.log.to_string()),
        ("Ceremony before".to_owned(), previous),
    ];
    facts.extend(paper::rules(script));
    facts.extend([("Date and place".to_owned(), "_".repeat(40))]);
    let facts: Vec<String> = facts
        .iter()
        .flat_map(|(name, value)| named(name, value))
        .collect();
    pages.block(&facts);
    pages.block(&["PEOPLE".to_owned()]);
    for (role, entry) in &script.roles {
        pages.block(&indented(
            &format!("{role}, {}: {}", entry.people, entry.what),
            0,
            WIDTH,
        ));
        for seat in script.seats_of(role) {
            let seat = format!("{:<20}", seat.to_string());
            pages.block(&[
                format!("{seat} name ____________________________________ initials _____"),
                format!(
                    "{:<20} signature _______________________________ time _________",
                    ""
                ),
            ]);
        }
    }
    if script.materials.is_empty() {
        return;
    }
    pages.block(&["MATERIALS".to_owned()]);
    for (name, material) in &script.materials {
        let what = format!("[ ] {name}, {}: {}", paper::kind(material.kind), material.what);
        let known = material.bag.as_deref().map_or("", |bag| bag);
        let mut lines = indented(&what, 0, WIDTH);
        lines.push(format!(
            "    bag expected {known:_<12.12} found ______________ new ______________"
        ));
        pages.block(&lines);
    }
}

fn named(name: &str, value: &str) -> Vec<String> {
    let name: String = name.chars().take(26).collect();
    let mut lines = wrap(value, WIDTH - 28).into_iter();
    let first = lines.next().map_or_else(String::new, |line| line);
    let mut named = vec![format!("{name:<28}{first}")];
    named.extend(lines.map(|line| format!("{:28}{line}", "")));
    named
}

fn step_lines(step: &PaperStep) -> Vec<String> {
    let id = step.id.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
    let mut left = indented(&format!("{}. {}{id}", step.number, step.title), 0, STEP);
    left.extend(indented(&format!("by {}", step.by), 4, STEP));
    if let Some(only_if) = &step.only_if {
        left.extend(indented(&format!("Only if {only_if}."), 4, STEP));
    }
    for part in &step.parts {
        left.extend(match part {
            Part::Aloud(words) => indented(&format!("\"{words}\""), 4, STEP),
            Part::Do(text) => indented(text, 4, STEP),
            Part::Command(command) => indented(&format!("$ {command}"), 4, STEP),
            Part::Blank(name) => blank(name),
            Part::Choice(choice, then) => indented(&format!("[ ] {choice}: {then}"), 4, STEP),
        });
    }
    if let Some(expect) = &step.expect {
        left.extend(indented(&format!("Expected: {expect}"), 4, STEP));
    }
    if let Some(skip) = &step.skip {
        left.extend(indented(&format!("May be left out: {skip}"), 4, STEP));
    }
    let mut right = vec!["UTC ____:____:____".to_owned()];
    right.extend(step.initials.iter().map(initials));
    let mut lines = vec!["-".repeat(WIDTH)];
    lines.extend(beside(left, &right));
    lines
}

fn blank(name: &str) -> Vec<String> {
    let mut lines = indented(&format!("{name}:"), 4, STEP);
    lines.push(format!("    {}", "_".repeat(STEP - 6)));
    lines
}

fn initials(seat: &Seat) -> String {
    let seat: String = seat.to_string().chars().take(17).collect();
    format!("{seat:.<17} _____")
}

fn sheet(script: &Script, number: usize) -> Vec<String> {
    let mut lines = underlined(&format!("Exception sheet {number} of {EXCEPTION_SHEETS}"));
    lines.push("Open it on the screen with e, too.".to_owned());
    lines.push(String::new());
    lines.push("Act ____________________________  step __________  UTC ____:____:____".to_owned());
    for (what, count) in SHEET {
        lines.extend([String::new(), format!("{what}:")]);
        if what == "Go on with" {
            lines.push("[ ] the same step again   [ ] the next step   [ ] the safe state".to_owned());
            continue;
        }
        for _ in 0..count {
            lines.extend([String::new(), "_".repeat(WIDTH)]);
        }
    }
    lines.extend([String::new(), "Who agrees (yes or no), and signs:".to_owned()]);
    for (seat, _) in paper::seats(script) {
        let seat = format!("{:<20}", seat.to_string());
        lines.extend([
            String::new(),
            format!("{seat} yes / no   signature ________________________________"),
        ]);
    }
    lines
}
