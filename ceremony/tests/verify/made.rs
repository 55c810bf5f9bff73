//! A ceremony, made without the engine: every line, file and signature is real.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use ceremony::cast::Recording;
use ceremony::log::*;
use ceremony::script::{Kind, Origin, Seat};
use ceremony::verify::VERIFY_SH;
use key_metadata::{Digest, Time};

use crate::seats::{Keys, people};
use crate::tpm_side::{Anchors, LogToken, counter_index, log_index};

pub const SCRIPT: &str = include_str!("script.yaml");

/// What a ceremony is made with.
#[derive(Clone, Copy)]
pub struct With<'a> {
    pub anchors: Option<&'a Anchors>,
    pub token: Option<&'a LogToken>,
    pub keys: &'a Keys,
    pub script: &'a str,
    pub previous: Option<(&'a CeremonyFolder, u64)>,
}

/// A ceremony that is being made.
pub struct Made<'a> {
    pub folder: CeremonyFolder,
    pub log: LogFile,
    with: With<'a>,
    origin: Origin,
    cast: Recording,
    artefacts: BTreeSet<Digest>,
    seals: u64,
    clock: u32,
}

fn seat(text: &str) -> Seat {
    text.parse().unwrap()
}

impl<'a> Made<'a> {
    /// The folder with its genesis, cast and first seal.
    pub fn begin(path: &Path, with: With<'a>) -> Self {
        fs::create_dir_all(path.join("evidence")).unwrap();
        let folder = CeremonyFolder::new(path);
        let script = ceremony::script::Script::from_yaml(with.script).unwrap();
        let origin = match script.kind {
            Kind::Production => script.log.clone(),
            Kind::Rehearsal => script.log.in_rehearsal(),
        };
        let signers = with.keys.allowed_signers();
        fs::write(folder.script(), with.script).unwrap();
        fs::write(folder.allowed_signers(), &signers).unwrap();
        fs::write(folder.file("verify.sh"), VERIFY_SH).unwrap();
        let tpm = with.anchors.map(Anchors::of_genesis);
        let token = with.token.map(LogToken::of_genesis);
        if let Some(tpm) = &tpm {
            fs::write(folder.ak(), pem(&tpm.ak)).unwrap();
        }
        if let Some(token) = &token {
            fs::write(folder.token(), pem(&token.key)).unwrap();
        }
        let previous = with.previous.map(|(folder, last)| Previous {
            log: script.log.clone(),
            checkpoint: Digest::of(&fs::read(folder.file(names::checkpoint(last))).unwrap()),
        });
        let started: Time = "2026-11-23T10:00:00Z".parse().unwrap();
        let cast = Recording::create(&folder.file(names::cast(1)), "Keys of cr", started).unwrap();
        let (log, _) = LogFile::open(&folder.log()).unwrap();
        let mut made = Self {
            folder,
            log,
            with,
            origin: origin.clone(),
            cast,
            artefacts: BTreeSet::new(),
            seals: 0,
            clock: 0,
        };
        made.add(
            &[],
            Body::Genesis(Box::new(Genesis {
                version: 1,
                log: origin,
                kind: script.kind,
                title: script.title,
                script: Digest::of(with.script.as_bytes()),
                tools: vec![ToolUsed {
                    name: "keyrite-keyctl".to_owned(),
                    version: Some("keyrite-keyctl 0.1.0".to_owned()),
                    sha256: Digest::of(b"keyctl"),
                }],
                allowed_signers: Digest::of(signers.as_bytes()),
                tpm,
                token,
                previous,
            })),
        );
        let file = names::cast(1);
        made.add(&[], Body::Cast(Cast { file }));
        made.seal("the ceremony begins", &[]);
        made.anchor();
        made
    }

    pub fn now(&mut self) -> Time {
        self.clock += 7;
        format!("2026-11-23T10:{:02}:{:02}Z", self.clock / 60, self.clock % 60)
            .parse()
            .unwrap()
    }

    /// An entry, in the log and in the TPM.
    pub fn add(&mut self, by: &[&str], body: Body) {
        let now = self.now();
        let by = by.iter().copied().map(seat).collect();
        let digest = self.log.append(now, by, body).unwrap();
        if let Some(anchors) = self.with.anchors {
            anchors.tpm.extend_log(log_index(), digest.bytes()).unwrap();
        }
    }

    pub fn step(&mut self, step: &str, did: Did) {
        let output = format!("{step}\r\n");
        self.cast
            .output(
                std::time::Duration::from_secs(self.clock.into()),
                output.as_bytes(),
            )
            .unwrap();
        let step = step.parse().unwrap();
        self.add(&["administrator-1"], Body::Step(StepEntry { step, did }));
    }

    pub fn artefact(&mut self, step: &str, role: ArtefactRole, path: Option<&str>, bytes: &[u8]) -> Digest {
        let sha256 = Digest::of(bytes);
        fs::write(self.folder.evidence(&sha256), bytes).unwrap();
        self.artefacts.insert(sha256);
        let artefact = Artefact {
            step: step.parse().unwrap(),
            role,
            path: path.map(str::to_owned),
            sha256,
            size: bytes.len() as u64,
        };
        self.add(&["administrator-1"], Body::Artefact(artefact));
        sha256
    }

    /// A seal with its checkpoint, statements and signatures.
    pub fn seal(&mut self, reason: &str, signers: &[&str]) {
        self.seals += 1;
        self.cast.sync().unwrap();
        let tpm = self.with.anchors.map(|anchors| {
            let counter = anchors.tpm.raise_counter(counter_index()).unwrap();
            let clock = anchors.tpm.clock().unwrap();
            SealState {
                counter,
                clock: clock.clock_ms,
                reset_count: clock.reset_count,
                restart_count: clock.restart_count,
            }
        });
        let seal = Seal {
            checkpoint: self.seals,
            reason: reason.to_owned(),
            tpm,
            cast: self.cast.mark(),
            artefacts: self.artefacts.iter().copied().collect(),
            signers: signers.iter().copied().map(seat).collect(),
        };
        self.add(&[], Body::Seal(seal));
        let checkpoint = Checkpoint {
            log: self.origin.clone(),
            size: self.log.tree().size(),
            root: self.log.tree().root(),
        };
        let checkpoint = checkpoint.to_string().into_bytes();
        let number = self.seals;
        fs::write(self.folder.file(names::checkpoint(number)), &checkpoint).unwrap();
        for signer in signers {
            let name = names::signature(number, &seat(signer));
            fs::write(
                self.folder.file(name),
                self.with.keys.sign(&seat(signer), &checkpoint),
            )
            .unwrap();
        }
        if let Some(token) = self.with.token {
            fs::write(self.folder.file(names::token(number)), token.sign(&checkpoint)).unwrap();
        }
        if let Some(anchors) = self.with.anchors {
            for (name, bytes) in anchors.statements(number, &checkpoint) {
                fs::write(self.folder.file(name), bytes).unwrap();
            }
        }
    }

    /// The entry with the files of the last checkpoint.
    pub fn anchor(&mut self) {
        let checkpoint = self.seals;
        let own = names::checkpoint(checkpoint);
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name == own || name.starts_with(&format!("{own}.")) {
                let digest = Digest::of(&fs::read(self.folder.file(&name)).unwrap());
                files.insert(name, digest);
            }
        }
        self.add(&[], Body::Anchor(Anchor { checkpoint, files }));
    }

    /// All that follows, up to the last seal.
    pub fn hold(&mut self) {
        self.open();
        self.make_keys();
        self.close();
    }

    pub fn open(&mut self) {
        self.step("welcome", Did::Say {});
        self.step("sign-in", Did::Attend { people: people() });
        let wall = "2026-11-23T10:00:40Z".parse().unwrap();
        self.step("wall-clock", Did::Clock { wall, offset: -3 });
        let readback = Readback {
            step: "script-digest".parse().unwrap(),
            what: "the script".to_owned(),
            sha256: Digest::of(self.with.script.as_bytes()),
            checker: seat("witness-1"),
            mistyped: 1,
        };
        self.add(&["administrator-1", "witness-1"], Body::Readback(readback));
        let exception = Exception {
            step: "bag".parse().unwrap(),
            expected: "a bag".to_owned(),
            happened: "the bag was \"elsewhere\": ¿dónde?".to_owned(),
            decided: "it was brought".to_owned(),
            then: Then::Again,
            agree: vec![seat("administrator-1"), seat("officer-1")],
            disagree: vec![],
        };
        self.add(&["administrator-1"], Body::Exception(exception));
        self.step(
            "bag",
            Did::Record {
                name: "bag".parse().unwrap(),
                value: "A1043377".to_owned(),
                last_time: None,
            },
        );
        let choice = "whole".parse().unwrap();
        self.step("bag-state", Did::Branch { choice });
        let initials = [("officer-1", "BR"), ("witness-1", "DM")].map(|(of, initials)| Initials {
            seat: seat(of),
            initials: initials.to_owned(),
        });
        let initials = initials.into();
        self.step("whole-bag", Did::Confirm { initials });
    }

    pub fn make_keys(&mut self) {
        let argv = "keyrite-keyctl --site /srv/site generate --zone cr --json";
        let argv: Vec<String> = argv.split(' ').map(str::to_owned).collect();
        self.step(
            "generate",
            Did::Begin {
                argv: argv.clone(),
                attempt: 1,
            },
        );
        let printed = self.artefact(
            "generate",
            ArtefactRole::Printed,
            None,
            b"error: the token is not there\n",
        );
        let why = "exit code 4".to_owned();
        let exit = Some(4);
        self.step(
            "generate",
            Did::Fail {
                attempt: 1,
                exit,
                why,
                printed,
            },
        );
        self.step("generate", Did::Begin { argv, attempt: 2 });
        self.artefact(
            "generate",
            ArtefactRole::Output,
            Some("keys/cr.yaml"),
            b"version: 1\n",
        );
        let printed = self.artefact(
            "generate",
            ArtefactRole::Printed,
            None,
            b"{\"keys\":[{\"key-tag\":17}]}\n",
        );
        let what = "the user PIN of the token".to_owned();
        let step = "generate".parse().unwrap();
        self.add(&["officer-1"], Body::SecretEvent(SecretEvent { step, what }));
        let values = BTreeMap::from([("key-tag".to_owned(), "17".to_owned())]);
        self.step(
            "generate",
            Did::Run {
                attempt: 2,
                exit: 0,
                printed,
                values,
            },
        );
        self.seal("generate affected keys", &["officer-1"]);
        self.anchor();
        let reason = "Nobody needs to see it again.".to_owned();
        let step = "show".parse().unwrap();
        self.add(
            &["administrator-1"],
            Body::Skip(Skip {
                step,
                reason,
                exception: None,
            }),
        );
        self.interrupt();
        self.seal("a break", &["officer-1"]);
        self.anchor();
        let checkpoint = self.seals;
        self.step("break", Did::Pause { checkpoint });
        self.step("break", Did::Resume {});
        self.seal("The keys are there.", &["officer-1"]);
        self.anchor();
        let checkpoint = self.seals;
        self.step("seal-keys", Did::Seal { checkpoint });
    }

    /// The power went while a line was written, after the counter had risen.
    fn interrupt(&mut self) {
        let torn = b"{\"n\":30,\"prev\":";
        fs::write(self.folder.file(names::torn(1)), torn).unwrap();
        let anchors = self.with.anchors;
        let counter = anchors.map(|anchors| anchors.tpm.raise_counter(counter_index()).unwrap());
        let cut = self.cast.mark();
        let file = names::cast(2);
        let now = self.now();
        self.cast = Recording::create(&self.folder.file(&file), "Keys of cr", now).unwrap();
        self.add(&[], Body::Cast(Cast { file }));
        let recovered = Recovered {
            torn: vec![Torn {
                file: names::torn(1),
                sha256: Digest::of(torn),
            }],
            counter,
            cast: Some(cut),
            ..Recovered::default()
        };
        self.add(&[], Body::Recovered(recovered));
    }

    pub fn close(&mut self) {
        let copies = vec![CopyMade {
            medium: "medium-1".parse().unwrap(),
            file: "keys/cr.yaml".to_owned(),
            sha256: Digest::of(b"version: 1\n"),
            size: 11,
        }];
        self.step("copies", Did::Copy { copies });
        let checkpoint = self.seals;
        let bytes = fs::read(self.folder.file(names::checkpoint(checkpoint))).unwrap();
        let mut signatures = BTreeMap::new();
        for signer in ["officer-2", "witness-1"] {
            let signature = self.with.keys.sign(&seat(signer), &bytes);
            let name = names::signature(checkpoint, &seat(signer));
            fs::write(self.folder.file(&name), &signature).unwrap();
            signatures.insert(name, Digest::of(&signature));
        }
        self.step(
            "attest",
            Did::Sign {
                checkpoint,
                signatures,
            },
        );
        let exception = Exception {
            step: "light".parse().unwrap(),
            expected: "a switch".to_owned(),
            happened: "there is none".to_owned(),
            decided: "it stays on".to_owned(),
            then: Then::Skip,
            agree: vec![seat("administrator-1"), seat("officer-1"), seat("officer-2")],
            disagree: vec![seat("witness-1")],
        };
        self.add(&["administrator-1"], Body::Exception(exception));
        let exception = Some(self.log.entries().len() as u64);
        let (step, reason) = ("light".parse().unwrap(), "there is no switch".to_owned());
        self.add(
            &["administrator-1"],
            Body::Skip(Skip {
                step,
                reason,
                exception,
            }),
        );
        let seats = vec![seat("officer-2")];
        self.step("goodbye", Did::Leave { seats });
        let end = End {
            outcome: EndOutcome::Completed,
            done: 13,
            skipped: 2,
            exceptions: 2,
        };
        self.add(&[], Body::End(end));
        self.seal("the end", &["officer-1", "officer-2", "witness-1"]);
    }
}

fn pem(key: &str) -> String {
    let lines: Vec<_> = key
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}
