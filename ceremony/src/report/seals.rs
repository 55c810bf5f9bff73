//! Seals, and who signed their checkpoints.

use std::collections::BTreeMap;

use key_metadata::{Digest, Time};
use serde::Serialize;

use super::people::PersonSeen;
use crate::log::{Body, Did, Entry, SealState, names};
use crate::script::Seat;
use sshsig::SignerSeen;

/// A seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SealSeen {
    /// The checkpoint's number.
    pub checkpoint: u64,
    /// Why then.
    pub reason: String,
    /// When.
    pub at: Time,
    /// The line, and the number of lines under the seal.
    pub line: u64,
    /// What the TPM said; null where the log is unanchored.
    pub tpm: Option<SealState>,
    /// The signatures on it.
    pub signatures: Vec<SignatureSeen>,
}

/// A signature on a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SignatureSeen {
    /// Its file.
    pub file: String,
    /// Whose: a seat, `TPM` or `token`.
    pub of: String,
    /// The name of the one who sat there then.
    pub name: Option<String>,
    /// What the file says of the key; null for a TPM, a token, or a file that is not there or is no signature.
    pub signer: Option<SignerSeen>,
    /// Whether the file is in the folder.
    pub there: bool,
    /// SHA-256 of it as the log has it; the last seal's are not in the log.
    pub sha256: Option<Digest>,
    /// The lines that name it.
    pub lines: Vec<u64>,
}

/// The seals of these entries. `files` are the signatures in the folder, by name.
pub fn seals(
    entries: &[(u64, &Entry)],
    people: &[PersonSeen],
    files: &BTreeMap<String, Vec<u8>>,
) -> Vec<SealSeen> {
    let mut seals: Vec<SealSeen> = Vec::new();
    for &(line, entry) in entries {
        if let Body::Seal(seal) = &entry.body {
            let mut seen = SealSeen {
                checkpoint: seal.checkpoint,
                reason: seal.reason.clone(),
                at: entry.t,
                line,
                tpm: seal.tpm.clone(),
                signatures: Vec::new(),
            };
            for seat in &seal.signers {
                let name = names::signature(seal.checkpoint, seat);
                let signature = seen.signature(&name, people, files);
                signature.lines.push(line);
            }
            let mut named = vec![names::token(seal.checkpoint)];
            let statements = ["extend", "counter", "quote"];
            named.extend(statements.map(|what| names::tpm(seal.checkpoint, what, "sig")));
            for name in named.iter().filter(|name| files.contains_key(*name)) {
                seen.signature(name, people, files);
            }
            seals.push(seen);
            continue;
        }
        let (checkpoint, named) = if let Body::Anchor(anchor) = &entry.body {
            (anchor.checkpoint, &anchor.files)
        } else if let Body::Step(done) = &entry.body
            && let Did::Sign {
                checkpoint,
                signatures,
            } = &done.did
        {
            (*checkpoint, signatures)
        } else {
            continue;
        };
        let Some(seen) = seals.iter_mut().find(|seal| seal.checkpoint == checkpoint) else {
            continue;
        };
        for (name, sha256) in named.iter().filter(|(name, _)| name.ends_with(".sig")) {
            let signature = seen.signature(name, people, files);
            signature.sha256 = Some(*sha256);
            signature.lines.push(line);
        }
    }
    seals
}

impl SealSeen {
    /// The signature in that file, which is added where it is not known yet.
    fn signature(
        &mut self,
        file: &str,
        people: &[PersonSeen],
        files: &BTreeMap<String, Vec<u8>>,
    ) -> &mut SignatureSeen {
        let at = self
            .signatures
            .iter()
            .position(|signature| signature.file == file);
        let at = at.map_or_else(
            || {
                let of = whose(file);
                let seat: Option<Seat> = of.parse().ok();
                self.signatures.push(SignatureSeen {
                    name: seat.and_then(|seat| name_of(people, &seat, self.at)),
                    signer: files.get(file).and_then(|text| SignerSeen::of(text)),
                    there: files.contains_key(file),
                    file: file.to_owned(),
                    of,
                    sha256: None,
                    lines: Vec::new(),
                });
                self.signatures.len() - 1
            },
            |at| at,
        );
        &mut self.signatures[at]
    }
}

/// The seat, or what the TPM or the token states, by the name of the file: `checkpoint-2.officer-1.sig`.
fn whose(file: &str) -> String {
    let of = file.strip_suffix(".sig").and_then(|file| file.split_once('.'));
    match of.map(|(_, of)| of) {
        Some("extend") => "TPM, on the log's index".to_owned(),
        Some("counter") => "TPM, on the counter".to_owned(),
        Some("quote") => "TPM, on its PCRs".to_owned(),
        Some("token") => "token".to_owned(),
        Some(of) => of.to_owned(),
        None => file.to_owned(),
    }
}

/// Who sat there: the one who was there then, else the one who was there last.
fn name_of(people: &[PersonSeen], seat: &Seat, at: Time) -> Option<String> {
    let of_seat = || people.iter().filter(|person| person.seat == *seat);
    let then = of_seat().find(|person| {
        person
            .stays
            .iter()
            .any(|stay| stay.from <= at && stay.until.is_none_or(|until| at <= until))
    });
    let person = then.or(of_seat().next_back());
    person.map(|person| person.name.clone())
}
