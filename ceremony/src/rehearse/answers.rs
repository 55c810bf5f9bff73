//! Who answers in a rehearsal: a file, and where it is silent, values that are made up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::Path;

use key_metadata::{Advice, Time};

use super::fault::{Fault, PlacedFault};
use super::folder::StageFolder;
use super::loss;
use super::part::{Entrance, Part};
use super::people::{self, Extra};
use super::value::{self, ValueError};
use crate::run::{Ask, Asked, PersonField, Question, SheetField};
use crate::script::{Script, Seat, Step, Word};
use cli::words::words;

/// How often the same question may come in a row before its answer counts as refused; our choice.
const PATIENCE: u32 = 8;

/// What opens an exception sheet at any prompt.
const EXCEPTION: &str = "e";
/// The answers of a rehearsal, in the process that holds the ceremony.
pub struct Answers<'s> {
    script: &'s Script,
    stage: StageFolder,
    cast: Vec<Extra>,
    given: BTreeMap<Word, VecDeque<Option<String>>>,
    /// The tokens that are still to be lost.
    losses: BTreeMap<Word, String>,
    entrance: Entrance,
    fault: Option<PlacedFault>,
    stands: Stands,
    /// The steps at which a sheet decided.
    decided: BTreeSet<Word>,
    now: fn() -> Time,
    last: Option<Box<(Question, u32)>>,
    trouble: Option<Box<AnswersError>>,
}

/// How far a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    ToCome,
    Planted,
    Reported,
    Repaired,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswersError {
    /// The rehearsal's folder.
    #[error("cannot read what a rehearsal answers")]
    Part(#[source] io::Error),
    /// A given value that the step does not take.
    #[error("step '{step}' takes no '{value}'; its pattern is '{pattern}'")]
    Value {
        /// The step.
        step: Word,
        /// The value.
        value: String,
        /// The pattern.
        pattern: String,
    },
    /// A given choice that there is not.
    #[error("step '{step}' has no choice '{choice}'; there is: {}", there.join(", "))]
    Choice {
        /// The step.
        step: Word,
        /// What was given.
        choice: String,
        /// The choices.
        there: Vec<String>,
    },
    /// The same question again and again.
    #[error("step '{step}' does not take '{answer}'")]
    Refused {
        /// The step.
        step: Word,
        /// The last answer.
        answer: String,
    },
    /// No value was made up.
    #[error("no answer for step '{step}'")]
    MakingUp {
        /// The step.
        step: Word,
        /// The cause.
        source: ValueError,
    },
    /// The fault could not be planted or repaired.
    #[error("the fault '{fault}' in step '{step}'")]
    Fault {
        /// What.
        fault: Fault,
        /// Where.
        step: Word,
        /// The cause.
        source: io::Error,
    },
    /// The token could not be lost.
    #[error("the loss of token '{token}' in step '{step}'")]
    Loss {
        /// The token.
        token: String,
        /// Where.
        step: Word,
        /// The cause.
        source: io::Error,
    },
    /// The step of a loss did not come.
    #[error("step '{step}' did not come, and token '{token}' was not lost")]
    NotLost {
        /// The token.
        token: String,
        /// The step.
        step: Word,
    },
    /// Answers that nobody asked for.
    #[error("step '{step}' did not ask for {}", Unused(*count))]
    Unused {
        /// The step.
        step: Word,
        /// How many.
        count: usize,
    },
}

struct Unused(usize);

impl std::fmt::Display for Unused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            1 => f.write_str("its last answer"),
            count => write!(f, "its last {count} answers"),
        }
    }
}

impl<'s> Answers<'s> {
    /// Those that are in the folder of that `part.json`.
    pub fn open(part: &Path, script: &'s Script, now: fn() -> Time) -> Result<Self, AnswersError> {
        let folder = part.parent().map_or(Path::new("."), |folder| folder);
        let stage = StageFolder::open(folder).map_err(AnswersError::Part)?;
        let part = Part::read(&stage).map_err(AnswersError::Part)?;
        let given = part.answers.into_iter();
        Ok(Self {
            script,
            cast: people::cast(script),
            given: given.map(|(step, answers)| (step, answers.into())).collect(),
            losses: part.losses,
            // A power failure is not planted here, and comes once.
            fault: part.fault.filter(|placed| placed.fault != Fault::Power),
            entrance: part.entrance,
            stands: Stands::ToCome,
            decided: BTreeSet::new(),
            stage,
            now,
            last: None,
            trouble: None,
        })
    }

    /// The answer to a question. Closed where there is none; [`Self::finish`] says why.
    pub fn answer(&mut self, question: &Question) -> Asked {
        if self.trouble.is_some() {
            return Asked::Closed;
        }
        match self.try_answer(question) {
            Ok(line) => Asked::Line(line),
            Err(error) => {
                self.trouble = Some(Box::new(error));
                Asked::Closed
            }
        }
    }

    /// What went wrong with the answers, once no more is asked; of a ceremony that went from its first step to its end, also which were
    /// not asked for, and which token was not lost.
    pub fn finish(self) -> Result<(), AnswersError> {
        if let Some(trouble) = self.trouble {
            return Err(*trouble);
        }
        if self.entrance == Entrance::Resumed {
            return Ok(());
        }
        if let Some((step, token)) = self.losses.into_iter().next() {
            return Err(AnswersError::NotLost { token, step });
        }
        match self.given.into_iter().find(|(_, left)| !left.is_empty()) {
            None => Ok(()),
            Some((step, left)) => Err(AnswersError::Unused {
                step,
                count: left.len(),
            }),
        }
    }

    fn try_answer(&mut self, question: &Question) -> Result<String, AnswersError> {
        let times = match self.last.as_deref() {
            Some((last, times)) if last == question => times + 1,
            Some(_) | None => 1,
        };
        self.last = Some(Box::new((question.clone(), times)));
        self.let_it_be_lost(&question.step)?;
        self.let_it_happen(question)?;
        let answer = self.line(question)?;
        if times > PATIENCE {
            let step = question.step.clone();
            return Err(AnswersError::Refused { step, answer });
        }
        Ok(answer)
    }

    /// A token is lost before the step's first question is answered. After a power failure it may be lost already.
    fn let_it_be_lost(&mut self, step: &Word) -> Result<(), AnswersError> {
        let Some(token) = self.losses.remove(step) else {
            return Ok(());
        };
        let lost = match loss::wipe(&self.stage, &token) {
            Ok(false) if self.entrance == Entrance::First => Err(io::Error::other("it is not there")),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        lost.map_err(|source| AnswersError::Loss {
            token,
            step: step.clone(),
            source,
        })
    }

    /// The fault: planted before its step's program runs, repaired while the sheet is filled in.
    fn let_it_happen(&mut self, question: &Question) -> Result<(), AnswersError> {
        let Some(placed) = self.fault.as_ref().filter(|placed| placed.step == question.step) else {
            return Ok(());
        };
        let done = match (self.stands, &question.ask) {
            (Stands::ToCome, _) => {
                self.stands = Stands::Planted;
                placed.plant(&self.stage, self.script)
            }
            (Stands::Reported, Ask::Sheet(SheetField::Decided)) => {
                self.stands = Stands::Repaired;
                placed.repair(&self.stage, self.script)
            }
            (Stands::Planted | Stands::Reported | Stands::Repaired, _) => Ok(()),
        };
        done.map_err(|source| AnswersError::Fault {
            fault: placed.fault,
            step: placed.step.clone(),
            source,
        })
    }

    fn line(&mut self, question: &Question) -> Result<String, AnswersError> {
        let step = &question.step;
        Ok(match &question.ask {
            Ask::Retry => self.after_a_failure(step),
            Ask::GoOn => String::new(),
            Ask::Initials { initials, .. } => initials.clone(),
            Ask::Exact(word) => word.clone(),
            Ask::SigningKey(seat) => self.stage.key(seat).display().to_string(),
            Ask::Sheet(field) => self.sheet(step, field),
            Ask::KeyTag(tag) => self.given(step).map_or_else(|| tag.clone(), |given| given),
            Ask::Person { seat, field } => self.person(step, seat, *field),
            Ask::Wall => {
                let made_up = || (self.now)().to_utc().format("%Y-%m-%d %H:%M:%S").to_string();
                let made_up = made_up();
                self.given(step).map_or(made_up, |given| given)
            }
            Ask::Heard { sha256, .. } => {
                let heard = words(sha256).join(" ");
                self.given(step).map_or(heard, |given| given)
            }
            Ask::Value {
                pattern, last_time, ..
            } => self.value(step, pattern, last_time.as_deref())?,
            Ask::Choice(there) => self.choice(step, there)?,
        })
    }

    /// The next answer of the file.
    fn given(&mut self, step: &Word) -> Option<String> {
        self.given.get_mut(step).and_then(VecDeque::pop_front).flatten()
    }

    fn person(&mut self, step: &Word, seat: &Seat, field: PersonField) -> String {
        let extra = self.cast.iter().find(|extra| extra.seat == *seat).cloned();
        match field {
            // Their keys are of the rehearsal, and so are the names of these.
            PersonField::Principal => people::principal(seat),
            PersonField::Name => {
                let made_up = extra.map_or_else(|| seat.to_string(), |extra| extra.name);
                self.given(step).map_or(made_up, |given| given)
            }
            PersonField::Initials => {
                let made_up = extra.map_or_else(String::new, |extra| extra.initials);
                self.given(step).map_or(made_up, |given| given)
            }
        }
    }

    fn value(&mut self, step: &Word, pattern: &str, last_time: Option<&str>) -> Result<String, AnswersError> {
        match (self.given(step), last_time) {
            (Some(given), _) if value::matches(pattern, &given) => Ok(given),
            (Some(given), _) => Err(AnswersError::Value {
                step: step.clone(),
                value: given,
                pattern: pattern.to_owned(),
            }),
            (None, Some(last)) => Ok(last.to_owned()),
            (None, None) => value::matching(pattern).map_err(|source| AnswersError::MakingUp {
                step: step.clone(),
                source,
            }),
        }
    }

    /// One of the choices of a branch.
    fn choice(&mut self, step: &Word, there: &[String]) -> Result<String, AnswersError> {
        match self.given(step) {
            Some(given) if there.contains(&given) => Ok(given),
            Some(choice) => Err(AnswersError::Choice {
                step: step.clone(),
                choice,
                there: there.to_vec(),
            }),
            None => Ok(there.first().cloned().map_or_else(String::new, |first| first)),
        }
    }

    /// After a step that failed: a sheet, which decides.
    fn after_a_failure(&mut self, step: &Word) -> String {
        let here = self.placed(step).is_some();
        if here && self.stands == Stands::Planted {
            self.stands = Stands::Reported;
        }
        EXCEPTION.to_owned()
    }

    fn placed(&self, step: &Word) -> Option<&PlacedFault> {
        self.fault.as_ref().filter(|placed| placed.step == *step)
    }

    /// What a sheet decides: a fault is repaired and the step done again, once, and so is a program that was interrupted, which each of the
    /// suite's comes to its end by. Any other failure breaks the rehearsal off.
    fn then(&mut self, step: &Word) -> &'static str {
        let first = self.decided.insert(step.clone());
        let expected = self.placed(step).is_some() || self.entrance == Entrance::Resumed;
        if first && expected { "again" } else { "abort" }
    }

    fn sheet(&mut self, step: &Word, field: &SheetField) -> String {
        if *field == SheetField::Then {
            return self.then(step).to_owned();
        }
        let placed = self.placed(step);
        let expect = self.step(step).and_then(|step| step.expect.clone());
        match (field, placed) {
            (SheetField::Expected, _) => {
                let made_up = || "the step ends as the script says".to_owned();
                // The script may have it on several lines, and a sheet's line is one.
                expect.map_or_else(made_up, |text| {
                    text.split_whitespace().collect::<Vec<_>>().join(" ")
                })
            }
            (SheetField::Happened, Some(placed)) => placed.fault.happened().to_owned(),
            (SheetField::Happened, None) => match self.entrance {
                Entrance::First => "the step failed".to_owned(),
                Entrance::Resumed => "the step was interrupted".to_owned(),
            },
            (SheetField::Decided, Some(placed)) => placed.fault.decided().to_owned(),
            (SheetField::Decided, None) => match self.entrance {
                Entrance::First => "the rehearsal is broken off".to_owned(),
                Entrance::Resumed => "nothing is half done: again".to_owned(),
            },
            (SheetField::Then | SheetField::Agrees(_), _) => "yes".to_owned(),
        }
    }

    fn step(&self, step: &Word) -> Option<&'s Step> {
        let (plan, safe_state) = (self.script.plan(), self.script.safe_state_plan());
        let found = plan
            .iter()
            .chain(&safe_state)
            .find(|planned| planned.step.id == *step);
        found.map(|planned| planned.step)
    }
}

impl Advice for AnswersError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Part(_) => Some("`keyrite-ceremony rehearse` makes it".to_owned()),
            Self::MakingUp { .. } => Some("give the value in the answers' file".to_owned()),
            Self::Value { .. }
            | Self::Choice { .. }
            | Self::Refused { .. }
            | Self::Fault { .. }
            | Self::Loss { .. }
            | Self::NotLost { .. }
            | Self::Unused { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Part(_)
            | Self::Value { .. }
            | Self::Choice { .. }
            | Self::Refused { .. }
            | Self::MakingUp { .. }
            | Self::Fault { .. }
            | Self::Loss { .. }
            | Self::NotLost { .. }
            | Self::Unused { .. } => false,
        }
    }
}
