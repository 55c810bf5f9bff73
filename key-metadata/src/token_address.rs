//! Where a token is, and where its PIN comes from.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::written_as_text;
use crate::token_uri::{TokenUri, TokenUriError};

/// How a TPM 2.0 is reached: the configuration of a TCTI of tpm2-tss, such as `device:/dev/tpmrm0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tcti(String);

/// Why a text is no TCTI of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TctiError {
    /// Not one of the four.
    #[error(
        "'{0}' is no TCTI; use device:PATH, tabrmd:OPTIONS, swtpm:host=ADDRESS,port=PORT or mssim:host=ADDRESS,port=PORT"
    )]
    Unknown(String),
    /// tss-esapi would silently connect to localhost:2321 instead.
    #[error("'{0}' names no host and port; a software TPM is reached by swtpm:host=ADDRESS,port=PORT")]
    NoHost(String),
}

impl Tcti {
    /// The configuration, as tpm2-tss takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tcti {
    type Err = TctiError;

    fn from_str(text: &str) -> Result<Self, TctiError> {
        let (kind, options) = text.split_once(':').map_or((text, ""), |parts| parts);
        match kind {
            "device" | "tabrmd" => Ok(Self(text.to_owned())),
            "swtpm" | "mssim" => {
                let has = |name: &str| options.split(',').any(|option| option.starts_with(name));
                if has("host=") && has("port=") {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(TctiError::NoHost(text.to_owned()))
                }
            }
            _ => Err(TctiError::Unknown(text.chars().take(80).collect())),
        }
    }
}

impl fmt::Display for Tcti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A folder of the site with private keys in files, which a laboratory may have in a token's place: a path in UTF-8, from the site's folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyFolder(PathBuf);

/// A text that is no such path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'file:' is followed by the path of a folder, from the site's own, without control characters")]
pub struct KeyFolderError;

impl KeyFolder {
    /// The path, from the site's folder. Two of the same components are equal.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for KeyFolder {
    type Err = KeyFolderError;

    fn from_str(text: &str) -> Result<Self, KeyFolderError> {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(KeyFolderError);
        }
        // One folder has one path, so that two tokens are not the same.
        let components = Path::new(text).components();
        let path: PathBuf = components.filter(|part| *part != Component::CurDir).collect();
        Ok(Self(match path.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => path,
        }))
    }
}

impl fmt::Display for KeyFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// The address of a token: a PKCS#11 URI, `tpm2:` and a TCTI, or in a laboratory `file:` and a folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^(pkcs11|tpm2|file):"))]
pub enum TokenAddress {
    /// A token behind a PKCS#11 module.
    Pkcs11(TokenUri),
    /// A TPM 2.0 whose own keys sign.
    Tpm(Tcti),
    /// No token: a laboratory's private keys in files, as BIND has them.
    File(KeyFolder),
}

/// Why a text is no token address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenAddressError {
    /// None of the schemes.
    #[error("a token's address starts with 'pkcs11:' (RFC 7512) or 'tpm2:' and a TCTI")]
    Scheme,
    /// A PKCS#11 URI that is none.
    #[error(transparent)]
    Uri(#[from] TokenUriError),
    /// A TCTI that is none.
    #[error(transparent)]
    Tcti(#[from] TctiError),
    /// A folder that is none.
    #[error(transparent)]
    Folder(#[from] KeyFolderError),
}

impl FromStr for TokenAddress {
    type Err = TokenAddressError;

    fn from_str(text: &str) -> Result<Self, TokenAddressError> {
        if let Some(tcti) = text.strip_prefix("tpm2:") {
            Ok(Self::Tpm(tcti.parse()?))
        } else if text.starts_with("pkcs11:") {
            Ok(Self::Pkcs11(text.parse()?))
        } else if let Some(folder) = text.strip_prefix("file:") {
            Ok(Self::File(folder.parse()?))
        } else {
            Err(TokenAddressError::Scheme)
        }
    }
}

impl fmt::Display for TokenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pkcs11(uri) => uri.fmt(f),
            Self::Tpm(tcti) => write!(f, "tpm2:{tcti}"),
            Self::File(folder) => write!(f, "file:{folder}"),
        }
    }
}

written_as_text!(TokenAddress, TokenAddressError);

/// A persistent handle of the owner's range, 0x81000000 to 0x817fffff (TCG Registry of Reserved TPM 2.0 Handles 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TpmHandle(u32);

/// A text that is no persistent handle of the owner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a persistent TPM handle of the owner is 0x81000000 to 0x817fffff")]
pub struct TpmHandleError;

impl TpmHandle {
    /// The storage root key's: TCG Registry of Reserved TPM 2.0 Handles and Localities 1.1, 2.3.1.
    pub const SRK: Self = Self(0x8100_0001);
    /// Where an attestation key is kept when the site says nothing else.
    pub(crate) const ATTESTATION_KEY: Self = Self(0x8101_0020);

    /// The handle's number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for TpmHandle {
    type Error = TpmHandleError;

    fn try_from(number: u32) -> Result<Self, TpmHandleError> {
        match number {
            0x8100_0000..=0x817f_ffff => Ok(Self(number)),
            _ => Err(TpmHandleError),
        }
    }
}

impl FromStr for TpmHandle {
    type Err = TpmHandleError;

    fn from_str(text: &str) -> Result<Self, TpmHandleError> {
        let digits = text.strip_prefix("0x").ok_or(TpmHandleError)?;
        u32::from_str_radix(digits, 16)
            .map_err(|_| TpmHandleError)?
            .try_into()
    }
}

impl fmt::Display for TpmHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

written_as_text!(TpmHandle, TpmHandleError);

/// Where a PIN comes from; never the PIN itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^(prompt|file:.+|fd:[0-9]+|tpm:0x[0-9a-fA-F]+)$"))]
pub enum PinSource {
    /// Typed at the terminal.
    Prompt,
    /// The first line of a file; relative to the site's folder in `site.yaml`, to the working directory on a command line.
    File(PathBuf),
    /// The first line of what an inherited file descriptor gives.
    Fd(u32),
    /// Sealed in the site's TPM, at that handle.
    Tpm(TpmHandle),
}

/// A text that is no PIN source. It is not quoted: people give the PIN itself by mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a PIN comes from prompt, file:PATH, fd:NUMBER or tpm:HANDLE, and is never given itself")]
pub struct PinSourceError;

impl FromStr for PinSource {
    type Err = PinSourceError;

    fn from_str(text: &str) -> Result<Self, PinSourceError> {
        match text.split_once(':') {
            None if text == "prompt" => Ok(Self::Prompt),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("fd", number)) => Ok(Self::Fd(number.parse().map_err(|_| PinSourceError)?)),
            Some(("tpm", handle)) => Ok(Self::Tpm(handle.parse().map_err(|_| PinSourceError)?)),
            Some(_) | None => Err(PinSourceError),
        }
    }
}

impl fmt::Display for PinSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prompt => f.write_str("prompt"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Fd(number) => write!(f, "fd:{number}"),
            Self::Tpm(handle) => write!(f, "tpm:{handle}"),
        }
    }
}

written_as_text!(PinSource, PinSourceError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in [
            "tpm2:device:/dev/tpmrm0",
            "tpm2:swtpm:host=127.0.0.1,port=2321",
            "pkcs11:token=cr",
            "tpm2:tabrmd:bus_type=session",
            "file:laboratory/keys",
        ] {
            assert_eq!(good.parse::<TokenAddress>().unwrap().to_string(), good);
        }
        assert!(matches!(
            "swtpm:path=/run/sock".parse::<Tcti>(),
            Err(TctiError::NoHost(_))
        ));
        assert!("cr".parse::<TokenAddress>().is_err() && "tpm2:usb".parse::<TokenAddress>().is_err());
        assert!("file:".parse::<TokenAddress>().is_err() && "file:a\nb".parse::<TokenAddress>().is_err());
    }

    #[test]
    fn a_pin_given_for_its_source_is_not_repeated() {
        for good in ["prompt", "file:pin", "fd:3", "tpm:0x81020000"] {
            assert_eq!(good.parse::<PinSource>().unwrap().to_string(), good);
        }
        for bad in [
            "1234",
            "env:PIN",
            "file:",
            "fd:x",
            "tpm:0x80000000",
            "prompt:1234",
        ] {
            assert!(
                !bad.parse::<PinSource>().unwrap_err().to_string().contains("1234"),
                "{bad}"
            );
        }
    }
}
