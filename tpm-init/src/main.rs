//! `keyrite-tpm-init`: a TPM 2.0 and the tokens whose PIN it keeps, from new to ready.

mod check;
mod custodians;
mod draw;
mod execute;
mod feed;
mod fitness;
mod generator;
mod genuine;
mod kernel_pool;
mod look;
mod pcr;
mod provision;
mod rng;
mod seal;
mod site_tpm;
mod target;
mod token;
mod token_check;
mod verify;

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
    /// Check a TPM or a PKCS#11 token, line by line; changes nothing
    Check(check::Arguments),
    /// Say what provisioning would change, by handle and Name; changes nothing
    Plan(provision::PlanArguments),
    /// Set a TPM up: storage root key, log identity, protection, auth values; run again, it completes what was stopped
    Provision(provision::Arguments),
    /// Check a TPM against the report of its provisioning; changes nothing
    Verify(verify::Arguments),
    /// Initialise tokens of the site, their PINs sealed in the TPM where site.yaml says so; or check one, or change its PINs
    Token(token::Arguments),
    /// Test the random number generators of the site's TPMs and tokens
    Rng(rng::Arguments),
    /// Approve states of the machine in which sealed PINs come back, where site.yaml has a PCR policy
    Pcr(pcr::Arguments),
    #[command(flatten)]
    Document(DocumentVerb),
}

fn main() -> ExitCode {
    cli::run(|arguments: Arguments, output: &mut Output| -> Outcome {
        match &arguments.verb {
            Verb::Check(verb) => verb.run(&arguments.site, output),
            Verb::Plan(verb) => verb.run(&arguments.site, output),
            Verb::Provision(verb) => verb.run(&arguments.site, output),
            Verb::Verify(verb) => verb.run(&arguments.site, output),
            Verb::Token(verb) => verb.run(&arguments.site, output),
            Verb::Rng(verb) => verb.run(&arguments.site, output),
            Verb::Pcr(verb) => verb.run(&arguments.site, output),
            Verb::Document(verb) => verb.run(Arguments::command(), output),
        }
    })
}
