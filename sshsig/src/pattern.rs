//! OpenSSH's pattern lists (ssh_config(5), PATTERNS), as the option `namespaces` has them.

/// Whether the list matches: one pattern does, and none with a `!` in front.
pub(crate) fn list_matches(list: &str, text: &str) -> bool {
    let mut found = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(refused) if matches(refused.as_bytes(), text.as_bytes()) => return false,
            Some(_) => {}
            None => found |= matches(pattern.as_bytes(), text.as_bytes()),
        }
    }
    found
}

/// `*` is any text, `?` any character. Each star takes as little as it can, and more only where what follows does not fit: linear in
/// the product of the lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while let Some(letter) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == letter => (p, t) = (p + 1, t + 1),
            Some(_) | None => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, t) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_those_of_openssh() {
        for (list, text, yes) in [
            ("checkpoint@keyrite", "checkpoint@keyrite", true),
            ("checkpoint@keyrite", "checkpoint@keyrit", false),
            ("checkpoint@keyrite", "checkpoint@keyrites", false),
            ("file,*@keyrite", "checkpoint@keyrite", true),
            ("*@key*te", "checkpoint@keyrite", true),
            ("?heckpoint@keyrite*", "checkpoint@keyrite", true),
            ("*,!checkpoint@*", "checkpoint@keyrite", false),
            ("!checkpoint@*", "backup@keyrite", false),
            ("*a*b", "aab-ab", true),
            ("*a*bc", "aab-ab", false),
            ("Checkpoint@keyrite", "checkpoint@keyrite", false),
            ("", "", true),
        ] {
            assert_eq!(list_matches(list, text), yes, "{list} {text}");
        }
    }
}
