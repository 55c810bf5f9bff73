//! CKA_EC_POINT, which tokens write in several ways.

/// The coordinates of a point on a curve: `length` bytes of x | y, or of Ed25519's one.
///
/// The standard's form is a DER OCTET STRING of the point; some tokens give the point bare, and some a BIT STRING. An uncompressed point
/// of P-256 or P-384 starts with 0x04 (SEC 1 2.3.3), Ed25519's does not. Anything else is refused.
pub(crate) fn coordinates(attribute: &[u8], length: usize, edwards: bool) -> Option<&[u8]> {
    let prefix: &[u8] = if edwards { &[] } else { &[0x04] };
    let point = prefix.len() + length;
    let bare = |bytes: &[u8]| bytes.len() == point && bytes.starts_with(prefix);
    let der = |bytes: &[u8]| match *bytes {
        [0x04, size, ..] if size < 0x80 => usize::from(size) == point && bytes.len() == 2 + point,
        [0x04, 0x81, size, ..] => usize::from(size) == point && bytes.len() == 3 + point,
        [0x03, size, 0, ..] if size < 0x80 => usize::from(size) == 1 + point && bytes.len() == 3 + point,
        _ => false,
    };
    let (head, coordinates) = attribute.split_at_checked(attribute.len().checked_sub(length)?)?;
    let whole = bare(attribute) || (der(attribute) && head.ends_with(prefix));
    whole.then_some(coordinates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_in_every_form_and_others_are_refused() {
        let p256 = [&[0x04][..], &[7; 64]].concat();
        let p384 = [&[0x04][..], &[7; 96]].concat();
        assert_eq!(coordinates(&p256, 64, false), Some(&[7; 64][..]));
        assert_eq!(
            coordinates(&[&[4, 65][..], &p256].concat(), 64, false),
            Some(&[7; 64][..])
        );
        assert_eq!(
            coordinates(&[&[3, 66, 0][..], &p256].concat(), 64, false),
            Some(&[7; 64][..])
        );
        assert_eq!(
            coordinates(&[&[4, 97][..], &p384].concat(), 96, false),
            Some(&[7; 96][..])
        );
        assert_eq!(
            coordinates(&[&[4, 0x81, 97][..], &p384].concat(), 96, false),
            Some(&[7; 96][..])
        );
        assert_eq!(coordinates(&[4; 32], 32, true), Some(&[4; 32][..]));
        assert_eq!(
            coordinates(&[&[4, 32][..], &[9; 32]].concat(), 32, true),
            Some(&[9; 32][..])
        );
        let compressed = [&[2][..], &[7; 32]].concat();
        for bad in [
            &[][..],
            &[4, 65],
            &[7; 64],
            &compressed,
            &[&[4, 66][..], &p256].concat(),
            &[&[4, 65, 3][..], &[7; 64]].concat(),
        ] {
            assert_eq!(coordinates(bad, 64, false), None, "{bad:02x?}");
        }
    }
}
