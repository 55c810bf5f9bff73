//! Whole rollovers of named, by Keyrite's own policies, in seconds: between one look of named at its keys and the next their files are aged, so
//! that named finds itself at the time for which it had planned the next look.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{NaiveDateTime, TimeDelta, Utc};
use interchange::RecordState;
use key_metadata::policy::SHIPPED;
use key_metadata::{Policy, Role, Span, Time};
use rollover::chain::Validators;
use rollover::histories::{Circumstances, bind};
use rollover::prove::{Claim, prove};
use rollover::schedule::Signatures;

use crate::named::Named;

/// BIND renews a signature when this is left: by its own ratio of 5 to 14 days (signatures-refresh to signatures-validity), or a day longer than a
/// cache can have it (S1).
fn refresh(policy: &Policy) -> Span {
    let own = policy.signatures.validity.seconds() / 14 * 5;
    let needed = policy.zone.max_ttl.seconds() + policy.zone.propagation_delay.seconds() + 86_400;
    Span::from_seconds(own.max(needed))
}

/// A policy of ours in BIND's words. A KSK is rolled after two ZSKs, so that a run ends.
fn in_words_of_bind(policy: &Policy) -> String {
    let seconds = |span: Span| format!("PT{}S", span.seconds());
    let mut keys = String::new();
    let zsk = policy.key(Role::Zsk).map(|key| key.lifetime.seconds());
    for role in Role::ALL {
        let Some(key) = policy.key(role) else { continue };
        let most = zsk.map_or(u32::MAX, |zsk| zsk.saturating_mul(2));
        let lifetime = Span::from_seconds(key.lifetime.seconds().min(most));
        let bits = key.bits.map_or_else(String::new, |bits| bits.to_string());
        keys += &format!(
            "{} lifetime {} algorithm {} {bits}; ",
            role.to_string().to_lowercase(),
            seconds(lifetime),
            key.algorithm.number()
        );
    }
    format!(
        "keys {{ {keys}}}; purge-keys 0; dnskey-ttl {}; max-zone-ttl {}; zone-propagation-delay {}; parent-ds-ttl {};\n\
         parent-propagation-delay {}; publish-safety {}; retire-safety {}; signatures-validity {}; signatures-validity-dnskey {};\n\
         signatures-refresh {};\n",
        seconds(policy.dnskey_ttl),
        seconds(policy.zone.max_ttl),
        seconds(policy.zone.propagation_delay),
        seconds(policy.parent.ds_ttl),
        seconds(policy.parent.propagation_delay),
        seconds(policy.safety.publish),
        seconds(policy.safety.retire),
        seconds(policy.signatures.validity),
        seconds(policy.signatures.validity),
        seconds(refresh(policy)),
    )
}

/// What named goes by, of the same figures.
fn circumstances(policy: &Policy) -> Circumstances {
    let left = refresh(policy);
    Circumstances {
        dsgn: Span::from_seconds(policy.signatures.validity.seconds() - left.seconds()),
        signatures: Signatures {
            zone: left,
            dnskey: left,
        },
        ..Circumstances::of_policy(policy)
    }
}

/// Copies the files of keys, with all their times that much later; or ages them where they are.
fn shift(from: &Path, to: &Path, seconds: i64) {
    const FORM: &str = "%Y%m%d%H%M%S";
    let moved = |word: &str| {
        let time = NaiveDateTime::parse_from_str(word, FORM)
            .ok()
            .filter(|_| word.len() == 14);
        time.map(|time| (time + TimeDelta::seconds(seconds)).format(FORM).to_string())
    };
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_string_lossy().starts_with('K') {
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        let lines = text.lines().map(|line| {
            let words: Vec<String> = line
                .split(' ')
                .map(|word| moved(word).unwrap_or_else(|| word.to_owned()))
                .collect();
            words.join(" ") + "\n"
        });
        fs::write(to.join(entry.file_name()), lines.collect::<String>()).unwrap();
    }
}

/// A zone under named, at a time that is ahead of the clock.
struct Aged<'a> {
    named: &'a Named,
    zone: &'a str,
    ahead: i64,
    next: Time,
}

impl Aged<'_> {
    fn now(&self) -> Time {
        Time::from(Utc::now() + TimeDelta::seconds(self.ahead))
    }

    /// Ages the keys to the time at which named wants to look at them, and has it look.
    fn go_on(&mut self) {
        let seconds = self.next.unix_seconds() - Utc::now().timestamp();
        let folder = self.named.keys(self.zone);
        shift(&folder, &folder, -seconds);
        self.ahead += seconds;
        self.look();
    }

    fn look(&mut self) {
        let looks = self.named.looks(self.zone);
        self.named.rndc(&["loadkeys", self.zone]);
        self.next = self.named.key_event(self.zone, looks);
    }

    /// The keys, with the times that they would have.
    fn keys(&self) -> Vec<interchange::ForeignKey> {
        let folder = tempfile::tempdir().unwrap();
        shift(&self.named.keys(self.zone), folder.path(), self.ahead);
        interchange::bind::read_folder(folder.path(), &self.zone.parse().unwrap())
            .unwrap()
            .keys
    }

    /// Does with the DS what the CDS ask for, and says so. Whether there was anything to do.
    fn obey_cds(&mut self) -> bool {
        let mut done = false;
        for key in self.keys().iter().filter(|key| key.role.signs_dnskey()) {
            let (tag, is) = (key.key_tag().to_string(), key.records.ds.state);
            let told = |event| key.times.get(event).is_some();
            let word = match is {
                Some(RecordState::Rumoured) if !told(interchange::Event::DsSeen) => "published",
                Some(RecordState::Unretentive) if !told(interchange::Event::DsGone) => "withdrawn",
                Some(_) | None => continue,
            };
            self.named
                .rndc(&["dnssec", "-checkds", "-key", &tag, word, self.zone]);
            done = true;
        }
        done
    }
}

fn claim(since: Time) -> Claim {
    Claim {
        validators: Validators::Strict,
        since,
        trust_anchors: None,
    }
}

/// How often named looks at the keys until a KSK was rolled, at most.
const MOST_LOOKS: usize = 60;

#[test]
fn named_is_proved_by_its_own_timings_for_every_policy_that_is_shipped() {
    let start = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let policies = SHIPPED.map(|(name, text)| (format!("{name}.example"), Policy::from_yaml(text).unwrap()));
    let zones: Vec<_> = policies
        .iter()
        .map(|(zone, policy)| {
            (
                zone.as_str(),
                in_words_of_bind(policy),
                policy.zone.max_ttl.seconds(),
            )
        })
        .collect();
    let zones: Vec<_> = zones
        .iter()
        .map(|(zone, words, ttl)| (*zone, words.as_str(), *ttl))
        .collect();
    let named = Named::start(folder.path(), &zones);
    for (zone, policy) in &policies {
        follow(&named, zone, policy);
    }
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

fn follow(named: &Named, zone: &str, policy: &Policy) {
    let around = circumstances(policy);
    let read = |keys: &[interchange::ForeignKey], around: Circumstances, now| {
        bind::schedule(&zone.parse().unwrap(), keys, &around, now).unwrap()
    };
    let mut aged = Aged {
        named,
        zone,
        ahead: 0,
        next: named.key_event(zone, 0),
    };
    let begin = aged.now();
    let mut withdrawing = None;
    let mut proved = 0;
    for look in 0.. {
        assert!(look < MOST_LOOKS, "{zone}: no KSK was rolled");
        let (keys, now) = (aged.keys(), aged.now());
        // From the first day on, and whatever is planned.
        let reading = read(&keys, around, now);
        let verdict = prove(&reading.schedule, &claim(begin)).unwrap();
        if let Err(found) = &verdict {
            let told: Vec<_> = found.iter().map(|found| found.tell(&reading.schedule)).collect();
            panic!("{zone}, look {look}, {now}: {told:#?}");
        }
        proved += verdict.unwrap().mixes;
        let of = |key: &interchange::ForeignKey, state| {
            key.role.signs_dnskey() && key.records.dnskey.state == Some(state)
        };
        if keys.iter().any(|key| of(key, RecordState::Unretentive)) {
            withdrawing = Some((keys, now));
        } else if withdrawing.is_some() && keys.iter().any(|key| of(key, RecordState::Hidden)) {
            break;
        }
        if aged.obey_cds() {
            aged.look();
        }
        aged.go_on();
    }
    assert!(proved > 20, "{proved}");
    // named waits DprpP + TTLds + Rsafe (K3), for a CSK longer: Dsgn + Dprp + TTLsig + Rsafe (C1). A TTL that is longer by Rsafe than it was told is
    // still safe, and seconds more are not.
    let (keys, now) = withdrawing.unwrap();
    let with_ttl = |seconds: u32| {
        let longer = |ttl: Span| Span::from_seconds(ttl.seconds() + policy.safety.retire.seconds() + seconds);
        let mut around = around;
        match policy.key(Role::Csk) {
            Some(_) => around.ttl_zone = longer(around.ttl_zone),
            None => around.ttl_ds = longer(around.ttl_ds),
        }
        let reading = read(&keys, around, now);
        (prove(&reading.schedule, &claim(now)).unwrap(), reading.schedule)
    };
    let (late, _) = with_ttl(0);
    assert!(late.is_ok(), "{zone}: {late:?}");
    // A second of named's own clock is between the DS and its look.
    let (early, schedule) = with_ttl(3);
    let found = early.unwrap_err();
    let delay = found[0].delay.unwrap();
    assert!(
        schedule.cause_name(delay.cause).contains("is removed"),
        "{}",
        found[0].tell(&schedule)
    );
}
