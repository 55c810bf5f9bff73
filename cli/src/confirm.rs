//! Asking before what cannot be undone.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::failure::{Exit, Failure, Outcome};

/// Asks for `word` to be typed exactly, at the terminal; anything else is a refusal, and without a terminal there is no asking.
pub fn confirm(what: &str, word: &str) -> Outcome {
    if !io::stdin().is_terminal() {
        let failure = Failure::new(
            Exit::Failed,
            format!("{what}: there is no terminal to confirm it at"),
        );
        return Err(failure.hint("run this at a terminal".to_owned()));
    }
    ask(what, word, &mut io::stdin().lock(), &mut io::stderr().lock())
}

fn ask(what: &str, word: &str, answers: &mut impl BufRead, questions: &mut impl Write) -> Outcome {
    let lost = |error: io::Error| Failure::of(Exit::Failed, &error).within("the terminal is gone");
    write!(questions, "{what}: type {word} to go on: ")
        .and_then(|()| questions.flush())
        .map_err(lost)?;
    let mut typed = String::new();
    answers.read_line(&mut typed).map_err(lost)?;
    if typed.trim_end_matches(['\r', '\n']) == word {
        Ok(())
    } else {
        Err(Failure::new(
            Exit::Failed,
            format!("{what}: not confirmed, nothing was done"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_word_goes_on() {
        for (typed, goes) in [
            ("4711\n", true),
            ("4711", true),
            ("4712\n", false),
            ("y\n", false),
            ("", false),
            (" 4711\n", false),
        ] {
            let mut asked = Vec::new();
            assert_eq!(
                ask("destroy KSK 4711", "4711", &mut typed.as_bytes(), &mut asked).is_ok(),
                goes,
                "{typed:?}"
            );
            assert_eq!(asked, b"destroy KSK 4711: type 4711 to go on: ");
        }
    }
}
