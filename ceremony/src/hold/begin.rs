//! The first entry, and what lies beside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ceremony::log::{Body, CeremonyFolder, Genesis, Previous, ToolUsed, names};
use ceremony::script::{Action, Kind};
use ceremony::verify::VERIFY_SH;
use cli::{Exit, Failure, Outcome};
use key_metadata::store::{read_bytes, read_text, replace};
use key_metadata::{Digest, spki_to_pem};

use super::stop::Go;
use super::{Ceremony, First};

/// This tool, as the script and the first entry name it.
const SELF: &str = "keyrite-ceremony";

impl Ceremony<'_> {
    /// Writes the first entry, and the recording that is on.
    pub fn begin(&mut self) -> Go {
        let setting = &self.setting;
        let previous = self.previous()?;
        if previous.is_none() && setting.kind == Kind::Production && setting.first == First::Unsaid {
            let failure = Failure::new(Exit::Failed, "no ceremony before this one is named");
            return Err(failure
                .hint(
                    "name it in the script (previous), or answer for this being the first: --first-ceremony"
                        .to_owned(),
                )
                .into());
        }
        let log = match setting.kind {
            Kind::Production => setting.script.log.clone(),
            Kind::Rehearsal => setting.script.log.in_rehearsal(),
        };
        let genesis = Genesis {
            version: 1,
            log,
            kind: setting.kind,
            title: setting.script.title.clone(),
            script: Digest::of(setting.text.as_bytes()),
            tools: self.tools_used()?,
            allowed_signers: Digest::of(&read_bytes(&self.folder.allowed_signers())?),
            tpm: self.anchors.genesis()?,
            token: self.log_key.as_ref().map(super::log_key::LogKey::named),
            previous,
        };
        if let Some(tpm) = &genesis.tpm {
            write_pem(&self.folder.ak(), &tpm.ak)?;
        }
        if let Some(token) = &genesis.token {
            write_pem(&self.folder.token(), &token.key)?;
        }
        self.append(Vec::new(), Body::Genesis(Box::new(genesis)))?;
        self.note_cast()?;
        Ok(())
    }

    /// Says which recording is on.
    pub fn note_cast(&mut self) -> Outcome {
        let file = self.screen.cast().mark().file;
        self.append(Vec::new(), Body::Cast(ceremony::log::Cast { file }))?;
        Ok(())
    }

    fn previous(&self) -> Outcome<Option<Previous>> {
        let setting = &self.setting;
        let Some(id) = setting.script.previous() else {
            return Ok(None);
        };
        let folder = CeremonyFolder::of_site(&setting.root, id.as_str());
        if !folder.log().exists() && setting.kind == Kind::Rehearsal {
            return Ok(None);
        }
        let failed = |cause: &str| {
            Failure::new(
                Exit::Failed,
                format!("the ceremony before, '{id}', cannot be followed"),
            )
            .because(cause)
        };
        let entries = ceremony::log::entries(&folder.log())
            .map_err(|failure| Failure::from(failure).within(format!("the ceremony before, '{id}'")))?;
        let (mut genesis, mut last, mut over) = (None, None, false);
        for entry in &entries {
            match &entry.body {
                Body::Genesis(first) => genesis = Some(first),
                Body::Seal(seal) => last = Some(seal.checkpoint),
                Body::End(_) => over = true,
                Body::Step(_)
                | Body::Readback(_)
                | Body::Artefact(_)
                | Body::SecretEvent(_)
                | Body::Exception(_)
                | Body::Skip(_)
                | Body::Abort(_)
                | Body::Recovered(_)
                | Body::Cast(_)
                | Body::Anchor(_) => {}
            }
        }
        let (Some(genesis), Some(last), true) = (genesis, last, over) else {
            return Err(failed("it is not over"));
        };
        if genesis.kind != setting.kind {
            return Err(failed(&format!(
                "it is a {}, this one a {}",
                genesis.kind, setting.kind
            )));
        }
        let checkpoint = read_bytes(&folder.file(names::checkpoint(last)))?;
        Ok(Some(Previous {
            log: genesis.log.clone(),
            checkpoint: Digest::of(&checkpoint),
        }))
    }

    fn tools_used(&self) -> Outcome<Vec<ToolUsed>> {
        let script = self.setting.script;
        let plan = script.plan().into_iter().chain(script.safe_state_plan());
        let named = plan.filter_map(|planned| match &planned.step.action {
            Action::Run(run) => run.argv.first(),
            Action::Say(_)
            | Action::Confirm(_)
            | Action::Record(_)
            | Action::Attend(_)
            | Action::Leave(_)
            | Action::Clock(_)
            | Action::Compare(_)
            | Action::Copy(_)
            | Action::Seal(_)
            | Action::Sign(_)
            | Action::Pause(_)
            | Action::Branch(_) => None,
        });
        let names: BTreeSet<&str> = named.map(String::as_str).chain([SELF]).collect();
        let mut tools = Vec::new();
        for name in names {
            let path = self.program_path(name)?;
            // A tool that is not there is refused when its step comes, and not before: the step may be one that is left out.
            let Ok(sha256) = super::program::file_digest(&path) else {
                continue;
            };
            let of_suite = !script.programs.iter().any(|(known, _)| known.to_string() == name);
            tools.push(ToolUsed {
                name: name.to_owned(),
                version: of_suite.then(|| version(&path)).flatten(),
                sha256,
            });
        }
        Ok(tools)
    }
}

/// What a tool of the suite says of its version.
fn version(path: &Path) -> Option<String> {
    let said = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    Some(
        text.split_once(' ')
            .map_or(text.clone(), |(_, version)| version.to_owned()),
    )
}

/// Writes a key, in base64 of its DER, as openssl reads it.
fn write_pem(path: &Path, key: &str) -> Outcome {
    let der = BASE64_STANDARD
        .decode(key)
        .map_err(|error| Failure::of(Exit::Failed, &error).within(path.display().to_string()))?;
    Ok(replace(path, |file| {
        file.write_all(spki_to_pem(&der).as_bytes())
    })?)
}

/// Makes the ceremony's folder with what is in it before the first entry. Once there is one, it must be the same script.
pub fn prepare(folder: &CeremonyFolder, text: &str, site: &Path) -> Outcome {
    if folder.log().exists() && fs::metadata(folder.log()).is_ok_and(|log| log.len() > 0) {
        if read_text(&folder.script())? == text {
            return Ok(());
        }
        let failure = Failure::new(
            Exit::Failed,
            format!(
                "the ceremony in {} was begun with another script",
                folder.path().display()
            ),
        );
        return Err(
            failure.hint("go on with its own script.yaml, or give the script another log name".to_owned())
        );
    }
    let evidence = folder.file("evidence");
    fs::create_dir_all(&evidence).map_err(|error| {
        Failure::of(Exit::Failed, &error).within(format!("making {}", evidence.display()))
    })?;
    let signers = site.join("allowed_signers");
    let signers = read_bytes(&signers).map_err(|error| {
        Failure::from(error).hint(
            "who may sign is in allowed_signers of the site, one line for each: PRINCIPAL KEYTYPE KEY"
                .to_owned(),
        )
    })?;
    replace(&folder.script(), |file| file.write_all(text.as_bytes()))?;
    replace(&folder.allowed_signers(), |file| file.write_all(&signers))?;
    replace(&folder.file("verify.sh"), |file| {
        file.write_all(VERIFY_SH.as_bytes())
    })?;
    Ok(())
}

/// A public key in base64 of its DER.
pub fn in_base64(der: &[u8]) -> String {
    BASE64_STANDARD.encode(der)
}
