//! A plan on paper: what is done when and why, with places for who did it.

use cli::page::Markup;
use cli::words::words;
use key_metadata::Digest;

use crate::chain::Validators;
use crate::pictures::chart::{Chart, MarkKind};
use crate::pictures::svg::{self, Legend};
use crate::plan::{Actor, Plan, PlannedStep};
use crate::wording::{formula, phrase};

/// How many words of the plan's digest stand in a line.
const WORDS_IN_A_LINE: usize = 8;
/// Who agrees, with a place for each.
const BLANKS: [&str; 3] = ["read by", "agreed by", "date and place"];

/// What the sheet adds to the style of all pages.
const STYLE: &str = "\
table.facts th{width:9em;border-bottom-color:var(--line)}
table.steps td{padding-top:.6em}td.when{white-space:nowrap}
td.blank{border-left:1px solid var(--line);min-width:5em}
.number{font-size:1.3em;font-weight:bold}
tr.person .who{background:#b84300;color:#fff}tr.tool .who{background:#5a6673;color:#fff}tr.seen .who{border:1px solid var(--ink)}
.who{display:inline-block;padding:0 .5em;border-radius:3px;font-weight:bold;font-size:.85em;print-color-adjust:exact;\
-webkit-print-color-adjust:exact}
.wait,.latest,.back{display:block;margin-top:.25em;font-size:.92em}.latest,.back{color:var(--bad)}
code.command{display:block;margin-top:.3em;padding:.25em .5em;background:var(--pale);white-space:pre-wrap;overflow-wrap:anywhere}
.line{display:inline-block;min-width:16em;border-bottom:1px solid var(--ink)}
.sign{margin-top:1.6em}
figure{margin:1em 0;break-inside:avoid}
@page{size:A4;margin:14mm}
@media print{h2{break-before:auto}table.steps td{height:4.2em}}
";

/// The plan as one JSON text, as `--json` writes it: what its digest is of.
pub fn json(plan: &Plan) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(plan).map(|text| text + "\n")
}

/// The plan as a page to be printed.
pub fn sheet(plan: &Plan) -> Result<String, serde_json::Error> {
    let digest = Digest::of(json(plan)?.as_bytes());
    let title = format!("Plan of key rollovers: {}", plan.zone);
    Ok(Markup::page(&title, STYLE, |body| {
        body.element("h1", &[], &title);
        facts(body, plan, &digest);
        if plan.rollovers.len() != 1 {
            body.inside("figure", &[], |figure| {
                svg::within(figure, &Chart::of_plan(plan, None), Legend::Below)
            });
        }
        for rollover in &plan.rollovers {
            let heading = format!("Rollover {}: {}", rollover.number, rollover.title);
            body.element("h2", &[], &heading);
            if let Some(chart) = Chart::of_rollover(plan, rollover.number, None) {
                let legend = match plan.rollovers.len() {
                    1 => Legend::Below,
                    _ => Legend::Elsewhere,
                };
                body.inside("figure", &[], |figure| svg::within(figure, &chart, legend));
            }
            steps(body, plan, &|step| step.rollover == rollover.number);
        }
        let numbers: Vec<usize> = plan.rollovers.iter().map(|rollover| rollover.number).collect();
        if plan.steps.iter().any(|step| !numbers.contains(&step.rollover)) {
            body.element("h2", &[], "Other steps");
            steps(body, plan, &|step| !numbers.contains(&step.rollover));
        }
        for blank in BLANKS {
            body.inside("p", &[("class", "sign")], |line| {
                line.text(blank)
                    .text(" ")
                    .element("span", &[("class", "line")], " ");
            });
        }
    }))
}

fn facts(body: &mut Markup, plan: &Plan, digest: &Digest) {
    let said: Vec<String> = words(digest)
        .chunks(WORDS_IN_A_LINE)
        .map(|line| line.join(" "))
        .collect();
    let [ds, dnskey, zone] = plan.proof.versions;
    let whom = match plan.proof.validators {
        Validators::Standard => "every validator",
        Validators::Strict => "every validator, also those that want a signature of each algorithm",
    };
    let rows = [
        ("zone", plan.zone.to_string()),
        ("policy", plan.policy.clone()),
        ("made", plan.now.to_string()),
        ("until", plan.until.to_string()),
        (
            "follows on",
            plan.head
                .as_ref()
                .map_or_else(|| "no history".to_owned(), ToString::to_string),
        ),
        ("SHA-256", digest.to_string()),
        ("in words", said.join("\n")),
        (
            "proved",
            format!(
                "safe for {whom}, from {} until {}; mixes looked at: {}, of DS RRsets: {ds}, DNSKEY RRsets: {dnskey}, sets of signatures: {zone}",
                plan.proof.since, plan.proof.until, plan.proof.mixes
            ),
        ),
        (
            "runway",
            format!(
                "{}, {} from when it was made: {}",
                plan.runway.until, plan.runway.left, plan.runway.why
            ),
        ),
    ];
    body.inside("table", &[("class", "facts")], |table| {
        for (name, value) in rows {
            table.inside("tr", &[], |row| {
                row.element("th", &[], name).element("td", &[], &value);
            });
        }
    });
    let legend = "You must: a person does it. Keyrite does: keyrite-rollover step does it when it runs. To be seen: it is looked for, and \
                  recorded as evidence. All times are UTC.";
    body.element("p", &[("class", "soft")], legend);
}

fn steps(body: &mut Markup, plan: &Plan, is_here: &dyn Fn(&PlannedStep) -> bool) {
    body.inside("table", &[("class", "steps")], |table| {
        table.inside("thead", &[], |head| {
            head.heading_row(&["", "when, UTC", "what, and why then", "done at, UTC", "initials"]);
        });
        table.inside("tbody", &[], |rows| {
            for step in plan.steps.iter().filter(|step| is_here(step)) {
                row_of(rows, plan, step);
            }
        });
    });
}

fn row_of(rows: &mut Markup, plan: &Plan, step: &PlannedStep) {
    let (class, when) = match step.actor {
        Actor::Tool => ("tool", "at"),
        Actor::Person => ("person", "from"),
        Actor::Observation => ("seen", "not before"),
    };
    rows.inside("tr", &[("class", class)], |row| {
        row.element("td", &[("class", "number")], &step.number.to_string());
        row.inside("td", &[("class", "when")], |cell| {
            cell.text(when).text("\n").text(&step.at.to_string());
        });
        row.inside("td", &[], |cell| {
            let who = MarkKind::from(step.actor).name();
            cell.element("span", &[("class", "who")], who).text(" ");
            cell.element("strong", &[], &phrase(plan, step));
            why(cell, step);
        });
        row.element("td", &[("class", "blank")], "")
            .element("td", &[("class", "blank")], "");
    });
}

fn why(cell: &mut Markup, step: &PlannedStep) {
    for wait in &step.waits {
        let (from, since, until) = (wait.from, &wait.since, wait.until);
        let text = format!(
            "not before {until}: {}, from {from}, when {since}",
            formula(&wait.wait)
        );
        cell.element("span", &[("class", "wait")], &text);
    }
    if let Some(latest) = &step.latest {
        let text = format!("latest {}: after it {}", latest.at, latest.why);
        cell.element("span", &[("class", "latest")], &text);
    }
    if let Some(why) = &step.no_return {
        cell.element("span", &[("class", "back")], &format!("no way back: {why}"));
    }
    if let Some(command) = &step.command {
        cell.element("code", &[("class", "command")], command);
    }
}
