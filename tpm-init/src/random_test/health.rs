//! SP 800-90B's health tests over bytes (4.4), and the balance of each bit.
//!
//! The cut-offs are for a min-entropy of H = 8 bits a byte and a false-positive probability of alpha = 2^-40: our choice, so strict because
//! tens of thousands of bytes are judged in a run. A good generator fails one of these tests over 64 KiB once in 13 million runs.

use super::report::Figure;

/// The equal bytes in a row that fail: 1 + ceil(-log2(alpha) / H) (SP 800-90B 4.4.1).
const RUN_CUT_OFF: u64 = 6;
/// The window of the adaptive proportion test, in bytes, for a source that is not binary (SP 800-90B 4.4.2).
const WINDOW: u64 = 512;
/// The equal bytes in a window that fail: 1 + CRITBINOM(512, 2^-H, 1 - alpha) (SP 800-90B 4.4.2).
const COUNT_CUT_OFF: u64 = 19;

/// The repetition count test (SP 800-90B 4.4.1).
#[derive(Default)]
pub(super) struct Repetition {
    position: u64,
    last: Option<u8>,
    run: u64,
    longest: u64,
    longest_at: u64,
}

impl Repetition {
    pub(super) fn push(&mut self, byte: u8) {
        self.run = if self.last == Some(byte) { self.run + 1 } else { 1 };
        self.last = Some(byte);
        self.position += 1;
        if self.run > self.longest {
            self.longest = self.run;
            self.longest_at = self.position - self.run;
        }
    }

    pub(super) fn figure(&self) -> Figure {
        Figure {
            largest: self.longest,
            cut_off: RUN_CUT_OFF,
            at: self.longest_at,
        }
    }
}

/// The adaptive proportion test (SP 800-90B 4.4.2). It counts every value in a window, where the standard counts only the window's first: so it
/// needs no luck to find a value that comes too often. A good generator then fails in a window with a probability of 2^-33 instead of 2^-38.
pub(super) struct Proportion {
    position: u64,
    counts: [u64; 256],
    largest: u64,
    largest_at: u64,
}

impl Default for Proportion {
    fn default() -> Self {
        Self {
            position: 0,
            counts: [0; 256],
            largest: 0,
            largest_at: 0,
        }
    }
}

impl Proportion {
    pub(super) fn push(&mut self, byte: u8) {
        let in_window = self.position % WINDOW;
        if in_window == 0 {
            self.counts = [0; 256];
        }
        let count = &mut self.counts[usize::from(byte)];
        *count += 1;
        if *count > self.largest {
            self.largest = *count;
            self.largest_at = self.position - in_window;
        }
        self.position += 1;
    }

    pub(super) fn figure(&self) -> Figure {
        Figure {
            largest: self.largest,
            cut_off: COUNT_CUT_OFF,
            at: self.largest_at,
        }
    }
}

/// How often each of a byte's bits is set. SP 800-90B's tests let a stuck bit pass: 128 values instead of 256 are still many.
#[derive(Default)]
pub(super) struct BitBalance {
    ones: [u64; 8],
}

impl BitBalance {
    pub(super) fn push(&mut self, byte: u8) {
        for (bit, ones) in self.ones.iter_mut().enumerate() {
            *ones += u64::from(byte >> bit & 1);
        }
    }

    /// The bit whose ones and zeros differ most, of so many bytes.
    pub(super) fn figure(&self, bytes: u64) -> Figure {
        let differences = self.ones.map(|ones| (2 * ones).abs_diff(bytes));
        let (mut largest, mut at) = (0, 0);
        for (bit, difference) in (0..).zip(differences) {
            if difference > largest {
                (largest, at) = (difference, bit);
            }
        }
        Figure {
            largest,
            cut_off: difference_cut_off(bytes),
            at,
        }
    }
}

/// The difference between the ones and the zeros of a bit that fails: by Hoeffding's inequality, that of n fair bits reaches
/// sqrt(2 n ln(2 / alpha)) with a probability of at most alpha, here 2^-40 too.
fn difference_cut_off(bytes: u64) -> u64 {
    let nats = 41.0 * std::f64::consts::LN_2;
    (2.0 * bytes as f64 * nats).sqrt().ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALPHA_BITS: f64 = 40.0;
    const H: f64 = 8.0;

    /// The probability of `from` or more of `n`, each with probability `p`.
    fn tail(n: u64, p: f64, from: u64) -> f64 {
        let mut term = (1.0 - p).powf(n as f64);
        let mut sum = 0.0;
        for k in 0..=n {
            if k >= from {
                sum += term;
            }
            term *= (n - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
        }
        sum
    }

    #[test]
    fn the_cut_offs_are_those_of_the_formulas() {
        assert_eq!(RUN_CUT_OFF, 1 + (ALPHA_BITS / H).ceil() as u64);
        // CRITBINOM: the least k for which at most k come with a probability of 1 - alpha or more.
        let (p, alpha) = (2f64.powf(-H), 2f64.powf(-ALPHA_BITS));
        let critical = (0..=WINDOW).find(|k| tail(WINDOW, p, k + 1) <= alpha).unwrap();
        assert_eq!(COUNT_CUT_OFF, 1 + critical);
        assert_eq!(difference_cut_off(65_536), 1931);
        assert_eq!(difference_cut_off(4096), 483);
    }

    #[test]
    fn a_good_generator_fails_64_kib_once_in_13_million_runs() {
        let alpha = 2f64.powf(-ALPHA_BITS);
        let run = 65_536.0 * 2f64.powf(-H * (RUN_CUT_OFF - 1) as f64);
        let every_value = 256.0 * tail(WINDOW, 2f64.powf(-H), COUNT_CUT_OFF);
        let first_value = tail(WINDOW - 1, 2f64.powf(-H), COUNT_CUT_OFF - 1);
        assert!(every_value <= 2f64.powf(-32.5) && every_value >= 2f64.powf(-33.5));
        assert!(first_value <= 2f64.powf(-37.5) && first_value >= 2f64.powf(-38.5));
        let runs = 1.0 / (run + 128.0 * every_value + 8.0 * alpha);
        assert!((13e6..14e6).contains(&runs), "{runs}");
    }

    #[test]
    fn a_window_starts_anew() {
        // 18 in the end of one window and 18 in the start of the next are not 36.
        let mut proportion = Proportion::default();
        for position in 0..1024u32 {
            let near = (494..530).contains(&position);
            proportion.push(if near { 0 } else { (position % 255 + 1) as u8 });
        }
        let figure = proportion.figure();
        assert_eq!((figure.largest, figure.at), (18, 0));
        assert!(!figure.fails());
        proportion.push(7);
        assert_eq!(proportion.figure(), figure);
    }
}
