//! A TPM in failure mode.

use std::fs;
use std::io;
use std::path::Path;

use crate::swtpm::Swtpm;

impl Swtpm {
    /// Starts a TPM and breaks it: it answers, and nearly every answer is TPM_RC_FAILURE (0x101).
    ///
    /// As the specification has it (TPM 2.0 Library Part 3, 5.3), TPM2_GetTestResult still answers, with TPM_RC_FAILURE for the result;
    /// and so does TPM2_GetCapability for TPM properties, one at a time: but what libtpms 0.9 says for one that is not of the TPM's
    /// identity, such as TPM_PT_PERMANENT, is the last one's value, not an error.
    pub fn failed(state: &Path) -> io::Result<Self> {
        let memory = state.join("nvram");
        let swtpm = Self::start(&memory)?;
        // It listens before it has written its first memory; without that it ends.
        swtpm.must("tpm2_getcap", &["properties-fixed"])?;
        // A TPM that cannot write its memory fails, for good, and libtpms opens the file for each writing.
        fs::remove_dir_all(&memory)?;
        let broke = swtpm.tool("tpm2_shutdown", &["-c"])?;
        let tested = swtpm.tool("tpm2_selftest", &[])?;
        let said = String::from_utf8_lossy(&tested.stderr);
        // TPM_RC_FAILURE.
        if broke.status.success() || !said.contains("(0x101)") {
            let problem = format!("swtpm did not fail in the right way without its state: {said}");
            return Err(io::Error::other(problem));
        }
        Ok(swtpm)
    }
}
