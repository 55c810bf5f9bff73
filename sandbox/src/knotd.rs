//! An authoritative name server.

use std::fmt::Write;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use crate::daemon::Daemon;
use crate::loopback;

/// A port that needs no privilege.
const PORT: u16 = 5300;

/// A running Knot DNS, on a loopback address of its own, at port 5300, UDP and TCP. Dropping it ends the process.
pub struct Knotd {
    address: SocketAddr,
    folder: PathBuf,
    daemon: Option<Daemon>,
}

/// A zone that it serves.
#[derive(Clone, Copy, Debug)]
pub struct ServedZone<'a> {
    /// Its name, without the final dot; `.` for the root.
    pub name: &'a str,
    /// The zone file. It is served as it is, signed or not; a text that is no zone makes the server answer SERVFAIL.
    pub text: &'a str,
}

impl Knotd {
    /// Starts a server of these zones, whose files are in the folder `folder`, which is made if it is not there.
    pub fn start(folder: &Path, zones: &[ServedZone<'_>]) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let folder = fs::canonicalize(folder)?;
        loopback::somewhere(|host| {
            let host: IpAddr = host.parse().map_err(io::Error::other)?;
            let mut server = Self {
                address: (host, PORT).into(),
                folder: folder.clone(),
                daemon: None,
            };
            server.serve(zones)?;
            Ok(server)
        })
    }

    /// Serves these zones, and no others, at its address from now on: also one that was stopped.
    pub fn serve(&mut self, zones: &[ServedZone<'_>]) -> io::Result<()> {
        self.stop();
        let log = self.folder.join("knotd.log");
        // It is read to see which zones are loaded: not those of the last time.
        let _ = fs::remove_file(&log);
        let configuration = self.folder.join("knot.conf");
        fs::write(&configuration, self.configuration(zones)?)?;
        let arguments = ["-c".as_ref(), configuration.as_os_str()];
        let mut daemon = Daemon::start("knotd", &arguments, &[], &log)?;
        let address = self.address;
        daemon.wait_until("knotd", &log, || {
            let said = fs::read_to_string(&log).map_or_else(|_| String::new(), |said| said);
            let is_done = |zone: &ServedZone<'_>| {
                let label = format!("[{}.] ", zone.name.trim_end_matches('.'));
                ["loaded, serial", "zone event 'load' failed"]
                    .iter()
                    .any(|end| said.contains(&format!("{label}{end}")))
            };
            zones.iter().all(is_done) && TcpStream::connect(address).is_ok()
        })?;
        self.daemon = Some(daemon);
        Ok(())
    }

    fn configuration(&self, zones: &[ServedZone<'_>]) -> io::Result<String> {
        let folder = self.folder.display();
        for part in ["run", "db"] {
            fs::create_dir_all(self.folder.join(part))?;
        }
        let mut text = format!(
            "server:\n  listen: {}@{PORT}\n  rundir: {folder}/run\n  udp-workers: 1\n  tcp-workers: 1\n  \
             background-workers: 1\ndatabase:\n  storage: {folder}/db\nlog:\n  - target: stdout\n    any: info\nzone:\n",
            self.address.ip()
        );
        for (number, zone) in zones.iter().enumerate() {
            let file = self.folder.join(format!("{number}.zone"));
            fs::write(&file, zone.text)?;
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  - domain: {}\n    file: {}", zone.name, file.display());
        }
        Ok(text)
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it: connections are refused until it serves again.
    pub fn stop(&mut self) {
        self.daemon = None;
    }

    /// Stops it without ending it (SIGSTOP): it is there, and answers nobody until it serves again.
    pub fn freeze(&self) -> io::Result<()> {
        match self.daemon.as_ref().and_then(|daemon| Pid::from_raw(daemon.id())) {
            Some(process) => Ok(kill_process(process, Signal::STOP)?),
            None => Err(io::Error::other("knotd does not run")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = "@ 3600 SOA ns h 1 3600 600 604800 300\n@ NS ns\nns A 192.0.2.1\n";

    #[test]
    fn it_serves_what_it_is_told_at_one_address() {
        let folder = tempfile::tempdir().unwrap();
        let (cr, broken) = (
            ServedZone {
                name: "cr",
                text: ZONE,
            },
            ServedZone {
                name: "fi.cr",
                text: "",
            },
        );
        let mut server = Knotd::start(folder.path(), &[cr, broken]).unwrap();
        let address = server.address();
        let root = ServedZone {
            name: ".",
            text: ZONE,
        };
        server.serve(&[root]).unwrap();
        assert_eq!(server.address(), address);
        server.freeze().unwrap();
        server.stop();
        assert!(TcpStream::connect(address).is_err());
        assert!(server.freeze().is_err());
    }
}
