//! What the entries of a log say, by type.

use std::collections::BTreeMap;

use key_metadata::{Digest, Time};
use serde::{Deserialize, Serialize};

use crate::script::{Kind, Origin, Seat, Word};

/// What an entry says. The variants' names are the entry's `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Body {
    /// The first entry: what the ceremony is made of.
    Genesis(Box<Genesis>),
    /// What came of a step.
    Step(StepEntry),
    /// A digest was read aloud, and what was typed was it.
    Readback(Readback),
    /// A file.
    Artefact(Artefact),
    /// A secret was entered.
    SecretEvent(SecretEvent),
    /// Something was not as the script has it.
    Exception(Exception),
    /// A step was left out.
    Skip(Skip),
    /// The ceremony was broken off; the steps of the safe state follow.
    Abort(Abort),
    /// The program was interrupted, and went on.
    Recovered(Recovered),
    /// A recording of the screen began.
    Cast(Cast),
    /// A seal.
    Seal(Seal),
    /// What was signed on the last checkpoint.
    Anchor(Anchor),
    /// The end; only its seal follows.
    End(End),
}

/// What the ceremony is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Genesis {
    /// Of this form: 1.
    pub version: u8,
    /// The log's name: the first line of every checkpoint.
    pub log: Origin,
    /// Whether it counts.
    pub kind: Kind,
    /// The script's title.
    pub title: String,
    /// SHA-256 of script.yaml.
    pub script: Digest,
    /// The programs that the script names, and keyrite-ceremony itself.
    pub tools: Vec<ToolUsed>,
    /// SHA-256 of the file allowed_signers.
    pub allowed_signers: Digest,
    /// The TPM that anchors the log; null where there is none: the log is unanchored.
    pub tpm: Option<TpmAnchors>,
    /// The log's own key in a token.
    pub token: Option<LogKey>,
    /// The ceremony before; null for the first one.
    pub previous: Option<Previous>,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ToolUsed {
    /// Its name in the script.
    pub name: String,
    /// What it says with `--version`; null for one that is not of the suite.
    pub version: Option<String>,
    /// SHA-256 of its file.
    pub sha256: Digest,
}

/// What in a TPM anchors the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TpmAnchors {
    /// SHA-256 of the endorsement key's certificate; null where the TPM has none.
    pub ek_certificate: Option<Digest>,
    /// The attestation key's Name, in hex digits.
    pub ak_name: String,
    /// Its SubjectPublicKeyInfo (DER) in base64; ak.pem is the same.
    pub ak: String,
    /// The extend index, such as 0x01800020.
    pub log_index: String,
    /// Its Name once it is written, in hex digits.
    pub log_index_name: String,
    /// What it held before this entry: E_0. Zeros where it was never written.
    pub log_value: Digest,
    /// The counter's index.
    pub log_counter: String,
    /// Its Name.
    pub log_counter_name: String,
    /// Its number before the first seal.
    pub counter: u64,
}

/// The log's key in a PKCS#11 token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LogKey {
    /// The token's label.
    pub token: String,
    /// The key's SubjectPublicKeyInfo (DER) in base64; token.pem is the same.
    pub key: String,
}

/// The ceremony before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Previous {
    /// The name of its log.
    pub log: Origin,
    /// SHA-256 of its last checkpoint.
    pub checkpoint: Digest,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StepEntry {
    /// The step's id.
    pub step: Word,
    /// What was done.
    pub did: Did,
}

/// What was done in a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub enum Did {
    /// The words were read.
    Say {},
    /// These gave their initials.
    Confirm {
        /// By seat.
        initials: Vec<Initials>,
    },
    /// A value was typed.
    Record {
        /// Its name.
        name: Word,
        /// The value.
        value: String,
        /// What it was compared with: the ceremony before had recorded it.
        last_time: Option<String>,
    },
    /// These signed in.
    Attend {
        /// Who.
        people: Vec<Person>,
    },
    /// These left.
    Leave {
        /// Their seats.
        seats: Vec<Seat>,
    },
    /// The wall clock was read.
    Clock {
        /// What it showed.
        wall: Time,
        /// The machine's clock minus the wall clock, in seconds.
        offset: i64,
    },
    /// A program is about to run: without an entry that it ended, nobody knows how far it came.
    Begin {
        /// Its name and arguments.
        argv: Vec<String>,
        /// The how many'th try, from 1.
        attempt: u32,
    },
    /// A program ended as it should.
    Run {
        /// The how many'th try, from 1.
        attempt: u32,
        /// Its exit code.
        exit: u8,
        /// SHA-256 of what it printed on stdout; the file in evidence.
        printed: Digest,
        /// The variables that were taken from it.
        values: BTreeMap<String, String>,
    },
    /// A program ended as it should not; the step is not done.
    Fail {
        /// The how many'th try, from 1.
        attempt: u32,
        /// Its exit code; null where it did not start or a signal ended it.
        exit: Option<u8>,
        /// What is wrong.
        why: String,
        /// SHA-256 of what it printed on stdout; the file in evidence.
        printed: Digest,
    },
    /// Files were copied, and the copies read again.
    Copy {
        /// Each copy.
        copies: Vec<CopyMade>,
    },
    /// The log was sealed.
    Seal {
        /// The checkpoint's number.
        checkpoint: u64,
    },
    /// These signed the last checkpoint.
    Sign {
        /// The checkpoint's number.
        checkpoint: u64,
        /// Their signatures: SHA-256 by the name of the file.
        signatures: BTreeMap<String, Digest>,
    },
    /// The break began, and the log was sealed; the step is not done.
    Pause {
        /// The checkpoint's number.
        checkpoint: u64,
    },
    /// It is over.
    Resume {},
    /// A choice was made.
    Branch {
        /// The choice.
        choice: Word,
    },
}

/// Initials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Initials {
    /// Whose.
    pub seat: Seat,
    /// As they were given at sign-in.
    pub initials: String,
}

/// Somebody who takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Person {
    /// The seat.
    pub seat: Seat,
    /// The name.
    pub name: String,
    /// The initials.
    pub initials: String,
    /// The principal in allowed_signers; null for one who does not sign.
    pub principal: Option<String>,
}

/// A copy on a medium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CopyMade {
    /// The medium's name in the script.
    pub medium: Word,
    /// The file, relative to the site and to the medium.
    pub file: String,
    /// SHA-256 of what was read again.
    pub sha256: Digest,
    /// Its length, in bytes.
    pub size: u64,
}

/// A comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Readback {
    /// The step.
    pub step: Word,
    /// Of what.
    pub what: String,
    /// The digest that the script or an earlier step has.
    pub sha256: Digest,
    /// Who typed it.
    pub checker: Seat,
    /// How many lines were typed that were not it, before.
    pub mistyped: u32,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Artefact {
    /// The step.
    pub step: Word,
    /// What it is to the step.
    pub role: ArtefactRole,
    /// Its path, relative to the site; what a program printed has none.
    pub path: Option<String>,
    /// SHA-256, and its name in evidence.
    pub sha256: Digest,
    /// Its length, in bytes.
    pub size: u64,
}

/// What a file is to its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArtefactRole {
    /// The program reads it.
    Input,
    /// The program wrote it.
    Output,
    /// What the program printed on stdout.
    Printed,
    /// What it said on stderr.
    Said,
}

impl std::fmt::Display for ArtefactRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Printed => "printed",
            Self::Said => "said",
        })
    }
}

/// That a secret was entered, never which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecretEvent {
    /// The step.
    pub step: Word,
    /// What it is for.
    pub what: String,
}

/// An exception sheet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exception {
    /// The step at which it was opened.
    pub step: Word,
    /// What was expected.
    pub expected: String,
    /// What happened.
    pub happened: String,
    /// What was decided.
    pub decided: String,
    /// What follows in the script.
    pub then: Then,
    /// Who agrees.
    pub agree: Vec<Seat>,
    /// Who does not.
    pub disagree: Vec<Seat>,
}

/// How the script goes on after an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// With the same step.
    Again,
    /// With the next step.
    Skip,
    /// With the safe state.
    Abort,
}

/// A step that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Skip {
    /// The step.
    pub step: Word,
    /// Why.
    pub reason: String,
    /// The number of the entry of the exception that allows it; null where the script does.
    pub exception: Option<u64>,
}

/// A ceremony that was broken off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Abort {
    /// The step at which it was.
    pub step: Word,
    /// Why.
    pub reason: String,
}

/// What was found and mended when the program went on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recovered {
    /// Ends of lines that had not been written whole.
    pub torn: Vec<Torn>,
    /// The number of the entry that was in the log and not yet in the TPM.
    pub extended: Option<u64>,
    /// The counter's number, where it had risen without a seal.
    pub counter: Option<u64>,
    /// The number of the checkpoint that was completed.
    pub checkpoint: Option<u64>,
    /// The recording that was cut off, as it is.
    pub cast: Option<CastMark>,
}

/// The end of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Torn {
    /// The file that has it now.
    pub file: String,
    /// SHA-256 of it.
    pub sha256: Digest,
}

/// A recording (asciicast v2) began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Cast {
    /// Its file.
    pub file: String,
}

/// A recording up to a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CastMark {
    /// Its file.
    pub file: String,
    /// How much of it, in bytes.
    pub offset: u64,
    /// SHA-256 of that much.
    pub sha256: Digest,
}

/// A seal on all entries up to this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Seal {
    /// The number of its checkpoint, from 1.
    pub checkpoint: u64,
    /// Why now.
    pub reason: String,
    /// What the TPM says; null where the log is unanchored.
    pub tpm: Option<SealState>,
    /// The recording so far.
    pub cast: CastMark,
    /// All files that the entries name, each once.
    pub artefacts: Vec<Digest>,
    /// Whose signatures the checkpoint gets.
    pub signers: Vec<Seat>,
}

/// A TPM at a seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SealState {
    /// The counter, raised for this seal.
    pub counter: u64,
    /// Milliseconds that the TPM has been powered.
    pub clock: u64,
    /// How often it was reset.
    pub reset_count: u32,
    /// How often it was restarted or resumed since.
    pub restart_count: u32,
}

/// The signatures on a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Anchor {
    /// The checkpoint's number.
    pub checkpoint: u64,
    /// SHA-256 of the checkpoint and of each file about it, by name.
    pub files: BTreeMap<String, Digest>,
}

/// The end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct End {
    /// How it ended.
    pub outcome: EndOutcome,
    /// Steps that were done.
    pub done: u32,
    /// Steps that were left out.
    pub skipped: u32,
    /// Exceptions.
    pub exceptions: u32,
}

/// How a ceremony ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndOutcome {
    /// Every step was done or left out.
    Completed,
    /// It was broken off.
    Aborted,
}

impl Body {
    /// The entry's `type`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Genesis(_) => "genesis",
            Self::Step(_) => "step",
            Self::Readback(_) => "readback",
            Self::Artefact(_) => "artefact",
            Self::SecretEvent(_) => "secret-event",
            Self::Exception(_) => "exception",
            Self::Skip(_) => "skip",
            Self::Abort(_) => "abort",
            Self::Recovered(_) => "recovered",
            Self::Cast(_) => "cast",
            Self::Seal(_) => "seal",
            Self::Anchor(_) => "anchor",
            Self::End(_) => "end",
        }
    }

    /// Reads the body of an entry of that type; `None` for a type that is none.
    pub(crate) fn read(type_name: &str, text: &str) -> Option<Result<Self, serde_json::Error>> {
        Some(match type_name {
            "genesis" => serde_json::from_str(text).map(Self::Genesis),
            "step" => serde_json::from_str(text).map(Self::Step),
            "readback" => serde_json::from_str(text).map(Self::Readback),
            "artefact" => serde_json::from_str(text).map(Self::Artefact),
            "secret-event" => serde_json::from_str(text).map(Self::SecretEvent),
            "exception" => serde_json::from_str(text).map(Self::Exception),
            "skip" => serde_json::from_str(text).map(Self::Skip),
            "abort" => serde_json::from_str(text).map(Self::Abort),
            "recovered" => serde_json::from_str(text).map(Self::Recovered),
            "cast" => serde_json::from_str(text).map(Self::Cast),
            "seal" => serde_json::from_str(text).map(Self::Seal),
            "anchor" => serde_json::from_str(text).map(Self::Anchor),
            "end" => serde_json::from_str(text).map(Self::End),
            _ => return None,
        })
    }
}
