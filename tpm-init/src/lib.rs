//! What `keyrite-tpm-init` decides, apart from the TPM and the token that it asks: checks, plans, and the tests of random bytes.

pub mod checks;
mod finding;
mod firmware;
mod firmware_range;
pub mod page;
pub mod plan;
pub mod random_test;
pub mod report;
pub mod roca;
mod sample_size;
pub mod state;
pub mod step;

pub use finding::{Finding, Verdict};
pub use firmware::{Barred, FirmwareTable};
pub use random_test::{RandomReport, RandomTest};
pub use sample_size::{SampleSize, SampleSizeError};
