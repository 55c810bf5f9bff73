//! Knot DNS: what it does that is not safe, what it does right, and whether its lists are read as what it serves.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::Utc;
use interchange::Event;
use interchange::knot::{ListedKey, Listing};
use key_metadata::{Role, Span, Time, ZoneName};
use rollover::chain::Validators;
use rollover::histories::{Circumstances, Reading, knot};
use rollover::prove::{Claim, Counterexample, Proof, prove};
use rollover::schedule::{KeyIndex, Propagation, Signatures};

use crate::daemon::{Daemon, attempt, free_port, run, until};
use crate::served::{self, Sample};

const ZONE: &str = "child.example";
const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;

/// TTLs of an hour in the zone's keys and a day elsewhere, an hour for each propagation.
fn a_day() -> Circumstances {
    let (hour, day) = (Span::from_seconds(HOUR), Span::from_seconds(DAY));
    Circumstances {
        ttl_dnskey: hour,
        ttl_ds: day,
        ttl_zone: day,
        propagation: Propagation {
            zone: hour,
            parent: hour,
        },
        signatures: Signatures {
            zone: Span::from_seconds(5 * DAY),
            dnskey: Span::from_seconds(5 * DAY),
        },
        dsgn: Span::from_seconds(0),
        registration_delay: day,
    }
}

/// A second of each.
fn a_second() -> Circumstances {
    let second = Span::from_seconds(1);
    Circumstances {
        ttl_dnskey: second,
        ttl_ds: second,
        ttl_zone: second,
        propagation: Propagation {
            zone: second,
            parent: second,
        },
        ..a_day()
    }
}

/// A second of each in the zone, and a parent that takes an hour and whose DS is kept for a day.
fn a_slow_parent() -> Circumstances {
    let (mut around, day) = (a_second(), a_day());
    around.ttl_ds = day.ttl_ds;
    around.propagation.parent = day.propagation.parent;
    around
}

/// A folder with a configuration: zone `child.example`, signed, and its parent `example`.
struct Knot {
    folder: PathBuf,
    port: u16,
    daemon: Option<Daemon>,
}

impl Knot {
    fn new(folder: &Path, policy: &str, submission: &str) -> Self {
        let folder = fs::canonicalize(folder).unwrap();
        let port = free_port();
        let shown = folder.display();
        let user = run("coreutils", &folder, &["id", "-un"]);
        let zones = "zonefile-sync: -1\n    zonefile-load: difference\n    journal-content: all\n";
        let text = format!(
            "server:\n  rundir: \"{shown}\"\n  listen: 127.0.0.1@{port}\n  user: {user}\
             log:\n  - target: stderr\n    any: info\ndatabase:\n  storage: \"{shown}/db\"\n{submission}\
             policy:\n  - id: p\n    algorithm: ecdsap256sha256\n{policy}\
             zone:\n  - domain: example\n    file: \"{shown}/parent.db\"\n    {zones}\
             \x20 - domain: {ZONE}\n    file: \"{shown}/child.db\"\n    dnssec-signing: on\n    dnssec-policy: p\n    {zones}"
        );
        fs::create_dir(folder.join("db")).unwrap();
        let records = "$TTL 1\n@ SOA ns h 1 3600 900 604800 1\n@ NS ns\nns A 127.0.0.1\n";
        fs::write(folder.join("child.db"), records).unwrap();
        fs::write(folder.join("parent.db"), format!("{records}child NS ns.child\n")).unwrap();
        let submission = submission.replace("PORT", &port.to_string());
        assert!(submission.is_empty() || text.contains("submission"));
        fs::write(folder.join("knot.conf"), text.replace("PORT", &port.to_string())).unwrap();
        Self {
            folder,
            port,
            daemon: None,
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.join("knotd.log")
    }

    fn start(&mut self) {
        let argv = ["knotd", "-c", "knot.conf"];
        self.daemon = Some(Daemon::start("knot", &self.folder, &self.log(), &argv));
        until("the server", &self.log(), || {
            let log = fs::read_to_string(self.log()).unwrap();
            log.contains(&format!("[{ZONE}.] DNSSEC, successfully signed"))
                .then_some(())
        });
        until("its socket", &self.log(), || {
            attempt("knot", &self.folder, &[], &["knotc", "-c", "knot.conf", "status"]).ok()
        });
    }

    fn keymgr(&self, argv: &[&str]) -> String {
        run(
            "knot",
            &self.folder,
            &[&["keymgr", "-c", "knot.conf"], argv].concat(),
        )
    }

    fn knotc(&self, argv: &[&str]) {
        let told = run(
            "knot",
            &self.folder,
            &[&["knotc", "-c", "knot.conf"], argv].concat(),
        );
        assert!(
            told.contains("OK") || told.contains("Reloaded"),
            "{argv:?}: {told}"
        );
    }

    fn list(&self) -> Vec<ListedKey> {
        let text = self.keymgr(&["-j", ZONE, "list"]);
        Listing::parse(Path::new("list"), &text).unwrap().keys
    }

    /// Waits until a KSK of the list is so.
    fn ksk(&self, what: &str, is: impl Fn(&ListedKey) -> bool) -> ListedKey {
        until(what, &self.log(), || {
            let keys = self.list();
            keys.into_iter().find(|key| key.role.signs_dnskey() && is(key))
        })
    }

    /// A zone that was signed and delegated long ago, whose KSK is rolled as far as its successor is ready. The successor.
    fn ready(&mut self) -> ListedKey {
        let old = ["publish=-90d", "ready=-90d", "active=-80d"];
        self.keymgr(&[&[ZONE, "generate", "ksk=yes"], &old[..]].concat());
        self.keymgr(&[ZONE, "generate", "ksk=no", "publish=-90d", "active=-90d"]);
        self.start();
        self.knotc(&["zone-key-rollover", ZONE, "ksk"]);
        self.ksk("a KSK that is ready", |key| {
            key.times.get(Event::Ready).is_some() && key.times.get(Event::Active).is_none()
        })
    }
}

const POLICY: &str = "    dnskey-ttl: 1\n    zone-max-ttl: 1\n    propagation-delay: 1\n    ksk-lifetime: 0\n    zsk-lifetime: 0\n";

fn now() -> Time {
    Time::from(Utc::now())
}

fn zone() -> ZoneName {
    ZONE.parse().unwrap()
}

fn proved(reading: &Reading, since: Time) -> Result<Proof, Vec<Counterexample>> {
    let claim = Claim {
        validators: Validators::Strict,
        since,
        trust_anchors: None,
    };
    prove(&reading.schedule, &claim).unwrap()
}

/// What is found of the removal of an old KSK at the time at which the new one became active.
fn removed_at_once(reading: &Reading, since: Time, old: u16, active: Time) {
    let schedule = &reading.schedule;
    let found = proved(reading, since).unwrap_err();
    let place = |label: &str| KeyIndex(schedule.keys.iter().position(|key| key.label == label).unwrap());
    let old_key = place(&format!("KSK {old}"));
    let first = &found[0];
    assert_eq!(first.at, active, "{}", first.tell(schedule));
    let [ds, dnskey, _] = first.mix.as_deref().unwrap();
    assert_eq!(ds.keys, [old_key].into());
    assert!(!dnskey.keys.contains(&old_key) && dnskey.keys.len() == 2);
    // K3: DprpP + TTLds.
    let delay = first.delay.unwrap();
    assert_eq!(delay.until, active.after(Span::from_seconds(25 * HOUR)));
    let step = schedule.cause_name(delay.cause);
    assert_eq!(step, format!("KSK {old} is removed"));
    let delayed = Reading {
        schedule: schedule.not_before(delay.cause, delay.until),
        assumptions: Vec::new(),
    };
    proved(&delayed, since).unwrap();
}

#[test]
fn a_confirmation_by_hand_removes_the_old_ksk_in_the_same_second() {
    std::thread::scope(|scope| {
        for (delete_delay, submission) in [
            ("    delete-delay: 1d\n", ""),
            ("", ""),
            // With a parent-delay of a day, too.
            (
                "    delete-delay: 1d\n    ksk-submission: s\n",
                SUBMISSION_OF_A_DAY,
            ),
        ] {
            scope.spawn(|| confirmed_by_hand(delete_delay, submission));
        }
    });
}

fn confirmed_by_hand(delete_delay: &str, submission: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut knot = Knot::new(folder.path(), &format!("{POLICY}{delete_delay}"), submission);
    let since = now();
    let new = knot.ready();
    let before = knot.list();
    let old = before
        .iter()
        .find(|key| key.role == Role::Ksk && key.id != new.id)
        .unwrap()
        .tag;
    // Until here all is well: the successor waits for its DS.
    let waiting = knot::schedule(&zone(), std::slice::from_ref(&before), &a_slow_parent(), now()).unwrap();
    proved(&waiting, since).unwrap();
    knot.knotc(&["zone-ksk-submitted", ZONE]);
    let active = knot
        .ksk("the new KSK", |key| {
            key.id == new.id && key.times.get(Event::Active).is_some()
        })
        .times
        .get(Event::Active)
        .unwrap();
    let after = until("the removal", &knot.log(), || {
        let keys = knot.list();
        let gone = |key: &ListedKey| key.tag != old || key.times.get(Event::Removed).is_some();
        keys.iter().all(gone).then_some(keys)
    });
    if delete_delay.is_empty() {
        // The key is forgotten: only both lists together tell that it was there.
        assert!(after.iter().all(|key| key.tag != old));
        let reading = knot::schedule(&zone(), &[before, after], &a_slow_parent(), now()).unwrap();
        assert_eq!(reading.assumptions.len(), 1);
        removed_at_once(&reading, since, old, active);
    } else {
        let removed = after.iter().find(|key| key.tag == old).unwrap();
        assert_eq!(removed.times.get(Event::Removed), Some(active));
        let reading = knot::schedule(&zone(), &[after], &a_slow_parent(), now()).unwrap();
        removed_at_once(&reading, since, old, active);
    }
}

const SUBMISSION_OF_A_DAY: &str = "remote:\n  - id: parent\n    address: 127.0.0.1@PORT\n\
    submission:\n  - id: s\n    parent: parent\n    check-interval: 1\n    parent-delay: 1d\n";

#[test]
fn a_ds_that_knot_sees_itself_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let policy = format!("{POLICY}    delete-delay: 1d\n    ksk-submission: s\n");
    let submission = SUBMISSION_OF_A_DAY.replace("1d", "4");
    let mut knot = Knot::new(folder.path(), &policy, &submission);
    let since = now();
    let new = knot.ready();
    let ds = knot.keymgr(&[ZONE, "ds", &new.tag.to_string()]);
    let ds = ds.lines().find(|line| line.contains(" 13 2 ")).unwrap();
    let words: Vec<_> = ds.split_once(" DS ").unwrap().1.split(' ').collect();
    knot.knotc(&["zone-begin", "example"]);
    knot.knotc(&[&["zone-set", "example", "child", "1", "DS"], &words[..]].concat());
    knot.knotc(&["zone-commit", "example"]);
    let old = knot.ksk("the old KSK with a time to go", |key| {
        key.id != new.id && key.times.get(Event::Removed).is_some()
    });
    let active = knot
        .ksk("the new KSK", |key| key.id == new.id)
        .times
        .get(Event::Active)
        .unwrap();
    // parent-delay and propagation-delay.
    let waits = old.times.get(Event::Removed).unwrap().since(active);
    assert_eq!(waits, Span::from_seconds(5));
    let list = knot.list();
    let with_ttl = |seconds| {
        let around = Circumstances {
            ttl_ds: Span::from_seconds(seconds),
            ..a_second()
        };
        proved(
            &knot::schedule(&zone(), std::slice::from_ref(&list), &around, now()).unwrap(),
            since,
        )
    };
    with_ttl(4).unwrap();
    with_ttl(5).unwrap_err();
}

#[test]
fn the_first_pregenerate_leaves_an_hour_where_a_day_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "    offline-ksk: on\n    dnskey-ttl: 1h\n    zone-max-ttl: 1d\n    propagation-delay: 1h\n    zsk-lifetime: 30d\n    \
                  delete-delay: 90d\n";
    let since = now();
    let pregenerated = |first: &[&str]| {
        let folder = tempfile::tempdir_in(folder.path()).unwrap();
        let knot = Knot::new(folder.path(), policy, "");
        for argument in first {
            knot.keymgr(&[ZONE, "pregenerate", argument]);
        }
        let mut keys = knot.list();
        keys.sort_by_key(|key| key.times.get(Event::Published));
        let reading = knot::schedule(&zone(), &[keys.clone()], &a_day(), now()).unwrap();
        let waits =
            |key: &ListedKey, from, to| key.times.get(to).unwrap().since(key.times.get(from).unwrap());
        let ipub = waits(&keys[1], Event::Published, Event::Active);
        let iret = waits(&keys[0], Event::Retired, Event::Removed);
        (keys, reading, [ipub, iret].map(|span| span.to_string()))
    };
    // Ipub = Dprp + TTLkey = 2 h, Iret = Dprp + TTLsig = 25 h; the TTLs that it saved are 0 until it has made a key.
    let (keys, reading, waits) = pregenerated(&["+3mo"]);
    assert_eq!(waits, ["1h", "1h"]);
    assert_eq!(
        reading.assumptions,
        ["there is no KSK here: one is taken to have been there all along, and to stay"]
    );
    let found = proved(&reading, since).unwrap_err();
    let steps: Vec<_> = found
        .iter()
        .filter_map(|found| found.delay)
        .map(|delay| (reading.schedule.cause_name(delay.cause), delay.until))
        .collect();
    let [first, second] = [&keys[0], &keys[1]].map(|key| format!("ZSK {}", key.tag));
    let takes_over = format!("{second} begins to sign the zone, {first} ceases to sign the zone");
    let published = keys[1].times.get(Event::Published).unwrap();
    let retired = keys[0].times.get(Event::Retired).unwrap();
    let hours = |hours| Span::from_seconds(hours * HOUR);
    assert!(steps.contains(&(&takes_over, published.after(hours(2)))));
    assert!(steps.contains(&(&format!("{first} is removed"), retired.after(hours(25)))));
    // The second run knows the TTLs.
    let (_, reading, waits) = pregenerated(&["+1", "+3mo"]);
    assert_eq!(waits, ["2h", "1d1h"]);
    proved(&reading, since).unwrap();
}

/// A CSK rollover, then one to another algorithm, all the while asked what it serves.
#[test]
fn what_is_read_is_what_knot_served() {
    std::thread::scope(|scope| {
        for rolls in [Rolls::Csk, Rolls::Algorithm] {
            scope.spawn(move || served(rolls));
        }
    });
}

#[derive(Clone, Copy, PartialEq)]
enum Rolls {
    Csk,
    Algorithm,
}

impl Rolls {
    /// How many keys go.
    const fn keys(self) -> usize {
        match self {
            Self::Csk => 1,
            Self::Algorithm => 2,
        }
    }
}

fn served(rolls: Rolls) {
    let policy = match rolls {
        Rolls::Csk => "    single-type-signing: on\n",
        Rolls::Algorithm => "",
    };
    let folder = tempfile::tempdir().unwrap();
    let mut knot = Knot::new(
        folder.path(),
        &format!("{POLICY}    delete-delay: 1d\n{policy}"),
        "",
    );
    knot.start();
    knot.knotc(&["zone-ksk-submitted", ZONE]);
    sleep(Duration::from_secs(2));
    if rolls == Rolls::Csk {
        knot.knotc(&["zone-key-rollover", ZONE, "ksk"]);
    } else {
        let path = knot.folder.join("knot.conf");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("ecdsap256sha256", "ecdsap384sha384")).unwrap();
        knot.knotc(&["reload"]);
    }
    let mut samples = Vec::new();
    let mut submitted = false;
    let start = Instant::now();
    let list = loop {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "the rollover came to no end"
        );
        sleep(Duration::from_millis(100));
        samples.push(Sample::take(knot.port, ZONE));
        let list = knot.list();
        let has = |key: &ListedKey, event| key.times.get(event).is_some_and(|time| time <= now());
        let waits = list
            .iter()
            .any(|key| key.role.signs_dnskey() && has(key, Event::Ready) && !has(key, Event::Active));
        if waits && !submitted {
            sleep(Duration::from_secs(3));
            samples.push(Sample::take(knot.port, ZONE));
            knot.knotc(&["zone-ksk-submitted", ZONE]);
            submitted = true;
        }
        let gone = |key: &&ListedKey| {
            key.times
                .get(Event::Removed)
                .is_some_and(|removed| removed.after(Span::from_seconds(3)) < now())
        };
        if list.iter().filter(gone).count() == rolls.keys() {
            break list;
        }
    };
    let reading = knot::schedule(&zone(), std::slice::from_ref(&list), &a_second(), now()).unwrap();
    let tags: Vec<u16> = list.iter().map(|key| key.tag).collect();
    served::compare(&reading.schedule, &tags, &samples);
}
