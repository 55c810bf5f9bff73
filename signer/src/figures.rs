//! What a signed zone amounts to, counted from its text in one pass: one record a line, as Keyrite writes it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use dnssec::MADE_BY_SIGNING;
use key_metadata::Time;

/// How much is read at once, in octets.
const AT_ONCE: usize = 1 << 20;

/// The figures of a signed zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many octets its text has.
    pub octets: u64,
    /// How many records signing did not make.
    pub records: u64,
    /// How many octets their lines have.
    pub record_octets: u64,
    /// How many signatures it has.
    pub signatures: u64,
    /// When the first of them expires.
    pub first_expiration: Option<Time>,
}

impl Figures {
    /// Those of a text.
    pub fn of(mut text: impl BufRead, now: Time) -> io::Result<Self> {
        let mut figures = Self::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            if text.read_until(b'\n', &mut line)? == 0 {
                return Ok(figures);
            }
            figures.count(&line, now);
        }
    }

    /// Those of a file; none where it is not there.
    pub fn of_file(path: &Path, now: Time) -> io::Result<Option<Self>> {
        match File::open(path) {
            Ok(file) => Self::of(BufReader::with_capacity(AT_ONCE, file), now).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Counts a line.
    fn count(&mut self, line: &[u8], now: Time) {
        self.octets += line.len() as u64;
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .skip(3);
        let Some(rtype) = words.next() else {
            return;
        };
        if !MADE_BY_SIGNING.iter().any(|(_, made)| made.as_bytes() == rtype) {
            self.records += 1;
            self.record_octets += line.len() as u64;
        }
        if rtype == b"RRSIG" {
            self.signatures += 1;
            // Behind the type covered, the algorithm, the labels and the original TTL (RFC 4034 3.2).
            let expiration = words.nth(4).and_then(|word| expiration(word, now));
            self.first_expiration = [self.first_expiration, expiration].into_iter().flatten().min();
        }
    }
}

/// Counts what is written while it is.
pub struct Counted<W> {
    out: W,
    now: Time,
    figures: Figures,
    /// One that has not ended.
    line: Vec<u8>,
}

impl<W: Write> Counted<W> {
    pub fn new(out: W, now: Time) -> Self {
        Self {
            out,
            now,
            figures: Figures::default(),
            line: Vec::new(),
        }
    }

    /// Those of all lines.
    pub const fn figures(&self) -> Figures {
        self.figures
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let length = self.out.write(octets)?;
        for part in octets[..length].split_inclusive(|octet| *octet == b'\n') {
            let is_whole = part.ends_with(b"\n");
            if is_whole && self.line.is_empty() {
                self.figures.count(part, self.now);
                continue;
            }
            self.line.extend_from_slice(part);
            if is_whole {
                self.figures.count(&self.line, self.now);
                self.line.clear();
            }
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The expiration of a signature: seconds since 1970 modulo 2^32, or YYYYMMDDHHmmSS (RFC 4034 3.2).
fn expiration(word: &[u8], now: Time) -> Option<Time> {
    let text = std::str::from_utf8(word).ok()?;
    if text.len() != 14 {
        return Some(dnssec::near(text.parse().ok()?, now));
    }
    let part = |from: usize, to: usize| text.get(from..to);
    format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    )
    .parse()
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_signing_made_is_no_part_of_the_zone() {
        let now = "2026-11-30T00:00:00Z".parse().unwrap();
        let own = "cr. 3600 IN SOA ns.cr. h.cr. 5 1 1 1 1\ncr. 3600 IN NS ns.cr.\n";
        let text = format!(
            "{own}cr. 3600 IN RRSIG SOA 13 1 3600 20261214000000 20261129230000 4711 cr. AAAA\n\
             cr. 3600 IN RRSIG NS 13 1 3600 1796000000 1790000000 4711 cr. AAAA\ncr. 300 IN NSEC cr. SOA NS\n\
             cr. 3600 IN CDNSKEY 257 3 13 AAAA\ncr. 3600 IN ZONEMD 5 1 1 AA\n\n"
        );
        let figures = Figures::of(text.as_bytes(), now).unwrap();
        assert_eq!(
            figures,
            Figures {
                octets: text.len() as u64,
                records: 2,
                record_octets: own.len() as u64,
                signatures: 2,
                first_expiration: Some("2026-11-30T00:53:20Z".parse().unwrap()),
            }
        );
        for at_once in [1, 7, text.len()] {
            let mut counted = Counted::new(Vec::new(), now);
            for octets in text.as_bytes().chunks(at_once) {
                counted.write_all(octets).unwrap();
            }
            assert_eq!(
                (counted.figures(), counted.out),
                (figures, text.clone().into_bytes())
            );
        }
        assert_eq!(Figures::of(&b""[..], now).unwrap(), Figures::default());
        assert_eq!(
            Figures::of_file(Path::new("/nowhere/cr.zone"), now).unwrap(),
            None
        );
    }
}
