//! `keyrite-rollover`: plans that are proved safe.

mod clock;
mod compared;
mod document;
mod drawn;
mod keep;
mod lint_verb;
mod named_policy;
mod observe;
mod plan_verb;
mod prove_verb;
mod simulate_verb;
mod status_verb;
mod step_verb;
mod zone_of_site;

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
    /// Plan what is done with the keys of zones, and prove that it is safe
    Plan(plan_verb::Arguments),
    /// Show where zones are: what is to be done now, what comes next, who is waited for
    Status(status_verb::Arguments),
    /// Show the next steps alone, with their commands
    Next(status_verb::NextArguments),
    /// Take the next step of a zone, or say why not
    Step(step_verb::Arguments),
    /// Plan the way back from a rollover that is under way, and prove it
    Undo(compared::UndoArguments),
    /// Show how a plan would differ if the parent were slow, a key lost, nobody there
    WhatIf(compared::WhatIfArguments),
    /// Show how two plans differ
    Diff(compared::DiffArguments),
    /// Tell whether zones can be run by policies: every lifetime and signature against the equations, with numbers
    Lint(lint_verb::Arguments),
    /// Ask every name server of a zone and of its parent what DS and DNSKEY it has, and record it
    Observe(observe::Arguments),
    /// Prove that the keys of another signer, or a history, are safe for every mix of cached DS, DNSKEY and RRSIG
    ///
    /// What is looked at, what is taken for granted and what is not looked at is told in docs/rollover-proof.md.
    Prove(Box<prove_verb::Arguments>),
    /// Let a zone live by a policy for years in a simulated world, and tell which resolver was ever without a chain
    Simulate(simulate_verb::Arguments),
    #[command(flatten)]
    Document(DocumentVerb),
}

fn main() -> ExitCode {
    cli::run(|arguments: Arguments, output: &mut Output| -> Outcome {
        match &arguments.verb {
            Verb::Plan(verb) => verb.run(&arguments.site, output),
            Verb::Status(verb) => verb.run(&arguments.site, output),
            Verb::Next(verb) => verb.run(&arguments.site, output),
            Verb::Step(verb) => verb.run(&arguments.site, output),
            Verb::Undo(verb) => verb.run(&arguments.site, output),
            Verb::WhatIf(verb) => verb.run(&arguments.site, output),
            Verb::Diff(verb) => verb.run(output),
            Verb::Lint(verb) => verb.run(&arguments.site, output),
            Verb::Observe(observe) => observe.run(&arguments.site, output),
            Verb::Prove(verb) => verb.run(&arguments.site, output),
            Verb::Simulate(verb) => verb.run(&arguments.site, output),
            Verb::Document(verb) => verb.run(Arguments::command(), output),
        }
    })
}
