//! PINs that nobody knows: drawn at random, and sealed in the TPM before they are set anywhere.

use cli::{Exit, Failure, Outcome};
use key_metadata::TpmHandle;
use secrecy::{ExposeSecret, SecretString};
use tpm::{AuthValue, Guard, PersistentKind, Tpm};
use zeroize::Zeroizing;

use crate::draw::draw;

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

impl Sealed {
    /// How it is kept, in words.
    pub fn kept(&self, handle: TpmHandle) -> String {
        let how = if self.new {
            "drawn at random and sealed"
        } else {
            "is sealed already"
        };
        match self.guard {
            Some(Guard::Policy(_)) if self.new => format!(
                "{how} at {handle}, under the PCR policy, of which an update was simulated on PCR 16 and survived"
            ),
            Some(Guard::Policy(_)) => format!("{how} at {handle}, under the PCR policy"),
            Some(Guard::Lockout | Guard::Unseal) | None => format!("{how} at {handle}"),
        }
    }
}

/// The PIN that is sealed at `handle`, if there is one; anything else that is there is refused.
pub fn sealed_already(tpm: &Tpm, handle: TpmHandle, what: &str) -> Outcome<Option<SecretString>> {
    match tpm.persistent_kind(handle)? {
        None => Ok(None),
        Some(PersistentKind::SealedData) => Ok(Some(tpm.unseal(handle)?)),
        Some(kind @ (PersistentKind::StorageKey | PersistentKind::SigningKey | PersistentKind::OtherKey)) => {
            let failure = Failure::new(
                Exit::Failed,
                format!("{what} is to be sealed at {handle}, but {kind} is there"),
            );
            Err(failure.hint("name a free handle; nothing of others is evicted".to_owned()))
        }
    }
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
    if let Some(pin) = sealed_already(tpm, handle, what)? {
        let guard = tpm.guard(handle)?;
        return Ok(Sealed {
            pin,
            new: false,
            guard,
        });
    }
    // Under a PCR policy: approved for now, or nobody could unseal it; and an update is seen to be survived.
    if let Some(access) = tpm.pcr_policy() {
        tpm.check_approval(&access)?;
        tpm.simulate_update()?;
    }
    let pin = draw_pin(tpm, LENGTH.min(longest))?;
    tpm.seal(&pin, handle, owner_auth)?;
    let read_back = tpm.unseal(handle)?;
    if read_back.expose_secret() != pin.expose_secret() {
        return Err(Failure::new(
            Exit::PartWay,
            format!("the TPM does not give back what was sealed at {handle}"),
        ));
    }
    let guard = tpm.guard(handle)?;
    Ok(Sealed {
        pin,
        new: true,
        guard,
    })
}

/// A PIN of that many hex digits.
fn draw_pin(tpm: &Tpm, length: usize) -> Outcome<SecretString> {
    let digits = Zeroizing::new(hex::encode(*draw(tpm, "keyrite PIN v1")?));
    Ok(digits.chars().take(length).collect::<String>().into())
}
