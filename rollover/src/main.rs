//! `keyrite-rollover`: plans that are proved safe.

mod prove_verb;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use cli::{DocumentVerb, Exit, Outcome, Output, SiteArguments};

/// Rollovers of DNSSEC keys: planned, proved safe for every cache, and taken step by step
#[derive(Parser)]
#[command(name = "keyrite-rollover", version, after_long_help = Exit::HELP)]
struct Arguments {
    #[command(flatten)]
    site: SiteArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Prove that the keys of another signer, or a history, are safe for every mix of cached DS, DNSKEY and RRSIG
    Prove(Box<prove_verb::Arguments>),
    #[command(flatten)]
    Document(DocumentVerb),
}

fn main() -> ExitCode {
    cli::run(|arguments: Arguments, output: &mut Output| -> Outcome {
        match &arguments.verb {
            Verb::Prove(verb) => verb.run(&arguments.site, output),
            Verb::Document(verb) => verb.run(Arguments::command(), output),
        }
    })
}
