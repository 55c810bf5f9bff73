//! PINs that nobody knows: drawn at random, and sealed in the TPM before they are set anywhere.

use cli::{Exit, Failure, Outcome};
use key_metadata::TpmHandle;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tpm::{AuthValue, Guard, PersistentKind, Tpm};
use zeroize::Zeroizing;

/// The length of a PIN that is drawn, in hex digits, unless its token takes only a shorter one: 128 bits.
const LENGTH: usize = 32;

/// What came of sealing a PIN.
pub struct Sealed {
    /// The PIN.
    pub pin: SecretString,
    /// Whether it was drawn now; otherwise an earlier run had sealed it.
    pub new: bool,
    /// What guards it in the TPM.
    pub guard: Option<Guard>,
}

/// The PIN that is sealed at `handle`; if there is none, one of at most `longest` bytes is drawn and sealed there, read back, and only then
/// given.
pub fn sealed_pin(
    tpm: &Tpm,
    handle: TpmHandle,
    longest: usize,
    owner_auth: Option<&AuthValue>,
    what: &str,
) -> Outcome<Sealed> {
    match tpm.persistent_kind(handle)? {
        Some(PersistentKind::SealedData) => {
            return Ok(Sealed {
                pin: tpm.unseal(handle)?,
                new: false,
                guard: tpm.guard(handle)?,
            });
        }
        Some(kind @ (PersistentKind::StorageKey | PersistentKind::SigningKey | PersistentKind::OtherKey)) => {
            let failure = Failure::new(
                Exit::Failed,
                format!("{what} is to be sealed at {handle}, but {kind} is there"),
            );
            return Err(
                failure.hint("name a free handle in site.yaml; nothing of others is evicted".to_owned())
            );
        }
        None => {}
    }
    let pin = draw(tpm, LENGTH.min(longest))?;
    tpm.seal(&pin, handle, owner_auth)?;
    let read_back = tpm.unseal(handle)?;
    if read_back.expose_secret() != pin.expose_secret() {
        return Err(Failure::new(
            Exit::PartWay,
            format!("the TPM does not give back what was sealed at {handle}"),
        ));
    }
    Ok(Sealed {
        pin,
        new: true,
        guard: tpm.guard(handle)?,
    })
}

/// A PIN of the TPM's and the system's generator together: as good as the better of the two.
fn draw(tpm: &Tpm, length: usize) -> Outcome<SecretString> {
    let mut system = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *system)
        .map_err(|error| Failure::of(Exit::Failed, &error).within("the system's generator failed"))?;
    let mut mixed = Sha256::new();
    mixed.update(b"keyrite PIN v1");
    mixed.update(*system);
    mixed.update(tpm.random(32)?.expose_secret());
    let digest = Zeroizing::new(<[u8; 32]>::from(mixed.finalize()));
    let digits = Zeroizing::new(hex::encode(*digest));
    Ok(digits.chars().take(length).collect::<String>().into())
}
