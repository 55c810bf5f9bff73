//! `keyrite-ceremony`: scripted ceremonies with a log that an auditor can check alone.

mod verify_verb;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use cli::{DocumentVerb, Exit, Outcome, Output, SiteArguments};

/// Hold a key ceremony by its script, with a log that an auditor can check alone
#[derive(Parser)]
#[command(name = "keyrite-ceremony", version, after_long_help = Exit::HELP)]
struct Arguments {
    #[command(flatten)]
    site: SiteArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Verify a ceremony's folder, without a token and without a network
    ///
    /// Every claim passes, fails or is not checked; the JSON has for each the stock command that shows the same. A claim that is not
    /// checked does not count as if it held.
    Verify(verify_verb::Arguments),
    #[command(flatten)]
    Document(DocumentVerb),
}

fn main() -> ExitCode {
    cli::run(|arguments: Arguments, output: &mut Output| -> Outcome {
        match &arguments.verb {
            Verb::Verify(verb) => verb.run(&arguments.site, output),
            Verb::Document(verb) => verb.run(Arguments::command(), output),
        }
    })
}
