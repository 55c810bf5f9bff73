//! Signatures of people on a checkpoint.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ceremony::log::{Did, names};
use ceremony::run::Ask;
use ceremony::script::{Seat, Sign, Word};
use cli::{Exit, Failure, Outcome, now};
use key_metadata::Digest;
use key_metadata::Time;
use key_metadata::store::{read_bytes, replace};
use sshsig::{AllowedSigners, Expected, KeyPlace, OpenSsh};

use super::Ceremony;
use super::stop::Go;

/// The word that is typed to sign.
const WORD: &str = "SIGN";

impl Ceremony<'_> {
    /// Who may sign.
    pub fn allowed_signers(&self) -> Outcome<AllowedSigners> {
        let path = self.folder.allowed_signers();
        AllowedSigners::parse(&read_bytes(&path)?)
            .map_err(|error| Failure::from(error).within(path.display().to_string()))
    }

    /// The signatures that a seal asks for, as far as they are missing.
    pub fn signatures(&mut self, number: u64) -> Go {
        let seal = self
            .progress
            .seals
            .iter()
            .find(|(_, seal)| seal.checkpoint == number);
        let (signers, reason) = seal.map_or_else(Default::default, |(_, seal)| {
            (seal.signers.clone(), seal.reason.clone())
        });
        let step: Word = "seal"
            .parse()
            .map_err(|error: ceremony::script::NameError| Failure::of(Exit::Failed, &error))?;
        for seat in signers {
            self.signature(&step, number, &seat, &format!("seal {number}: {reason}"))?;
        }
        Ok(self.note_signatures(number)?)
    }

    /// The step in which people sign the last checkpoint.
    pub fn sign_step(&mut self, step: &Word, by: Vec<Seat>, sign: &Sign) -> Go {
        let number = self.progress.seals.len() as u64;
        let what = self.fill(&sign.what)?;
        let mut signatures = BTreeMap::new();
        for seat in self.acting(&self.seats(&sign.who)) {
            let name = self.signature(step, number, &seat, &what)?;
            let digest = Digest::of(&read_bytes(&self.folder.file(&name))?);
            signatures.insert(name, digest);
        }
        self.did(
            step,
            by,
            Did::Sign {
                checkpoint: number,
                signatures,
            },
        )
    }

    /// One signature; the name of its file.
    fn signature(&mut self, step: &Word, number: u64, seat: &Seat, what: &str) -> Go<String> {
        let name = names::signature(number, seat);
        let path = self.folder.file(&name);
        if path.exists() {
            return Ok(name);
        }
        let person = self.progress.present.get(seat).cloned();
        let person =
            person.and_then(|person| person.principal.clone().map(|principal| (person.name, principal)));
        let (person, principal) = person
            .ok_or_else(|| Failure::new(Exit::PartWay, format!("{seat} did not sign in as one who signs")))?;
        let checkpoint = read_bytes(&self.folder.file(names::checkpoint(number)))?;
        self.console.forget()?;
        let header = self.header_of(
            format!("signature on checkpoint {number}"),
            what.to_owned(),
            std::slice::from_ref(seat),
        );
        self.screen.begin(&header)?;
        self.screen.paragraph(&format!(
            "{what}\n{person} ({seat}) signs checkpoint {number}, SHA-256 {}.",
            Digest::of(&checkpoint)
        ))?;
        let allowed = self.allowed_signers()?;
        let agent = std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from);
        let open_ssh = OpenSsh::find(agent, self.folder.path().to_owned()).map_err(Failure::from)?;
        let at = self.seal_time(number);
        loop {
            let key = self.key_of(step, seat)?;
            self.exact(
                step,
                Ask::Exact(WORD.to_owned()),
                WORD,
                &format!("{person} types {WORD}: "),
            )?;
            let place = match key {
                Some(path) => KeyPlace::File(path),
                None => KeyPlace::Agent,
            };
            let expected = Expected {
                allowed: &allowed,
                principal: &principal,
                namespace: names::NAMESPACE,
                at,
            };
            self.screen.paragraph(
                "ssh-keygen signs: it asks for a passphrase here, and a security key waits to be touched.",
            )?;
            match open_ssh.sign(&expected, &place, &checkpoint) {
                Ok(signed) => {
                    replace(&path, |file| file.write_all(&signed.armoured))?;
                    self.screen.paragraph(&format!(
                        "{person} has signed, with {}.",
                        signed.verified.fingerprint
                    ))?;
                    return Ok(name);
                }
                Err(error) => {
                    let failure = Failure::from(error).to_string();
                    self.screen.paragraph(&format!("Not signed.\n{failure}"))?;
                    // Another key, or the same one plugged in again.
                    self.setting.signing_keys.remove(seat);
                }
            }
        }
    }

    /// When a checkpoint was sealed: an auditor asks whether a key was valid then.
    fn seal_time(&self, number: u64) -> Time {
        let seal = self
            .progress
            .seals
            .iter()
            .find(|(_, seal)| seal.checkpoint == number);
        let entry = seal.and_then(|(entry, _)| self.log.entries().iter().find(|known| known.n == *entry));
        entry.map_or_else(now, |entry| entry.t)
    }

    /// The private key file of a seat; `None` for the ssh-agent. Asked once.
    fn key_of(&mut self, step: &Word, seat: &Seat) -> Go<Option<PathBuf>> {
        if let Some(known) = self.setting.signing_keys.get(seat) {
            return Ok(Some(known.clone()).filter(|path| !path.as_os_str().is_empty()));
        }
        let line = self.ask(
            step,
            Ask::SigningKey(seat.clone()),
            &format!("private key file of {seat} (nothing: the ssh-agent): "),
        )?;
        let path = PathBuf::from(line);
        self.setting.signing_keys.insert(seat.clone(), path.clone());
        Ok(Some(path).filter(|path| !path.as_os_str().is_empty()))
    }
}
