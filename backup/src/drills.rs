//! The challenges of a bundle and the proofs that answered them: `proofs/drill-<number>/`, with `challenge` and a `<custodian>.proof` for each.

use std::fs;
use std::io;
use std::path::PathBuf;

use key_metadata::Time;
use key_metadata::site::SiteWord;
use key_metadata::store::{read_bytes, read_bytes_if_there, replace};
use sshsig::{AllowedSigners, Expected, verify};

use crate::bundles::{BundleError, BundleFolder, PROOFS};
use crate::commitment::DRILLS;
use crate::findings::{Finding, Verdict};
use crate::proof::{Challenge, NAMESPACE, Proof};

/// The file of a challenge.
const CHALLENGE: &str = "challenge";

/// A challenge, and what came of it.
#[derive(Clone, Debug)]
pub struct DrillState {
    /// What custodians were asked.
    pub challenge: Challenge,
    /// Who proved it, and when.
    pub proved: Vec<(SiteWord, Time)>,
    /// Whose proof is there and is not good, and why.
    pub refused: Vec<(SiteWord, String)>,
    /// Who has given none.
    pub missing: Vec<SiteWord>,
}

impl DrillState {
    /// Whether every custodian proved to hold the share.
    pub fn is_complete(&self) -> bool {
        self.refused.is_empty() && self.missing.is_empty()
    }
}

impl BundleFolder {
    fn drill_folder(&self, number: u8) -> PathBuf {
        self.path.join(PROOFS).join(format!("drill-{number:02}"))
    }

    /// All challenges of the bundle, oldest first. Proofs are verified again each time.
    pub fn drills(&self, allowed: Option<&AllowedSigners>) -> Result<Vec<DrillState>, BundleError> {
        let mut drills = Vec::new();
        for number in 1..=DRILLS {
            let path = self.drill_folder(number).join(CHALLENGE);
            let Some(bytes) = read_bytes_if_there(&path)? else {
                continue;
            };
            let challenge = std::str::from_utf8(&bytes).ok().and_then(Challenge::parse);
            let challenge = challenge.filter(|found| found.bundle == self.id() && found.drill == number);
            let challenge = challenge.ok_or_else(|| BundleError::Folder {
                action: "use",
                path,
                source: io::Error::new(io::ErrorKind::InvalidData, "it is no challenge of this drill"),
            })?;
            drills.push(self.drill(challenge, allowed)?);
        }
        Ok(drills)
    }

    fn drill(
        &self,
        challenge: Challenge,
        allowed: Option<&AllowedSigners>,
    ) -> Result<DrillState, BundleError> {
        let mut state = DrillState {
            challenge,
            proved: Vec::new(),
            refused: Vec::new(),
            missing: Vec::new(),
        };
        for entry in &self.manifest.header.shares {
            let name = &entry.custodian;
            let path = self.drill_folder(challenge.drill).join(format!("{name}.proof"));
            match read_bytes_if_there(&path)? {
                None => state.missing.push(name.clone()),
                Some(bytes) => match self.judge(challenge, &bytes, allowed) {
                    Ok(proof) if proof.custodian == *name => state.proved.push((name.clone(), proof.at)),
                    Ok(proof) => state
                        .refused
                        .push((name.clone(), format!("it is {}'s", proof.custodian))),
                    Err(why) => state.refused.push((name.clone(), why)),
                },
            }
        }
        Ok(state)
    }

    /// Whether a proof answers the challenge, and its custodian signed it; else why not.
    pub fn judge(
        &self,
        challenge: Challenge,
        bytes: &[u8],
        allowed: Option<&AllowedSigners>,
    ) -> Result<Proof, String> {
        let (proof, signature) = Proof::parse(bytes).map_err(|error| error.to_string())?;
        proof
            .check(&self.manifest, challenge)
            .map_err(|error| error.to_string())?;
        let Some(allowed) = allowed else {
            return Err("there is no file allowed_signers to check its signature with".to_owned());
        };
        let expected = Expected {
            allowed,
            principal: &proof.custodian.to_string(),
            namespace: NAMESPACE,
            at: proof.at,
        };
        verify(&expected, signature, proof.to_text().as_bytes())
            .map_err(|error| format!("its signature is not {}'s: {error}", proof.custodian))?;
        Ok(proof)
    }

    /// Asks the custodians something that nobody could know before: the next drill.
    pub fn ask(&self, drill: u8, nonce: [u8; 32]) -> Result<Challenge, BundleError> {
        let challenge = Challenge {
            bundle: self.id(),
            drill,
            nonce: nonce.into(),
        };
        let path = self.drill_folder(drill).join(CHALLENGE);
        replace(&path, |out| writeln!(out, "{challenge}"))?;
        Ok(challenge)
    }

    /// Keeps a proof that was judged good.
    pub fn keep(&self, proof: &Proof, bytes: &[u8]) -> Result<(), BundleError> {
        let name = format!("{}.proof", proof.custodian);
        let path = self.drill_folder(proof.challenge.drill).join(name);
        Ok(replace(&path, |out| out.write_all(bytes))?)
    }

    /// The findings about challenges and proofs that are kept with the bundle.
    pub fn proof_findings(&self, allowed: Option<&AllowedSigners>) -> Vec<Finding> {
        let check = "proofs";
        let drills = match self.drills(allowed) {
            Ok(drills) => drills,
            Err(error) => return vec![Finding::new(check, Verdict::Fail, error.to_string())],
        };
        let mut findings = self.strangers();
        for drill in drills {
            let number = drill.challenge.drill;
            for (name, why) in &drill.refused {
                let verdict = if allowed.is_none() {
                    Verdict::NotChecked
                } else {
                    Verdict::Fail
                };
                findings.push(Finding::new(
                    check,
                    verdict,
                    format!("drill {number}, {name}'s proof: {why}"),
                ));
            }
            if !drill.proved.is_empty() {
                let names: Vec<_> = drill.proved.iter().map(|(name, _)| name.to_string()).collect();
                findings.push(Finding::new(
                    check,
                    Verdict::Pass,
                    format!("drill {number}: {} proved their shares", names.join(", ")),
                ));
            }
        }
        findings
    }

    /// What is among the proofs and is none.
    fn strangers(&self) -> Vec<Finding> {
        let folder = self.path.join(PROOFS);
        let mut findings = Vec::new();
        let Ok(entries) = fs::read_dir(&folder) else {
            return findings;
        };
        for entry in entries.flatten() {
            let known = (1..=DRILLS).any(|number| self.drill_folder(number) == entry.path());
            if !known {
                let text = format!("{} is no folder of a drill", entry.path().display());
                findings.push(Finding::new("proofs", Verdict::Warn, text));
            }
        }
        findings
    }
}

/// Reads a proof that a custodian sent.
pub fn read_proof(path: &std::path::Path) -> Result<Vec<u8>, BundleError> {
    Ok(read_bytes(path)?)
}
