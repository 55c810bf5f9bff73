//! The ceremony before.

use key_metadata::Digest;

use super::VerifyError;
use super::claim::Claim;
use super::files::read;
use super::look::{Look, not_checked};
use super::record::Record;
use crate::log::{CeremonyFolder, names};

/// The claim that the log goes on from the one before, whose folder may be given.
pub(super) fn claim(record: &Record, previous: Option<&CeremonyFolder>) -> Result<Claim, VerifyError> {
    let id = "previous";
    let claim = "the log goes on from the last checkpoint of the ceremony before";
    let command = r#"sha256sum PREVIOUS/checkpoint-*; head -n 1 log.jsonl | grep -o '"previous":.*'"#;
    let Some(genesis) = record.genesis() else {
        return Ok(not_checked(id, claim, command, "the log has no genesis"));
    };
    let (named, folder) = match (&genesis.previous, previous) {
        (None, None) => {
            let why =
                "the genesis says that this is the site's first ceremony; nothing in this folder shows it";
            return Ok(not_checked(id, claim, command, why));
        }
        (Some(named), None) => {
            let why = format!(
                "it names {} of {}, whose folder was not given",
                named.checkpoint, named.log
            );
            return Ok(not_checked(id, claim, command, &why));
        }
        (None, Some(_)) => {
            let mut look = Look::default();
            look.fault_at(1, "the genesis says that this is the site's first ceremony");
            return Ok(look.claim(id, claim, command, String::new()));
        }
        (Some(named), Some(folder)) => (named, folder),
    };
    let mut look = Look::default();
    look.at(1);
    let before = Record::read(folder)?;
    match (before.genesis(), before.seals.last()) {
        (Some(earlier), Some(sealed)) => {
            if earlier.log != named.log {
                look.fault_at(
                    1,
                    format!("the folder is of {}, not of {}", earlier.log, named.log),
                );
            }
            let checkpoint = read(folder, &names::checkpoint(sealed.seal.checkpoint))?;
            if checkpoint.is_none_or(|bytes| Digest::of(&bytes) != named.checkpoint) {
                look.fault_at(1, format!("its last checkpoint is not {}", named.checkpoint));
            }
            if let (Some(then), Some(now)) = (&earlier.tpm, &genesis.tpm)
                && then.ak_name == now.ak_name
            {
                if sealed.log_value != Some(now.log_value) {
                    look.fault_at(
                        1,
                        "the TPM's index held something else than the log before left in it",
                    );
                }
                let counter = sealed.seal.tpm.as_ref().map(|state| state.counter);
                if counter != Some(now.counter) {
                    let counter = counter.map_or(0, |counter| counter);
                    look.fault_at(
                        1,
                        format!(
                            "the TPM's counter went from {counter} to {} between the two",
                            now.counter
                        ),
                    );
                }
            }
        }
        (_, _) => look.fault("the folder of the ceremony before has no log with a genesis and a seal"),
    }
    let seen = format!("{}, checkpoint {}", named.log, named.checkpoint);
    Ok(look.claim(id, claim, command, seen))
}
