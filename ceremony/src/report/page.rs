//! The report as a page: the verdict first, the log last, and every statement with a link to the line that says so.

use cli::page::Markup;

use super::picture::{mark, picture};
use super::sections;
use super::style::STYLE;
use super::{DeviationKind, Ending, Report};
use crate::script::Kind;
use crate::verify::{Claim, ClaimVerdict};

/// The page.
pub fn page(report: &Report) -> String {
    let title = report
        .genesis
        .as_ref()
        .map_or("A ceremony", |genesis| &genesis.title);
    let mark = match report.kind() {
        Some(Kind::Rehearsal) => "REHEARSAL: ",
        Some(Kind::Production) | None => "",
    };
    Markup::page(&format!("{mark}{title}"), STYLE, |html| {
        if report.kind() == Some(Kind::Rehearsal) {
            html.inside("div", &[("class", "rehearsal")], |banner| {
                let text = "REHEARSAL \u{2013} practice only: nothing that was made in it is fit for use";
                banner.element("p", &[], text);
            });
            html.element("div", &[("class", "stamp"), ("aria-hidden", "true")], "REHEARSAL");
        }
        html.element("p", &[("class", "subtitle")], "Report on the key ceremony");
        html.element("h1", &[], title);
        verdict(html, report);
        sections::facts(html, report);
        contents(html);
        claims(html, report);
        timeline(html, report);
        sections::people(html, report);
        sections::deviations(html, report);
        sections::keys(html, report);
        sections::files(html, report);
        sections::signatures(html, report);
        sections::limits(html, report);
        sections::log(html, report);
    })
}

const CONTENTS: [(&str, &str); 9] = [
    ("claims", "Claims"),
    ("timeline", "Timeline"),
    ("people", "People"),
    ("exceptions", "Exceptions"),
    ("keys", "Keys and values"),
    ("artefacts", "Artefacts"),
    ("signatures", "Seals and signatures"),
    ("limits", "Honest limits"),
    ("log", "The log"),
];

fn contents(html: &mut Markup) {
    html.inside("nav", &[], |nav| {
        for (id, name) in CONTENTS {
            nav.element("a", &[("href", &format!("#{id}"))], name);
            nav.text(" ");
        }
    });
}

/// The heading of a section.
pub(super) fn section(html: &mut Markup, id: &str) {
    let name = CONTENTS
        .iter()
        .find(|(known, _)| *known == id)
        .map_or(id, |(_, name)| name);
    html.element("h2", &[("id", id)], name);
}

/// Links to lines of the log.
pub(super) fn links(html: &mut Markup, lines: &[u64]) {
    // Thousands of links say no more than the first ones.
    for line in lines.iter().take(40) {
        html.element("a", &[("href", &format!("#line-{line}"))], &line.to_string());
        html.text(" ");
    }
    if lines.len() > 40 {
        html.text(&format!("and {} more", lines.len() - 40));
    }
}

fn verdict(html: &mut Markup, report: &Report) {
    let failed: Vec<&Claim> = report
        .claims
        .iter()
        .filter(|claim| claim.verdict == ClaimVerdict::Fail)
        .collect();
    let (class, text) = match report.verdict {
        ClaimVerdict::Fail => ("verdict bad", "It does not verify".to_owned()),
        ClaimVerdict::Pass if report.count(ClaimVerdict::Pass) > 0 => {
            ("verdict good", "It verifies: no claim fails".to_owned())
        }
        ClaimVerdict::Pass | ClaimVerdict::NotChecked => ("verdict mild", "Nothing was checked".to_owned()),
    };
    html.inside("div", &[("class", class), ("id", "verdict")], |html| {
        let mark = match report.kind() {
            Some(Kind::Rehearsal) => "REHEARSAL. ",
            Some(Kind::Production) => "",
            None => "Nobody knows whether it counts: the log does not say. ",
        };
        html.element("strong", &[], &format!("{mark}{text}"));
        let counts = format!(
            "{} pass, {} fail, {} not checked. {}",
            report.count(ClaimVerdict::Pass),
            report.count(ClaimVerdict::Fail),
            report.count(ClaimVerdict::NotChecked),
            match report.ending {
                Ending::Completed => "The ceremony was completed.",
                Ending::Aborted => "The ceremony was broken off.",
                Ending::NotEnded => "The ceremony has not ended: the log has no end.",
            }
        );
        html.element("p", &[], &counts);
        if !failed.is_empty() {
            html.inside("ul", &[], |list| {
                for claim in failed {
                    list.inside("li", &[], |item| {
                        item.element("a", &[("href", &anchor(claim))], &claim.id);
                        item.text(&format!(": {}", claim.evidence));
                    });
                }
            });
        }
        let unchecked: Vec<&Claim> = report
            .claims
            .iter()
            .filter(|claim| claim.verdict == ClaimVerdict::NotChecked)
            .collect();
        if !unchecked.is_empty() {
            html.inside("p", &[], |line| {
                line.text("Not checked, and not to be counted as if it held: ");
                for claim in unchecked {
                    line.element("a", &[("href", &anchor(claim))], &claim.id);
                    line.text(" ");
                }
            });
        }
    });
}

fn anchor(claim: &Claim) -> String {
    format!("#claim-{}", claim.id)
}

fn claims(html: &mut Markup, report: &Report) {
    section(html, "claims");
    let intro = "Each command shows the same with stock tools, in the ceremony's folder. verify.sh makes all but those for which the script must be read.";
    html.element("p", &[("class", "soft")], intro);
    html.inside("table", &[], |table| {
        table.heading_row(&["claim", "", "evidence and command", "lines"]);
        for claim in &report.claims {
            let id = format!("claim-{}", claim.id);
            table.inside("tr", &[("id", &id)], |row| {
                row.inside("td", &[("class", "claim")], |cell| {
                    cell.element("strong", &[], &claim.id);
                    cell.empty("br", &[]);
                    cell.text(&claim.claim);
                });
                row.inside("td", &[], |cell| {
                    let class = match claim.verdict {
                        ClaimVerdict::Pass => "chip pass",
                        ClaimVerdict::Fail => "chip fail",
                        ClaimVerdict::NotChecked => "chip not-checked",
                    };
                    cell.element("span", &[("class", class)], &claim.verdict.to_string());
                });
                row.inside("td", &[], |cell| {
                    cell.text(&claim.evidence);
                    if !claim.command.is_empty() {
                        cell.element("code", &[("class", "command")], &claim.command);
                    }
                });
                row.inside("td", &[], |cell| links(cell, &claim.lines));
            });
        }
    });
}

fn timeline(html: &mut Markup, report: &Report) {
    section(html, "timeline");
    picture(html, report);
    html.inside("p", &[("class", "legend")], |legend| {
        for (class, text) in [
            ("words", "people"),
            ("program", "programs and copies"),
            ("sealing", "seals and signatures"),
            ("pausing", "breaks"),
            ("skipped", "left out"),
            ("open", "broken off or not finished"),
        ] {
            legend.element("span", &[("class", &format!("key {class}"))], "");
            legend.text(text);
        }
        for kind in [
            DeviationKind::Exception,
            DeviationKind::Failure,
            DeviationKind::Skip,
            DeviationKind::Mistyped,
            DeviationKind::Interruption,
            DeviationKind::Abort,
        ] {
            legend.element("b", &[], mark(kind).1);
            legend.text(&format!(" {}", kind.words().to_lowercase()));
        }
        legend.text(
            ". A time of more than 30 minutes without an entry is drawn as 30 minutes (\u{2215}\u{2215}).",
        );
    });
    sections::steps(html, report);
}
