//! The report's page, the script on paper, and what is said of it in advance.

#![expect(clippy::unwrap_used, reason = "a test's helpers")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use ceremony::explain::explain;
use ceremony::log::{Body, SecretEvent};
use ceremony::print::{Form, LINES_OF_A_PAGE, print};
use ceremony::report::page;
use ceremony::script::Kind;
use key_metadata::Digest;

#[allow(dead_code, reason = "the example uses the rest")]
mod sample;

fn is_well_formed(html: &str) {
    let mut xmllint = Command::new("xmllint");
    let mut child = xmllint
        .args(["--noout", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(html.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn after<'t>(text: &'t str, mark: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(mark)
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
}

#[test]
fn a_report_has_every_line_and_every_link_leads_somewhere() {
    for (kind, fails) in [(Kind::Production, &[][..]), (Kind::Rehearsal, &["chain"])] {
        let entries = sample::ceremony(kind).entries;
        let log = sample::text(&entries);
        let verification = sample::verification(fails);
        let html = page(&sample::report(&log, &verification));
        assert_eq!(html, page(&sample::report(&log, &verification)));
        is_well_formed(&html);
        let ids: Vec<&str> = after(&html, " id=\"").collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len());
        for entry in &entries {
            assert!(unique.contains(&*format!("line-{}", entry.n)), "line {}", entry.n);
        }
        for link in after(&html, "href=\"") {
            let id = link.strip_prefix('#').unwrap();
            assert!(unique.contains(id), "{link}");
        }
        assert!(!html.contains("<script") && !html.contains("src=") && !html.contains("url("));
        assert_eq!(html.contains("REHEARSAL"), kind == Kind::Rehearsal);
        assert_eq!(html.contains("It does not verify"), !fails.is_empty());
    }
}

/// The text of the log's section is the log, whatever is marked in it.
#[test]
fn a_report_has_the_log_to_the_letter() {
    let log = sample::text(&sample::ceremony(Kind::Production).entries);
    let html = page(&sample::report(&log, &sample::verification(&[])));
    let section = html.split_once("<ol class=\"log\">").unwrap().1;
    let mut text = String::new();
    for part in section.split("<code>").skip(1) {
        let code = part.split("</code>").next().unwrap();
        let plain = code.replace("<b>", "").replace("</b>", "");
        let plain = plain
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"");
        text.push_str(&plain.replace("&#39;", "'").replace("&amp;", "&"));
        text.push('\n');
    }
    assert_eq!(text.as_bytes(), log);
}

#[test]
fn hostile_text_and_a_torn_log_stay_text() {
    let hostile = "</code></li><script>alert(1)</script>&\"'\u{202e}\u{0}";
    let mut ceremony = sample::ceremony(Kind::Production);
    let event = SecretEvent {
        step: "generate".parse().unwrap(),
        what: hostile.to_owned(),
    };
    ceremony.add(&[], Body::SecretEvent(event));
    let mut verification = sample::verification(&["script"]);
    verification.claims[0].evidence = hostile.to_owned();
    verification.claims[0].command = hostile.to_owned();
    let mut log = sample::text(&ceremony.entries);
    log.extend(b"{\"n\":<script>\xff\x00\x1b");
    let html = page(&sample::report(&log, &verification));
    is_well_formed(&html);
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;alert(1)"));
    assert!(html.contains("it was not written whole, or cut off"));
    for log in [&b""[..], b"\n", b"x\n"] {
        is_well_formed(&page(&sample::report(log, &verification)));
    }
}

#[test]
fn the_script_on_paper_has_its_digest_on_every_page() {
    let digest = format!("script SHA-256 {}", Digest::of(sample::SCRIPT.as_bytes()));
    let text = print(sample::SCRIPT, Form::Text).unwrap();
    assert_eq!(text, print(sample::SCRIPT, Form::Text).unwrap());
    let pages: Vec<&str> = text.strip_suffix('\u{c}').unwrap().split('\u{c}').collect();
    for (at, page) in pages.iter().enumerate() {
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(lines.len(), LINES_OF_A_PAGE, "page {}", at + 1);
        assert_eq!(lines.last(), Some(&&*digest));
        assert!(
            lines.iter().all(|line| line.chars().count() <= 80),
            "page {}",
            at + 1
        );
        assert!(lines[1].ends_with(&format!("page {} of {}", at + 1, pages.len())));
    }
    let html = print(sample::SCRIPT, Form::Html).unwrap();
    is_well_formed(&html);
    assert_eq!(html.matches("Exception sheet ").count(), 3);
    for words in [
        "keyrite-keyctl generate --zone cr --role ksk",
        "A1043377",
        "Only if bag-state is torn.",
    ] {
        assert!(html.contains(words) && text.replace('\n', " ").contains(words.split(' ').next().unwrap()));
    }
    let foot = html
        .split_once("<tfoot>")
        .unwrap()
        .1
        .split_once("</tfoot>")
        .unwrap()
        .0;
    assert!(foot.contains(&digest));
}

/// Rewrites the file when `EXPLAIN=overwrite` is set, and fails when it differs otherwise.
#[test]
fn what_is_said_in_advance_is_as_reviewed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sample.explain");
    let text = explain(sample::SCRIPT).unwrap().to_string();
    if std::env::var_os("EXPLAIN").is_some_and(|value| value == "overwrite") {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        text,
        "run with EXPLAIN=overwrite, and review"
    );
}
