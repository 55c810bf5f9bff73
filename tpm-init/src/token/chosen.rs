//! The one PKCS#11 token that a verb is about.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Args as ClapArgs;
use cli::{Exit, Failure, Outcome, Output, SiteArguments};
use key_metadata::site::SiteToken;
use key_metadata::{PinSource, SiteFolder, TokenAddress, TokenName, TokenUri, TpmHandle};
use pkcs11::{LastTry, Module, PinOwner, PinState, Token};
use secrecy::SecretString;
use tpm::Tpm;

/// The options that choose it.
#[derive(ClapArgs)]
pub struct ChoiceArguments {
    /// The token's name in site.yaml; its only PKCS#11 token when absent
    #[arg(long, value_name = "NAME")]
    pub token: Option<TokenName>,
}

/// The options of a login.
#[derive(ClapArgs)]
pub struct LoginArguments {
    /// Try the PIN even where the token says that one more wrong one locks it
    #[arg(long)]
    last_try: bool,
}

impl LoginArguments {
    pub const fn last_try(&self) -> LastTry {
        match self.last_try {
            true => LastTry::Use,
            false => LastTry::Keep,
        }
    }
}

/// A PKCS#11 token of the site.
pub struct Chosen<'a> {
    pub name: &'a TokenName,
    pub entry: &'a SiteToken,
    pub uri: &'a TokenUri,
    pub folder: &'a SiteFolder,
    pub site: &'a SiteArguments,
}

impl<'a> Chosen<'a> {
    /// The token of that name, or the only one.
    pub fn new(site: &'a SiteArguments, folder: &'a SiteFolder, wanted: Option<&TokenName>) -> Outcome<Self> {
        let tokens = folder.site().tokens.iter();
        let all: Vec<Self> = tokens
            .filter_map(|(name, entry)| match &entry.address {
                TokenAddress::Pkcs11(uri) => Some(Self {
                    name,
                    entry,
                    uri,
                    folder,
                    site,
                }),
                TokenAddress::Tpm(_) | TokenAddress::File(_) => None,
            })
            .collect();
        let names = all
            .iter()
            .map(|chosen| chosen.name.to_string())
            .collect::<Vec<_>>();
        let mut meant = all
            .into_iter()
            .filter(|chosen| wanted.is_none_or(|name| name == chosen.name));
        match (meant.next(), meant.next(), wanted) {
            (Some(one), None, _) => Ok(one),
            (None, _, Some(name)) => Err(Failure::new(
                Exit::Usage,
                format!(
                    "the site has no PKCS#11 token named '{name}'; there is: {}",
                    names.join(", ")
                ),
            )),
            (None, _, None) => Err(Failure::new(Exit::Usage, "the site has no PKCS#11 token")),
            (Some(_), Some(_), _) => Err(Failure::new(
                Exit::Usage,
                format!("the site has several PKCS#11 tokens: {}", names.join(", ")),
            )
            .hint("choose one with --token NAME".to_owned())),
        }
    }

    pub fn module(&self) -> Outcome<Module> {
        // A site whose PKCS#11 tokens name no module is refused on reading.
        let path = self.uri.module_path.as_deref().map_or(Path::new(""), |path| path);
        Ok(Module::load(path)?)
    }

    pub fn open(&self) -> Outcome<Token> {
        Ok(Token::open(&self.module()?, self.uri)?)
    }

    /// Where a PIN of the token comes from, and the folder of a relative file; `so_pin` is the option of that name.
    pub fn pin_source(&self, owner: PinOwner, so_pin: Option<&OsStr>) -> Outcome<(PinSource, &'a Path)> {
        let option = match owner {
            PinOwner::User => ("--pin", self.site.pin.as_deref()),
            PinOwner::SecurityOfficer => ("--so-pin", so_pin),
        };
        cli::pin_source(option, self.source_of_site(owner), self.site.site.as_path())
    }

    /// Where site.yaml says that a PIN comes from.
    pub fn source_of_site(&self, owner: PinOwner) -> Option<&'a PinSource> {
        match owner {
            PinOwner::User => self.entry.pin.as_ref(),
            PinOwner::SecurityOfficer => self.entry.so_pin.as_ref(),
        }
    }

    /// Reads a PIN that the token has.
    pub fn read_pin(&self, owner: PinOwner, (source, folder): &(PinSource, &Path)) -> Outcome<SecretString> {
        let what = format!("the {owner} PIN of token '{}'", self.name);
        cli::read_pin(source, &what, folder, |handle| {
            Ok(self.tpm(handle)?.unseal(handle)?)
        })
    }

    /// The site's one TPM, which keeps what is sealed at that handle.
    pub fn tpm(&self, handle: TpmHandle) -> Outcome<Tpm> {
        Ok(Tpm::keeping(self.folder, handle)?)
    }

    /// Says what the token says of a PIN before it is tried; refuses where it is locked, or this is the last try and is kept.
    pub fn before_a_try(
        &self,
        token: &Token,
        owner: PinOwner,
        last_try: LastTry,
        output: &Output,
    ) -> Outcome {
        match token.may_try(owner, last_try)? {
            PinState::Fine => {}
            state @ (PinState::CountLow
            | PinState::ToBeChanged
            | PinState::FinalTry
            | PinState::Locked
            | PinState::NotSet) => {
                output.warn(format!("token '{}', {owner} PIN: {state}", self.name));
            }
        }
        Ok(())
    }
}

/// The option for the SO PIN.
#[derive(ClapArgs)]
pub struct SoPinArguments {
    /// Where the SO PIN comes from: prompt, file:PATH, fd:NUMBER or tpm:HANDLE; as in site.yaml when absent
    // Not parsed by clap: its error would quote a PIN that was given by mistake.
    #[arg(long, value_name = "SOURCE")]
    pub so_pin: Option<OsString>,
}
