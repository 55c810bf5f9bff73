//! `token unlock`: another user PIN, by the security officer.

use clap::Args as ClapArgs;
use cli::{Outcome, Output, SiteArguments};
use pkcs11::PinOwner;

use crate::token::Chosen;
use crate::token::change_pin::part_way;
use crate::token::pin_arguments::PinArguments;

/// The options of `token unlock`.
#[derive(ClapArgs)]
pub struct Arguments {
    #[command(flatten)]
    pin: PinArguments,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        self.pin
            .run(site, output, |chosen, output| self.unlock(chosen, output))
    }

    fn unlock(&self, chosen: &Chosen<'_>, output: &Output) -> Outcome<Vec<String>> {
        let (officer, user) = (PinOwner::SecurityOfficer, PinOwner::User);
        let last_try = self.pin.login.last_try();
        let source = chosen.pin_source(officer, self.pin.so_pin.so_pin.as_deref())?;
        self.pin.new.source()?;
        let token = chosen.open()?;
        chosen.before_a_try(&token, officer, last_try, output)?;
        if self.pin.dry_run {
            return Ok(vec![
                format!(
                    "would set the user PIN of '{}', SO PIN from {}",
                    token.label(),
                    source.0
                ),
                self.pin.new.prospect(chosen, user)?,
            ]);
        }
        let mut done = Vec::new();
        let sealed = self.pin.new.sealed(chosen, user)?;
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
                self.pin.new.make(chosen, user, limits, right, &mut done)?
            }
        };
        token
            .set_user_pin(&so_pin, &new, last_try)
            .map_err(|error| part_way(error, &done))?;
        done.push(format!("set the user PIN of '{}'", token.label()));
        done.extend(self.pin.new.notes(chosen, user)?);
        Ok(done)
    }
}
