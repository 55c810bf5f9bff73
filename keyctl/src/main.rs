//! `keyrite-keyctl`: the life of a key.

mod choose;
mod generate;
mod list;
mod records;
mod show;
mod trust_anchor;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use cli::{DocumentVerb, Exit, Outcome, Output, SiteArguments};

/// Generate DNSSEC keys in a token, and show what is known of them
#[derive(Parser)]
#[command(name = "keyrite-keyctl", version, after_long_help = Exit::HELP)]
struct Arguments {
    #[command(flatten)]
    site: SiteArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make key pairs in the zones' tokens
    Generate(generate::Arguments),
    /// List keys, a line each
    List(list::Arguments),
    /// Show all that is known of a key
    Show(show::Arguments),
    /// Print DNSKEY records
    Dnskey(records::DnskeyArguments),
    /// Print DS records for the parent
    Ds(records::DsArguments),
    /// Print CDS and CDNSKEY records, by which a zone tells its parent its DS
    Cds(records::CdsArguments),
    /// Print the trust anchors of a zone: the XML of RFC 9718, or for named.conf
    TrustAnchor(trust_anchor::Arguments),
    #[command(flatten)]
    Document(DocumentVerb),
}

fn main() -> ExitCode {
    cli::run(|arguments: Arguments, output: &mut Output| -> Outcome {
        match &arguments.verb {
            Verb::Generate(verb) => verb.run(&arguments.site, output),
            Verb::List(verb) => verb.run(&arguments.site, output),
            Verb::Show(verb) => verb.run(&arguments.site, output),
            Verb::Dnskey(verb) => verb.run(&arguments.site, output),
            Verb::Ds(verb) => verb.run(&arguments.site, output),
            Verb::Cds(verb) => verb.run(&arguments.site, output),
            Verb::TrustAnchor(verb) => verb.run(&arguments.site, output),
            Verb::Document(verb) => verb.run(Arguments::command(), output),
        }
    })
}
