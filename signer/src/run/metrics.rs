//! Figures for a monitor: Prometheus' text format, in a file that node_exporter's textfile collector reads.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use key_metadata::store::{StoreError, replace};
use key_metadata::{Release, Time, TokenName, ZoneName};

use crate::one_zone::Released;

/// What is counted since the start.
pub struct Metrics {
    started: Time,
    zones: BTreeMap<ZoneName, OfZone>,
    tokens: BTreeMap<TokenName, TokenState>,
}

/// How a token was when it was last asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It did what it was asked.
    Up,
    /// It is not there.
    Absent,
    /// It refused its PIN, or there is none for it; it is not asked again.
    Refused,
}

#[derive(Default)]
struct OfZone {
    runs: u64,
    failures: u64,
    reload_failures: u64,
    made: u64,
    kept: u64,
    release: Option<Release>,
}

/// A figure of a zone: its name, its type, what it is, and its value.
type ZoneFigure = (
    &'static str,
    &'static str,
    &'static str,
    fn(&OfZone) -> Option<i64>,
);

const OF_ZONES: [ZoneFigure; 8] = [
    ("runs_total", "counter", "Signings that were begun.", |zone| {
        Some(count(zone.runs))
    }),
    ("failures_total", "counter", "Signings that failed.", |zone| {
        Some(count(zone.failures))
    }),
    (
        "reload_failures_total",
        "counter",
        "Name servers that were not told of a zone.",
        |zone| Some(count(zone.reload_failures)),
    ),
    (
        "signatures_made_total",
        "counter",
        "Signatures that were made.",
        |zone| Some(count(zone.made)),
    ),
    (
        "signatures_kept_total",
        "counter",
        "Signatures of a run before that were kept.",
        |zone| Some(count(zone.kept)),
    ),
    ("zone_serial", "gauge", "The serial of the signed zone.", |zone| {
        Some(zone.release.as_ref()?.serial.into())
    }),
    (
        "zone_signed_time_seconds",
        "gauge",
        "When the zone was last signed.",
        |zone| Some(zone.release.as_ref()?.signed.unix_seconds()),
    ),
    (
        "zone_first_expiration_time_seconds",
        "gauge",
        "When the first signature of the zone expires.",
        |zone| Some(zone.release.as_ref()?.first_expiration.unix_seconds()),
    ),
];

fn count(number: u64) -> i64 {
    i64::try_from(number).map_or(i64::MAX, |number| number)
}

impl Metrics {
    /// Nothing counted yet.
    pub const fn new(started: Time) -> Self {
        Self {
            started,
            zones: BTreeMap::new(),
            tokens: BTreeMap::new(),
        }
    }

    /// A zone is there, with what was last released of it.
    pub fn zone(&mut self, zone: &ZoneName, release: Option<Release>) {
        self.zones.entry(zone.clone()).or_default().release = release;
    }

    /// Only these zones are left.
    pub fn keep_zones(&mut self, is_left: impl Fn(&ZoneName) -> bool) {
        self.zones.retain(|zone, _| is_left(zone));
    }

    /// A zone was signed.
    pub fn released(&mut self, zone: &ZoneName, released: &Released) {
        let figures = self.zones.entry(zone.clone()).or_default();
        figures.runs += 1;
        figures.made += released.made as u64;
        figures.kept += released.kept as u64;
        figures.release = Some(released.release.clone());
    }

    /// A zone was not signed.
    pub fn failed(&mut self, zone: &ZoneName) {
        let figures = self.zones.entry(zone.clone()).or_default();
        figures.runs += 1;
        figures.failures += 1;
    }

    /// A zone's name server was not told.
    pub fn not_told(&mut self, zone: &ZoneName) {
        self.zones.entry(zone.clone()).or_default().reload_failures += 1;
    }

    /// How a token is.
    pub fn token(&mut self, token: &TokenName, state: TokenState) {
        self.tokens.insert(token.clone(), state);
    }

    /// Replaces the file.
    pub fn write(&self, path: &Path) -> Result<(), StoreError> {
        let text = self.text();
        replace(path, |out| out.write_all(text.as_bytes()))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        head(
            &mut text,
            "start_time_seconds",
            "gauge",
            "When the signer was started.",
        );
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "keyrite_signer_start_time_seconds {}",
            self.started.unix_seconds()
        );
        for (name, kind, help, value) in OF_ZONES {
            head(&mut text, name, kind, help);
            for (zone, figures) in &self.zones {
                if let Some(value) = value(figures) {
                    let zone = label(&zone.to_string());
                    let _ = writeln!(text, "keyrite_signer_{name}{{zone=\"{zone}\"}} {value}");
                }
            }
        }
        head(
            &mut text,
            "token_state",
            "gauge",
            "How a token was when it was last asked: 1 of the state that it was in.",
        );
        for (token, is) in &self.tokens {
            for (state, name) in [
                (TokenState::Up, "up"),
                (TokenState::Absent, "absent"),
                (TokenState::Refused, "refused"),
            ] {
                let value = u8::from(*is == state);
                let _ = writeln!(
                    text,
                    "keyrite_signer_token_state{{token=\"{token}\",state=\"{name}\"}} {value}"
                );
            }
        }
        text
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(
        text,
        "# HELP keyrite_signer_{name} {help}\n# TYPE keyrite_signer_{name} {kind}"
    );
}

/// The value of a label: a backslash, a quote and a line end have a backslash in front.
fn label(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_has_its_type_and_each_zone_its_line() {
        let time: Time = "2026-11-30T12:00:00Z".parse().unwrap();
        let zone: ZoneName = "fi.cr".parse().unwrap();
        let mut metrics = Metrics::new(time);
        metrics.zone(&zone, None);
        metrics.failed(&zone);
        metrics.not_told(&zone);
        metrics.token(&"cr".parse().unwrap(), TokenState::Absent);
        let text = metrics.text();
        for line in [
            "# TYPE keyrite_signer_failures_total counter",
            "keyrite_signer_start_time_seconds 1796040000",
            "keyrite_signer_runs_total{zone=\"fi.cr\"} 1",
            "keyrite_signer_reload_failures_total{zone=\"fi.cr\"} 1",
            "keyrite_signer_token_state{token=\"cr\",state=\"up\"} 0",
            "keyrite_signer_token_state{token=\"cr\",state=\"absent\"} 1",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
        assert!(!text.contains("zone_serial{"), "nothing was released");
        assert!(
            text.lines()
                .all(|line| line.starts_with("# ") || line.split(' ').count() == 2)
        );
        assert_eq!(label("a\\\"b"), "a\\\\\\\"b");
    }
}
