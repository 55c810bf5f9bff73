//! What every Keyrite tool shares with its user: failures and exit codes, results as tables and JSON, PINs, confirmation, progress,
//! man pages, pages for people, digests that are
//! read aloud, memory that holds secrets.
//!
//! stdout is the result, stderr is talk.

mod arguments;
mod change;
mod columns;
mod confirm;
pub mod dialogue;
mod documents;
mod failure;
mod memory;
mod operator;
mod output;
pub mod page;
mod pin;
mod run;
mod shell_word;
mod shown;
mod sibling;
pub mod words;
mod zones;

pub use arguments::{ReportArguments, SiteArguments};
pub use change::{ChangeArguments, Tool, reason};
pub use columns::{Columns, JsonList};
pub use confirm::confirm;
pub use documents::DocumentVerb;
pub use failure::{Exit, Failure, Outcome};
pub use memory::lock_memory;
pub use operator::{now, operator};
pub use output::{Output, Progress, columns, table};
pub use pin::{NewPin, parse_pin_source, pin_source, read_new_pin, read_pin};
pub use run::run;
pub use shell_word::shell_word;
pub use shown::shown;
pub use sibling::siblings;
pub use zones::ZoneChoice;
