//! The answers in what dig printed, line by line.

use std::iter::Peekable;
use std::net::IpAddr;
use std::path::Path;
use std::str::Lines;

use domain::base::iana::{OptRcode, Rtype};
use key_metadata::{Server, ServerAddress, ServerName, Time, WhyNot, ZoneName};
use zone::{ReadError, Records};

use crate::dig::DigError;
use crate::reply::{NotKnown, Reply};
use crate::zone::{Owner, ZoneRecord, zone_record};

/// How an answer begins.
const HEADER: &str = ";; ->>HEADER<<-";

/// One answer.
#[derive(Debug)]
pub(crate) struct Block {
    pub server: Server,
    pub at: Time,
    pub rtype: Rtype,
    pub reply: Result<Reply, NotKnown>,
}

/// A server that dig did not reach.
#[derive(Debug)]
pub(crate) struct Unreached {
    pub address: ServerAddress,
    pub not: NotKnown,
}

impl Block {
    /// The reply, unless it is none.
    pub fn reply(&self) -> Result<&Reply, NotKnown> {
        self.reply.as_ref().map_err(Clone::clone)
    }
}

fn error(line: usize, field: &'static str, reason: impl Into<String>) -> DigError {
    DigError::Line {
        line,
        field,
        reason: reason.into(),
    }
}

/// Reads a text: the answers about the zone, and the servers that were not reached.
pub(crate) fn read(zone: &Owner, text: &str) -> Result<(Vec<Block>, Vec<Unreached>), DigError> {
    let mut reader = Reader {
        lines: text.lines().peekable(),
        line: 0,
        zone,
    };
    let (mut blocks, mut unreached) = (Vec::<Block>::new(), Vec::new());
    while let Some(line) = reader.next() {
        if line.starts_with(HEADER) {
            let began = reader.line;
            let Some(block) = reader.block(line)? else {
                continue;
            };
            let same =
                |known: &&Block| known.rtype == block.rtype && known.server.address == block.server.address;
            if let Some(known) = blocks.iter().find(same) {
                let reason = format!("{} of {} is there twice", known.rtype, known.server);
                return Err(error(began, "HEADER", reason));
            }
            blocks.push(block);
        } else if let Some(rest) = line.strip_prefix(";; communications error to ") {
            unreached.push(reader.unreached(rest)?);
        } else if !line.trim().is_empty() && !line.starts_with(';') {
            return Err(reader.error("text", "a line that is none of dig's outside of an answer"));
        }
    }
    Ok((blocks, unreached))
}

/// A text, line by line.
struct Reader<'t> {
    lines: Peekable<Lines<'t>>,
    /// The number of the line that was read last, from 1.
    line: usize,
    zone: &'t Owner,
}

/// What an answer has been found to have so far.
#[derive(Default)]
struct Parts {
    flags: Option<Flags>,
    /// Whether the server took the DO bit.
    dnssec: bool,
    /// The type, where it is asked of the zone.
    question: Option<Rtype>,
    answer: Vec<ZoneRecord>,
    authority: Vec<ZoneRecord>,
    server: Option<Server>,
}

/// The line of flags, with how many records the sections have.
struct Flags {
    words: Vec<String>,
    answer: usize,
    authority: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<&'t str> {
        let line = self.lines.next()?;
        self.line += 1;
        Some(line)
    }

    fn error(&self, field: &'static str, reason: impl Into<String>) -> DigError {
        error(self.line, field, reason)
    }

    /// The rest of an answer that begins with this header, up to its WHEN; `None` where it is of another name or type.
    fn block(&mut self, header: &str) -> Result<Option<Block>, DigError> {
        let began = self.line;
        let status = field_of(header, "status").ok_or_else(|| self.error("HEADER", "there is no status"))?;
        if field_of(header, "opcode") != Some("QUERY") {
            return Err(self.error("HEADER", "the opcode is not QUERY"));
        }
        let mut parts = Parts::default();
        while let Some(line) = self.next() {
            if let Some(rest) = line.strip_prefix(";; flags:") {
                parts.flags = Some(flags(rest).ok_or_else(|| self.error("flags", "they cannot be read"))?);
            } else if let Some(rest) = line.strip_prefix("; EDNS:") {
                parts.dnssec =
                    field_of(rest, "flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "do"));
            } else if line == ";; QUESTION SECTION:" {
                parts.question = self.question()?;
            } else if line == ";; ANSWER SECTION:" {
                parts.answer = self.records("ANSWER")?;
            } else if line == ";; AUTHORITY SECTION:" {
                parts.authority = self.records("AUTHORITY")?;
            } else if line == ";; ADDITIONAL SECTION:" {
                self.records("ADDITIONAL")?;
            } else if let Some(rest) = line.strip_prefix(";; SERVER: ") {
                parts.server = Some(server(rest).ok_or_else(|| self.error("SERVER", "it is no address"))?);
            } else if let Some(rest) = line.strip_prefix(";; WHEN: ") {
                let at = time(rest)
                    .ok_or_else(|| self.error("WHEN", format!("'{}' is no time in UTC", rest.trim())))?;
                return self.whole(began, status, parts, at);
            } else if line.starts_with(HEADER) {
                break;
            } else if !line.trim().is_empty() && !line.starts_with(';') {
                return Err(self.error("text", "a record outside of a section"));
            }
        }
        Err(error(
            began,
            "HEADER",
            "the answer has no end: no ';; SERVER:' and ';; WHEN:'",
        ))
    }

    fn whole(&self, began: usize, status: &str, parts: Parts, at: Time) -> Result<Option<Block>, DigError> {
        let Some(rtype) = parts.question else {
            return Ok(None);
        };
        let missing = |field, what: &str| error(began, field, format!("the answer has no line of {what}"));
        let flags = parts.flags.ok_or_else(|| missing("flags", "flags"))?;
        let server = parts.server.ok_or_else(|| missing("SERVER", "the server"))?;
        for (field, said, found) in [
            ("ANSWER", flags.answer, parts.answer.len()),
            ("AUTHORITY", flags.authority, parts.authority.len()),
        ] {
            if said != found {
                let reason = format!("the section has {found} records, the flags say {said}");
                return Err(error(began, field, reason));
            }
        }
        let has = |flag: &str| flags.words.iter().any(|word| word == flag);
        let rcode = match status {
            "NOERROR" => Some(OptRcode::NOERROR),
            "NXDOMAIN" => Some(OptRcode::NXDOMAIN),
            "REFUSED" => Some(OptRcode::REFUSED),
            "SERVFAIL" => Some(OptRcode::SERVFAIL),
            _ => None,
        };
        let reply = match rcode {
            _ if !has("qr") => return Err(error(began, "flags", "it is no answer: there is no qr")),
            _ if has("tc") => Err(NotKnown::new(WhyNot::Malformed, "it truncated its answer")),
            None => Err(NotKnown::new(WhyNot::Rcode, format!("it answered {status}"))),
            Some(OptRcode::NOERROR) if !parts.dnssec && rtype != Rtype::DS => Err(NotKnown::new(
                WhyNot::Malformed,
                "it was asked without +dnssec, or does not know the DO bit",
            )),
            Some(rcode) => Ok(Reply {
                rcode,
                is_authoritative: has("aa"),
                is_recursive: has("ra"),
                answer: parts.answer,
                authority: parts.authority,
            }),
        };
        Ok(Some(Block {
            server,
            at,
            rtype,
            reply,
        }))
    }

    /// The type that is asked for; `None` where it is of another name, or none of ours.
    fn question(&mut self) -> Result<Option<Rtype>, DigError> {
        let line = self.next().and_then(|line| line.strip_prefix(';'));
        let mut words = line.into_iter().flat_map(str::split_whitespace);
        let (Some(name), Some(class), Some(rtype), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(self.error("QUESTION", "it is not a name, a class and a type"));
        };
        let of_zone = name.parse::<Owner>().is_ok_and(|name| name == *self.zone) && class == "IN";
        Ok(match rtype {
            "DS" if of_zone => Some(Rtype::DS),
            "DNSKEY" if of_zone => Some(Rtype::DNSKEY),
            "SOA" if of_zone => Some(Rtype::SOA),
            _ => None,
        })
    }

    /// The records of a section, up to the empty line after it.
    fn records(&mut self, field: &'static str) -> Result<Vec<ZoneRecord>, DigError> {
        let before = self.line;
        let mut text = String::new();
        while let Some(line) = self
            .lines
            .next_if(|line| !line.trim().is_empty() && !line.starts_with(";;"))
        {
            self.line += 1;
            text.push_str(line);
            text.push('\n');
        }
        let failed = |failure: ReadError| match failure {
            // From the section's first line.
            ReadError::Syntax { place, reason, .. } => error(before + place.line as usize, field, reason),
            other => error(before + 1, field, other.to_string()),
        };
        // What dig writes is absolute: any zone will do.
        let zone = self.zone.to_string().parse::<ZoneName>();
        let zone = zone.map_err(|failure| error(before + 1, field, failure.to_string()))?;
        let records = Records::parse(text.as_bytes(), Path::new("dig"), &zone).map_err(failed)?;
        Ok(records.iter().filter_map(zone_record).collect())
    }

    /// `192.0.2.1#53: timed out`.
    fn unreached(&self, text: &str) -> Result<Unreached, DigError> {
        let (place, reason) = text
            .split_once(": ")
            .ok_or_else(|| self.error("communications error", "there is no reason"))?;
        let address =
            address(place).ok_or_else(|| self.error("communications error", "there is no address"))?;
        let why = match reason {
            "timed out" => WhyNot::Timeout,
            _ => WhyNot::Unreachable,
        };
        Ok(Unreached {
            address,
            not: NotKnown::new(why, reason.trim()),
        })
    }
}

/// The value of `name: value` among the parts between commas and semicolons.
fn field_of<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.split([',', ';']).find_map(|part| {
        let (front, value) = part.rsplit_once(": ")?;
        (front.split_whitespace().next_back() == Some(name)).then_some(value.trim())
    })
}

/// ` qr aa; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1`.
fn flags(text: &str) -> Option<Flags> {
    let (words, _) = text.split_once(';')?;
    let count = |name| field_of(text, name)?.parse().ok();
    Some(Flags {
        words: words.split_whitespace().map(str::to_owned).collect(),
        answer: count("ANSWER")?,
        authority: count("AUTHORITY")?,
    })
}

/// `192.0.2.1#53(ns1.example) (UDP)`; dig gives the name as it was typed, which may be the address.
fn server(text: &str) -> Option<Server> {
    let (place, rest) = text.split_once('(')?;
    let (name, _) = rest.split_once(')')?;
    Some(Server {
        name: name.parse::<ServerName>().ok()?,
        address: address(place)?,
    })
}

/// `192.0.2.1#53`.
fn address(text: &str) -> Option<ServerAddress> {
    let (ip, port) = text.split_once('#')?;
    let port = port.parse::<u16>().ok().filter(|port| *port != 0)?;
    let ip = ip.parse::<IpAddr>().ok()?;
    Some(ServerAddress::new((ip, port).into()))
}

/// `Sun Nov 29 17:30:45 UTC 2026`.
fn time(text: &str) -> Option<Time> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<_> = text.split_whitespace().collect();
    let [_, month, day, clock, "UTC" | "GMT", year] = words.as_slice() else {
        return None;
    };
    let month = 1 + MONTHS.iter().position(|known| known == month)?;
    format!("{year}-{month:02}-{day:0>2}T{clock}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_read_in_utc_only() {
        let text = |text: &str| time(text).map(|time| time.to_string());
        assert_eq!(
            text("Sun Nov 29 17:30:45 UTC 2026").as_deref(),
            Some("2026-11-29T17:30:45Z")
        );
        assert_eq!(
            text("Thu Oct  1 07:00:05 GMT 2026").as_deref(),
            Some("2026-10-01T07:00:05Z")
        );
        for bad in [
            "Sun Nov 29 17:30:45 CET 2026",
            "Sun Nov 29 17:30:45 2026",
            "Sun Nov 31 17:30:45 UTC 2026",
            "Sun Now 29 17:30:45 UTC 2026",
            "",
        ] {
            assert_eq!(text(bad), None, "{bad}");
        }
    }
}
