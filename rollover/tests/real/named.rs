//! named, with a zone and a dnssec-policy.

use std::fs;
use std::path::{Path, PathBuf};

use key_metadata::{Span, Time};

use crate::daemon::{Daemon, free_port, run, until};

/// A running named. Its zones' files and keys are in folders of the zones' names.
pub struct Named {
    folder: PathBuf,
    log: PathBuf,
    pub port: u16,
    _daemon: Daemon,
}

const KEY: &str = "key \"k\" { algorithm hmac-sha256; secret \"dGhlIHRlc3QncyBvd24gc2VjcmV0\"; };\n";

impl Named {
    /// Starts it with those zones, each with the text of its dnssec-policy and the TTL of its records.
    pub fn start(folder: &Path, zones: &[(&str, &str, u32)]) -> Self {
        let folder = fs::canonicalize(folder).unwrap();
        let (port, control) = (free_port(), free_port());
        let shown = folder.display();
        let mut text = format!(
            "options {{ directory \"{shown}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
             pid-file none; session-keyfile \"{shown}/session.key\"; recursion no; notify no; }};\n{KEY}\
             controls {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ \"k\"; }}; }};\n"
        );
        for (zone, policy, ttl) in zones {
            let home = folder.join(zone);
            fs::create_dir(&home).unwrap();
            let records = "@ SOA ns h 1 3600 900 604800 1\n@ NS ns\nns A 127.0.0.1\n";
            fs::write(home.join("db"), format!("$TTL {ttl}\n{records}")).unwrap();
            let home = home.display();
            text += &format!(
                "dnssec-policy \"{zone}\" {{\n{policy}}};\nzone \"{zone}\" {{ type primary; file \"{home}/db\"; inline-signing yes;\n\
                 dnssec-policy \"{zone}\"; key-directory \"{home}\"; }};\n"
            );
        }
        fs::write(folder.join("named.conf"), text).unwrap();
        let rndc = format!(
            "{KEY}options {{ default-key \"k\"; default-server 127.0.0.1; default-port {control}; }};\n"
        );
        fs::write(folder.join("rndc.conf"), rndc).unwrap();
        let log = folder.join("named.log");
        let argv = ["named", "-g", "-n", "1", "-c", "named.conf"];
        let daemon = Daemon::start("bind9", &folder, &log, &argv);
        let named = Self {
            folder,
            log,
            port,
            _daemon: daemon,
        };
        for (zone, ..) in zones {
            named.key_event(zone, 0);
        }
        named
    }

    /// The folder with the keys of a zone.
    pub fn keys(&self, zone: &str) -> PathBuf {
        self.folder.join(zone)
    }

    pub fn rndc(&self, argv: &[&str]) -> String {
        run(
            "bind9",
            &self.folder,
            &[&["rndc", "-c", "rndc.conf"], argv].concat(),
        )
    }

    /// How often named has looked at a zone's keys.
    pub fn looks(&self, zone: &str) -> usize {
        self.events(zone).len()
    }

    /// When named is to look at a zone's keys next, once it has looked more often than that.
    pub fn key_event(&self, zone: &str, looks: usize) -> Time {
        until("a look at the keys", &self.log, || {
            let events = self.events(zone);
            events.get(looks)?;
            events.last().copied()
        })
    }

    fn events(&self, zone: &str) -> Vec<Time> {
        let log = fs::read_to_string(&self.log).unwrap();
        let mark = format!("zone {zone}/IN (signed): next key event: ");
        let times = log.lines().filter_map(|line| line.split_once(&mark));
        times.map(|(_, time)| logged(time)).collect()
    }
}

/// `29-Nov-2026 20:28:23.447`, to the second above.
fn logged(text: &str) -> Time {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (day, rest) = text.split_once('-').unwrap();
    let (month, rest) = rest.split_once('-').unwrap();
    let (year, clock) = rest.split_once(' ').unwrap();
    let month = MONTHS.iter().position(|name| *name == month).unwrap() + 1;
    let clock = clock.split('.').next().unwrap();
    let time: Time = format!("{year}-{month:02}-{day}T{clock}Z").parse().unwrap();
    time.after(Span::from_seconds(1))
}
