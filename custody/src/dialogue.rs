//! What a key or a plugin asks of the person at the terminal.

use secrecy::SecretString;

/// How to ask. Each gives nothing where nobody answers.
#[derive(Clone, Copy, Debug)]
pub struct Dialogue {
    /// Says something, as "touch your key".
    pub tell: fn(&str),
    /// Asks for a line.
    pub ask: fn(&str) -> Option<String>,
    /// Asks for a line that is not shown: a passphrase or a PIN.
    pub ask_secret: fn(&str) -> Option<SecretString>,
    /// Has the person choose: the text, the word for yes, and the one for no where there is one.
    pub choose: fn(&str, &str, Option<&str>) -> Option<bool>,
}

impl Dialogue {
    /// Where nobody is there to be asked.
    pub const NOBODY: Self = Self {
        tell: |_| {},
        ask: |_| None,
        ask_secret: |_| None,
        choose: |_, _, _| None,
    };
}

/// Text of a program, without what would steer a terminal.
pub(crate) fn plain(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let letters = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    letters.take(500).collect::<String>().trim().to_owned()
}
