//! Whether a site's metadata and its tokens agree, by our own libraries: in a process of its own, whose environment leads to the tokens.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use dnssec::{KeyPlace, Presence, SiteTokens};
use key_metadata::{CkaId, KeyState, PinSource, SiteFolder};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Every key of every zone is whole in its token and signs, or destroyed there too; nothing else is in the tokens but their log keys, and
/// nothing is pending.
pub fn judge(site: &Path) -> Outcome {
    let folder = SiteFolder::open(site)?;
    let mut tokens = SiteTokens::new(&folder);
    let mut names = Vec::new();
    for (name, token) in &folder.site().tokens {
        match &token.pin {
            Some(PinSource::Tpm(handle)) => {
                let pin = tokens.unseal(*handle)?;
                tokens.open(name, pin)?;
                names.push(name.clone());
            }
            // The TPM that seals the others' PINs has no keys.
            None => {}
            Some(_) => return Err(format!("the PIN of token '{name}' is not sealed").into()),
        }
    }
    let mut living = BTreeSet::new();
    for zone in folder.site().zones.keys() {
        // Reading verifies the history.
        let keys = folder.keys(zone)?;
        if !keys.pending().is_empty() {
            return Err(format!("{zone} has {} pending", keys.pending().len()).into());
        }
        for key in keys.keys() {
            let presence = tokens.presence_of(key)?;
            if key.state == KeyState::Destroyed {
                if presence != Presence::Absent {
                    return Err(
                        format!("{} of {zone} is destroyed, and {presence:?} in the token", key.id).into(),
                    );
                }
                continue;
            }
            if presence != Presence::Whole {
                return Err(format!("{} of {zone} is {presence:?} in the token", key.id).into());
            }
            tokens.signing_key(key)?.prove(&key.public_key, b"a proof")?;
            living.insert((tokens.token_of(key)?.clone(), key.id));
        }
    }
    for name in names {
        let found = tokens.keys_in(&name)?;
        if !found.unreadable.is_empty() || !found.of_other_tpms.is_empty() {
            return Err(format!("{:?} {:?}", found.unreadable, found.of_other_tpms).into());
        }
        for key in found.keys {
            let id = match key.place {
                KeyPlace::Pkcs11 { id: Some(id) } if id == CkaId::of_ceremony_log() => continue,
                KeyPlace::Pkcs11 { id } => id.and_then(|id| id.as_key_id()),
                KeyPlace::Tpm { id, .. } => id,
                KeyPlace::File { path, .. } => {
                    return Err(format!("{} is not of this site", path.display()).into());
                }
            };
            if !id.is_some_and(|id| living.contains(&(name.clone(), id))) {
                return Err(format!("token '{name}' has a key that nobody knows: {id:?}").into());
            }
        }
    }
    Ok(())
}
