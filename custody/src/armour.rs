//! The armour of an age file. Every other way to write the same is refused: two files that differ are not both the file that was written.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use age::armor::{ArmoredReader, ArmoredWriter, Format};

const BEGIN: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
/// The first line of a binary file, whatever its version.
const MAGIC: &[u8] = b"age-encryption.org/";

/// Whether a file is age-encrypted, by its first line.
pub fn is_age(file: &[u8]) -> bool {
    file.starts_with(BEGIN) || file.starts_with(MAGIC)
}

/// The file without its armour, if it has one; `None` for an armour that age would not write.
pub(crate) fn without_armour(file: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !file.starts_with(BEGIN) {
        return Some(Cow::Borrowed(file));
    }
    let mut binary = Vec::with_capacity(file.len());
    ArmoredReader::new(file).read_to_end(&mut binary).ok()?;
    let again = with_armour(&binary).ok()?;
    (again == file).then_some(Cow::Owned(binary))
}

/// A file in its armour.
pub(crate) fn with_armour(binary: &[u8]) -> io::Result<Vec<u8>> {
    let mut armoured = Vec::new();
    let mut writer = ArmoredWriter::wrap_output(&mut armoured, Format::AsciiArmor)?;
    writer.write_all(binary)?;
    writer.finish()?;
    Ok(armoured)
}
