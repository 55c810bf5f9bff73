//! PINs of tokens, which a program that stays needs again after a token was gone.

use std::collections::BTreeMap;

use cli::{Outcome, SiteArguments, pin_source};
use key_metadata::{PinSource, SiteFolder, TokenName, TpmHandle};
use secrecy::{ExposeSecret, SecretString};

/// PINs that can be had only once, from a person or from a pipe, as long as the program runs. Others are read each time.
#[derive(Default)]
pub struct Pins(BTreeMap<TokenName, SecretString>);

impl Pins {
    /// The user PIN of a token.
    pub fn user_pin(
        &mut self,
        arguments: &SiteArguments,
        folder: &SiteFolder,
        token: &TokenName,
        unseal: impl FnOnce(TpmHandle) -> Outcome<SecretString>,
    ) -> Outcome<SecretString> {
        if !Self::is_had_once(arguments, folder, token)? {
            return arguments.user_pin(folder, token, unseal);
        }
        if let Some(pin) = self.0.get(token) {
            return Ok(copy(pin));
        }
        let pin = arguments.user_pin(folder, token, unseal)?;
        self.0.insert(token.clone(), copy(&pin));
        Ok(pin)
    }

    /// Forgets a PIN that was refused: it is asked for when it is wanted again.
    pub fn forget(&mut self, token: &TokenName) {
        self.0.remove(token);
    }

    /// Whether the PIN comes from where it comes once.
    pub fn is_had_once(arguments: &SiteArguments, folder: &SiteFolder, token: &TokenName) -> Outcome<bool> {
        let of_site = folder
            .site()
            .tokens
            .get(token)
            .and_then(|entry| entry.pin.as_ref());
        let (source, _) = pin_source(("--pin", arguments.pin.as_deref()), of_site, &arguments.site)?;
        Ok(match source {
            PinSource::Prompt | PinSource::Fd(_) => true,
            PinSource::File(_) | PinSource::Tpm(_) => false,
        })
    }
}

fn copy(pin: &SecretString) -> SecretString {
    pin.expose_secret().to_owned().into()
}
