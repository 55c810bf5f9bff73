//! age plugins of custodians, and what they ask at the terminal.

use std::env;
use std::path::Path;

use cli::{Exit, Failure, Output, read_pin};
use custody::{Dialogue, Plugins};
use key_metadata::PinSource;

/// The plugins on `PATH`.
pub fn plugins() -> Plugins {
    let dialogue = Dialogue {
        tell: |text| Output::default().say(text),
        ask_secret: |what| {
            let no_tpm = |_| Err(Failure::new(Exit::Usage, "it is asked for at the terminal"));
            read_pin(&PinSource::Prompt, what, Path::new(""), no_tpm).ok()
        },
        ..Dialogue::NOBODY
    };
    Plugins::new(env::var_os("PATH"), env::var_os("HOME"), dialogue)
}
