//! Text that people see as it is: what shows nothing, turns the text around or speaks to a terminal is told by its number.

/// The text, each hidden character as in `\u{27e8}U+202E\u{27e9}`.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match is_hidden(character) {
            true => out.push_str(&number(character)),
            false => out.push(character),
        }
    }
    out
}

pub(crate) fn number(hidden: char) -> String {
    format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(hidden))
}

pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_hidden() {
        assert_eq!(
            shown("KSK 1\u{1b}[2J\n\u{202e}\u{f1}"),
            "KSK 1\u{27e8}U+001B\u{27e9}[2J\u{27e8}U+000A\u{27e9}\u{27e8}U+202E\u{27e9}\u{f1}"
        );
    }
}
