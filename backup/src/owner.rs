//! The owner's auth value of a TPM, which lets its keys leave for the recovery parent.

use std::ffi::OsString;

use clap::Args;
use cli::{Outcome, pin_source, read_pin};
use dnssec::AuthValue;
use dnssec::SiteTokens;
use key_metadata::tpm_setup::AuthDelivery;
use key_metadata::{KeyRecord, KeyReference, PinSource, SiteFolder, TokenName, ZoneName};

/// The option that says where it comes from.
#[derive(Args)]
pub struct OwnerArguments {
    /// For native keys of a TPM, where its owner's auth value comes from: prompt, file:PATH, fd:NUMBER or tpm:HANDLE; sealed as site.yaml
    /// says, or empty, when absent
    // Not parsed by clap: its error would quote the value.
    #[arg(long, value_name = "SOURCE")]
    owner_auth: Option<OsString>,
}

impl OwnerArguments {
    /// The owner's auth value, where any of the keys is a TPM's.
    pub fn read(
        &self,
        folder: &SiteFolder,
        tokens: &SiteTokens<'_>,
        keys: &[(ZoneName, KeyRecord)],
    ) -> Outcome<Option<AuthValue>> {
        let native = keys.iter().find_map(|(_, key)| match &key.reference {
            KeyReference::Tpm(name) => Some(name),
            KeyReference::Pkcs11(_) | KeyReference::File(..) => None,
        });
        match native {
            Some(name) => self.of(folder, tokens, name),
            None => Ok(None),
        }
    }

    /// That of one TPM of the site.
    pub fn of(
        &self,
        folder: &SiteFolder,
        tokens: &SiteTokens<'_>,
        tpm: &TokenName,
    ) -> Outcome<Option<AuthValue>> {
        let sealed = match folder.site().tpm_setup(tpm).owner_auth {
            AuthDelivery::Sealed(handle) => Some(PinSource::Tpm(handle)),
            AuthDelivery::Custodians => None,
        };
        if self.owner_auth.is_none() && sealed.is_none() {
            return Ok(None);
        }
        let site = folder.path("");
        let (source, relative) = pin_source(
            ("--owner-auth", self.owner_auth.as_deref()),
            sealed.as_ref(),
            &site,
        )?;
        if let PinSource::Tpm(handle) = source {
            return Ok(Some(tokens.unseal_auth(handle)?));
        }
        let what = format!("the owner's auth value of TPM '{tpm}'");
        let text = read_pin(&source, &what, relative, |handle| Ok(tokens.unseal(handle)?))?;
        Ok(Some(AuthValue::from_text(&text)?))
    }
}
