//! What was done to tokens, as it is told.

use cli::{Outcome, Output, ReportArguments};
use key_metadata::TokenName;
use serde::Serialize;

/// What `--json` prints.
#[derive(Serialize)]
pub struct Report {
    version: u32,
    pub tokens: Vec<TokenReport>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TokenReport {
    token: String,
    done: Vec<String>,
}

impl Report {
    pub const fn new() -> Self {
        Self {
            version: 1,
            tokens: Vec::new(),
        }
    }

    /// Adds what was done to a token, and prints it at once where people read.
    pub fn add(
        &mut self,
        name: &TokenName,
        done: Vec<String>,
        arguments: &ReportArguments,
        output: &mut Output,
    ) -> Outcome {
        if !arguments.json {
            for line in &done {
                output.line(format!("token '{name}': {line}"))?;
            }
        }
        let token = name.to_string();
        self.tokens.push(TokenReport { token, done });
        Ok(())
    }

    /// Prints all of it where a machine reads.
    pub fn end(&self, arguments: &ReportArguments, output: &mut Output) -> Outcome {
        match arguments.json {
            true => output.json(self),
            false => Ok(()),
        }
    }
}
