//! What `keyrite-tpm-init` decides, apart from the TPM and the token that it asks: checks, plans, the certificates of endorsement keys,
//! what is known of a firmware, and the tests of random bytes.

mod bundle;
pub mod checks;
mod ek_certificate;
mod finding;
mod firmware;
mod firmware_range;
pub mod obstacle;
pub mod page;
pub mod plan;
pub mod planner;
pub mod random_test;
pub mod report;
pub mod roca;
mod sample_size;
pub mod state;
pub mod step;

pub use bundle::{Bundle, BundleError};
pub use ek_certificate::{EkVerdict, certified_key, matches, verify};
pub use finding::{Finding, Verdict};
pub use firmware::FirmwareTable;
pub use random_test::{RandomReport, RandomTest};
pub use sample_size::{SampleSize, SampleSizeError};
