//! What `dig +norec +dnssec @SERVER ZONE DS` (or DNSKEY, or SOA) printed, several in one text.
//!
//! Its comment lines tell the server and the time. What dig printed of other names and types is passed over.

use domain::base::iana::Rtype;
use key_metadata::{
    Advice, Asked, ChildAnswer, DsAnswer, ListedBy, NoAnswer, Server, Time, WhyNot, ZoneName,
};

use crate::ask::Answers;
use crate::dig_reader::{Block, Unreached, read};
use crate::reply::NotKnown;
use crate::seen;
use crate::servers::{ServerList, Servers, owner};
use crate::zone::Owner;

/// Why a text is not what dig printed of a zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigError {
    /// A line that cannot be.
    #[error("line {line}: {field}: {reason}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What stands there, by dig's word for it.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Nothing about the zone.
    #[error("there is no answer about DS or DNSKEY of {zone}")]
    Nothing {
        /// The zone.
        zone: ZoneName,
    },
}

impl Advice for DigError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Line { field: "WHEN", .. } => {
                Some("ask again with the time zone UTC: TZ=UTC dig ...".to_owned())
            }
            Self::Line { .. } => None,
            Self::Nothing { zone } => Some(format!(
                "ask each server of the parent by 'TZ=UTC dig +norec +dnssec @SERVER {0} DS', and each of the zone for \
                 {0} DNSKEY and {0} SOA",
                zone.with_final_dot()
            )),
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// What dig printed of a zone.
#[derive(Debug)]
pub struct DigText {
    zone: Owner,
    blocks: Vec<Block>,
    unreached: Vec<Unreached>,
}

impl DigText {
    /// Reads a text.
    pub fn parse(zone: &ZoneName, text: &str) -> Result<Self, DigError> {
        let nothing = || DigError::Nothing { zone: zone.clone() };
        let owner = owner(zone).map_err(|_| nothing())?;
        let (blocks, unreached) = read(&owner, text)?;
        match blocks.is_empty() {
            true => Err(nothing()),
            false => Ok(Self {
                zone: owner,
                blocks,
                unreached,
            }),
        }
    }

    /// When the first and the last answer came.
    pub fn times(&self) -> Option<(Time, Time)> {
        let times = || self.blocks.iter().map(|block| block.at);
        Some((times().min()?, times().max()?))
    }

    /// The answers of the servers. `servers` are all that there are; where they are not given for a side, nobody knows whether the text has all.
    /// A side that was neither given nor asked is missing.
    pub fn answers(&self, servers: &Servers) -> Answers {
        let parent_zone = servers.parent_zone.as_ref().and_then(|zone| owner(zone).ok());
        let ds = |block: &Block| seen::ds(block.reply()?, &self.zone, parent_zone.as_ref());
        let child = |block: &Block| self.child(block);
        Answers {
            parent: self.side::<DsAnswer>(&servers.parent, Rtype::DS, ds),
            child: self.side::<ChildAnswer>(&servers.child, Rtype::DNSKEY, child),
        }
    }

    fn child(&self, dnskey: &Block) -> Result<ChildAnswer, NotKnown> {
        let of_soa =
            |block: &&Block| block.rtype == Rtype::SOA && block.server.address == dnskey.server.address;
        let soa = self.blocks.iter().find(of_soa);
        let soa = soa.map(Block::reply).transpose()?;
        seen::child(dnskey.reply()?, soa, &self.zone, dnskey.at)
    }

    fn side<A: PartialEq>(
        &self,
        list: &Option<ServerList>,
        rtype: Rtype,
        answer: impl Fn(&Block) -> Result<A, NotKnown>,
    ) -> Option<Asked<A>> {
        let blocks = || self.blocks.iter().filter(|block| block.rtype == rtype);
        let answer = |server: &Server, block: &Block| {
            let answer = answer(block).map(|answer| (server.clone(), answer));
            answer.map_err(|not| no_answer(server, not))
        };
        let Some(list) = list else {
            let results: Vec<_> = blocks().map(|block| answer(&block.server, block)).collect();
            return (!results.is_empty()).then(|| Asked::new(ListedBy::Nobody, results));
        };
        let listed = list.servers.iter().map(|server| {
            let block = blocks().find(|block| block.server.address == server.address);
            block.map_or_else(
                || Err(no_answer(server, self.not_in(server))),
                |block| answer(server, block),
            )
        });
        let is_listed = |block: &&Block| {
            let mut servers = list.servers.iter();
            servers.any(|server| server.address == block.server.address)
        };
        let others = blocks().filter(|block| !is_listed(block));
        let others = others.map(|block| answer(&block.server, block));
        Some(Asked::new(list.by, listed.chain(others).collect::<Vec<_>>()))
    }

    /// Why the text has no answer of a server.
    fn not_in(&self, server: &Server) -> NotKnown {
        let reached = |unreached: &&Unreached| unreached.address == server.address;
        self.unreached.iter().find(reached).map_or_else(
            || NotKnown::new(WhyNot::NotInFile, "the file has no answer of it"),
            |unreached| unreached.not.clone(),
        )
    }
}

fn no_answer(server: &Server, NotKnown { why, detail }: NotKnown) -> NoAnswer {
    NoAnswer {
        name: server.name.clone(),
        address: Some(server.address),
        why,
        detail,
    }
}
