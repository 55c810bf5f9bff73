//! What the genesis names: the script, who may sign, the keys.

use super::VerifyError;
use super::claim::Claim;
use super::files::{digest, pem, read};
use super::look::{Look, not_checked};
use super::record::Record;
use crate::log::CeremonyFolder;

const SCRIPT: (&str, &str, &str) = (
    "script",
    "script.yaml is the script of the ceremony",
    r#"sha256sum script.yaml; head -n 1 log.jsonl | grep -o '"script":"[0-9a-f]*"'"#,
);
const SIGNERS: (&str, &str, &str) = (
    "allowed-signers",
    "allowed_signers is the list of those who may sign",
    r#"sha256sum allowed_signers; head -n 1 log.jsonl | grep -o '"allowed-signers":"[0-9a-f]*"'"#,
);
const KEYS: (&str, &str, &str) = (
    "keys",
    "ak.pem and token.pem are the keys that the genesis names",
    r#"cat ak.pem token.pem; head -n 1 log.jsonl | grep -Eo '"(ak|key)":"[^"]*"'"#,
);

/// The claims about what the genesis names.
pub(super) fn claims(folder: &CeremonyFolder, record: &Record) -> Result<Vec<Claim>, VerifyError> {
    let Some(genesis) = record.genesis() else {
        let claims = [SCRIPT, SIGNERS, KEYS];
        return Ok(claims
            .map(|(id, claim, command)| not_checked(id, claim, command, "the log has no genesis"))
            .into());
    };
    let mut claims = Vec::new();
    for ((id, claim, command), name, named) in [
        (SCRIPT, "script.yaml", genesis.script),
        (SIGNERS, "allowed_signers", genesis.allowed_signers),
    ] {
        let mut look = Look::default();
        look.at(1);
        match digest(folder, name)? {
            None => look.fault(format!("there is no {name}")),
            Some(is) if is != named => look.fault(format!("{name} has {is}, and the genesis names {named}")),
            Some(_) => {}
        }
        claims.push(look.claim(id, claim, command, format!("SHA-256 {named}")));
    }
    let mut look = Look::default();
    look.at(1);
    let mut seen = Vec::new();
    let ak = genesis.tpm.as_ref().map(|tpm| tpm.ak.as_str());
    let token = genesis.token.as_ref().map(|token| token.key.as_str());
    for (name, key) in [("ak.pem", ak), ("token.pem", token)] {
        match (key, read(folder, name)?) {
            (None, None) => {}
            (None, Some(_)) => look.fault(format!("there is {name}, and the genesis names no such key")),
            (Some(_), None) => look.fault(format!("there is no {name}")),
            (Some(key), Some(bytes)) => {
                if pem(key).is_none_or(|pem| pem.as_bytes() != bytes) {
                    look.fault(format!("{name} is not the key of the genesis"));
                }
                seen.push(name);
            }
        }
    }
    let (id, claim, command) = KEYS;
    claims.push(if seen.is_empty() && look.is_clean() {
        not_checked(
            id,
            claim,
            command,
            "the genesis names no TPM and no token: the log is unanchored",
        )
    } else {
        look.claim(id, claim, command, seen.join(", "))
    });
    Ok(claims)
}
