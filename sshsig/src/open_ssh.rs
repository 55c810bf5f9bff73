//! OpenSSH's programs, and what can go wrong with them.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use key_metadata::Advice;

use crate::key::SignerKey;
use crate::verify::VerifyError;

/// Where OpenSSH's programs are looked for. `PATH` is not: who could put a folder there could sign anything.
const FOLDERS: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/bin"];

/// OpenSSH on this machine.
#[derive(Clone, Debug)]
pub struct OpenSsh {
    folder: PathBuf,
    agent: Option<PathBuf>,
    pub(crate) scratch: PathBuf,
}

/// What a program said on stderr.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Said(String);

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// OpenSSH is not there.
    #[error("no {program} in {}", FOLDERS.join(", "))]
    Missing {
        /// The program.
        program: &'static str,
    },
    /// A program cannot be started or spoken with.
    #[error("running {}", program.display())]
    Io {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The principal has no key for this, now.
    #[error("'{principal}' has no key in the allowed signers for namespace '{namespace}' now")]
    NoKey {
        /// The principal.
        principal: String,
        /// The namespace.
        namespace: String,
    },
    /// No agent.
    #[error("no ssh-agent answers")]
    NoAgent,
    /// An agent with other keys.
    #[error("the ssh-agent has none of the keys of '{principal}'")]
    NotInAgent {
        /// The principal.
        principal: String,
        /// Their fingerprints.
        fingerprints: Vec<String>,
    },
    /// No such file.
    #[error("the key file {} cannot be read", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A wrong passphrase or PIN, no touch, a file that is no key, an agent that refuses.
    #[error("ssh-keygen did not sign")]
    Refused {
        /// What it said.
        source: Said,
    },
    /// Ctrl-C.
    #[error("the signature was broken off")]
    Cancelled,
    /// What it gave is not a signature of the principal: it is thrown away.
    #[error("the signature of '{principal}' is not good, and is not kept")]
    NotGood {
        /// The principal.
        principal: String,
        /// The cause.
        source: VerifyError,
    },
}

impl Advice for SignError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some("on Debian: apt-get install openssh-client".to_owned()),
            Self::NoKey { .. } => {
                Some("see the principal's lines in allowed_signers: their namespaces and times".to_owned())
            }
            Self::NoAgent => Some("give the path of the key's file, or start ssh-agent first".to_owned()),
            Self::NotInAgent { fingerprints, .. } => Some(format!(
                "ssh-add the file of key {}, or give its path",
                fingerprints.join(" or ")
            )),
            Self::KeyFile { .. } => Some("give the path of the private key's file".to_owned()),
            Self::Refused { .. } => {
                Some("check the passphrase or PIN, and touch a security key when it blinks".to_owned())
            }
            Self::NotGood { source, .. } => source.hint(),
            Self::Io { .. } | Self::Cancelled => None,
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NoAgent | Self::NotInAgent { .. } | Self::Refused { .. } => true,
            Self::Missing { .. }
            | Self::Io { .. }
            | Self::NoKey { .. }
            | Self::KeyFile { .. }
            | Self::Cancelled
            | Self::NotGood { .. } => false,
        }
    }
}

impl OpenSsh {
    /// Finds the programs. `agent` is the ssh-agent's socket (what the user's `SSH_AUTH_SOCK` says), `scratch` a folder for a public key
    /// for as long as a signature takes.
    pub fn find(agent: Option<PathBuf>, scratch: PathBuf) -> Result<Self, SignError> {
        let mut folders = FOLDERS.iter().map(Path::new);
        let folder = folders.find(|folder| folder.join("ssh-keygen").is_file());
        let folder = folder.ok_or(SignError::Missing {
            program: "ssh-keygen",
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            agent,
            scratch,
        })
    }

    /// The keys that the agent has and that can sign here.
    pub fn agent_keys(&self) -> Result<Vec<SignerKey>, SignError> {
        let Some(agent) = &self.agent else {
            return Err(SignError::NoAgent);
        };
        let mut add = self.program("ssh-add");
        add.arg("-L").env("SSH_AUTH_SOCK", agent).stdin(Stdio::null());
        let output = add.output().map_err(|source| self.failed("ssh-add", source))?;
        match output.status.code() {
            Some(0) => {}
            // ssh-add(1): 1 when the command fails, here for want of a key, 2 when no agent can be asked.
            Some(1) => return Ok(Vec::new()),
            Some(_) => return Err(SignError::NoAgent),
            None => return Err(SignError::Cancelled),
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Has ssh-keygen sign what it gets on stdin. It asks for passphrase and PIN at /dev/tty, where nobody else reads.
    pub(crate) fn sign_with(
        &self,
        key: &Path,
        agent: Agent,
        namespace: &str,
        message: &[u8],
    ) -> Result<Vec<u8>, SignError> {
        let failed = |source| self.failed("ssh-keygen", source);
        let mut keygen = self.program("ssh-keygen");
        keygen.args(["-Y", "sign", "-n", namespace, "-f"]).arg(key);
        match (agent, &self.agent) {
            (Agent::Asked, Some(socket)) => {
                keygen.env("SSH_AUTH_SOCK", socket);
            }
            (Agent::Asked, None) | (Agent::NotAsked, Some(_) | None) => {}
        }
        keygen
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = keygen.spawn().map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that gave up early does not read: its exit code says so.
            match stdin.write_all(message) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(failed(error)),
                Ok(()) | Err(_) => {}
            }
        }
        let output = child.wait_with_output().map_err(failed)?;
        if output.status.success() {
            Ok(output.stdout)
        } else if output.status.signal().is_some() {
            Err(SignError::Cancelled)
        } else {
            Err(SignError::Refused {
                source: Said::of(&output),
            })
        }
    }

    /// Nothing of our environment goes along: it could name another program to ask for a passphrase or to speak with a security key.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join(name));
        command.env_clear().env("SSH_ASKPASS_REQUIRE", "never");
        command
    }

    fn failed(&self, name: &str, source: io::Error) -> SignError {
        SignError::Io {
            program: self.folder.join(name),
            source,
        }
    }
}

/// Whether the agent has a say.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Agent {
    /// It does.
    Asked,
    /// It does not: the file is meant.
    NotAsked,
}

impl Said {
    /// All lines but the one about standard input, as one.
    fn of(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stderr);
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("Signing data on"));
        let said: String = lines.collect::<Vec<_>>().join("; ");
        let said = said
            .chars()
            .filter(|letter| !letter.is_control())
            .take(500)
            .collect();
        Self(said)
    }
}

/// That a file is there and can be read, before ssh-keygen says it in other words.
pub(crate) fn readable(path: &Path) -> Result<(), SignError> {
    File::open(path).map(|_| ()).map_err(|source| SignError::KeyFile {
        path: path.to_owned(),
        source,
    })
}
