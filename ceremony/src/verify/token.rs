//! The signatures of the log's key in a token.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use key_metadata::verifies_as_openssl;

use super::VerifyError;
use super::claim::Claim;
use super::files::read;
use super::look::{Look, not_checked};
use super::record::Record;
use crate::log::{CeremonyFolder, names};

/// The claim about the token's signatures.
pub(super) fn claim(folder: &CeremonyFolder, record: &Record) -> Result<Claim, VerifyError> {
    let id = "token";
    let claim = "the log's key in the token signed each checkpoint";
    let command = format!(
        "for n in {}; do openssl dgst -sha256 -verify token.pem -signature checkpoint-$n.token.sig checkpoint-$n; done",
        record.numbers()
    );
    let Some(genesis) = record.genesis() else {
        return Ok(not_checked(id, claim, &command, "the log has no genesis"));
    };
    let Some(key) = &genesis.token else {
        return Ok(not_checked(id, claim, &command, "the log has no key in a token"));
    };
    if record.seals.is_empty() {
        return Ok(not_checked(id, claim, &command, "the log has no seal"));
    }
    let mut look = Look::default();
    let spki = BASE64_STANDARD
        .decode(&key.key)
        .map_or_else(|_| Vec::new(), |spki| spki);
    for sealed in &record.seals {
        look.at(sealed.line);
        let number = sealed.seal.checkpoint;
        let [checkpoint, signature] = [names::checkpoint(number), names::token(number)];
        match (read(folder, &checkpoint)?, read(folder, &signature)?) {
            (Some(checkpoint), Some(bytes)) if verifies_as_openssl(&spki, &checkpoint, &bytes) => {}
            (Some(_), Some(_)) => {
                let what = format!("{signature} is no signature of the token's key on {checkpoint}");
                look.fault_at(sealed.line, what);
            }
            (None, _) | (_, None) => {
                look.fault_at(sealed.line, format!("there is no {checkpoint} with {signature}"));
            }
        }
    }
    let seen = format!(
        "{} signatures of the key in token '{}'",
        record.seals.len(),
        key.token
    );
    Ok(look.claim(id, claim, &command, seen))
}
