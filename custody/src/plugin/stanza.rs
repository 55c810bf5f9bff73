//! The lines that are spoken with a plugin: stanzas as in an age file's header (<https://c2sp.org/age>, "Recipient stanza").

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

/// The characters of base64 in a line that is not the last one.
const LINE: usize = 64;
/// The bytes in them.
const LINE_BYTES: usize = 48;
/// More than a body ever has: a wrapped file key, a message to a person, a PIN.
pub(super) const LONGEST: usize = 64 * 1024;

/// A command or an answer; its body may be a secret.
pub(super) struct Stanza {
    pub(super) tag: String,
    pub(super) arguments: Vec<String>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Stanza {
    /// Its first line: a tag and arguments of visible ASCII.
    pub(super) fn begin(line: &[u8]) -> Option<Self> {
        let words = line.strip_prefix(b"-> ")?.split(|byte| *byte == b' ');
        let words: Option<Vec<String>> = words.map(word).collect();
        let mut words = words?.into_iter();
        Some(Self {
            tag: words.next()?,
            arguments: words.collect(),
            body: Zeroizing::new(Vec::with_capacity(LONGEST)),
        })
    }

    /// Adds a line of its body; whether more are to come.
    pub(super) fn add(&mut self, line: &[u8]) -> Option<More> {
        let mut decoded = Zeroizing::new([0; LINE_BYTES + 3]);
        let length = STANDARD_NO_PAD.decode_slice(line, &mut *decoded).ok()?;
        if line.len() > LINE || self.body.len() + length > LONGEST {
            return None;
        }
        self.body.extend_from_slice(decoded.get(..length)?);
        Some(if line.len() == LINE {
            More::ToCome
        } else {
            More::No
        })
    }
}

/// Whether a stanza goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    /// It does.
    ToCome,
    /// It is whole.
    No,
}

/// A stanza as it is sent.
pub(super) fn written(tag: &str, arguments: &[&str], body: &[u8]) -> Zeroizing<Vec<u8>> {
    let words = [&[tag], arguments].concat().join(" ");
    // Room for all of it: a vector that grows leaves copies behind.
    let room = words.len() + 8 + (body.len() / LINE_BYTES + 1) * (LINE + 1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    bytes.extend_from_slice(format!("-> {words}\n").as_bytes());
    for piece in body.chunks(LINE_BYTES) {
        let line = Zeroizing::new(STANDARD_NO_PAD.encode(piece));
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    // The last line is a short one, if need be an empty one.
    if body.len().is_multiple_of(LINE_BYTES) {
        bytes.push(b'\n');
    }
    bytes
}

fn word(bytes: &[u8]) -> Option<String> {
    let visible = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic);
    visible.then(|| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Option<Stanza> {
        let mut lines = bytes.strip_suffix(b"\n")?.split(|byte| *byte == b'\n');
        let mut stanza = Stanza::begin(lines.next()?)?;
        while stanza.add(lines.next()?)? == More::ToCome {}
        lines.next().is_none().then_some(stanza)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tag in "[!-~]{1,9}", arguments in prop::collection::vec("[!-~]{1,9}", 0..4), body: Vec<u8>) {
            let borrowed: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let stanza = read(&written(&tag, &borrowed, &body)).unwrap();
            prop_assert_eq!(stanza.tag, tag);
            prop_assert_eq!(&*stanza.body, &body);
            prop_assert_eq!(stanza.arguments, arguments);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }

    #[test]
    fn a_body_of_full_lines_ends_with_an_empty_one() {
        assert_eq!(&*written("done", &[], &[]), b"-> done\n\n");
        let full = written("ok", &["yes"], &[0; 48]);
        assert_eq!(*full, format!("-> ok yes\n{}\n\n", "A".repeat(64)).into_bytes());
    }

    #[test]
    fn what_is_no_stanza() {
        for bad in [
            "->\n\n",
            "-> \n\n",
            "-> a  b\n\n",
            "-> a\u{7f}\n\n",
            "- a\n\n",
            "-> a\nA\n",
            "-> a\nAA==\n",
        ] {
            assert!(read(bad.as_bytes()).is_none(), "{bad:?}");
        }
        assert!(read(format!("-> a\n{}\n", "A".repeat(68)).as_bytes()).is_none());
    }
}
