//! What a TPM says now, over the auditor's nonce, of a ceremony that it anchored.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use key_metadata::{Advice, Digest, NvIndex, TpmHandle};
use tpm::{
    Anchor, AttestError, AttestationKeyState, Attested, ClockInfo, CommandError, Name, PcrValues, Statement,
    StatementError, Tpm,
};

use super::VerifyError;
use super::claim::Claim;
use super::look::{Look, not_checked};
use super::record::{Record, Sealed};
use crate::log::{CeremonyFolder, TpmAnchors};

const CLAIMS: [(&str, &str, &str); 4] = [
    (
        "live-tpm",
        "the TPM is the one of the ceremony: its attestation key quotes a fresh nonce",
        "tpm2_quote -c HANDLE -l sha256:0 -q NONCE -m m -s s -g sha256; tpm2_checkquote -u ak.pem -m m -s s -q NONCE",
    ),
    (
        "live-counter",
        "the TPM's counter has not risen since the last seal",
        "tpm2_nvcertify -C HANDLE -g sha256 --size 8 COUNTER",
    ),
    (
        "live-log",
        "the TPM's index still holds the digest of the whole log",
        "tpm2_nvcertify -C HANDLE -g sha256 --size 32 INDEX",
    ),
    (
        "live-clock",
        "the TPM's resets have not gone back since the last seal",
        "tpm2_readclock",
    ),
];

/// Why a TPM could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] VerifyError),
    /// A statement.
    #[error(transparent)]
    Attest(#[from] AttestError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for LiveError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Folder(error) => error.hint(),
            Self::Attest(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Folder(error) => error.is_credential(),
            Self::Attest(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
        }
    }
}

/// Asks a TPM, whose attestation key is at that handle, whether it is the one that anchored the log, and has anchored nothing since. Each
/// statement is for the nonce, which nobody could know before.
pub fn verify_live(
    folder: &CeremonyFolder,
    tpm: &Tpm,
    key: TpmHandle,
    nonce: &[u8; 32],
) -> Result<Vec<Claim>, LiveError> {
    let record = Record::read(folder)?;
    let unlooked = |why| {
        CLAIMS
            .map(|(id, claim, command)| not_checked(id, claim, command, why))
            .into()
    };
    let (Some(genesis), Some(sealed)) = (record.genesis(), record.seals.last()) else {
        return Ok(unlooked("the log has no genesis or no seal"));
    };
    let Some(anchors) = &genesis.tpm else {
        return Ok(unlooked("the log is unanchored: it was kept without a TPM"));
    };
    let live = Live {
        tpm,
        key,
        nonce,
        anchors,
        sealed,
        spki: BASE64_STANDARD
            .decode(&anchors.ak)
            .map_or_else(|_| Vec::new(), |spki| spki),
    };
    live.claims()
}

struct Live<'a> {
    tpm: &'a Tpm,
    key: TpmHandle,
    nonce: &'a [u8; 32],
    anchors: &'a TpmAnchors,
    sealed: &'a Sealed,
    spki: Vec<u8>,
}

impl Live<'_> {
    fn claims(&self) -> Result<Vec<Claim>, LiveError> {
        let mut looks: [Look; 4] = Default::default();
        let [identity, counter, log, clock] = &mut looks;
        let mut now = None;
        for look in [&mut *identity, &mut *counter, &mut *log, &mut *clock] {
            look.at(self.sealed.line);
        }
        match self.tpm.attestation_key(self.key)? {
            AttestationKeyState::Ours(key) if key.name().to_string() == self.anchors.ak_name => {
                let statement = self.tpm.attest(self.key, self.nonce)?;
                match statement.verify_quote(&self.spki, self.nonce, &PcrValues::new()) {
                    Ok(quoted) => now = Some(quoted.clock),
                    Err(error) => identity.fault(error.to_string()),
                }
                self.counter(counter)?;
                self.log(log)?;
            }
            AttestationKeyState::Ours(key) => identity.fault(format!(
                "the attestation key's Name is {}, not {}: another TPM, or one that was cleared",
                key.name(),
                self.anchors.ak_name
            )),
            AttestationKeyState::Absent => identity.fault(format!(
                "there is no attestation key at {}: another TPM, or one that was cleared",
                self.key
            )),
            AttestationKeyState::Foreign { name, .. } => {
                identity.fault(format!("{} holds {name}, which is no attestation key", self.key));
            }
        }
        if !identity.is_clean() {
            for look in [counter, log] {
                look.fault("it is not the ceremony's TPM");
            }
        }
        self.clock(now, clock);
        let seen = [
            format!("attestation key {}", self.anchors.ak_name),
            self.sealed.seal.tpm.as_ref().map_or_else(String::new, |state| {
                format!("{} is {}", self.anchors.log_counter, state.counter)
            }),
            self.sealed
                .log_value
                .map_or_else(String::new, |value| value.to_string()),
            now.map_or_else(String::new, |now| {
                format!("reset {}, restart {}", now.reset_count, now.restart_count)
            }),
        ];
        let claims = looks.into_iter().zip(CLAIMS).zip(seen);
        Ok(claims
            .map(|((look, (id, claim, command)), seen)| look.claim(id, claim, command, seen))
            .collect())
    }

    fn counter(&self, look: &mut Look) -> Result<(), LiveError> {
        let name = &self.anchors.log_counter_name;
        let read =
            |statement: &Statement, name: &Name| statement.verify_counter(&self.spki, self.nonce, name);
        let Some(now) = self.certified(Anchor::Counter, &self.anchors.log_counter, name, look, read)? else {
            return Ok(());
        };
        let then = self.sealed.seal.tpm.as_ref().map_or(0, |state| state.counter);
        if now > then {
            look.fault(format!(
                "it is {now}, and {then} at the last seal: a later seal is missing, or a later ceremony was held"
            ));
        } else if now < then {
            look.fault(format!(
                "it is {now}, and was {then} at the last seal: an older state of the TPM was restored"
            ));
        }
        Ok(())
    }

    fn log(&self, look: &mut Look) -> Result<(), LiveError> {
        let name = &self.anchors.log_index_name;
        let read = |statement: &Statement, name: &Name| statement.verify_log(&self.spki, self.nonce, name);
        let now = self.certified(Anchor::Log, &self.anchors.log_index, name, look, read)?;
        if let Some(now) = now.map(Digest::from)
            && Some(now) != self.sealed.log_value
        {
            look.fault(format!(
                "it holds {now}: more was logged, the index was made anew, or an older state of the TPM was restored"
            ));
        }
        Ok(())
    }

    /// What an anchor holds now.
    fn certified<T>(
        &self,
        anchor: Anchor,
        index: &str,
        name: &str,
        look: &mut Look,
        read: impl FnOnce(&Statement, &Name) -> Result<Attested<T>, StatementError>,
    ) -> Result<Option<T>, LiveError> {
        let (Ok(index), Ok(name)) = (index.parse::<NvIndex>(), name.parse::<Name>()) else {
            look.fault_at(1, format!("'{index}' with '{name}' is no NV index"));
            return Ok(None);
        };
        match self.tpm.certify_nv(self.key, anchor, index, self.nonce) {
            Ok(statement) => match read(&statement, &name) {
                Ok(attested) => return Ok(Some(attested.value)),
                Err(error) => look.fault(error.to_string()),
            },
            // It was removed, made anew, or something else is there.
            Err(AttestError::Anchor(error)) => look.fault(error.to_string()),
            Err(error) => return Err(error.into()),
        }
        Ok(None)
    }

    fn clock(&self, now: Option<ClockInfo>, look: &mut Look) {
        match (now, &self.sealed.seal.tpm) {
            (Some(now), Some(then)) if now.reset_count < then.reset_count => look.fault(format!(
                "reset {}, and {} at the last seal: the TPM was cleared, or an older state of it restored",
                now.reset_count, then.reset_count
            )),
            (Some(_), Some(_)) => {}
            (None, _) | (_, None) => look.fault("nothing is known of the TPM's resets"),
        }
    }
}
