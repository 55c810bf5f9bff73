//! Name servers and their addresses.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::written_as_text;
use crate::zone_name::{ZoneName, ZoneNameError};

/// The port of DNS.
const PORT: u16 = 53;

/// The name of a name server, as an NS record has it; of the same form as a zone's.
pub type ServerName = ZoneName;

/// Where a name server listens: `192.0.2.1`, `2001:db8::1`, or with a port other than 53 `192.0.2.1:5353`, `[2001:db8::1]:5353`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct ServerAddress(SocketAddr);

/// A text that is no address of a name server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no address; write 192.0.2.1, 192.0.2.1:5353, 2001:db8::1 or [2001:db8::1]:5353")]
pub struct ServerAddressError(String);

/// A name server at one of its addresses, written as `NAME=ADDRESS`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^.+=[^=]+$"))]
pub struct Server {
    /// Its name.
    pub name: ServerName,
    /// The address.
    pub address: ServerAddress,
}

/// A text that is no name server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// No name and address.
    #[error("'{0}' is no name server; write NAME=ADDRESS, such as ns1.example=192.0.2.1")]
    Form(String),
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] ZoneNameError),
    /// An address that is none.
    #[error(transparent)]
    Address(#[from] ServerAddressError),
}

impl ServerAddress {
    /// That address and port.
    pub const fn new(address: SocketAddr) -> Self {
        Self(address)
    }

    /// That address, at port 53.
    pub const fn at(address: IpAddr) -> Self {
        Self(SocketAddr::new(address, PORT))
    }

    /// Address and port.
    pub const fn socket(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for ServerAddress {
    type Err = ServerAddressError;

    fn from_str(text: &str) -> Result<Self, ServerAddressError> {
        text.parse()
            .map(Self::at)
            .or_else(|_| text.parse().map(Self))
            .ok()
            // Port 0 is none, and a scope is of one host only.
            .filter(|address| address.0.port() != 0 && !text.contains('%'))
            .ok_or_else(|| ServerAddressError(text.chars().take(80).collect()))
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.ip(), self.0.port()) {
            (ip, PORT) => ip.fmt(f),
            (IpAddr::V4(ip), port) => write!(f, "{ip}:{port}"),
            (IpAddr::V6(ip), port) => write!(f, "[{}]:{port}", Ipv6Addr::from(ip.octets())),
        }
    }
}

impl FromStr for Server {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        let (name, address) = text
            // A name may have the sign, an address has not.
            .rsplit_once('=')
            .ok_or_else(|| ServerError::Form(text.chars().take(80).collect()))?;
        Ok(Self {
            name: name.parse()?,
            address: address.parse()?,
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.address)
    }
}

written_as_text!(ServerAddress, ServerAddressError);
written_as_text!(Server, ServerError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_written_as_it_was_read() {
        for text in [
            "ns1.example=192.0.2.1",
            "ns1.example=192.0.2.1:5353",
            "ns1.example=2001:db8::1",
            "ns1.example=[2001:db8::1]:5353",
            "a=b.example=192.0.2.1",
        ] {
            assert_eq!(text.parse::<Server>().unwrap().to_string(), text);
        }
        let port = "NS1.example.=192.0.2.1:53".parse::<Server>().unwrap();
        assert_eq!(port.to_string(), "ns1.example=192.0.2.1");
        for bad in [
            "192.0.2.1",
            "ns1=",
            "=192.0.2.1",
            "ns1=192.0.2.1:0",
            "ns1=192.0.2.1:99999",
            "ns1=fe80::1%eth0",
            "ns1=ns2",
            "",
        ] {
            assert!(bad.parse::<Server>().is_err(), "{bad}");
        }
    }
}
