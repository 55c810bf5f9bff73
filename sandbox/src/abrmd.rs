//! The resource manager between a TPM and programs that expect one.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::daemon::Daemon;
use crate::swtpm::Swtpm;

/// tpm2-abrmd over a [`Swtpm`], on a message bus of its own. Drop it before the TPM.
///
/// tpm2-pkcs11 needs it: on a bare swtpm, which has three object slots, it runs out of them after a key generation or two.
pub struct Abrmd {
    bus: String,
    _abrmd: Daemon,
    _dbus: Daemon,
}

impl Abrmd {
    /// The TCTI configuration that reaches it, given [`Self::bus`] in `DBUS_SESSION_BUS_ADDRESS`.
    pub const TCTI: &str = "tabrmd:bus_type=session";

    /// Starts the bus and the resource manager; the socket and the logs are in `folder`, whose path is short (a socket's has 107 bytes).
    pub fn start(folder: &Path, swtpm: &Swtpm) -> io::Result<Self> {
        let folder = std::fs::canonicalize(folder)?;
        let socket = folder.join("bus");
        let bus = format!("unix:path={}", socket.display());
        let log = folder.join("abrmd.log");
        let address = format!("--address={bus}");
        let arguments = ["--session", "--nofork", "--nopidfile", "--nosyslog", &address];
        let mut dbus = Daemon::start("dbus-daemon", &arguments.map(AsRef::as_ref), &[], &log)?;
        dbus.wait_until("dbus-daemon", &log, || socket.exists())?;
        let tcti = format!("--tcti={}", swtpm.tcti());
        // tpm2-pkcs11 keeps every key that it made or used loaded; the default of 27 objects is a dozen zones.
        let arguments = ["--session", "--allow-root", "--max-transients=100", &tcti];
        let environment = [("DBUS_SESSION_BUS_ADDRESS", bus.as_str())];
        let mut abrmd = Daemon::start("tpm2-abrmd", &arguments.map(AsRef::as_ref), &environment, &log)?;
        abrmd.wait_until("tpm2-abrmd", &log, || answers(&bus))?;
        Ok(Self {
            bus,
            _abrmd: abrmd,
            _dbus: dbus,
        })
    }

    /// The address of the bus.
    pub fn bus(&self) -> &str {
        &self.bus
    }
}

/// Whether a program on that bus reaches the TPM.
fn answers(bus: &str) -> bool {
    Command::new("tpm2_getcap")
        .arg("properties-variable")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TPM2TOOLS_TCTI", Abrmd::TCTI)
        .env("DBUS_SESSION_BUS_ADDRESS", bus)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
