//! age plugins of custodians, and what they ask at the terminal.

use std::env;

use cli::dialogue;
use custody::{Dialogue, Plugins};

/// The plugins on `PATH`.
pub fn plugins() -> Plugins {
    let dialogue = Dialogue {
        tell: dialogue::tell,
        ask: dialogue::ask,
        ask_secret: dialogue::ask_secret,
        choose: dialogue::choose,
    };
    Plugins::new(env::var_os("PATH"), env::var_os("HOME"), dialogue)
}
