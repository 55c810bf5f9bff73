//! Addresses that nobody else uses.

use std::io;

/// The ports that a TPM's TCTI wants side by side: commands, and control.
pub const PORTS: [u16; 2] = [2321, 2322];

/// An address of 127.0.0.0/8, drawn at random.
pub fn random() -> io::Result<String> {
    let mut bytes = [0; 3];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(format!(
        "127.{}.{}.{}",
        bytes[0].max(1),
        bytes[1],
        bytes[2].clamp(1, 254)
    ))
}

/// Does `attempt` at an address drawn at random; another run may hold the address, so it is drawn again a few times.
pub fn somewhere<T>(attempt: impl Fn(&str) -> io::Result<T>) -> io::Result<T> {
    let mut last = io::Error::other("no address was tried");
    for _ in 0..5 {
        match attempt(&random()?) {
            Ok(done) => return Ok(done),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The TCTI configuration that reaches a TPM there.
pub fn tcti(host: &str) -> String {
    format!("swtpm:host={host},port={}", PORTS[0])
}
