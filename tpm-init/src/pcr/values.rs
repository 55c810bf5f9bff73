//! Values of PCRs as they are asked for: present ones, and ones to come.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::Args;
use cli::{Exit, Failure, Outcome};
use key_metadata::{PcrNumber, PcrSelection, Tcti};
use serde::Serialize;
use tpm::{PcrAccess, PcrValue, PcrValues, Tpm};

/// The state of the machine that a command is about.
#[derive(Args)]
pub struct ValueArguments {
    /// What a PCR will have in it, in 64 hex digits, once for each; as it is now when absent
    #[arg(long = "value", value_name = "PCR=HEX")]
    values: Vec<Assignment>,
}

/// `7=` and 64 hex digits.
#[derive(Clone)]
struct Assignment {
    pcr: PcrNumber,
    value: PcrValue,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "a value is the number of a PCR, '=' and 64 hex digits".to_owned();
        let (number, value) = text.split_once('=').ok_or_else(form)?;
        let number: u8 = number.parse().map_err(|_| form())?;
        Ok(Self {
            pcr: number.try_into().map_err(|error| format!("{error}"))?,
            value: value.parse().map_err(|_| form())?,
        })
    }
}

/// Values, and which of them the TPM has now.
pub struct State {
    /// All of them.
    pub values: PcrValues,
    given: BTreeMap<PcrNumber, PcrValue>,
}

impl ValueArguments {
    /// The values of the policy's PCRs: those given, the others as they are. The TPM is asked only where one is missing.
    pub fn state(&self, tcti: &Tcti, access: &PcrAccess) -> Outcome<State> {
        let usage = |text: String| Err(Failure::new(Exit::Usage, text));
        let mut given = BTreeMap::new();
        for Assignment { pcr, value } in &self.values {
            if !access.pcrs().iter().any(|one| one == *pcr) {
                return usage(format!(
                    "the PCR policy is on {}, not on PCR {pcr}",
                    access.pcrs()
                ));
            }
            if given.insert(*pcr, *value).is_some() {
                return usage(format!("PCR {pcr} is given twice"));
            }
        }
        let others: Vec<_> = access
            .pcrs()
            .iter()
            .filter(|pcr| !given.contains_key(pcr))
            .collect();
        let mut values = given.clone();
        if let Ok(others) = PcrSelection::try_from(others) {
            values.extend(Tpm::connect(tcti)?.pcr_values(&others)?);
        }
        Ok(State { values, given })
    }
}

impl State {
    /// A line for each PCR.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.values.iter().map(|(pcr, value)| {
            let whence = if self.given.contains_key(pcr) {
                "as given"
            } else {
                "as it is now"
            };
            format!("PCR {pcr}: {value}, {whence}")
        })
    }
}

/// A PCR's value, for `--json`.
#[derive(Serialize)]
pub struct ValueReport {
    /// The PCR's number.
    pub pcr: PcrNumber,
    /// Its value in hex digits.
    pub value: String,
}

/// Values for `--json`, by number.
pub fn report(values: &PcrValues) -> Vec<ValueReport> {
    let one = |(pcr, value): (&PcrNumber, &PcrValue)| ValueReport {
        pcr: *pcr,
        value: value.to_string(),
    };
    values.iter().map(one).collect()
}
