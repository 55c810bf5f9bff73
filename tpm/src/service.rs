//! Whether a TPM is fit for service: its self-test, its hierarchies, what it can do, and how much room it has.

use std::str::FromStr;

use key_metadata::Tcti;
use tss_esapi::Context;
use tss_esapi::constants::{CapabilityType, CommandCode, PropertyTag, StartupType};
use tss_esapi::handles::AuthHandle;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::CapabilityData;
use tss_esapi::tcti_ldr::TctiNameConf;
use tss_esapi::tss2_esys::TPM2_CC;

use crate::command::CommandError;
use crate::response::{AUTH_FAIL, BAD_AUTH, HIERARCHY, INITIALIZE, ResponseCode};
use crate::tpm::{ConnectError, Tpm};
use crate::turn::wait_for_turn;

/// What a TPM says of itself after it has tested all that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfTest {
    /// What TPM2_SelfTest(full) failed with.
    pub failure: Option<ResponseCode>,
    /// What TPM2_GetTestResult says, as its manufacturer encodes it, in hex digits; a TPM in failure mode gives it too.
    pub details: Option<String>,
}

/// Whether the platform hierarchy, which is the firmware's, is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// It is disabled until the next start.
    Disabled,
    /// It has an auth value, as a machine's firmware sets one at every start.
    AuthSet,
    /// Its auth value is empty: whoever reaches the TPM commands it.
    AuthEmpty,
}

/// What is enabled since the TPM was started (TPMA_STARTUP_CLEAR; TPM 2.0 part 2, 8.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enabled {
    /// The owner hierarchy.
    pub owner: bool,
    /// The endorsement hierarchy.
    pub endorsement: bool,
    /// The last stop was an orderly one.
    pub orderly: bool,
}

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Transient objects that it can hold at least (TPM_PT_HR_TRANSIENT_MIN).
    pub transient: u32,
    /// Sessions that it can hold loaded at least (TPM_PT_HR_LOADED_MIN).
    pub sessions: u32,
    /// Persistent objects for which there is still room, by its own estimate (TPM_PT_HR_PERSISTENT_AVAIL).
    pub persistent_left: u32,
    /// NV counters that can still be defined (TPM_PT_NV_COUNTERS_AVAIL).
    pub counters_left: u32,
}

/// What Keyrite needs of a TPM, by its number in TPM 2.0 part 2, 6.3 (algorithms).
const ALGORITHMS: [(u32, &str); 6] = [
    (0x0001, "RSA"),
    (0x0006, "AES"),
    (0x000b, "SHA-256"),
    (0x0018, "ECDSA"),
    (0x0023, "ECC"),
    (0x0043, "CFB"),
];

/// The commands that it needs and that a TPM may lack.
const COMMANDS: [(CommandCode, &str); 9] = [
    (CommandCode::NvExtend, "TPM2_NV_Extend"),
    (CommandCode::NvIncrement, "TPM2_NV_Increment"),
    (CommandCode::NvCertify, "TPM2_NV_Certify"),
    (CommandCode::Duplicate, "TPM2_Duplicate"),
    (CommandCode::Import, "TPM2_Import"),
    (
        CommandCode::PolicyDuplicationSelect,
        "TPM2_PolicyDuplicationSelect",
    ),
    (CommandCode::PolicyAuthorize, "TPM2_PolicyAuthorize"),
    (CommandCode::ActivateCredential, "TPM2_ActivateCredential"),
    (CommandCode::ClearControl, "TPM2_ClearControl"),
];

impl Tpm {
    /// Has the TPM test itself, before anything else is asked: one in failure mode answers nothing else.
    pub fn self_test(tcti: &Tcti) -> Result<SelfTest, ConnectError> {
        let unreachable = |error| ConnectError::Unreachable {
            tcti: tcti.clone(),
            source: ResponseCode::of(error),
        };
        let _turn = wait_for_turn(tcti).ok_or_else(|| ConnectError::Busy { tcti: tcti.clone() })?;
        let configuration = TctiNameConf::from_str(tcti.as_str()).map_err(unreachable)?;
        let mut context = Context::new(configuration).map_err(unreachable)?;
        let mut failure = context.self_test(true).err().map(ResponseCode::of);
        if failure.as_ref().is_some_and(|code| code.is(INITIALIZE)) {
            failure = match context.startup(StartupType::Clear) {
                Ok(()) => context.self_test(true).err().map(ResponseCode::of),
                Err(error) => Some(ResponseCode::of(error)),
            };
        }
        if let Some(source) = failure.clone().filter(ResponseCode::is_transport) {
            return Err(ConnectError::Unreachable {
                tcti: tcti.clone(),
                source,
            });
        }
        let details = context
            .get_test_result()
            .ok()
            .map(|(data, _)| hex::encode(data.as_slice()));
        Ok(SelfTest { failure, details })
    }

    /// Whether the platform hierarchy is closed. Its empty auth value is tried, which no protection counts.
    pub fn platform(&self) -> Result<Platform, CommandError> {
        let mut engine = self.engine();
        let (mut held, trial) = engine.trial_session()?;
        let asked = held.policy_secret(trial, AuthHandle::Platform, Some(AuthSession::Password));
        match asked {
            Ok(()) => Ok(Platform::AuthEmpty),
            Err(error) if error.is(BAD_AUTH) || error.is(AUTH_FAIL) => Ok(Platform::AuthSet),
            Err(error) if error.is(HIERARCHY) => Ok(Platform::Disabled),
            Err(error) => Err(error),
        }
    }

    /// What is enabled.
    pub fn enabled(&self) -> Result<Enabled, CommandError> {
        let bits = self.engine().property(PropertyTag::StartupClear)?;
        let bit = |number: u32| bits.is_some_and(|bits| bits & (1 << number) != 0);
        Ok(Enabled {
            owner: bit(1),
            endorsement: bit(2),
            orderly: bit(31),
        })
    }

    /// How much room there is; 0 where the TPM does not say.
    pub fn room(&self) -> Result<Room, CommandError> {
        let mut engine = self.engine();
        let mut read = |tag| Ok(engine.property(tag)?.map_or(0, |value| value));
        Ok(Room {
            transient: read(PropertyTag::HrTransientMin)?,
            sessions: read(PropertyTag::HrLoadedMin)?,
            persistent_left: read(PropertyTag::HrPersistentAvail)?,
            counters_left: read(PropertyTag::NvCountersAvail)?,
        })
    }

    /// The algorithms and commands that Keyrite needs and that this TPM lacks, by their names.
    pub fn lacks(&self) -> Result<Vec<&'static str>, CommandError> {
        let mut engine = self.engine();
        let mut lacking = Vec::new();
        for (number, name) in ALGORITHMS {
            let (data, _) = engine.run("TPM2_GetCapability", None, |context| {
                context.get_capability(CapabilityType::Algorithms, number, 1)
            })?;
            let there = match data {
                CapabilityData::Algorithms(list) => list
                    .first()
                    .is_some_and(|found| u32::from(u16::from(found.algorithm_identifier())) == number),
                _ => false,
            };
            if !there {
                lacking.push(name);
            }
        }
        for (code, name) in COMMANDS {
            let number = TPM2_CC::from(code);
            let (data, _) = engine.run("TPM2_GetCapability", None, |context| {
                context.get_capability(CapabilityType::Command, number, 1)
            })?;
            let there = match data {
                CapabilityData::Commands(list) => list
                    .first()
                    .is_some_and(|found| u32::from(found.command_index()) == number),
                _ => false,
            };
            if !there {
                lacking.push(name);
            }
        }
        Ok(lacking)
    }
}
