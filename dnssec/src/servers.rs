//! The name servers of a zone and of its parent: found by a resolver, or given.

use std::collections::BTreeSet;
use std::net::IpAddr;

use domain::base::iana::{OptRcode, Rtype};
use domain::rdata::ZoneRecordData;
use key_metadata::{Advice, ListedBy, NoAnswer, Server, ServerAddress, ServerName, WhyNot, ZoneName};

use crate::exchange::{Asking, To};
use crate::reply::{NotKnown, Reply};
use crate::zone::Owner;

/// The name servers of a zone and of its parent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Servers {
    /// The parent zone, where it was found.
    pub parent_zone: Option<ZoneName>,
    /// Those of the parent; the root has none.
    pub parent: Option<ServerList>,
    /// Those of the zone.
    pub child: Option<ServerList>,
}

/// The name servers of one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerList {
    /// Who says that these are all.
    pub by: ListedBy,
    /// Each at each of its addresses.
    pub servers: Vec<Server>,
    /// Those that cannot or shall not be asked.
    pub unasked: Vec<NoAnswer>,
}

/// Which addresses are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// All.
    All,
    /// Those of IPv4.
    Ipv4,
    /// Those of IPv6.
    Ipv6,
}

/// A recursive resolver, and how it and those that it finds are asked.
#[derive(Clone, Debug)]
pub struct Resolver {
    /// Its addresses; the next is asked where one does not answer.
    pub addresses: Vec<ServerAddress>,
    /// How it is asked.
    pub asking: Asking,
    /// Which of the addresses that are found are asked.
    pub which: Addresses,
    /// The port of the servers found: 53, but in a laboratory.
    pub port: u16,
}

/// Why the name servers were not found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// No resolver is known.
    #[error("no resolver is known")]
    NoResolver,
    /// The resolver does not answer as it must.
    #[error("the resolver did not answer for {name} {rtype}: {detail}")]
    NotKnown {
        /// The name.
        name: String,
        /// The type.
        rtype: String,
        /// Why.
        detail: String,
    },
    /// A zone without name servers, or none.
    #[error("the resolver knows no name servers of the zone {zone}")]
    NoServers {
        /// The zone.
        zone: ZoneName,
    },
    /// A name that is none of a zone or server that can be asked.
    #[error("the resolver names '{name}', which is no name of a zone or server")]
    Name {
        /// The name.
        name: String,
    },
}

impl Advice for FindError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoResolver | Self::NotKnown { .. } => Some(
                "name one with --resolver, or give the servers with --parent-server and --child-server"
                    .to_owned(),
            ),
            Self::NoServers { .. } | Self::Name { .. } => {
                Some("give the servers with --parent-server and --child-server".to_owned())
            }
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl ServerList {
    /// The servers that somebody says are all.
    pub fn given(servers: Vec<Server>) -> Self {
        let mut seen = BTreeSet::new();
        Self {
            by: ListedBy::Operator,
            servers: servers
                .into_iter()
                .filter(|server| seen.insert(server.clone()))
                .collect(),
            unasked: Vec::new(),
        }
    }
}

/// The addresses of the `nameserver` lines of resolv.conf(5).
pub fn resolvers_of(resolv_conf: &str) -> Vec<ServerAddress> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let is_one = words.next() == Some("nameserver");
        words.next().filter(|_| is_one)?.parse::<IpAddr>().ok()
    };
    resolv_conf
        .lines()
        .filter_map(address)
        .map(ServerAddress::at)
        .collect()
}

impl Resolver {
    /// The parent of a zone, the closest zone that encloses it; `None` for the root.
    pub fn parent_of(&self, zone: &ZoneName) -> Result<Option<ZoneName>, FindError> {
        let mut name = zone.parent();
        while let Some(candidate) = name {
            let owner = owner(&candidate)?;
            let reply = self.ask(&owner, Rtype::SOA)?;
            let at_apex = reply.rrset(&owner, Rtype::SOA).next().is_some();
            let above = reply
                .soa_of_denial()
                .map(|(apex, _, _)| apex)
                .filter(|apex| owner.ends_with(*apex));
            match (at_apex, above) {
                (true, _) => return Ok(Some(candidate)),
                (false, Some(apex)) => return zone_name(apex).map(Some),
                // An alias, say, which is in the zone above.
                (false, None) => name = candidate.parent(),
            }
        }
        Ok(None)
    }

    /// The name servers of the parent: of its NS RRset, with all their addresses.
    pub fn servers_of_parent(&self, parent: &ZoneName) -> Result<ServerList, FindError> {
        let names = self.names_of(parent)?;
        self.list(names)
    }

    /// The name servers of a zone: of its NS RRset, and of the delegation at its parent, whose servers are `parent`, since resolvers ask those
    /// too.
    pub fn servers_of(&self, zone: &ZoneName, parent: Option<&ServerList>) -> Result<ServerList, FindError> {
        let mut names = self.names_of(zone)?;
        for server in parent.iter().flat_map(|list| &list.servers) {
            if let Ok(delegated) = self.delegation(zone, server)
                && !delegated.is_empty()
            {
                names.extend(delegated);
                break;
            }
        }
        self.list(names)
    }

    fn names_of(&self, zone: &ZoneName) -> Result<BTreeSet<ServerName>, FindError> {
        let owner = owner(zone)?;
        let reply = self.ask(&owner, Rtype::NS)?;
        let names = names_in(reply.rrset(&owner, Rtype::NS).map(|record| record.data()))?;
        match names.is_empty() {
            true => Err(FindError::NoServers { zone: zone.clone() }),
            false => Ok(names),
        }
    }

    /// The NS RRset as a server of the parent has it.
    fn delegation(&self, zone: &ZoneName, server: &Server) -> Result<BTreeSet<ServerName>, FindError> {
        let owner = owner(zone)?;
        let unknown = |not: NotKnown| FindError::NotKnown {
            name: zone.to_string(),
            rtype: Rtype::NS.to_string(),
            detail: not.detail,
        };
        let reply = self
            .asking
            .ask(server.address, &owner, Rtype::NS, To::Authority)
            .map_err(unknown)?;
        // It stands in the answer where the server is one of the zone too.
        let records = reply.answer.iter().chain(&reply.authority);
        names_in(
            records
                .filter(|record| record.owner() == &owner)
                .map(|record| record.data()),
        )
    }

    fn list(&self, names: BTreeSet<ServerName>) -> Result<ServerList, FindError> {
        let mut list = ServerList {
            by: ListedBy::Resolver,
            servers: Vec::new(),
            unasked: Vec::new(),
        };
        for name in names {
            self.add(&name, &mut list)?;
        }
        Ok(list)
    }

    /// Adds a server at all of its addresses.
    fn add(&self, name: &ServerName, list: &mut ServerList) -> Result<(), FindError> {
        let (owner, mut none) = (owner(name)?, true);
        let no_answer = |address, why, detail: &str| NoAnswer {
            name: name.clone(),
            address,
            why,
            detail: detail.to_owned(),
        };
        for (rtype, wanted, detail) in [
            (Rtype::A, self.which != Addresses::Ipv6, "IPv6 only"),
            (Rtype::AAAA, self.which != Addresses::Ipv4, "IPv4 only"),
        ] {
            let addresses = match self.ask(&owner, rtype) {
                Ok(reply) => addresses_in(&reply, rtype),
                Err(_) if !wanted => continue,
                // There may be addresses that nobody asked.
                Err(error) => {
                    none = false;
                    list.unasked
                        .push(no_answer(None, WhyNot::NoAddress, &error.to_string()));
                    continue;
                }
            };
            none &= addresses.is_empty();
            for address in addresses {
                let address = ServerAddress::new((address, self.port).into());
                match wanted {
                    true => list.servers.push(Server {
                        name: name.clone(),
                        address,
                    }),
                    false => list
                        .unasked
                        .push(no_answer(Some(address), WhyNot::LeftOut, detail)),
                }
            }
        }
        if none {
            let detail = "its name has no address";
            list.unasked.push(no_answer(None, WhyNot::NoAddress, detail));
        }
        Ok(())
    }

    fn ask(&self, owner: &Owner, rtype: Rtype) -> Result<Reply, FindError> {
        let mut last = FindError::NoResolver;
        for address in &self.addresses {
            let reply = self
                .asking
                .ask(*address, owner, rtype, To::Resolver)
                .and_then(usable);
            match reply {
                Ok(reply) => return Ok(reply),
                Err(not) => {
                    last = FindError::NotKnown {
                        name: format!("{owner}."),
                        rtype: rtype.to_string(),
                        detail: format!("{address}: {}", not.detail),
                    };
                }
            }
        }
        Err(last)
    }
}

/// The reply of a resolver that looked for it, be it that there is nothing.
fn usable(reply: Reply) -> Result<Reply, NotKnown> {
    match reply.rcode {
        OptRcode::NOERROR | OptRcode::NXDOMAIN if reply.is_recursive || reply.is_authoritative => Ok(reply),
        OptRcode::NOERROR | OptRcode::NXDOMAIN => {
            Err(NotKnown::new(WhyNot::Lame, "it offers no recursion (no RA bit)"))
        }
        rcode => Err(NotKnown::new(WhyNot::Rcode, format!("it answered {rcode}"))),
    }
}

/// The addresses in an answer, that of an alias included, each once.
fn addresses_in(reply: &Reply, rtype: Rtype) -> BTreeSet<IpAddr> {
    let records = reply.answer.iter().filter(|record| record.rtype() == rtype);
    records
        .filter_map(|record| match record.data() {
            ZoneRecordData::A(a) => Some(IpAddr::V4(a.addr())),
            ZoneRecordData::Aaaa(aaaa) => Some(IpAddr::V6(aaaa.addr())),
            _ => None,
        })
        .collect()
}

/// The names of NS records.
fn names_in<'a>(
    records: impl Iterator<Item = &'a crate::zone::ZoneData>,
) -> Result<BTreeSet<ServerName>, FindError> {
    let mut names = BTreeSet::new();
    for data in records {
        if let ZoneRecordData::Ns(ns) = data {
            names.insert(zone_name(ns.nsdname())?);
        }
    }
    Ok(names)
}

pub(crate) fn owner(zone: &ZoneName) -> Result<Owner, FindError> {
    zone.with_final_dot().parse().map_err(|_| FindError::Name {
        name: zone.to_string(),
    })
}

fn zone_name(name: &Owner) -> Result<ZoneName, FindError> {
    let text = match name.is_root() {
        true => ".".to_owned(),
        false => name.to_string(),
    };
    text.parse().map_err(|_| FindError::Name { name: text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_those_of_the_file() {
        let text = "# nameserver 192.0.2.9\nsearch example\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 # two\n\
                    nameserver fe80::1%eth0\nnameservers 192.0.2.2\nnameserver\n";
        let found: Vec<_> = resolvers_of(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.1", "2001:db8::1"]);
    }
}
