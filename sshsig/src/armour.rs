//! An armoured signature, as `ssh-keygen -Y sign` writes it. Every other way to write the same is refused: two files that differ are not both
//! the signature.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ssh_key::{Algorithm, Signature};

use crate::fields::Fields;
use crate::verify::SecurityKey;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";
const MAGIC: &[u8] = b"SSHSIG";
/// The characters of base64 in a line, as sshbuf_dtob64 breaks them.
const LINE: usize = 70;
/// An RSA signature of 4096 bits has 2.5 KiB; more than this is none.
const LONGEST: usize = 16 * 1024;

/// What a signature says of itself.
#[derive(Debug)]
pub(crate) struct SignatureFile {
    /// The public key, as it is in the file.
    pub(crate) key: Vec<u8>,
    /// What the signature is for.
    pub(crate) namespace: String,
    /// The hash of the message.
    pub(crate) hash: String,
    /// The key's signature; of a security key with flags and counter at the end.
    pub(crate) signature: Signature,
}

/// Why a file is no armoured signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArmourError {
    /// Too long.
    #[error("it has {length} bytes; no signature has more than {LONGEST}")]
    Long {
        /// Its length.
        length: usize,
    },
    /// The first or the last line.
    #[error("it does not begin and end with the lines of an SSH SIGNATURE")]
    Lines,
    /// The base64 between them.
    #[error("its base64 is not as ssh-keygen writes it")]
    Base64,
    /// The fields within.
    #[error("field '{field}' is damaged")]
    Field {
        /// Its name in PROTOCOL.sshsig.
        field: &'static str,
    },
    /// A version that is not known.
    #[error("it has version {0}, not 1")]
    Version(u32),
    /// Something in the field for what is to come.
    #[error("its reserved field is not empty")]
    Reserved,
}

impl SignatureFile {
    /// Reads the file of a signature.
    pub(crate) fn read(armoured: &[u8]) -> Result<Self, ArmourError> {
        let blob = remove_armour(armoured)?;
        let damaged = |field| move || ArmourError::Field { field };
        let mut fields = Fields::of(&blob);
        let magic = fields.bytes(MAGIC.len()).filter(|magic| *magic == MAGIC);
        magic.ok_or_else(damaged("MAGIC_PREAMBLE"))?;
        match fields.number().ok_or_else(damaged("SIG_VERSION"))? {
            1 => {}
            other => return Err(ArmourError::Version(other)),
        }
        let key = fields.string().ok_or_else(damaged("publickey"))?;
        let namespace = fields.text().ok_or_else(damaged("namespace"))?;
        if !fields.string().ok_or_else(damaged("reserved"))?.is_empty() {
            return Err(ArmourError::Reserved);
        }
        let hash = fields.text().ok_or_else(damaged("hash_algorithm"))?;
        let signature = fields.string().and_then(read_signature);
        let signature = signature.ok_or_else(damaged("signature"))?;
        fields.end().ok_or_else(damaged("signature"))?;
        Ok(Self {
            key: key.to_owned(),
            namespace: namespace.to_owned(),
            hash: hash.to_owned(),
            signature,
        })
    }

    /// What a security key says: the last five bytes of its signature (PROTOCOL.u2f).
    pub(crate) fn security_key(&self) -> Option<SecurityKey> {
        match self.signature.algorithm() {
            Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => {
                let (flags, counter) = self.signature.as_bytes().last_chunk::<5>()?.split_first()?;
                Some(SecurityKey {
                    flags: *flags,
                    counter: u32::from_be_bytes(counter.try_into().ok()?),
                })
            }
            _ => None,
        }
    }
}

/// The name of an algorithm, its signature, and of a security key flags and counter (PROTOCOL.u2f).
fn read_signature(bytes: &[u8]) -> Option<Signature> {
    let mut fields = Fields::of(bytes);
    let algorithm = Algorithm::new(fields.text()?).ok()?;
    let mut data = fields.string()?.to_owned();
    match algorithm {
        Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => data.extend(fields.bytes(5)?),
        _ => {}
    }
    fields.end()?;
    // ssh-rsa, which is RSA with SHA-1, has no hash in its name and is refused here.
    Signature::new(algorithm, data).ok()
}

fn remove_armour(armoured: &[u8]) -> Result<Vec<u8>, ArmourError> {
    if armoured.len() > LONGEST {
        return Err(ArmourError::Long {
            length: armoured.len(),
        });
    }
    let text = std::str::from_utf8(armoured).map_err(|_| ArmourError::Lines)?;
    let within = text.strip_prefix(BEGIN).and_then(|text| text.strip_suffix(END));
    let within = within.ok_or(ArmourError::Lines)?;
    let blob = STANDARD.decode(within.replace('\n', ""));
    let blob = blob.map_err(|_| ArmourError::Base64)?;
    if within == lines_of(&blob) {
        Ok(blob)
    } else {
        Err(ArmourError::Base64)
    }
}

fn lines_of(blob: &[u8]) -> String {
    let mut lines = String::new();
    for (index, letter) in STANDARD.encode(blob).chars().enumerate() {
        if index > 0 && index.is_multiple_of(LINE) {
            lines.push('\n');
        }
        lines.push(letter);
    }
    lines.push('\n');
    lines
}
