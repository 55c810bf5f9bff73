//! What `keyrite-tpm-init` decides, apart from the TPM and the token that it asks: checks, plans, and the tests of random bytes.

mod finding;
pub mod random_test;
mod sample_size;

pub use finding::{Finding, Verdict};
pub use random_test::{RandomReport, RandomTest};
pub use sample_size::{SampleSize, SampleSizeError};
