//! A seal: counter, entry, checkpoint, what the TPM and the token say of it; the signatures of people come after.

use std::collections::BTreeMap;

use ceremony::log::{Anchor, Body, Checkpoint, Did, Seal, names};
use ceremony::script::{Seat, Which, Word};
use cli::{Exit, Failure, Outcome};
use key_metadata::Digest;
use key_metadata::store::{read_bytes, replace};

use super::Ceremony;
use super::stop::Go;

impl Ceremony<'_> {
    /// Seals the log; the number of the checkpoint.
    pub fn seal(&mut self, reason: &str) -> Outcome<u64> {
        let number = self.progress.seals.len() as u64 + 1;
        let tpm = self.anchors.raise()?;
        self.screen.cast().sync()?;
        let seal = Seal {
            checkpoint: number,
            reason: reason.to_owned(),
            tpm,
            cast: self.screen.cast().mark(),
            artefacts: self.progress.artefacts.iter().copied().collect(),
            signers: self.signers(),
        };
        self.append(Vec::new(), Body::Seal(seal))?;
        self.complete_checkpoint(number)?;
        Ok(number)
    }

    /// Seals the log for a reason, unless the last seal was for it and the run was cut off after it; signed by all who sign.
    pub fn sealed(&mut self, reason: &str) -> Go<u64> {
        let last = self
            .progress
            .seals
            .last()
            .filter(|(_, seal)| seal.reason == reason);
        let number = match last {
            Some((_, seal)) => seal.checkpoint,
            None => self.seal(reason)?,
        };
        if self.progress.anchored < number {
            self.signatures(number)?;
        }
        Ok(number)
    }

    /// The step that asks for a seal.
    pub fn seal_step(&mut self, step: &Word, by: Vec<Seat>, why: &str) -> Go {
        let why = self.fill(why)?;
        self.screen.paragraph(&why)?;
        self.go_on(step, "\n[Enter] to seal the log: ")?;
        let checkpoint = self.sealed(&format!("step {step}"))?;
        self.did(step, by, Did::Seal { checkpoint })
    }

    /// Who signs the next checkpoint: of each role that signs, the first who are there and have a principal.
    fn signers(&self) -> Vec<Seat> {
        let which = match self.progress.ended {
            Some(_) => Which::Last,
            None => Which::Earlier,
        };
        let mut signers = Vec::new();
        for (role, count) in self.setting.script.signers(which) {
            let able = self
                .progress
                .present
                .values()
                .filter(|person| person.principal.is_some());
            let seats = able
                .map(|person| person.seat.clone())
                .filter(|seat| seat.role() == role);
            signers.extend(seats.take((*count).into()));
        }
        signers
    }

    /// Writes the checkpoint of the log as it is, and what TPM and token say of it, as far as that is missing. Whether anything was.
    pub fn complete_checkpoint(&mut self, number: u64) -> Outcome<bool> {
        let path = self.folder.file(names::checkpoint(number));
        let log = self.progress.genesis.as_ref().map(|genesis| genesis.log.clone());
        let checkpoint = Checkpoint {
            log: log.map_or_else(|| self.setting.script.log.clone(), |log| log),
            size: self.log.tree().size(),
            root: self.log.tree().root(),
        };
        let text = checkpoint.to_string();
        let mut wrote = false;
        if !path.exists() {
            replace(&path, |file| file.write_all(text.as_bytes()))?;
            wrote = true;
        }
        // The last file of the TPM's is written last: where it is, all are.
        let last = self.folder.file(names::tpm(number, "quote", "tss"));
        if !last.exists() {
            let mut files = self.anchors.statements(number, text.as_bytes())?;
            let end = files.remove_entry(&names::tpm(number, "quote", "tss"));
            for (name, bytes) in files.into_iter().chain(end) {
                replace(&self.folder.file(name), |file| file.write_all(&bytes))?;
                wrote = true;
            }
        }
        if let Some(key) = &mut self.log_key {
            let path = self.folder.file(names::token(number));
            if !path.exists() {
                let signature = key.sign(self.setting.site, text.as_bytes())?;
                replace(&path, |file| file.write_all(&signature))?;
                wrote = true;
            }
        }
        Ok(wrote)
    }

    /// Writes down which files there are about a checkpoint, once all who sign have signed. After the last one nothing is written.
    pub fn note_signatures(&mut self, number: u64) -> Outcome {
        if self.progress.is_sealed_to_the_end() {
            return Ok(());
        }
        let files = self.files_about(number)?;
        self.append(
            Vec::new(),
            Body::Anchor(Anchor {
                checkpoint: number,
                files,
            }),
        )?;
        Ok(())
    }

    fn files_about(&self, number: u64) -> Outcome<BTreeMap<String, Digest>> {
        let gone =
            |error| Failure::of(Exit::PartWay, &error).within(self.folder.path().display().to_string());
        let (name, prefix) = (
            names::checkpoint(number),
            format!("{}.", names::checkpoint(number)),
        );
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(self.folder.path()).map_err(gone)? {
            let entry = entry.map_err(gone)?;
            let file = entry.file_name().to_string_lossy().into_owned();
            if file == name || file.starts_with(&prefix) {
                files.insert(file, Digest::of(&read_bytes(&entry.path())?));
            }
        }
        Ok(files)
    }
}
