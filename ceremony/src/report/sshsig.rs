//! What a signature's file says of the key that made it. Whether it holds is for [`crate::verify`] to say.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use key_metadata::Digest;
use serde::Serialize;

/// The key of an SSH signature (PROTOCOL.sshsig), by what its file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SignerSeen {
    /// The key's type, such as `ssh-ed25519`.
    pub key_type: String,
    /// Its fingerprint, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// What a security key says.
    pub security_key: Option<SecurityKeySeen>,
}

/// What a security key (FIDO) says with its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SecurityKeySeen {
    /// Its flags: 0x01, it was touched; 0x04, it asked for a PIN or a finger.
    pub flags: u8,
    /// How many signatures it made.
    pub counter: u32,
}

/// The key of an armoured signature; `None` where it is none.
pub fn signer(armoured: &[u8]) -> Option<SignerSeen> {
    let text = std::str::from_utf8(armoured).ok()?;
    let text = text.trim().strip_prefix("-----BEGIN SSH SIGNATURE-----")?;
    let text = text.strip_suffix("-----END SSH SIGNATURE-----")?;
    let base64: String = text.split_ascii_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(base64).ok()?;
    let mut rest = bytes.strip_prefix(b"SSHSIG")?;
    number(&mut rest)?;
    let key = string(&mut rest)?;
    let _namespace = string(&mut rest)?;
    let _reserved = string(&mut rest)?;
    let _hash = string(&mut rest)?;
    let mut signature = string(&mut rest)?;
    let key_type = String::from_utf8(string(&mut { key })?.to_vec()).ok()?;
    let security_key = if key_type.starts_with("sk-") {
        let _algorithm = string(&mut signature)?;
        let _signature = string(&mut signature)?;
        let (flags, mut rest) = signature.split_first()?;
        Some(SecurityKeySeen {
            flags: *flags,
            counter: number(&mut rest)?,
        })
    } else {
        None
    };
    let fingerprint = BASE64_STANDARD_NO_PAD.encode(Digest::of(key).bytes());
    Some(SignerSeen {
        key_type,
        fingerprint: format!("SHA256:{fingerprint}"),
        security_key,
    })
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_be_bytes(*number))
}

fn string<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (string, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(string)
}
