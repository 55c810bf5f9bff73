//! What is on the paper, whatever its form.

use std::collections::BTreeMap;

use crate::script::{Action, Planned, Role, Script, Seat, Variables, Which, Who, names_in, quoted};

/// A step on paper.
pub(super) struct PaperStep {
    /// Its number; of the safe state with an S.
    pub number: String,
    /// Its heading.
    pub title: String,
    /// Its name, where the heading is another.
    pub id: Option<String>,
    /// Who acts.
    pub by: String,
    /// The choices that lead to it.
    pub only_if: Option<String>,
    /// What is said and done.
    pub parts: Vec<Part>,
    /// What is to be seen when it went well.
    pub expect: Option<String>,
    /// Why it may be left out.
    pub skip: Option<String>,
    /// Whose initials have a place.
    pub initials: Vec<Seat>,
}

/// A part of a step.
pub(super) enum Part {
    /// Words that are read aloud.
    Aloud(String),
    /// What is done.
    Do(String),
    /// A command.
    Command(String),
    /// Something to fill in.
    Blank(String),
    /// Choices, each with the steps that follow.
    Choice(String, String),
}

/// The steps of a plan.
pub(super) fn steps(script: &Script, plan: &[Planned<'_>]) -> Vec<PaperStep> {
    let filler = Filler::new(script);
    plan.iter()
        .map(|planned| step(script, plan, planned, &filler))
        .collect()
}

fn step(script: &Script, plan: &[Planned<'_>], planned: &Planned<'_>, filler: &Filler<'_>) -> PaperStep {
    let step = planned.step;
    let mark = if planned.act.is_none() { "S" } else { "" };
    let (parts, mut who) = parts(script, plan, planned, filler);
    if who.is_empty() {
        who.extend(&step.by);
    }
    let mut initials: Vec<Seat> = Vec::new();
    for seat in who.iter().flat_map(|who| script.seats(who)) {
        if !initials.contains(&seat) {
            initials.push(seat);
        }
    }
    let guards: Vec<_> = planned
        .guards
        .iter()
        .map(|guard| format!("{} is {}", guard.branch, guard.choice))
        .collect();
    PaperStep {
        number: format!("{mark}{}", planned.number),
        title: step
            .title
            .clone()
            .map_or_else(|| step.id.to_string(), |title| title),
        id: step.title.as_ref().map(|_| step.id.to_string()),
        by: list(&step.by),
        only_if: (!guards.is_empty()).then(|| guards.join(" and ")),
        parts,
        expect: step.expect.as_deref().map(|text| filler.fill(text)),
        skip: step.skip.as_deref().map(|text| filler.fill(text)),
        initials,
    }
}

/// What is said and done, and those whose initials it takes where these are not those who act.
fn parts<'s>(
    script: &Script,
    plan: &[Planned<'_>],
    planned: &Planned<'s>,
    filler: &Filler<'_>,
) -> (Vec<Part>, Vec<&'s Who>) {
    let fill = |text: &str| filler.fill(text);
    let mut parts = Vec::new();
    let mut who = Vec::new();
    match &planned.step.action {
        Action::Say(words) => parts.push(Part::Aloud(fill(words))),
        Action::Confirm(confirm) => {
            parts.push(Part::Do(fill(&confirm.what)));
            who.extend(&confirm.initials);
        }
        Action::Record(record) => {
            parts.push(Part::Do(format!("Record: {}.", fill(&record.what))));
            if let Some(name) = &record.last_time {
                parts.push(Part::Do(format!(
                    "It must be what the ceremony before recorded as {name}."
                )));
            }
            parts.push(Part::Blank(record.name.to_string()));
        }
        Action::Attend(seats) => {
            parts.push(Part::Do(format!(
                "Sign in, on the first page and on the screen: {}.",
                list(seats)
            )));
            who.extend(seats);
        }
        Action::Leave(seats) => {
            parts.push(Part::Do(format!("Leave: {}.", list(seats))));
            who.extend(seats);
        }
        Action::Clock(clock) => {
            parts.push(Part::Do(format!(
                "Read {}, and type what it shows, in UTC.",
                fill(clock)
            )));
            parts.push(Part::Blank("wall clock".to_owned()));
            parts.push(Part::Blank("offset of the machine, in seconds".to_owned()));
        }
        Action::Run(run) => {
            let argv: Vec<_> = run.argv.iter().map(|argument| quoted(&fill(argument))).collect();
            parts.push(Part::Command(argv.join(" ")));
            if let Some(secret) = &run.secret {
                parts.push(Part::Do(format!(
                    "A secret is entered, which nobody says or writes down: {}.",
                    fill(secret)
                )));
            }
            for (what, files) in [("Reads", &run.inputs), ("Writes", &run.outputs)] {
                for file in files {
                    let path = fill(&file.path.display().to_string());
                    let digest = file.sha256.as_deref().map_or_else(String::new, |digest| {
                        format!(", which must have the SHA-256 {}", fill(digest))
                    });
                    parts.push(Part::Do(format!("{what} {path}{digest}.")));
                }
            }
            for name in run.values.keys() {
                parts.push(Part::Blank(name.to_string()));
            }
            if let Some(tag) = &run.destroys {
                parts.push(Part::Do(format!("It destroys the key with the tag {}: the tag is typed, and a second officer confirms it.", fill(tag))));
            }
            if run.affects_keys {
                parts.push(Part::Do(sealed(script)));
            }
        }
        Action::Compare(compare) => {
            parts.push(Part::Do(format!(
                "{} reads the SHA-256 of {} aloud, in words or digits; {} types what is heard, and sees nothing to copy it from.",
                compare.reader,
                fill(&compare.what),
                compare.checker
            )));
            who.extend([&compare.reader, &compare.checker]);
        }
        Action::Copy(copy) => {
            let files: Vec<_> = copy
                .files
                .iter()
                .map(|file| fill(&file.display().to_string()))
                .collect();
            let to: Vec<_> = copy.to.iter().map(ToString::to_string).collect();
            parts.push(Part::Do(format!(
                "Copy {} to {}. Each copy is read again.",
                files.join(", "),
                to.join(", ")
            )));
        }
        Action::Seal(why) => {
            parts.push(Part::Do(fill(why)));
            parts.push(Part::Do(sealed(script)));
        }
        Action::Sign(sign) => {
            parts.push(Part::Do(format!(
                "Sign the last checkpoint: {}. {}",
                list(&sign.who),
                fill(&sign.what)
            )));
            who.extend(&sign.who);
        }
        Action::Pause(why) => {
            parts.push(Part::Do(format!(
                "Break. {} The log is sealed before it.",
                fill(why)
            )));
            parts.push(Part::Blank("from".to_owned()));
            parts.push(Part::Blank("until".to_owned()));
        }
        Action::Branch(branch) => {
            parts.push(Part::Do(fill(&branch.question)));
            for choice in branch.choices.keys() {
                let on_this = |other: &&Planned<'_>| {
                    let last = other.guards.iter().find(|guard| guard.branch == planned.step.id);
                    last.is_some_and(|guard| guard.choice == *choice)
                };
                let numbers: Vec<_> = plan
                    .iter()
                    .filter(on_this)
                    .map(|other| other.number.to_string())
                    .collect();
                let then = match &numbers[..] {
                    [] => "go on".to_owned(),
                    [only] => format!("go on with step {only}"),
                    [first, .., last] => format!("go on with steps {first} to {last}"),
                };
                parts.push(Part::Choice(choice.to_string(), then));
            }
        }
    }
    (parts, who)
}

fn sealed(script: &Script) -> String {
    format!(
        "The log is sealed. Signed by: {}.",
        counts(script.signers(Which::Earlier))
    )
}

/// `administrator, 2 officer`.
pub(super) fn counts(counts: &BTreeMap<Role, u8>) -> String {
    let counts: Vec<_> = counts
        .iter()
        .map(|(role, count)| format!("{count} {role}"))
        .collect();
    counts.join(", ")
}

fn list(who: &[Who]) -> String {
    let who: Vec<_> = who.iter().map(ToString::to_string).collect();
    who.join(", ")
}

/// Fills in what is known before the ceremony, and leaves the other names.
struct Filler<'s> {
    script: &'s Script,
}

impl<'s> Filler<'s> {
    fn new(script: &'s Script) -> Self {
        Self { script }
    }

    fn fill(&self, text: &str) -> String {
        let mut variables = Variables::default();
        // A text whose braces do not close is shown as it is; check refuses it.
        for name in names_in(text).map_or_else(|_| Vec::new(), |names| names) {
            let known = self
                .script
                .variables
                .iter()
                .find(|(known, _)| known.as_str() == name);
            let value = match known {
                Some((_, value)) => value.clone(),
                None if name == "ceremony" => self.script.id().to_owned(),
                None => format!("${{{name}}}"),
            };
            if let Ok(name) = name.parse() {
                variables.set(name, value);
            }
        }
        variables
            .fill(text)
            .map_or_else(|_| text.to_owned(), |filled| filled)
    }
}

/// The seats of the script, with what each role does.
pub(super) fn seats(script: &Script) -> Vec<(Seat, &str)> {
    script
        .roles
        .iter()
        .flat_map(|(role, entry)| script.seats_of(role).into_iter().map(|seat| (seat, &*entry.what)))
        .collect()
}

/// The rules of who must be there and who signs.
pub(super) fn rules(script: &Script) -> Vec<(String, String)> {
    let mut rules = vec![("Present at every step".to_owned(), counts(&script.quorum))];
    for act in script.acts.iter().filter(|act| !act.quorum.is_empty()) {
        rules.push((format!("Present in '{}'", act.title), counts(&act.quorum)));
    }
    rules.push((
        "Sign each seal".to_owned(),
        counts(script.signers(Which::Earlier)),
    ));
    rules.push((
        "Sign the last seal".to_owned(),
        counts(script.signers(Which::Last)),
    ));
    let anchor = script.tpm.as_ref().map_or_else(
        || "no TPM: the log is unanchored".to_owned(),
        |tpm| format!("TPM '{tpm}'"),
    );
    rules.push(("Anchors the log".to_owned(), anchor));
    if let Some(token) = &script.log_key {
        rules.push(("Signs each seal too".to_owned(), format!("token '{token}'")));
    }
    rules
}

/// What an exception sheet asks.
pub(super) const SHEET: [(&str, usize); 4] = [
    ("What was expected", 2),
    ("What happened", 4),
    ("What was decided", 3),
    ("Go on with", 1),
];

/// The words for a kind of material.
pub(super) fn kind(kind: crate::script::MaterialKind) -> &'static str {
    use crate::script::MaterialKind;
    match kind {
        MaterialKind::Medium => "medium",
        MaterialKind::Token => "token",
        MaterialKind::Bag => "bag",
        MaterialKind::Other => "other",
    }
}
