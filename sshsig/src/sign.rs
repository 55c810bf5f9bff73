//! Having a person sign.

use std::io::Write;
use std::path::PathBuf;

use crate::open_ssh::{Agent, OpenSsh, SignError, readable};
use crate::verify::{Expected, Verified, verify};

/// Where a private key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// In a file; of a security key, its handle.
    File(PathBuf),
    /// With the ssh-agent.
    Agent,
}

/// A signature, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The armoured signature.
    pub armoured: Vec<u8>,
    /// What came of verifying it.
    pub verified: Verified,
}

impl OpenSsh {
    /// Has `ssh-keygen -Y sign` sign the message, and verifies what it gives: a signature that is not the principal's is never handed out.
    ///
    /// With a file, it asks for the passphrase at the terminal; a security key waits for a touch without saying so, which the caller
    /// must. With the agent, it is the first of the principal's keys that the agent has.
    pub fn sign(
        &self,
        expected: &Expected<'_>,
        place: &KeyPlace,
        message: &[u8],
    ) -> Result<Signed, SignError> {
        let armoured = match place {
            KeyPlace::File(path) => {
                readable(path)?;
                self.sign_with(path, Agent::NotAsked, expected.namespace, message)?
            }
            KeyPlace::Agent => self.sign_with_agent(expected, message)?,
        };
        match verify(expected, &armoured, message) {
            Ok(verified) => Ok(Signed { armoured, verified }),
            Err(source) => Err(SignError::NotGood {
                principal: expected.principal.to_owned(),
                source,
            }),
        }
    }

    fn sign_with_agent(&self, expected: &Expected<'_>, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let principal = expected.principal.to_owned();
        let usable = expected
            .allowed
            .usable_keys_of(expected.principal, expected.namespace, expected.at);
        if usable.is_empty() {
            return Err(SignError::NoKey {
                principal,
                namespace: expected.namespace.to_owned(),
            });
        }
        let held = self.agent_keys()?;
        let Some(key) = usable.iter().find(|allowed| held.contains(allowed.key())) else {
            return Err(SignError::NotInAgent {
                principal,
                fingerprints: usable.iter().map(|allowed| allowed.key().fingerprint()).collect(),
            });
        };
        // ssh-keygen takes a public key for one of the agent's, but only from a file.
        let file = tempfile::Builder::new().suffix(".pub").tempfile_in(&self.scratch);
        let file = file.and_then(|mut file| writeln!(file, "{}", key.key()).map(|()| file));
        let file = file.map_err(|source| SignError::Io {
            program: self.scratch.clone(),
            source,
        })?;
        self.sign_with(file.path(), Agent::Asked, expected.namespace, message)
    }
}
