//! Chance: the same from the same seed, on every machine.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use super::clock::{Lapse, Moment};

/// A generator of chance. Whole numbers only: floating point differs from one machine to the next.
#[derive(Debug)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// Of that seed.
    pub fn of_seed(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Any number, such as the seed of another generator.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below that one; 0, where there is none.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.number()) * u128::from(bound);
        (wide >> 64) as u64
    }

    /// A place in a list of that length; 0, where it is empty.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).map_or(0, |place| place)
    }

    /// One of a list.
    pub fn one<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let place = self.place(list.len());
        list.get(place)
    }

    /// Whether it happens, of so many cases in a hundred.
    pub fn percent(&mut self, hundredths: u64) -> bool {
        self.below(100) < hundredths
    }

    /// At most that long, and also just nothing or just that long more often than by chance: there the mistakes are.
    pub fn up_to(&mut self, most: Lapse) -> Lapse {
        let most = u64::try_from(most.0).map_or(0, |most| most);
        let lapse = match self.below(4) {
            0 => 0,
            1 => most,
            _ => self.below(most.saturating_add(1)),
        };
        Lapse(i64::try_from(lapse).map_or(i64::MAX, |lapse| lapse))
    }

    /// From one moment to the other, both included, and also just at either of them more often than by chance.
    pub fn between(&mut self, from: Moment, until: Moment) -> Moment {
        from + self.up_to(until - from)
    }

    /// How long until something happens that does so by chance, that often: mostly less, sometimes much more, as of a Poisson process.
    ///
    /// `-log2` of a number between 0 and 1, on straight lines between the powers of two, and so never more than 65 times the mean.
    pub fn waiting(&mut self, mean: Lapse) -> Lapse {
        let number = self.number();
        let zeros = number.leading_zeros();
        let mantissa = number.checked_shl(zeros + 1).map_or(0, |rest| rest >> 32);
        // Thousandths, of a mean of 1.5: half of all numbers have no zero in front, a quarter one, and so on.
        let thousandths = i128::from(zeros) * 1000 + 1000 - ((i128::from(mantissa) * 1000) >> 32);
        let lapse = i128::from(mean.0) * thousandths / 1500;
        Lapse(i64::try_from(lapse).map_or(i64::MAX, |lapse| lapse).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_the_same_from_the_same_seed() {
        let numbers = |seed| {
            let mut chance = Chance::of_seed(seed);
            [(); 3].map(|()| chance.below(1_000_000))
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        // Kept, so that a seed that somebody wrote down shows the same years after.
        assert_eq!(numbers(7), [157_796, 167_989, 704_276]);
    }

    #[test]
    fn what_happens_by_chance_has_its_mean() {
        let mut chance = Chance::of_seed(1);
        let sum: i64 = (0..10_000).map(|_| chance.waiting(Lapse(1000)).0).sum();
        assert!((9_500_000..10_500_000).contains(&sum), "{sum}");
    }

    #[test]
    fn both_ends_are_met() {
        let mut chance = Chance::of_seed(1);
        let met: std::collections::BTreeSet<_> =
            (0..100).map(|_| chance.between(Moment(5), Moment(7))).collect();
        assert_eq!(
            met.into_iter().collect::<Vec<_>>(),
            [Moment(5), Moment(6), Moment(7)]
        );
    }
}
