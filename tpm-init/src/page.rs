//! The report as a page for people: one HTML file that needs nothing else.

use std::fmt::Write;

use crate::finding::Verdict;
use crate::report::Report;
use crate::state::{Kept, Place, TpmState};
use crate::step::Delivery;

const STYLE: &str = "body{font:16px/1.45 sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#222}\
table{border-collapse:collapse;width:100%;margin:1em 0}th,td{text-align:left;vertical-align:top;padding:.35em .6em;\
border-bottom:1px solid #ccc;overflow-wrap:anywhere}th{background:#f3f3f3}td.pass{color:#065}td.warn{color:#850}\
td.fail,td.unknown{color:#b00;font-weight:bold}tr.changed td{background:#fff7dc}code{font-size:.9em}\
@media print{body{margin:0;max-width:none}}";

/// The page.
pub fn page(report: &Report) -> String {
    let mut html = String::new();
    let title = format!("TPM '{}', provisioned {}", report.tpm, report.written);
    // Writing to a String cannot fail, here and below.
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{0}</title>\n<style>{STYLE}</style>\n<h1>{0}</h1>\n",
        escape(&title)
    );
    let _ = writeln!(
        html,
        "<p>Written by {} with {}.</p>",
        escape(&report.operator),
        escape(&report.tool)
    );
    findings(&mut html, report);
    steps(&mut html, report);
    before_and_after(&mut html, &report.before, &report.after);
    kept(&mut html, &report.before, &report.after);
    html.push_str(
        "<p>The auth values themselves are in no report. The same in JSON: report.json.</p>\n</html>\n",
    );
    html
}

fn findings(html: &mut String, report: &Report) {
    let count = |verdict: Verdict| {
        report
            .findings
            .iter()
            .filter(|finding| finding.verdict == verdict)
            .count()
    };
    let _ = writeln!(
        html,
        "<h2>What the checks say</h2>\n<p>{} pass, {} warn, {} unknown, {} fail.</p>",
        count(Verdict::Pass),
        count(Verdict::Warn),
        count(Verdict::Unknown),
        count(Verdict::Fail)
    );
    html.push_str("<table><tr><th>check<th>verdict<th>evidence<th>what to do</tr>\n");
    for finding in &report.findings {
        let remedy = finding.remedy.as_deref().map_or("", |remedy| remedy);
        let _ = writeln!(
            html,
            "<tr><td>{}<td class=\"{2}\">{2}<td>{1}<td>{3}</tr>",
            escape(&finding.check),
            escape(&finding.evidence),
            finding.verdict,
            escape(remedy)
        );
    }
    html.push_str("</table>\n");
}

fn steps(html: &mut String, report: &Report) {
    html.push_str("<h2>What was done</h2>\n<ol>\n");
    for step in &report.steps {
        let _ = writeln!(html, "<li>{}</li>", escape(&step.to_string()));
    }
    html.push_str("</ol>\n<h2>Who has the auth values</h2>\n<ul>\n");
    for (hierarchy, delivery) in &report.auths {
        let to = match delivery {
            Delivery::Custodians(custodians) => custodians.keys().cloned().collect::<Vec<_>>().join(", "),
            Delivery::Sealed(handle) => format!("the TPM itself, sealed at {handle}"),
        };
        let _ = writeln!(html, "<li>{hierarchy}: {}</li>", escape(&to));
    }
    html.push_str("</ul>\n<h2>Its files</h2>\n<table><tr><th>file<th>SHA-256</tr>\n");
    for (name, digest) in &report.files {
        let _ = writeln!(html, "<tr><td>{}<td><code>{digest}</code></tr>", escape(name));
    }
    html.push_str("</table>\n");
}

fn before_and_after(html: &mut String, before: &TpmState, after: &TpmState) {
    html.push_str("<h2>Before and after</h2>\n<table><tr><th><th>before<th>after</tr>\n");
    for ((what, then), (_, now)) in rows(before).into_iter().zip(rows(after)) {
        let class = if then == now { "" } else { " class=\"changed\"" };
        let _ = writeln!(
            html,
            "<tr{class}><td>{what}<td>{}<td>{}</tr>",
            escape(&then),
            escape(&now)
        );
    }
    html.push_str("</table>\n");
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

fn kept(html: &mut String, before: &TpmState, after: &TpmState) {
    html.push_str("<h2>What it keeps</h2>\n<table><tr><th>handle<th>what<th>Name<th></tr>\n");
    let all = |state: &TpmState| -> Vec<Kept> { [state.persistent.clone(), state.nv.clone()].concat() };
    let (then, now) = (all(before), all(after));
    let gone = then
        .iter()
        .filter(|kept| !now.contains(kept))
        .map(|kept| (kept, "removed"));
    let here = now
        .iter()
        .map(|kept| (kept, if then.contains(kept) { "" } else { "new" }));
    for (kept, how) in here.chain(gone) {
        let class = if how.is_empty() { "" } else { " class=\"changed\"" };
        let _ = writeln!(
            html,
            "<tr{class}><td><code>{}</code><td>{}<td><code>{}</code><td>{how}</tr>",
            escape(&kept.handle),
            escape(&kept.what),
            escape(&kept.name)
        );
    }
    html.push_str("</table>\n");
}

/// Text as HTML shows it: what a TPM or a site says is never markup.
fn escape(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut out, c| {
            match c {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                '\n' => out.push_str("<br>"),
                other => out.push(other),
            }
            out
        })
}
