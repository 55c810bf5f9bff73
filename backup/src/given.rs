//! Shares that custodians give: from a file, a descriptor or the terminal, encrypted to them or as words.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use backup::GivenShare;
use clap::Args;
use cli::{Exit, Failure, Outcome, parse_pin_source, read_pin};
use key_metadata::PinSource;
use secrecy::ExposeSecret;
use slip39::Share;
use zeroize::Zeroizing;

use crate::plugins::plugins;

/// The longest share, encrypted or not, in bytes.
const LONGEST: u64 = 64 << 10;

/// The options by which shares are given.
#[derive(Args)]
pub struct ShareArguments {
    /// Where a share comes from, once for each: file:PATH (its words, or encrypted by age), fd:NUMBER, or prompt
    // Not parsed by clap: its error would quote words that were given by mistake.
    #[arg(long = "share", value_name = "SOURCE", required = true)]
    given: Vec<OsString>,
    #[command(flatten)]
    identities: IdentityArguments,
}

/// The same, where there may be none.
#[derive(Args)]
pub struct OptionalShares {
    /// Where an old share comes from, once for each: file:PATH (its words, or encrypted by age), fd:NUMBER, or prompt
    // Not parsed by clap: its error would quote words that were given by mistake.
    #[arg(long = "share", value_name = "SOURCE")]
    given: Vec<OsString>,
    #[command(flatten)]
    identities: IdentityArguments,
}

/// The option for one share.
#[derive(Args)]
pub struct OneShare {
    /// Where the share comes from: file:PATH (its words, or encrypted by age), fd:NUMBER, or prompt
    #[arg(long, value_name = "SOURCE")]
    share: OsString,
    #[command(flatten)]
    identities: IdentityArguments,
}

/// What opens encrypted shares.
#[derive(Args)]
pub struct IdentityArguments {
    /// A file with an age identity or an SSH private key that opens an encrypted share, once for each
    #[arg(long = "identity", value_name = "FILE")]
    identities: Vec<PathBuf>,
}

impl ShareArguments {
    /// All shares, in the order in which they were given.
    pub fn read(&self) -> Outcome<Vec<GivenShare>> {
        self.identities.read_all(&self.given)
    }
}

impl OptionalShares {
    /// All shares, in the order in which they were given.
    pub fn read(&self) -> Outcome<Vec<GivenShare>> {
        self.identities.read_all(&self.given)
    }
}

impl OneShare {
    /// The share.
    pub fn read(&self) -> Outcome<GivenShare> {
        self.identities.read(&self.share, "the share")
    }
}

impl IdentityArguments {
    fn read_all(&self, shares: &[OsString]) -> Outcome<Vec<GivenShare>> {
        let read = |(place, source): (usize, &OsString)| {
            self.read(source, &format!("share {} of {}", place + 1, shares.len()))
        };
        shares.iter().enumerate().map(read).collect()
    }

    fn read(&self, source: &OsStr, what: &str) -> Outcome<GivenShare> {
        let source = parse_pin_source("--share", source)?;
        let (from, bytes) = match &source {
            PinSource::File(path) => (path.display().to_string(), from_file(path, what)?),
            PinSource::Fd(number) => (
                format!("descriptor {number}"),
                from_open(open(Path::new(&format!("/dev/fd/{number}")), what)?, what)?,
            ),
            PinSource::Prompt => {
                let words = read_pin(&source, &format!("the words of {what}"), Path::new(""), |_| {
                    Err(no_tpm())
                })?;
                (
                    "the terminal".to_owned(),
                    Zeroizing::new(words.expose_secret().as_bytes().to_vec()),
                )
            }
            PinSource::Tpm(_) => return Err(no_tpm()),
        };
        let words = match custody::is_age(&bytes) {
            true => self.decrypt(&bytes, &from)?,
            false => bytes,
        };
        let text = std::str::from_utf8(&words)
            .map_err(|_| Failure::new(Exit::Failed, format!("the share from {from} is no text")))?;
        let share = Share::parse(text).map_err(|error| {
            let failure = Failure::of(Exit::Failed, &error)
                .within(format!("the share from {from} is damaged, or none"));
            failure.hint("compare it with its paper, word by word".to_owned())
        })?;
        Ok(GivenShare { from, share })
    }

    fn decrypt(&self, bytes: &[u8], from: &str) -> Outcome<Zeroizing<Vec<u8>>> {
        if self.identities.is_empty() {
            let failure = Failure::new(
                Exit::Credential,
                format!("the share from {from} is encrypted, and no identity is given"),
            );
            return Err(
                failure.hint("name the file with the custodian's age identity with --identity".to_owned())
            );
        }
        let plugins = plugins();
        let mut identities = Vec::new();
        for path in &self.identities {
            let name = path.display().to_string();
            let bytes = from_open(open(path, "an identity")?, &name)?;
            identities.extend(custody::Identity::read_file(&name, &bytes, &plugins)?);
        }
        custody::decrypt_with(&identities, bytes, &plugins)
            .map_err(|error| Failure::from(error).within(format!("the share from {from} cannot be opened")))
    }
}

fn no_tpm() -> Failure {
    Failure::new(Exit::Usage, "a share does not come from a TPM")
        .hint("give file:PATH, fd:NUMBER or prompt".to_owned())
}

fn from_file(path: &Path, what: &str) -> Outcome<Zeroizing<Vec<u8>>> {
    let file = open(path, what)?;
    let mode = file.metadata().map(|metadata| metadata.permissions().mode());
    let bytes = from_open(file, what)?;
    if !custody::is_age(&bytes) && mode.is_ok_and(|mode| mode & 0o077 != 0) {
        let failure = Failure::new(
            Exit::Credential,
            format!("{} holds a share's words, and others can read it", path.display()),
        );
        return Err(failure.hint(format!("chmod 600 {}", path.display())));
    }
    Ok(bytes)
}

fn open(path: &Path, what: &str) -> Outcome<File> {
    File::open(path).map_err(|error| {
        Failure::of(Exit::Credential, &error).within(format!("cannot read {what} from {}", path.display()))
    })
}

fn from_open(file: File, what: &str) -> Outcome<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 1));
    file.take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::of(Exit::Credential, &error).within(format!("cannot read {what}")))?;
    match bytes.len() as u64 > LONGEST {
        true => Err(Failure::new(
            Exit::Credential,
            format!("{what} has more than {LONGEST} bytes"),
        )),
        false => Ok(bytes),
    }
}
