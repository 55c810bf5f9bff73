//! `token unlock`: another user PIN, by the security officer.

use clap::Args as ClapArgs;
use cli::{Outcome, Output, ReportArguments, SiteArguments};
use pkcs11::PinOwner;

use crate::token::Chosen;
use crate::token::change_pin::part_way;
use crate::token::chosen::{ChoiceArguments, LoginArguments, SoPinArguments};
use crate::token::new_pin::NewPinArguments;
use crate::token::report::Report;

/// The options of `token unlock`.
#[derive(ClapArgs)]
pub struct Arguments {
    #[command(flatten)]
    choice: ChoiceArguments,
    #[command(flatten)]
    so_pin: SoPinArguments,
    #[command(flatten)]
    new: NewPinArguments,
    #[command(flatten)]
    login: LoginArguments,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let chosen = Chosen::new(site, &folder, self.choice.token.as_ref())?;
        let done = self.unlock(&chosen, output)?;
        let mut report = Report::new();
        report.add(chosen.name, done, &self.report, output)?;
        report.end(&self.report, output)
    }

    fn unlock(&self, chosen: &Chosen<'_>, output: &Output) -> Outcome<Vec<String>> {
        let (officer, user) = (PinOwner::SecurityOfficer, PinOwner::User);
        let last_try = self.login.last_try();
        let source = chosen.pin_source(officer, self.so_pin.so_pin.as_deref())?;
        self.new.source()?;
        let token = chosen.open()?;
        chosen.before_a_try(&token, officer, last_try, output)?;
        if self.dry_run {
            return Ok(vec![
                format!(
                    "would set the user PIN of '{}', SO PIN from {}",
                    token.label(),
                    source.0
                ),
                self.new.prospect(chosen, user)?,
            ]);
        }
        let mut done = Vec::new();
        let sealed = self.new.sealed(chosen, user)?;
        let so_pin = chosen.read_pin(officer, &source)?;
        let new = match sealed {
            // Whether the token has it already is not tried: to set it again is safe, and a wrong try is not.
            Some((handle, pin)) => {
                done.push(format!("new user PIN is sealed already at {handle}"));
                pin
            }
            None => {
                let right = || token.check_pin(officer, &so_pin, last_try);
                let limits = token.pin_length_limits()?;
                self.new.make(chosen, user, limits, right, &mut done)?
            }
        };
        token
            .set_user_pin(&so_pin, &new, last_try)
            .map_err(|error| part_way(error, &done))?;
        done.push(format!("set the user PIN of '{}'", token.label()));
        done.extend(self.new.notes(chosen, user)?);
        Ok(done)
    }
}
