//! The certificates of endorsement keys that the TPM's maker put into it.

use spki::der::{Reader, SliceReader};
use tss_esapi::constants::PropertyTag;
use tss_esapi::handles::NvIndexHandle;
use tss_esapi::interface_types::resource_handles::NvAuth;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::MaxNvBuffer;
use tss_esapi::tss2_esys::TPMA_NV;

use crate::command::CommandError;
use crate::engine::Engine;
use crate::tpm::Tpm;

/// The NV indices of certificates: TCG EK Credential Profile for TPM Family 2.0 2.5, 2.2.1.4 and 2.2.1.5.
const INDICES: [u32; 8] = [
    0x01c0_0002,
    0x01c0_000a,
    0x01c0_0012,
    0x01c0_0014,
    0x01c0_0016,
    0x01c0_0018,
    0x01c0_001c,
    0x01c0_001e,
];

/// TPMA_NV_WRITTEN (TPM 2.0 part 2, 13.4).
const WRITTEN: TPMA_NV = 1 << 29;

/// A certificate as the TPM keeps it; nothing of it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EkCertificate {
    /// Its NV index; [`crate::EkTemplate::of_certificate`] tells which key it is for.
    pub index: u32,
    /// What is there, without what follows the first DER value.
    pub der: Vec<u8>,
}

impl Tpm {
    /// The certificates of endorsement keys that are in the TPM, by NV index.
    ///
    /// They are read with the empty auth value of their own index, as the profile has it; swtpm_setup makes them so too. The
    /// TPM's refusal of one is an error. The header that TPM 1.2 put before a certificate is not expected: the profile has plain DER.
    pub fn ek_certificates(&self) -> Result<Vec<EkCertificate>, CommandError> {
        let mut engine = self.engine();
        let mut certificates = Vec::new();
        for index in INDICES {
            if engine.is_there(index)?
                && let Some(data) = engine.nv_data(index)?
            {
                let der = first_value(&data).to_vec();
                certificates.push(EkCertificate { index, der });
            }
        }
        Ok(certificates)
    }
}

impl Engine {
    /// What an NV index holds, read with its own empty auth value; `None` where it was never written.
    fn nv_data(&mut self, index: u32) -> Result<Option<Vec<u8>>, CommandError> {
        let most = self
            .property(PropertyTag::NvBufferMax)?
            .and_then(|most| usize::try_from(most).ok())
            .map_or(MaxNvBuffer::MAX_SIZE, |most| most.clamp(1, MaxNvBuffer::MAX_SIZE));
        let mut held = self.open_nv(index)?;
        let open = NvIndexHandle::from(held.handle());
        let (size, attributes) = held.run("TPM2_NV_ReadPublic", None, |context| {
            let (public, _) = context.nv_read_public(open)?;
            Ok((public.data_size(), TPMA_NV::try_from(public.attributes())?))
        })?;
        if attributes & WRITTEN == 0 {
            return Ok(None);
        }
        let mut data = Vec::with_capacity(size);
        while data.len() < size {
            let (length, offset) = (most.min(size - data.len()), data.len());
            let part = held.run("TPM2_NV_Read", Some(AuthSession::Password), |context| {
                let (length, offset) = (length as u16, offset as u16);
                context.nv_read(NvAuth::NvIndex(open), open, length, offset)
            })?;
            if part.is_empty() {
                break;
            }
            data.extend_from_slice(&part);
        }
        Ok(Some(data))
    }
}

/// The first DER value, or everything where there is none: whoever reads it as a certificate says so.
fn first_value(data: &[u8]) -> &[u8] {
    let cut = SliceReader::new(data).and_then(|mut reader| reader.tlv_bytes());
    cut.map_or(data, |value| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_certificate_is_cut() {
        assert_eq!(first_value(&[0x30, 2, 5, 0, 0xff, 0xff]), [0x30, 2, 5, 0]);
        for whole in [&[][..], &[0xff; 4], &[0; 1], &[0x30, 9, 0]] {
            assert_eq!(first_value(whole), whole);
        }
    }
}
