//! TPMS_ATTEST, read without a TPM and without its library (TPM 2.0 part 2, 10.12).

use crate::clock::{ClockInfo, ClockSafety};
use crate::info::Firmware;

/// TPM_GENERATED_VALUE, by which a TPM marks what it put together itself: a restricted key signs nothing else that begins so.
const GENERATED: u32 = 0xff54_4347;

/// What a TPM says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attest<'a> {
    pub(crate) extra_data: &'a [u8],
    pub(crate) clock: ClockInfo,
    pub(crate) firmware: Firmware,
    pub(crate) says: Says<'a>,
}

/// What it says it of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Says<'a> {
    /// TPMS_NV_CERTIFY_INFO.
    Nv {
        name: &'a [u8],
        offset: u16,
        contents: &'a [u8],
    },
    /// TPMS_QUOTE_INFO: banks with their bitmaps, and the digest of the PCRs.
    Quote {
        selection: Vec<(u16, &'a [u8])>,
        digest: &'a [u8],
    },
    /// Another type, whose number this is.
    Other(u16),
}

impl Says<'_> {
    /// TPM_ST_ATTEST_NV and TPM_ST_ATTEST_QUOTE (TPM 2.0 part 2, 6.9).
    pub(crate) const NV: u16 = 0x8014;
    pub(crate) const QUOTE: u16 = 0x8018;

    pub(crate) const fn number(&self) -> u16 {
        match self {
            Self::Nv { .. } => Self::NV,
            Self::Quote { .. } => Self::QUOTE,
            Self::Other(number) => *number,
        }
    }
}

/// Why bytes are no TPMS_ATTEST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// It does not begin with TPM_GENERATED_VALUE.
    NotGenerated,
    /// It ends too early, or a number in it is none.
    Structure,
    /// Something is behind it.
    Trailing,
}

impl<'a> Attest<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = Rest(bytes);
        if rest.number::<4>().map(u32::from_be_bytes) != Some(GENERATED) {
            return Err(Malformed::NotGenerated);
        }
        let attest = Self::read_behind_magic(&mut rest).ok_or(Malformed::Structure)?;
        match (&attest.says, rest.0) {
            // Where another type ends is not known here.
            (Says::Other(_), _) | (_, []) => Ok(attest),
            (Says::Nv { .. } | Says::Quote { .. }, _) => Err(Malformed::Trailing),
        }
    }

    fn read_behind_magic(rest: &mut Rest<'a>) -> Option<Self> {
        let kind = rest.u16()?;
        let _qualified_signer = rest.sized()?;
        let extra_data = rest.sized()?;
        let clock = ClockInfo {
            clock_ms: u64::from_be_bytes(rest.number()?),
            reset_count: rest.u32()?,
            restart_count: rest.u32()?,
            safe: {
                let [safe] = rest.number()?;
                ClockSafety::read(safe)?
            },
        };
        let firmware = Firmware(rest.u32()?, rest.u32()?);
        let says = match kind {
            Says::NV => Says::Nv {
                name: rest.sized()?,
                offset: rest.u16()?,
                contents: rest.sized()?,
            },
            Says::QUOTE => Says::Quote {
                selection: rest.selection()?,
                digest: rest.sized()?,
            },
            other => Says::Other(other),
        };
        Some(Self {
            extra_data,
            clock,
            firmware,
            says,
        })
    }
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn number<const SIZE: usize>(&mut self) -> Option<[u8; SIZE]> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*number)
    }

    fn u16(&mut self) -> Option<u16> {
        self.number().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.number().map(u32::from_be_bytes)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// A TPM2B.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.bytes(length.into())
    }

    /// TPML_PCR_SELECTION.
    fn selection(&mut self) -> Option<Vec<(u16, &'a [u8])>> {
        let count = self.u32()?;
        let mut banks = Vec::new();
        for _ in 0..count {
            let bank = self.u16()?;
            let [size] = self.number()?;
            banks.push((bank, self.bytes(size.into())?));
        }
        Some(banks)
    }
}
