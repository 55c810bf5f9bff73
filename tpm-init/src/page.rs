//! The report as a page for people: one HTML file that needs nothing else.

use cli::page::Markup;

use crate::finding::Verdict;
use crate::report::Report;
use crate::state::{Kept, Place, TpmState};
use crate::step::Delivery;

/// The page.
pub fn page(report: &Report) -> String {
    let title = format!("TPM '{}', provisioned {}", report.tpm, report.written);
    Markup::page(&title, "", |html| {
        html.element("h1", &[], &title);
        let written = format!("Written by {} with {}.", report.operator, report.tool);
        html.element("p", &[], &written);
        findings(html, report);
        steps(html, report);
        before_and_after(html, &report.before, &report.after);
        kept(html, &report.before, &report.after);
        let end = "The auth values themselves are in no report. The same in JSON: report.json.";
        html.element("p", &[], end);
    })
}

fn findings(html: &mut Markup, report: &Report) {
    let count = |verdict: Verdict| {
        report
            .findings
            .iter()
            .filter(|finding| finding.verdict == verdict)
            .count()
    };
    html.element("h2", &[], "What the checks say");
    let counts = format!(
        "{} pass, {} warn, {} unknown, {} fail.",
        count(Verdict::Pass),
        count(Verdict::Warn),
        count(Verdict::Unknown),
        count(Verdict::Fail)
    );
    html.element("p", &[], &counts);
    html.inside("table", &[], |table| {
        table.heading_row(&["check", "verdict", "evidence", "what to do"]);
        for finding in &report.findings {
            let verdict = finding.verdict.to_string();
            table.inside("tr", &[], |row| {
                row.element("td", &[], &finding.check);
                row.element("td", &[("class", &verdict)], &verdict);
                row.element("td", &[], &finding.evidence);
                row.element("td", &[], finding.remedy.as_deref().map_or("", |remedy| remedy));
            });
        }
    });
}

fn steps(html: &mut Markup, report: &Report) {
    html.element("h2", &[], "What was done");
    html.inside("ol", &[], |list| {
        for step in &report.steps {
            list.element("li", &[], &step.to_string());
        }
    });
    html.element("h2", &[], "Who has the auth values");
    html.inside("ul", &[], |list| {
        for (hierarchy, delivery) in &report.auths {
            let to = match delivery {
                Delivery::Custodians(custodians) => custodians.keys().cloned().collect::<Vec<_>>().join(", "),
                Delivery::Sealed(handle) => format!("the TPM itself, sealed at {handle}"),
            };
            list.element("li", &[], &format!("{hierarchy}: {to}"));
        }
    });
    html.element("h2", &[], "Its files");
    html.inside("table", &[], |table| {
        table.heading_row(&["file", "SHA-256"]);
        for (name, digest) in &report.files {
            table.inside("tr", &[], |row| {
                row.element("td", &[], name);
                row.inside("td", &[], |cell| {
                    cell.element("code", &[], digest);
                });
            });
        }
    });
}

fn before_and_after(html: &mut Markup, before: &TpmState, after: &TpmState) {
    html.element("h2", &[], "Before and after");
    html.inside("table", &[], |table| {
        table.heading_row(&["", "before", "after"]);
        for ((what, then), (_, now)) in rows(before).into_iter().zip(rows(after)) {
            let class = if then == now { "" } else { "changed" };
            table.inside("tr", &[("class", class)], |row| {
                row.element("td", &[], what);
                row.element("td", &[], &then);
                row.element("td", &[], &now);
            });
        }
    });
}

fn rows(state: &TpmState) -> Vec<(&'static str, String)> {
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let protection = state.protection;
    vec![
        ("TPM", format!("{} {}", state.manufacturer, state.vendor)),
        ("firmware", state.firmware.clone()),
        ("owner auth", state.owner_auth.to_string()),
        ("endorsement auth", state.endorsement_auth.to_string()),
        ("lockout auth", state.lockout_auth.to_string()),
        ("locked", yes(state.in_lockout)),
        ("TPM2_Clear disabled", yes(state.clear_disabled)),
        ("wrong tries until it locks", protection.tries.to_string()),
        (
            "seconds until one is forgiven",
            protection.forgiven_after.to_string(),
        ),
        (
            "seconds that a wrong lockout auth blocks",
            protection.lockout_blocked_for.to_string(),
        ),
        ("storage root key", place(&state.storage_root_key)),
        ("attestation key", place(&state.attestation_key)),
        ("log index", place(&state.log_index)),
        ("log counter", place(&state.log_counter)),
    ]
}

fn place(place: &Place) -> String {
    match place {
        Place::Absent => "none".to_owned(),
        Place::Ours { name } => name.clone(),
        Place::Unproved { name } => format!("{name} (not proved)"),
        Place::Foreign { name } => format!("{name} (foreign)"),
    }
}

fn kept(html: &mut Markup, before: &TpmState, after: &TpmState) {
    let all = |state: &TpmState| -> Vec<Kept> { [state.persistent.clone(), state.nv.clone()].concat() };
    let (then, now) = (all(before), all(after));
    let gone = then
        .iter()
        .filter(|kept| !now.contains(kept))
        .map(|kept| (kept, "removed"));
    let here = now
        .iter()
        .map(|kept| (kept, if then.contains(kept) { "" } else { "new" }));
    html.element("h2", &[], "What it keeps");
    html.inside("table", &[], |table| {
        table.heading_row(&["handle", "what", "Name", ""]);
        for (kept, how) in here.chain(gone) {
            let class = if how.is_empty() { "" } else { "changed" };
            table.inside("tr", &[("class", class)], |row| {
                row.inside("td", &[], |cell| {
                    cell.element("code", &[], &kept.handle);
                });
                row.element("td", &[], &kept.what);
                row.inside("td", &[], |cell| {
                    cell.element("code", &[], &kept.name);
                });
                row.element("td", &[], how);
            });
        }
    });
}
