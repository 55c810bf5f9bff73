//! What is answered in a rehearsal.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use ceremony::rehearse::{
    Answers, AnswersError, Entrance, Fault, FileError, Part, PlacedFault, RehearsalFile, StageFolder, matches,
};
use ceremony::run::{Ask, Asked, PersonField, Question, SheetField};
use ceremony::script::Script;
use key_metadata::{Digest, Time};
use tempfile::TempDir;

struct Desk {
    _folder: TempDir,
    stage: StageFolder,
    script: Script,
    part: Part,
}

impl Desk {
    fn new(answers: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stage = StageFolder::make(&folder.path().join("stage")).unwrap();
        let script = script();
        let file = RehearsalFile::from_yaml(&format!("version: 1\nanswers: {answers}\n"), &script).unwrap();
        let part = Part {
            answers: file.answers,
            losses: file.losses,
            fault: None,
            entrance: Entrance::First,
        };
        Self {
            _folder: folder,
            stage,
            script,
            part,
        }
    }

    fn answers(&self) -> Answers<'_> {
        self.part.write(&self.stage).unwrap();
        Answers::open(&self.stage.part(), &self.script, now).unwrap()
    }
}

fn script() -> Script {
    let text = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/rehearsed.yaml"));
    Script::from_yaml(&text.unwrap()).unwrap()
}

fn now() -> Time {
    "2026-11-23T10:07:31Z".parse().unwrap()
}

fn question(step: &str, ask: Ask) -> Question {
    Question {
        step: step.parse().unwrap(),
        ask,
        prompt: "> ".to_owned(),
    }
}

fn line(answers: &mut Answers<'_>, step: &str, ask: Ask) -> String {
    match answers.answer(&question(step, ask)) {
        Asked::Line(line) => line,
        other => panic!("{step}: {other:?}"),
    }
}

fn bag() -> Ask {
    Ask::Value {
        name: "bag-number".parse().unwrap(),
        pattern: "[A-Z]{2}[0-9]{6}".to_owned(),
        last_time: None,
    }
}

/// The answer to the prompt after a step that failed, as the engine has it.
fn failed(answers: &mut Answers<'_>, step: &str) -> String {
    let asked = question(step, Ask::Retry);
    match answers.answer(&asked) {
        Asked::Line(line) => line,
        other => panic!("{step}: {other:?}"),
    }
}

fn choice(of: &[&str]) -> Ask {
    Ask::Choice(of.iter().map(|word| (*word).to_owned()).collect())
}

#[test]
fn what_no_file_says_is_made_up() {
    let desk = Desk::new("{}");
    let mut answers = desk.answers();
    let seat = |seat: &str| seat.parse().unwrap();
    let person = |seat: &str, field| Ask::Person {
        seat: seat.parse().unwrap(),
        field,
    };
    let one = line(
        &mut answers,
        "sign-in",
        person("officer-1", PersonField::Initials),
    );
    let other = line(
        &mut answers,
        "sign-in",
        person("witness-1", PersonField::Initials),
    );
    assert!(one != other && !one.is_empty());
    assert_eq!(
        line(
            &mut answers,
            "sign-in",
            person("witness-1", PersonField::Principal)
        ),
        "witness-1@rehearsal"
    );
    assert!(line(&mut answers, "sign-in", person("officer-1", PersonField::Name)).ends_with("Rehearsal"));
    assert_eq!(line(&mut answers, "welcome", Ask::GoOn), "");
    assert_eq!(line(&mut answers, "wall-clock", Ask::Wall), "2026-11-23 10:07:31");
    let value = line(&mut answers, "bag", bag());
    assert!(matches("[A-Z]{2}[0-9]{6}", &value), "{value}");
    let sha256: Digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        .parse()
        .unwrap();
    let heard = Ask::Heard {
        what: "the script".to_owned(),
        sha256,
    };
    let heard = line(&mut answers, "compare-script", heard);
    assert_eq!(cli::words::digest_of(&heard).unwrap(), sha256);
    assert_eq!(heard.split(' ').count(), 32);
    assert_eq!(line(&mut answers, "way", choice(&["later", "now"])), "later");
    assert_eq!(line(&mut answers, "copy", Ask::Exact("SIGN".to_owned())), "SIGN");
    assert_eq!(line(&mut answers, "copy", Ask::KeyTag("4711".to_owned())), "4711");
    let initials = Ask::Initials {
        seat: seat("witness-1"),
        initials: "CR".to_owned(),
    };
    assert_eq!(line(&mut answers, "seen", initials), "CR");
    let key = line(&mut answers, "copy", Ask::SigningKey(seat("officer-1")));
    assert!(key.ends_with("people/officer-1"), "{key}");
    answers.finish().unwrap();
}

#[test]
fn a_file_says_it_in_the_order_of_the_questions() {
    let desk = Desk::new("{bag: [AB123456], way: [now], sign-in: [Ana Solis, ~, Luis Mora]}");
    let mut answers = desk.answers();
    let person = |seat: &str, field| Ask::Person {
        seat: seat.parse().unwrap(),
        field,
    };
    assert_eq!(
        line(&mut answers, "sign-in", person("officer-1", PersonField::Name)),
        "Ana Solis"
    );
    assert_eq!(
        line(
            &mut answers,
            "sign-in",
            person("officer-1", PersonField::Initials)
        ),
        "AR"
    );
    // Who signs is of the rehearsal, and no answer of the file is for it.
    assert_eq!(
        line(
            &mut answers,
            "sign-in",
            person("officer-1", PersonField::Principal)
        ),
        "officer-1@rehearsal"
    );
    assert_eq!(
        line(&mut answers, "sign-in", person("officer-2", PersonField::Name)),
        "Luis Mora"
    );
    assert_eq!(line(&mut answers, "bag", bag()), "AB123456");
    assert_eq!(line(&mut answers, "way", choice(&["later", "now"])), "now");
    answers.finish().unwrap();
}

#[test]
fn a_file_that_does_not_fit_is_refused() {
    let refused = |text: &str| RehearsalFile::from_yaml(text, &script()).unwrap_err();
    assert!(matches!(
        refused("version: 1\nanswers: {bags: [x]}"),
        FileError::UnknownStep { .. }
    ));
    assert!(matches!(
        refused("version: 1\nlosses: {bags: cr}"),
        FileError::UnknownStep { .. }
    ));
    assert!(matches!(
        refused("version: 1\nprepare: [[]]"),
        FileError::NoCommand { number: 1 }
    ));
    for text in [
        "version: 2",
        "version: 1\nanswer: {}",
        "version: 1\nanswers: {bag: [a], bag: [b]}",
    ] {
        assert!(matches!(refused(text), FileError::Yaml(_)), "{text}");
    }
}

#[test]
fn answers_that_are_not_taken_or_not_asked_for_are_told() {
    let desk = Desk::new("{bag: [A1]}");
    let mut answers = desk.answers();
    assert_eq!(answers.answer(&question("bag", bag())), Asked::Closed);
    assert_eq!(answers.answer(&question("welcome", Ask::GoOn)), Asked::Closed);
    assert!(matches!(answers.finish(), Err(AnswersError::Value { .. })));

    let desk = Desk::new("{way: [never]}");
    let mut answers = desk.answers();
    assert_eq!(
        answers.answer(&question("way", choice(&["later", "now"]))),
        Asked::Closed
    );
    assert!(matches!(answers.finish(), Err(AnswersError::Choice { .. })));

    let desk = Desk::new("{bag: [AB123456, AB123457]}");
    let mut answers = desk.answers();
    line(&mut answers, "bag", bag());
    assert!(matches!(
        answers.finish(),
        Err(AnswersError::Unused { count: 1, .. })
    ));
    // What was asked for before the power failed is not known after.
    let mut desk = Desk::new("{bag: [AB123456]}");
    desk.part.entrance = Entrance::Resumed;
    desk.answers().finish().unwrap();
}

#[test]
fn a_token_is_lost_once_where_its_step_asks() {
    let mut desk = Desk::new("{}");
    desk.part.losses = BTreeMap::from([("seen".parse().unwrap(), "cr".to_owned())]);
    // As SoftHSM keeps tokens: the label is in a file of the token's folder, padded with blanks.
    let token = |name: &str, label: &str| {
        let folder = desk.stage.tokens().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("token.object"), format!("x{label:<32}x")).unwrap();
        folder
    };
    let (lost, kept) = (token("1", "cr"), token("2", "cr-spare"));
    let mut answers = desk.answers();
    line(&mut answers, "welcome", Ask::GoOn);
    assert!(lost.exists());
    line(&mut answers, "seen", Ask::GoOn);
    assert!(!lost.exists() && kept.exists());
    let again = token("1", "cr");
    line(&mut answers, "seen", Ask::GoOn);
    assert!(again.exists());
    answers.finish().unwrap();

    // Its step did not come.
    assert!(matches!(
        desk.answers().finish(),
        Err(AnswersError::NotLost { .. })
    ));
    // It is not there; after a power failure it may be lost already.
    fs::remove_dir_all(&again).unwrap();
    let mut answers = desk.answers();
    assert_eq!(answers.answer(&question("seen", Ask::GoOn)), Asked::Closed);
    assert!(matches!(answers.finish(), Err(AnswersError::Loss { .. })));
    desk.part.entrance = Entrance::Resumed;
    let mut answers = desk.answers();
    line(&mut answers, "seen", Ask::GoOn);
    answers.finish().unwrap();
}

#[test]
fn the_same_question_is_not_answered_for_ever() {
    let desk = Desk::new("{}");
    let mut answers = desk.answers();
    let asked = (0..1000).position(|_| answers.answer(&question("welcome", Ask::GoOn)) == Asked::Closed);
    assert!(asked.is_some());
    assert!(matches!(answers.finish(), Err(AnswersError::Refused { .. })));
}

#[test]
fn a_failure_that_was_not_planted_breaks_off_and_one_that_was_is_put_right() {
    let sheet = |field| Ask::Sheet(field);
    let then = |answers: &mut Answers<'_>| line(answers, "generate", sheet(SheetField::Then));
    let desk = Desk::new("{}");
    let mut answers = desk.answers();
    assert_eq!(failed(&mut answers, "generate"), "e");
    assert_eq!(then(&mut answers), "abort");
    let mut resumed = Desk::new("{}");
    resumed.part.entrance = Entrance::Resumed;
    let mut answers = resumed.answers();
    assert_eq!(
        (then(&mut answers), then(&mut answers)),
        ("again".to_owned(), "abort".to_owned())
    );

    let mut desk = Desk::new("{}");
    desk.part.fault = Some(PlacedFault {
        fault: Fault::Jam,
        step: "copy".parse().unwrap(),
    });
    let medium = desk.stage.medium(&"copy-a".parse().unwrap());
    fs::create_dir(&medium).unwrap();
    fs::write(medium.join("kept"), "").unwrap();
    let mut answers = desk.answers();
    line(&mut answers, "welcome", Ask::GoOn);
    assert!(medium.is_dir());
    line(&mut answers, "copy", Ask::GoOn);
    assert!(medium.is_file());
    assert_eq!(failed(&mut answers, "copy"), "e");
    line(&mut answers, "copy", sheet(SheetField::Expected));
    assert_eq!(
        line(&mut answers, "copy", sheet(SheetField::Happened)),
        "the medium cannot be written"
    );
    line(&mut answers, "copy", sheet(SheetField::Decided));
    assert!(medium.join("kept").is_file());
    assert_eq!(line(&mut answers, "copy", sheet(SheetField::Then)), "again");
    let agrees = SheetField::Agrees("officer-1".parse().unwrap());
    assert_eq!(line(&mut answers, "copy", sheet(agrees)), "yes");
    line(&mut answers, "copy", Ask::GoOn);
    assert!(medium.is_dir());
    answers.finish().unwrap();
}

#[test]
fn a_fault_is_placed_where_it_shows_on_every_way() {
    let script = script();
    let steps = |fault: Fault| {
        let steps = fault.steps(&script);
        steps.iter().map(|step| step.id.to_string()).collect::<Vec<_>>()
    };
    // The signing of the zone is not on every way.
    for fault in [Fault::Power, Fault::WrongPin, Fault::Absent] {
        assert_eq!(steps(fault), ["generate"]);
    }
    assert_eq!(steps(Fault::Jam), ["copy"]);
    let names: BTreeMap<String, Fault> = Fault::ALL
        .into_iter()
        .map(|fault| (fault.to_string(), fault))
        .collect();
    assert!(names.iter().all(|(name, fault)| name.parse() == Ok(*fault)));
    assert!("flood".parse::<Fault>().is_err());
}
