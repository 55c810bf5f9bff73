//! `status`: how long the signatures of each zone still last, for people and for monitors. It reads no whole zone.

use std::fmt;

use clap::{Args, ValueEnum};
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, ZoneChoice};
use key_metadata::{LastFailure, Policy, Release, SiteFolder, Span, Time, ZoneName};
use serde::Serialize;

use crate::one_zone::last_release;

/// The options of `status`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    zones: ZoneChoice,
    /// Exit with 3 from this level on
    #[arg(long, value_name = "LEVEL", default_value = "warning")]
    alarm: Alarm,
    #[command(flatten)]
    report: ReportArguments,
}

/// From which level on a monitor is told.
#[derive(Clone, Copy, ValueEnum)]
enum Alarm {
    Warning,
    Critical,
}

/// How a zone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Level {
    /// It is signed for longer than the policy's outage margin.
    Ok,
    /// It is signed for less.
    Warning,
    /// It is not signed, or a signature has expired.
    Critical,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    zones: Vec<Status>,
}

/// One zone.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Status {
    zone: ZoneName,
    level: Level,
    /// What is wrong, where something is.
    why: Option<String>,
    serial: Option<u32>,
    signed: Option<Time>,
    first_expiration: Option<Time>,
    signatures: Option<u64>,
    /// In seconds: until the first signature is not good for whoever has just fetched it.
    runway: Option<u32>,
    /// What failed since it was signed.
    failure: Option<LastFailure>,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let now = cli::now();
        let (mut zones, mut failures) = (Vec::new(), Vec::new());
        for zone in self.zones.zones(&folder)? {
            match status(&folder, &zone, now) {
                Ok(status) => {
                    if !self.report.json {
                        output.result(status.text())?;
                    }
                    zones.push(status);
                }
                Err(failure) => failures.push(failure.within(format!("how zone {zone} is is not known"))),
            }
        }
        let least = match self.alarm {
            Alarm::Warning => Level::Warning,
            Alarm::Critical => Level::Critical,
        };
        let told: Vec<_> = zones
            .iter()
            .filter(|status| status.level >= least)
            .map(|status| format!("{} is {}", status.zone, status.level))
            .collect();
        if !told.is_empty() {
            failures.push(Failure::new(Exit::SaysNo, told.join(", ")));
        }
        if self.report.json {
            output.json(&Report { version: 1, zones })?;
        }
        output.last_of(failures).map_or(Ok(()), Err)
    }
}

/// How a zone is as of `now`.
fn status(folder: &SiteFolder, zone: &ZoneName, now: Time) -> Outcome<Status> {
    let (_, policy) = folder.zone(zone)?;
    let failure = match folder.state(zone) {
        Ok(state) => state.failure,
        // The signed zone itself tells what counts.
        Err(_) => None,
    };
    let release = last_release(folder, zone, now)?;
    let (level, why) = match &release {
        Some(release) => level(&policy, release, now),
        None if went_insecure(folder, zone)? => (Level::Ok, Some("it went insecure".to_owned())),
        None => (Level::Critical, Some("it is not signed".to_owned())),
    };
    let runway = release.as_ref().map(|release| runway(&policy, release, now));
    Ok(Status {
        zone: zone.clone(),
        level,
        why,
        serial: release.as_ref().map(|release| release.serial),
        signed: release.as_ref().map(|release| release.signed),
        first_expiration: release.as_ref().map(|release| release.first_expiration),
        signatures: release.as_ref().map(|release| release.signatures),
        runway: runway.map(Span::seconds),
        failure,
    })
}

/// What a signature must have left when it is fetched: until the last name server has the next one, and no cache this one (RFC 6781 4.4.1).
fn wanted(policy: &Policy) -> Span {
    let ttl = policy.zone.max_ttl.max(policy.dnskey_ttl);
    let seconds = ttl
        .seconds()
        .saturating_add(policy.zone.propagation_delay.seconds());
    Span::from_seconds(seconds)
}

/// How long the signer can stand still: what the first signature has left, less what it must have.
fn runway(policy: &Policy, release: &Release, now: Time) -> Span {
    release.first_expiration.since(now).less(wanted(policy))
}

fn level(policy: &Policy, release: &Release, now: Time) -> (Level, Option<String>) {
    let (runway, margin) = (runway(policy, release, now), policy.signatures.outage_margin);
    if release.first_expiration <= now {
        (Level::Critical, Some("a signature has expired".to_owned()))
    } else if runway.seconds() == 0 {
        let why = "signatures will expire in caches";
        (Level::Warning, Some(why.to_owned()))
    } else if runway < margin {
        let why = format!("the runway is shorter than the policy's outage margin, {margin}");
        (Level::Warning, Some(why))
    } else {
        (Level::Ok, None)
    }
}

/// Whether it was signed once, and its keys are out of it: it is published as it is.
fn went_insecure(folder: &SiteFolder, zone: &ZoneName) -> Outcome<bool> {
    let keys = folder.keys(zone)?;
    let was_signed = keys.keys().iter().any(|key| key.times.active.is_some());
    let is_left = keys.keys().iter().any(|key| key.state.in_zone() || key.signs());
    Ok(was_signed && !is_left)
}

impl Status {
    fn text(&self) -> String {
        let why = self.why.as_ref().map(|why| format!(": {why}"));
        let mut text = format!(
            "{}: {}{}",
            self.zone,
            self.level,
            why.map_or_else(String::new, |why| why)
        );
        if let (Some(serial), Some(signed), Some(first), Some(runway)) =
            (self.serial, self.signed, self.first_expiration, self.runway)
        {
            let runway = Span::from_seconds(runway);
            text.push_str(&format!(
                "; serial {serial}, signed at {signed}, the first signature expires at {first}, runway {runway}"
            ));
        }
        text.push('\n');
        if let Some(failure) = &self.failure {
            text.push_str(&format!("  failed at {}: {}\n", failure.at, failure.error));
        }
        text
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_warned_of_before_caches_have_what_expires() {
        let policy = Policy::from_yaml(include_str!("../../policies/csk.yaml")).unwrap();
        let now: Time = "2026-11-30T12:00:00Z".parse().unwrap();
        // The policy wants a day and an hour, and three days of margin.
        let of = |span: &str| {
            let release = Release {
                signed: now,
                serial: 1,
                first_expiration: now.after(span.parse().unwrap()),
                signatures: 1,
                records: 1,
                record_octets: 1,
                octets: 1,
            };
            (
                level(&policy, &release, now).0,
                runway(&policy, &release, now).to_string(),
            )
        };
        assert_eq!(of("4d1h"), (Level::Ok, "3d".to_owned()));
        assert_eq!(of("4d"), (Level::Warning, "2d23h".to_owned()));
        assert_eq!(of("1d1h"), (Level::Warning, "0s".to_owned()));
        assert_eq!(of("1s"), (Level::Warning, "0s".to_owned()));
        assert_eq!(of("0s"), (Level::Critical, "0s".to_owned()));
    }
}
