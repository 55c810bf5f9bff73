//! The PIN that a token is to have.

use std::ffi::OsString;
use std::path::Path;

use clap::Args as ClapArgs;
use cli::{Exit, Failure, NewPin, Outcome};
use key_metadata::{PinSource, TpmHandle};
use pkcs11::{LoginError, PinLengthLimits, PinOwner};
use secrecy::SecretString;

use crate::seal::{sealed_already, sealed_pin};
use crate::site_tpm::owner_auth;
use crate::token::Chosen;

/// The options of it.
#[derive(ClapArgs)]
pub struct NewPinArguments {
    /// Where the new PIN comes from: prompt, file:PATH, fd:NUMBER, or tpm:HANDLE to have one drawn at random and sealed there; asked for
    /// twice when absent
    // Not parsed by clap: its error would quote a PIN that was given by mistake.
    #[arg(long, value_name = "SOURCE")]
    new_pin: Option<OsString>,
    /// Where the TPM owner's authorisation comes from; needed to seal where it is set
    #[arg(long, value_name = "SOURCE")]
    owner_auth: Option<OsString>,
}

impl NewPinArguments {
    /// Its source; read before anything is done.
    pub fn source(&self) -> Outcome<PinSource> {
        match &self.new_pin {
            Some(value) => cli::parse_pin_source("--new-pin", value),
            None => Ok(PinSource::Prompt),
        }
    }

    /// The new PIN that a run which did not come to its end has sealed. A handle that the site has another use for is refused.
    pub fn sealed(&self, chosen: &Chosen<'_>, owner: PinOwner) -> Outcome<Option<(TpmHandle, SecretString)>> {
        let PinSource::Tpm(handle) = self.source()? else {
            return Ok(None);
        };
        let site = chosen.folder.site();
        let (tpm, _) = site.only_tpm(handle)?;
        let setup = site.tpm_setup(tpm);
        let mut places = setup.places();
        if site.sealed_pins().any(|used| used == handle) || places.any(|place| place == handle.to_string()) {
            let failure = Failure::new(
                Exit::Usage,
                format!("site.yaml has a use for {handle}, so no new {owner} PIN is sealed there"),
            );
            return Err(failure.hint("give a free handle; nothing is sealed twice in one place".to_owned()));
        }
        let sealed = sealed_already(&chosen.tpm(handle)?, handle, &what(owner))?;
        Ok(sealed.map(|pin| (handle, pin)))
    }

    /// The new PIN; one that the TPM is to keep is drawn and sealed, before it is set anywhere. `first` is run before that: what cannot be
    /// set need not be sealed.
    pub fn make(
        &self,
        chosen: &Chosen<'_>,
        owner: PinOwner,
        limits: PinLengthLimits,
        first: impl FnOnce() -> Result<(), LoginError>,
        done: &mut Vec<String>,
    ) -> Outcome<SecretString> {
        let asked = format!("{} of token '{}'", what(owner), chosen.name);
        match cli::read_new_pin(&self.source()?, &asked, Path::new(""))? {
            NewPin::Given(pin) => Ok(pin),
            NewPin::ToBeSealed(handle) => {
                first()?;
                let (tpm, what) = (chosen.tpm(handle)?, what(owner));
                let owner_auth = owner_auth(chosen.folder, handle, &tpm, self.owner_auth.as_deref())?;
                let sealed = sealed_pin(&tpm, handle, limits.longest(), owner_auth.as_ref(), &what)?;
                done.push(format!("new {owner} PIN {}", sealed.kept(handle)));
                Ok(sealed.pin)
            }
        }
    }

    /// What would be done for the new PIN.
    pub fn prospect(&self, chosen: &Chosen<'_>, owner: PinOwner) -> Outcome<String> {
        let source = self.source()?;
        let sealed = self.sealed(chosen, owner)?;
        Ok(match (source, sealed) {
            (_, Some((handle, _))) => format!("new {owner} PIN is sealed already at {handle}"),
            (PinSource::Tpm(handle), None) => {
                format!("would draw the new {owner} PIN at random and seal it at {handle}")
            }
            (source @ (PinSource::Prompt | PinSource::File(_) | PinSource::Fd(_)), None) => {
                format!("new {owner} PIN from {source}")
            }
        })
    }

    /// What is left for the user to do, now that the token has the new PIN.
    pub fn notes(&self, chosen: &Chosen<'_>, owner: PinOwner) -> Outcome<Vec<String>> {
        let field = match owner {
            PinOwner::User => "pin",
            PinOwner::SecurityOfficer => "so-pin",
        };
        let (new, of_site) = (self.source()?, chosen.source_of_site(owner));
        let mut notes = Vec::new();
        match (&new, of_site) {
            (PinSource::Tpm(_), _) => notes.push(format!("put '{field}: {new}' for it into site.yaml")),
            (_, Some(old @ (PinSource::File(_) | PinSource::Tpm(_)))) => notes.push(format!(
                "site.yaml has '{field}: {old}' for it: put the new PIN there, or change that"
            )),
            (_, Some(PinSource::Prompt | PinSource::Fd(_)) | None) => {}
        }
        if let Some(PinSource::Tpm(old)) = of_site {
            notes.push(format!(
                "the PIN sealed at {old} is of no use then: keyrite-tpm-init provision --remove {old}"
            ));
        }
        Ok(notes)
    }
}

fn what(owner: PinOwner) -> String {
    format!("the new {owner} PIN")
}
