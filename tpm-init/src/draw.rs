//! Random bytes for what nobody shall know.

use cli::{Exit, Failure, Outcome};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tpm::{AuthValue, Tpm};
use zeroize::Zeroizing;

/// 32 bytes of the TPM's and the system's generator together: as good as the better of the two.
pub fn draw(tpm: &Tpm, purpose: &str) -> Outcome<Zeroizing<[u8; 32]>> {
    let mut mixed = Sha256::new();
    mixed.update(purpose.as_bytes());
    mixed.update(*system()?);
    mixed.update(tpm.random(32)?.expose_secret());
    Ok(Zeroizing::new(<[u8; 32]>::from(mixed.finalize())))
}

/// An auth value of 32 bytes. A TPM drops zero bytes at its end, so one that ends so is drawn again.
pub fn draw_auth(tpm: &Tpm) -> Outcome<AuthValue> {
    loop {
        let bytes = draw(tpm, "keyrite auth v1")?;
        if bytes.last() != Some(&0) {
            return Ok(AuthValue::new(Zeroizing::new(bytes.to_vec()))?);
        }
    }
}

/// 32 bytes of the system's generator.
pub fn system() -> Outcome<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)
        .map_err(|error| Failure::of(Exit::Failed, &error).within("the system's generator failed"))?;
    Ok(bytes)
}
