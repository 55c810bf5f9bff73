//! The field of 256 elements that the shares are computed in: bytes as polynomials modulo x^8 + x^4 + x^3 + x + 1, as in AES (FIPS 197, 4).
//!
//! Addition is exclusive or. No table and no branch depends on an operand.

use std::hint::black_box;

/// The product of two elements.
pub(crate) fn multiply(a: u8, b: u8) -> u8 {
    let mut shifted = a;
    let mut product = 0;
    for bit in 0..8 {
        product ^= shifted & mask(b >> bit);
        shifted = (shifted << 1) ^ (0x1b & mask(shifted >> 7));
    }
    product
}

/// The inverse of an element, which is its 254th power; zero for zero, which has none.
pub(crate) fn invert(a: u8) -> u8 {
    // 254 = 2 + 4 + ... + 128.
    let mut square = a;
    let mut inverse = 1;
    for _ in 0..7 {
        square = multiply(square, square);
        inverse = multiply(inverse, square);
    }
    inverse
}

/// All ones if the lowest bit is set, and zero if not.
fn mask(bit: u8) -> u8 {
    // Without the box a compiler may see that there are two cases, and branch.
    black_box((bit & 1).wrapping_neg())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The product by its definition: polynomials are multiplied, then the remainder is taken.
    fn by_definition(a: u8, b: u8) -> u8 {
        let mut product = 0u16;
        for i in 0..8 {
            for j in 0..8 {
                if a >> i & 1 == 1 && b >> j & 1 == 1 {
                    product ^= 1 << (i + j);
                }
            }
        }
        for degree in (8..15).rev() {
            if product >> degree & 1 == 1 {
                product ^= 0x11b << (degree - 8);
            }
        }
        u8::try_from(product).unwrap()
    }

    #[test]
    fn every_product_is_that_of_the_definition() {
        for a in 0..=255 {
            for b in 0..=255 {
                assert_eq!(multiply(a, b), by_definition(a, b), "{a} {b}");
            }
        }
        // FIPS 197, 4.2.
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        assert_eq!(multiply(0x57, 0x13), 0xfe);
    }

    #[test]
    fn every_element_times_its_inverse_is_one() {
        assert_eq!(invert(0), 0);
        for a in 1..=255 {
            assert_eq!(multiply(a, invert(a)), 1, "{a}");
        }
    }
}
