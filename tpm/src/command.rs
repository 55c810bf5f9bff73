//! What can go wrong with any command.

use key_metadata::{Advice, Tcti};

use crate::response::{FAILURE, LOCKOUT, NO_SLOT, ResponseCode};

/// Why a command failed, whatever it was for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Too many wrong auth values: even the right one is refused (TPM_RC_LOCKOUT, 0x921).
    #[error("the TPM at {tcti} is locked after too many wrong auth values")]
    Lockout {
        /// The TPM.
        tcti: Tcti,
        /// The time after which it forgives one try, in seconds; `None` if it does not say.
        interval: Option<u32>,
    },
    /// The TPM, or the daemon in front of it, went away.
    #[error("the TPM at {tcti} does not answer {command}")]
    Gone {
        /// The TPM.
        tcti: Tcti,
        /// The command.
        command: &'static str,
        /// What the transport said.
        source: ResponseCode,
    },
    /// Nothing but a reset and a repair helps (TPM_RC_FAILURE, 0x101).
    #[error("the TPM at {tcti} is in failure mode")]
    FailureMode {
        /// The TPM.
        tcti: Tcti,
    },
    /// The TPM's slots for objects or sessions are taken.
    #[error("the TPM at {tcti} has no room for {command}")]
    NoRoom {
        /// The TPM.
        tcti: Tcti,
        /// The command.
        command: &'static str,
        /// Which slot is missing.
        source: ResponseCode,
    },
    /// Anything else.
    #[error("the TPM at {tcti} refused {command}")]
    Refused {
        /// The TPM.
        tcti: Tcti,
        /// The command.
        command: &'static str,
        /// The response.
        source: ResponseCode,
    },
}

impl CommandError {
    pub(crate) fn new(tcti: &Tcti, command: &'static str, source: ResponseCode) -> Self {
        let tcti = tcti.clone();
        match source.base() {
            Some(LOCKOUT) => Self::Lockout { tcti, interval: None },
            Some(FAILURE) => Self::FailureMode { tcti },
            Some(base) if NO_SLOT.contains(&base) => Self::NoRoom {
                tcti,
                command,
                source,
            },
            Some(_) if source.is_transport() => Self::Gone {
                tcti,
                command,
                source,
            },
            Some(_) | None => Self::Refused {
                tcti,
                command,
                source,
            },
        }
    }

    /// Whether the TPM refused with that code, its handle, session or parameter number left out.
    pub(crate) fn is(&self, base: u32) -> bool {
        match self {
            Self::Refused { source, .. } | Self::NoRoom { source, .. } | Self::Gone { source, .. } => {
                source.is(base)
            }
            Self::Lockout { .. } => base == LOCKOUT,
            Self::FailureMode { .. } => base == FAILURE,
        }
    }
}

impl Advice for CommandError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Lockout { interval, .. } => {
                let wait = interval.map_or("some time".to_owned(), |seconds| format!("{seconds} s"));
                Some(format!(
                    "try nothing for {wait}, or have the lockout auth lift it: keyrite-tpm-init provision"
                ))
            }
            Self::Gone { tcti, .. } => Some(reach(tcti)),
            Self::FailureMode { .. } => Some(
                "power the machine off and on; if it stays so, the TPM is broken: restore the backup"
                    .to_owned(),
            ),
            Self::NoRoom { tcti, .. } => Some(format!(
                "another program left its handles in the TPM: tpm2_flushcontext -t, -l and -s with TPM2TOOLS_TCTI={tcti} \
                 clear them; a resource manager (/dev/tpmrm0, tpm2-abrmd) prevents it"
            )),
            Self::Refused { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Lockout { .. } | Self::Gone { .. } | Self::FailureMode { .. } => true,
            Self::NoRoom { .. } | Self::Refused { .. } => false,
        }
    }

    fn is_absence(&self) -> bool {
        match self {
            Self::Gone { .. } | Self::FailureMode { .. } => true,
            // Whoever tries on makes the lockout longer.
            Self::Lockout { .. } => false,
            Self::NoRoom { .. } | Self::Refused { .. } => false,
        }
    }
}

/// What it takes to reach the TPM, by kind of TCTI.
pub(crate) fn reach(tcti: &Tcti) -> String {
    let kind = tcti
        .as_str()
        .split_once(':')
        .map_or(tcti.as_str(), |(kind, _)| kind);
    match kind {
        "device" if tcti.as_str().ends_with("/tpm0") => {
            "use /dev/tpmrm0: /dev/tpm0 serves one program at a time, and has no resource manager"
        }
        "device" => {
            "check that the device exists and that you may open it: its group is tss (usermod -aG tss USER)"
        }
        "tabrmd" => {
            "check that tpm2-abrmd runs, and libtss2-tcti-tabrmd0 is installed: systemctl status tpm2-abrmd"
        }
        _ => "check that swtpm runs there, with its control port one above the port",
    }
    .to_owned()
}
