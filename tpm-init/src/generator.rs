//! The random number generators that `rng` tests: a TPM's, a token's, or a file with the output of another.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

use cli::{Exit, Failure, Outcome, Progress, SiteArguments};
use key_metadata::{SiteFolder, Tcti, TokenAddress, TokenName, TokenUri};
use pkcs11::{Module, Token};
use serde::Serialize;
use tpm::Tpm;
use tpm_init::{RandomReport, RandomTest, SampleSize};
use zeroize::Zeroizing;

/// How much is drawn at a time, in bytes: between two, the progress is shown.
const PIECE: usize = 1024;

/// What a generator belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Tpm,
    Token,
    File,
}

/// A generator that was chosen.
pub enum Generator<'a> {
    /// A TPM's of the site.
    Tpm { name: &'a TokenName, tcti: &'a Tcti },
    /// A PKCS#11 token's of the site.
    Token {
        name: &'a TokenName,
        uri: &'a TokenUri,
        folder: &'a SiteFolder,
    },
    /// What a file holds, or standard input where it is `-`.
    File(&'a Path),
}

/// A generator that can be drawn from.
pub enum Source<'a> {
    Tpm(Tpm),
    Token {
        token: Token,
        name: &'a TokenName,
        folder: &'a SiteFolder,
    },
    File(File),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tpm => "TPM",
            Self::Token => "PKCS#11 token",
            Self::File => "file",
        })
    }
}

impl fmt::Display for Generator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tpm { name, .. } => write!(f, "TPM '{name}'"),
            Self::Token { name, .. } => write!(f, "token '{name}'"),
            Self::File(path) if is_stdin(path) => f.write_str("standard input"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl<'a> Generator<'a> {
    /// The generator of an entry of `site.yaml`; a folder with keys has none.
    pub fn of_site(folder: &'a SiteFolder, name: &'a TokenName, address: &'a TokenAddress) -> Option<Self> {
        match address {
            TokenAddress::Tpm(tcti) => Some(Self::Tpm { name, tcti }),
            TokenAddress::Pkcs11(uri) => Some(Self::Token { name, uri, folder }),
            TokenAddress::File(_) => None,
        }
    }

    /// What it belongs to.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Tpm { .. } => Kind::Tpm,
            Self::Token { .. } => Kind::Token,
            Self::File(_) => Kind::File,
        }
    }

    /// The name in `site.yaml`, or the path.
    pub fn name(&self) -> String {
        match self {
            Self::Tpm { name, .. } | Self::Token { name, .. } => name.to_string(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Makes it ready to be drawn from.
    pub fn open(&self) -> Outcome<Source<'a>> {
        match *self {
            Self::Tpm { tcti, .. } => Ok(Source::Tpm(Tpm::connect(tcti)?)),
            Self::Token { name, uri, folder } => {
                // A site whose PKCS#11 tokens name no module is refused on reading.
                let path = uri.module_path.as_deref().map_or(Path::new(""), |path| path);
                let token = Token::open(&Module::load(path)?, uri)?;
                Ok(Source::Token { token, name, folder })
            }
            Self::File(path) => {
                let file = if is_stdin(path) {
                    // Not `Stdin`: its buffer would keep what was read.
                    io::stdin().as_fd().try_clone_to_owned().map(File::from)
                } else {
                    File::open(path)
                };
                Ok(Source::File(file.map_err(unreadable)?))
            }
        }
    }

    /// Tests its output, drawn from `source`.
    pub fn test(
        &self,
        source: &mut Source<'_>,
        size: SampleSize,
        site: &SiteArguments,
    ) -> Outcome<RandomReport> {
        let pieces = size.bytes().div_ceil(PIECE as u64);
        let progress = Progress::new(&format!("testing {self}"), pieces);
        let mut test = RandomTest::new();
        let mut left = size.bytes();
        while left > 0 {
            let wanted = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            let piece = source.draw(wanted, site)?;
            if piece.is_empty() {
                break;
            }
            test.feed(&piece);
            left -= piece.len() as u64;
            progress.step();
        }
        Ok(test.finish()?)
    }
}

impl Source<'_> {
    /// The next bytes, as many as are wanted; fewer at a file's end. They are wiped when dropped.
    fn draw(&mut self, wanted: usize, site: &SiteArguments) -> Outcome<Zeroizing<Vec<u8>>> {
        match self {
            Self::Tpm(tpm) => Ok(tpm.throwaway_random(wanted)?),
            Self::Token { token, name, folder } => match token.random(wanted) {
                Err(error) if error.needs_login() => {
                    let pin = site.user_pin(folder, name, |handle| {
                        let (_, tcti) = folder.site().only_tpm(handle)?;
                        Ok(Tpm::connect(tcti)?.unseal(handle)?)
                    })?;
                    token.login(&pin)?;
                    Ok(Zeroizing::new(token.random(wanted)?))
                }
                drawn => Ok(Zeroizing::new(drawn?)),
            },
            Self::File(file) => {
                let mut bytes = Zeroizing::new(vec![0; wanted]);
                let mut filled = 0;
                while filled < wanted {
                    match file.read(&mut bytes[filled..]) {
                        Ok(0) => break,
                        Ok(count) => filled += count,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(unreadable(error)),
                    }
                }
                bytes.truncate(filled);
                Ok(bytes)
            }
        }
    }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

// Which file it is, is said where it was chosen.
fn unreadable(error: io::Error) -> Failure {
    Failure::of(Exit::Failed, &error)
}
