//! What a name server said, from a message or from the text that another tool printed of one.

use bytes::Bytes;
use domain::base::iana::{Class, OptRcode, Rtype};
use domain::base::message::RecordSection;
use domain::base::name::FlattenInto;
use domain::base::{Message, ParsedName};
use domain::rdata::{Soa, ZoneRecordData};
use key_metadata::WhyNot;

use crate::zone::{Owner, ZoneRecord};

/// Why an answer is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotKnown {
    pub why: WhyNot,
    pub detail: String,
}

impl NotKnown {
    pub fn new(why: WhyNot, detail: impl Into<String>) -> Self {
        Self {
            why,
            detail: detail.into(),
        }
    }
}

/// A reply to one question.
#[derive(Debug)]
pub(crate) struct Reply {
    pub rcode: OptRcode,
    /// The AA bit.
    pub is_authoritative: bool,
    /// The RA bit.
    pub is_recursive: bool,
    pub answer: Vec<ZoneRecord>,
    pub authority: Vec<ZoneRecord>,
}

impl Reply {
    /// Reads the records of a message.
    pub fn of(message: &Message<Bytes>) -> Result<Self, NotKnown> {
        let unreadable =
            |error| NotKnown::new(WhyNot::Malformed, format!("its answer cannot be read: {error}"));
        let header = message.header();
        Ok(Self {
            rcode: message.opt_rcode(),
            is_authoritative: header.aa(),
            is_recursive: header.ra(),
            answer: records(message.answer().map_err(unreadable)?).map_err(unreadable)?,
            authority: records(message.authority().map_err(unreadable)?).map_err(unreadable)?,
        })
    }

    /// Whether it is an answer with authority, be it that there is nothing.
    pub fn check(&self) -> Result<(), NotKnown> {
        let rcode = self.rcode;
        let why = match rcode {
            OptRcode::NXDOMAIN if !self.answer.is_empty() => {
                let detail = "it says that the name is not there, and has records of it";
                return Err(NotKnown::new(WhyNot::Malformed, detail));
            }
            OptRcode::NOERROR | OptRcode::NXDOMAIN if self.is_authoritative => return Ok(()),
            OptRcode::NOERROR | OptRcode::NXDOMAIN => {
                let detail = "it answered without authority (no AA bit)";
                return Err(NotKnown::new(WhyNot::Lame, detail));
            }
            OptRcode::REFUSED => WhyNot::Refused,
            OptRcode::SERVFAIL => WhyNot::ServFail,
            _ => WhyNot::Rcode,
        };
        Err(NotKnown::new(why, format!("it answered {rcode}")))
    }

    /// The records of the answer with that name and type.
    pub fn rrset<'a>(&'a self, owner: &'a Owner, rtype: Rtype) -> impl Iterator<Item = &'a ZoneRecord> {
        self.answer.iter().filter(move |record| {
            record.owner() == owner && record.rtype() == rtype && record.class() == Class::IN
        })
    }

    /// The SOA by which it denies, with its owner and TTL (RFC 2308 section 2).
    pub fn soa_of_denial(&self) -> Option<(&Owner, u32, &Soa<Owner>)> {
        self.authority.iter().find_map(|record| match record.data() {
            ZoneRecordData::Soa(soa) => Some((record.owner(), record.ttl().as_secs(), soa)),
            _ => None,
        })
    }
}

fn records(section: RecordSection<'_, Bytes>) -> Result<Vec<ZoneRecord>, domain::base::wire::ParseError> {
    let parsed = section.limit_to::<ZoneRecordData<Bytes, ParsedName<Bytes>>>();
    parsed
        // Names and data are octets of the message, so that nothing can be short of space.
        .map(|record| record.map(FlattenInto::flatten_into))
        .collect()
}
