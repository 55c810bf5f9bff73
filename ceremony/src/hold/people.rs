//! Who takes part.

use ceremony::log::{Body, Did, Person};
use ceremony::run::{Ask, PersonField};
use ceremony::script::{Role, Seat, Who, Word};
use cli::Outcome;

use super::Ceremony;
use super::stop::{Go, Stop};

impl Ceremony<'_> {
    /// People sign in, seat by seat. A seat may stay empty as long as the quorum and the signers of the seals are there.
    pub fn attend(&mut self, step: &Word, who: &[Who]) -> Go {
        self.screen.paragraph(
            "Each signs in: name, initials of two letters or more, and the principal in allowed_signers (nothing for one who does not \
             sign). A seat that nobody takes: nothing for the name.",
        )?;
        let mut people: Vec<Person> = Vec::new();
        for seat in self.seats(who) {
            if self.progress.present.contains_key(&seat) {
                continue;
            }
            if let Some(person) = self.person(step, &seat, &people)? {
                people.push(person);
            }
        }
        let missing = self.missing_with(who, &people);
        if !missing.is_empty() {
            self.screen
                .paragraph(&format!("Not enough: {}.", missing.join("; ")))?;
            self.retry(step, "to sign in anew")?;
            return Err(Stop::Again);
        }
        let seats = people.iter().map(|person| person.seat.clone()).collect();
        self.did(step, seats, Did::Attend { people })
    }

    fn person(&mut self, step: &Word, seat: &Seat, others: &[Person]) -> Go<Option<Person>> {
        loop {
            self.screen.put("\n")?;
            let ask = |field| Ask::Person {
                seat: seat.clone(),
                field,
            };
            let name = self.ask(step, ask(PersonField::Name), &format!("{seat}, name: "))?;
            if name.is_empty() {
                return Ok(None);
            }
            let initials = self.ask(step, ask(PersonField::Initials), &format!("{seat}, initials: "))?;
            let principal = self.ask(step, ask(PersonField::Principal), &format!("{seat}, principal: "))?;
            let mut seen = others.iter().chain(self.progress.present.values());
            let problem = if initials.chars().count() < 2 || initials.chars().count() > 8 {
                Some("initials are two to eight characters".to_owned())
            } else if seen
                .clone()
                .any(|other| other.initials.eq_ignore_ascii_case(&initials))
            {
                Some(format!("somebody else has the initials {initials}"))
            } else if seen.clone().any(|other| other.name == name) {
                Some(format!("{name} has a seat already, and nobody has two"))
            } else if !principal.is_empty() && seen.any(|other| other.principal.as_ref() == Some(&principal))
            {
                Some(format!("{principal} signs for somebody else already"))
            } else if principal.is_empty() {
                None
            } else {
                self.principal_problem(&principal)?
            };
            match problem {
                Some(problem) => self.screen.paragraph(&format!("Again: {problem}."))?,
                None => {
                    return Ok(Some(Person {
                        seat: seat.clone(),
                        name: name.chars().take(100).collect(),
                        initials,
                        principal: Some(principal).filter(|principal| !principal.is_empty()),
                    }));
                }
            }
        }
    }

    fn principal_problem(&self, principal: &str) -> Outcome<Option<String>> {
        let known = self.allowed_signers()?.principals().contains(principal);
        Ok((!known).then(|| format!("allowed_signers has no principal {principal}")))
    }

    /// What is missing of the quorum and of the signers among the roles that sign in now.
    fn missing_with(&self, who: &[Who], people: &[Person]) -> Vec<String> {
        let script = self.setting.script;
        let roles: Vec<Role> = self.seats(who).iter().map(|seat| seat.role().clone()).collect();
        let mut after = self.progress.clone();
        after
            .present
            .extend(people.iter().map(|person| (person.seat.clone(), person.clone())));
        let mut missing = Vec::new();
        for (what, wanted) in [
            ("", &script.quorum),
            (" who signs", &script.seals),
            (" who signs", &script.last_seal),
        ] {
            for (role, count) in wanted.iter().filter(|(role, _)| roles.contains(role)) {
                let there = after.present.values().filter(|person| {
                    person.seat.role() == role && (what.is_empty() || person.principal.is_some())
                });
                let there = there.count();
                if there < usize::from(*count) {
                    missing.push(format!("{count} of role {role}{what}, and {there} signed in"));
                }
            }
        }
        missing.dedup();
        missing
    }

    /// What the ceremony before recorded under that name; `None` where there is none before.
    pub fn recorded_last_time(&self, name: &Word) -> Outcome<Option<String>> {
        let Some(previous) = self.setting.script.previous() else {
            return Ok(None);
        };
        let site = self.setting.root.clone();
        let folder = ceremony::log::CeremonyFolder::of_site(&site, previous.as_str());
        if !folder.log().exists() {
            return Ok(None);
        }
        let mut found = None;
        for entry in ceremony::log::entries(&folder.log())? {
            if let Body::Step(done) = entry.body
                && let Did::Record {
                    name: known, value, ..
                } = done.did
                && known == *name
            {
                found = Some(value);
            }
        }
        Ok(found)
    }
}
