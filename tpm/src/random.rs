//! Random bytes of the TPM.

use secrecy::SecretSlice;
use tss_esapi::interface_types::session_handles::AuthSession;
use zeroize::Zeroizing;

use crate::command::CommandError;
use crate::engine::Engine;
use crate::session::Protect;
use crate::srk::SrkError;
use crate::tpm::Tpm;

impl Tpm {
    /// `length` bytes of the TPM's random number generator; they cross the bus encrypted.
    pub fn random(&self, length: usize) -> Result<SecretSlice<u8>, SrkError> {
        let mut engine = self.engine();
        // Before the SRK is there, a session is made for this call alone.
        match engine.salted() {
            Ok(session) => Ok(engine.random(session, length)?),
            Err(SrkError::Absent { .. }) => {
                let (mut engine, session) = engine.unrooted()?;
                Ok(engine.random(session, length)?)
            }
            Err(error) => Err(error),
        }
    }
}

impl Engine {
    fn random(&mut self, session: AuthSession, length: usize) -> Result<SecretSlice<u8>, CommandError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        while bytes.len() < length {
            // A TPM gives at most a digest's length at a time.
            let wanted = (length - bytes.len()).min(32);
            let drawn = self.run_in(session, Protect::Response, "TPM2_GetRandom", |context| {
                context.get_random(wanted)
            })?;
            bytes.extend_from_slice(&drawn);
        }
        Ok(SecretSlice::from(std::mem::take(&mut *bytes)))
    }
}
