//! Random bytes from the system's generator.

use cli::{Exit, Failure, Outcome};
use zeroize::Zeroizing;

/// So many of them.
pub fn random<const N: usize>() -> Outcome<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes)
        .map_err(|error| Failure::of(Exit::Failed, &error).within("the system's generator failed"))?;
    Ok(bytes)
}
