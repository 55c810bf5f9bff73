//! The fingerprint of RSA keys that Infineon's library made (ROCA, CVE-2017-15361).
//!
//! Its primes are `k * M + (65537^a mod M)`, with M the product of the first primes; so a modulus is a power of 65537 for each of them, which
//! is told without factoring. M. Nemec et al., The Return of Coppersmith's Attack, ACM CCS 2017, section 2.

/// The primes that are asked, from 3 to 167: those of M for the smallest keys (512 to 960 bits), which are in M for all sizes.
const LARGEST: u32 = 167;

/// 65537, the generator of the residues.
const GENERATOR: u32 = 65_537;

/// Whether a modulus, big-endian, has the fingerprint.
///
/// A key that was made otherwise has it with a probability of 2^-27.8: the product, over the primes, of the part of the residues that
/// are powers of 65537.
pub fn has_fingerprint(modulus: &[u8]) -> bool {
    primes().all(|prime| is_power(residue(modulus, prime), prime))
}

/// The odd primes up to [`LARGEST`].
fn primes() -> impl Iterator<Item = u32> {
    (3..=LARGEST).filter(|number| (2..*number).all(|divisor| !number.is_multiple_of(divisor)))
}

fn residue(number: &[u8], prime: u32) -> u32 {
    number
        .iter()
        .fold(0, |residue, byte| (residue * 256 + u32::from(*byte)) % prime)
}

/// Whether a residue is a power of the generator.
fn is_power(residue: u32, prime: u32) -> bool {
    powers(prime).any(|power| power == residue)
}

/// The powers of the generator, each once, beginning with 1.
fn powers(prime: u32) -> impl Iterator<Item = u32> {
    let mut next = Some(1);
    std::iter::from_fn(move || {
        let power = next?;
        let following = power * (GENERATOR % prime) % prime;
        next = Some(following).filter(|power| *power != 1);
        Some(power)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// log2 of the probability that a number without a factor of these has the fingerprint.
    fn chance() -> f64 {
        primes()
            .map(|prime| (powers(prime).count() as f64 / f64::from(prime - 1)).log2())
            .sum()
    }

    #[test]
    fn the_primes_and_the_chance() {
        let primes: Vec<_> = primes().collect();
        assert_eq!((primes.len(), primes[0], primes[37]), (38, 3, 167));
        assert!((-27.84..-27.83).contains(&chance()), "{}", chance());
    }

    /// Schoolbook arithmetic on little-endian digits of 32 bits, for moduli that are built from the definition.
    fn times(a: &[u32], b: &[u32]) -> Vec<u32> {
        let mut product = vec![0_u32; a.len() + b.len()];
        for (i, x) in a.iter().enumerate() {
            let mut carry = 0_u64;
            for (j, y) in b.iter().enumerate() {
                let sum = u64::from(product[i + j]) + u64::from(*x) * u64::from(*y) + carry;
                product[i + j] = sum as u32;
                carry = sum >> 32;
            }
            product[i + b.len()] = carry as u32;
        }
        product
    }

    fn plus(a: &[u32], b: &[u32]) -> Vec<u32> {
        let mut carry = 0;
        let digit = |number: &[u32], i: usize| u64::from(number.get(i).copied().unwrap_or(0));
        (0..=a.len().max(b.len()))
            .map(|i| {
                let sum = digit(a, i) + digit(b, i) + carry;
                carry = sum >> 32;
                sum as u32
            })
            .collect()
    }

    fn big_endian(number: &[u32]) -> Vec<u8> {
        number
            .iter()
            .rev()
            .flat_map(|digit| digit.to_be_bytes())
            .collect()
    }

    /// k * M + 65537^a, which leaves the residues of 65537^a.
    fn weak(k: &[u32], a: u32) -> Vec<u32> {
        let product = primes().fold(vec![1], |product, prime| times(&product, &[prime]));
        let power = (0..a).fold(vec![1], |power, _| times(&power, &[GENERATOR]));
        plus(&times(k, &product), &power)
    }

    #[test]
    fn moduli_of_the_definition_are_recognised() {
        for seed in 1..50_u32 {
            let k: Vec<_> = (0..24)
                .map(|i| seed.wrapping_mul(0x9e37_79b9).rotate_left(i))
                .collect();
            let p = weak(&k, seed % 7);
            assert!(has_fingerprint(&big_endian(&p)));
            // A modulus is the product of two such numbers, and one more is not.
            let n = times(&p, &weak(&k[..20], 3 + seed));
            assert!(has_fingerprint(&big_endian(&n)));
            assert!(!has_fingerprint(&big_endian(&plus(&n, &[1]))));
        }
    }

    /// Other keys' moduli, as far as this test sees them, are numbers without small factors. 2000 of them have the fingerprint with a
    /// probability below 2^-16.
    #[test]
    fn other_moduli_are_not() {
        let mut bytes = [0; 256];
        for _ in 0..2000 {
            getrandom::fill(&mut bytes).unwrap();
            bytes[0] |= 0x80;
            bytes[255] |= 1;
            assert!(!has_fingerprint(&bytes));
        }
        assert!(!has_fingerprint(&[]));
    }
}
