//! A text of records as words (RFC 1035 5.1).

use std::path::Path;

use crate::error::{FieldError, Place, ReadError};

/// A record in words, and where it begins.
pub(super) struct Words<'a> {
    pub(super) line: usize,
    pub(super) words: Vec<&'a str>,
}

/// A line that begins with `;`.
pub(crate) struct Comment<'a> {
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

/// Splits a text into records: words up to the end of the line, or over lines in parentheses (RFC 1035 5.1).
pub(super) fn split<'a>(
    file: &Path,
    text: &'a str,
    comments: &mut Vec<Comment<'a>>,
) -> Result<Vec<Words<'a>>, ReadError> {
    let mut records = Vec::new();
    let mut open: Option<Words<'a>> = None;
    let mut depth = 0usize;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let refused = |why| ReadError::Field {
            place: Place::at(file, Some(number), "record"),
            source: FieldError::Form(why),
        };
        let (content, comment) = match line.split_once(';') {
            Some((content, comment)) => (content, Some(comment.trim())),
            None => (line, None),
        };
        if let Some(comment) = comment.filter(|comment| !comment.is_empty()) {
            comments.push(Comment {
                line: number,
                text: comment,
            });
        }
        let record = open.get_or_insert(Words {
            line: number,
            words: Vec::new(),
        });
        if record.words.is_empty() && depth == 0 {
            record.line = number;
        }
        for piece in content.split_inclusive(['(', ')']) {
            let (words, parenthesis) = match piece.chars().last() {
                Some(last @ ('(' | ')')) => (&piece[..piece.len() - 1], Some(last)),
                Some(_) | None => (piece, None),
            };
            record.words.extend(words.split_whitespace());
            match parenthesis {
                Some('(') => depth += 1,
                Some(_) => {
                    depth = depth
                        .checked_sub(1)
                        .ok_or_else(|| refused("'OWNER TTL IN DNSKEY ...' with '(' before ')'"))?
                }
                None => {}
            }
        }
        if depth == 0
            && let Some(record) = open.take_if(|record| !record.words.is_empty())
        {
            records.push(record);
        }
    }
    match open {
        Some(record) if depth > 0 || !record.words.is_empty() => Err(ReadError::Field {
            place: Place::at(file, Some(record.line), "record"),
            source: FieldError::Form("'OWNER TTL IN DNSKEY ...' with a ')' for each '('"),
        }),
        Some(_) | None => Ok(records),
    }
}
