//! Signatures a second by a native key, on a software TPM of its own: `cargo bench -p keyrite-tpm`.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use key_metadata::{Algorithm, KeySpec};
use keyrite_tpm::Tpm;
use sandbox::Swtpm;
use secrecy::SecretString;

/// How long each case signs.
const SPAN: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let swtpm = Swtpm::start(folder.path())?;
    let tpm = Tpm::connect(&swtpm.tcti().parse()?)?;
    tpm.ensure_srk(None)?;
    let pin = SecretString::from("a PIN".to_owned());
    let mut out = std::io::stdout().lock();
    for algorithm in [
        Algorithm::EcdsaP256Sha256,
        Algorithm::EcdsaP384Sha384,
        Algorithm::RsaSha256,
    ] {
        for (auth, how) in [
            (None, "no auth value"),
            (Some(&pin), "auth value, one HMAC session"),
        ] {
            let spec = KeySpec::new(algorithm, None)?;
            let start = Instant::now();
            let blob = tpm.create_key(spec, auth)?;
            let created = start.elapsed();
            let key = tpm.load(&blob, auth)?;
            key.sign(algorithm, b"the first one starts the session")?;
            let (start, mut count) = (Instant::now(), 0);
            while start.elapsed() < SPAN {
                key.sign(algorithm, b"an RRset in canonical form")?;
                count += 1;
            }
            let rate = f64::from(count) / start.elapsed().as_secs_f64();
            writeln!(
                out,
                "{spec}, {how}: {rate:.0} signatures/s, created in {} ms",
                created.as_millis()
            )?;
        }
    }
    Ok(())
}
