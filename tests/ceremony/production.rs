//! A whole production run by keys, with an exception, a skip, and a resume after the power went.

use std::fs;

use key_metadata::Digest;

use crate::person::{Key, Person};
use crate::place::{PEOPLE, Place, principal};

/// The trials.
pub const TRIALS: [(&str, fn()); 2] = [
    ("a production run by keys", by_keys),
    ("a production run that is broken off", broken_off),
];

/// The script, with everything that a step can be.
const SCRIPT: &str = include_str!("../fixtures/short-ceremony.yaml");

/// What is done at a question, by a piece of the screen; each once, in this order.
fn keys() -> Vec<(&'static str, Key)> {
    let line = |text: &str| Key::Line(text.to_owned());
    let mut keys = vec![("Welcome. We make", line(""))];
    for (seat, name, initials) in PEOPLE {
        keys.extend([
            (", name:", line(name)),
            (", initials:", line(initials)),
            (", principal:", line(&principal(seat))),
        ]);
    }
    keys.extend([
        ("[the time", line("10:07:31")),
        ("keep that", line("yes")),
        // The words of another digest, half of one, and the right one as hex digits.
        ("heard:", line(&"0".repeat(64))),
        ("heard:", line("topmost Istanbul")),
        ("heard:", line(&Digest::of(SCRIPT.as_bytes()).to_string())),
        ("It is the same", line("")),
        // A bag that is torn: an exception, and again.
        ("number of the bag", line("e")),
        ("what was expected:", line("bag AB1234, whole")),
        ("what happened:", line("it is torn")),
        (
            "what was decided:",
            line("the stick is used, the bag is kept as evidence"),
        ),
        ("[again, skip, abort]:", line("again")),
        ("officer-1, Ana Mora, agrees", line("yes")),
        ("officer-2, Bea Solis, agrees", line("no")),
        ("witness-1, Cyn Vega, agrees", line("yes")),
        ("number of the bag", line("wrong")),
        ("It must be like", line("AB1234")),
        ("initials of officer-2", line("XX")),
        ("not the initials", line("BS")),
        ("initials of witness-1", line("CV")),
        // Ctrl-C asks, and leaving ends the program; the next one goes on at this step.
        ("keyrite-keyctl generate", Key::Interrupt),
        ("[go, exception, abort, leave]", line("leave")),
        ("keyrite-keyctl generate", line("")),
        ("Done, exit code 0", line("")),
        // The power goes while somebody is about to sign.
        ("types SIGN:", Key::Kill),
        ("types SIGN:", line("sign")),
        ("That is not it", line("SIGN")),
        ("keyrite-keyctl list", line("")),
        ("key-tag-ksk = ", line("")),
        ("seal the log and begin the break", line("")),
        ("types SIGN:", line("SIGN")),
        ("when all are back", line("")),
        ("to be destroyed at once", line("perhaps")),
        ("none of them", line("keep")),
        (" stays.", line("")),
        ("[Enter] to copy", line("")),
        ("is the same", line("")),
        ("[Enter] to seal the log", line("")),
        ("types SIGN:", line("SIGN")),
        ("I saw it all.", line("SIGN")),
        ("may be left out", line("skip")),
        ("Ana Mora types SIGN:", line("SIGN")),
        ("Bea Solis types SIGN:", line("SIGN")),
        ("Cyn Vega types SIGN:", line("SIGN")),
    ]);
    keys
}

/// Holds a ceremony by these keys, in as many runs as it takes; each run's exit code, and the screens.
fn held(place: &Place, keys: Vec<(&'static str, Key)>) -> (Vec<Option<i32>>, Vec<String>) {
    let mut keys = keys.into_iter();
    let (mut ends, mut screens) = (Vec::new(), Vec::new());
    while keys.len() > 0 {
        let mut person = Person::start(place.run());
        while let Some(screen) = person.question() {
            let (piece, key) = keys
                .next()
                .unwrap_or_else(|| panic!("nothing is expected to be asked:\n{screen}"));
            let shown = screen.split_whitespace().collect::<Vec<_>>().join(" ");
            let piece = piece.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(shown.contains(&piece), "it should say '{piece}':\n{screen}");
            person.press(&key);
        }
        let (exit, seen) = person.end();
        screens.extend(seen);
        ends.push(exit);
        assert!(ends.len() < 10, "{ends:?}");
    }
    assert!(place.leaked_handles().is_empty(), "{:?}", place.leaked_handles());
    let mut verify = place.tool("keyrite-ceremony");
    let said = verify
        .arg("verify")
        .arg(place.ceremony("short"))
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    (ends, screens)
}

fn broken_off() {
    let place = Place::new(SCRIPT);
    let line = |text: &str| Key::Line(text.to_owned());
    let mut keys: Vec<_> = keys().into_iter().take(10).collect();
    keys.extend([
        ("[the time", Key::Interrupt),
        ("[go, exception, abort, leave]", line("abort")),
        ("what was expected:", line("a quiet room")),
        ("what happened:", line("a fire alarm")),
        ("what was decided:", line("all leave")),
        ("officer-1, Ana Mora, agrees", line("yes")),
        ("officer-2, Bea Solis, agrees", line("yes")),
        ("witness-1, Cyn Vega, agrees", line("yes")),
        // The safe state, gone on with after the power went there too.
        ("token is in its safe", Key::Kill),
        ("token is in its safe", line("AM")),
        ("Ana Mora types SIGN:", line("SIGN")),
        ("Bea Solis types SIGN:", line("SIGN")),
        ("Cyn Vega types SIGN:", line("SIGN")),
    ]);
    let (ends, _) = held(&place, keys);
    // Killed, broken off.
    assert_eq!(ends, [None, Some(3)]);
    let log = fs::read_to_string(place.ceremony("short").join("log.jsonl")).unwrap();
    assert!(
        log.contains("\"outcome\":\"aborted\"") && log.contains("all leave"),
        "{log}"
    );
}

fn by_keys() {
    let place = Place::new(SCRIPT);
    let (ends, screens) = held(&place, keys());
    // Left, killed, over.
    assert_eq!(ends, [Some(5), None, Some(0)]);
    let log = fs::read_to_string(place.ceremony("short").join("log.jsonl")).unwrap();
    let count = |piece: &str| log.matches(piece).count();
    assert_eq!(count("\"type\":\"recovered\""), 2);
    assert_eq!(count("\"type\":\"exception\""), 1);
    assert_eq!(count("\"type\":\"skip\""), 1);
    assert_eq!(count("\"did\":{\"begin\":"), 2);
    assert_eq!(count("\"reason\":\"after generate\""), 1);
    // Everything of a step is on one screen: its header is never scrolled away.
    for screen in screens {
        let first = screen.lines().find(|line| !line.trim().is_empty()).unwrap();
        assert!(first.starts_with("PRODUCTION  A short ceremony"), "{screen}");
    }
}
