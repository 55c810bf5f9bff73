//! Who takes part, with real keys of OpenSSH.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ceremony::log::{Person, names};
use ceremony::script::Seat;

/// The seats of the tests' script.
pub const SEATS: [(&str, &str, &str); 4] = [
    ("administrator-1", "Ana Solís", "AS"),
    ("officer-1", "Bo \"Bee\" Ruiz", "BR"),
    ("officer-2", "Cy Vega", "CV"),
    ("witness-1", "Di Mora", "DM"),
];

/// The folder with their keys.
pub struct Keys(PathBuf);

impl Keys {
    /// Has ssh-keygen make a key for each.
    pub fn make(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        for (index, (seat, ..)) in SEATS.iter().enumerate() {
            let kind = ["ed25519", "ecdsa", "ed25519", "rsa"][index];
            let status = Command::new("ssh-keygen")
                .args(["-q", "-t", kind, "-N", "", "-C", seat, "-f"])
                .arg(folder.join(seat))
                .status();
            assert!(status.unwrap().success());
        }
        Self(folder.to_owned())
    }

    pub fn allowed_signers(&self) -> String {
        let line = |(seat, ..): &(&str, &str, &str)| {
            let key = fs::read_to_string(self.0.join(format!("{seat}.pub"))).unwrap();
            let fields: Vec<_> = key.split(' ').collect();
            format!(
                "{} namespaces=\"{}\" {} {}\n",
                principal(seat),
                names::NAMESPACE,
                fields[0],
                fields[1]
            )
        };
        SEATS.iter().map(line).collect()
    }

    /// An armoured signature.
    pub fn sign(&self, seat: &Seat, message: &[u8]) -> Vec<u8> {
        let mut child = Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", names::NAMESPACE, "-f"])
            .arg(self.0.join(seat.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), message).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        output.stdout
    }
}

pub fn principal(seat: &str) -> String {
    format!("{seat}@nic.example")
}

pub fn people() -> Vec<Person> {
    let person = |(seat, name, initials): &(&str, &str, &str)| Person {
        seat: seat.parse().unwrap(),
        name: (*name).to_owned(),
        initials: (*initials).to_owned(),
        principal: Some(principal(seat)),
    };
    SEATS.iter().map(person).collect()
}
