//! What the TPM says it is.

use std::fmt;

use tss_esapi::constants::PropertyTag;

use crate::command::CommandError;
use crate::tpm::Tpm;

/// What the TPM says of itself; nothing here is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The manufacturer's id in the TCG Vendor ID Registry, such as `IFX`, `STM`, `INTC`; `IBM` for libtpms.
    pub manufacturer: String,
    /// The vendor's text, such as `SLB9670` or `SW   TPM`.
    pub vendor: String,
    /// The firmware's version.
    pub firmware: Firmware,
    /// The revision of the TPM 2.0 library specification times 100: 138, 159, 164.
    pub revision: u32,
}

/// A firmware version, as TPM_PT_FIRMWARE_VERSION_1 and _2 give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Firmware(pub u32, pub u32);

impl fmt::Display for Firmware {
    /// Four numbers of 16 bits, as vendors write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}.{}",
            self.0 >> 16,
            self.0 & 0xffff,
            self.1 >> 16,
            self.1 & 0xffff
        )
    }
}

impl Info {
    /// Whether it is a TPM in software (libtpms and swtpm, the reference simulator) or of a hypervisor: it keeps no key from the host.
    pub fn is_software(&self) -> bool {
        let simulator = self.vendor.to_ascii_lowercase();
        match self.manufacturer.as_str() {
            "IBM" => simulator.starts_with("sw"),
            "MSFT" | "VMW" | "GOOG" | "QEMU" => true,
            _ => simulator.contains("simulator") || simulator.starts_with("xcg ftpm"),
        }
    }
}

impl Tpm {
    /// What the TPM says it is.
    pub fn info(&self) -> Result<Info, CommandError> {
        let mut engine = self.engine();
        let mut read = |tag| Ok(engine.property(tag)?.map_or(0, |value| value));
        Ok(Info {
            manufacturer: text(&[read(PropertyTag::Manufacturer)?]),
            vendor: text(&[
                read(PropertyTag::VendorString1)?,
                read(PropertyTag::VendorString2)?,
                read(PropertyTag::VendorString3)?,
                read(PropertyTag::VendorString4)?,
            ]),
            firmware: Firmware(
                read(PropertyTag::FirmwareVersion1)?,
                read(PropertyTag::FirmwareVersion2)?,
            ),
            revision: read(PropertyTag::Revision)?,
        })
    }
}

/// Four characters to a word; what is not printable is dropped.
fn text(words: &[u32]) -> String {
    let bytes = words.iter().flat_map(|word| word.to_be_bytes());
    let text: String = bytes
        .filter(|byte| matches!(byte, b' '..=b'~'))
        .map(char::from)
        .collect();
    text.trim().to_owned()
}
