//! `show`: all that is known of a key.

use clap::Args as ClapArgs;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use key_metadata::{KeyRecord, SiteFolder, ZoneName};

use crate::choose::KeyChoice;
use crate::list::Report;

/// The options of `show`.
#[derive(ClapArgs)]
pub struct Arguments {
    #[command(flatten)]
    keys: KeyChoice,
    #[command(flatten)]
    report: ReportArguments,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let keys = self.keys.keys(&folder)?;
        if keys.is_empty() {
            return Err(
                Failure::new(Exit::Failed, "there is no such key").hint("keyrite-keyctl list".to_owned())
            );
        }
        if self.report.json {
            return output.json(&Report::new(keys));
        }
        for (zone, key) in &keys {
            output.result(describe(&folder, zone, key)?)?;
        }
        Ok(())
    }
}

fn describe(folder: &SiteFolder, zone: &ZoneName, key: &KeyRecord) -> Outcome<String> {
    let mut lines = vec![format!("{zone} {} {}", key.role, key.key_tag())];
    let mut field = |name: &str, value: String| lines.push(format!("  {name:<12} {value}"));
    field("id", key.id.to_string());
    field(
        "algorithm",
        format!("{}, {} bits", key.algorithm(), key.public_key.bits()),
    );
    field("revoked tag", key.revoked_key_tag().to_string());
    field(
        "SPKI SHA-256",
        key.public_key
            .spki_sha256()
            .map_or_else(|error| error.to_string(), |digest| digest),
    );
    let place = folder.site().token_of(&key.reference);
    field(
        "token",
        place.map_or("none of this site".to_owned(), |(name, token)| {
            format!("{name}, {}", token.address)
        }),
    );
    field("reference", key.reference.to_string());
    field("state", key.state.to_string());
    let times = &key.times;
    for (name, time) in [
        ("generated", Some(times.generated)),
        ("published", times.published),
        ("ready", times.ready),
        ("submitted", times.submitted),
        ("active", times.active),
        ("retired", times.retired),
        ("dead", times.dead),
        ("removed", times.removed),
        ("revoked", times.revoked),
    ] {
        if let Some(time) = time {
            field(name, time.to_string());
        }
    }
    if let (Some(active), Some(entry)) = (times.active, folder.site().zones.get(zone))
        && let Some(policy) = folder.policy(&entry.policy)?.key(key.role)
    {
        field(
            "due",
            format!(
                "{} active + {} by policy '{}'",
                active, policy.lifetime, entry.policy
            ),
        );
    }
    field(
        "backup",
        match key.backup.bundles.as_slice() {
            [] => format!("none; extractable: {}", key.backup.extractability),
            bundles => bundles
                .iter()
                .map(|b| format!("{} ({:?} {})", b.bundle, b.level, b.at))
                .collect::<Vec<_>>()
                .join(", "),
        },
    );
    for entry in &key.provenance {
        let reason = entry
            .reason
            .as_ref()
            .map_or_else(String::new, |reason| format!(": {reason}"));
        field(
            "history",
            format!(
                "{} {:?} by {}, {}{reason}",
                entry.at, entry.action, entry.operator, entry.tool
            )
            .to_lowercase(),
        );
    }
    Ok(lines.join("\n") + "\n")
}
