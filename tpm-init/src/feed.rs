//! Feeding the kernel's pool from a TPM's generator.

use std::fmt;

use cli::{Exit, Failure, Outcome};
use secrecy::ExposeSecret;
use serde::Serialize;
use tpm::Tpm;

use crate::kernel_pool::{self, Added, PORTION};

/// The credit for 512 bytes of a TPM, in bits: our choice, half a bit a byte. However much it gives, its DRBG has no more than 256 bits of
/// security strength (SP 800-90A 8.4); and with 256 bits Linux takes its pool for filled.
const CREDIT: u16 = 256;

/// What feeding the pool came to.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fed {
    bytes: usize,
    credited_bits: u16,
    credit: Credit,
    entropy_before: u32,
    entropy_after: u32,
}

/// Why the bytes have the credit that they have.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Credit {
    /// A chip's.
    Given,
    /// The TPM is in software, and may draw from the very pool that it would fill.
    SoftwareTpm,
    /// The kernel lets only CAP_SYS_ADMIN give credit.
    Refused,
}

/// Draws bytes in an encrypted session, and gives them to the kernel.
pub fn feed(tpm: &Tpm) -> Outcome<Fed> {
    let software = tpm.info()?.is_software();
    let entropy_before = kernel_pool::entropy()?;
    let drawn = tpm.random(PORTION)?;
    let bytes = <&[u8; PORTION]>::try_from(drawn.expose_secret())
        .map_err(|error| Failure::of(Exit::Failed, &error))?;
    let asked = if software { 0 } else { CREDIT };
    let (credited_bits, credit) = match (kernel_pool::add(bytes, asked)?, software) {
        (_, true) => (0, Credit::SoftwareTpm),
        (Added::Credited, false) => (asked, Credit::Given),
        (Added::Uncredited, false) => (0, Credit::Refused),
    };
    Ok(Fed {
        bytes: PORTION,
        credited_bits,
        credit,
        entropy_before,
        entropy_after: kernel_pool::entropy()?,
    })
}

impl fmt::Display for Fed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.credit {
            Credit::Given => "",
            Credit::SoftwareTpm => ", since a TPM in software may draw from the same pool",
            Credit::Refused => ", since only CAP_SYS_ADMIN may credit them (random(4))",
        };
        write!(
            f,
            "{} more bytes mixed into the kernel's pool and credited with {} bits{why}; entropy_avail was {} and is {}",
            self.bytes, self.credited_bits, self.entropy_before, self.entropy_after
        )
    }
}
