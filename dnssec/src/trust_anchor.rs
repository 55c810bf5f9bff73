//! The trust anchors of a zone, as RFC 9718 publishes those of the root.

use std::fmt::{self, Write};
use std::str::FromStr;

use domain::utils::base64;
use key_metadata::{KeyRecord, KeyTimes, Time, ZoneName};

use crate::key_records::{DsDigest, KeyRecords};

/// A text that XML can hold in an attribute: no control character (XML 1.0 2.2 allows three of them, and an attribute keeps none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlText(String);

/// A text that XML cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("XML cannot hold the character {0:?} there")]
pub struct XmlTextError(char);

impl FromStr for XmlText {
    type Err = XmlTextError;

    fn from_str(text: &str) -> Result<Self, XmlTextError> {
        let refused = |c: &char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
        match text.chars().find(refused) {
            Some(character) => Err(XmlTextError(character)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

/// Writes a text with all that is markup escaped, in an attribute and in an element alike.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&apos;"),
            other => f.write_char(other),
        })
    }
}

/// From when and until when relying parties may use a key as a trust anchor (RFC 9718 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    from: Time,
    until: Option<Time>,
}

/// An end that is not after its start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it would be valid until {until}, which is not after {from}, from when it is")]
pub struct ValidityError {
    /// From when.
    pub from: Time,
    /// Until when.
    pub until: Time,
}

impl Validity {
    /// From then, and until then if there is an end.
    pub fn new(from: Time, until: Option<Time>) -> Result<Self, ValidityError> {
        match until {
            Some(until) if until <= from => Err(ValidityError { from, until }),
            Some(_) | None => Ok(Self { from, until }),
        }
    }

    /// From when a key of these times is a trust anchor: since its DNSKEY was published, or at the latest since it signs. A validator that
    /// has it before it signs loses nothing.
    pub fn start(times: &KeyTimes) -> Option<Time> {
        times.published.or(times.active)
    }

    /// Until when: its revocation or removal, whichever was first.
    pub fn end(times: &KeyTimes) -> Option<Time> {
        [times.revoked, times.removed].into_iter().flatten().min()
    }

    /// From when.
    pub const fn from(&self) -> Time {
        self.from
    }

    /// Until when.
    pub const fn until(&self) -> Option<Time> {
        self.until
    }
}

/// A KeyDigest of RFC 9718: the digest of one DNSKEY, and the DNSKEY itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnchor {
    validity: Validity,
    digest_type: DsDigest,
    key_tag: u16,
    algorithm: u8,
    flags: u16,
    /// Upper-case hex.
    digest: String,
    /// Base64.
    public_key: String,
}

impl TrustAnchor {
    /// The anchor that a key of `zone` is; one that was revoked is known by the DNSKEY that it had before. `None` as for [`KeyRecords::new`].
    pub fn new(zone: &ZoneName, key: &KeyRecord, digest: DsDigest, validity: Validity) -> Option<Self> {
        let records = KeyRecords::unrevoked(zone, key)?;
        let dnskey = records.dnskey_data();
        let hex = records
            .digest(digest)
            .iter()
            .fold(String::new(), |mut hex, byte| {
                // Writing to a String cannot fail.
                let _ = write!(hex, "{byte:02X}");
                hex
            });
        Some(Self {
            validity,
            digest_type: digest,
            key_tag: dnskey.key_tag(),
            algorithm: dnskey.algorithm().to_int(),
            flags: dnskey.flags(),
            digest: hex,
            public_key: base64::encode_string(dnskey.public_key()),
        })
    }

    /// Names the digest: the key tag, the number of the digest and its first eight digits.
    pub fn id(&self) -> String {
        let start: String = self.digest.chars().take(8).collect();
        format!("K{}-{}-{start}", self.key_tag, self.digest_type.number())
    }

    /// The RDATA of its DS record: tag, algorithm, digest type, digest.
    pub fn ds_data(&self) -> String {
        let (tag, algorithm, kind) = (self.key_tag, self.algorithm, self.digest_type.number());
        format!("{tag} {algorithm} {kind} {}", self.digest)
    }

    /// Its key tag.
    pub const fn key_tag(&self) -> u16 {
        self.key_tag
    }

    /// From when and until when it can be used.
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    fn xml(&self) -> String {
        let until = self.validity.until.map_or_else(String::new, |until| {
            format!(" validUntil=\"{}\"", date_time(until))
        });
        format!(
            "  <KeyDigest id=\"{}\" validFrom=\"{}\"{until}>\n    <KeyTag>{}</KeyTag>\n    <Algorithm>{}</Algorithm>\n    \
             <DigestType>{}</DigestType>\n    <Digest>{}</Digest>\n    <PublicKey>{}</PublicKey>\n    <Flags>{}</Flags>\n  \
             </KeyDigest>\n",
            self.id(),
            date_time(self.validity.from),
            self.key_tag,
            self.algorithm,
            self.digest_type.number(),
            self.digest,
            self.public_key,
            self.flags,
        )
    }
}

/// As IANA writes it: some readers take no `Z`.
fn date_time(time: Time) -> String {
    time.to_utc().format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// The trust anchors of one zone. The same anchors make the same bytes.
#[derive(Clone, Debug)]
pub struct TrustAnchors {
    /// The zone.
    pub zone: ZoneName,
    /// The anchors; RFC 9718 wants one at least.
    pub anchors: Vec<TrustAnchor>,
}

impl TrustAnchors {
    /// The XML of RFC 9718 2.1. `source` says where it is to be had; without `id`, the first 16 bytes of the SHA-256 of what the document
    /// says of zone and anchors stand for one.
    pub fn to_xml(&self, source: &XmlText, id: Option<&XmlText>) -> String {
        let zone = self.zone.with_final_dot();
        let mut content = format!("  <Zone>{}</Zone>\n", Escaped(&zone));
        content.extend(self.anchors.iter().map(TrustAnchor::xml));
        let digest = || DsDigest::Sha256.of(content.as_bytes());
        let made = || {
            digest()
                .iter()
                .take(16)
                .map(|byte| format!("{byte:02x}"))
                .collect()
        };
        let id: String = id.map_or_else(made, |id| id.0.clone());
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<TrustAnchor id=\"{}\" source=\"{}\">\n{content}</TrustAnchor>\n",
            Escaped(&id),
            Escaped(&source.0),
        )
    }

    /// A `trust-anchors` statement for named.conf. It has no times, so an anchor whose end is known is left out; `None` if no other is there.
    pub fn to_bind(&self) -> Option<String> {
        let zone = self.zone.with_final_dot();
        let line = |anchor: &TrustAnchor| {
            let (tag, algorithm, kind) = (anchor.key_tag, anchor.algorithm, anchor.digest_type.number());
            format!(
                "    \"{zone}\" static-ds {tag} {algorithm} {kind} \"{}\";\n",
                anchor.digest
            )
        };
        let endless = self
            .anchors
            .iter()
            .filter(|anchor| anchor.validity.until.is_none());
        let lines: String = endless.map(line).collect();
        (!lines.is_empty()).then(|| format!("trust-anchors {{\n{lines}}};\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_markup_is_escaped_and_what_xml_lacks_is_refused() {
        assert_eq!(
            Escaped("<a b='&\">]]>").to_string(),
            "&lt;a b=&apos;&amp;&quot;&gt;]]&gt;"
        );
        for bad in ["a\nb", "\0", "\u{7f}", "\u{ffff}"] {
            assert!(bad.parse::<XmlText>().is_err(), "{bad:?}");
        }
        assert!(
            "https://example.cr/anchors.xml?a=1&b=ñ"
                .parse::<XmlText>()
                .is_ok()
        );
    }

    #[test]
    fn nothing_ends_before_it_starts() {
        let time = |text: &str| text.parse::<Time>().unwrap();
        let (early, late) = (time("2026-01-01T00:00:00Z"), time("2026-01-02T00:00:00Z"));
        assert!(Validity::new(early, Some(late)).is_ok() && Validity::new(late, None).is_ok());
        assert!(Validity::new(late, Some(early)).is_err() && Validity::new(early, Some(early)).is_err());
    }

    #[test]
    fn the_end_is_what_came_first() {
        let time = |text: &str| Some(text.parse::<Time>().unwrap());
        let mut times = KeyTimes::generated("2026-01-01T00:00:00Z".parse().unwrap());
        assert_eq!((Validity::start(&times), Validity::end(&times)), (None, None));
        times.active = time("2026-01-03T00:00:00Z");
        assert_eq!(Validity::start(&times), times.active);
        times.published = time("2026-01-02T00:00:00Z");
        times.removed = time("2026-03-02T00:00:00Z");
        times.revoked = time("2026-02-01T00:00:00Z");
        assert_eq!(
            (Validity::start(&times), Validity::end(&times)),
            (times.published, times.revoked)
        );
    }
}
