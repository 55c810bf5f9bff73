//! What is known of a TPM's firmware: a dated table, which holds advisories and what they say of which version.
//!
//! A vulnerability is never tried out. What the table does not know is unknown, and that is not in order.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use key_metadata::yaml::{self, YamlError};
use serde::Deserialize;
use tpm::Info;

use crate::finding::{Finding, Verdict};
use crate::firmware_range::FirmwareRanges;

/// The table that is built in.
const TABLE: &str = include_str!("../data/vulnerable-firmware.yaml");

/// The check that asks whether the table names the firmware.
const KNOWN: &str = "firmware-known";

/// Advisories on the firmware of TPMs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FirmwareTable {
    date: String,
    rows: Vec<Row>,
}

/// What one advisory says of some TPMs; of an advisory's rows the first that fits decides.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Row {
    id: String,
    name: String,
    check: Check,
    manufacturers: Manufacturers,
    /// Which firmware; absent, all of it.
    versions: Option<FirmwareRanges>,
    state: State,
    #[serde(default)]
    bars: BTreeSet<Barred>,
    /// What says so.
    source: String,
    /// Who knows more.
    ask: Option<String>,
    remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Check {
    Roca,
    TpmFail,
    FirmwareAdvisories,
}

/// What an advisory says of a firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Vulnerable,
    Unaffected,
    Unknown,
}

/// What a TPM must not be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Barred {
    /// Signing with ECDSA keys: they leak.
    Ecdsa,
    /// Making RSA keys: they can be factored.
    RsaGeneration,
}

impl fmt::Display for Barred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ecdsa => "ECDSA keys",
            Self::RsaGeneration => "RSA keys made in it",
        })
    }
}

/// Whose TPMs, by TCG vendor id.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
enum Manufacturers {
    Only(String),
    AnyBut(Vec<String>),
}

impl TryFrom<String> for Manufacturers {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let ids = |text: &str| -> Vec<_> { text.split(", ").map(str::to_owned).collect() };
        let read = match text.strip_prefix("any") {
            Some("") => Self::AnyBut(Vec::new()),
            Some(rest) => Self::AnyBut(rest.strip_prefix(" but ").map_or(Vec::new(), ids)),
            None => Self::Only(text.clone()),
        };
        let id =
            |id: &String| (2..=4).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_uppercase());
        let well = match &read {
            Self::Only(only) => id(only),
            Self::AnyBut(but) => but.iter().all(id) && (text == "any" || !but.is_empty()),
        };
        if well {
            Ok(read)
        } else {
            Err(format!(
                "'{text}' names no manufacturers; write IFX, any, or any but IFX, STM"
            ))
        }
    }
}

impl Manufacturers {
    fn include(&self, id: &str) -> bool {
        match self {
            Self::Only(only) => only == id,
            Self::AnyBut(but) => !but.iter().any(|other| other == id),
        }
    }
}

impl FromStr for FirmwareTable {
    type Err = YamlError;

    fn from_str(text: &str) -> Result<Self, YamlError> {
        yaml::parse(text)
    }
}

impl FirmwareTable {
    /// The table that is built in.
    pub fn built_in() -> Result<Self, YamlError> {
        TABLE.parse()
    }

    /// The day as of which it was written, such as `2026-11-23`.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// What the table says of a TPM: the checks `roca`, `tpm-fail`, `firmware-advisories` and `firmware-known`.
    pub fn assess(&self, tpm: &Info) -> Vec<Finding> {
        let mut findings: Vec<_> = Check::ALL
            .into_iter()
            .map(|check| self.check(check, tpm))
            .collect();
        findings.push(self.known(tpm));
        findings
    }

    /// The advisories, in the table's order.
    fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !ids.contains(&row.id.as_str()) {
                ids.push(&row.id);
            }
        }
        ids
    }

    fn row(&self, id: &str, tpm: &Info) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == id && row.fits(tpm))
    }

    fn check(&self, check: Check, tpm: &Info) -> Finding {
        let of_check = |id: &&str| self.rows.iter().any(|row| row.id == *id && row.check == check);
        let answers = self
            .ids()
            .into_iter()
            .filter(of_check)
            .map(|id| Answer::of(id, self.row(id, tpm)));
        let answers: Vec<_> = answers.collect();
        let Some(verdict) = answers.iter().map(|answer| answer.verdict).max() else {
            let evidence = self.evidence(tpm, "no advisory");
            return Finding::unknown(check.name(), evidence, "use the table that is built in");
        };
        // What is in order needs no words where something else is not.
        let told = answers.iter().filter(|answer| answer.verdict == verdict);
        let texts: Vec<_> = told.clone().map(|answer| answer.text.as_str()).collect();
        let evidence = self.evidence(tpm, &texts.join("; "));
        let mut remedies: Vec<_> = told.filter_map(|answer| answer.remedy.clone()).collect();
        remedies.dedup();
        let remedy = remedies.join("; ");
        match verdict {
            Verdict::Pass => Finding::pass(check.name(), evidence),
            Verdict::Warn => Finding::warn(check.name(), evidence, remedy),
            Verdict::Unknown => Finding::unknown(check.name(), evidence, remedy),
            Verdict::Fail => Finding::fail(check.name(), evidence, remedy),
        }
    }

    /// Whether some row names this firmware and can tell of it.
    fn known(&self, tpm: &Info) -> Finding {
        let tells = |row: &&Row| row.state != State::Unknown && row.names(tpm);
        let rows: Vec<_> = self
            .rows
            .iter()
            .filter(tells)
            .map(|row| row.id.as_str())
            .collect();
        if rows.is_empty() {
            return Finding::unknown(
                KNOWN,
                self.evidence(tpm, "no row names this firmware"),
                "ask the TPM's maker what is known of it; where the site takes it on itself, that goes on record",
            );
        }
        Finding::pass(
            KNOWN,
            self.evidence(tpm, &format!("named for {}", rows.join(", "))),
        )
    }

    fn evidence(&self, tpm: &Info, what: &str) -> String {
        format!(
            "{} {} firmware {}, table of {}: {what}",
            tpm.manufacturer, tpm.vendor, tpm.firmware, self.date
        )
    }
}

/// What the table says of one advisory.
struct Answer {
    verdict: Verdict,
    text: String,
    remedy: Option<String>,
}

impl Answer {
    fn of(id: &str, row: Option<&Row>) -> Self {
        let Some(row) = row else {
            return Self {
                verdict: Verdict::Unknown,
                text: format!("{id}: no row for this firmware"),
                remedy: Some(format!("ask the TPM's maker whether {id} is in it")),
            };
        };
        let (verdict, what) = match row.state {
            State::Vulnerable => (Verdict::Fail, "vulnerable"),
            State::Unaffected => (Verdict::Pass, "not affected"),
            State::Unknown => (Verdict::Unknown, "cannot be told"),
        };
        let name = if row.name == row.id {
            String::new()
        } else {
            format!(" ({})", row.name)
        };
        let bars = row.bars.iter().map(|bar| format!(", bars {bar}"));
        let ask = row
            .ask
            .as_ref()
            .map_or(String::new(), |ask| format!(", ask {ask}"));
        Self {
            verdict,
            text: format!(
                "{id}{name}: {what}{} ({}{ask})",
                bars.collect::<String>(),
                row.source
            ),
            remedy: row.remedy.clone(),
        }
    }
}

impl Row {
    /// Whether it is about that very firmware, not about a maker or all that is to come.
    fn names(&self, tpm: &Info) -> bool {
        let versions = self.versions.as_ref();
        self.fits(tpm) && versions.is_some_and(|versions| versions.name(tpm.firmware))
    }

    fn fits(&self, tpm: &Info) -> bool {
        self.manufacturers.include(&tpm.manufacturer)
            && self
                .versions
                .as_ref()
                .is_none_or(|versions| versions.contain(tpm.firmware))
    }
}

impl Check {
    const ALL: [Self; 3] = [Self::Roca, Self::TpmFail, Self::FirmwareAdvisories];

    const fn name(self) -> &'static str {
        match self {
            Self::Roca => "roca",
            Self::TpmFail => "tpm-fail",
            Self::FirmwareAdvisories => "firmware-advisories",
        }
    }
}

#[cfg(test)]
#[path = "tests/firmware.rs"]
mod tests;
