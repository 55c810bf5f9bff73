//! What a key or a plugin has asked of the person: on stderr and at the terminal. Without one, nobody answers.

use std::io::{self, IsTerminal, Write};

use secrecy::SecretString;

/// Says something.
pub fn tell(text: &str) {
    // Talk that cannot be shown changes nothing.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Asks for a line.
pub fn ask(text: &str) -> Option<String> {
    if !io::stdin().is_terminal() {
        return None;
    }
    write!(io::stderr().lock(), "{text}: ").ok()?;
    let mut line = String::new();
    let length = io::stdin().read_line(&mut line).ok()?;
    (length > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks for a line that is not shown; an empty one is none.
pub fn ask_secret(text: &str) -> Option<SecretString> {
    let typed = rpassword::prompt_password(format!("{text}: ")).ok()?;
    (!typed.is_empty()).then(|| typed.into())
}

/// Has a person choose by typing one of the words.
pub fn choose(text: &str, yes: &str, no: Option<&str>) -> Option<bool> {
    let choices = no.map_or_else(|| yes.to_owned(), |no| format!("{yes} or {no}"));
    loop {
        let typed = ask(&format!("{text} Type {choices}"))?;
        match (typed == yes, no == Some(typed.as_str())) {
            (true, _) => return Some(true),
            (false, true) => return Some(false),
            (false, false) => {}
        }
    }
}
