//! `token`: PKCS#11 tokens with both their PINs, and the authorisation value of a TPM's own keys.

mod change_pin;
mod chosen;
mod initialise;
mod new_pin;
mod pin_arguments;
mod probe;
mod report;
mod unlock;

use clap::{Args as ClapArgs, Subcommand};
use cli::{Outcome, Output, SiteArguments};

pub use chosen::Chosen;

/// The options of `token`.
#[derive(ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    initialise: initialise::InitialiseArguments,
}

#[derive(Subcommand)]
enum Verb {
    /// Try what a PKCS#11 token does: key pairs and wrapping, with keys that are thrown away
    Probe(probe::Arguments),
    /// Change the user PIN of a PKCS#11 token, or with --so its SO PIN
    ChangePin(change_pin::Arguments),
    /// Set a new user PIN as security officer, for one that is locked or forgotten; the keys stay
    Unlock(unlock::Arguments),
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        match &self.verb {
            None => self.initialise.run(site, output),
            Some(Verb::Probe(verb)) => verb.run(site, output),
            Some(Verb::ChangePin(verb)) => verb.run(site, output),
            Some(Verb::Unlock(verb)) => verb.run(site, output),
        }
    }
}
