//! Exception sheets, and what they decide.

use ceremony::log::{Abort, Body, Exception, Skip, Then};
use ceremony::progress::Decided;
use ceremony::run::{Ask, Asked, SheetField};
use ceremony::script::{Seat, Word};
use cli::Outcome;

use super::Ceremony;
use super::ask::closed;
use super::stop::Go;

impl Ceremony<'_> {
    /// Fills in a sheet and records it. A decision takes the agreement of a quorum; without one the sheet is filled in again.
    pub fn sheet(&mut self, step: &Word, then: Option<Then>) -> Go {
        loop {
            self.screen.put("\n")?;
            self.screen.paragraph(&format!("EXCEPTION SHEET, step {step}"))?;
            let expected = self.line_of_sheet(step, SheetField::Expected, "what was expected: ")?;
            let happened = self.line_of_sheet(step, SheetField::Happened, "what happened: ")?;
            let decided = self.line_of_sheet(step, SheetField::Decided, "what was decided: ")?;
            let then = match then {
                Some(then) => then,
                None => self.then(step)?,
            };
            let (mut agree, mut disagree) = (Vec::new(), Vec::new());
            for (seat, name) in self.people() {
                let prompt = format!("{seat}, {name}, agrees [yes, no]: ");
                loop {
                    match &*self.line_of_sheet(step, SheetField::Agrees(seat.clone()), &prompt)? {
                        "yes" => agree.push(seat),
                        "no" => disagree.push(seat),
                        _ => continue,
                    }
                    break;
                }
            }
            let quorum = &self.setting.script.quorum;
            let enough = |(role, wanted): (&Word, &u8)| {
                agree.iter().filter(|seat| seat.role() == role).count() >= usize::from(*wanted)
            };
            // Before anybody signed in there is nobody who could agree.
            let decides = self.progress.present.is_empty() || quorum.iter().all(enough);
            if !decides {
                self.screen.paragraph(
                    "Fewer agree than the script's quorum: nothing is decided. Fill in the sheet anew, or leave with Ctrl-C.",
                )?;
                continue;
            }
            let by = agree.clone();
            let exception = Exception {
                step: step.clone(),
                expected,
                happened,
                decided,
                then,
                agree,
                disagree,
            };
            self.append(by, Body::Exception(exception))?;
            return Ok(());
        }
    }

    fn people(&self) -> Vec<(Seat, String)> {
        let present = self.progress.present.iter();
        present
            .map(|(seat, person)| (seat.clone(), person.name.clone()))
            .collect()
    }

    fn then(&mut self, step: &Word) -> Go<Then> {
        loop {
            let line = self.line_of_sheet(
                step,
                SheetField::Then,
                "then: the step again, skip it, or abort the ceremony [again, skip, abort]: ",
            )?;
            match &*line {
                "again" => return Ok(Then::Again),
                "skip" => return Ok(Then::Skip),
                "abort" => return Ok(Then::Abort),
                _ => {}
            }
        }
    }

    /// A line that is not empty. `e` and Ctrl-C lead nowhere else here: a sheet is open already.
    fn line_of_sheet(&mut self, step: &Word, field: SheetField, prompt: &str) -> Go<String> {
        loop {
            match self.put_question(step, Ask::Sheet(field.clone()), prompt)? {
                Asked::Line(line) if !line.is_empty() => return Ok(line.chars().take(2000).collect()),
                Asked::Line(_) => {}
                Asked::Interrupt => {
                    self.screen.paragraph(
                        "Finish the sheet first; Ctrl-C again ends the program, and the sheet with it.",
                    )?;
                    if self.put_question(step, Ask::GoOn, "[Enter] goes on: ")? == Asked::Interrupt {
                        return Err(closed().into());
                    }
                }
                Asked::Closed => return Err(closed().into()),
            }
        }
    }

    /// Does what an exception decided.
    pub fn carry(&mut self, decided: &Decided) -> Outcome {
        let body = match decided.then {
            Then::Skip => Body::Skip(Skip {
                step: decided.step.clone(),
                reason: decided.words.clone(),
                exception: Some(decided.entry),
            }),
            Then::Again | Then::Abort => Body::Abort(Abort {
                step: decided.step.clone(),
                reason: decided.words.clone(),
            }),
        };
        let by = self.progress.present.keys().cloned().collect();
        self.append(by, body)?;
        Ok(())
    }
}
