//! The script as a page that a browser prints.

use cli::page::Markup;
use key_metadata::Digest;

use super::EXCEPTION_SHEETS;
use super::paper::{self, PaperStep, Part, SHEET};
use super::style::STYLE;
use crate::script::{Kind, Script};

/// The page. Its foot, with the digest, is that of a table, which browsers print on each sheet of paper.
pub(super) fn html(script: &Script, digest: Digest) -> String {
    let title = format!("{}: {}", script.log.id(), script.title);
    Markup::page(&title, STYLE, |html| {
        html.inside("table", &[("class", "paper")], |table| {
            table.inside("thead", &[], |head| {
                let mark = match script.kind {
                    Kind::Production => "PRODUCTION",
                    Kind::Rehearsal => "REHEARSAL",
                };
                running(head, &[&script.title, mark, script.log.as_str()]);
            });
            table.inside("tfoot", &[], |foot| {
                running(foot, &[&format!("script SHA-256 {digest}")]);
            });
            table.inside("tbody", &[], |body| {
                body.inside("tr", &[], |row| {
                    row.inside("td", &[], |cell| all(cell, script, digest));
                });
            });
        });
    })
}

fn running(part: &mut Markup, texts: &[&str]) {
    part.inside("tr", &[], |row| {
        row.inside("td", &[("class", "running")], |cell| {
            cell.inside("div", &[], |line| {
                for text in texts {
                    line.element("span", &[], text);
                }
            });
        });
    });
}

fn all(html: &mut Markup, script: &Script, digest: Digest) {
    cover(html, script, digest);
    let plan = script.plan();
    let steps = paper::steps(script, &plan);
    for act in &script.acts {
        html.inside("section", &[("class", "act")], |section| {
            section.element("h2", &[], &act.title);
            if !act.quorum.is_empty() {
                let text = format!("Present at each of these steps: {}.", paper::counts(&act.quorum));
                section.element("p", &[("class", "soft")], &text);
            }
            let of_act = plan.iter().zip(&steps);
            let of_act = of_act.filter(|(planned, _)| planned.act.is_some_and(|of| of.id == act.id));
            table_of(section, of_act.map(|(_, step)| step));
        });
    }
    if !script.safe_state.is_empty() {
        let steps = paper::steps(script, &script.safe_state_plan());
        html.inside("section", &[("class", "act")], |section| {
            section.element("h2", &[], "Safe state");
            section.element("p", &[], "Only when the ceremony is broken off.");
            table_of(section, steps.iter());
        });
    }
    for number in 1..=EXCEPTION_SHEETS {
        sheet(html, script, number);
    }
}

fn cover(html: &mut Markup, script: &Script, digest: Digest) {
    html.element("p", &[("class", "soft")], "Script of a key ceremony");
    html.element("h1", &[], &script.title);
    if script.kind == Kind::Rehearsal {
        let text = "REHEARSAL: nothing that is made in it is fit for use";
        html.element("p", &[("class", "rehearsal")], text);
    }
    html.element("p", &[("class", "purpose")], &script.purpose);
    html.inside("dl", &[], |list| {
        let mut fact = |name: &str, value: &str| {
            list.element("dt", &[], name);
            list.element("dd", &[], value);
        };
        fact("Kind", &script.kind.to_string());
        fact("Log", script.log.as_str());
        let previous = script
            .previous()
            .map_or_else(|| "none: it is the first".to_owned(), ToString::to_string);
        fact("Ceremony before", &previous);
        fact("Script", &format!("SHA-256 {digest}"));
        for (name, value) in paper::rules(script) {
            fact(&name, &value);
        }
        list.element("dt", &[], "Date and place");
        list.element("dd", &[("class", "line")], "");
    });
    people(html, script);
    materials(html, script);
}

fn people(html: &mut Markup, script: &Script) {
    html.element("h2", &[], "People");
    html.inside("table", &[("class", "form")], |table| {
        table.heading_row(&["seat", "what they do", "name", "initials", "signature", "UTC"]);
        for (seat, what) in paper::seats(script) {
            table.inside("tr", &[("class", "high")], |row| {
                row.element("td", &[("class", "seat")], &seat.to_string());
                row.element("td", &[("class", "what")], what);
                for class in ["name", "narrow", "name", "narrow"] {
                    row.element("td", &[("class", class)], "");
                }
            });
        }
    });
}

fn materials(html: &mut Markup, script: &Script) {
    if script.materials.is_empty() {
        return;
    }
    html.element("h2", &[], "Materials");
    html.inside("table", &[("class", "form")], |table| {
        table.heading_row(&["", "name", "kind", "what", "bag expected", "bag found", "new bag"]);
        for (name, material) in &script.materials {
            table.inside("tr", &[("class", "high")], |row| {
                row.element("td", &[], "\u{2610}");
                row.element("td", &[("class", "seat")], name.as_str());
                row.element("td", &[], paper::kind(material.kind));
                row.element("td", &[], &material.what);
                let bag = material.bag.as_deref().map_or("", |bag| bag);
                row.element("td", &[("class", "bag")], bag);
                row.element("td", &[("class", "bag")], "");
                row.element("td", &[("class", "bag")], "");
            });
        }
    });
}

fn table_of<'p>(html: &mut Markup, steps: impl Iterator<Item = &'p PaperStep>) {
    html.inside("table", &[("class", "form steps")], |table| {
        table.inside("thead", &[], |head| {
            head.heading_row(&["no.", "what is said and done", "initials", "UTC"]);
        });
        table.inside("tbody", &[], |body| {
            for step in steps {
                let class = if step.only_if.is_some() { "only" } else { "" };
                body.inside("tr", &[("class", class)], |row| {
                    row.element("td", &[("class", "count")], &step.number);
                    row.inside("td", &[], |cell| step_cell(cell, step));
                    row.inside("td", &[("class", "initials")], |cell| {
                        for seat in &step.initials {
                            cell.inside("div", &[], |line| {
                                line.element("span", &[("class", "box")], "");
                                line.text(&seat.to_string());
                            });
                        }
                    });
                    row.element("td", &[("class", "utc")], "");
                });
            }
        });
    });
}

fn step_cell(cell: &mut Markup, step: &PaperStep) {
    cell.inside("p", &[("class", "head")], |head| {
        head.element("strong", &[], &step.title);
        let id = step.id.as_ref().map_or_else(String::new, |id| format!(", {id}"));
        head.element("span", &[("class", "soft")], &format!(" by {}{id}", step.by));
    });
    if let Some(only_if) = &step.only_if {
        cell.element("p", &[("class", "onlyif")], &format!("Only if {only_if}."));
    }
    for part in &step.parts {
        match part {
            Part::Aloud(words) => cell.element("p", &[("class", "aloud")], words),
            Part::Do(text) => cell.element("p", &[], text),
            Part::Command(command) => cell.inside("p", &[], |line| {
                line.element("code", &[("class", "command")], command);
            }),
            Part::Blank(name) => cell.inside("p", &[("class", "blank")], |line| {
                line.element("span", &[], name);
                line.element("span", &[("class", "line")], "");
            }),
            Part::Choice(choice, then) => cell.inside("p", &[], |line| {
                line.text("\u{2610} ");
                line.element("strong", &[], choice);
                line.text(&format!(": {then}"));
            }),
        };
    }
    for (name, text) in [("Expected", &step.expect), ("May be left out", &step.skip)] {
        if let Some(text) = text {
            cell.inside("p", &[("class", "soft")], |line| {
                line.element("em", &[], name);
                line.text(&format!(": {text}"));
            });
        }
    }
}

fn sheet(html: &mut Markup, script: &Script, number: usize) {
    html.inside("section", &[("class", "act")], |section| {
        section.element(
            "h2",
            &[],
            &format!("Exception sheet {number} of {EXCEPTION_SHEETS}"),
        );
        section.element("p", &[("class", "soft")], "Open it on the screen with e, too.");
        section.inside("table", &[("class", "form")], |table| {
            table.inside("tr", &[("class", "high")], |row| {
                for name in ["act", "step", "UTC"] {
                    row.element("td", &[("class", "what")], name);
                    row.element("td", &[], "");
                }
            });
        });
        section.inside("table", &[("class", "form sheet")], |table| {
            for (what, lines) in SHEET {
                let height = format!("height:{}em", 1 + lines * 2);
                table.inside("tr", &[], |row| {
                    row.element("td", &[("class", "what")], what);
                    let choices =
                        "\u{2610} the same step again   \u{2610} the next step   \u{2610} the safe state";
                    let text = if what == "Go on with" { choices } else { "" };
                    row.element("td", &[("style", &height)], text);
                });
            }
        });
        section.inside("table", &[("class", "form")], |table| {
            table.heading_row(&["who", "agrees", "does not", "signature"]);
            for (seat, _) in paper::seats(script) {
                table.inside("tr", &[("class", "high")], |row| {
                    row.element("td", &[("class", "seat")], &seat.to_string());
                    row.element("td", &[("class", "narrow")], "\u{2610}");
                    row.element("td", &[("class", "narrow")], "\u{2610}");
                    row.element("td", &[], "");
                });
            }
        });
    });
}
