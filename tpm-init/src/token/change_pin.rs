//! `token change-pin`: another PIN for the user or the security officer, by its owner.

use clap::Args as ClapArgs;
use cli::{Failure, Outcome, Output, SiteArguments};
use pkcs11::{LastTry, LoginError, PinChangeError, PinOwner, PinState, Token};
use secrecy::SecretString;

use crate::token::Chosen;
use crate::token::pin_arguments::PinArguments;

/// The options of `token change-pin`.
#[derive(ClapArgs)]
pub struct Arguments {
    /// Change the SO PIN instead of the user's
    #[arg(long)]
    so: bool,
    #[command(flatten)]
    pin: PinArguments,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        self.pin
            .run(site, output, |chosen, output| self.change(chosen, output))
    }

    const fn owner(&self) -> PinOwner {
        match self.so {
            true => PinOwner::SecurityOfficer,
            false => PinOwner::User,
        }
    }

    fn change(&self, chosen: &Chosen<'_>, output: &Output) -> Outcome<Vec<String>> {
        let (owner, last_try) = (self.owner(), self.pin.login.last_try());
        let source = chosen.pin_source(owner, self.pin.so_pin.so_pin.as_deref())?;
        self.pin.new.source()?;
        let token = chosen.open()?;
        chosen.before_a_try(&token, owner, last_try, output)?;
        if self.pin.dry_run {
            return Ok(vec![
                format!(
                    "would change the {owner} PIN of '{}', now from {}",
                    token.label(),
                    source.0
                ),
                self.pin.new.prospect(chosen, owner)?,
            ]);
        }
        let mut done = Vec::new();
        let sealed = self.pin.new.sealed(chosen, owner)?;
        if let Some((handle, pin)) = &sealed {
            if has_it(&token, owner, pin, last_try)? {
                done.push(format!(
                    "has the {owner} PIN that is sealed at {handle}; nothing to do"
                ));
                done.extend(self.pin.new.notes(chosen, owner)?);
                return Ok(done);
            }
            done.push(format!("new {owner} PIN is sealed already at {handle}"));
        }
        let current = chosen.read_pin(owner, &source)?;
        let new = match sealed {
            Some((_, pin)) => pin,
            None => {
                let right = || token.check_pin(owner, &current, last_try);
                let limits = token.pin_length_limits()?;
                self.pin.new.make(chosen, owner, limits, right, &mut done)?
            }
        };
        let changed = match owner {
            PinOwner::User => token.change_user_pin(&current, &new, last_try),
            PinOwner::SecurityOfficer => token.change_so_pin(&current, &new, last_try),
        };
        changed.map_err(|error| part_way(error, &done))?;
        done.push(format!("changed the {owner} PIN of '{}'", token.label()));
        done.extend(self.pin.new.notes(chosen, owner)?);
        Ok(done)
    }
}

/// Whether a run that was killed, or is run again, had set the PIN that it sealed. That costs a try where it had not.
fn has_it(token: &Token, owner: PinOwner, sealed: &SecretString, last_try: LastTry) -> Outcome<bool> {
    match token.check_pin(owner, sealed, last_try) {
        Ok(()) => Ok(true),
        Err(LoginError::PinRefused { state, .. }) if state != PinState::Locked => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The failure of a change, after what was done for it.
pub fn part_way(error: PinChangeError, done: &[String]) -> Failure {
    let partial = error.is_partial() || !done.is_empty();
    match (Failure::from(error), partial) {
        (failure, true) => failure.part_way(),
        (failure, false) => failure,
    }
}
