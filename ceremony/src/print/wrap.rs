//! Lines of text of a width.

/// The text in lines of at most `width` characters, broken at blanks, and within a word only where one is longer than a line.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.trim_end().split('\n') {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let mut word: Vec<char> = word.chars().map(shown).collect();
            let room = width.saturating_sub(line.chars().count() + 1);
            if !line.is_empty() && word.len() > room {
                lines.push(std::mem::take(&mut line));
            }
            while word.len() > width {
                let rest = word.split_off(width);
                lines.push(word.into_iter().collect());
                word = rest;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.extend(word);
        }
        lines.push(line);
    }
    lines
}

/// A character that would move the paper, or that shows nothing, is shown as a question mark.
fn shown(character: char) -> char {
    if character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
    {
        '?'
    } else {
        character
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_longer_than_they_may_be() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrap("a\n\nb\n", 4), ["a", "", "b"]);
        assert_eq!(wrap("a\u{c}b", 9), ["a b"]);
        assert_eq!(wrap("a\u{1b}b", 9), ["a?b"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
