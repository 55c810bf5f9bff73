//! Who changes a key's record, why, and in which ceremony.

use clap::Args;
use key_metadata::gate::Rule;
use key_metadata::site::SiteWord;
use key_metadata::{Action, Change, Time};

use crate::arguments::SiteArguments;
use crate::operator::operator;

/// The options of every verb that changes a key's record.
#[derive(Args, Debug)]
pub struct ChangeArguments {
    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: Option<String>,
    /// The id of the ceremony in which this is done, for the record
    #[arg(long, value_name = "ID")]
    pub ceremony: Option<SiteWord>,
}

/// A tool and its version, as records name it.
#[derive(Clone, Copy, Debug)]
pub struct Tool(pub &'static str);

/// The tool whose crate this is used in.
#[macro_export]
macro_rules! tool {
    () => {
        $crate::Tool(concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")))
    };
}

impl ChangeArguments {
    /// The change that is entered into the history.
    pub fn change(&self, action: Action, at: Time, tool: Tool, site: &SiteArguments) -> Change {
        Change {
            reason: self.reason.clone(),
            ceremony: self.ceremony.as_ref().map(ToString::to_string),
            ..Change::new(at, action, tool.0, operator(site.operator.as_deref()))
        }
    }

    /// The change that goes on against rules, for a reason of its own.
    pub fn against(&self, change: Change, rules: Vec<Rule>, reason: &str) -> Change {
        Change {
            overrides: rules,
            reason: Some(match &self.reason {
                Some(why) => format!("{why}; {reason}"),
                None => reason.to_owned(),
            }),
            ..change
        }
    }
}

/// A reason in one line that says something: 1 to 500 characters, none of them a control character.
pub fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 500 || text.chars().any(char::is_control) {
        return Err("a reason has 1 to 500 characters, in one line".to_owned());
    }
    Ok(text.to_owned())
}
