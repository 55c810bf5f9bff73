//! `keyrite-signer`: signs zones with keys that stay in their token.

mod band;
mod down;
mod figures;
mod files;
mod one_zone;
mod pins;
mod reload;
mod run;
mod same;
mod side_by_side;
mod sign;
mod status;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use cli::{DocumentVerb, Exit, Outcome, Output, SiteArguments};

/// Sign zones with keys that stay in their token
#[derive(Parser)]
#[command(name = "keyrite-signer", version, after_long_help = Exit::HELP)]
struct Arguments {
    #[command(flatten)]
    site: SiteArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Sign whole zones: zones/ZONE.zone into signed/ZONE.zone, which is replaced only by a zone that was checked
    Sign(sign::Arguments),
    /// Stay, and sign each zone when it is due and when its files change; SIGHUP signs all, SIGTERM ends
    Run(run::Arguments),
    /// Say how long the signatures of each zone last, for people and for monitors
    Status(status::Arguments),
    /// Check signed zones, ours or not: every signature, the denial chains, the delegations, and the zone's digest, with all that is wrong
    Verify(verify::Arguments),
    #[command(flatten)]
    Document(DocumentVerb),
}

fn main() -> ExitCode {
    cli::run(|arguments: Arguments, output: &mut Output| -> Outcome {
        match &arguments.verb {
            Verb::Sign(verb) => verb.run(&arguments.site, output),
            Verb::Run(verb) => verb.run(&arguments.site),
            Verb::Status(verb) => verb.run(&arguments.site, output),
            Verb::Verify(verb) => verb.run(&arguments.site, output),
            Verb::Document(verb) => verb.run(Arguments::command(), output),
        }
    })
}
