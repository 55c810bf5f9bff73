//! `keyrite-ceremony`: scripted ceremonies with a log that an auditor can check alone.

mod hold;
mod rehearse_verb;

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
    /// Hold the ceremony of a script for practice, on a TPM and tokens in software
    Rehearse(rehearse_verb::Arguments),
    /// Hold a ceremony by its script, step by step on this terminal; run again, it goes on where it was interrupted
    Run(hold::Arguments),
    #[command(flatten)]
    Document(DocumentVerb),
}

fn main() -> ExitCode {
    cli::run(|arguments: Arguments, output: &mut Output| -> Outcome {
        match &arguments.verb {
            Verb::Rehearse(verb) => verb.run(&arguments.site, output),
            Verb::Run(verb) => verb.run(&arguments.site, output),
            Verb::Document(verb) => verb.run(Arguments::command(), output),
        }
    })
}
