//! Random bytes.

use cli::{Exit, Failure, Outcome};

/// From the system's generator.
pub fn random<const N: usize>() -> Outcome<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::of(Exit::Failed, &error).within("the system's generator failed"))?;
    Ok(bytes)
}
