//! RDATA of the types that a signed zone has most of, as text. Names and types are written so that every reader takes them.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::base::iana::Rtype;
use domain::rdata::dnssec::Timestamp;

use crate::WireName;
use crate::hash::digits_of;
use crate::rrsig::Rrsig;
use crate::types::Types;

/// Appends RDATA as its type has it, for the types here; nothing, where it is none of them, or not in their form. Writing to a String cannot fail.
pub(crate) fn write(rtype: Rtype, rdata: &[u8], text: &mut String) -> Option<()> {
    match rtype {
        Rtype::NS | Rtype::CNAME | Rtype::DNAME | Rtype::PTR => inner(WireName::new(rdata)?, text)?,
        Rtype::MX => {
            let (preference, exchange) = rdata.split_first_chunk()?;
            let _ = write!(text, "{} ", u16::from_be_bytes(*preference));
            inner(WireName::new(exchange)?, text)?;
        }
        Rtype::SRV => {
            let (numbers, target) = rdata.split_at_checked(6)?;
            for number in numbers.chunks_exact(2) {
                let _ = write!(text, "{} ", u16::from_be_bytes([number[0], number[1]]));
            }
            inner(WireName::new(target)?, text)?;
        }
        Rtype::SOA => {
            let (names, numbers) = rdata.split_last_chunk::<20>()?;
            let primary = WireName::first_of(names)?;
            inner(primary, text)?;
            text.push(' ');
            inner(WireName::new(names.get(primary.octets().len()..)?)?, text)?;
            for number in numbers.chunks_exact(4) {
                let number = u32::from_be_bytes([number[0], number[1], number[2], number[3]]);
                let _ = write!(text, " {number}");
            }
        }
        Rtype::NSEC => {
            let next = WireName::first_of(rdata)?;
            inner(next, text)?;
            types(rdata.get(next.octets().len()..)?, text)?;
        }
        Rtype::NSEC3 => nsec3(rdata, text)?,
        Rtype::DS | Rtype::CDS => {
            let ([high, low, algorithm, kind], digest) = rdata.split_first_chunk()?;
            let tag = u16::from_be_bytes([*high, *low]);
            let _ = write!(text, "{tag} {algorithm} {kind} ");
            if digest.is_empty() {
                return None;
            }
            hexadecimal(digest, text);
        }
        Rtype::RRSIG => rrsig(Rrsig::new(rdata)?, text),
        _ => return None,
    }
    Some(())
}

/// A name in RDATA. One that begins with the label `@` has no text there: ldns 1.8.3 takes `\064.cr.` for `cr.`.
fn inner(inner: WireName<'_>, text: &mut String) -> Option<()> {
    if inner.labels().next() == Some(b"@") {
        return None;
    }
    name(inner, text);
    Some(())
}

/// A name; every octet but those that no reader takes for anything else is written by its number.
pub(crate) fn name(name: WireName<'_>, text: &mut String) {
    let from = text.len();
    for label in name.labels() {
        for octet in label {
            match octet {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'*' | b'/' => {
                    text.push(char::from(*octet));
                }
                other => {
                    let _ = write!(text, "\\{other:03}");
                }
            }
        }
        text.push('.');
    }
    if text.len() == from {
        text.push('.');
    }
}

/// A type: those that not every reader knows by a name have their number (RFC 3597 section 5).
pub(crate) fn mnemonic(rtype: Rtype, text: &mut String) {
    let _ = match is_known(rtype) {
        true => write!(text, "{rtype}"),
        false => write!(text, "TYPE{}", rtype.to_int()),
    };
}

/// Whether BIND, ldns and Knot DNS know a type by its name.
pub(crate) const fn is_known(rtype: Rtype) -> bool {
    matches!(
        rtype,
        Rtype::A
            | Rtype::NS
            | Rtype::CNAME
            | Rtype::SOA
            | Rtype::PTR
            | Rtype::HINFO
            | Rtype::MX
            | Rtype::TXT
            | Rtype::AAAA
            | Rtype::SRV
            | Rtype::NAPTR
            | Rtype::DNAME
            | Rtype::DS
            | Rtype::SSHFP
            | Rtype::RRSIG
            | Rtype::NSEC
            | Rtype::DNSKEY
            | Rtype::NSEC3
            | Rtype::NSEC3PARAM
            | Rtype::TLSA
            | Rtype::CDS
            | Rtype::CDNSKEY
            | Rtype::OPENPGPKEY
            | Rtype::ZONEMD
            | Rtype::SVCB
            | Rtype::HTTPS
            | Rtype::AFSDB
            | Rtype::RP
            | Rtype::KX
            | Rtype::CERT
            | Rtype::LOC
            | Rtype::IPSECKEY
            | Rtype::DHCID
            | Rtype::SMIMEA
            | Rtype::CSYNC
            | Rtype::URI
            | Rtype::CAA
    )
}

/// A bit map; of a name without types nothing.
fn types(bitmap: &[u8], text: &mut String) -> Option<()> {
    for rtype in Types::of_bitmap(bitmap)?.iter() {
        text.push(' ');
        mnemonic(rtype, text);
    }
    Some(())
}

/// RFC 5155 3.3.
fn nsec3(rdata: &[u8], text: &mut String) -> Option<()> {
    let ([algorithm, flags, high, low, length], behind) = rdata.split_first_chunk()?;
    let (salt, behind) = behind.split_at_checked(usize::from(*length))?;
    let (length, behind) = behind.split_first()?;
    let (next, bitmap) = behind.split_at_checked(usize::from(*length))?;
    let _ = write!(text, "{algorithm} {flags} {} ", u16::from_be_bytes([*high, *low]));
    match salt.is_empty() {
        true => text.push('-'),
        false => hexadecimal(salt, text),
    }
    text.push(' ');
    text.extend(digits_of(next.try_into().ok()?).map(char::from));
    types(bitmap, text)
}

/// RFC 4034 3.2.
fn rrsig(rrsig: Rrsig<'_>, text: &mut String) {
    mnemonic(rrsig.covered(), text);
    let _ = write!(
        text,
        " {} {} {} {} {} {} ",
        rrsig.algorithm(),
        rrsig.labels(),
        rrsig.original_ttl(),
        Timestamp::from(rrsig.expiration()),
        Timestamp::from(rrsig.inception()),
        rrsig.key_tag()
    );
    name(rrsig.signer, text);
    text.push(' ');
    STANDARD.encode_string(rrsig.signature, text);
}

/// Octets in hexadecimal.
pub(crate) fn hexadecimal(octets: &[u8], text: &mut String) {
    for octet in octets {
        let _ = write!(text, "{octet:02X}");
    }
}
