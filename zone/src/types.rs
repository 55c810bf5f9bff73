//! The types at a name, as NSEC and NSEC3 have them (RFC 4034 4.1.2).

use domain::base::iana::Rtype;

/// Types, each once, in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Types(Vec<u16>);

impl Types {
    /// Adds one.
    pub fn insert(&mut self, rtype: Rtype) {
        if let Err(place) = self.0.binary_search(&rtype.to_int()) {
            self.0.insert(place, rtype.to_int());
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bit map: for each 256 numbers of which there is one, their window, how many octets, and these.
    pub fn bitmap(&self) -> Vec<u8> {
        let mut bitmap = Vec::new();
        for window in self.0.chunk_by(|one, other| one >> 8 == other >> 8) {
            let mut bits = [0u8; 32];
            let mut length = 0;
            for number in window {
                let low = (number & 0xff) as usize;
                bits[low / 8] |= 0x80 >> (low % 8);
                length = low / 8 + 1;
            }
            bitmap.extend(window.first().map(|number| (number >> 8) as u8));
            bitmap.push(length as u8);
            bitmap.extend_from_slice(&bits[..length]);
        }
        bitmap
    }

    /// Reads a bit map; nothing, if it is none.
    pub fn of_bitmap(mut bitmap: &[u8]) -> Option<Self> {
        let mut types = Self::default();
        while let Some((window, rest)) = bitmap.split_first() {
            let (length, rest) = rest.split_first()?;
            let (bits, rest) = rest.split_at_checked(usize::from(*length))?;
            for (place, octet) in bits.iter().enumerate().take(32) {
                let set = (0..8).filter(|bit| octet & (0x80 >> bit) != 0);
                types
                    .0
                    .extend(set.map(|bit| u16::from(*window) << 8 | (place * 8 + bit) as u16));
            }
            bitmap = rest;
        }
        types.0.sort_unstable();
        Some(types)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Rtype> {
        self.0.iter().map(|number| Rtype::from_int(*number))
    }

    /// Their names.
    pub fn names(&self) -> String {
        let names: Vec<_> = self
            .0
            .iter()
            .map(|number| Rtype::from_int(*number).to_string())
            .collect();
        match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(" "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bit_map_is_that_of_the_standard() {
        // RFC 4034 4.3.
        let mut types = Types::default();
        for number in [1234, 47, 1, 46, 15] {
            types.insert(Rtype::from_int(number));
        }
        let mut bitmap = vec![0, 6, 0x40, 0x01, 0, 0, 0, 0x03, 4, 27];
        bitmap.extend([0; 26]);
        bitmap.push(0x20);
        assert_eq!(types.bitmap(), bitmap);
        assert_eq!(Types::of_bitmap(&bitmap), Some(types));
        assert_eq!(Types::of_bitmap(&[0, 2, 1]), None);
    }
}
