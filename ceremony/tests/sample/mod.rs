//! A ceremony by fixtures/sample.yaml as its log would tell it, with a failed try, an exception, a skip and an interruption. Its chain is real,
//! its signatures are not there, and what came of looking at it is invented: pages are made from it, no verifier sees it.

use std::collections::BTreeMap;

use ceremony::log::{
    Anchor, Artefact, ArtefactRole, Body, Cast, CastMark, CopyMade, Did, End, EndOutcome, Entry, Exception,
    Genesis, Initials, Person, Readback, Recovered, Seal, SealState, SecretEvent, Skip, StepEntry, Then,
    ToolUsed, Torn, TpmAnchors, names,
};
use ceremony::report::{Report, Source};
use ceremony::script::{Kind, Script, Seat};
use ceremony::verify::{Claim, ClaimVerdict, Verification};
use key_metadata::{Digest, Span, Time};

pub const SCRIPT: &str = include_str!("../fixtures/sample.yaml");

/// The entries so far.
pub struct Sample {
    pub entries: Vec<Entry>,
    now: Time,
    last: Digest,
    seals: u64,
}

impl Sample {
    fn after(&mut self, seconds: u32) -> &mut Self {
        self.now = self.now.after(Span::from_seconds(seconds));
        self
    }

    pub fn add(&mut self, by: &[&str], body: Body) -> &mut Self {
        let entry = Entry {
            n: self.entries.len() as u64 + 1,
            prev: self.last,
            t: self.now,
            by: by.iter().map(|seat| seat.parse().unwrap()).collect(),
            body,
        };
        self.last = Digest::of(&entry.to_line().unwrap());
        self.entries.push(entry);
        self
    }

    fn step(&mut self, step: &str, by: &[&str], did: Did) -> &mut Self {
        let step = step.parse().unwrap();
        self.add(by, Body::Step(StepEntry { step, did }))
    }

    fn seal(&mut self, reason: &str, signers: &[&str]) -> &mut Self {
        self.seals += 1;
        let seal = Seal {
            checkpoint: self.seals,
            reason: reason.to_owned(),
            tpm: Some(SealState {
                counter: 40 + self.seals,
                clock: 86_400_000 + self.entries.len() as u64 * 41_003,
                reset_count: 12,
                restart_count: 0,
            }),
            cast: CastMark {
                file: "cast-1".to_owned(),
                offset: 4096 * self.seals,
                sha256: Digest::of(reason.as_bytes()),
            },
            artefacts: Vec::new(),
            signers: signers.iter().map(|seat| seat.parse().unwrap()).collect(),
        };
        self.after(4).add(&[], Body::Seal(seal))
    }

    fn anchor(&mut self, signers: &[&str]) -> &mut Self {
        let number = self.seals;
        let mut files = BTreeMap::from([(names::checkpoint(number), Digest::of(b"checkpoint"))]);
        for seat in signers {
            let seat: Seat = seat.parse().unwrap();
            files.insert(
                names::signature(number, &seat),
                Digest::of(seat.to_string().as_bytes()),
            );
        }
        for what in ["extend", "counter", "quote"] {
            files.insert(names::tpm(number, what, "attest"), Digest::of(what.as_bytes()));
            files.insert(names::tpm(number, what, "sig"), Digest::of(b"sig"));
        }
        self.after(35).add(
            &[],
            Body::Anchor(Anchor {
                checkpoint: number,
                files,
            }),
        )
    }

    fn sealed(&mut self, reason: &str) -> &mut Self {
        let signers = ["administrator-1", "officer-1"];
        self.seal(reason, &signers).anchor(&signers)
    }

    fn artefact(&mut self, step: &str, role: ArtefactRole, path: Option<&str>, size: u64) -> &mut Self {
        let artefact = Artefact {
            step: step.parse().unwrap(),
            role,
            path: path.map(ToOwned::to_owned),
            sha256: Digest::of(format!("{path:?}{size}").as_bytes()),
            size,
        };
        self.add(&["administrator-1"], Body::Artefact(artefact))
    }
}

fn person(seat: &str, name: &str, initials: &str) -> Person {
    Person {
        seat: seat.parse().unwrap(),
        name: name.to_owned(),
        initials: initials.to_owned(),
        principal: Some(format!("{}@nic.example", initials.to_lowercase())),
    }
}

fn argv(text: &str) -> Vec<String> {
    text.split(' ').map(ToOwned::to_owned).collect()
}

/// The ceremony.
pub fn ceremony(kind: Kind) -> Sample {
    let script = Script::from_yaml(SCRIPT).unwrap();
    let admin = &["administrator-1"][..];
    let origin = match kind {
        Kind::Production => script.log.clone(),
        Kind::Rehearsal => script.log.in_rehearsal(),
    };
    let mut log = Sample {
        entries: Vec::new(),
        now: "2026-11-23T09:58:12Z".parse().unwrap(),
        last: Digest::ZERO,
        seals: 0,
    };
    let tool = |name: &str| ToolUsed {
        name: name.to_owned(),
        version: name.starts_with("keyrite").then(|| "0.1.0".to_owned()),
        sha256: Digest::of(name.as_bytes()),
    };
    log.add(
        &[],
        Body::Genesis(Box::new(Genesis {
            version: 1,
            log: origin,
            kind,
            title: script.title.clone(),
            script: Digest::of(SCRIPT.as_bytes()),
            tools: ["keyrite-ceremony", "keyrite-keyctl", "sha256sum"]
                .map(tool)
                .into(),
            allowed_signers: Digest::of(b"allowed_signers"),
            tpm: Some(TpmAnchors {
                ek_certificate: None,
                ak_name: "000b8fd0c9a3e5".to_owned() + &Digest::of(b"ak").to_string()[..54],
                ak: "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE".to_owned(),
                log_index: "0x01800020".to_owned(),
                log_index_name: format!("000b{}", Digest::of(b"e")),
                log_value: Digest::ZERO,
                log_counter: "0x01800021".to_owned(),
                log_counter_name: format!("000b{}", Digest::of(b"c")),
                counter: 40,
            }),
            token: None,
            previous: None,
        })),
    );
    let cast = "cast-1".to_owned();
    log.add(&[], Body::Cast(Cast { file: cast }));
    log.sealed("start");
    log.after(95).step("welcome", admin, Did::Say {});
    let people = vec![
        person("administrator-1", "Ana Mora Solís", "AMS"),
        person("officer-1", "José Castro", "JC"),
        person("officer-2", "Lucía Rojas", "LR"),
        person("witness-1", "Erik Lund", "EL"),
    ];
    log.after(260).step("sign-in", admin, Did::Attend { people });
    log.after(50).step(
        "wall-clock",
        &["witness-1"],
        Did::Clock {
            wall: "2026-11-23T10:05:40Z".parse().unwrap(),
            offset: 1,
        },
    );
    log.after(205).add(
        &["administrator-1", "witness-1"],
        Body::Readback(Readback {
            step: "script-digest".parse().unwrap(),
            what: "the script, whose digest is at the foot of each page".to_owned(),
            sha256: Digest::of(SCRIPT.as_bytes()),
            checker: "witness-1".parse().unwrap(),
            mistyped: 1,
        }),
    );
    log.after(120).step(
        "host-bag",
        &["officer-1"],
        Did::Record {
            name: "host-bag".parse().unwrap(),
            value: "A1043377".to_owned(),
            last_time: None,
        },
    );
    let choice = "torn".parse().unwrap();
    log.after(30)
        .step("bag-state", &["officer-1", "witness-1"], Did::Branch { choice });
    let initials = |seat: &str, initials: &str| Initials {
        seat: seat.parse().unwrap(),
        initials: initials.to_owned(),
    };
    log.after(340).add(
        &["officer-1", "officer-2", "administrator-1"],
        Body::Exception(Exception {
            step: "torn-bag".parse().unwrap(),
            expected: "A bag that is whole.".to_owned(),
            happened:
                "The lower left corner of the bag is open for about 2 cm; the seal strip itself is whole."
                    .to_owned(),
            decided:
                "To go on: no <part> of the host fits through, and the host was looked at from all sides."
                    .to_owned(),
            then: Then::Again,
            agree: ["administrator-1", "officer-1", "officer-2"]
                .map(|seat| seat.parse().unwrap())
                .into(),
            disagree: vec!["witness-1".parse().unwrap()],
        }),
    );
    let given = vec![
        initials("officer-1", "JC"),
        initials("officer-2", "LR"),
        initials("witness-1", "EL"),
    ];
    log.after(70).step(
        "torn-bag",
        &["officer-1", "officer-2"],
        Did::Confirm { initials: given },
    );

    let generate = "keyrite-keyctl generate --zone cr --role ksk --role zsk --backup none --activate --json";
    for attempt in 1..=2 {
        log.after(40).step(
            "generate",
            admin,
            Did::Begin {
                argv: argv(generate),
                attempt,
            },
        );
        log.artefact("generate", ArtefactRole::Input, Some("site.yaml"), 612);
        log.add(
            admin,
            Body::SecretEvent(SecretEvent {
                step: "generate".parse().unwrap(),
                what: "the user PIN of the token".to_owned(),
            }),
        );
        if attempt == 1 {
            log.after(25).artefact("generate", ArtefactRole::Said, None, 71);
            let why = "exit code 4: error: token 'cr' refused the user PIN".to_owned();
            let printed = Digest::of(b"");
            log.step(
                "generate",
                admin,
                Did::Fail {
                    attempt,
                    exit: Some(4),
                    why,
                    printed,
                },
            );
        }
    }
    log.after(75)
        .artefact("generate", ArtefactRole::Output, Some("keys/cr.yaml"), 2214)
        .artefact("generate", ArtefactRole::Printed, None, 702);
    let values = [("key-tag-ksk", "20326"), ("key-tag-zsk", "38696")];
    let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
    log.step(
        "generate",
        admin,
        Did::Run {
            attempt: 2,
            exit: 0,
            printed: Digest::of(b"printed"),
            values: values.into(),
        },
    );
    log.sealed("after generate");
    log.after(15).step(
        "ds",
        admin,
        Did::Begin {
            argv: argv("keyrite-keyctl ds --zone cr --key 20326 --json"),
            attempt: 1,
        },
    );
    log.after(420).add(
        &[],
        Body::Recovered(Recovered {
            torn: vec![Torn {
                file: "torn-1".to_owned(),
                sha256: Digest::of(b"torn"),
            }],
            extended: Some(25),
            ..Recovered::default()
        }),
    );
    log.step(
        "ds",
        admin,
        Did::Begin {
            argv: argv("keyrite-keyctl ds --zone cr --key 20326 --json"),
            attempt: 2,
        },
    );
    log.after(2).artefact("ds", ArtefactRole::Printed, None, 190);
    let ds = "cr. 3600 IN DS 20326 13 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D";
    log.step(
        "ds",
        admin,
        Did::Run {
            attempt: 2,
            exit: 0,
            printed: Digest::of(ds.as_bytes()),
            values: BTreeMap::from([("ds-ksk".to_owned(), ds.to_owned())]),
        },
    );
    log.sealed("before break");
    let checkpoint = log.seals;
    log.step("break", admin, Did::Pause { checkpoint });
    log.after(62 * 60).step("break", admin, Did::Resume {});
    log.sealed("The keys are there, and nothing was copied yet.");
    let checkpoint = log.seals;
    log.step("seal-keys", admin, Did::Seal { checkpoint });
    log.after(45).add(
        admin,
        Body::Skip(Skip {
            step: "zone-file-digest".parse().unwrap(),
            reason:
                "The digest is in the log already; this line is for those who want to see it on the screen."
                    .to_owned(),
            exception: None,
        }),
    );
    let copy = |medium: &str, file: &str| CopyMade {
        medium: medium.parse().unwrap(),
        file: file.to_owned(),
        sha256: Digest::of(file.as_bytes()),
        size: 2214,
    };
    let copies = ["medium-1", "medium-2"].map(|medium| copy(medium, "keys/cr.yaml"));
    log.after(190).step(
        "copies",
        &["officer-2"],
        Did::Copy {
            copies: copies.into(),
        },
    );
    log.after(240).step(
        "new-bag",
        &["officer-2"],
        Did::Record {
            name: "new-bag".parse().unwrap(),
            value: "A1043378".to_owned(),
            last_time: None,
        },
    );
    let checkpoint = log.seals;
    let signatures = ["officer-2", "witness-1"].map(|seat| {
        let name = names::signature(checkpoint, &seat.parse().unwrap());
        (name, Digest::of(seat.as_bytes()))
    });
    log.after(160).step(
        "attest",
        &["officer-2", "witness-1"],
        Did::Sign {
            checkpoint,
            signatures: signatures.into(),
        },
    );
    let seats = vec!["witness-1".parse().unwrap()];
    log.after(60)
        .step("goodbye", &["witness-1"], Did::Leave { seats });
    log.after(8).add(
        &[],
        Body::End(End {
            outcome: EndOutcome::Completed,
            done: 14,
            skipped: 1,
            exceptions: 1,
        }),
    );
    log.seal("end", &["administrator-1", "officer-1", "officer-2"]);
    log
}

/// log.jsonl.
pub fn text(entries: &[Entry]) -> Vec<u8> {
    entries
        .iter()
        .flat_map(|entry| entry.to_line().unwrap())
        .collect()
}

/// What came of looking, invented.
pub fn verification(fails: &[&str]) -> Verification {
    let claim = |(id, claim, command, lines): (&str, &str, &str, &[u64])| Claim {
        id: id.to_owned(),
        claim: claim.to_owned(),
        verdict: match id {
            failed if fails.contains(&failed) => ClaimVerdict::Fail,
            "live" => ClaimVerdict::NotChecked,
            _ => ClaimVerdict::Pass,
        },
        evidence: match id {
            "live" => "nobody asked the TPM; verify --anchor does",
            "signatures" => "13 signatures of 4 principals over 5 checkpoints",
            _ => "45 lines",
        }
        .to_owned(),
        command: command.to_owned(),
        lines: lines.to_vec(),
    };
    let claims = [
        (
            "format",
            "each line of the log is an entry",
            r#"LC_ALL=C grep -nv '^{"n":[0-9]*,"prev":"[0-9a-f]\{64\}"' log.jsonl"#,
            &[][..],
        ),
        (
            "chain",
            "each line names the digest of the line before it",
            r#"n=7; sed -n "$((n-1))p" log.jsonl | sha256sum; sed -n "${n}p" log.jsonl | cut -c1-90"#,
            &[],
        ),
        (
            "script",
            "script.yaml is the script of the ceremony",
            "sha256sum script.yaml",
            &[1],
        ),
        (
            "signatures",
            "each seal's checkpoint is signed by those whom the seal names",
            "ssh-keygen -Y verify -f allowed_signers -I ams@nic.example -n checkpoint@keyrite -s checkpoint-1.administrator-1.sig <checkpoint-1",
            &[3, 4],
        ),
        (
            "extend",
            "the TPM's index holds the digest of all lines up to each seal",
            "openssl dgst -sha256 -verify ak.pem -signature checkpoint-1.extend.sig checkpoint-1.extend.attest",
            &[3],
        ),
        (
            "live",
            "the TPM is the same, and its counter is where the last seal left it",
            "keyrite-ceremony verify --anchor",
            &[1],
        ),
    ];
    Verification {
        claims: claims.into_iter().map(claim).collect(),
    }
}

/// The report.
pub fn report(log: &[u8], verification: &Verification) -> Report {
    Report::new(&Source {
        log,
        script: Some(SCRIPT),
        signatures: &BTreeMap::new(),
        verification,
    })
}
