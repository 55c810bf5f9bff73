//! Opening a ceremony: what was interrupted is found and mended before anything new is written.
//!
//! The order in which a run writes (entry, TPM, screen; counter, seal, checkpoint, statements) leaves few states, and this takes each of
//! them on, whatever it was that cut the run off: also this.

use std::fs;
use std::io;
use std::path::Path;

use ceremony::cast::{Recording, mark_of};
use ceremony::log::{Body, CastMark, CeremonyFolder, Entry, LogFile, Recovered, Tail, Torn, names};
use ceremony::progress::Progress;
use cli::{Exit, Failure, Outcome, now};
use key_metadata::store::{clear_unfinished_in, read_bytes, replace};
use key_metadata::{Digest, SiteFolder, TokenAddress};

use super::anchors::{Anchors, Held, digests};
use super::log_key::LogKey;
use super::screen::Screen;
use super::terminal::Console;
use super::{Ceremony, Setting, begin};

impl<'s> Ceremony<'s> {
    /// Opens a ceremony at its beginning or where it was interrupted.
    pub fn open(setting: Setting<'s>, console: Console<'s>) -> Outcome<Self> {
        no_key_files(setting.site)?;
        let folder = CeremonyFolder::of_site(&setting.root, setting.script.id());
        begin::prepare(&folder, setting.text, &setting.root)?;
        let (mut log, tail) = LogFile::open(&folder.log())?;
        for place in [folder.path(), &folder.file("evidence")] {
            clear_unfinished_in(place)?;
        }
        keep_torn(&folder, &mut log, &tail)?;
        let progress = Progress::of(setting.script, log.entries());
        let anchors = Anchors::of(setting.site, setting.script.tpm.as_ref())?;
        let log_key = match &setting.script.log_key {
            Some(token) => Some(LogKey::open(setting.site, token)?),
            None => None,
        };
        let cast = if progress.is_sealed_to_the_end() {
            None
        } else {
            let title = format!("{} ({})", setting.script.title, setting.kind);
            Some(recording(&folder.file(names::cast(progress.casts + 1)), &title)?)
        };
        let mut ceremony = Self {
            setting,
            folder,
            log,
            progress,
            anchors,
            log_key,
            screen: Screen::new(cast),
            console,
        };
        if ceremony.progress.genesis.is_some() {
            ceremony.check_kind()?;
            ceremony.recover()?;
        }
        Ok(ceremony)
    }

    fn check_kind(&self) -> Outcome {
        match &self.progress.genesis {
            Some(genesis) if genesis.kind != self.setting.kind => Err(Failure::new(
                Exit::Failed,
                format!(
                    "this ceremony was begun as a {}, and cannot go on as a {}",
                    genesis.kind, self.setting.kind
                ),
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn recover(&mut self) -> Outcome {
        let genesis = self.progress.genesis.clone();
        let genesis = genesis.as_ref().and_then(|genesis| genesis.tpm.as_ref());
        let mut recovered = Recovered::default();
        let last = self.log.last();
        match self
            .anchors
            .compare(genesis, &digests(self.log.entries(), last))?
        {
            Held::Same => {}
            Held::Behind => {
                self.anchors.extend(&last)?;
                recovered.extended = self.log.entries().last().map(|entry| entry.n);
            }
        }
        recovered.counter = self.risen_counter()?;
        // The statements are about the TPM as it is at the seal: the next entry changes it.
        if let Some(Entry {
            body: Body::Seal(seal),
            ..
        }) = self.log.entries().last()
        {
            let number = seal.checkpoint;
            if self.complete_checkpoint(number)? {
                recovered.checkpoint = Some(number);
            }
            if self.progress.is_sealed_to_the_end() {
                // Nothing follows the last seal: its signatures are all that can be missing.
                return Ok(());
            }
        }
        recovered.torn = self.torn()?;
        recovered.cast = self.last_cast()?;
        self.append(Vec::new(), Body::Recovered(recovered))?;
        self.note_cast()
    }

    /// The counter's number, if it rose for a seal that was not written.
    fn risen_counter(&self) -> Outcome<Option<u64>> {
        let (Some(known), Some(live)) = (self.progress.counter, self.anchors.counter()?) else {
            return Ok(None);
        };
        match live.checked_sub(known) {
            Some(0) => Ok(None),
            Some(1) => Ok(Some(live)),
            Some(_) | None => {
                let failure = Failure::new(
                    Exit::SaysNo,
                    format!("the TPM's counter is {live}, and the log knows {known}: the log does not go on"),
                );
                Err(failure
                    .because(
                        "it is an older copy, another ceremony was held since, or the counter was redefined",
                    )
                    .hint("keep the ceremony's folder as it is, and let an auditor look at it".to_owned()))
            }
        }
    }

    /// Torn ends that no entry tells of yet.
    pub fn torn(&self) -> Outcome<Vec<Torn>> {
        let mut torn = Vec::new();
        for number in 1..next_number(&self.folder, names::torn) {
            let file = names::torn(number);
            if !self.progress.torn.contains(&file) {
                let sha256 = Digest::of(&read_bytes(&self.folder.file(&file))?);
                torn.push(Torn { file, sha256 });
            }
        }
        Ok(torn)
    }

    /// The recording that was on, as it was left.
    fn last_cast(&self) -> Outcome<Option<CastMark>> {
        let Some(file) = &self.progress.cast else {
            return Ok(None);
        };
        Ok(Some(mark_of(&self.folder.file(file))?))
    }
}

/// A new recording. A file that the log does not know was begun by a program that was interrupted before it showed anything.
fn recording(path: &Path, title: &str) -> Outcome<Recording> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Failure::of(Exit::Failed, &error).within(path.display().to_string()));
        }
        Ok(()) | Err(_) => {}
    }
    Ok(Recording::create(path, title, now())?)
}

/// Keeps the end of a line that was not written whole in a file of its own, and takes it off the log.
fn keep_torn(folder: &CeremonyFolder, log: &mut LogFile, tail: &Tail) -> Outcome {
    let Tail::Torn(bytes) = tail else {
        return Ok(());
    };
    let number = next_number(folder, names::torn);
    let kept = number
        .checked_sub(1)
        .filter(|last| *last > 0)
        .map(|last| folder.file(names::torn(last)));
    // A run that was cut off between the two has kept it already.
    let same = kept.is_some_and(|kept| read_bytes(&kept).is_ok_and(|kept| kept == *bytes));
    if !same {
        replace(&folder.file(names::torn(number)), |file| file.write_all(bytes))?;
    }
    Ok(log.cut_off(tail)?)
}

/// The first number, from 1, of which there is no file.
fn next_number(folder: &CeremonyFolder, name: impl Fn(u64) -> String) -> u64 {
    let there = |number: &u64| fs::exists(folder.file(Path::new(&name(*number)))).is_ok_and(|there| there);
    (1..).take_while(there).last().map_or(1, |last| last + 1)
}

/// A ceremony shows that private keys are in tokens alone; in a site with keys in files it could show nothing.
fn no_key_files(site: &SiteFolder) -> Outcome {
    let mut tokens = site.site().tokens.iter();
    let Some((name, _)) = tokens.find(|(_, token)| matches!(token.address, TokenAddress::File(_))) else {
        return Ok(());
    };
    let failure = Failure::new(
        Exit::Failed,
        format!(
            "token '{name}' of site.yaml keeps private keys in files, and a ceremony is held for keys in tokens"
        ),
    );
    Err(failure.hint("hold it in a site of its own, which lists tokens only".to_owned()))
}
