//! `keyrite-backup`: backups of keys that are proved, not hoped for.

mod arguments;
mod check_proof;
mod create;
mod custodian;
mod dice;
mod drill;
mod evidence_of;
mod expire;
mod given;
mod list;
mod make;
mod mend;
mod named;
mod officers;
mod owner;
mod paper;
mod paper_sheet;
mod parent;
mod plugins;
mod prove;
mod random;
mod restore;
mod restoring;
mod rewrap;
mod taken;
mod tokens;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use cli::{DocumentVerb, Exit, Outcome, Output, SiteArguments};

/// Backups of DNSSEC keys: wrapped in their token, split among custodians, proved in drills, restored
#[derive(Parser)]
#[command(name = "keyrite-backup", version, after_long_help = Exit::HELP)]
struct Arguments {
    #[command(flatten)]
    site: SiteArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Say who keeps shares, and to what these are encrypted
    #[command(subcommand)]
    Custodian(custodian::Verb),
    /// Make the recovery parent of a TPM, before the keys that are to leave it
    Parent(parent::Arguments),
    /// Back up keys into a new bundle, and deal its shares
    Create(create::Arguments),
    /// List the bundles, what they hold and what they passed
    List(list::Arguments),
    /// Check a bundle without its secret (D0)
    Verify(verify::Arguments),
    /// As a custodian, prove that a share is still there, without showing it (D1)
    Prove(prove::Arguments),
    /// Ask custodians for proofs of their shares, and check them (D1)
    CheckProof(check_proof::Arguments),
    /// Try the whole way with a key that is made for it (D2)
    #[command(subcommand)]
    Drill(drill::Verb),
    /// Restore keys into a token, and prove them by a signature (D3)
    Restore(restore::Arguments),
    /// Deal new shares, from the live token; the old ones stay valid until all new ones are acknowledged
    #[command(subcommand)]
    Rewrap(rewrap::Verb),
    /// Print a share for paper
    Paper(paper::Arguments),
    /// Say what needs a look: bundles that expire, drills that are old, keys without a backup
    Expire(expire::Arguments),
    #[command(flatten)]
    Document(DocumentVerb),
}

fn main() -> ExitCode {
    cli::run(|arguments: Arguments, output: &mut Output| -> Outcome {
        let site = &arguments.site;
        if !matches!(arguments.verb, Verb::Document(_)) {
            cli::lock_memory()?;
        }
        match &arguments.verb {
            Verb::Custodian(verb) => verb.run(site, output),
            Verb::Parent(verb) => verb.run(site, output),
            Verb::Create(verb) => verb.run(site, output),
            Verb::List(verb) => verb.run(site, output),
            Verb::Verify(verb) => verb.run(site, output),
            Verb::Prove(verb) => verb.run(site, output),
            Verb::CheckProof(verb) => verb.run(site, output),
            Verb::Drill(verb) => verb.run(site, output),
            Verb::Restore(verb) => verb.run(site, output),
            Verb::Rewrap(verb) => verb.run(site, output),
            Verb::Paper(verb) => verb.run(site, output),
            Verb::Expire(verb) => verb.run(site, output),
            Verb::Document(verb) => verb.run(Arguments::command(), output),
        }
    })
}
