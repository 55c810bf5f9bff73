//! `show`: all that is known of a key.

use clap::Args as ClapArgs;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use key_metadata::gate::refusals;
use key_metadata::step::next_step;
use key_metadata::{KeyRecord, KeyState, SiteFolder, ZoneKeys};

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
            let keys = folder.keys(zone)?;
            output.result(describe(&folder, &keys, key)?)?;
        }
        Ok(())
    }
}

fn describe(folder: &SiteFolder, keys: &ZoneKeys, key: &KeyRecord) -> Outcome<String> {
    let zone = keys.zone();
    let mut lines = vec![format!("{zone} {} {}", key.role, key.key_tag())];
    let mut field = |name: &str, value: String| lines.push(format!("  {name:<13} {value}"));
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
        ("pre-active", times.pre_active),
        ("published", times.published),
        ("ready", times.ready),
        ("submitted", times.submitted),
        ("registered", times.registered),
        ("active", times.active),
        ("retire-active", times.retire_active),
        ("insecure", times.insecure),
        ("retired", times.retired),
        ("deregistered", times.deregistered),
        ("post-active", times.post_active),
        ("dead", times.dead),
        ("removed", times.removed),
        ("revoked", times.revoked),
        ("destroyed", times.destroyed),
    ] {
        if let Some(time) = time {
            field(name, time.to_string());
        }
    }
    let (entry, policy) = folder.zone(zone)?;
    if let (KeyState::Active, Some(active), Some(of_role)) = (key.state, times.active, policy.key(key.role)) {
        let due = active.after(of_role.lifetime);
        field(
            "due",
            format!(
                "{due}: active + {} by policy '{}'",
                of_role.lifetime, entry.policy
            ),
        );
    }
    let ask = |step| refusals(step, key, keys, &policy, &entry.foreign_key_tags, cli::now());
    if let Some(step) = next_step(key) {
        let against = ask(step);
        let command = format!("keyrite-keyctl {step} --zone {zone} --key {}", key.key_tag());
        field("next", command);
        for refusal in against {
            field("but", refusal.to_string());
        }
    }
    field("extractable", key.backup.extractability.to_string());
    if key.backup.bundles.is_empty() {
        field("backup", "none".to_owned());
    }
    for bundle in &key.backup.bundles {
        let drills: Vec<_> = bundle
            .drills
            .iter()
            .map(|drill| format!("{} at {}", drill.level, drill.at))
            .collect();
        let drills = if drills.is_empty() {
            "never drilled".to_owned()
        } else {
            drills.join(", ")
        };
        field(
            "backup",
            format!("{} of {}: {drills}", bundle.bundle, bundle.created),
        );
    }
    for entry in keys.history().iter().filter(|entry| entry.key == key.id) {
        let overrides: Vec<_> = entry.overrides.iter().map(ToString::to_string).collect();
        let against = if overrides.is_empty() {
            String::new()
        } else {
            format!(" against {}", overrides.join(" and "))
        };
        let ceremony = entry
            .ceremony
            .as_ref()
            .map_or_else(String::new, |id| format!(", ceremony {id}"));
        let reason = entry
            .reason
            .as_ref()
            .map_or_else(String::new, |reason| format!(": {reason}"));
        field(
            "history",
            format!(
                "{} {}{against} by {}, {}{ceremony}{reason}",
                entry.at, entry.action, entry.operator, entry.tool
            ),
        );
    }
    Ok(lines.join("\n") + "\n")
}
