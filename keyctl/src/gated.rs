//! Asking the rules before a key's life goes on, and answering for going on against them.

use clap::Args;
use cli::{ChangeArguments, Exit, Failure, Outcome, SiteArguments};
use key_metadata::gate::Refusal;
use key_metadata::step::Step;
use key_metadata::{Action, Change, KeyRecord, Time, ZoneName};

/// The options of every step in a key's life.
#[derive(Args)]
pub struct GateArguments {
    #[command(flatten)]
    pub change: ChangeArguments,
    /// Go on against the rules that may be overridden, for this reason, which is recorded with their names
    #[arg(long = "override", value_name = "REASON", value_parser = cli::reason)]
    overridden: Option<String>,
}

impl GateArguments {
    /// The change to be recorded, if nothing stands against it or the user answers for what does.
    pub fn pass(
        &self,
        refusals: Vec<Refusal>,
        action: Action,
        at: Time,
        site: &SiteArguments,
        refused: impl FnOnce() -> String,
    ) -> Outcome<Change> {
        let change = self.change.change(action, at, cli::tool!(), site);
        if refusals.is_empty() {
            return Ok(change);
        }
        let may = refusals.iter().all(|refusal| refusal.rule.can_be_overridden());
        match &self.overridden {
            Some(reason) if may => {
                let mut rules: Vec<_> = refusals.iter().map(|refusal| refusal.rule).collect();
                rules.dedup();
                Ok(self.change.against(change, rules, reason))
            }
            Some(_) | None => Err(failure(&refusals, refused())),
        }
    }
}

/// All the refusals, and what would satisfy them: of several waits the longest.
fn failure(refusals: &[Refusal], refused: String) -> Failure {
    let failure = Failure::new(Exit::SaysNo, refused);
    let failure = refusals
        .iter()
        .fold(failure, |failure, refusal| failure.because(refusal.to_string()));
    let until = refusals.iter().filter_map(|refusal| refusal.not_before).max();
    let mut remedies: Vec<_> = refusals
        .iter()
        .filter(|refusal| refusal.not_before.is_none() || refusal.not_before == until)
        .map(|refusal| refusal.remedy.clone())
        .collect();
    if refusals.iter().all(|refusal| refusal.rule.can_be_overridden()) {
        remedies.push("or answer for going on with --override REASON".to_owned());
    }
    failure.hint(remedies.join("; "))
}

/// What was not done, as an error begins.
pub fn not_done(zone: &ZoneName, key: &KeyRecord, step: Step) -> String {
    format!(
        "{} {} of {zone} was not {}",
        key.role,
        key.key_tag(),
        step.participle()
    )
}
