//! TPMs as they leave their maker, and as somebody makes them look who is not.

use std::fs;
use std::io;
use std::path::Path;

use crate::ek_ca::EkCa;
use crate::swtpm::Swtpm;

/// Where the endorsement keys' certificates are: RSA-2048, and P-384 (TCG EK Credential Profile, low and high range).
const CERTIFICATES: [&str; 2] = ["0x1c00002", "0x1c00016"];
/// As swtpm_setup defines the indices.
const ATTRIBUTES: &str = "ppwrite|writedefine|ppread|ownerread|authread|no_da|platformcreate";

impl Swtpm {
    /// Starts a new TPM whose endorsement keys that CA certified; what was in the folder `state` is lost.
    ///
    /// The platform hierarchy is open, with an empty auth value, as after every start of a swtpm: no firmware closes it.
    pub fn manufactured(state: &Path, ca: &EkCa) -> io::Result<Self> {
        ca.manufacture(state)?;
        Self::start(state)
    }

    /// The same, but each certificate's last bit is flipped: it reads as before, and its signature is wrong.
    pub fn with_tampered_ek(state: &Path, ca: &EkCa) -> io::Result<Self> {
        let swtpm = Self::manufactured(state, ca)?;
        for index in CERTIFICATES {
            let mut certificate = swtpm.ek_certificate(index)?;
            if let Some(last) = certificate.last_mut() {
                *last ^= 1;
            }
            swtpm.replace_certificate(index, &certificate)?;
        }
        Ok(swtpm)
    }

    /// The same, but the certificates are those of another TPM of that CA.
    pub fn with_other_ek(state: &Path, ca: &EkCa) -> io::Result<Self> {
        let other = Self::manufactured(&state.join("other"), ca)?;
        let swtpm = Self::manufactured(state, ca)?;
        for index in CERTIFICATES {
            swtpm.replace_certificate(index, &other.ek_certificate(index)?)?;
        }
        Ok(swtpm)
    }

    fn ek_certificate(&self, index: &str) -> io::Result<Vec<u8>> {
        self.must("tpm2_nvread", &["-C", "o", index])
    }

    /// The index is locked against writing; but the platform may remove it and define it anew.
    fn replace_certificate(&self, index: &str, certificate: &[u8]) -> io::Result<()> {
        let file = self.state().join("certificate.der");
        fs::write(&file, certificate)?;
        let (file, size) = (file.display().to_string(), certificate.len().to_string());
        self.must("tpm2_nvundefine", &["-C", "p", index])?;
        self.must(
            "tpm2_nvdefine",
            &["-C", "p", "-s", &size, "-a", ATTRIBUTES, index],
        )?;
        self.must("tpm2_nvwrite", &["-C", "p", "-i", &file, index])?;
        self.must("tpm2_nvwritelock", &["-C", "p", index])?;
        Ok(())
    }
}
