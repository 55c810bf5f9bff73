//! Keys whose times somebody set by dnssec-keygen and dnssec-settime, without a dnssec-policy.

use std::path::Path;

use chrono::Utc;
use key_metadata::{Policy, Span, Time, policy::SHIPPED};
use rollover::chain::Validators;
use rollover::histories::{Circumstances, Reading, bind};
use rollover::prove::{Claim, Counterexample, Proof, prove};

use crate::daemon::run;

const ZONE: &str = "hand.example";
const DAY: u32 = 86_400;

/// The figures of the first policy that is shipped, and signatures that named replaces when they are due.
fn around() -> Circumstances {
    let (_, text) = SHIPPED[0];
    Circumstances {
        dsgn: Span::from_seconds(9 * DAY),
        ..Circumstances::of_policy(&Policy::from_yaml(text).unwrap())
    }
}

fn make(folder: &Path, argv: &[&str]) -> String {
    let told = run(
        "bind9-utils",
        folder,
        &[&["dnssec-keygen", "-q", "-K", "."], argv].concat(),
    );
    told.trim().to_owned()
}

fn set(folder: &Path, key: &str, argv: &[&str]) {
    run(
        "bind9-utils",
        folder,
        &[&["dnssec-settime", "-K", "."], argv, &[key]].concat(),
    );
}

/// That many seconds from now, as the tools take it: each of them would take a now of its own for `+10d`.
struct Now(Time);

impl Now {
    fn after(&self, seconds: u32) -> String {
        self.0
            .after(Span::from_seconds(seconds))
            .to_utc()
            .format("%Y%m%d%H%M%S")
            .to_string()
    }
}

fn read(folder: &Path) -> (Reading, Result<Proof, Vec<Counterexample>>) {
    let zone = ZONE.parse().unwrap();
    let now = Time::from(Utc::now());
    let keys = interchange::bind::read_folder(folder, &zone).unwrap().keys;
    let reading = bind::schedule(&zone, &keys, &around(), now).unwrap();
    let claim = Claim {
        validators: Validators::Strict,
        since: now,
        trust_anchors: None,
    };
    let verdict = prove(&reading.schedule, &claim).unwrap();
    (reading, verdict)
}

/// The steps that come too early, and by how much.
fn too_early(folder: &Path) -> Vec<(String, Span)> {
    let (reading, verdict) = read(folder);
    let schedule = &reading.schedule;
    let begins = |cause| {
        let events = schedule.keys.iter().flat_map(|key| key.events());
        events
            .filter(|event| event.cause == cause)
            .map(|event| event.from)
            .min()
            .unwrap()
    };
    let mut steps = Vec::new();
    for delay in verdict
        .err()
        .unwrap_or_default()
        .iter()
        .filter_map(|found| found.delay)
    {
        let step = schedule.cause_name(delay.cause).to_owned();
        steps.push((step, delay.until.since(begins(delay.cause))));
    }
    steps.sort();
    steps.dedup();
    steps
}

fn tag(key: &str) -> u16 {
    key.rsplit('+').next().unwrap().parse().unwrap()
}

#[test]
fn the_times_of_a_zsk_rollover_by_hand_are_proved_or_corrected() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, now) = (folder.path(), Now(Time::from(Utc::now())));
    let active = ["-a", "13", "-P", "-90d", "-A", "-90d"];
    make(folder, &[&active[..], &["-f", "KSK", ZONE]].concat());
    let old = make(folder, &[&active[..], &[ZONE]].concat());
    // A successor that is published an hour before it takes over, and a removal a day after that.
    set(
        folder,
        &old,
        &["-I", &now.after(10 * DAY), "-D", &now.after(11 * DAY)],
    );
    let new = make(folder, &["-S", &old, "-i", "3600"]);
    let [old_tag, new_tag] = [&old, &new].map(|key| tag(key));
    let takes_over = |step: &str| step.contains(&format!("ZSK {new_tag} begins to sign the zone"));
    let steps = too_early(folder);
    // Ipub = Dprp 1 h + TTLkey 1 h; Iret = Dsgn 9 d + Dprp 1 h + TTLsig 1 d.
    assert_eq!(steps.len(), 2, "{steps:?}");
    for (step, by) in &steps {
        let expected = match takes_over(step) {
            true => 3600,
            false => {
                assert_eq!(*step, format!("ZSK {old_tag} is removed"));
                9 * DAY + 3600
            }
        };
        assert_eq!(by.seconds(), expected, "{step}");
    }
    let (reading, _) = read(folder);
    assert_eq!(reading.assumptions.len(), 1, "{:?}", reading.assumptions);
    assert!(reading.assumptions[0].contains("nothing tells when the DS of KSK"));
    set(folder, &old, &["-D", &now.after(20 * DAY + 7200)]);
    assert!(too_early(folder).iter().all(|(step, _)| takes_over(step)));
    set(folder, &new, &["-P", &now.after(10 * DAY - 7200)]);
    assert_eq!(too_early(folder), []);
    read(folder).1.unwrap();
}

#[test]
fn a_ksk_that_goes_with_its_ds_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, now) = (folder.path(), Now(Time::from(Utc::now())));
    let active = ["-a", "13", "-P", "-90d", "-A", "-90d"];
    let old = make(folder, &[&active[..], &["-f", "KSK", ZONE]].concat());
    make(folder, &[&active[..], &[ZONE]].concat());
    // CDS of the new one from +10 d on, when the old one is not used any more; it takes the parent Dreg to obey.
    let new = make(
        folder,
        &[
            "-a",
            "13",
            "-f",
            "KSK",
            "-P",
            &now.after(DAY),
            "-A",
            &now.after(DAY),
            "-P",
            "sync",
            &now.after(10 * DAY),
            ZONE,
        ],
    );
    set(
        folder,
        &old,
        &[
            "-I",
            &now.after(10 * DAY),
            "-D",
            &now.after(11 * DAY),
            "-D",
            "sync",
            &now.after(10 * DAY),
        ],
    );
    // Dreg 2 d + DprpP 1 h + TTLds 1 d: so long it is needed, and has to sign the DNSKEY RRset, which named would cease to do when it is inactive.
    let needed = 3 * DAY + 3600;
    let label = format!("KSK {}", tag(&old));
    assert_eq!(
        too_early(folder),
        [
            (
                format!("{label} ceases to sign the DNSKEY RRset"),
                Span::from_seconds(needed)
            ),
            (format!("{label} is removed"), Span::from_seconds(needed - DAY)),
        ]
    );
    set(
        folder,
        &old,
        &["-I", &now.after(14 * DAY), "-D", &now.after(14 * DAY)],
    );
    read(folder).1.unwrap();
    // A Delete before Publish makes no schedule.
    set(folder, &new, &["-D", &now.after(3600)]);
    let keys = interchange::bind::read_folder(folder, &ZONE.parse().unwrap())
        .unwrap()
        .keys;
    let now = Time::from(Utc::now());
    let error = bind::schedule(&ZONE.parse().unwrap(), &keys, &around(), now).unwrap_err();
    assert!(error.to_string().contains("its DNSKEY goes at"), "{error}");
}
