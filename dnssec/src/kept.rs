//! Signatures of the last run, and what each of them is over: what did not change and lasts long enough is not signed again.
//!
//! Format in docs/formats/kept-signatures.md.

use std::io::{self, Write};

use ring::digest::{Context, SHA256, digest};
use zone::Rrsig;

/// How a file of them begins: its name, and the version of its format.
const HEAD: &[u8; 16] = b"keyrite kept   1";
/// What a signature is over, and by which key.
pub(crate) type Covered = [u8; 32];

/// A signature that can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept<'a> {
    /// In seconds modulo 2^32 (RFC 4034 3.1.5).
    pub inception: u32,
    pub expiration: u32,
    pub signature: &'a [u8],
}

/// Signatures by what they are over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptSignatures {
    bytes: Vec<u8>,
    /// Where each begins, in the order of what they are over.
    places: Vec<usize>,
}

/// A file that holds no kept signatures, or not those that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is cut short, or was changed")]
pub struct KeptError;

impl KeptSignatures {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Reads what a signed zone wrote of its own.
    pub fn of_bytes(bytes: Vec<u8>) -> Result<Self, KeptError> {
        let (rest, sum) = bytes.split_last_chunk::<32>().ok_or(KeptError)?;
        if digest(&SHA256, rest).as_ref() != sum || !rest.starts_with(HEAD) {
            return Err(KeptError);
        }
        let (mut places, mut at) = (Vec::new(), HEAD.len());
        let mut before: Option<&[u8]> = None;
        while at < rest.len() {
            let (covered, kept) = read(rest, at).ok_or(KeptError)?;
            if before.is_some_and(|before| before >= covered) {
                return Err(KeptError);
            }
            places.push(at);
            before = Some(covered);
            at += 42 + kept.signature.len();
        }
        Ok(Self { bytes, places })
    }

    /// The one that is over that.
    pub(crate) fn get(&self, covered: &Covered) -> Option<Kept<'_>> {
        let covers = |at: &usize| self.bytes[*at..*at + 32].cmp(covered.as_slice());
        let place = self.places.binary_search_by(covers).ok()?;
        Some(read(&self.bytes, self.places[place])?.1)
    }
}

/// What a signature is over, and the signature, from an octet on.
fn read(bytes: &[u8], at: usize) -> Option<(&[u8], Kept<'_>)> {
    let (covered, behind) = bytes.get(at..)?.split_at_checked(32)?;
    let (numbers, behind) = behind.split_first_chunk::<10>()?;
    let [a, b, c, d, e, f, g, h, high, low] = *numbers;
    let signature = behind.get(..usize::from(u16::from_be_bytes([high, low])))?;
    let kept = Kept {
        inception: u32::from_be_bytes([a, b, c, d]),
        expiration: u32::from_be_bytes([e, f, g, h]),
        signature,
    };
    Some((covered, kept))
}

/// Writes signatures, which come in the order of what they are over, and a digest over all that.
pub(crate) fn write<'a>(
    kept: impl Iterator<Item = (&'a Covered, Kept<'a>)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut sum = Context::new(&SHA256);
    let mut put = |bytes: &[u8]| {
        sum.update(bytes);
        out.write_all(bytes)
    };
    put(HEAD)?;
    for (covered, kept) in kept {
        put(covered)?;
        put(&kept.inception.to_be_bytes())?;
        put(&kept.expiration.to_be_bytes())?;
        // A signature is a part of RDATA, which has no more octets.
        put(&(kept.signature.len() as u16).to_be_bytes())?;
        put(kept.signature)?;
    }
    out.write_all(sum.finish().as_ref())
}

/// What a signature is over, but for its times, and by which key; `data` are signed (RFC 4034 3.1.8.1).
pub(crate) fn covered(public_key: &[u8], data: &[u8]) -> Covered {
    let mut context = Context::new(&SHA256);
    context.update(public_key);
    context.update(&data[..Rrsig::TIMES.start]);
    context.update(&[0; 8]);
    context.update(&data[Rrsig::TIMES.end..]);
    let mut covered = [0; 32];
    covered.copy_from_slice(context.finish().as_ref());
    covered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_was_changed_is_not() {
        let signatures: Vec<_> = (0..20u8)
            .map(|number| ([number; 32], vec![number; usize::from(number) * 10]))
            .collect();
        fn kept(signature: &[u8]) -> Kept<'_> {
            Kept {
                inception: 1,
                expiration: u32::MAX,
                signature,
            }
        }
        let write_all = |signatures: &[(Covered, Vec<u8>)]| {
            let mut bytes = Vec::new();
            let each = signatures
                .iter()
                .map(|(covered, signature)| (covered, kept(signature)));
            write(each, &mut bytes).unwrap();
            bytes
        };
        let bytes = write_all(&signatures);
        let read = KeptSignatures::of_bytes(bytes.clone()).unwrap();
        assert_eq!(read.len(), 20);
        for (covered, signature) in &signatures {
            assert_eq!(read.get(covered), Some(kept(signature)));
        }
        assert_eq!(read.get(&[20; 32]), None);
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert_eq!(KeptSignatures::of_bytes(changed), Err(KeptError), "{place}");
            let cut = bytes[..place].to_vec();
            assert_eq!(KeptSignatures::of_bytes(cut), Err(KeptError), "{place}");
        }
        assert!(KeptSignatures::of_bytes(write_all(&[])).unwrap().is_empty());
        let other_order: Vec<_> = signatures.iter().rev().cloned().collect();
        assert_eq!(KeptSignatures::of_bytes(write_all(&other_order)), Err(KeptError));
    }
}
