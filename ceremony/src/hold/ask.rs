//! Asking, with the two ways out that every question has: `e` for an exception, Ctrl-C for the rest.

use ceremony::run::{Ask, Asked, Question};
use ceremony::script::{Seat, Word};
use cli::{Exit, Failure, Outcome};

use super::Ceremony;
use super::stop::{Go, Stop};

/// What Ctrl-C offers.
const WAYS: [&str; 4] = ["go", "exception", "abort", "leave"];

impl Ceremony<'_> {
    /// The answer to a question of the step that is on. An exception or an abort ends the work on it.
    pub fn ask(&mut self, step: &Word, ask: Ask, prompt: &str) -> Go<String> {
        loop {
            match self.put_question(step, ask.clone(), prompt)? {
                Asked::Line(line) if line == "e" => {
                    self.sheet(step, None)?;
                    return Err(Stop::Recorded);
                }
                Asked::Line(line) => return Ok(line),
                Asked::Interrupt => self.interrupted(step)?,
                Asked::Closed => return Err(closed().into()),
            }
        }
    }

    /// One of some words; asked until it is one.
    pub fn choose(&mut self, step: &Word, words: &[&str], prompt: &str) -> Go<String> {
        let ask = Ask::Choice(words.iter().map(|word| (*word).to_owned()).collect());
        loop {
            let line = self.ask(step, ask.clone(), &format!("{prompt} [{}]: ", words.join(", ")))?;
            if words.contains(&&*line) {
                return Ok(line);
            }
            self.screen.paragraph("That is none of them.")?;
        }
    }

    /// Enter.
    pub fn go_on(&mut self, step: &Word, prompt: &str) -> Go {
        self.ask(step, Ask::GoOn, prompt).map(|_| ())
    }

    /// Enter, after something that did not succeed.
    pub fn retry(&mut self, step: &Word, how: &str) -> Go {
        let prompt = format!("\n[Enter] {how}   [e] exception   [Ctrl-C] more: ");
        self.ask(step, Ask::Retry, &prompt).map(|_| ())
    }

    /// This very word; anything else is asked again.
    pub fn exact(&mut self, step: &Word, ask: Ask, word: &str, prompt: &str) -> Go {
        while self.ask(step, ask.clone(), prompt)? != word {
            self.screen.paragraph("That is not it. Nothing was done.")?;
        }
        Ok(())
    }

    /// The people who are there and sit in one of these seats, or all who are there if none of them does.
    pub fn acting(&self, seats: &[Seat]) -> Vec<Seat> {
        let there = self.progress.present.keys();
        there.filter(|seat| seats.contains(seat)).cloned().collect()
    }

    /// A question as it is put; the answer goes into the recording as the terminal shows it.
    pub fn put_question(&mut self, step: &Word, ask: Ask, prompt: &str) -> Outcome<Asked> {
        self.screen.put(prompt)?;
        let question = Question {
            step: step.clone(),
            ask,
            prompt: prompt.to_owned(),
        };
        let asked = self.console.answer(&question)?;
        match &asked {
            Asked::Line(line) => {
                let echo = format!("{}\n", super::screen::harmless(line));
                match self.console {
                    super::terminal::Console::Terminal(_) => self.screen.record(&echo)?,
                    super::terminal::Console::Answers(_) => self.screen.put(&echo)?,
                }
            }
            Asked::Interrupt | Asked::Closed => self.screen.put("\n")?,
        }
        Ok(asked)
    }

    /// After Ctrl-C.
    fn interrupted(&mut self, step: &Word) -> Go {
        let ask = Ask::Choice(WAYS.map(str::to_owned).to_vec());
        loop {
            self.screen.paragraph(
                "Interrupted. go: go on here. exception: open a sheet. abort: break the ceremony off, by the steps of its safe state. \
                 leave: end this program; run again, it goes on at this step.",
            )?;
            match self.put_question(step, ask.clone(), &format!("[{}]: ", WAYS.join(", ")))? {
                Asked::Line(line) => match &*line {
                    "go" => return Ok(()),
                    "exception" | "e" => {
                        self.sheet(step, None)?;
                        return Err(Stop::Recorded);
                    }
                    "abort" => {
                        self.sheet(step, Some(ceremony::log::Then::Abort))?;
                        return Err(Stop::Recorded);
                    }
                    "leave" => {
                        return Err(Failure::new(Exit::PartWay, "the ceremony was left where it is").into());
                    }
                    _ => {}
                },
                Asked::Interrupt => {}
                Asked::Closed => return Err(closed().into()),
            }
        }
    }
}

/// Nobody types any more.
pub fn closed() -> Failure {
    Failure::new(Exit::PartWay, "there is nobody at the terminal any more")
}
