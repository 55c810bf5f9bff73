//! `keyrite-ceremony`: scripted ceremonies with a log that an auditor can check alone.

mod check_verb;
mod explain_verb;
mod hold;
mod print_verb;
mod rehearse_verb;
mod report_verb;
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
    /// Say whether scripts can be followed: every step with its people, values, files and facts; changes nothing
    Check(check_verb::Arguments),
    /// Say in advance what a script will bring: every command, entry, seal, signature and command of the TPM
    Explain(explain_verb::Arguments),
    /// Print the script as people hold it on paper
    Print(print_verb::Arguments),
    /// Hold the ceremony of a script for practice, on a TPM and tokens in software
    Rehearse(rehearse_verb::Arguments),
    /// Hold a ceremony by its script, step by step on this terminal; run again, it goes on where it was interrupted
    Run(hold::Arguments),
    /// Verify a ceremony's folder, without a token and without a network
    ///
    /// Every claim passes, fails or is not checked; the JSON has for each the stock command that shows the same. A claim that is not
    /// checked does not count as if it held.
    Verify(verify_verb::Arguments),
    /// Write the report on a ceremony: one HTML file, and the same as JSON
    Report(report_verb::Arguments),
    #[command(flatten)]
    Document(DocumentVerb),
}

fn main() -> ExitCode {
    cli::run(|arguments: Arguments, output: &mut Output| -> Outcome {
        match &arguments.verb {
            Verb::Check(verb) => verb.run(&arguments.site, output),
            Verb::Explain(verb) => verb.run(&arguments.site, output),
            Verb::Print(verb) => verb.run(&arguments.site, output),
            Verb::Rehearse(verb) => verb.run(&arguments.site, output),
            Verb::Run(verb) => verb.run(&arguments.site, output),
            Verb::Verify(verb) => verb.run(&arguments.site, output),
            Verb::Report(verb) => verb.run(&arguments.site, output),
            Verb::Document(verb) => verb.run(Arguments::command(), output),
        }
    })
}
