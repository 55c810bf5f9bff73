//! Doing the steps of a plan, one after the other.
//!
//! Each leaves the TPM and the site's files so that what they show is enough to go on: a run that is killed is completed by the next. An
//! auth value is on the disk, or sealed, before the TPM gets it.

use std::fs;
use std::io;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cli::{Exit, Failure, Outcome, now};
use key_metadata::store::Lock;
use key_metadata::tpm_identity::{AttestationIdentity, CounterIdentity, EndorsementIdentity, NvIdentity};
use key_metadata::version::Version1;
use key_metadata::{NvIndex, TpmHandle, TpmIdentity};
use sha2::{Digest, Sha256};
use tpm::{Anchor, AttestationKeyState, Credential, EkPublicKey, EkTemplate, Holds, LockoutParameters, Tpm};
use tpm_init::certified_key;
use tpm_init::state::{Kept, Protection};
use tpm_init::step::{Delivery, HierarchyName, Step};

use crate::custodians::deliver;
use crate::draw::{draw_auth, system};
use crate::target::{Auths, Target};

/// A TPM while it is provisioned.
pub struct Execution<'a> {
    /// The TPM.
    pub tpm: &'a Tpm,
    /// Where it belongs.
    pub target: &'a Target,
    /// Keeps others from provisioning it.
    pub lock: &'a Lock,
    /// The auth values at hand.
    pub auths: Auths,
}

impl Execution<'_> {
    /// Does a step; [`Step::Report`] is the caller's.
    pub fn run(&mut self, step: &Step) -> Outcome {
        match step {
            Step::SetAside { storage_root_key } => self.set_aside(storage_root_key),
            Step::Clear { .. } => {
                self.tpm.clear(self.auths.get(&HierarchyName::Lockout))?;
                self.auths.clear();
                Ok(())
            }
            Step::EmptyAuth { hierarchy } => {
                let auth = self.auths.remove(hierarchy);
                Ok(self.tpm.change_auth(hierarchy.hierarchy(), auth.as_ref(), None)?)
            }
            Step::LiftLockout => Ok(self.tpm.lift_lockout()?),
            Step::Remove(kept) => self.remove(kept),
            Step::MakeStorageRootKey { .. } => {
                let name = self.tpm.ensure_srk(None)?.name().clone();
                // From here on, sessions are salted to this key alone.
                Ok(self.tpm.pin_srk(&name)?)
            }
            Step::MakeAttestationKey { handle, under } => {
                self.tpm
                    .create_attestation_key(*handle, template(under)?, None, None)?;
                Ok(())
            }
            Step::DefineLogIndex { index, .. } => Ok(self.tpm.define_anchor(Anchor::Log, *index, None)?),
            Step::DefineLogCounter { index, .. } => {
                Ok(self.tpm.define_anchor(Anchor::Counter, *index, None)?)
            }
            Step::Identify {
                attestation_key,
                under,
                log_counter,
            } => self.identify(*attestation_key, template(under)?, *log_counter),
            Step::SetProtection(Protection {
                tries,
                forgiven_after,
                lockout_blocked_for,
            }) => Ok(self.tpm.set_lockout_parameters(LockoutParameters {
                max: *tries,
                interval: *forgiven_after,
                recovery: *lockout_blocked_for,
            })?),
            Step::DisableClear => Ok(self.tpm.disable_clear(None)?),
            Step::SetAuth { hierarchy, to } => self.set_auth(*hierarchy, to),
            Step::Report => Ok(()),
        }
    }

    /// Moves the files about another TPM into a folder of their own; nothing of them is lost.
    fn set_aside(&self, storage_root_key: &str) -> Outcome {
        let short = storage_root_key.get(storage_root_key.len().saturating_sub(8)..);
        let folder = self
            .target
            .path(&format!("replaced-{}", short.map_or("", |short| short)));
        let moved = || -> io::Result<()> {
            fs::create_dir_all(&folder)?;
            // The identity last: while it is there, a run that was killed comes here again.
            for file in [
                "owner-auth.age",
                "endorsement-auth.age",
                "lockout-auth.age",
                "report.json",
                "report.html",
                "identity.yaml",
            ] {
                match fs::rename(self.target.path(file), folder.join(file)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    Ok(()) | Err(_) => {}
                }
            }
            fs::File::open(&folder)?.sync_all()
        };
        moved().map_err(|error| {
            Failure::of(Exit::Failed, &error)
                .within(format!("cannot put files aside into {}", folder.display()))
        })
    }

    fn remove(&self, kept: &Kept) -> Outcome {
        let digits = kept.handle.trim_start_matches("0x");
        let Ok(number) = u32::from_str_radix(digits, 16) else {
            return Err(Failure::new(
                Exit::Failed,
                format!("'{}' is no handle", kept.handle),
            ));
        };
        let name = kept.name.parse()?;
        if number >= u32::from_be_bytes([0x80, 0, 0, 0]) {
            Ok(self.tpm.evict(number, &name, None)?)
        } else {
            Ok(self.tpm.undefine_nv(number, &name, None)?)
        }
    }

    /// Proves that the attestation key is in the TPM with the endorsement key, sees the counter rise, and writes down who this TPM is.
    fn identify(&self, handle: TpmHandle, template: EkTemplate, log_counter: NvIndex) -> Outcome {
        let AttestationKeyState::Ours(key) = self.tpm.attestation_key(handle)? else {
            return Err(Failure::new(
                Exit::Failed,
                format!("the attestation key at {handle} is gone"),
            ));
        };
        let certificates = self.tpm.ek_certificates()?;
        let certificate = certificates
            .iter()
            .find(|found| found.index == template.certificate_index());
        let endorsement = self.tpm.endorsement_key(template, None)?;
        let secret = system()?;
        // For the certified key, where there is a certificate: a TPM that shows another's cannot open it.
        let public = match certificate.and_then(|certificate| certified_key(&certificate.der)) {
            Some(certified) => certified,
            None => EkPublicKey::from_spki(&endorsement.spki)?,
        };
        let credential = Credential::make(template, &public, key.name(), &*secret)?;
        let back = self.tpm.activate(&credential, handle, template, None)?;
        if back.as_slice() != secret.as_slice() {
            return Err(Failure::new(
                Exit::SaysNo,
                format!("the TPM does not prove that the attestation key at {handle} is its own"),
            ));
        }
        let first = self.tpm.raise_counter(log_counter)?;
        let risen_to = self.tpm.raise_counter(log_counter)?;
        if risen_to <= first {
            return Err(Failure::new(
                Exit::SaysNo,
                format!("the counter {log_counter} does not rise: {first}, then {risen_to}"),
            ));
        }
        let setup = &self.target.setup;
        let digest = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
        let named = |anchor: Anchor, index| {
            let name = anchor.name(index, Holds::Something).map(|name| name.to_string());
            name.map_or_else(String::new, |name| name).parse()
        };
        let identity = TpmIdentity {
            version: Version1,
            storage_root_key: self.tpm.srk_name()?.to_string().parse()?,
            endorsement_key: EndorsementIdentity {
                template: template.to_string(),
                spki_sha256: digest(&endorsement.spki),
                certificate_sha256: certificate.map(|certificate| digest(&certificate.der)),
            },
            attestation_key: AttestationIdentity {
                handle,
                name: key.name().to_string().parse()?,
                public_key: BASE64_STANDARD.encode(key.spki()),
                proved: now(),
            },
            log_index: NvIdentity {
                index: setup.log_index,
                name: named(Anchor::Log, setup.log_index)?,
            },
            log_counter: CounterIdentity {
                index: log_counter,
                name: named(Anchor::Counter, log_counter)?,
                risen_to,
            },
        };
        Ok(self
            .target
            .folder
            .write_tpm_identity(&self.target.name, &identity, self.lock)?)
    }

    /// Draws an auth value, or takes the one that an earlier run sealed, and sets it once it is safe.
    fn set_auth(&self, hierarchy: HierarchyName, to: &Delivery) -> Outcome {
        let auth = match to {
            Delivery::Custodians(custodians) => {
                let auth = draw_auth(self.tpm)?;
                deliver(
                    &auth,
                    custodians,
                    &self.target.path(&format!("{hierarchy}-auth.age")),
                )?;
                auth
            }
            Delivery::Sealed(handle) => {
                if self.tpm.persistent_kind(*handle)?.is_none() {
                    self.tpm.seal_auth(&draw_auth(self.tpm)?, *handle, None)?;
                }
                // What the TPM gives back is what it gets: a sealed value that it does not give back would be lost.
                self.tpm.unseal_auth(*handle)?
            }
        };
        self.tpm.change_auth(hierarchy.hierarchy(), None, Some(&auth))?;
        Ok(self.tpm.check_auth(hierarchy.hierarchy(), Some(&auth))?)
    }
}

/// The template of that name.
pub fn template(name: &str) -> Outcome<EkTemplate> {
    let found = EkTemplate::ALL
        .into_iter()
        .find(|template| template.to_string() == name);
    found.ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            format!("there is no endorsement key template '{name}'"),
        )
    })
}
