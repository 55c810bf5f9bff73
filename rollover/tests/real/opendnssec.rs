//! OpenDNSSEC's enforcer through whole rollovers: it leaps from one of its own events to the next, and is proved after each.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::Utc;
use interchange::opendnssec::Listing;
use interchange::{RecordState, RecordStates};
use key_metadata::{Role, Span, Time};
use rollover::chain::Validators;
use rollover::histories::{Circumstances, opendnssec};
use rollover::prove::{Claim, Counterexample, Proof, prove};
use rollover::schedule::{Propagation, Signatures};
use sandbox::{SOFTHSM_MODULE, SoftHsm};

use crate::daemon::{Daemon, attempt, run, run_with, until};

const PACKAGE: &str = "opendnssec-enforcer-sqlite3";
const PIN: &str = "8642";
const ZONE: &str = "enforced.example";

const fn minutes(minutes: u32) -> Span {
    Span::from_seconds(minutes * 60)
}

/// What the policy below says.
const AROUND: Circumstances = Circumstances {
    ttl_dnskey: minutes(60),
    ttl_ds: minutes(60),
    ttl_zone: minutes(60),
    propagation: Propagation {
        zone: minutes(5),
        parent: minutes(5),
    },
    signatures: Signatures {
        zone: minutes(3 * 24 * 60),
        dnskey: minutes(3 * 24 * 60),
    },
    // Validity less Refresh.
    dsgn: minutes(11 * 24 * 60),
    registration_delay: minutes(24 * 60),
};

const POLICY: &str = "<KASP><Policy name=\"p\"><Description>-</Description><Signatures><Resign>PT2H</Resign><Refresh>P3D</Refresh>\
    <Validity><Default>P14D</Default><Denial>P14D</Denial></Validity><Jitter>PT0H</Jitter><InceptionOffset>PT1H</InceptionOffset>\
    <MaxZoneTTL>PT1H</MaxZoneTTL></Signatures><Denial><NSEC/></Denial>\
    <Keys><TTL>PT1H</TTL><RetireSafety>PT1H</RetireSafety><PublishSafety>PT1H</PublishSafety>\
    <KSK><Algorithm length=\"256\">13</Algorithm><Lifetime>P90D</Lifetime><Repository>SoftHSM</Repository></KSK>\
    <ZSK><Algorithm length=\"256\">13</Algorithm><Lifetime>P30D</Lifetime><Repository>SoftHSM</Repository></ZSK></Keys>\
    <Zone><PropagationDelay>PT5M</PropagationDelay><SOA><TTL>PT1H</TTL><Minimum>PT1H</Minimum><Serial>unixtime</Serial></SOA></Zone>\
    <Parent><PropagationDelay>PT5M</PropagationDelay><DS><TTL>PT1H</TTL></DS><SOA><TTL>PT1H</TTL><Minimum>PT5M</Minimum></SOA></Parent>\
    </Policy></KASP>";

struct Enforcer {
    folder: PathBuf,
    _daemon: Daemon,
}

impl Enforcer {
    fn start(folder: &Path) -> Self {
        let folder = fs::canonicalize(folder).unwrap();
        let softhsm = SoftHsm::new(&folder).unwrap();
        let configuration = (
            "SOFTHSM2_CONF",
            softhsm.configuration().to_str().unwrap().to_owned(),
        );
        let init = [
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            "ods",
            "--pin",
            PIN,
            "--so-pin",
            PIN,
        ];
        run_with("softhsm2", &folder, &[(configuration.0, &configuration.1)], &init);
        for name in ["enforcer", "signer"] {
            fs::create_dir(folder.join(name)).unwrap();
        }
        let shown = folder.display();
        let write = |name: &str, text: &str| {
            fs::write(
                folder.join(name),
                format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}"),
            )
            .unwrap();
        };
        write("zonelist.xml", "<ZoneList/>");
        write("kasp.xml", POLICY);
        write(
            "conf.xml",
            &format!(
                "<Configuration><RepositoryList><Repository name=\"SoftHSM\"><Module>{SOFTHSM_MODULE}</Module><TokenLabel>ods</TokenLabel>\
                 <PIN>{PIN}</PIN><SkipPublicKey/></Repository></RepositoryList><Common><Logging><Syslog><Facility>local0</Facility></Syslog>\
                 </Logging><PolicyFile>{shown}/kasp.xml</PolicyFile><ZoneListFile>{shown}/zonelist.xml</ZoneListFile></Common>\
                 <Enforcer><PidFile>{shown}/enforcer.pid</PidFile><SocketFile>{shown}/enforcer.sock</SocketFile>\
                 <Datastore><SQLite>{shown}/kasp.db</SQLite></Datastore><AutomaticKeyGenerationPeriod>P100D</AutomaticKeyGenerationPeriod>\
                 <WorkingDirectory>{shown}/enforcer</WorkingDirectory></Enforcer>\
                 <Signer><WorkingDirectory>{shown}/signer</WorkingDirectory><WorkerThreads>1</WorkerThreads></Signer></Configuration>"
            ),
        );
        let schema = ".read /usr/share/opendnssec/schema.sqlite";
        let version = "INSERT INTO databaseVersion (version) VALUES (1)";
        run(
            "sqlite3",
            &folder,
            &["sqlite3", "-bail", "kasp.db", schema, version],
        );
        let log = folder.join("log");
        let configuration_file = folder.join("conf.xml");
        let argv = [
            "ods-enforcerd",
            "-d",
            "--set-time",
            "2026-11-23-12:00:00",
            "-c",
            configuration_file.to_str().unwrap(),
        ];
        let daemon = Daemon::start_with(
            PACKAGE,
            &folder,
            &log,
            &[(configuration.0, &configuration.1)],
            &argv,
        );
        let enforcer = Self {
            folder,
            _daemon: daemon,
        };
        until("the enforcer", &log, || {
            enforcer.folder.join("enforcer.sock").exists().then_some(())
        });
        enforcer.ask("policy import");
        enforcer.ask(&format!("zone add --zone {ZONE} --policy p"));
        until("the first keys", &log, || {
            // A key that was made this moment has the state "(null)".
            let listing = Listing::parse(Path::new("list"), &enforcer.list()).ok()?;
            (listing.keys.len() >= 2).then_some(())
        });
        enforcer
    }

    fn ask(&self, command: &str) -> String {
        self.attempt(command)
            .unwrap_or_else(|told| panic!("{command}: {told}"))
    }

    fn attempt(&self, command: &str) -> Result<String, String> {
        let argv = ["ods-enforcer", "-s", "enforcer.sock"].into_iter();
        let argv: Vec<_> = argv.chain(command.split(' ')).collect();
        let told = attempt(PACKAGE, &self.folder, &[], &argv)?;
        let lines = told.lines().filter(|line| !line.starts_with("sock set to "));
        Ok(lines.map(|line| format!("{line}\n")).collect())
    }

    fn list(&self) -> String {
        self.ask("key list --verbose --parsable --all") + &self.ask("key list --debug --parsable --all")
    }

    fn listing(&self) -> Listing {
        parse(&self.list())
    }

    /// Tells it of the DS what it waits for; whether it waited.
    fn obey(&self) -> bool {
        let mut obeyed = false;
        for key in self.listing().keys {
            if let Some(what) = key.next.strip_prefix("waiting for ds-") {
                // Once it does not wait any more, or its database is being written to, it refuses.
                let command = format!("key ds-{what} --zone {ZONE} --cka_id {}", hex(&key.id));
                obeyed |= self.attempt(&command).is_ok();
            }
        }
        obeyed
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(text: &str) -> Listing {
    Listing::parse(Path::new("list"), text).unwrap()
}

fn proved(text: &str) -> Result<Proof, Vec<Counterexample>> {
    let now = Time::from(Utc::now());
    let reading = opendnssec::schedule(&ZONE.parse().unwrap(), &parse(text), &AROUND, now).unwrap();
    assert!(reading.assumptions.is_empty(), "{:?}", reading.assumptions);
    let claim = Claim {
        validators: Validators::Strict,
        since: now,
        trust_anchors: None,
    };
    prove(&reading.schedule, &claim).unwrap()
}

#[test]
fn the_enforcer_is_proved_after_each_of_its_events() {
    let folder = tempfile::tempdir().unwrap();
    let enforcer = Enforcer::start(folder.path());
    let mut withdrawing = None;
    for event in 0.. {
        assert!(event < 60, "no KSK was rolled: {}", enforcer.list());
        let text = enforcer.list();
        if let Err(found) = proved(&text) {
            panic!("event {event}: {found:#?}\n{text}");
        }
        let listing = parse(&text);
        let is_there = |is: fn(&RecordStates) -> Option<RecordState>, state| {
            let ksks = listing.records.iter().filter(|key| key.role == Role::Ksk);
            ksks.filter(|key| is(&key.records) == Some(state)).count() > 0
        };
        if is_there(|records| records.ds.state, RecordState::Unretentive) {
            withdrawing = Some(text.clone());
        } else if withdrawing.is_some() && is_there(|records| records.dnskey.state, RecordState::Hidden) {
            break;
        }
        if !enforcer.obey() {
            enforcer.ask("time leap --attach");
        }
    }
    // The same list with the old KSK's DNSKEY on its way out already, while caches have its DS.
    let text = withdrawing.unwrap();
    proved(&text).unwrap();
    let early = text.replace(
        ";KSK;unretentive;omnipresent;omnipresent;",
        ";KSK;unretentive;unretentive;unretentive;",
    );
    assert_ne!(early, text);
    proved(&early).unwrap_err();
}
