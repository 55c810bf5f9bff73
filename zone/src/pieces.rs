//! The text of a zone file in pieces that can be read apart from each other: each ends where a record does, and knows the origin, the TTL and the
//! owner that hold where it begins.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use domain::base::Name;
use domain::zonefile::inplace::Zonefile;

use crate::error::{MOST_INCLUDED, ReadError};
use crate::records::Reading;

/// About so many octets are read apart.
const PIECE: usize = 1 << 20;
/// No line is longer: a record of 65,535 octets takes four times as much in escapes.
const LONGEST_LINE: u64 = 1 << 20;
/// No record in parentheses, with all its comments, is longer.
const LONGEST_RECORD: usize = 16 << 20;

/// A piece of a zone file.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// Whole records, and comments.
    pub text: Vec<u8>,
    /// The file that it is of.
    pub file: FileIndex,
    /// The line of its first octet, from 1.
    pub line: u32,
    /// What relative names are below.
    pub origin: Name<Bytes>,
    /// The TTL of `$TTL`.
    pub ttl: Option<u32>,
    /// The owner of records that begin with a space, before the first one that has its own.
    pub owner: Option<Vec<u8>>,
}

/// A file that was read, by its place among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIndex(pub u16);

/// Whether `$INCLUDE` is followed: in a file of the user's, and not in a text that came from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Includes {
    Followed,
    Refused,
}

/// All pieces of a text, with those of the files that it includes.
pub(crate) struct Pieces<'t> {
    /// The files so far.
    pub files: Vec<PathBuf>,
    /// Those that are open, each included by the one before.
    open: Vec<Source<'t>>,
    includes: Includes,
}

/// A file that is being read.
struct Source<'t> {
    text: Box<dyn BufRead + 't>,
    file: FileIndex,
    /// The line that is read next, from 1.
    next_line: u32,
    origin: Name<Bytes>,
    ttl: Option<u32>,
    owner: Option<Vec<u8>>,
    /// A line that was read and is of the next piece.
    held: Vec<u8>,
}

/// What comes next in a file.
enum Part {
    Piece(Piece),
    Include {
        path: PathBuf,
        origin: Option<Name<Bytes>>,
        line: u32,
    },
    End,
}

impl<'t> Pieces<'t> {
    /// Those of a text; `file` names it in errors, and what it includes is looked for beside it.
    pub fn of(text: Box<dyn BufRead + 't>, file: &Path, origin: Name<Bytes>, includes: Includes) -> Self {
        Self {
            includes,
            files: vec![file.to_owned()],
            open: vec![Source::new(text, FileIndex(0), origin, None)],
        }
    }

    /// The next piece. `told` hears of each file that is included.
    pub fn next(&mut self, told: &mut dyn FnMut(Reading<'_>)) -> Result<Option<Piece>, ReadError> {
        while let Some(source) = self.open.last_mut() {
            let file = &self.files[usize::from(source.file.0)];
            match source.next(file)? {
                Part::Piece(piece) => return Ok(Some(piece)),
                Part::End => {
                    self.open.pop();
                }
                Part::Include { path, origin, line } => self.include(&path, origin, line, told)?,
            }
        }
        Ok(None)
    }

    /// Opens a file that is included; the origin that it sets is its own (RFC 1035 5.1).
    fn include(
        &mut self,
        path: &Path,
        origin: Option<Name<Bytes>>,
        line: u32,
        told: &mut dyn FnMut(Reading<'_>),
    ) -> Result<(), ReadError> {
        let Some(by) = self.open.last() else {
            return Ok(());
        };
        let including = &self.files[usize::from(by.file.0)];
        if self.includes == Includes::Refused {
            return Err(ReadError::Directive {
                file: including.clone(),
                line,
                directive: "$INCLUDE".to_owned(),
            });
        }
        if self.open.len() > MOST_INCLUDED || self.files.len() > usize::from(u16::MAX) {
            return Err(ReadError::TooDeep {
                file: including.clone(),
                line,
            });
        }
        let path = including
            .parent()
            .map_or_else(|| path.to_owned(), |folder| folder.join(path));
        told(Reading::File(&path));
        let opened = open(&path).map_err(|error| match error {
            ReadError::File { source, .. } => {
                ReadError::syntax(including, line, format!("$INCLUDE {}: {source}", path.display()))
            }
            other => other,
        })?;
        let origin = origin.map_or_else(|| by.origin.clone(), |origin| origin);
        let source = Source::new(opened, FileIndex(self.files.len() as u16), origin, by.ttl);
        self.files.push(path);
        self.open.push(source);
        Ok(())
    }
}

/// A file to be read.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead>, ReadError> {
    let failed = |source| ReadError::File {
        file: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    // A folder opens, and cannot be read.
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(failed(std::io::ErrorKind::IsADirectory.into()));
    }
    Ok(Box::new(BufReader::with_capacity(PIECE, file)))
}

impl<'t> Source<'t> {
    fn new(text: Box<dyn BufRead + 't>, file: FileIndex, origin: Name<Bytes>, ttl: Option<u32>) -> Self {
        Self {
            text,
            file,
            next_line: 1,
            origin,
            ttl,
            owner: None,
            held: Vec::new(),
        }
    }

    /// The next part: records up to the next directive, or so many that they make a piece.
    fn next(&mut self, file: &Path) -> Result<Part, ReadError> {
        let mut text = std::mem::take(&mut self.held);
        let mut first_line = self.next_line - u32::from(!text.is_empty());
        let mut balance = Balance::default();
        // The line that was held, or the first one.
        let mut start = 0;
        let mut last_owner = None;
        loop {
            if start == text.len() && self.read_line(&mut text, file)? == 0 {
                balance.end(file)?;
                return Ok(match text.is_empty() {
                    true => Part::End,
                    false => Part::Piece(self.piece(text, first_line, last_owner)),
                });
            }
            let line = self.next_line - 1;
            if balance.is_even() {
                match text[start] {
                    b'$' if start > 0 => {
                        self.held = text.split_off(start);
                        return Ok(Part::Piece(self.piece(text, first_line, last_owner)));
                    }
                    b'$' => match self.directive(&mut text, line, file)? {
                        Some(include) => return Ok(include),
                        None => {
                            text.clear();
                            first_line = self.next_line;
                            continue;
                        }
                    },
                    b' ' | b'\t' | b'\n' | b'\r' | b';' => {}
                    _ if start >= PIECE => {
                        self.held = text.split_off(start);
                        return Ok(Part::Piece(self.piece(text, first_line, last_owner)));
                    }
                    _ => last_owner = Some(start),
                }
            } else if text.len() > PIECE + LONGEST_RECORD {
                return Err(ReadError::syntax(
                    file,
                    balance.opened,
                    "a record that does not end for 16 MiB",
                ));
            }
            balance.line(&text[start..], line, file)?;
            start = text.len();
        }
    }

    /// Appends the next line to a text; how long it is.
    fn read_line(&mut self, text: &mut Vec<u8>, file: &Path) -> Result<usize, ReadError> {
        let mut limited = self.text.by_ref().take(LONGEST_LINE);
        let length = limited
            .read_until(b'\n', text)
            .map_err(|source| ReadError::File {
                file: file.to_owned(),
                source,
            })?;
        if length as u64 == LONGEST_LINE && !text.ends_with(b"\n") {
            return Err(ReadError::syntax(
                file,
                self.next_line,
                "a line of more than 1 MiB: this is no zone file",
            ));
        }
        if length > 0 {
            self.next_line = self
                .next_line
                .checked_add(1)
                .ok_or_else(|| ReadError::syntax(file, self.next_line, "more lines than can be counted"))?;
            if !text.ends_with(b"\n") {
                // domain 0.12.3 indexes past its buffer at a text field that ends with the file.
                text.push(b'\n');
            }
        }
        Ok(length)
    }

    fn piece(&mut self, text: Vec<u8>, line: u32, last_owner: Option<usize>) -> Piece {
        let before = self.owner.clone();
        if let Some(start) = last_owner {
            self.owner = Some(owner(&text[start..], &self.origin));
        }
        Piece {
            text,
            file: self.file,
            line,
            origin: self.origin.clone(),
            ttl: self.ttl,
            owner: before,
        }
    }

    /// Follows the directive that a text begins with; where it includes a file, that is told.
    fn directive(&mut self, text: &mut Vec<u8>, line: u32, file: &Path) -> Result<Option<Part>, ReadError> {
        let mut balance = Balance::default();
        balance.line(text, line, file)?;
        while !balance.is_even() {
            let start = text.len();
            if self.read_line(text, file)? == 0 || text.len() > LONGEST_LINE as usize {
                balance.end(file)?;
                return Err(ReadError::syntax(file, line, "a directive that does not end"));
            }
            balance.line(&text[start..], self.next_line - 1, file)?;
        }
        let words = words(&String::from_utf8_lossy(text));
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let name = words
            .first()
            .map_or_else(String::new, |name| name.to_ascii_uppercase());
        let syntax = |reason: &str| Err(ReadError::syntax(file, line, reason));
        match (name.as_str(), words.get(1..).map_or(&[][..], |rest| rest)) {
            ("$TTL", rest) => {
                let ttl = rest
                    .first()
                    .and_then(|text| ttl(text))
                    .filter(|_| rest.len() == 1);
                if ttl.is_none() {
                    return syntax("$TTL takes one number of seconds, or a time such as 1h30m, below 2^31");
                }
                self.ttl = ttl;
                Ok(None)
            }
            ("$ORIGIN", [origin]) => {
                self.origin = self.name(origin, line, file)?;
                Ok(None)
            }
            ("$ORIGIN", _) => syntax("$ORIGIN takes one name"),
            ("$INCLUDE", [path, origin @ ..]) if origin.len() <= 1 => Ok(Some(Part::Include {
                path: PathBuf::from(path),
                origin: origin
                    .first()
                    .map(|origin| self.name(origin, line, file))
                    .transpose()?,
                line,
            })),
            ("$INCLUDE", _) => syntax("$INCLUDE takes a file, and the origin in it"),
            (_, _) => Err(ReadError::Directive {
                file: file.to_owned(),
                line,
                directive: name,
            }),
        }
    }

    /// A name of a directive, which may be relative.
    fn name(&self, text: &str, line: u32, file: &Path) -> Result<Name<Bytes>, ReadError> {
        let mut reader = Zonefile::new();
        reader.set_origin(self.origin.clone());
        reader.extend_from_slice(format!("$ORIGIN {text}\n").as_bytes());
        let read = reader.next_entry().map_err(|error| error.to_string());
        let name = read.and_then(|_| reader.origin().map_err(|error| error.to_string()));
        name.ok()
            .filter(|name| crate::WireName::new(name.as_slice()).is_some())
            .ok_or_else(|| {
                ReadError::syntax(
                    file,
                    line,
                    format!("{text} is no name: it has an empty label, or is too long"),
                )
            })
    }
}

/// The words of a directive: quotes hold one together, parentheses and comments are none.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), None::<String>, false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                is_quoted = !is_quoted;
                word = Some(word.map_or_else(String::new, |word| word));
            }
            // What it means is for whoever reads the word.
            '\\' => word
                .get_or_insert_default()
                .extend(std::iter::once(letter).chain(letters.next())),
            ';' if !is_quoted => break,
            '(' | ')' if !is_quoted => words.extend(word.take()),
            _ if letter.is_ascii_whitespace() && !is_quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// The owner that a line begins with, with its origin.
fn owner(line: &[u8], origin: &Name<Bytes>) -> Vec<u8> {
    let (mut end, mut escaped) = (0, false);
    for octet in line {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b' ' | b'\t' | b'\n' | b'\r' | b'(' | b';' => break,
            _ => {}
        }
        end += 1;
    }
    let token = &line[..end];
    let origin = origin.fmt_with_dot().to_string();
    let is_absolute = token.ends_with(b".") && !token.ends_with(b"\\.");
    match token {
        b"@" => origin.into_bytes(),
        _ if is_absolute => token.to_vec(),
        _ if origin == "." => [token, b"."].concat(),
        _ => [token, b".", origin.as_bytes()].concat(),
    }
}

/// A TTL in seconds, or in BIND's units; at most 2^31 - 1 (RFC 2181 section 8).
fn ttl(text: &str) -> Option<u32> {
    let (mut sum, mut number) = (0u64, None::<u64>);
    for letter in text.chars() {
        if let Some(digit) = letter.to_digit(10) {
            number = Some(
                number
                    .map_or(0, |number| number)
                    .checked_mul(10)?
                    .checked_add(u64::from(digit))?,
            );
            continue;
        }
        let unit = match letter.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86400,
            'w' => 7 * 86400,
            _ => return None,
        };
        sum = number.take()?.checked_mul(unit)?.checked_add(sum)?;
    }
    let rest = match (number, text.is_empty()) {
        (Some(number), _) => number,
        (None, false) => 0,
        (None, true) => return None,
    };
    u32::try_from(sum.checked_add(rest)?)
        .ok()
        .filter(|ttl| *ttl <= i32::MAX as u32)
}

/// Parentheses and quotes that are open (RFC 1035 5.1): with one of them, a line end ends no record.
#[derive(Default)]
struct Balance {
    depth: usize,
    /// The line of the first one.
    opened: u32,
}

impl Balance {
    const fn is_even(&self) -> bool {
        self.depth == 0
    }

    /// Follows a line.
    fn line(&mut self, text: &[u8], line: u32, file: &Path) -> Result<(), ReadError> {
        if memchr::memchr3(b'"', b'(', b')', text).is_none() {
            return Ok(());
        }
        let (mut escaped, mut quoted) = (false, false);
        for octet in text {
            match octet {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b';' => return Ok(()),
                b'(' => {
                    if self.depth == 0 {
                        self.opened = line;
                    }
                    self.depth += 1;
                }
                b')' if self.depth == 0 => {
                    return Err(ReadError::syntax(
                        file,
                        line,
                        "a closing parenthesis without an opening one",
                    ));
                }
                b')' => self.depth -= 1,
                _ => {}
            }
        }
        match quoted {
            true => Err(ReadError::syntax(file, line, "a quoted text that does not end")),
            false => Ok(()),
        }
    }

    fn end(&self, file: &Path) -> Result<(), ReadError> {
        match self.depth {
            0 => Ok(()),
            _ => Err(ReadError::syntax(
                file,
                self.opened,
                "a parenthesis that is not closed",
            )),
        }
    }
}
