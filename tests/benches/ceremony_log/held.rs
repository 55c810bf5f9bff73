//! A ceremony of any length: real lines, checkpoints that ssh-keygen signed, a recording, evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ceremony::cast::Recording;
use ceremony::log::*;
use ceremony::script::{Kind, Seat};
use key_metadata::{Digest, Time};

/// Programs that affect keys; each is followed by a seal.
const PROGRAMS: u64 = 8;
/// The entries of a try that fails.
const PER_TRY: u64 = 5;
/// All others: genesis, recording, the first seal and the last, words, sign-in and the end; and each program that ends well, with its seal.
const OTHERS: u64 = 10 + PROGRAMS * 5;
/// Tries whose program said the same. A seal names each file once, and its line has room for 900.
const TRIES_PER_FILE: u64 = 50;

const SEATS: [&str; 3] = ["administrator-1", "officer-1", "witness-1"];

const SCRIPT: &str = "version: 1
log: keyrite.nic.example/cr/2026-q4
title: Keys of cr
purpose: A long ceremony, to measure the auditor's side with.
kind: PRODUCTION
previous: none
roles:
  administrator: {people: 1, what: Leads.}
  officer: {people: 1, what: Holds the credentials.}
  witness: {people: 1, what: Sees it all.}
quorum: {administrator: 1, officer: 1}
seals: {officer: 1}
last-seal: {officer: 1, witness: 1}
acts:
  - id: keys
    title: The keys
    steps:
      - id: sign-in
        by: [administrator, officer, witness]
        attend: [administrator, officer, witness]
      - {id: welcome, by: [administrator-1], say: Welcome.}
      - {id: exits, by: [administrator-1], say: The exits are there.}
      - {id: silence, by: [administrator-1], say: Telephones are off.}
";
const WORDS: [&str; 3] = ["welcome", "exits", "silence"];

/// A ceremony that is being held.
struct Held {
    folder: CeremonyFolder,
    keys: PathBuf,
    log: Vec<u8>,
    tree: Tree,
    last: Digest,
    cast: Recording,
    artefacts: BTreeSet<Digest>,
    seals: u64,
}

/// Holds a ceremony whose log gets that many entries.
pub fn hold(path: &Path, entries: u64) -> CeremonyFolder {
    let mut held = Held::begin(path);
    held.seal("start", &[]);
    held.anchor();
    let people = SEATS.map(|seat| Person {
        seat: parsed(seat),
        name: format!("Name of {seat}"),
        initials: seat[..3].to_uppercase(),
        principal: Some(principal(seat)),
    });
    let people = people.into();
    held.step("sign-in", Did::Attend { people });
    for step in WORDS {
        held.step(step, Did::Say {});
    }
    let tries = (entries - OTHERS) / PER_TRY;
    for program in 1..=PROGRAMS {
        let upto = |program| tries * program / PROGRAMS;
        held.program(&format!("generate-{program}"), upto(program - 1)..upto(program));
    }
    let end = End {
        outcome: EndOutcome::Completed,
        done: u32::try_from(1 + WORDS.len() as u64 + PROGRAMS).unwrap(),
        skipped: 0,
        exceptions: 0,
    };
    held.add(&[], Body::End(end));
    held.seal("end", &["officer-1", "witness-1"]);
    assert_eq!(held.tree.size(), entries);
    fs::write(held.folder.log(), &held.log).unwrap();
    held.folder
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn principal(seat: &str) -> String {
    format!("{seat}@nic.example")
}

fn script() -> String {
    let program = |number| {
        format!(
            "      - id: generate-{number}
        by: [administrator-1]
        run:
          argv: [keyrite-keyctl, --site, \"${{site}}\", generate, --zone, cr, --role, zsk, --json]
          outputs: [{{path: keys/cr.yaml}}]
          affects-keys: true
          secret: the user PIN of the token
"
        )
    };
    let programs: String = (1..=PROGRAMS).map(program).collect();
    format!(
        "{SCRIPT}{programs}safe-state:\n  - id: log-out\n    by: [administrator-1]\n    say: We stop here.\n"
    )
}

fn ssh_keygen(arguments: &[&str], file: &Path) {
    let status = Command::new("ssh-keygen")
        .arg("-q")
        .args(arguments)
        .arg(file)
        .status();
    assert!(status.expect("ssh-keygen").success());
}

impl Held {
    fn begin(path: &Path) -> Self {
        fs::create_dir_all(path.join("evidence")).unwrap();
        let keys = path.with_file_name("keys");
        fs::create_dir_all(&keys).unwrap();
        let mut signers = String::new();
        for seat in SEATS {
            ssh_keygen(&["-t", "ed25519", "-N", "", "-C", seat, "-f"], &keys.join(seat));
            let key = fs::read_to_string(keys.join(format!("{seat}.pub"))).unwrap();
            signers.push_str(&format!(
                "{} namespaces=\"{}\" {key}",
                principal(seat),
                names::NAMESPACE
            ));
        }
        let folder = CeremonyFolder::new(path);
        let script = script();
        fs::write(folder.allowed_signers(), &signers).unwrap();
        fs::write(folder.script(), &script).unwrap();
        let began: Time = parsed("2026-11-23T10:00:00Z");
        let mut held = Self {
            keys,
            log: Vec::new(),
            tree: Tree::default(),
            last: Digest::ZERO,
            cast: Recording::create(&folder.file(names::cast(1)), "Keys of cr", began).unwrap(),
            artefacts: BTreeSet::new(),
            seals: 0,
            folder,
        };
        let genesis = Genesis {
            version: 1,
            log: parsed("keyrite.nic.example/cr/2026-q4"),
            kind: Kind::Production,
            title: "Keys of cr".to_owned(),
            script: Digest::of(script.as_bytes()),
            tools: Vec::new(),
            allowed_signers: Digest::of(signers.as_bytes()),
            tpm: None,
            token: None,
            previous: None,
        };
        held.add(&[], Body::Genesis(Box::new(genesis)));
        held.add(&[], Body::Cast(Cast { file: names::cast(1) }));
        held
    }

    fn add(&mut self, by: &[&str], body: Body) {
        let n = self.tree.size() + 1;
        let (day, second) = (23 + n / 86_400, n % 86_400);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let entry = Entry {
            n,
            prev: self.last,
            t: parsed(&format!("2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}Z")),
            by: by.iter().copied().map(parsed).collect(),
            body,
        };
        let line = entry.to_line().unwrap();
        self.tree.push(leaf(&line[..line.len() - 1]));
        self.last = Digest::of(&line);
        self.log.extend(line);
    }

    fn step(&mut self, step: &str, did: Did) {
        let shown = format!("{step} {}\r\n", self.tree.size());
        let since = Duration::from_secs(self.tree.size());
        self.cast.output(since, shown.as_bytes()).unwrap();
        let step = parsed(step);
        self.add(&["administrator-1"], Body::Step(StepEntry { step, did }));
    }

    fn artefact(&mut self, step: &str, role: ArtefactRole, path: Option<&str>, text: &str) -> Digest {
        let sha256 = Digest::of(text.as_bytes());
        if self.artefacts.insert(sha256) {
            fs::write(self.folder.evidence(&sha256), text).unwrap();
        }
        let artefact = Artefact {
            step: parsed(step),
            role,
            path: path.map(str::to_owned),
            sha256,
            size: text.len() as u64,
        };
        self.add(&["administrator-1"], Body::Artefact(artefact));
        sha256
    }

    /// A program that fails so often, and then does not.
    fn program(&mut self, step: &str, tries: std::ops::Range<u64>) {
        let argv = "keyrite-keyctl --site /srv/site generate --zone cr --role zsk --json";
        let argv: Vec<String> = argv.split(' ').map(str::to_owned).collect();
        let mut attempt = 1;
        for number in tries {
            let begun = argv.clone();
            self.step(step, Did::Begin { argv: begun, attempt });
            let said = format!("error: the token is not there ({})\n", number / TRIES_PER_FILE);
            self.artefact(step, ArtefactRole::Said, None, &said);
            let printed = self.artefact(step, ArtefactRole::Printed, None, "{\"keys\":[]}\n");
            let what = "the user PIN of the token".to_owned();
            let event = SecretEvent {
                step: parsed(step),
                what,
            };
            self.add(&["officer-1"], Body::SecretEvent(event));
            let failed = Did::Fail {
                attempt,
                exit: Some(4),
                why: "exit code 4".to_owned(),
                printed,
            };
            self.step(step, failed);
            attempt += 1;
        }
        self.step(step, Did::Begin { argv, attempt });
        let printed = self.artefact(step, ArtefactRole::Printed, None, "{\"keys\":[1]}\n");
        let ended = Did::Run {
            attempt,
            exit: 0,
            printed,
            values: BTreeMap::new(),
        };
        self.step(step, ended);
        self.seal("generate affected keys", &["officer-1"]);
        self.anchor();
    }

    fn seal(&mut self, reason: &str, signers: &[&str]) {
        self.seals += 1;
        let seal = Seal {
            checkpoint: self.seals,
            reason: reason.to_owned(),
            tpm: None,
            cast: self.cast.mark(),
            artefacts: self.artefacts.iter().copied().collect(),
            signers: signers.iter().copied().map(parsed::<Seat>).collect(),
        };
        self.add(&[], Body::Seal(seal));
        let checkpoint = Checkpoint {
            log: parsed("keyrite.nic.example/cr/2026-q4"),
            size: self.tree.size(),
            root: self.tree.root(),
        };
        let file = self.folder.file(names::checkpoint(self.seals));
        fs::write(&file, checkpoint.to_string()).unwrap();
        for signer in signers {
            let key = self.keys.join(signer);
            let arguments = ["-Y", "sign", "-n", names::NAMESPACE, "-f", key.to_str().unwrap()];
            ssh_keygen(&arguments, &file);
            let signature = self.folder.file(names::signature(self.seals, &parsed(signer)));
            fs::rename(file.with_extension("sig"), signature).unwrap();
        }
    }

    fn anchor(&mut self) {
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
}
