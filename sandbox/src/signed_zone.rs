//! A zone that BIND's tools signed.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// A zone, signed by a KSK and a ZSK of its own (ECDSA P-256), for 30 days from an hour ago.
pub struct SignedZone {
    /// The zone file, one record a line, with absolute names.
    pub text: String,
    /// The DS record of the KSK with SHA-256, without a TTL, as a line.
    pub ds: String,
    /// The DNSKEY record of the KSK, as a line.
    pub ksk: String,
    /// The DNSKEY record of the ZSK, as a line.
    pub zsk: String,
}

impl SignedZone {
    /// Makes keys for the zone `name` in the folder `folder`, which is made, and signs `text` with them. `name` has no final dot.
    pub fn make(folder: &Path, name: &str, text: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let key = |flag: &[&str]| {
            let arguments = [&["-q", "-a", "ECDSAP256SHA256", "-L", "3600"], flag, &[name]].concat();
            let file = tool("dnssec-keygen", folder, &arguments)?;
            Ok::<_, io::Error>(format!("{}.key", file.trim()))
        };
        let (ksk, zsk) = (key(&["-f", "KSK"])?, key(&[])?);
        fs::write(folder.join("unsigned"), text)?;
        // -x: the KSK alone signs the DNSKEY RRset.
        let options = [
            "-S", "-x", "-q", "-O", "full", "-o", name, "-f", "signed", "unsigned",
        ];
        tool("dnssec-signzone", folder, &options)?;
        let record = |file: &str| -> io::Result<String> {
            let text = fs::read_to_string(folder.join(file))?;
            let record = text.lines().find(|line| !line.starts_with(';'));
            Ok(format!("{}\n", record.map_or("", |record| record)))
        };
        Ok(Self {
            text: fs::read_to_string(folder.join("signed"))?,
            ds: tool("dnssec-dsfromkey", folder, &["-2", &ksk])?,
            ksk: record(&ksk)?,
            zsk: record(&zsk)?,
        })
    }
}

fn tool(program: &str, folder: &Path, arguments: &[&str]) -> io::Result<String> {
    let mut command = Command::new(program);
    let output = command.current_dir(folder).args(arguments).output();
    let output = output
        .map_err(|error| io::Error::new(error.kind(), format!("{program} (Debian: bind9-utils): {error}")))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(io::Error::other);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{program}: {said}")))
}
