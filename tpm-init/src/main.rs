//! `keyrite-tpm-init`: a TPM 2.0 and the tokens whose PIN it keeps, from new to ready.

mod pcr;
mod provision;
mod seal;
mod site_tpm;
mod token;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use cli::{DocumentVerb, Exit, Outcome, Output, SiteArguments};

/// Provision a TPM 2.0 and initialise tokens whose PIN it keeps
#[derive(Parser)]
#[command(name = "keyrite-tpm-init", version, after_long_help = Exit::HELP)]
struct Arguments {
    #[command(flatten)]
    site: SiteArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// See to the storage root key of the site's TPM
    Provision(provision::Arguments),
    /// Initialise tokens of the site, their PINs sealed in the TPM where site.yaml says so
    Token(token::Arguments),
    /// Approve states of the machine in which sealed PINs come back, where site.yaml has a PCR policy
    Pcr(pcr::Arguments),
    #[command(flatten)]
    Document(DocumentVerb),
}

fn main() -> ExitCode {
    cli::run(|arguments: Arguments, output: &mut Output| -> Outcome {
        match &arguments.verb {
            Verb::Provision(verb) => verb.run(&arguments.site, output),
            Verb::Token(verb) => verb.run(&arguments.site, output),
            Verb::Pcr(verb) => verb.run(&arguments.site, output),
            Verb::Document(verb) => verb.run(Arguments::command(), output),
        }
    })
}
