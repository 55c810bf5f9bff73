//! opendnssec-enforcer-sqlite3: the enforcer with a database of its own, and ods-enforcer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use interchange::opendnssec::{ListedState, Listing, import, key_import};
use interchange::{Import, PrivatePart, RecordState, records};
use key_metadata::{Algorithm, KeyState, Role, ZoneName};
use sandbox::SOFTHSM_MODULE;

use crate::tool::{PIN, TOKEN, Token, record, run, succeed, time, zone};

const PACKAGE: &str = "opendnssec-enforcer-sqlite3";

/// An enforcer at work, with a zone for each of some policies; gone when dropped.
struct Enforcer {
    folder: PathBuf,
    token: Token,
    daemon: Child,
}

/// A zone of the policy's name, and the keys of the policy: role, algorithm, size.
type Zones<'a> = [(&'a str, &'a [(Role, u8, u16)])];

impl Enforcer {
    fn new(folder: &Path, zones: &Zones<'_>) -> Self {
        let folder = fs::canonicalize(folder).unwrap();
        let token = Token::new(&folder);
        for name in ["enforcer", "signer", "unsigned", "signed"] {
            fs::create_dir(folder.join(name)).unwrap();
        }
        let shown = folder.display();
        let write = |name: &str, text: String| {
            fs::write(
                folder.join(name),
                format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}"),
            )
            .unwrap()
        };
        write("zonelist.xml", "<ZoneList/>".to_owned());
        write(
            "kasp.xml",
            format!(
                "<KASP>{}</KASP>",
                zones
                    .iter()
                    .map(|(name, keys)| policy(name, keys))
                    .collect::<String>()
            ),
        );
        write(
            "conf.xml",
            format!(
                "<Configuration><RepositoryList><Repository name=\"SoftHSM\"><Module>{SOFTHSM_MODULE}</Module><TokenLabel>{TOKEN}</TokenLabel>\
                 <PIN>{PIN}</PIN><SkipPublicKey/></Repository></RepositoryList>\
                 <Common><Logging><Syslog><Facility>local0</Facility></Syslog></Logging>\
                 <PolicyFile>{shown}/kasp.xml</PolicyFile><ZoneListFile>{shown}/zonelist.xml</ZoneListFile></Common>\
                 <Enforcer><PidFile>{shown}/enforcer.pid</PidFile><SocketFile>{shown}/enforcer.sock</SocketFile>\
                 <Datastore><SQLite>{shown}/kasp.db</SQLite></Datastore><ManualKeyGeneration/>\
                 <WorkingDirectory>{shown}/enforcer</WorkingDirectory></Enforcer>\
                 <Signer><WorkingDirectory>{shown}/signer</WorkingDirectory><WorkerThreads>1</WorkerThreads></Signer></Configuration>"
            ),
        );
        // What ods-enforcer-db-setup does to the one database that it knows.
        let schema = "/usr/share/opendnssec/schema.sqlite";
        assert!(
            Path::new(schema).exists(),
            "the enforcer's schema is missing; install the Debian package opendnssec-common"
        );
        let steps = [
            "sqlite3",
            "-bail",
            "kasp.db",
            &format!(".read {schema}"),
            "INSERT INTO databaseVersion (version) VALUES (1)",
        ];
        succeed("sqlite3", &folder, None, &steps);
        let daemon = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "ods-enforcerd", "-d", "--set-time", "2026-11-23-12:00:00", "-c"])
            .arg(folder.join("conf.xml"))
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("TZ", "UTC")
            .env("SOFTHSM2_CONF", &token.configuration)
            .stdin(Stdio::null())
            .stdout(fs::File::create(folder.join("log")).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("setpriv or ods-enforcerd cannot be run: {error}; install the Debian packages util-linux and {PACKAGE}"));
        let mut enforcer = Self {
            folder,
            token,
            daemon,
        };
        enforcer.wait();
        enforcer.ask("policy import");
        for (name, _) in zones {
            enforcer.ask(&format!("zone add --zone {name} --policy {name}"));
        }
        enforcer
    }

    fn wait(&mut self) {
        let start = Instant::now();
        while !run(
            PACKAGE,
            &self.folder,
            None,
            &["ods-enforcer", "-s", "enforcer.sock", "running"],
        )
        .status
        .success()
        {
            let ended = self.daemon.try_wait().unwrap();
            let log = fs::read_to_string(self.folder.join("log")).unwrap();
            assert!(
                ended.is_none() && start.elapsed() < Duration::from_secs(30),
                "the enforcer did not start: {ended:?} {log}; install the Debian package {PACKAGE}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("enforcer.sock")
    }

    fn ask(&self, command: &str) -> String {
        let argv = [
            &["ods-enforcer", "-s", "enforcer.sock"],
            &command.split(' ').collect::<Vec<_>>()[..],
        ]
        .concat();
        without_greeting(&succeed(PACKAGE, &self.folder, None, &argv))
    }

    /// Runs a command of ours by a shell, as its line says.
    fn obey(&self, command: &interchange::Command) -> String {
        without_greeting(&succeed(
            PACKAGE,
            &self.folder,
            None,
            &["sh", "-c", &command.to_string()],
        ))
    }

    fn import(&self, zones: &[ZoneName], list: &[&str]) -> Import {
        let mut known = Vec::new();
        for zone in zones {
            for role in Role::ALL {
                for state in ["generate", "publish", "ready", "active", "retire", "mixed"] {
                    let text = self.ask(&format!(
                        "key export --zone {zone} --keytype {role} --keystate {state}"
                    ));
                    known.extend(records::read(Path::new("export"), &text).unwrap().0);
                }
            }
        }
        let text: String = list.iter().map(|command| self.ask(command)).collect();
        import(Listing::parse(Path::new("list"), &text).unwrap(), &known).unwrap()
    }
}

impl Drop for Enforcer {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// With `-s`, the client says first where it connects to.
fn without_greeting(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("sock set to "));
    lines.map(|line| format!("{line}\n")).collect()
}

fn policy(name: &str, keys: &[(Role, u8, u16)]) -> String {
    let keys: String = keys
        .iter()
        .map(|(role, algorithm, bits)| format!("<{role}><Algorithm length=\"{bits}\">{algorithm}</Algorithm><Lifetime>P90D</Lifetime><Repository>SoftHSM</Repository></{role}>"))
        .collect();
    format!(
        "<Policy name=\"{name}\"><Description>-</Description><Signatures><Resign>PT2H</Resign><Refresh>P3D</Refresh>\
         <Validity><Default>P14D</Default><Denial>P14D</Denial></Validity><Jitter>PT12H</Jitter><InceptionOffset>PT1H</InceptionOffset></Signatures>\
         <Denial><NSEC/></Denial><Keys><TTL>PT1H</TTL><RetireSafety>PT1H</RetireSafety><PublishSafety>PT1H</PublishSafety>{keys}</Keys>\
         <Zone><PropagationDelay>PT5M</PropagationDelay><SOA><TTL>PT1H</TTL><Minimum>PT1H</Minimum><Serial>unixtime</Serial></SOA></Zone>\
         <Parent><PropagationDelay>PT5M</PropagationDelay><DS><TTL>PT1H</TTL></DS><SOA><TTL>PT1H</TTL><Minimum>PT5M</Minimum></SOA></Parent></Policy>"
    )
}

#[test]
fn token_keys_go_to_the_enforcer_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let p256: &[(Role, u8, u16)] = &[(Role::Ksk, 13, 256), (Role::Zsk, 13, 256)];
    let rsa: &[(Role, u8, u16)] = &[(Role::Ksk, 8, 2048), (Role::Zsk, 8, 2048)];
    let rsa512: &[(Role, u8, u16)] = &[(Role::Ksk, 10, 2048), (Role::Zsk, 10, 2048)];
    let zones: &Zones<'_> = &[
        ("p256.example", p256),
        ("rsa.example", rsa),
        ("rsa512.example", rsa512),
        ("csk.example", &[(Role::Csk, 15, 256)]),
        ("p384.example", &[(Role::Csk, 14, 384)]),
    ];
    let enforcer = Enforcer::new(folder.path(), zones);
    let wished = [
        (
            "p256.example",
            Role::Ksk,
            Algorithm::EcdsaP256Sha256,
            KeyState::Active,
        ),
        (
            "p256.example",
            Role::Zsk,
            Algorithm::EcdsaP256Sha256,
            KeyState::Ready,
        ),
        (
            "p256.example",
            Role::Zsk,
            Algorithm::EcdsaP256Sha256,
            KeyState::Generated,
        ),
        (
            "rsa.example",
            Role::Ksk,
            Algorithm::RsaSha256,
            KeyState::Published,
        ),
        (
            "rsa512.example",
            Role::Zsk,
            Algorithm::RsaSha512,
            KeyState::Retired,
        ),
        ("csk.example", Role::Csk, Algorithm::Ed25519, KeyState::Active),
        (
            "p384.example",
            Role::Csk,
            Algorithm::EcdsaP384Sha384,
            KeyState::Published,
        ),
    ];
    let mut all = Vec::new();
    for (last, (name, role, algorithm, state)) in (1..).zip(wished) {
        let (id, public_key) = enforcer.token.generate(last, algorithm);
        let record = record(id, public_key, role, state);
        let command = key_import(&zone(name), &record, "SoftHSM", Some(&enforcer.socket())).unwrap();
        let told = enforcer.obey(&command);
        assert!(
            told.contains(&format!("Key imported into zone {name}")),
            "{command}: {told}"
        );
        assert!(!command.to_string().contains(PIN));
        assert_eq!(
            command
                .lost
                .iter()
                .any(|lost| lost.field.starts_with("DS of key")),
            role == Role::Csk
        );
        all.push((zone(name), record));
    }
    let zones: Vec<ZoneName> = zones.iter().map(|(name, _)| zone(name)).collect();
    let by_table = enforcer.import(&zones, &["key list --verbose --all"]);
    let import = enforcer.import(
        &zones,
        &[
            "key list --verbose --parsable --all",
            "key list --debug --parsable --all",
        ],
    );
    assert_eq!((by_table.keys.len(), import.keys.len()), (all.len(), all.len()));
    for (zone, record) in &all {
        for import in [&by_table, &import] {
            let key = import
                .keys
                .iter()
                .find(|key| key.public_key == record.public_key)
                .unwrap();
            assert_eq!(
                (&key.zone, key.role, key.key_tag(), key.ttl),
                (zone, record.role, record.key_tag(), Some(3600))
            );
            let PrivatePart::Keystore { id, repository } = &key.private else {
                panic!("{key:?}")
            };
            assert_eq!(
                (id.as_slice(), repository.as_deref()),
                (&record.id.as_bytes()[..], Some("SoftHSM"))
            );
            // It imports no DS of a CSK, which is then mixed for ever; everything else is as it was told.
            let expected = if record.role == Role::Csk {
                KeyState::Published
            } else {
                record.state
            };
            assert_eq!(
                key.state,
                Some(expected),
                "{zone} {} {}",
                record.role,
                record.state
            );
            let mixed = format!("state of key {}", record.key_tag());
            assert_eq!(
                import.lost.iter().any(|lost| lost.field == mixed),
                record.role == Role::Csk
            );
        }
        let key = import
            .keys
            .iter()
            .find(|key| key.public_key == record.public_key)
            .unwrap();
        assert_ne!(key.records.dnskey.state, None);
        assert!(by_table.keys.iter().all(|key| key.records.is_empty()));
        let now = time("2026-11-24T00:00:00Z");
        assert_eq!(
            key.life(now).times.of(key.state.unwrap()),
            Some(now),
            "the enforcer prints no times"
        );
    }
    // Nothing is passed over in silence: what is next, and two figures of the other list.
    assert_eq!(
        by_table
            .lost
            .iter()
            .filter(|lost| lost.field.starts_with("next transition"))
            .count(),
        all.len()
    );
    assert_eq!(
        import
            .lost
            .iter()
            .filter(|lost| ["Pub", "Act"].contains(&lost.field.as_str()))
            .count(),
        2 * all.len()
    );
}

#[test]
fn what_the_enforcer_refuses_is_not_said_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let token = Token::new(folder.path());
    let (id, public_key) = token.generate(1, Algorithm::EcdsaP256Sha256);
    let of = |state| record(id, public_key.clone(), Role::Ksk, state);
    let refused = |record: &key_metadata::KeyRecord, repository: &str| {
        key_import(&zone("a.example"), record, repository, None)
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&of(KeyState::Revoked), "r").ends_with("is revoked, which OpenDNSSEC has no word for"));
    assert!(refused(&of(KeyState::Removed), "r").ends_with("is removed, which OpenDNSSEC has no word for"));
    assert!(refused(&of(KeyState::Active), "a b").starts_with("'a b' cannot be written"));
    let mut in_tpm = of(KeyState::Active);
    in_tpm.reference = "tpm2:chip".parse().unwrap();
    assert!(refused(&in_tpm, "r").ends_with("is not in a PKCS#11 token, so OpenDNSSEC cannot use it"));
    let command = key_import(&zone("a.example"), &of(KeyState::Active), "r", None).unwrap();
    assert_eq!(
        command.to_string(),
        "ods-enforcer key import --zone a.example --cka_id 01010101010101010101010101010101 --repository r --bits 256 --algorithm 13 \
         --keystate active --keytype KSK --inception_time 2026-11-23-04:00:00"
    );
    assert_eq!(command.lost.len(), 3, "generated, published and ready");
}

#[test]
fn the_lists_of_the_enforcer_are_read_in_each_form() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/opendnssec");
    let read = |name: &str| {
        Listing::parse(
            &corpus.join(name),
            &fs::read_to_string(corpus.join(name)).unwrap(),
        )
        .unwrap()
    };
    let keys = read("verbose-parsable.txt").keys;
    assert_eq!(
        (keys.len(), keys[1].next.as_str(), keys[3].state),
        (4, "waiting for ds-seen", ListedState::Mixed)
    );
    assert_eq!(read("verbose-table.txt").keys[0], keys[1]);
    let records = read("debug-parsable.txt").records;
    assert_eq!(
        (records[1].records.ds.state, records[0].records.ds.state),
        (Some(RecordState::Hidden), None)
    );
    for (line, says) in [
        ("a.example;KSK;publish;now;256;13;00;r", "line 1, line"),
        ("a.example;KSK;seen;now;256;13;00;r;1", "line 1, State"),
        ("a.example;KSK;publish;now;x;13;00;r;1", "line 1, Size"),
        ("a.example;KSK;publish;now;256;13;0;r;1", "line 1, CKA_ID"),
        ("a.example;TSK;publish;now;256;13;00;r;1", "line 1, Keytype"),
        ("a..example;KSK;publish;now;256;13;00;r;1", "line 1, Zone"),
        ("a.example;KSK;publish;now;256;13;00;r;65536", "line 1, KeyTag"),
        ("a.example;KSK;hidden;gone;rumoured;NA;1;1;00", "line 1, DNSKEY"),
    ] {
        let error = Listing::parse(Path::new("list"), line).unwrap_err().to_string();
        assert!(error.contains(says), "{line}: {error}");
    }
}
