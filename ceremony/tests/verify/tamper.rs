//! Tampering with a real ceremony: nothing passes, and both tools say so each time.
//!
//! The library looks at every line and every kind of change, and at every fourth byte of every checkpoint, signature, statement and key. verify.sh takes
//! half a second, so that it looks at a sample: every 31st change of lines and files (there are no 31 kinds, so that each kind is among them), and every
//! 797th byte. `TAMPER=bytes` has the library look at every byte, `TAMPER=all` verify.sh at every case too; `TAMPER_FOLDER` names another
//! ceremony to tamper with, `TAMPER_ONLY` a text in the cases' names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ceremony::log::{CeremonyFolder, Entry};
use ceremony::verify::{ClaimVerdict, verify};
use key_metadata::Digest;

use crate::made::{Made, SCRIPT, With};
use crate::seats::Keys;
use crate::sound::{shell, told};
use crate::tpm_side::{Anchors, LogToken};

/// How many changes of lines and files there are for each that verify.sh is asked about.
const CHANGES: usize = 31;
/// How many flipped bytes there are for each that verify.sh is asked about.
const BYTES: usize = 797;
/// How many bytes there are for each that is flipped; our choice, by the time that it takes. No multiple of the three ways to flip one.
const FLIPPED: usize = 4;
/// Tests share two cores.
const THREADS: usize = 2;

/// A change of files; `None` removes one.
#[derive(Clone)]
struct Tampering {
    what: String,
    files: Vec<(String, Option<Vec<u8>>)>,
}

/// The files of a ceremony, by name.
type Files = BTreeMap<String, Vec<u8>>;

fn read(folder: &Path, within: &str, files: &mut Files) {
    for entry in fs::read_dir(folder.join(within)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = if within.is_empty() {
            name
        } else {
            format!("{within}/{name}")
        };
        if folder.join(&name).is_dir() {
            read(folder, &name, files);
        } else {
            files.insert(name.clone(), fs::read(folder.join(&name)).unwrap());
        }
    }
}

fn write(folder: &Path, name: &str, bytes: Option<&[u8]>) {
    let path = folder.join(name);
    match bytes {
        Some(bytes) => {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        None => fs::remove_file(path).unwrap(),
    }
}

fn one(what: impl Into<String>, name: &str, bytes: Vec<u8>) -> Tampering {
    let (what, files) = (what.into(), vec![(name.to_owned(), Some(bytes))]);
    Tampering { what, files }
}

/// The log with its chain made anew, as somebody without keys can.
fn rechained(lines: &[&[u8]]) -> Option<Vec<u8>> {
    let (mut log, mut prev) = (Vec::new(), Digest::ZERO);
    for (index, line) in lines.iter().enumerate() {
        let mut entry = Entry::from_line(line.strip_suffix(b"\n")?).ok()?;
        entry.n = index as u64 + 1;
        entry.prev = prev;
        let line = entry.to_line().ok()?;
        prev = Digest::of(&line);
        log.extend(line);
    }
    Some(log)
}

fn changed_lines(files: &Files) -> Vec<Tampering> {
    let log = &files["log.jsonl"];
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let mut all = Vec::new();
    let mut add = |what: String, lines: Vec<&[u8]>| {
        all.push(one(
            format!("{what}, chain as it was"),
            "log.jsonl",
            lines.concat(),
        ));
        if let Some(anew) = rechained(&lines).filter(|anew| anew != log) {
            all.push(one(format!("{what}, chain made anew"), "log.jsonl", anew));
        }
    };
    for (index, line) in lines.iter().enumerate() {
        let number = index + 1;
        let with = |changed: &[&'static str; 2]| {
            let text = String::from_utf8(line.to_vec()).unwrap();
            let text = text.replacen(changed[0], changed[1], 1).into_bytes();
            (text != *line).then_some(text)
        };
        let mut replaced = |what: String, line: &[u8]| {
            let mut changed = lines.clone();
            changed[index] = line;
            add(what, changed);
        };
        // A byte of n, of prev, of t, of the body.
        let at = |marker: &str| {
            line.windows(marker.len())
                .position(|window| window == marker.as_bytes())
        };
        let body = at("\"body\":").unwrap() + 8 + (line.len() - at("\"body\":").unwrap() - 10) / 2;
        for (what, place) in [
            ("n", 5),
            ("prev", at("\"prev\":").unwrap() + 9),
            ("t", at("\"t\":").unwrap() + 22),
            ("body", body),
        ] {
            let mut changed = line.to_vec();
            changed[place] = if changed[place] == b'1' { b'2' } else { b'1' };
            replaced(format!("line {number}: {what}"), &changed);
        }
        for change in [
            ["officer-1", "officer-2"],
            ["\"attempt\":2", "\"attempt\":1"],
            ["\"body\":{", "\"body\":{ "],
            ["2026-11-23", "2026-11-22"],
            ["PRODUCTION", "REHEARSAL"],
            ["\"counter\":", "\"counter\":1"],
        ] {
            if let Some(changed) = with(&change) {
                replaced(
                    format!("line {number}: {} for {}", change[1], change[0]),
                    &changed,
                );
            }
        }
        let mut dropped = lines.clone();
        dropped.remove(index);
        add(format!("line {number} dropped"), dropped);
        let mut twice = lines.clone();
        twice.insert(index, line);
        add(format!("line {number} twice"), twice);
        if index + 1 < lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(index, index + 1);
            add(format!("lines {number} and {} swapped", number + 1), swapped);
        }
        add(format!("truncated before line {number}"), lines[..index].to_vec());
        let start: usize = lines[..index].iter().map(|line| line.len()).sum();
        for (what, end) in [
            ("in the middle of", line.len() / 2),
            ("before the end of", line.len() - 1),
        ] {
            let cut = log[..start + end].to_vec();
            all_torn(&mut add, format!("truncated {what} line {number}"), &cut);
        }
    }
    add(
        "a line more".to_owned(),
        [&lines[..], &lines[lines.len() - 1..]].concat(),
    );
    all
}

fn all_torn(add: &mut impl FnMut(String, Vec<&[u8]>), what: String, cut: &[u8]) {
    add(
        what,
        vec![cut]
            .into_iter()
            .map(|cut| -> &[u8] { Box::leak(cut.to_vec().into_boxed_slice()) })
            .collect(),
    );
}

/// Every byte of a file, one after the other: its lowest bit, and its highest in turn with its case.
fn flips(name: &str, bytes: &[u8]) -> Vec<Tampering> {
    let flip = |(at, mask): (usize, u8)| {
        let mut changed = bytes.to_vec();
        changed[at] ^= mask;
        one(format!("{name}: byte {at} xor {mask:#04x}"), name, changed)
    };
    (0..bytes.len())
        .map(|at| (at, [0x01, 0x20, 0x80][at % 3]))
        .map(flip)
        .collect()
}

fn changed_files(files: &Files) -> Vec<Tampering> {
    let mut all = Vec::new();
    for (name, bytes) in files {
        if name == "verify.sh" {
            continue;
        }
        let gone = Tampering {
            what: format!("{name} is gone"),
            files: vec![(name.clone(), None)],
        };
        all.push(gone);
        all.push(one(format!("{name} is empty"), name, vec![]));
        if name.starts_with("cast-") {
            continue;
        }
        all.push(one(
            format!("{name} is longer"),
            name,
            [bytes, &b"\n"[..]].concat(),
        ));
        all.push(one(
            format!("{name} is shorter"),
            name,
            bytes[..bytes.len() - 1].to_vec(),
        ));
    }
    for name in [
        "checkpoint-99",
        "checkpoint-1.officer-9.sig",
        "cast-99",
        "torn-99",
        "evidence/x",
    ] {
        all.push(one(format!("{name} is there too"), name, b"x".to_vec()));
    }
    all
}

fn flipped_bytes(files: &Files) -> Vec<Tampering> {
    let flipped = |(name, _): &(&String, &Vec<u8>)| name.starts_with("checkpoint-") || name.ends_with(".pem");
    files
        .iter()
        .filter(flipped)
        .flat_map(|(name, bytes)| flips(name, bytes))
        .collect()
}

/// Older files in the place of newer ones, and the log of then with them.
fn replayed(files: &Files) -> Vec<Tampering> {
    let mut all = Vec::new();
    let last = (1..)
        .take_while(|number| files.contains_key(&format!("checkpoint-{number}")))
        .count();
    let of = |name: &str, number: usize| {
        name == format!("checkpoint-{number}") || name.starts_with(&format!("checkpoint-{number}."))
    };
    for older in 1..last {
        for newer in older + 1..=last {
            let mut changes = Vec::new();
            for (name, bytes) in files.iter().filter(|(name, _)| of(name, older)) {
                let name = name.replacen(&older.to_string(), &newer.to_string(), 1);
                if files.contains_key(&name) {
                    all.push(one(
                        format!("{name} is that of checkpoint {older}"),
                        &name,
                        bytes.clone(),
                    ));
                }
                changes.push((name, Some(bytes.clone())));
            }
            let what = format!("all of checkpoint {older} in the place of {newer}");
            all.push(Tampering { what, files: changes });
        }
    }
    // Everything up to an older checkpoint.
    for older in 1..last {
        let text = String::from_utf8_lossy(&files["log.jsonl"]).into_owned();
        let size: usize = String::from_utf8_lossy(&files[&format!("checkpoint-{older}")])
            .lines()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let log: String = text.split_inclusive('\n').take(size).collect();
        let mut changes = vec![("log.jsonl".to_owned(), Some(log.into_bytes()))];
        for number in older + 1..=last {
            let later = files.keys().filter(|name| of(name, number));
            changes.extend(later.map(|name| (name.clone(), None)));
        }
        let what = format!("nothing after checkpoint {older}");
        all.push(Tampering { what, files: changes });
    }
    all
}

/// Copies the ceremony, tries every tampering on the copies, and gives what passed or was told in two ways.
/// Each tampering is with whether verify.sh is asked.
fn tried(files: &Files, tamperings: &[(Tampering, bool)]) -> (Vec<String>, usize) {
    let (wrong, next, asked) = (Mutex::new(Vec::new()), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let copy = tempfile::tempdir().unwrap();
                for (name, bytes) in files {
                    write(copy.path(), name, Some(bytes));
                }
                let folder = CeremonyFolder::new(copy.path());
                while let Some((tampering, shell_too)) = tamperings.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    for (name, bytes) in &tampering.files {
                        write(copy.path(), name, bytes.as_deref());
                    }
                    let verdict = verify(&folder, None).unwrap();
                    if verdict.verdict() != ClaimVerdict::Fail {
                        wrong
                            .lock()
                            .unwrap()
                            .push(format!("{}: verify passes", tampering.what));
                    }
                    if *shell_too {
                        asked.fetch_add(1, Ordering::Relaxed);
                        let (code, said) = shell(copy.path(), None);
                        if code != 3 {
                            let text = format!(
                                "{}: verify.sh ends with {code}\n{said}{}",
                                tampering.what,
                                told(&verdict)
                            );
                            wrong.lock().unwrap().push(text);
                        }
                    }
                    for (name, _) in &tampering.files {
                        match files.get(name) {
                            Some(bytes) => write(copy.path(), name, Some(bytes)),
                            None => write(copy.path(), name, None),
                        }
                    }
                }
            });
        }
    });
    (wrong.into_inner().unwrap(), asked.into_inner())
}

#[test]
fn nothing_that_was_tampered_with_passes() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = match std::env::var_os("TAMPER_FOLDER") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let anchors = Anchors::start(&scratch.path().join("tpm"));
            let token = LogToken::make(&scratch.path().join("token"));
            let keys = Keys::make(&scratch.path().join("keys"));
            let with = With {
                anchors: Some(&anchors),
                token: Some(&token),
                keys: &keys,
                script: SCRIPT,
                previous: None,
            };
            let mut made = Made::begin(&scratch.path().join("2026-q4"), with);
            made.hold();
            made.folder.path().to_owned()
        }
    };
    let mut files = Files::new();
    read(&folder, "", &mut files);
    let asked_for = std::env::var("TAMPER").unwrap_or_default();
    let all = asked_for == "all";
    let only = std::env::var("TAMPER_ONLY").unwrap_or_default();
    let changes = [changed_lines(&files), replayed(&files), changed_files(&files)].concat();
    let mut tamperings = Vec::new();
    let step = if ["bytes", "all"].contains(&asked_for.as_str()) {
        1
    } else {
        FLIPPED
    };
    for (changes, step, stride) in [(changes, 1, CHANGES), (flipped_bytes(&files), step, BYTES)] {
        // What gives the same bytes again is none.
        let changes = changes.into_iter().filter(|tampering| {
            let is_one = |(name, bytes): &(String, Option<Vec<u8>>)| files.get(name) != bytes.as_ref();
            tampering.files.iter().any(is_one) && tampering.what.contains(&only)
        });
        let sampled = changes
            .enumerate()
            .map(|(index, tampering)| (index, tampering, all || index.is_multiple_of(stride)))
            .filter(|(index, _, shell_too)| *shell_too || index.is_multiple_of(step))
            .map(|(_, tampering, shell_too)| (tampering, shell_too));
        tamperings.extend(sampled);
    }
    let started = std::time::Instant::now();
    let (wrong, asked) = tried(&files, &tamperings);
    eprintln!(
        "{} tamperings, {asked} of them by verify.sh too, in {:?}",
        tamperings.len(),
        started.elapsed()
    );
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        tamperings.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
}
