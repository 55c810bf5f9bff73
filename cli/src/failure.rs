//! A failure as the user sees it: what failed, why, what to do next, and the exit code.

use std::error::Error;
use std::fmt;

use key_metadata::Advice;

/// The exit codes of every tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed, nothing changed.
    Failed = 1,
    /// Wrong usage.
    Usage = 2,
    /// The check ran, and says no.
    SaysNo = 3,
    /// The token is absent or refused the credential; a script must not retry.
    Credential = 4,
    /// Stopped part-way: run the same command again to resume.
    PartWay = 5,
}

impl Exit {
    /// The text about them at the end of every `--help` and man page.
    pub const HELP: &str = "\
Exit status:
  0  done
  1  failed, nothing changed
  2  usage
  3  the check ran and says no
  4  token absent or credential refused: do not retry, tokens lock
  5  stopped part-way, run again to resume";
}

/// A failure on its way to the user.
#[derive(Clone, Debug)]
pub struct Failure {
    error: String,
    causes: Vec<String>,
    hint: Option<String>,
    exit: Exit,
    is_absence: bool,
}

/// What a tool's verb gives.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure without a cause below it.
    pub fn new(exit: Exit, error: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            causes: Vec::new(),
            hint: None,
            exit,
            is_absence: false,
        }
    }

    /// The failure that a library's error is, its sources as causes.
    pub fn of(exit: Exit, error: &dyn Error) -> Self {
        let mut failure = Self::new(exit, error.to_string());
        failure.add_causes(error.source());
        failure
    }

    /// Puts `error` in front: what had been is its first cause.
    #[must_use]
    pub fn within(mut self, error: impl Into<String>) -> Self {
        let cause = std::mem::replace(&mut self.error, error.into());
        self.causes.insert(0, cause);
        self
    }

    /// Adds a cause below those that it has.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds what to do next; an earlier hint stays.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = self.hint.or(hint.into());
        self
    }

    /// The same failure, met after something had been done.
    #[must_use]
    pub fn part_way(mut self) -> Self {
        // A refused credential stays one: a script must not retry it.
        if self.exit == Exit::Failed {
            self.exit = Exit::PartWay;
        }
        self
    }

    /// Adds what failed after it, while its traces were removed: something is left, so the run stopped part-way.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.causes.push(other.error);
        self.causes.extend(other.causes);
        self.hint = other.hint.or(self.hint);
        self.part_way()
    }

    /// What failed and why, in one line.
    pub fn in_a_line(&self) -> String {
        [&[self.error.clone()][..], &self.causes].concat().join(": ")
    }

    /// What to do next.
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Its exit code.
    pub const fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether a token is not there, and nothing else is wrong.
    pub const fn is_absence(&self) -> bool {
        self.is_absence
    }

    fn add_causes(&mut self, mut source: Option<&(dyn Error + 'static)>) {
        let mut above = self.error.clone();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Some libraries repeat their source in their own text.
            if !above.ends_with(&text) {
                self.causes.push(text.clone());
            }
            above = text;
            source = cause.source();
        }
    }
}

impl fmt::Display for Failure {
    /// The lines for stderr, without colour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.error)?;
        for cause in &self.causes {
            writeln!(f, "cause: {cause}")?;
        }
        if let Some(hint) = &self.hint {
            writeln!(f, "hint: {hint}")?;
        }
        Ok(())
    }
}

impl<E: Advice> From<E> for Failure {
    fn from(error: E) -> Self {
        let exit = if error.is_credential() {
            Exit::Credential
        } else {
            Exit::Failed
        };
        Self {
            is_absence: error.is_absence(),
            ..Self::of(exit, &error).hint(error.hint())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        let inner = std::io::Error::other("disk full");
        let failure = Failure::of(Exit::Failed, &inner)
            .within("cannot write x")
            .hint("free some".to_owned());
        assert_eq!(
            failure.to_string(),
            "error: cannot write x\ncause: disk full\nhint: free some\n"
        );
        assert_eq!(failure.in_a_line(), "cannot write x: disk full");
        assert_eq!(failure.part_way().exit(), Exit::PartWay);
        assert_eq!(
            Failure::new(Exit::Credential, "no").part_way().exit(),
            Exit::Credential
        );
    }
}
