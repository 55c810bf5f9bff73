//! Random bytes of the TPM.

use key_metadata::Tcti;
use secrecy::SecretSlice;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::Digest;
use tss_esapi::{Error, WrapperErrorKind};
use zeroize::Zeroizing;

use crate::command::CommandError;
use crate::engine::Engine;
use crate::response::ResponseCode;
use crate::session::Protect;
use crate::srk::SrkError;
use crate::tpm::Tpm;

const COMMAND: &str = "TPM2_GetRandom";

/// Bytes to ask for at once: no TPM2B_DIGEST holds more (SHA-512). A TPM whose largest digest is shorter gives fewer
/// (TPM 2.0 part 3, 16.1).
const AT_ONCE: usize = 64;

impl Tpm {
    /// `length` bytes of the TPM's random number generator; they cross the bus encrypted.
    pub fn random(&self, length: usize) -> Result<SecretSlice<u8>, SrkError> {
        let mut engine = self.engine();
        // Before the SRK is there, a session is made for this call alone.
        let mut bytes = match engine.salted() {
            Ok(session) => engine.random_in(session, length)?,
            Err(SrkError::Absent { .. }) => {
                let (mut engine, session) = engine.unrooted()?;
                engine.random_in(session, length)?
            }
            Err(error) => return Err(error),
        };
        Ok(SecretSlice::from(std::mem::take(&mut *bytes)))
    }

    /// `length` bytes of the TPM's random number generator that serve to test it, and nothing else: they cross the bus in the clear.
    ///
    /// Without a session, 64 KiB of swtpm take 0.1 s; in one they would take 2.5 s.
    pub fn throwaway_random(&self, length: usize) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let mut engine = self.engine();
        let tcti = engine.tcti.clone();
        collect(&tcti, length, |wanted| {
            engine.run(COMMAND, None, |context| context.get_random(wanted))
        })
    }
}

impl Engine {
    fn random_in(&mut self, session: AuthSession, length: usize) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let tcti = self.tcti.clone();
        collect(&tcti, length, |wanted| {
            self.run_in(session, Protect::Response, COMMAND, |context| {
                context.get_random(wanted)
            })
        })
    }
}

/// Draws until `length` bytes are there. A TPM may give fewer than are wanted at a time, but not none: it would be asked forever.
fn collect(
    tcti: &Tcti,
    length: usize,
    mut draw: impl FnMut(usize) -> Result<Digest, CommandError>,
) -> Result<Zeroizing<Vec<u8>>, CommandError> {
    // With its full capacity from the start, it never moves, and leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    while bytes.len() < length {
        let wanted = (length - bytes.len()).min(AT_ONCE);
        let drawn = draw(wanted)?;
        if !(1..=wanted).contains(&drawn.len()) {
            let wrong = Error::WrapperError(WrapperErrorKind::WrongValueFromTpm);
            return Err(CommandError::new(tcti, COMMAND, ResponseCode::of(wrong)));
        }
        bytes.extend_from_slice(&drawn);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Collects from a TPM that gives so many bytes at a time, whatever is wanted.
    fn collect_by(given: usize, length: usize) -> Result<usize, CommandError> {
        let tcti = "device:/dev/tpmrm0".parse().unwrap();
        let bytes = collect(&tcti, length, |_| Ok(vec![7; given].try_into().unwrap()))?;
        Ok(bytes.len())
    }

    #[test]
    fn a_tpm_that_gives_few_bytes_is_asked_again_and_one_that_gives_none_is_not() {
        assert_eq!(collect_by(20, 60).unwrap(), 60);
        assert_eq!(collect_by(64, 128).unwrap(), 128);
        assert_eq!(collect_by(0, 0).unwrap(), 0);
        for (given, length) in [(0, 1), (20, 30), (64, 63)] {
            let error = collect_by(given, length).unwrap_err();
            assert!(matches!(error, CommandError::Refused { .. }), "{error}");
        }
    }
}
