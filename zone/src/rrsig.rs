//! RRSIG RDATA, and what a signature is over.

use domain::base::iana::Rtype;

use crate::WireName;
use crate::walk::Set;

/// The fields of RRSIG RDATA (RFC 4034 3.1).
#[derive(Clone, Copy, Debug)]
pub struct Rrsig<'a> {
    /// All octets before the signer's name.
    head: &'a [u8; 18],
    /// The signer.
    pub signer: WireName<'a>,
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> Rrsig<'a> {
    /// Reads RDATA.
    pub fn new(rdata: &'a [u8]) -> Option<Self> {
        let (head, rest) = rdata.split_first_chunk()?;
        let signer = WireName::first_of(rest)?;
        Some(Self {
            head,
            signer,
            signature: rest.get(signer.octets().len()..)?,
        })
    }

    /// One that is not signed yet: all octets before the signer's name, and the signer.
    pub const fn unsigned(head: &'a [u8; 18], signer: WireName<'a>) -> Self {
        Self {
            head,
            signer,
            signature: &[],
        }
    }

    /// The RDATA with a signature.
    pub fn with(self, signature: &[u8]) -> Vec<u8> {
        [&self.head[..], self.signer.octets(), signature].concat()
    }

    /// The type that is covered.
    pub const fn covered(self) -> Rtype {
        Rtype::from_int(u16::from_be_bytes([self.head[0], self.head[1]]))
    }

    /// The algorithm's number.
    pub const fn algorithm(self) -> u8 {
        self.head[2]
    }

    /// How many labels the owner had.
    pub const fn labels(self) -> u8 {
        self.head[3]
    }

    const fn number(self, at: usize) -> u32 {
        let head = self.head;
        u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
    }

    /// The TTL that was signed, in seconds.
    pub const fn original_ttl(self) -> u32 {
        self.number(4)
    }

    /// Until when, in seconds modulo 2^32 (RFC 4034 3.1.5).
    pub const fn expiration(self) -> u32 {
        self.number(8)
    }

    /// From when on.
    pub const fn inception(self) -> u32 {
        self.number(12)
    }

    /// The tag of the key.
    pub const fn key_tag(self) -> u16 {
        u16::from_be_bytes([self.head[16], self.head[17]])
    }

    /// Where expiration and inception are in what is signed.
    pub const TIMES: std::ops::Range<usize> = 8..16;

    /// Writes what is signed (RFC 4034 3.1.8.1): the RDATA without the signature, and the RRset with the original TTL, in canonical form. The
    /// owner must have so many labels as the RRSIG counts.
    pub fn signed_data(self, set: Set<'_>, data: &mut Vec<u8>) {
        data.clear();
        data.extend_from_slice(self.head);
        data.extend_from_slice(&self.signer.canonical());
        for record in set.records() {
            record.write_canonical(self.original_ttl(), data);
        }
    }
}
