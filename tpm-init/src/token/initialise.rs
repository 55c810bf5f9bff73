//! `token` without a verb: initialising.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Args as ClapArgs;
use cli::{Exit, Failure, NewPin, Outcome, Output, ReportArguments, SiteArguments};
use key_metadata::site::SiteToken;
use key_metadata::{PinSource, SiteFolder, TokenAddress, TokenName, TokenUri, TpmHandle};
use pkcs11::{DeliveredPins, Initialised, Module, Prospect, Token};
use secrecy::SecretString;

use tpm::Tpm;

use crate::seal::sealed_pin;
use crate::site_tpm::owner_auth;
use crate::token::report::Report;

/// The options of `token` itself.
#[derive(ClapArgs)]
pub struct InitialiseArguments {
    /// A token's name in site.yaml, once for each; all when absent
    #[arg(long = "token", value_name = "NAME")]
    tokens: Vec<TokenName>,
    /// Where the SO PIN comes from, instead of what site.yaml says
    #[arg(long, value_name = "SOURCE")]
    so_pin: Option<OsString>,
    /// Where the SO PIN comes from that the token was delivered with, if it asks for that one first
    // Not parsed by clap: its error would quote a PIN that was given by mistake.
    #[arg(long, value_name = "SOURCE")]
    delivered_so_pin: Option<OsString>,
    /// Where the user PIN comes from that the token was delivered with, if the user has to change that one first
    #[arg(long, value_name = "SOURCE")]
    delivered_pin: Option<OsString>,
    /// Where the TPM owner's authorisation comes from; needed to seal where it is set
    #[arg(long, value_name = "SOURCE")]
    owner_auth: Option<OsString>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
}

impl InitialiseArguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let mut report = Report::new();
        for (name, token) in self.choose(&folder)? {
            let run = Run {
                arguments: self,
                site,
                folder: &folder,
                name,
                token,
            };
            let result = match &token.address {
                TokenAddress::Pkcs11(uri) => run.pkcs11(uri),
                TokenAddress::Tpm(_) => run.tpm(),
                TokenAddress::File(folder) => Ok(vec![format!(
                    "its keys are in files in {folder}, without a PIN; nothing to do"
                )]),
            };
            let done = result.map_err(|failure| {
                if report.tokens.is_empty() {
                    failure
                } else {
                    failure.part_way()
                }
            })?;
            report.add(name, done, &self.report, output)?;
        }
        report.end(&self.report, output)
    }

    fn choose<'a>(&self, folder: &'a SiteFolder) -> Outcome<Vec<(&'a TokenName, &'a SiteToken)>> {
        let tokens = &folder.site().tokens;
        if self.tokens.is_empty() {
            return Ok(tokens.iter().collect());
        }
        let find = |name| {
            let known = || {
                tokens
                    .keys()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let unknown = || {
                Failure::new(
                    Exit::Usage,
                    format!("the site has no token named '{name}'; there is: {}", known()),
                )
            };
            tokens.get_key_value(name).ok_or_else(unknown)
        };
        self.tokens.iter().map(find).collect()
    }
}

/// One token while it is initialised.
struct Run<'a> {
    arguments: &'a InitialiseArguments,
    site: &'a SiteArguments,
    folder: &'a SiteFolder,
    name: &'a TokenName,
    token: &'a SiteToken,
}

impl Run<'_> {
    fn pkcs11(&self, uri: &TokenUri) -> Outcome<Vec<String>> {
        let (arguments, token, site) = (self.arguments, self.token, self.site.site.as_path());
        let so_source = cli::pin_source(
            ("--so-pin", arguments.so_pin.as_deref()),
            token.so_pin.as_ref(),
            site,
        )?;
        let user_source = cli::pin_source(("--pin", self.site.pin.as_deref()), token.pin.as_ref(), site)?;
        // A site whose PKCS#11 tokens name no module is refused on reading.
        let path = uri.module_path.as_deref().map_or(Path::new(""), |path| path);
        let module = Module::load(path)?;
        let delivered = self.delivered()?;
        let pin_length = match Token::prospect(&module, &uri.token, &delivered)? {
            Prospect::AlreadyThere => {
                return Ok(vec![format!(
                    "'{}' is there, with its user PIN; nothing to do",
                    uri.token
                )]);
            }
            Prospect::Possible { pin_length } => pin_length,
        };
        if self.arguments.dry_run {
            return Ok(vec![
                format!("would initialise '{}'", uri.token),
                format!("SO PIN from {}, user PIN from {}", so_source.0, user_source.0),
            ]);
        }
        let mut done = Vec::new();
        let longest = pin_length.longest();
        let so_pin = self.new_pin(so_source, "SO PIN", longest, &mut done)?;
        let user_pin = self.new_pin(user_source, "user PIN", longest, &mut done)?;
        let initialised = Token::initialise_with(&module, &uri.token, &so_pin, &user_pin, &delivered);
        let initialised = initialised.map_err(|error| {
            let partial = error.is_partial() || !done.is_empty();
            if partial {
                Failure::from(error).part_way()
            } else {
                error.into()
            }
        })?;
        done.push(match initialised {
            Initialised::New => format!("initialised '{}', with its user PIN", uri.token),
            Initialised::Completed => format!("'{}' was half done; it has its user PIN now", uri.token),
            Initialised::AlreadyThere => {
                format!("'{}' is there, with its user PIN; nothing to do", uri.token)
            }
        });
        Ok(done)
    }

    /// The PINs that the token was delivered with, as far as they are given. They are no secrets once they are changed; until then they are.
    fn delivered(&self) -> Outcome<DeliveredPins> {
        let read = |option, value: Option<&OsStr>, what: &str| {
            let Some(value) = value else { return Ok(None) };
            let source = cli::parse_pin_source(option, value)?;
            let what = format!("the {what} that token '{}' was delivered with", self.name);
            let unseal = |handle| Ok(Tpm::keeping(self.folder, handle)?.unseal(handle)?);
            cli::read_pin(&source, &what, Path::new(""), unseal).map(Some)
        };
        let arguments = self.arguments;
        Ok(DeliveredPins {
            so: read(
                "--delivered-so-pin",
                arguments.delivered_so_pin.as_deref(),
                "SO PIN",
            )?,
            user: read("--delivered-pin", arguments.delivered_pin.as_deref(), "user PIN")?,
        })
    }

    /// A TPM's own keys have an authorisation value, which can be sealed like a PIN; nothing else is to be done.
    fn tpm(&self) -> Outcome<Vec<String>> {
        let Some(PinSource::Tpm(handle)) = &self.token.pin else {
            return Ok(vec![
                "a TPM that seals nothing for itself; nothing to do".to_owned(),
            ]);
        };
        if self.arguments.dry_run {
            return Ok(vec![format!(
                "would see to the authorisation value of its keys, sealed at {handle}"
            )]);
        }
        let mut done = Vec::new();
        self.sealed(*handle, "authorisation value of its keys", usize::MAX, &mut done)?;
        Ok(done)
    }

    /// A PIN to be set. One that is to be sealed is sealed first: a run that is killed never leaves a token with a PIN that is nowhere.
    fn new_pin(
        &self,
        (source, folder): (PinSource, &Path),
        what: &str,
        longest: usize,
        done: &mut Vec<String>,
    ) -> Outcome<SecretString> {
        match cli::read_new_pin(&source, &format!("the {what} of token '{}'", self.name), folder)? {
            NewPin::Given(pin) => Ok(pin),
            NewPin::ToBeSealed(handle) => self.sealed(handle, what, longest, done),
        }
    }

    fn sealed(
        &self,
        handle: TpmHandle,
        what: &str,
        longest: usize,
        done: &mut Vec<String>,
    ) -> Outcome<SecretString> {
        let tpm = Tpm::keeping(self.folder, handle)?;
        let owner_auth = owner_auth(self.folder, handle, &tpm, self.arguments.owner_auth.as_deref())?;
        let sealed = sealed_pin(&tpm, handle, longest, owner_auth.as_ref(), &format!("the {what}"))?;
        done.push(format!("{what} {}", sealed.kept(handle)));
        Ok(sealed.pin)
    }
}
