//! `trust-anchor`: the keys of a zone as validators are to trust them.

use clap::{Args, ValueEnum};
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, ZoneChoice};
use dnssec::{DsDigest, TrustAnchor, TrustAnchors, Validity, XmlText};
use key_metadata::{KeyRecord, Time, ZoneName};
use serde::Serialize;

use crate::choose::is_named;

/// The options of `trust-anchor`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    zone: ZoneChoice,
    /// Only the KSK or CSK of that tag or id, once for each; all that were ever published when absent
    #[arg(long = "key", value_name = "TAG|ID")]
    keys: Vec<String>,
    /// The digest, once for each: SHA-256 or SHA-384
    #[arg(long = "digest", value_name = "DIGEST", default_value = "SHA-256")]
    digests: Vec<DsDigest>,
    /// Where the file will be had from; the XML says it
    #[arg(long, value_name = "URL")]
    source: Option<XmlText>,
    /// Names this set of trust anchors in the XML; made from what it says when absent
    #[arg(long, value_name = "ID")]
    id: Option<XmlText>,
    /// From when the key is a trust anchor, as 2026-11-23T10:07:31Z; since it was published when absent
    #[arg(long, value_name = "TIME")]
    valid_from: Option<Time>,
    /// Until when the key is a trust anchor; until it was revoked or removed when absent
    #[arg(long, value_name = "TIME")]
    valid_until: Option<Time>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Xml, conflicts_with = "json")]
    format: Format,
    #[command(flatten)]
    report: ReportArguments,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// XML as RFC 9718 has it
    Xml,
    /// A trust-anchors statement for named.conf, without keys that have an end
    Bind,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    version: u32,
    zone: ZoneName,
    trust_anchors: Vec<Line>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    id: String,
    key_tag: u16,
    valid_from: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<Time>,
    /// The RDATA of its DS.
    ds: String,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        if matches!(
            (self.format, self.report.json, &self.source),
            (Format::Xml, false, None)
        ) {
            return Err(no_source());
        }
        let folder = site.open()?;
        let zones = self.zone.zones(&folder)?;
        let [zone] = &zones[..] else {
            let failure = Failure::new(Exit::Usage, "trust anchors are those of one zone");
            return Err(failure.hint("name the zone with --zone".to_owned()));
        };
        let keys = folder.keys(zone)?;
        let keys = self.choose(zone, keys.keys(), output)?;
        let mut anchors = Vec::new();
        for (key, validity) in keys {
            for digest in &self.digests {
                let anchor = TrustAnchor::new(zone, key, *digest, validity);
                anchors.push(anchor.ok_or_else(|| {
                    Failure::new(Exit::Failed, format!("{} makes no trust anchor", name(zone, key)))
                })?);
            }
        }
        let zone = zone.clone();
        self.print(TrustAnchors { zone, anchors }, output)
    }

    /// The keys to print, and when each is a trust anchor.
    fn choose<'a>(
        &self,
        zone: &ZoneName,
        keys: &'a [KeyRecord],
        output: &Output,
    ) -> Outcome<Vec<(&'a KeyRecord, Validity)>> {
        let keys: Vec<_> = keys.iter().filter(|key| key.role.signs_dnskey()).collect();
        if let Some(unknown) = self
            .keys
            .iter()
            .find(|named| !keys.iter().any(|key| is_named(key, named)))
        {
            let failure = Failure::new(Exit::Failed, format!("zone {zone} has no KSK or CSK {unknown}"));
            return Err(failure.hint(format!("keyrite-keyctl list --zone {zone}")));
        }
        let chosen =
            |key: &&KeyRecord| self.keys.is_empty() || self.keys.iter().any(|named| is_named(key, named));
        let keys: Vec<_> = keys.into_iter().filter(chosen).collect();
        if (self.valid_from.is_some() || self.valid_until.is_some()) && keys.len() > 1 {
            let failure = Failure::new(
                Exit::Usage,
                format!("{} keys cannot all have the same time", keys.len()),
            );
            return Err(failure.hint("name one key with --key".to_owned()));
        }
        let mut dated = Vec::new();
        for key in keys {
            let Some(from) = self.valid_from.or_else(|| Validity::start(&key.times)) else {
                let text = format!(
                    "{} was never published, so nobody can say since when to trust it",
                    name(zone, key)
                );
                let hint = "say with --key and --valid-from from when it is a trust anchor";
                if !self.keys.is_empty() {
                    return Err(Failure::new(Exit::Failed, text).hint(hint.to_owned()));
                }
                output.warn(format!("{text}; it is left out ({hint})"));
                continue;
            };
            let until = self.valid_until.or_else(|| Validity::end(&key.times));
            let validity = Validity::new(from, until).map_err(|error| {
                Failure::of(Exit::Failed, &error).within(format!("{} is no trust anchor", name(zone, key)))
            })?;
            dated.push((key, validity));
        }
        if dated.is_empty() {
            let failure = Failure::new(Exit::Failed, format!("zone {zone} has no trust anchor"));
            return Err(failure.hint(format!("keyrite-keyctl list --zone {zone}")));
        }
        Ok(dated)
    }

    fn print(&self, anchors: TrustAnchors, output: &mut Output) -> Outcome {
        if self.report.json {
            let line = |anchor: &TrustAnchor| Line {
                id: anchor.id(),
                key_tag: anchor.key_tag(),
                valid_from: anchor.validity().from(),
                valid_until: anchor.validity().until(),
                ds: anchor.ds_data(),
            };
            return output.json(&Report {
                version: 1,
                trust_anchors: anchors.anchors.iter().map(line).collect(),
                zone: anchors.zone,
            });
        }
        match (self.format, &self.source) {
            (Format::Bind, _) => {
                let ended = || {
                    Failure::new(
                        Exit::Failed,
                        "every one of these trust anchors has an end, which named.conf cannot say",
                    )
                };
                output.result(anchors.to_bind().ok_or_else(ended)?)
            }
            (Format::Xml, Some(source)) => output.result(anchors.to_xml(source, self.id.as_ref())),
            (Format::Xml, None) => Err(no_source()),
        }
    }
}

fn no_source() -> Failure {
    let failure = Failure::new(Exit::Usage, "the XML must say where it is to be had from");
    failure.hint("give --source URL, or --format bind, or --json".to_owned())
}

fn name(zone: &ZoneName, key: &KeyRecord) -> String {
    format!("{} {} of {zone}", key.role, key.key_tag())
}
