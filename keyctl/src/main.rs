//! `keyrite-keyctl`: the life of a key.

mod backup_choice;
mod choose;
mod choose_one;
mod destroy;
mod export;
mod gated;
mod generate;
mod history;
mod import;
mod inventory;
mod list;
mod open;
mod random;
mod reconcile;
mod records;
mod show;
mod step;
mod take_in;
mod together;
mod trust_anchor;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use cli::{DocumentVerb, Exit, Outcome, Output, SiteArguments};
use key_metadata::step::Step;

/// The life of DNSSEC keys in tokens, from their generation to their end
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
    /// Let a ZSK or CSK of a new algorithm sign the zone before its DNSKEY is there
    PreActivate(step::Arguments),
    /// Put a key's DNSKEY into the zone, from its next signing on
    Publish(step::Arguments),
    /// Put a ZSK's or CSK's DNSKEY and its signatures into the zone at the same time
    Introduce(step::Arguments),
    /// Record that a key's DS was given to the parent; of a KSK that is not published, beside another's
    Submit(step::Arguments),
    /// Let a key take over
    Activate(step::Arguments),
    /// Let a key's DS leave the parent while it signs on, because its algorithm is replaced
    RetireActive(step::Arguments),
    /// Have the zone ask for no DS, and its last KSK or CSK sign on until no cache has one
    GoInsecure(step::Arguments),
    /// Let a key sign no more, once its successor has taken over
    Retire(step::Arguments),
    /// Take a key's DNSKEY out of the zone, and leave its signatures or its DS
    Withdraw(step::Arguments),
    /// Publish a key with the REVOKE bit, for those who trust it by RFC 5011
    Revoke(step::Arguments),
    /// Take a key out of the zone, from its next signing on, or what is left of it
    Remove(step::Arguments),
    /// Destroy a key's private part in its token
    Destroy(destroy::Arguments),
    /// Take several steps of a zone's keys at once, or none
    Together(together::Arguments),
    /// Bring what a run that was killed had begun in a token to its end
    Reconcile(reconcile::Arguments),
    /// Show what was done to the keys, and whether their records are what it left
    History(history::Arguments),
    /// Take over keys of BIND, Knot DNS, OpenDNSSEC or dnst, or of a token
    Import(import::Arguments),
    /// Write keys for BIND, Knot DNS, OpenDNSSEC or dnst
    Export(export::Arguments),
    /// Hold the tokens against the records, both ways
    Inventory(inventory::Arguments),
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
            Verb::PreActivate(verb) => verb.run(Step::PreActivate, &arguments.site, output),
            Verb::Publish(verb) => verb.run(Step::Publish, &arguments.site, output),
            Verb::Introduce(verb) => verb.run(Step::Introduce, &arguments.site, output),
            Verb::Submit(verb) => verb.run(Step::Submit, &arguments.site, output),
            Verb::Activate(verb) => verb.run(Step::Activate, &arguments.site, output),
            Verb::RetireActive(verb) => verb.run(Step::RetireActive, &arguments.site, output),
            Verb::GoInsecure(verb) => verb.run(Step::GoInsecure, &arguments.site, output),
            Verb::Retire(verb) => verb.run(Step::Retire, &arguments.site, output),
            Verb::Withdraw(verb) => verb.run(Step::Withdraw, &arguments.site, output),
            Verb::Revoke(verb) => verb.run(Step::Revoke, &arguments.site, output),
            Verb::Remove(verb) => verb.run(Step::Remove, &arguments.site, output),
            Verb::Destroy(verb) => verb.run(&arguments.site, output),
            Verb::Together(verb) => verb.run(&arguments.site, output),
            Verb::Reconcile(verb) => verb.run(&arguments.site, output),
            Verb::History(verb) => verb.run(&arguments.site, output),
            Verb::Import(verb) => verb.run(&arguments.site, output),
            Verb::Export(verb) => verb.run(&arguments.site, output),
            Verb::Inventory(verb) => verb.run(&arguments.site, output),
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
