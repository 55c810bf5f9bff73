//! What a signer that stays tells: a line an event, on stderr, with the time.

use std::io::{self, Write};

use cli::Failure;
use key_metadata::{TokenName, ZoneName};
use serde_json::{Map, Value, json};

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

/// The log.
pub struct Log(Form);

/// What an event is about.
#[derive(Clone, Copy)]
pub enum About<'a> {
    /// The signer itself.
    Signer,
    /// A zone.
    Zone(&'a ZoneName),
    /// A token.
    Token(&'a TokenName),
}

/// How much an event matters.
#[derive(Clone, Copy)]
enum Level {
    Info,
    Warning,
    Error,
}

impl Log {
    /// One whose lines have that form.
    pub const fn new(form: Form) -> Self {
        Self(form)
    }

    /// Something happened, in words and in figures.
    pub fn event(&self, event: &str, about: About<'_>, text: &str, data: Value) {
        self.line((Level::Info, event), about, text, data);
    }

    /// Something deserves a look.
    pub fn warning(&self, event: &str, about: About<'_>, text: &str) {
        self.line((Level::Warning, event), about, text, json!({}));
    }

    /// Something failed; `more` is said behind it.
    pub fn failure(&self, event: &str, about: About<'_>, failure: &Failure, more: &str, data: Value) {
        let hint = failure.next_step().map(|hint| format!("; hint: {hint}"));
        let hint = hint.map_or_else(String::new, |hint| hint);
        let text = format!("{}{more}{hint}", failure.in_a_line());
        self.line((Level::Error, event), about, &text, data);
    }

    fn line(&self, (level, event): (Level, &str), about: About<'_>, text: &str, data: Value) {
        let at = cli::now();
        // What others printed may have more lines; an event has one.
        let text = text.replace(['\n', '\r'], " ");
        let line = match self.0 {
            Form::Text => {
                let level = match level {
                    Level::Info => "",
                    Level::Warning => "warning: ",
                    Level::Error => "error: ",
                };
                let about = match about {
                    About::Signer => String::new(),
                    About::Zone(zone) => format!("{zone}: "),
                    About::Token(token) => format!("token '{token}': "),
                };
                format!("{at} {level}{about}{text}")
            }
            Form::Json => {
                let mut object = Map::new();
                let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
                put("at", json!(at));
                put("event", json!(event));
                put(
                    "level",
                    json!(match level {
                        Level::Info => "info",
                        Level::Warning => "warning",
                        Level::Error => "error",
                    }),
                );
                match about {
                    About::Signer => None,
                    About::Zone(zone) => put("zone", json!(zone)),
                    About::Token(token) => put("token", json!(token)),
                };
                put("text", json!(text));
                if let Value::Object(data) = data {
                    object.extend(data);
                }
                Value::Object(object).to_string()
            }
        };
        // A log that nobody takes does not hold the zones.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}
