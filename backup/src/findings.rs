//! D0: what can be checked of a bundle without its secret.

use std::collections::BTreeSet;
use std::fs;

use key_metadata::{Digest, Time, verifies_as_openssl};
use serde::Serialize;
use sshsig::{AllowedSigners, Expected, verify};

use dnssec::TpmStatement;

use crate::bundles::{BundleFolder, MANIFEST, PROOFS, TOKEN_SIGNATURE, TPM_STATEMENT, officer_signature};
use crate::manifest::PAYLOAD;

/// For what officers sign a manifest (the namespace of SSHSIG).
pub const NAMESPACE: &str = "backup@keyrite";

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is as it must be.
    Pass,
    /// Somebody should look at it.
    Warn,
    /// It is not as it must be.
    Fail,
    /// It could not be checked, and why.
    NotChecked,
}

/// A check of a bundle, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check.
    pub check: &'static str,
    /// What it came to.
    pub verdict: Verdict,
    /// In words.
    pub text: String,
}

impl Finding {
    /// A finding.
    pub fn new(check: &'static str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self {
            check,
            verdict,
            text: text.into(),
        }
    }
}

/// Everything about a bundle that needs neither its secret nor a token: its files, who signed it, its dates. `allowed` is who may sign, where
/// that is known.
pub fn check(bundle: &BundleFolder, allowed: Option<&AllowedSigners>, now: Time) -> Vec<Finding> {
    let mut findings = vec![payload(bundle), only_these(bundle), dates(bundle, now)];
    findings.extend(token(bundle));
    findings.extend(tpm(bundle));
    findings.extend(officers(bundle, allowed));
    findings.extend(bundle.proof_findings(allowed));
    findings
}

/// Whether somebody known signed it, and nothing fails: what must hold before anything is taken out of it.
pub fn first_failure(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|finding| finding.verdict == Verdict::Fail)
}

fn payload(bundle: &BundleFolder) -> Finding {
    let says = bundle.manifest.files.get(PAYLOAD);
    match (bundle.payload(), says) {
        (Ok(bytes), Some(digest)) if Digest::of(&bytes) == *digest => Finding::new(
            "files",
            Verdict::Pass,
            format!("{PAYLOAD} has the SHA-256 of the manifest"),
        ),
        (Ok(_), _) => Finding::new(
            "files",
            Verdict::Fail,
            format!("{PAYLOAD} has another SHA-256 than the manifest says: it was damaged or changed"),
        ),
        (Err(error), _) => Finding::new("files", Verdict::Fail, error.to_string()),
    }
}

/// A file that nobody vouches for says nothing, but somebody put it there.
fn only_these(bundle: &BundleFolder) -> Finding {
    let officers = bundle.manifest.header.signers.officers.iter();
    let mut known: BTreeSet<String> = officers.map(|name| officer_signature(name)).collect();
    known.extend([MANIFEST, PAYLOAD, PROOFS].map(str::to_owned));
    if bundle.manifest.header.signers.token.is_some() {
        known.insert(TOKEN_SIGNATURE.to_owned());
    }
    if bundle.manifest.header.signers.tpm.is_some() {
        known.extend(TPM_STATEMENT.map(str::to_owned));
    }
    let entries = match fs::read_dir(&bundle.path) {
        Ok(entries) => entries,
        Err(error) => return Finding::new("others", Verdict::Fail, error.to_string()),
    };
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut others: Vec<String> = names.filter(|name| !known.contains(name)).collect();
    others.sort();
    match others.is_empty() {
        true => Finding::new("others", Verdict::Pass, "no other file is in its folder"),
        false => Finding::new(
            "others",
            Verdict::Warn,
            format!("in its folder, and nobody vouches for it: {}", others.join(", ")),
        ),
    }
}

fn dates(bundle: &BundleFolder, now: Time) -> Finding {
    let header = &bundle.manifest.header;
    let (verdict, text) = if now < header.created {
        (
            Verdict::Fail,
            format!(
                "it was made at {}, which is still to come: is the clock right?",
                header.created
            ),
        )
    } else if now >= header.expires {
        (Verdict::Fail, format!("it expired at {}", header.expires))
    } else if now >= header.review_by {
        (
            Verdict::Warn,
            format!(
                "it was to be reviewed by {}, and expires at {}",
                header.review_by, header.expires
            ),
        )
    } else {
        (
            Verdict::Pass,
            format!(
                "it is to be reviewed by {}, and expires at {}",
                header.review_by, header.expires
            ),
        )
    };
    Finding::new("dates", verdict, text)
}

fn token(bundle: &BundleFolder) -> Option<Finding> {
    let signer = bundle.manifest.header.signers.token.as_ref()?;
    let check = "token signature";
    let bytes = match fs::read(bundle.path.join(TOKEN_SIGNATURE)) {
        Ok(bytes) => bytes,
        Err(error) => {
            let text = format!("{TOKEN_SIGNATURE} cannot be read: {error}");
            return Some(Finding::new(check, Verdict::Fail, text));
        }
    };
    Some(match verifies_as_openssl(&signer.spki, &bundle.signed, &bytes) {
        true => Finding::new(
            check,
            Verdict::Pass,
            format!(
                "the log key of token '{}' that the manifest names signed it",
                signer.name
            ),
        ),
        false => Finding::new(
            check,
            Verdict::Fail,
            format!(
                "{TOKEN_SIGNATURE} is no signature of the log key of token '{}'",
                signer.name
            ),
        ),
    })
}

fn tpm(bundle: &BundleFolder) -> Option<Finding> {
    let signer = bundle.manifest.header.signers.tpm.as_ref()?;
    let check = "TPM's statement";
    let [attested, signature] = TPM_STATEMENT.map(|name| fs::read(bundle.path.join(name)));
    let (attested, signature) = match (attested, signature) {
        (Ok(attested), Ok(signature)) => (attested, signature),
        (Err(error), _) | (_, Err(error)) => {
            let text = format!("{} cannot be read: {error}", TPM_STATEMENT.join(" or "));
            return Some(Finding::new(check, Verdict::Fail, text));
        }
    };
    let statement = TpmStatement {
        spki: signer.spki.clone(),
        attested,
        signature,
    };
    Some(match statement.is_on(bundle.manifest_digest().bytes()) {
        true => Finding::new(
            check,
            Verdict::Pass,
            format!(
                "the attestation key of TPM '{}' that the manifest names signed it",
                signer.name
            ),
        ),
        false => Finding::new(
            check,
            Verdict::Fail,
            format!(
                "{} is no statement of TPM '{}' on this manifest",
                TPM_STATEMENT[0], signer.name
            ),
        ),
    })
}

fn officers(bundle: &BundleFolder, allowed: Option<&AllowedSigners>) -> Vec<Finding> {
    let header = &bundle.manifest.header;
    let finding = |name: &String| {
        let check = "officer's signature";
        let path = bundle.officer_signature(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let text = format!("{} cannot be read: {error}", path.display());
                return Finding::new(check, Verdict::Fail, text);
            }
        };
        let Some(allowed) = allowed else {
            let text = format!("whether {name} signed it: there is no file allowed_signers");
            return Finding::new(check, Verdict::NotChecked, text);
        };
        let expected = Expected {
            allowed,
            principal: name,
            namespace: NAMESPACE,
            at: header.created,
        };
        match verify(&expected, &bytes, &bundle.signed) {
            Ok(signed) => Finding::new(
                check,
                Verdict::Pass,
                format!("{name} signed it, with {}", signed.fingerprint),
            ),
            Err(error) => Finding::new(check, Verdict::Fail, format!("{name} did not sign it: {error}")),
        }
    };
    header.signers.officers.iter().map(finding).collect()
}
