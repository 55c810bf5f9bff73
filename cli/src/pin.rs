//! PINs from where the user keeps them, never from argv or the environment.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use key_metadata::{PinSource, TpmHandle};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure, Outcome};

/// Longer than any PIN, in bytes.
const LONGEST: u64 = 4096;

/// Reads the value of a `--pin` option; its error does not quote it.
pub fn parse_pin_source(option: &str, value: &OsStr) -> Outcome<PinSource> {
    let parsed = value
        .to_str()
        .ok_or(key_metadata::token_address::PinSourceError)
        .and_then(str::parse);
    parsed.map_err(|error| {
        Failure::of(Exit::Usage, &error).within(format!("the value of {option} is no source of a PIN"))
    })
}

/// Where a PIN comes from, and the folder that a relative file of it is in: the option's value and the working directory, else what the
/// site says and its folder, else the terminal.
pub fn pin_source<'a>(
    option: (&str, Option<&OsStr>),
    of_site: Option<&PinSource>,
    site: &'a Path,
) -> Outcome<(PinSource, &'a Path)> {
    match (option, of_site) {
        ((name, Some(value)), _) => Ok((parse_pin_source(name, value)?, Path::new(""))),
        ((_, None), Some(source)) => Ok((source.clone(), site)),
        ((_, None), None) => Ok((PinSource::Prompt, site)),
    }
}

/// Reads a PIN. `what` names it in a prompt or an error ("the user PIN of token 'cr'"), relative files are in `folder`, `unseal` asks the
/// site's TPM.
pub fn read_pin(
    source: &PinSource,
    what: &str,
    folder: &Path,
    unseal: impl FnOnce(TpmHandle) -> Outcome<SecretString>,
) -> Outcome<SecretString> {
    match source {
        PinSource::Prompt => prompt(what),
        PinSource::File(path) => from_file(&folder.join(path), what),
        PinSource::Fd(number) => from_descriptor(*number, what),
        PinSource::Tpm(handle) => unseal(*handle),
    }
}

/// A PIN that is being set.
pub enum NewPin {
    /// The user has it, and gave it.
    Given(SecretString),
    /// Nobody has it yet: it is to be drawn at random and sealed in the TPM at this handle.
    ToBeSealed(TpmHandle),
}

/// Reads a PIN that is being set: asked for twice at a terminal.
pub fn read_new_pin(source: &PinSource, what: &str, folder: &Path) -> Outcome<NewPin> {
    match source {
        PinSource::Prompt => {
            let first = prompt(what)?;
            let second = prompt(&format!("{what} again"))?;
            if first.expose_secret() != second.expose_secret() {
                return Err(Failure::new(
                    Exit::Failed,
                    format!("the two entries of {what} differ"),
                ));
            }
            Ok(NewPin::Given(first))
        }
        PinSource::File(path) => Ok(NewPin::Given(from_file(&folder.join(path), what)?)),
        PinSource::Fd(number) => Ok(NewPin::Given(from_descriptor(*number, what)?)),
        PinSource::Tpm(handle) => Ok(NewPin::ToBeSealed(*handle)),
    }
}

fn prompt(what: &str) -> Outcome<SecretString> {
    let typed = rpassword::prompt_password(format!("{what}: ")).map_err(|error| {
        let failure =
            Failure::of(Exit::Credential, &error).within(format!("there is no terminal to ask for {what}"));
        failure.hint("give its source: file:PATH, fd:NUMBER or tpm:HANDLE".to_owned())
    })?;
    not_empty(typed.into(), what)
}

fn from_file(path: &Path, what: &str) -> Outcome<SecretString> {
    let unreadable = |error: io::Error| {
        Failure::of(Exit::Credential, &error).within(format!("cannot read {what} from {}", path.display()))
    };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
        let failure = Failure::new(
            Exit::Credential,
            format!("{} holds {what}, and others can read it", path.display()),
        );
        return Err(failure.hint(format!("chmod 600 {}", path.display())));
    }
    first_line(file, what)
}

fn from_descriptor(number: u32, what: &str) -> Outcome<SecretString> {
    let file = File::open(format!("/dev/fd/{number}")).map_err(|error| {
        Failure::of(Exit::Credential, &error).within(format!("cannot read {what} from descriptor {number}"))
    })?;
    first_line(file, what)
}

fn first_line(file: File, what: &str) -> Outcome<SecretString> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 1));
    file.take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::of(Exit::Credential, &error).within(format!("cannot read {what}")))?;
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .map_or(&[][..], |line| line);
    let line = line.strip_suffix(b"\r").map_or(line, |line| line);
    if line.len() as u64 > LONGEST {
        return Err(Failure::new(
            Exit::Credential,
            format!("{what} has more than {LONGEST} bytes"),
        ));
    }
    match std::str::from_utf8(line) {
        Ok(text) => not_empty(text.to_owned().into(), what),
        Err(_) => Err(Failure::new(Exit::Credential, format!("{what} is not UTF-8"))),
    }
}

fn not_empty(pin: SecretString, what: &str) -> Outcome<SecretString> {
    if pin.expose_secret().is_empty() {
        return Err(Failure::new(Exit::Credential, format!("{what} is empty")));
    }
    Ok(pin)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(source: &str, folder: &Path) -> Outcome<SecretString> {
        read_pin(&source.parse().unwrap(), "the user PIN", folder, |_| {
            Ok("sealed".into())
        })
    }

    #[test]
    fn a_pin_is_the_first_line_of_a_file_that_nobody_else_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        fs::write(&path, "1234\r\nmore\n").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(
            read("file:pin", folder.path())
                .unwrap_err()
                .to_string()
                .contains("chmod 600")
        );
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(read("file:pin", folder.path()).unwrap().expose_secret(), "1234");
        for bad in [&b"\n"[..], b"", b"\xff\n", &[b'1'; 5000]] {
            fs::write(&path, bad).unwrap();
            assert_eq!(
                read("file:pin", folder.path()).unwrap_err().exit(),
                Exit::Credential
            );
        }
        assert_eq!(
            read("file:nowhere", folder.path()).unwrap_err().exit(),
            Exit::Credential
        );
        assert_eq!(
            read("tpm:0x81020000", folder.path()).unwrap().expose_secret(),
            "sealed"
        );
    }

    #[test]
    fn a_pin_in_the_wrong_place_is_not_repeated() {
        let failure = parse_pin_source("--pin", OsStr::new("s3cr3t")).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        assert!(!failure.to_string().contains("s3cr3t"));
    }
}
