//! The ceremony as a picture: acts and their steps, seals, breaks, what was not as the script has it, and who was there.

use cli::page::{Attribute, Markup};
use key_metadata::Time;

use super::scale::{Scale, duration};
use super::{Came, DeviationKind, Report, StepSeen};

/// In tenths of a pixel.
const WIDTH: i64 = 11_600;
const LEFT: i64 = 2_000;
const RIGHT: i64 = 300;
const HEAD: i64 = 400;
const LANE: i64 = 320;
const PERSON: i64 = 220;

/// The picture; nothing where there is no entry.
pub(super) fn picture(html: &mut Markup, report: &Report) {
    let (Some(began), Some(last)) = (report.began, report.last) else {
        return;
    };
    let entries = report.lines.iter().filter_map(|line| line.entry.as_ref().ok());
    let scale = Scale::new(entries.map(|entry| entry.t), LEFT, WIDTH - LEFT - RIGHT);
    let acts = acts(report);
    let events = i64::from(!report.deviations.is_empty());
    let lanes = acts.len() as i64 + 1 + events;
    let height = HEAD + lanes * LANE + report.people.len() as i64 * PERSON + 100;
    let view = format!("0 0 {} {}", WIDTH / 10, height / 10);
    let label = format!("The ceremony from {began} to {last}");
    let attributes = [
        ("xmlns", "http://www.w3.org/2000/svg"),
        ("viewBox", &*view),
        ("role", "img"),
        ("aria-label", &*label),
        ("class", "picture"),
    ];
    html.inside("svg", &attributes, |svg| {
        let mut draw = Draw {
            svg,
            scale: &scale,
            last,
        };
        draw.axis(height);
        draw.breaks(report, height);
        let mut y = HEAD;
        for act in &acts {
            draw.lane(y, act);
            for step in report.steps.iter().filter(|step| name_of_act(step) == *act) {
                draw.step(y, step);
            }
            y += LANE;
        }
        draw.lane(y, "Seals");
        draw.seals(y, report);
        y += LANE;
        if events > 0 {
            draw.lane(y, "Not as in the script");
            draw.deviations(y, report);
            y += LANE;
        }
        for person in &report.people {
            draw.person(y, person);
            y += PERSON;
        }
    });
}

/// The acts, in the order in which they came.
fn acts(report: &Report) -> Vec<&str> {
    let mut acts = Vec::new();
    for act in report.steps.iter().map(name_of_act) {
        if !acts.contains(&act) {
            acts.push(act);
        }
    }
    acts
}

fn name_of_act(step: &StepSeen) -> &str {
    step.act.as_deref().map_or("Steps", |act| act)
}

struct Draw<'d> {
    svg: &'d mut Markup,
    scale: &'d Scale,
    last: Time,
}

impl Draw<'_> {
    fn axis(&mut self, height: i64) {
        for tick in self.scale.ticks() {
            let (x, top, bottom) = (px(tick.x), px(HEAD - 60), px(height - 60));
            let line = [
                ("x1", &*x),
                ("x2", &*x),
                ("y1", &*top),
                ("y2", &*bottom),
                ("class", "grid"),
            ];
            self.svg.empty("line", &line);
            self.words(tick.x, 300, "tick", &tick.label);
            if let Some(day) = tick.day {
                self.words(tick.x, 140, "tick day", &day);
            }
        }
        self.words(0, 300, "lane", "UTC");
    }

    fn breaks(&mut self, report: &Report, height: i64) {
        for pause in &report.breaks {
            let until = pause.until.map_or(self.last, |until| until);
            let (from, to) = (self.scale.x(pause.from), self.scale.x(until));
            let seconds = until.unix_seconds() - pause.from.unix_seconds();
            let text = format!("Break, {}", duration(seconds));
            self.linked(pause.line, &text, |draw| {
                draw.rect("break", [from, HEAD - 60, (to - from).max(20), height - HEAD]);
            });
            if to - from > 500 {
                self.words((from + to) / 2, height - 20, "tick", &text);
            }
        }
        for fold in self.scale.folds() {
            let middle = (fold.from + fold.to) / 2;
            let text = format!("\u{2215}\u{2215} {}", duration(fold.seconds));
            self.words(middle, HEAD - 100, "fold", &text);
        }
    }

    fn lane(&mut self, y: i64, name: &str) {
        self.rect("lane", [0, y + 20, WIDTH, LANE - 40]);
        self.words(40, y + LANE / 2 + 40, "lane", &shortened(name));
    }

    fn step(&mut self, y: i64, step: &StepSeen) {
        let until = step.ended.map_or(self.last, |ended| ended);
        let (from, to) = (self.scale.x(step.began), self.scale.x(until));
        let width = (to - from - 10).max(20);
        let class = match (step.came, &*step.kind) {
            (Came::Skipped, _) => "step skipped",
            (Came::Aborted | Came::Open, _) => "step open",
            (Came::Done, "run" | "copy") => "step program",
            (Came::Done, "seal" | "sign") => "step sealing",
            (Came::Done, "pause") => "step pausing",
            (Came::Done, _) => "step words",
        };
        let number = step.number.map_or_else(String::new, |number| number.to_string());
        let text = format!(
            "{number} {}: {}, {}",
            step.title,
            words_of(step.came),
            step.seconds().map_or_else(|| "no end".to_owned(), duration)
        );
        self.linked(step.first_line(), text.trim_start(), |draw| {
            draw.rect(class, [from, y + 60, width, LANE - 120]);
            if width >= 70 + 60 * number.len() as i64 {
                let class = if step.came == Came::Skipped {
                    "number dark"
                } else {
                    "number"
                };
                draw.words(from + width / 2, y + LANE / 2 + 35, class, &number);
            }
        });
    }

    fn seals(&mut self, y: i64, report: &Report) {
        let mut free = 0;
        for seal in &report.seals {
            let x = self.mark_place(seal.at, &mut free, y);
            let text = format!("Seal {}: {}", seal.checkpoint, seal.reason);
            let (top, middle) = (y + 60, y + LANE / 2);
            let points = [(x, top), (x + 100, middle), (x, y + LANE - 60), (x - 100, middle)];
            let points: Vec<_> = points
                .iter()
                .map(|(x, y)| format!("{},{}", px(*x), px(*y)))
                .collect();
            self.linked(seal.line, &text, |draw| {
                let points = points.join(" ");
                draw.svg
                    .empty("polygon", &[("points", &points), ("class", "seal")]);
                draw.words(x, middle + 30, "number", &seal.checkpoint.to_string());
            });
        }
    }

    fn deviations(&mut self, y: i64, report: &Report) {
        let mut free = 0;
        for deviation in &report.deviations {
            let x = self.mark_place(deviation.at, &mut free, y);
            let step = deviation
                .step
                .as_ref()
                .map_or_else(String::new, |step| format!(" at {step}"));
            let text = format!("{}{step}", deviation.kind.words());
            let (class, letter) = mark(deviation.kind);
            self.linked(deviation.line, &text, |draw| {
                let (x_text, y_text) = (px(x), px(y + LANE / 2));
                let circle = [("cx", &*x_text), ("cy", &*y_text), ("r", "8.5"), ("class", class)];
                draw.svg.empty("circle", &circle);
                draw.words(x, y + LANE / 2 + 35, "number", letter);
            });
        }
    }

    /// The place of a mark, beside the one before it; a line where it would be.
    fn mark_place(&mut self, at: Time, free: &mut i64, y: i64) -> i64 {
        let x = self.scale.x(at);
        let (there, top, bottom) = (px(x), px(y + 20), px(y + LANE - 20));
        let line = [
            ("x1", &*there),
            ("x2", &*there),
            ("y1", &*top),
            ("y2", &*bottom),
            ("class", "at"),
        ];
        self.svg.empty("line", &line);
        let place = x.max(*free).min(WIDTH - 100);
        *free = place + 210;
        place
    }

    fn person(&mut self, y: i64, person: &super::PersonSeen) {
        self.words(40, y + 150, "person", &shortened(&person.seat.to_string()));
        for stay in &person.stays {
            let until = stay.until.map_or(self.last, |until| until);
            let (from, to) = (self.scale.x(stay.from), self.scale.x(until));
            let text = format!("{}, from {} to {until}", person.name, stay.from);
            self.linked(stay.line, &text, |draw| {
                draw.rect("stay", [from, y + 60, (to - from).max(20), 100]);
            });
        }
    }

    fn linked(&mut self, line: u64, title: &str, fill: impl FnOnce(&mut Draw<'_>)) {
        let (scale, last) = (self.scale, self.last);
        let target = format!("#line-{line}");
        self.svg.inside("a", &[("href", &target)], |svg| {
            svg.element("title", &[], title);
            fill(&mut Draw { svg, scale, last });
        });
    }

    fn rect(&mut self, class: &str, places: [i64; 4]) {
        let [x, y, width, height] = places.map(px);
        let rect: [Attribute<'_>; 6] = [
            ("x", &x),
            ("y", &y),
            ("width", &width),
            ("height", &height),
            (
                "rx",
                if class == "lane" || class == "break" {
                    "0"
                } else {
                    "2"
                },
            ),
            ("class", class),
        ];
        self.svg.empty("rect", &rect);
    }

    fn words(&mut self, x: i64, y: i64, class: &str, text: &str) {
        let (x, y) = (px(x), px(y));
        self.svg
            .element("text", &[("x", &x), ("y", &y), ("class", class)], text);
    }
}

fn px(tenths: i64) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= 24 {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(23).collect();
    short.push('\u{2026}');
    short
}

/// What came of a step, in words.
pub(super) fn words_of(came: Came) -> &'static str {
    match came {
        Came::Done => "done",
        Came::Skipped => "left out",
        Came::Aborted => "broken off",
        Came::Open => "not finished",
    }
}

/// The class and the letter of a mark.
pub(super) fn mark(kind: DeviationKind) -> (&'static str, &'static str) {
    match kind {
        DeviationKind::Exception => ("mark bad", "E"),
        DeviationKind::Failure => ("mark bad", "F"),
        DeviationKind::Abort => ("mark bad", "A"),
        DeviationKind::Skip => ("mark mild", "S"),
        DeviationKind::Mistyped => ("mark mild", "M"),
        DeviationKind::Interruption => ("mark mild", "I"),
    }
}
