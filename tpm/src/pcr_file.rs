//! The values of PCRs in a file, as `tpm2_checkquote -f` of tpm2-tools takes it: what `tpm2_quote -o` and `tpm2_pcrread -F serialized -o` write.
//!
//! The tools have another form, the bare values beside a list (`-l`). It is not used: 5.4 leaves out the last of eight PCRs when it reads that.

use key_metadata::{Advice, PcrNumber};

use crate::pcr::{PcrValue, PcrValues, bitmap};

/// The C structures that the file is made of, little-endian: TPML_PCR_SELECTION of 16 banks of 8 bytes, and TPML_DIGEST of 8 digests of up to 64
/// bytes with their sizes (tss2_tpm2_types.h; tpm2-tools, tools/misc/tpm2_checkquote.c).
const SELECTION: usize = 4 + 16 * 8;
const DIGESTS: usize = 8;
const DIGEST: usize = 2 + 64;
const LIST: usize = 4 + DIGESTS * DIGEST;
/// TPM_ALG_SHA256.
const SHA256: u16 = 0x000b;

/// A file that has no values of PCRs of the SHA-256 bank in that form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no file of PCR values of the SHA-256 bank, as tpm2_quote -o writes it")]
pub struct PcrFileError;

impl Advice for PcrFileError {
    fn hint(&self) -> Option<String> {
        None
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// The file with those values.
pub fn pcr_file(values: &PcrValues) -> Vec<u8> {
    let all: Vec<_> = values.values().collect();
    let lists: Vec<_> = all.chunks(DIGESTS).collect();
    let mut file = number(1);
    file.extend(SHA256.to_le_bytes());
    file.push(3);
    file.extend(bitmap(values));
    file.resize(SELECTION, 0);
    file.extend(number(lists.len()));
    for list in lists {
        let end = file.len() + LIST;
        file.extend(number(list.len()));
        for value in list {
            let end = file.len() + DIGEST;
            file.extend(32_u16.to_le_bytes());
            file.extend(value.0);
            file.resize(end, 0);
        }
        file.resize(end, 0);
    }
    file
}

/// Reads what [`pcr_file`] writes, and nothing else.
pub fn read_pcr_file(bytes: &[u8]) -> Result<PcrValues, PcrFileError> {
    let values = read(bytes).ok_or(PcrFileError)?;
    // All else in the file follows from the values.
    (pcr_file(&values) == bytes).then_some(values).ok_or(PcrFileError)
}

fn read(bytes: &[u8]) -> Option<PcrValues> {
    let bitmap = bytes.get(7..10)?;
    let lists = bytes.get(SELECTION + 4..)?;
    let mut digests = lists.chunks_exact(LIST).flat_map(|list| {
        list.get(4..)
            .map_or(&[][..], |digests| digests)
            .chunks_exact(DIGEST)
    });
    let mut values = PcrValues::new();
    for pcr in (0..24).filter_map(|number: u8| PcrNumber::try_from(number).ok()) {
        let number = u8::from(pcr);
        if bitmap.get(usize::from(number / 8))? & (1 << (number % 8)) != 0 {
            let value = digests.next()?.get(2..34)?;
            values.insert(pcr, PcrValue(value.try_into().ok()?));
        }
    }
    Some(values)
}

fn number(number: usize) -> Vec<u8> {
    // At most 24 values.
    u32::try_from(number)
        .map_or(u32::MAX, |number| number)
        .to_le_bytes()
        .to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            values in proptest::collection::btree_map(0_u8..24, any::<[u8; 32]>(), 0..24),
            position in any::<proptest::sample::Index>(),
        ) {
            let values: PcrValues = values
                .into_iter()
                .map(|(number, value)| (number.try_into().unwrap(), PcrValue(value)))
                .collect();
            let file = pcr_file(&values);
            prop_assert_eq!(read_pcr_file(&file), Ok(values.clone()));
            let position = position.index(file.len());
            prop_assert_eq!(read_pcr_file(&file[..position]), Err(PcrFileError));
            let mut changed = file;
            changed[position] ^= 1;
            prop_assert_ne!(read_pcr_file(&changed).ok(), Some(values));
        }
    }
}
