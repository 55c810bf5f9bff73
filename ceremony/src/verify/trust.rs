//! Whose keys they are: what no folder can show of itself.

use std::collections::BTreeSet;

use super::VerifyError;
use super::claim::Claim;
use super::files::read;
use super::look::not_checked;
use super::record::Record;
use crate::log::{CeremonyFolder, Genesis};
use sshsig::AllowedSigners;

/// The claim that the keys are those of the people and of the TPM. It is never checked here: whoever writes the whole folder anew, with their own
/// allowed_signers and attestation key, makes one in which all else holds. The fingerprints are told, for those who know the right ones.
pub(super) fn claim(folder: &CeremonyFolder, record: &Record) -> Result<Claim, VerifyError> {
    let mut known = record.genesis().map_or_else(Vec::new, of_genesis);
    if let Some(text) = read(folder, "allowed_signers")?
        && let Ok(allowed) = AllowedSigners::parse(&text)
    {
        let signers: BTreeSet<_> = allowed
            .keys()
            .iter()
            .map(|key| format!("{} {}", key.principals().join(","), key.key().fingerprint()))
            .collect();
        known.extend(signers);
    }
    let told = if known.is_empty() {
        "there are no keys to compare".to_owned()
    } else {
        format!(
            "whoever writes the whole folder anew names their own keys: compare these with those you know: {}",
            known.join("; ")
        )
    };
    Ok(not_checked(
        "trust",
        "the keys are those of the people, of the TPM and of the token that took part",
        "ssh-keygen -lf allowed_signers; openssl pkey -pubin -in ak.pem -outform DER | sha256sum; head -n 1 log.jsonl | grep -Eo '\"(ak-name|ek-certificate)\":\"[^\"]*\"'",
        &told,
    ))
}

fn of_genesis(genesis: &Genesis) -> Vec<String> {
    let Some(tpm) = &genesis.tpm else {
        return Vec::new();
    };
    let certificate = tpm.ek_certificate.as_ref().map_or_else(
        || "the TPM has no EK certificate".to_owned(),
        |digest| format!("EK certificate SHA-256 {digest}"),
    );
    vec![format!("AK Name {}", tpm.ak_name), certificate]
}
