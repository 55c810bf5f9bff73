//! DNSKEY and DS records in presentation form, as key files and exports have them.

mod index;
mod words;

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use key_metadata::{KeyAlgorithm, PublicKey, Role, ZoneName};
use sha2::{Digest, Sha256, Sha384};

use crate::error::{FieldError, Place, ReadError};
use crate::files::within;
use crate::key::Revocation;
use crate::quote::Quote;
use crate::report::{Losses, Lost, Reason};
use words::split;

pub(crate) use index::{Index, check_size};
pub(crate) use words::Comment;

/// The largest text with records that is read, in bytes.
pub const LARGEST_RECORDS: usize = 16 << 20;

/// A DNSKEY record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dnskey {
    /// Its owner.
    pub zone: ZoneName,
    /// In seconds, where it stands in the record.
    pub ttl: Option<u32>,
    /// KSK with the SEP bit, ZSK without: a record does not tell a CSK.
    pub role: Role,
    /// Whether it has the REVOKE bit.
    pub revocation: Revocation,
    /// The key.
    pub public_key: PublicKey,
}

/// A DS record (RFC 4034 section 5), with a digest that we can compute.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ds {
    zone: ZoneName,
    tag: u16,
    algorithm: u8,
    digest: Vec<u8>,
}

impl Dnskey {
    /// Its tag, REVOKE bit included.
    pub fn key_tag(&self) -> u16 {
        match self.revocation {
            Revocation::NotRevoked => self.public_key.key_tag(self.role),
            Revocation::Revoked => self.public_key.revoked_key_tag(self.role),
        }
    }

    /// The flags field.
    pub fn flags(&self) -> u16 {
        match self.revocation {
            Revocation::NotRevoked => self.role.flags(),
            Revocation::Revoked => self.role.flags() | REVOKE,
        }
    }

    /// The digest of a DS record; the algorithm is told by its length in bytes (RFC 4034 5.1.4, RFC 4509, RFC 6605).
    fn digest(&self, length: usize) -> Vec<u8> {
        let mut message = Vec::new();
        for label in self.zone.as_str().split('.').filter(|label| !label.is_empty()) {
            message.push(label.len() as u8);
            message.extend_from_slice(label.as_bytes());
        }
        message.push(0);
        message.extend_from_slice(&self.flags().to_be_bytes());
        message.extend_from_slice(&[3, self.public_key.algorithm().number()]);
        message.extend_from_slice(self.public_key.as_dnskey());
        if length == 48 {
            Sha384::digest(message).to_vec()
        } else {
            Sha256::digest(message).to_vec()
        }
    }
}

impl fmt::Display for Dnskey {
    /// One line, without the line's end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.zone.with_final_dot())?;
        if let Some(ttl) = self.ttl {
            write!(f, "{ttl} ")?;
        }
        let (flags, algorithm) = (self.flags(), self.public_key.algorithm().number());
        let key = STANDARD.encode(self.public_key.as_dnskey());
        write!(f, "IN DNSKEY {flags} 3 {algorithm} {key}")
    }
}

const REVOKE: u16 = 0x0080;

/// What a text of records has.
pub(crate) struct Parsed<'a> {
    pub(crate) keys: Vec<(usize, Dnskey)>,
    pub(crate) comments: Vec<Comment<'a>>,
    signers: Vec<(usize, Ds)>,
}

/// Reads the DNSKEY records that `keymgr ZONE dnskey` or `ods-enforcer key export` printed. A DS record must be of one of them; what else is
/// there is in the list of what is not kept.
pub fn read(file: &Path, text: &str) -> Result<(Vec<Dnskey>, Vec<Lost>), ReadError> {
    within(file, text, LARGEST_RECORDS)?;
    let mut losses = Losses::of(file);
    let parsed = parse(file, text, &mut losses)?;
    for comment in &parsed.comments {
        // OpenDNSSEC's heading over each DS: ';publish KSK DS record (SHA256):'.
        losses.add(
            Some(comment.line),
            "comment",
            Quote::of(comment.text),
            Reason::Comment,
        )?;
    }
    for (line, ds) in &parsed.signers {
        let of = parsed.keys.iter().map(|(_, key)| key).filter(|key| {
            (key.key_tag(), key.public_key.algorithm().number()) == (ds.tag, ds.algorithm)
                && key.zone == ds.zone
        });
        let mut digests = of.map(|key| key.digest(ds.digest.len())).peekable();
        if digests.peek().is_some() && digests.all(|digest| digest != ds.digest) {
            return Err(ReadError::Contradiction {
                place: Place::at(file, Some(*line), "DS"),
                written: Quote::of(&hex::encode(&ds.digest)),
                by: "the DNSKEY record",
                computed: "another digest".to_owned(),
            });
        }
        let text = format!("{} {} {}", ds.tag, ds.algorithm, hex::encode(&ds.digest));
        losses.add(Some(*line), "DS", Quote::of(&text), Reason::NoPlace)?;
    }
    Ok((parsed.keys.into_iter().map(|(_, key)| key).collect(), losses.lost))
}

pub(crate) fn parse<'a>(file: &Path, text: &'a str, losses: &mut Losses) -> Result<Parsed<'a>, ReadError> {
    let mut parsed = Parsed {
        keys: Vec::new(),
        comments: Vec::new(),
        signers: Vec::new(),
    };
    for record in split(file, text, &mut parsed.comments)? {
        let at = |source: FieldError| ReadError::Field {
            place: Place::at(file, Some(record.line), "record"),
            source,
        };
        let header = Header::of(&record.words).map_err(at)?;
        match header.kind {
            Kind::Dnskey => {
                let key = dnskey(header).map_err(|(field, source)| ReadError::Field {
                    place: Place::at(file, Some(record.line), field),
                    source,
                })?;
                parsed.keys.push((record.line, key));
            }
            Kind::Ds => match ds(&header).map_err(at)? {
                Some(ds) => parsed.signers.push((record.line, ds)),
                None => losses.add(
                    Some(record.line),
                    "DS",
                    Quote::of(&record.words.join(" ")),
                    Reason::Unknown,
                )?,
            },
        }
    }
    Ok(parsed)
}

enum Kind {
    Dnskey,
    Ds,
}

/// Owner, TTL, class and type, and the rest.
struct Header<'a> {
    owner: &'a str,
    ttl: Option<u32>,
    kind: Kind,
    data: &'a [&'a str],
}

impl<'a> Header<'a> {
    fn of(words: &'a [&'a str]) -> Result<Self, FieldError> {
        const FORM: FieldError = FieldError::Form("'OWNER TTL IN DNSKEY FLAGS PROTOCOL ALGORITHM KEY'");
        let (owner, mut rest) = words.split_first().ok_or(FORM)?;
        let mut ttl = None;
        let mut class = None;
        while let Some((word, after)) = rest.split_first() {
            rest = after;
            if word.eq_ignore_ascii_case("IN") && class.replace(()).is_none() {
                continue;
            }
            if word.starts_with(|c: char| c.is_ascii_digit()) && ttl.is_none() {
                let seconds = word.parse().ok().filter(|ttl| *ttl <= MOST_TTL);
                ttl = Some(seconds.ok_or(FieldError::Number(Quote::of(word), u64::from(MOST_TTL)))?);
                continue;
            }
            let kind = if word.eq_ignore_ascii_case("DNSKEY") {
                Kind::Dnskey
            } else if word.eq_ignore_ascii_case("DS") {
                Kind::Ds
            } else {
                return Err(FieldError::Word(Quote::of(word), "DNSKEY and DS"));
            };
            return Ok(Self {
                owner,
                ttl,
                kind,
                data: after,
            });
        }
        Err(FORM)
    }
}

/// RFC 2181 section 8.
const MOST_TTL: u32 = 0x7fff_ffff;

fn number<N: std::str::FromStr>(word: &str, most: u64) -> Result<N, FieldError> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| FieldError::Number(Quote::of(word), most))
}

fn dnskey(header: Header<'_>) -> Result<Dnskey, (&'static str, FieldError)> {
    let [flags, protocol, algorithm, key @ ..] = header.data else {
        return Err((
            "record",
            FieldError::Form("'OWNER TTL IN DNSKEY FLAGS PROTOCOL ALGORITHM KEY'"),
        ));
    };
    let zone = header.owner.parse().map_err(|_| {
        (
            "owner",
            FieldError::Word(Quote::of(header.owner), "the names that a zone can have"),
        )
    })?;
    let flags: u16 = number(flags, 65535).map_err(|error| ("flags", error))?;
    let (role, revocation) = match flags {
        256 => (Role::Zsk, Revocation::NotRevoked),
        257 => (Role::Ksk, Revocation::NotRevoked),
        384 => (Role::Zsk, Revocation::Revoked),
        385 => (Role::Ksk, Revocation::Revoked),
        other => return Err(("flags", FieldError::Flags(other))),
    };
    let protocol: u8 = number(protocol, 255).map_err(|error| ("protocol", error))?;
    if protocol != 3 {
        return Err(("protocol", FieldError::Protocol(protocol)));
    }
    let algorithm = algorithm_of(algorithm).map_err(|error| ("algorithm", error))?;
    let bytes = STANDARD
        .decode(key.concat())
        .map_err(|_| ("public key", FieldError::Base64))?;
    let public_key =
        PublicKey::from_dnskey(algorithm, &bytes).map_err(|error| ("public key", error.into()))?;
    // Two texts of one key would have two tags (RFC 3110 lets an RSA exponent have leading zeros).
    if public_key.as_dnskey() != bytes {
        return Err((
            "public key",
            FieldError::PublicKey(key_metadata::public_key::PublicKeyError::Rsa),
        ));
    }
    Ok(Dnskey {
        zone,
        ttl: header.ttl,
        role,
        revocation,
        public_key,
    })
}

/// A number, or the mnemonic.
pub(crate) fn algorithm_of(word: &str) -> Result<KeyAlgorithm, FieldError> {
    if word.len() > 20 {
        return Err(FieldError::Word(Quote::of(word), "the DNSSEC algorithms"));
    }
    Ok(word.parse()?)
}

fn ds(header: &Header<'_>) -> Result<Option<Ds>, FieldError> {
    const FORM: FieldError = FieldError::Form("'OWNER TTL IN DS TAG ALGORITHM DIGEST-TYPE DIGEST'");
    let [tag, algorithm, kind, digest @ ..] = header.data else {
        return Err(FORM);
    };
    let length = match number::<u8>(kind, 255)? {
        2 => 32,
        4 => 48,
        _ => return Ok(None),
    };
    let digest = hex::decode(digest.concat()).map_err(|_| FORM)?;
    if digest.len() != length {
        return Err(FORM);
    }
    Ok(Some(Ds {
        zone: header.owner.parse().map_err(|_| FORM)?,
        tag: number(tag, 65535)?,
        algorithm: number(algorithm, 255)?,
        digest,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORT: &str = "a.example.\t3600\tIN\tDNSKEY\t257 3 13 q0mlb4ihU7qE+AG46M8k0Jvys8P8gmG5vFSmJRJZdknPL3TFPzpPP5HtOEBNp198O40gQhUWOpEkGjkC2w2iRg==\n\
        ;publish KSK DS record (SHA256):\n\
        a.example.\t3600\tIN\tDS\t11819 13 2 b2b386a2dbeaba7712a6c153c9186a191d4d9637a2cad88b1ee8788dfe17e623\n";

    fn read_text(text: &str) -> Result<(Vec<Dnskey>, Vec<Lost>), ReadError> {
        read(Path::new("export"), text)
    }

    #[test]
    fn an_export_is_read_and_its_ds_is_checked() {
        let (keys, lost) = read_text(EXPORT).unwrap();
        assert_eq!(
            (keys.len(), keys[0].key_tag(), keys[0].ttl),
            (1, 11819, Some(3600))
        );
        assert_eq!(lost.len(), 2, "the comment and the DS");
        let error = read_text(&EXPORT.replace("b2b386", "b2b387"))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("export, line 3, DS is 'b2b387"), "{error}");
        // A DS without its DNSKEY is reported, not refused.
        assert_eq!(read_text(EXPORT.split_once('\n').unwrap().1).unwrap().1.len(), 2);
    }

    #[test]
    fn a_record_may_be_over_lines_and_what_is_wrong_is_named() {
        let ed = "0MRprFeyidlSnoGXAToomOoNABiBQ824gop7DURo0pk=";
        let (keys, _) = read_text(&format!(
            "c.example. IN 60 DNSKEY (257 3 15\n {} ;x\n {} )\n",
            &ed[..8],
            &ed[8..]
        ))
        .unwrap();
        assert_eq!((keys[0].key_tag(), keys[0].ttl), (27601, Some(60)));
        for (bad, field) in [
            (format!("c. IN DNSKEY 258 3 15 {ed}"), "flags"),
            (format!("c. IN DNSKEY 257 2 15 {ed}"), "protocol"),
            (format!("c. IN DNSKEY 257 3 99 {ed}"), "algorithm"),
            (format!("c. IN DNSKEY 257 3 13 {ed}"), "public key"),
            (format!("c. IN DNSKEY 257 3 15 !{ed}"), "public key"),
            (format!("c..d IN DNSKEY 257 3 15 {ed}"), "owner"),
            (format!("c. CH DNSKEY 257 3 15 {ed}"), "record"),
            (format!("c. IN KEY 257 3 15 {ed}"), "record"),
            (format!("c. IN DNSKEY (257 3 15 {ed}"), "record"),
            (format!("c. IN DNSKEY 257 3 15 {ed} )"), "record"),
            ("c. IN DNSKEY".to_owned(), "record"),
            ("c.".to_owned(), "record"),
        ] {
            let error = read_text(&bad).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("export, line 1, {field} ")),
                "{bad}: {error}"
            );
        }
    }
}
