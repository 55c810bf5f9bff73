//! What the log's anchors hold: extended, raised and read. None of it takes a secret, so a lockout stops nothing here.

use key_metadata::NvIndex;
use tss_esapi::handles::NvIndexHandle;
use tss_esapi::interface_types::resource_handles::NvAuth;
use tss_esapi::interface_types::session_handles::AuthSession;

use crate::engine::Engine;
use crate::esys::Esys;
use crate::nv::{Anchor, AnchorError, Holds};
use crate::tpm::Tpm;

impl Tpm {
    /// Extends the log index: it then holds SHA-256 of what it held and `digest` (TPM2_NV_Extend). The first time it held 32 zero bytes.
    pub fn extend_log(&self, index: NvIndex, digest: &[u8; 32]) -> Result<(), AnchorError> {
        let mut engine = self.engine();
        engine.own_anchor(Anchor::Log, index)?;
        Ok(Esys::open(&engine.tcti)?.extend(index, digest)?)
    }

    /// What the log index holds; `None` while it was never extended.
    pub fn log_value(&self, index: NvIndex) -> Result<Option<[u8; 32]>, AnchorError> {
        let mut engine = self.engine();
        match engine.own_anchor(Anchor::Log, index)? {
            Holds::Nothing => Ok(None),
            Holds::Something => engine.held_by(Anchor::Log, index).map(Some),
        }
    }

    /// Raises the counter by one, and gives the new number. The first one is above every number that a counter of this TPM ever had.
    pub fn raise_counter(&self, index: NvIndex) -> Result<u64, AnchorError> {
        let mut engine = self.engine();
        engine.own_anchor(Anchor::Counter, index)?;
        {
            let mut held = engine.open_nv(index.number())?;
            let open = NvIndexHandle::from(held.handle());
            let (mut policy, session) = held.command_session(Anchor::Counter.command())?;
            policy.run("TPM2_NV_Increment", Some(session), |context| {
                context.nv_increment(NvAuth::NvIndex(open), open)
            })?;
        }
        engine.held_by(Anchor::Counter, index).map(u64::from_be_bytes)
    }

    /// The counter's number.
    pub fn counter(&self, index: NvIndex) -> Result<u64, AnchorError> {
        let mut engine = self.engine();
        match engine.own_anchor(Anchor::Counter, index)? {
            Holds::Nothing => Err(AnchorError::Unwritten {
                tcti: engine.tcti.clone(),
                anchor: Anchor::Counter,
                index,
            }),
            Holds::Something => engine.held_by(Anchor::Counter, index).map(u64::from_be_bytes),
        }
    }
}

impl Engine {
    /// What an anchor that was written holds (TPM2_NV_Read).
    fn held_by<const SIZE: usize>(
        &mut self,
        anchor: Anchor,
        index: NvIndex,
    ) -> Result<[u8; SIZE], AnchorError> {
        let tcti = self.tcti.clone();
        let mut held = self.open_nv(index.number())?;
        let open = NvIndexHandle::from(held.handle());
        let data = held.run("TPM2_NV_Read", Some(AuthSession::Password), |context| {
            context.nv_read(NvAuth::NvIndex(open), open, anchor.size(), 0)
        })?;
        <[u8; SIZE]>::try_from(data.as_slice()).map_err(|_| AnchorError::Length {
            tcti,
            anchor,
            index,
            length: data.len(),
        })
    }
}
