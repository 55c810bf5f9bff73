//! Recordings, with asciinema as the referee.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ceremony::cast::{Recording, mark_of};
use ceremony::log::CastMark;
use key_metadata::{Digest, Time};
use proptest::prelude::*;

const HEADER: &str =
    r#"{"version":2,"width":80,"height":24,"timestamp":1795428451,"title":"REHEARSAL \"cr\""}"#;

fn record(path: &Path) -> Recording {
    let started: Time = "2026-11-23T10:07:31Z".parse().unwrap();
    Recording::create(path, "REHEARSAL \"cr\"", started).unwrap()
}

/// What asciinema shows of a recording. It wants a terminal, which script(1) gives it, but may write to a file.
fn shown(path: &Path) -> Vec<u8> {
    let output = path.with_extension("shown");
    let show = "exec /usr/bin/asciinema cat \"$CAST\" > \"$SHOWN\"";
    let mut script = Command::new("/usr/bin/script");
    script.args(["--quiet", "--return", "--command", show, "/dev/null"]);
    script
        .env("CAST", path)
        .env("SHOWN", &output)
        .env("LC_ALL", "C.UTF-8");
    let script = script.stdin(Stdio::null()).output().unwrap();
    assert!(
        script.status.success(),
        "is Debian's package asciinema there? {script:?}"
    );
    fs::read(output).unwrap()
}

fn mark_is_of(mark: &CastMark, file: &[u8]) {
    let length = usize::try_from(mark.offset).unwrap();
    assert_eq!(mark.sha256, Digest::of(&file[..length]));
}

#[test]
fn what_was_shown_is_shown_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cast-1");
    let mut recording = record(&path);
    let begun = recording.mark();
    assert_eq!(begun.file, "cast-1");
    assert_eq!(begun.offset, HEADER.len() as u64 + 1);
    let written = [
        "\u{1b}[2J\u{1b}[1;1HStep 1 of 9\r\n",
        "\"quoted\\\" \u{7f}\u{0}\t",
        "\u{20ac}\u{1f511}\u{2028}",
    ];
    for (number, text) in (0..).zip(written) {
        recording
            .output(Duration::from_micros(1_500_000 * number), text.as_bytes())
            .unwrap();
        let file = fs::read(&path).unwrap();
        assert_eq!(
            recording.mark().offset,
            file.len() as u64,
            "an event is in the file at once"
        );
        mark_is_of(&recording.mark(), &file);
        mark_is_of(&begun, &file);
    }
    // A clock that ran backwards.
    recording.output(Duration::from_secs(1), b"end").unwrap();
    let mark = recording.end(Duration::from_secs(9)).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], HEADER);
    assert!(lines[2].starts_with("[1.500000,\"o\","), "{}", lines[2]);
    assert_eq!(lines[4], "[3.000000,\"o\",\"end\"]");
    assert_eq!(mark_of(&path).unwrap(), mark);
    assert_eq!(shown(&path), format!("{}end", written.concat()).as_bytes());
}

#[test]
fn a_character_may_come_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cast-1");
    let mut recording = record(&path);
    for byte in "\u{e4}\u{20ac}\u{1f511}.".bytes() {
        recording.output(Duration::ZERO, &[byte]).unwrap();
    }
    // Never a character, one that ends otherwise, one that is not ended.
    recording
        .output(Duration::ZERO, b"a\xffb\xe2\x82c\xf0\x9f")
        .unwrap();
    recording.end(Duration::ZERO).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 1 + 4 + 2);
    let expected = "\u{e4}\u{20ac}\u{1f511}.a\u{fffd}b\u{fffd}c\u{fffd}";
    assert_eq!(String::from_utf8(shown(&path)).unwrap(), expected);
}

#[test]
fn a_recording_that_was_cut_off_is_marked_as_it_is_and_never_written_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cast-3");
    let mut recording = record(&path);
    recording.output(Duration::ZERO, b"one").unwrap();
    let mark = recording.mark();
    drop(recording);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"[1.0,\"o\",\"tw");
    fs::write(&path, &bytes).unwrap();
    let torn = mark_of(&path).unwrap();
    assert_eq!(
        (torn.offset, torn.sha256),
        (bytes.len() as u64, Digest::of(&bytes))
    );
    assert_eq!(torn.file, "cast-3");
    assert!(torn.offset > mark.offset);
    mark_is_of(&mark, &bytes);
    let error = Recording::create(&path, "again", "2026-11-23T10:07:31Z".parse().unwrap());
    assert_eq!(error.err().unwrap().source.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

proptest! {
    /// However the bytes are cut into writes, the text is the same.
    #[test]
    fn cuts_do_not_matter(bytes: Vec<u8>, cuts: Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cast-1");
        let mut recording = record(&path);
        let (mut rest, mut cuts) = (&bytes[..], cuts.into_iter());
        while let Some(cut) = cuts.next().filter(|_| !rest.is_empty()) {
            let (now, later) = rest.split_at(usize::from(cut).min(rest.len()));
            recording.output(Duration::ZERO, now).unwrap();
            rest = later;
        }
        recording.output(Duration::ZERO, rest).unwrap();
        let mark = recording.end(Duration::ZERO).unwrap();
        prop_assert_eq!(&mark, &mark_of(&path).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        let events = text.lines().skip(1).map(|line| {
            let (_, _, text): (f64, String, String) = serde_json::from_str(line).unwrap();
            text
        });
        let shown: String = events.collect();
        prop_assert_eq!(shown, String::from_utf8_lossy(&bytes));
    }
}
