//! The sections of the page.

use cli::page::Markup;

use super::deviation::seats;
use super::page::{links, section};
use super::picture::words_of;
use super::scale::duration;
use super::{Came, DeviationKind, Line, PersonSeen, Report, SealSeen, SignatureSeen};

/// What the ceremony is.
pub(super) fn facts(html: &mut Markup, report: &Report) {
    html.inside("dl", &[], |list| {
        let mut fact = |name: &str, value: &str| {
            list.element("dt", &[], name);
            list.element("dd", &[], value);
        };
        if let Some(purpose) = &report.purpose {
            fact("Purpose", purpose);
        }
        if let (Some(began), Some(last)) = (report.began, report.last) {
            let long = duration(last.unix_seconds() - began.unix_seconds());
            fact("When", &format!("{began} to {last}, {long}"));
        }
        if let Some(genesis) = &report.genesis {
            fact("Kind", &genesis.kind.to_string());
            fact("Log", genesis.log.as_str());
            let anchor = genesis.tpm.as_ref().map_or_else(
                || "none: the log is unanchored".to_owned(),
                |tpm| format!("in a TPM; its attestation key has the Name {}", tpm.ak_name),
            );
            fact("Anchor", &anchor);
            let previous = genesis.previous.as_ref().map_or_else(
                || "none: it is the first".to_owned(),
                |previous| {
                    format!(
                        "{}, SHA-256 of its last checkpoint {}",
                        previous.log, previous.checkpoint
                    )
                },
            );
            fact("Ceremony before", &previous);
            fact("Script", &format!("SHA-256 {}", genesis.script));
            for tool in &genesis.tools {
                let version = tool.version.as_deref();
                let version = version.map_or_else(String::new, |version| format!(" {version}"));
                fact(
                    "Program",
                    &format!("{}{version}, SHA-256 {}", tool.name, tool.sha256),
                );
            }
        }
        fact(
            "log.jsonl",
            &format!("{} lines, SHA-256 {}", report.lines.len(), report.log_sha256),
        );
    });
}

/// Each step with its times.
pub(super) fn steps(html: &mut Markup, report: &Report) {
    html.element("h3", &[], "Steps");
    html.inside("table", &[], |table| {
        table.heading_row(&["no.", "step", "who", "began", "took", "", "lines"]);
        for step in &report.steps {
            table.inside("tr", &[], |row| {
                let number = step.number.map_or_else(String::new, |number| number.to_string());
                row.element("td", &[("class", "number")], &number);
                row.inside("td", &[], |cell| {
                    cell.text(&step.title);
                    let kind = format!(" {}", step.kind);
                    cell.element("span", &[("class", "soft")], &kind);
                });
                row.element("td", &[], &seats(&step.by));
                row.element("td", &[("class", "time")], &step.began.to_string());
                let took = step.seconds().map_or_else(|| "no end".to_owned(), duration);
                row.element("td", &[("class", "time")], &took);
                let mut came = words_of(step.came).to_owned();
                if step.tries > 1 {
                    came.push_str(&format!(", {} tries", step.tries));
                }
                let class = match step.came {
                    Came::Done => "came",
                    Came::Skipped => "came warn",
                    Came::Aborted | Came::Open => "came fail",
                };
                row.element("td", &[("class", class)], &came);
                row.inside("td", &[], |cell| links(cell, &step.lines));
            });
        }
    });
}

/// Who was there.
pub(super) fn people(html: &mut Markup, report: &Report) {
    section(html, "people");
    if report.people.is_empty() {
        html.element("p", &[], "Nobody signed in.");
        return;
    }
    html.inside("table", &[], |table| {
        table.heading_row(&["seat", "name", "initials", "signs as", "was there", "lines"]);
        for person in &report.people {
            table.inside("tr", &[], |row| {
                row.element("td", &[], &person.seat.to_string());
                row.element("td", &[], &person.name);
                row.element("td", &[], &person.initials);
                let principal = person.principal.as_deref();
                row.element(
                    "td",
                    &[],
                    principal.map_or("does not sign", |principal| principal),
                );
                row.element("td", &[], &stays(person));
                let lines: Vec<u64> = person
                    .stays
                    .iter()
                    .flat_map(|stay| [Some(stay.line), stay.left])
                    .flatten()
                    .collect();
                row.inside("td", &[], |cell| links(cell, &lines));
            });
        }
    });
}

fn stays(person: &PersonSeen) -> String {
    let stays = person.stays.iter().map(|stay| {
        stay.until.map_or_else(
            || format!("from {} to the end", stay.from),
            |until| format!("from {} to {until}", stay.from),
        )
    });
    stays.collect::<Vec<_>>().join("\n")
}

/// What was not as the script has it.
pub(super) fn deviations(html: &mut Markup, report: &Report) {
    section(html, "exceptions");
    if report.deviations.is_empty() {
        html.element("p", &[], "None: every step was done as the script has it.");
        return;
    }
    for deviation in &report.deviations {
        let class = match deviation.kind {
            DeviationKind::Exception | DeviationKind::Failure | DeviationKind::Abort => "sheet bad",
            DeviationKind::Skip | DeviationKind::Mistyped | DeviationKind::Interruption => "sheet",
        };
        html.inside("div", &[("class", class)], |sheet| {
            let step = deviation
                .step
                .as_ref()
                .map_or_else(String::new, |step| format!(" at {step}"));
            sheet.element("h3", &[], &format!("{}{step}", deviation.kind.words()));
            sheet.inside("p", &[("class", "soft")], |line| {
                line.text(&format!("{}, {}, line ", deviation.at, seats(&deviation.by)));
                links(line, &[deviation.line]);
            });
            sheet.inside("dl", &[], |list| {
                for fact in &deviation.facts {
                    list.element("dt", &[], fact.name);
                    list.element("dd", &[], &fact.text);
                }
            });
        });
    }
}

/// Keys and other values.
pub(super) fn keys(html: &mut Markup, report: &Report) {
    section(html, "keys");
    if report.keys.is_empty() {
        html.element("p", &[], "No step took a key tag or a DS record.");
    } else {
        html.inside("table", &[], |table| {
            table.heading_row(&["key", "key tag", "DS record", "lines"]);
            for key in &report.keys {
                table.inside("tr", &[], |row| {
                    row.element("td", &[], &key.name);
                    row.element("td", &[], key.key_tag.as_deref().map_or("", |tag| tag));
                    row.inside("td", &[], |cell| {
                        cell.element("code", &[], key.ds.as_deref().map_or("", |ds| ds));
                        if key.contradicts_itself() {
                            let text = "\nThis DS is of another key tag.";
                            cell.element("span", &[("class", "fail")], text);
                        }
                    });
                    row.inside("td", &[], |cell| links(cell, &key.lines));
                });
            }
        });
    }
    if report.values.is_empty() {
        return;
    }
    html.element("h3", &[], "Other values and choices");
    html.inside("table", &[], |table| {
        table.heading_row(&["name", "value", "last time", "step", "lines"]);
        for value in &report.values {
            table.inside("tr", &[], |row| {
                row.element("td", &[], &value.name);
                row.element("td", &[], &value.value);
                row.element("td", &[], value.last_time.as_deref().map_or("", |last| last));
                row.element("td", &[], value.step.as_str());
                row.inside("td", &[], |cell| links(cell, &[value.line]));
            });
        }
    });
}

/// Files and copies.
pub(super) fn files(html: &mut Markup, report: &Report) {
    section(html, "artefacts");
    html.element(
        "p",
        &[("class", "soft")],
        "Each is kept in the folder evidence, named by its SHA-256.",
    );
    html.inside("table", &[], |table| {
        table.heading_row(&["file", "was", "bytes", "SHA-256", "lines"]);
        for file in &report.files {
            table.inside("tr", &[], |row| {
                row.element(
                    "td",
                    &[],
                    file.path.as_deref().map_or("(a program's output)", |path| path),
                );
                let uses: Vec<_> = file
                    .uses
                    .iter()
                    .map(|used| format!("{} by {}", used.words(), used.step))
                    .collect();
                row.element("td", &[], &uses.join("\n"));
                row.element("td", &[("class", "number")], &file.size.to_string());
                digest(row, &file.sha256.to_string());
                let lines: Vec<u64> = file.uses.iter().map(|used| used.line).collect();
                row.inside("td", &[], |cell| links(cell, &lines));
            });
        }
    });
    if report.copies.is_empty() {
        return;
    }
    html.element("h3", &[], "Copies, each read again");
    html.inside("table", &[], |table| {
        table.heading_row(&["medium", "file", "bytes", "SHA-256", "lines"]);
        for copy in &report.copies {
            table.inside("tr", &[], |row| {
                row.element("td", &[], copy.medium.as_str());
                row.element("td", &[], &copy.file);
                row.element("td", &[("class", "number")], &copy.size.to_string());
                digest(row, &copy.sha256.to_string());
                row.inside("td", &[], |cell| links(cell, &[copy.line]));
            });
        }
    });
}

fn digest(row: &mut Markup, digest: &str) {
    row.inside("td", &[], |cell| {
        cell.element("code", &[], digest);
    });
}

/// Seals and who signed them.
pub(super) fn signatures(html: &mut Markup, report: &Report) {
    section(html, "signatures");
    if report.seals.is_empty() {
        html.element("p", &[], "The log was never sealed.");
        return;
    }
    let intro = "Key and flags are what each signature's file says of itself; whether the signatures hold is among the claims.";
    html.element("p", &[("class", "soft")], intro);
    for seal in &report.seals {
        html.inside("h3", &[], |heading| {
            let text = format!("Seal {}: {} ", seal.checkpoint, seal.reason);
            heading.text(&text);
        });
        html.inside("p", &[("class", "soft")], |line| {
            line.text(&format!("{}, over {} lines, line ", seal.at, seal.line));
            links(line, &[seal.line]);
            line.text(&state(seal));
        });
        html.inside("table", &[], |table| {
            table.heading_row(&["signed by", "file", "key", "lines"]);
            for signature in &seal.signatures {
                table.inside("tr", &[], |row| signature_row(row, signature));
            }
        });
    }
}

fn state(seal: &SealSeen) -> String {
    seal.tpm.as_ref().map_or_else(
        || ". Unanchored: no TPM.".to_owned(),
        |tpm| {
            let clock = duration(i64::try_from(tpm.clock / 1000).map_or(i64::MAX, |seconds| seconds));
            format!(
                ". TPM: counter {}, powered for {clock}, {} resets, {} restarts.",
                tpm.counter, tpm.reset_count, tpm.restart_count
            )
        },
    )
}

fn signature_row(row: &mut Markup, signature: &SignatureSeen) {
    row.inside("td", &[], |cell| {
        cell.text(&signature.of);
        if let Some(name) = &signature.name {
            cell.text(&format!(", {name}"));
        }
    });
    row.inside("td", &[], |cell| {
        cell.element("code", &[], &signature.file);
        if !signature.there {
            cell.element("span", &[("class", "fail")], " is not in the folder");
        }
    });
    row.inside("td", &[], |cell| {
        let Some(signer) = &signature.signer else { return };
        cell.element(
            "code",
            &[],
            &format!("{} {}", signer.key_type, signer.fingerprint),
        );
        if let Some(key) = signer.security_key {
            let touched = match key.user_present() {
                true => "touched",
                false => "not touched",
            };
            let asked = match key.user_verified() {
                true => "PIN or finger",
                false => "no PIN",
            };
            let text = format!(
                "\nsecurity key: {touched}, {asked} (flags {:#04x}), signature {} of it",
                key.flags, key.counter
            );
            cell.text(&text);
        }
    });
    row.inside("td", &[], |cell| links(cell, &signature.lines));
}

/// What all this does not prove.
pub(super) fn limits(html: &mut Markup, report: &Report) {
    section(html, "limits");
    html.inside("ul", &[], |list| {
        for limit in report.limits {
            list.element("li", &[], limit);
        }
    });
}

/// The log, line by line.
pub(super) fn log(html: &mut Markup, report: &Report) {
    section(html, "log");
    let intro = "Every line of log.jsonl as it is in the file, and the SHA-256 of it with its end, which the next line names. The same report in \
                 JSON: report.json.";
    html.element("p", &[("class", "soft")], intro);
    html.inside("ol", &[("class", "log")], |list| {
        for line in &report.lines {
            list.inside("li", &[("id", &format!("line-{}", line.number))], |item| {
                log_line(item, line)
            });
        }
    });
}

fn log_line(item: &mut Markup, line: &Line) {
    item.element("strong", &[], &line.number.to_string());
    match &line.entry {
        Ok(entry) => {
            let by = if entry.by.is_empty() {
                String::new()
            } else {
                format!(" by {}", seats(&entry.by))
            };
            item.element(
                "span",
                &[("class", "soft")],
                &format!(" {} {}{by} ", entry.t, entry.body.type_name()),
            );
            item.text(&super::line::sentence(&entry.body));
        }
        Err(why) => {
            item.element("span", &[("class", "fail")], &format!(" no entry: {why}"));
        }
    }
    item.inside("code", &[], |code| exact(code, &line.text));
    item.element("span", &[("class", "hash")], &format!("SHA-256 {}", line.sha256));
}

/// A line, its fields' names in another colour; the text is the line's own.
fn exact(code: &mut Markup, text: &str) {
    let mut rest = text;
    while let Some((before, name, after)) = next_name(rest) {
        code.text(before);
        code.element("b", &[], name);
        rest = after;
    }
    code.text(rest);
}

/// What is in front of the next field's name, the name in its quotes, and what follows.
fn next_name(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let start = from + text.get(from..)?.find('"')?;
        let mut end = start + 1;
        loop {
            match text.as_bytes().get(end)? {
                b'\\' => end += 2,
                b'"' => break,
                _ => end += 1,
            }
        }
        end += 1;
        if text.as_bytes().get(end) == Some(&b':') {
            return Some((text.get(..start)?, text.get(start..end)?, text.get(end..)?));
        }
        from = end;
    }
}
