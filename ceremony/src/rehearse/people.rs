//! People who are not there: a name, initials and a key for every seat of a script.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::log::names::NAMESPACE;
use crate::script::{Script, Seat};

/// One first name for each letter, so that initials differ; fictitious.
const FIRST_NAMES: [&str; 26] = [
    "Ana", "Beto", "Carla", "Diego", "Elena", "Fabio", "Gloria", "Hugo", "Irene", "Jorge", "Karla", "Luis",
    "Marta", "Nora", "Oscar", "Paula", "Quique", "Rosa", "Saul", "Teresa", "Ursula", "Victor", "Wendy",
    "Ximena", "Yadira", "Zoe",
];
/// The last name of everybody says what they are; from the 27th on, a second one keeps the initials apart.
const LAST_NAME: &str = "Rehearsal";
/// What makes their keys, of Debian's package openssh-client.
const SSH_KEYGEN: &str = "/usr/bin/ssh-keygen";

/// Somebody who takes part in a rehearsal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    /// The seat.
    pub seat: Seat,
    /// The name.
    pub name: String,
    /// The initials.
    pub initials: String,
}

/// One for each seat of the script, in the order of its roles.
pub fn cast(script: &Script) -> Vec<Extra> {
    let seats = script.roles.keys().flat_map(|role| script.seats_of(role));
    seats
        .enumerate()
        .map(|(index, seat)| {
            let first = FIRST_NAMES[index % FIRST_NAMES.len()];
            let letter = first.chars().take(1).collect::<String>();
            let round = index / FIRST_NAMES.len();
            let second = FIRST_NAMES[round % FIRST_NAMES.len()];
            let (name, middle) = if round == 0 {
                (format!("{first} {LAST_NAME}"), "")
            } else {
                (format!("{first} {second} {LAST_NAME}"), second)
            };
            let middle = middle.chars().take(1).collect::<String>();
            Extra {
                seat,
                name,
                initials: format!("{letter}{middle}R"),
            }
        })
        .collect()
}

/// The role whose seats are custodians of backups: keyrite-backup knows each by the name of the seat.
const CUSTODIAN: &str = "custodian";
/// What custodians sign besides checkpoints: proofs of their shares, in the namespace of `keyrite-backup prove`.
const PROOFS: &str = "drill@keyrite";

/// The principal of a seat in a rehearsal's allowed_signers.
pub fn principal(seat: &Seat) -> String {
    match is_custodian(seat) {
        true => seat.to_string(),
        false => format!("{seat}@rehearsal"),
    }
}

fn is_custodian(seat: &Seat) -> bool {
    seat.role().as_str() == CUSTODIAN
}

/// Where the private key of a seat is.
pub fn key_file(folder: &Path, seat: &Seat) -> PathBuf {
    folder.join(seat.to_string())
}

/// Makes an Ed25519 key for each of them in `folder`, and gives the text of allowed_signers.
pub fn make_keys(folder: &Path, cast: &[Extra]) -> io::Result<String> {
    fs::create_dir_all(folder)?;
    let mut allowed = String::new();
    for Extra { seat, .. } in cast {
        let file = key_file(folder, seat);
        make_key(&file, &principal(seat))?;
        let public = fs::read_to_string(file.with_extension("pub"))?;
        // The comment is left out: the principal is in front.
        let key: Vec<&str> = public.split_whitespace().take(2).collect();
        let namespaces = match is_custodian(seat) {
            true => format!("{NAMESPACE},{PROOFS}"),
            false => NAMESPACE.to_owned(),
        };
        let line = format!(
            "{} namespaces=\"{namespaces}\" {}\n",
            principal(seat),
            key.join(" ")
        );
        allowed.push_str(&line);
    }
    Ok(allowed)
}

fn make_key(file: &Path, comment: &str) -> io::Result<()> {
    let output = Command::new(SSH_KEYGEN)
        .args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"])
        .arg(file)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            let problem = format!("cannot start {SSH_KEYGEN} (Debian: openssh-client): {error}");
            io::Error::new(error.kind(), problem)
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("ssh-keygen: {}", said.trim_end())))
}
