//! The people: who was there at each step, that each is somebody else, and who agreed to exceptions.

use std::collections::{BTreeMap, BTreeSet};

use super::VerifyError;
use super::claim::Claim;
use super::files::read;
use super::look::{Look, not_checked};
use super::record::Record;
use crate::log::{Body, CeremonyFolder, Did, Entry, Exception, Person, Seal};
use crate::script::{Action, Planned, Role, Script, Seat, Which, Who, Word};
use sshsig::AllowedSigners;

const CLAIMS: [(&str, &str, &str); 4] = [
    (
        "quorum",
        "at each step those were there whom the script asks for, at least two people",
        r#"grep '"did":{"\(attend\|leave\)"' log.jsonl; sed -n '/^quorum:/,/^[a-z]*:$/p' script.yaml"#,
    ),
    (
        "people",
        "nobody has two seats, and no two have one key",
        r#"grep -o '"people":\[.*\]' log.jsonl; awk '{ print $NF }' allowed_signers | sort | uniq -d"#,
    ),
    (
        "exceptions",
        "a quorum agreed to each exception",
        r#"grep '"type":"exception"' log.jsonl"#,
    ),
    (
        "signers",
        "each seal asks for the signatures that the script asks for",
        r#"grep '"type":"seal"' log.jsonl | grep -o '"signers":[^]]*]'; sed -n '/seal/p' script.yaml"#,
    ),
];

/// The claims about people.
pub(super) fn claims(
    folder: &CeremonyFolder,
    record: &Record,
    script: &Result<Script, String>,
) -> Result<Vec<Claim>, VerifyError> {
    let script = match script {
        Ok(script) => script,
        Err(why) => {
            let unread = CLAIMS.map(|(id, claim, command)| not_checked(id, claim, command, why));
            return Ok(unread.into());
        }
    };
    let mut room = Room::new(script);
    for (line, entry) in &record.entries {
        room.entry(*line, entry);
    }
    if !room.was_quorate {
        room.quorum.fault("the quorum was never there");
    }
    if let Some(allowed) = read(folder, "allowed_signers")?
        && let Ok(allowed) = AllowedSigners::parse(&allowed)
    {
        shared_keys(&allowed, &room.principals, &mut room.people);
    }
    let came = room.all.len();
    let seen = [
        format!("{} entries of steps", room.entries),
        format!("{came} people"),
        format!("{} exceptions", room.exceptions),
        format!("{} seals", record.seals.len()),
    ];
    let looks = [room.quorum, room.people, room.agreed, room.signers];
    let claims = looks.into_iter().zip(CLAIMS).zip(seen);
    Ok(claims
        .map(|((look, (id, claim, command)), seen)| look.claim(id, claim, command, seen))
        .collect())
}

fn shared_keys(allowed: &AllowedSigners, principals: &BTreeSet<String>, look: &mut Look) {
    for shared in allowed.shared_keys() {
        let both: Vec<_> = shared
            .principals
            .iter()
            .filter(|principal| principals.contains(*principal))
            .cloned()
            .collect();
        if both.len() > 1 {
            look.fault(format!(
                "{} have one key, {}",
                both.join(" and "),
                shared.fingerprint
            ));
        }
    }
}

/// Who is there.
struct Room<'s> {
    script: &'s Script,
    steps: BTreeMap<Word, Planned<'s>>,
    here: BTreeMap<Seat, Person>,
    /// All who ever came.
    all: BTreeMap<Seat, Person>,
    principals: BTreeSet<String>,
    was_quorate: bool,
    entries: u64,
    exceptions: u64,
    quorum: Look,
    people: Look,
    agreed: Look,
    signers: Look,
    ended: bool,
}

impl<'s> Room<'s> {
    fn new(script: &'s Script) -> Self {
        let steps = script.plan().into_iter();
        Self {
            script,
            steps: steps.map(|planned| (planned.step.id.clone(), planned)).collect(),
            here: BTreeMap::new(),
            all: BTreeMap::new(),
            principals: BTreeSet::new(),
            was_quorate: false,
            entries: 0,
            exceptions: 0,
            quorum: Look::default(),
            people: Look::default(),
            agreed: Look::default(),
            signers: Look::default(),
            ended: false,
        }
    }

    fn entry(&mut self, line: u64, entry: &Entry) {
        match &entry.body {
            Body::Step(step) => {
                self.acted(line, entry);
                match &step.did {
                    Did::Attend { people } => self.came(line, &step.step, people),
                    Did::Leave { seats } => {
                        for seat in seats {
                            if self.here.remove(seat).is_none() {
                                self.quorum
                                    .fault_at(line, format!("{seat} leaves, and was not there"));
                            }
                        }
                    }
                    Did::Say {} | Did::Fail { .. } | Did::Resume {} => {
                        self.step(line, &step.step, Weight::Light)
                    }
                    Did::Confirm { initials } => {
                        self.step(line, &step.step, Weight::Light);
                        for given in initials {
                            let own = self.here.get(&given.seat).map(|person| &person.initials);
                            if own != Some(&given.initials) {
                                let what = format!("the initials of {} are not those of sign-in", given.seat);
                                self.people.fault_at(line, what);
                            }
                        }
                        self.initials(
                            line,
                            &step.step,
                            initials.iter().map(|given| &given.seat).collect(),
                        );
                    }
                    Did::Clock { .. } | Did::Branch { .. } | Did::Pause { .. } => {
                        self.step(line, &step.step, Weight::Light);
                    }
                    Did::Record { .. }
                    | Did::Begin { .. }
                    | Did::Run { .. }
                    | Did::Copy { .. }
                    | Did::Seal { .. } => self.step(line, &step.step, Weight::Heavy),
                    Did::Sign { signatures, .. } => {
                        self.step(line, &step.step, Weight::Heavy);
                        self.signed(line, &step.step, signatures.keys());
                    }
                }
            }
            Body::Readback(readback) => {
                self.acted(line, entry);
                self.step(line, &readback.step, Weight::Heavy);
                if !self.here.contains_key(&readback.checker) {
                    let what = format!("{} typed the digest, and was not there", readback.checker);
                    self.quorum.fault_at(line, what);
                }
            }
            Body::Skip(skip) => {
                self.acted(line, entry);
                self.step(line, &skip.step, Weight::Light);
            }
            Body::Exception(exception) => self.exception(line, exception),
            Body::Seal(seal) => {
                self.signers.at(line);
                self.seal(line, seal);
            }
            Body::End(_) => self.ended = true,
            Body::Genesis(_)
            | Body::Artefact(_)
            | Body::SecretEvent(_)
            | Body::Abort(_)
            | Body::Recovered(_)
            | Body::Cast(_)
            | Body::Anchor(_) => {}
        }
    }

    /// Those who act are there, once anybody signed in; those who sign in are there from then on.
    fn acted(&mut self, line: u64, entry: &Entry) {
        let coming = |seat: &Seat| {
            if let Body::Step(step) = &entry.body
                && let Did::Attend { people } = &step.did
            {
                return people.iter().any(|person| person.seat == *seat);
            }
            false
        };
        for seat in &entry.by {
            if !self.all.is_empty() && !self.here.contains_key(seat) && !coming(seat) {
                self.quorum
                    .fault_at(line, format!("{seat} acted, and was not there"));
            }
        }
    }

    fn came(&mut self, line: u64, step: &Word, people: &[Person]) {
        self.quorum.at(line);
        let asked = self.steps.get(step).map(|planned| {
            if let Action::Attend(who) = &planned.step.action {
                seats(self.script, who)
            } else {
                BTreeSet::new()
            }
        });
        for person in people {
            if asked.as_ref().is_some_and(|asked| !asked.contains(&person.seat)) {
                self.people.fault_at(
                    line,
                    format!("the step asks nobody to sign in as {}", person.seat),
                );
            }
            self.people.at(line);
            for (seat, other) in &self.all {
                let same = person.name.trim().eq_ignore_ascii_case(other.name.trim())
                    || person.initials == other.initials
                    || (person.principal.is_some() && person.principal == other.principal);
                if same && *seat != person.seat {
                    let what = format!(
                        "{seat} and {} have the same name, initials or principal",
                        person.seat
                    );
                    self.people.fault_at(line, what);
                }
            }
            self.principals.extend(person.principal.clone());
            self.here.insert(person.seat.clone(), person.clone());
            self.all.insert(person.seat.clone(), person.clone());
        }
        self.was_quorate |= self.lacking(&self.script.quorum, None).is_none();
    }

    /// What is missing of a quorum among those who are there.
    fn lacking(&self, quorum: &BTreeMap<Role, u8>, act: Option<&BTreeMap<Role, u8>>) -> Option<String> {
        let all: Vec<&Seat> = self.here.keys().collect();
        lacking(quorum, act, &all)
    }

    fn step(&mut self, line: u64, id: &Word, weight: Weight) {
        self.entries += 1;
        // The steps of the safe state are for those who are left.
        let Some(planned) = self.steps.get(id) else {
            return;
        };
        let act = planned.act.map(|act| &act.quorum);
        if let Some(what) = self.lacking(&self.script.quorum, act)
            && (self.was_quorate || weight == Weight::Heavy)
        {
            self.quorum.fault_at(line, format!("step '{id}': {what}"));
        }
    }

    fn initials(&mut self, line: u64, id: &Word, given: BTreeSet<&Seat>) {
        let steps = self.steps.get(id).map(|planned| &planned.step.action);
        if let Some(Action::Confirm(confirm)) = steps {
            for who in &confirm.initials {
                let seats = self.script.seats(who);
                if !seats.iter().any(|seat| given.contains(seat)) {
                    self.quorum
                        .fault_at(line, format!("step '{id}': no initials of {who}"));
                }
            }
        }
    }

    fn signed<'n>(&mut self, line: u64, id: &Word, names: impl Iterator<Item = &'n String>) {
        let names: Vec<_> = names.collect();
        if let Some(Action::Sign(sign)) = self.steps.get(id).map(|planned| &planned.step.action) {
            for seat in seats(self.script, &sign.who) {
                let end = format!(".{seat}.sig");
                if !names.iter().any(|name| name.ends_with(&end)) {
                    self.signers
                        .fault_at(line, format!("step '{id}': no signature of {seat}"));
                }
            }
        }
    }

    fn exception(&mut self, line: u64, exception: &Exception) {
        self.exceptions += 1;
        self.agreed.at(line);
        let agree: BTreeSet<&Seat> = exception.agree.iter().collect();
        for seat in exception.agree.iter().chain(&exception.disagree) {
            if !self.here.contains_key(seat) {
                self.agreed
                    .fault_at(line, format!("{seat} was asked, and was not there"));
            }
        }
        if exception.disagree.iter().any(|seat| agree.contains(seat)) {
            self.agreed.fault_at(line, "somebody agrees and does not");
        }
        let act = self.steps.get(&exception.step).and_then(|planned| planned.act);
        let agree: Vec<&Seat> = agree.into_iter().collect();
        if let Some(what) = lacking(&self.script.quorum, act.map(|act| &act.quorum), &agree) {
            self.agreed.fault_at(line, format!("too few agree: {what}"));
        }
    }

    /// The last checkpoint is signed by all who must; an earlier one by as many of them as are there.
    fn seal(&mut self, line: u64, seal: &Seal) {
        let which = if self.ended { Which::Last } else { Which::Earlier };
        let signers: BTreeSet<&Seat> = seal.signers.iter().collect();
        for (role, must) in self.script.signers(which) {
            let count =
                |seats: &mut dyn Iterator<Item = &Seat>| seats.filter(|seat| seat.role() == role).count();
            let sign = count(&mut signers.iter().copied());
            let here = match which {
                Which::Last => usize::MAX,
                Which::Earlier => count(&mut self.here.keys()),
            };
            if sign < usize::from(*must).min(here) {
                let what = format!("{sign} of role {role} sign; the script asks for {must}");
                self.signers.fault_at(line, what);
            }
        }
    }
}

/// Whether a step may come before all are there: words, sign-in and the like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Light,
    Heavy,
}

fn seats(script: &Script, who: &[Who]) -> BTreeSet<Seat> {
    who.iter().flat_map(|who| script.seats(who)).collect()
}

fn lacking(quorum: &BTreeMap<Role, u8>, act: Option<&BTreeMap<Role, u8>>, there: &[&Seat]) -> Option<String> {
    for (role, must) in quorum.iter().chain(act.into_iter().flatten()) {
        let are = there.iter().filter(|seat| seat.role() == role).count();
        if are < usize::from(*must) {
            return Some(format!("{are} of role {role}, where there must be {must}"));
        }
    }
    (there.len() < 2).then(|| format!("{} people, where there must be two", there.len()))
}
