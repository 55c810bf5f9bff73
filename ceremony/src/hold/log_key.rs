//! The log's own key in a PKCS#11 token.

use ceremony::log::LogKey as Named;
use cli::{Exit, Failure, Outcome};
use key_metadata::{PinSource, SiteFolder, TokenAddress, TokenName, TokenUri};
use pkcs11::{Module, Token};
use secrecy::SecretString;
use tpm::Tpm;

use super::begin::in_base64;

/// The key, and how to reach it: the token is opened for each signature, since the tools of the steps use it in between.
pub struct LogKey {
    name: TokenName,
    uri: TokenUri,
    source: PinSource,
    /// What was typed, so that it is asked for once.
    typed: Option<SecretString>,
    spki: Vec<u8>,
}

impl LogKey {
    /// The key of that token; made where there is none.
    pub fn open(site: &SiteFolder, name: &TokenName) -> Outcome<Self> {
        let token = site.site().tokens.get(name);
        let Some((TokenAddress::Pkcs11(uri), token)) = token.map(|token| (&token.address, token)) else {
            return Err(Failure::new(
                Exit::Failed,
                format!("the script's log-key '{name}' is no PKCS#11 token of site.yaml"),
            ));
        };
        let mut key = Self {
            name: name.clone(),
            uri: uri.clone(),
            source: token.pin.clone().map_or(PinSource::Prompt, |source| source),
            typed: None,
            spki: Vec::new(),
        };
        key.spki = key.with_token(site, |token| {
            let found = token.log_key()?;
            let found = match found {
                Some(found) => found,
                None => token.make_log_key()?,
            };
            Ok(found.spki().to_vec())
        })?;
        Ok(key)
    }

    /// How the first entry names it.
    pub fn named(&self) -> Named {
        Named {
            token: self.uri.token.to_string(),
            key: in_base64(&self.spki),
        }
    }

    /// A signature with SHA-256 over some bytes, as openssl takes it.
    pub fn sign(&mut self, site: &SiteFolder, bytes: &[u8]) -> Outcome<Vec<u8>> {
        let expected = self.spki.clone();
        let name = self.name.clone();
        self.with_token(site, |token| match token.log_key()? {
            Some(key) if key.spki() == expected => Ok(key.sign(bytes)?),
            Some(_) | None => Err(Failure::new(
                Exit::PartWay,
                format!("the log's key is no more in the token '{name}'"),
            )),
        })
    }

    fn with_token<T>(&mut self, site: &SiteFolder, use_it: impl FnOnce(&Token) -> Outcome<T>) -> Outcome<T> {
        let Some(module) = &self.uri.module_path else {
            return Err(Failure::new(
                Exit::Failed,
                format!("token '{}' names no module", self.name),
            ));
        };
        let pin = match &self.typed {
            Some(pin) => pin.clone(),
            None => {
                let what = format!("the user PIN of token '{}'", self.name);
                let unseal = |handle| Ok(Tpm::keeping(site, handle)?.unseal(handle)?);
                let pin = cli::read_pin(&self.source, &what, &site.path(""), unseal)?;
                if self.source == PinSource::Prompt {
                    self.typed = Some(pin.clone());
                }
                pin
            }
        };
        let module = Module::load(module)?;
        let token = Token::open(&module, &self.uri)?;
        let logged_in = token.login(&pin);
        if logged_in.is_err() {
            self.typed = None;
        }
        logged_in?;
        use_it(&token)
    }
}
