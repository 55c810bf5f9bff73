//! What `keyrite-tpm-init` decides, apart from the TPM and the token that it asks: checks, plans, and the tests of random bytes.

mod finding;

pub use finding::{Finding, Verdict};
