//! A case: a file of the corpus, and edits to it.

use std::panic::RefUnwindSafe;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bolero::TypeGenerator;

/// The files of one format that the real tools wrote.
pub struct Corpus {
    pub files: Vec<String>,
}

impl Corpus {
    /// The files of `corpus/<format>/`, in the order of their names.
    pub fn read(format: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(format);
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        Self {
            files: paths
                .iter()
                .map(|path| std::fs::read_to_string(path).unwrap())
                .collect(),
        }
    }

    /// Runs `target` on cases for `FUZZ_SECONDS`, or for one; it says whether the file was accepted.
    #[expect(clippy::print_stderr, reason = "how far it came is what a run tells")]
    pub fn fuzz(&self, name: &str, target: impl Fn(&str) -> bool + RefUnwindSafe) {
        let seconds = std::env::var("FUZZ_SECONDS").map_or(1, |seconds| seconds.parse().unwrap());
        let (cases, accepted) = (AtomicU64::new(0), AtomicU64::new(0));
        bolero::check!()
            .with_test_time(Duration::from_secs(seconds))
            .with_iterations(usize::MAX)
            .with_max_len(4096)
            .with_type::<Case>()
            .for_each(|case| {
                cases.fetch_add(1, Relaxed);
                accepted.fetch_add(u64::from(target(&case.apply(self))), Relaxed);
            });
        eprintln!(
            "{name}: {} cases in {seconds} s, {} accepted",
            cases.load(Relaxed),
            accepted.load(Relaxed)
        );
    }
}

/// Which file, and what is done to it. Positions are in 65536ths of the text.
#[derive(Debug, TypeGenerator)]
pub struct Case {
    file: u8,
    edits: [Edit; 4],
    last: u8,
}

#[derive(Clone, Debug, TypeGenerator)]
enum Edit {
    Replace { at: u16, byte: u8 },
    ReplaceByDigit { at: u16, digit: u8 },
    Insert { at: u16, word: u8 },
    Delete { at: u16, length: u8 },
    DeleteLine { at: u16 },
    RepeatLine { at: u16, to: u16 },
    MoveLine { at: u16, to: u16 },
    Copy { from: u16, length: u8, to: u16 },
    TakeFrom { file: u8, at: u16, length: u8, to: u16 },
    TakeLine { file: u8, at: u16, to: u16 },
    Cut { at: u16 },
}

/// What parsers stumble over.
const WORDS: [&str; 48] = [
    "",
    " ",
    "\n",
    "\r\n",
    "\t",
    "\0",
    ":",
    ";",
    "; ",
    "(",
    ")",
    "\"",
    "\\",
    "/",
    "%",
    "%00",
    "%2e",
    "?",
    "&",
    "=",
    "@",
    "-",
    "-1",
    "0",
    "1",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "99991231235959",
    "99999999999999",
    "19691231235959",
    "256",
    "257",
    "384",
    "IN",
    "DNSKEY",
    "DS",
    "é",
    "\u{202e}",
    "pin-value=4711-s3cr3t",
    "pin-source=4711-s3cr3t",
    "pkcs11:",
    "kmip://u:4711-s3cr3t@hsm",
    "null",
    "[]",
    "{\"a\":[1,{\"b\":2}]}",
];

impl Case {
    /// The text. The edits are made one after the other; how many is the case's own choice.
    pub fn apply(&self, corpus: &Corpus) -> String {
        let pick = |file: u8| corpus.files[usize::from(file) % corpus.files.len()].as_bytes();
        let mut text = pick(self.file).to_vec();
        for edit in &self.edits[..=usize::from(self.last) % self.edits.len()] {
            edit.apply(&mut text, pick);
            text.truncate(64 << 10);
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

fn position(text: &[u8], at: u16) -> usize {
    (text.len() * usize::from(at)) >> 16
}

fn line(text: &[u8], at: u16) -> std::ops::Range<usize> {
    let at = position(text, at);
    let start = text[..at]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let end = text[at..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(text.len(), |end| at + end + 1);
    start..end
}

fn insert(text: &mut Vec<u8>, at: usize, piece: &[u8]) {
    text.splice(at..at, piece.iter().copied());
}

fn piece(text: &[u8], at: u16, length: u8) -> Vec<u8> {
    let start = position(text, at);
    text[start..text.len().min(start + usize::from(length))].to_vec()
}

impl Edit {
    fn apply<'a>(&self, text: &mut Vec<u8>, pick: impl Fn(u8) -> &'a [u8]) {
        match *self {
            Self::Replace { at, byte } => {
                let at = position(text, at);
                if let Some(old) = text.get_mut(at) {
                    *old = byte;
                }
            }
            Self::ReplaceByDigit { at, digit } => {
                // The next digit, so that numbers change and nothing else does.
                let at = position(text, at);
                if let Some(old) = text[at..].iter_mut().find(|byte| byte.is_ascii_digit()) {
                    *old = b'0' + digit % 10;
                }
            }
            Self::Insert { at, word } => {
                let at = position(text, at);
                insert(text, at, WORDS[usize::from(word) % WORDS.len()].as_bytes());
            }
            Self::Delete { at, length } => {
                let start = position(text, at);
                let end = text.len().min(start + usize::from(length));
                text.drain(start..end);
            }
            Self::DeleteLine { at } => {
                let line = line(text, at);
                text.drain(line);
            }
            Self::RepeatLine { at, to } => {
                let (line, to) = (text[line(text, at)].to_vec(), line(text, to).start);
                insert(text, to, &line);
            }
            Self::MoveLine { at, to } => {
                let line: Vec<u8> = {
                    let range = line(text, at);
                    text.drain(range).collect()
                };
                let to = self::line(text, to).start;
                insert(text, to, &line);
            }
            Self::Copy { from, length, to } => {
                let (piece, to) = (piece(text, from, length), position(text, to));
                insert(text, to, &piece);
            }
            Self::TakeFrom { file, at, length, to } => {
                let (piece, to) = (piece(pick(file), at, length), position(text, to));
                insert(text, to, &piece);
            }
            Self::TakeLine { file, at, to } => {
                let other = pick(file);
                let to = line(text, to).start;
                insert(text, to, &other[line(other, at)]);
            }
            Self::Cut { at } => {
                let at = position(text, at);
                text.truncate(at);
            }
        }
    }
}
