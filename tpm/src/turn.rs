//! Taking turns at a TPM that nobody manages.
//!
//! A software TPM has three slots for objects and three for sessions, and no resource manager that swaps them. Programs that use it at the
//! same time fill them and fail. So one program of ours uses it at a time, and the others wait. A device has the kernel's resource manager,
//! or is exclusive by itself.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::thread::sleep;
use std::time::Duration;

use key_metadata::Tcti;

/// How often a busy TPM is tried again, and the pause between: half a minute in all.
const TRIES: u32 = 600;
const PAUSE: Duration = Duration::from_millis(50);

/// Held while a TPM is used; it ends with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Turn {
    _socket: Option<UnixListener>,
}

/// Waits for the turn at that TPM; `None` when it did not come.
///
/// The turn is an abstract socket named for the TPM: only one process can have it, and the kernel takes it back. Where the system has
/// none, nobody waits.
pub(crate) fn wait_for_turn(tcti: &Tcti) -> Option<Turn> {
    const FREE: Turn = Turn { _socket: None };
    if !tcti.as_str().starts_with("swtpm:") && !tcti.as_str().starts_with("mssim:") {
        return Some(FREE);
    }
    let Ok(address) = SocketAddr::from_abstract_name(format!("keyrite-{tcti}")) else {
        return Some(FREE);
    };
    for _ in 0..TRIES {
        match UnixListener::bind_addr(&address) {
            Ok(socket) => {
                return Some(Turn {
                    _socket: Some(socket),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => sleep(PAUSE),
            Err(_) => return Some(FREE),
        }
    }
    None
}
