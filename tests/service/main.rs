//! `keyrite-signer run` on real tokens: what changes is signed, and whatever goes away meanwhile is waited for.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod place;

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use place::{PIN, Place, ZONES};
use rustix::process::{Resource, Rlimit, Signal, prlimit};
use sandbox::{Knotd, ServedZone};

#[test]
fn changes_are_signed_until_it_is_told_to_end() {
    let place = Place::softhsm();
    let mut signer = place.start("", &["--metrics", "../signer.prom"]);
    signer.all_signed();
    // One at a time.
    let second = place.run("keyrite-signer", &["run"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another 'keyrite-signer run'"));
    // Written, replaced, included.
    place.append("zones/fi.cr.zone", "added A 192.0.2.2\n");
    signer.wait("signed", "fi.cr");
    assert!(place.signed("fi.cr").contains("added.fi.cr."));
    let other = place.site.join("zones/other");
    fs::copy(place.zone("go.cr"), &other).unwrap();
    place.append("zones/other", "moved A 192.0.2.3\n");
    fs::rename(other, place.zone("go.cr")).unwrap();
    signer.wait("signed", "go.cr");
    assert!(place.signed("go.cr").contains("moved.go.cr."));
    place.append("zones/hosts", "mail A 192.0.2.25\n");
    signer.all_signed();
    assert!(
        ZONES
            .iter()
            .all(|zone| place.signed(zone).contains(&format!("mail.{zone}.")))
    );
    // A zone that cannot be signed is told of, its last one stays, and the other goes on.
    place.append("zones/fi.cr.zone", "oops\n");
    let failed = signer.wait("failed", "fi.cr");
    let text = failed["text"].as_str().unwrap();
    assert!(
        text.contains("zones/fi.cr.zone:7") && text.contains("its signatures last for 1"),
        "{text}"
    );
    place.append("zones/go.cr.zone", "last A 192.0.2.4\n");
    signer.wait("signed", "go.cr");
    let status = place.must("keyrite-signer", &["status"]);
    assert!(
        status.contains("fi.cr: ok") && status.contains("failed at "),
        "{status}"
    );
    let mended = fs::read_to_string(place.zone("fi.cr"))
        .unwrap()
        .replace("oops\n", "");
    fs::write(place.zone("fi.cr"), mended).unwrap();
    signer.wait("unchanged", "fi.cr");
    // Keys, policies and site.yaml.
    place.must(
        "keyrite-keyctl",
        &["generate", "--zone", "fi.cr", "--role", "csk", "--backup", "none"],
    );
    place.must("keyrite-keyctl", &["publish", "--zone", "fi.cr"]);
    signer.wait("signed", "fi.cr");
    while place.signed("fi.cr").matches(" DNSKEY 257 ").count() < 2 {
        signer.wait("signed", "fi.cr");
    }
    fs::create_dir(place.site.join("policies")).unwrap();
    let policy = include_str!("../../policies/csk.yaml").replace("denial: nsec\n", "denial: nsec3\n");
    fs::write(place.site.join("policies/csk.yaml"), policy).unwrap();
    while !ZONES
        .iter()
        .all(|zone| place.signed(zone).contains(" NSEC3PARAM "))
    {
        signer.wait("signed", "");
    }
    place.append("site.yaml", "reload: {command: [echo, \"{zone} in {file}\"]}\n");
    signer.wait("site", "");
    place.append("zones/hosts", "told A 192.0.2.5\n");
    for (zone, said) in ZONES.iter().zip(signer.each(&["reload-said"])) {
        assert_eq!(said["text"], format!("{zone} in signed/{zone}.zone"));
    }
    place.append("site.yaml", "oops: 1\n");
    signer.wait("site-refused", "");
    signer.signal(Signal::HUP);
    signer.wait("signalled", "");
    signer.all_signed();
    signer.signal(Signal::TERM);
    let (status, told) = signer.end();
    assert_eq!(status.code(), Some(0));
    let figures = fs::read_to_string(place.root().join("signer.prom")).unwrap();
    for figure in [
        "signer_failures_total{zone=\"go.cr\"} 0",
        "token_state{token=\"cr\",state=\"up\"} 1",
    ] {
        assert!(figures.contains(figure), "{figure}\n{figures}");
    }
    // It was tried again, as often as there was time for.
    assert!(
        !figures.contains("signer_failures_total{zone=\"fi.cr\"} 0"),
        "{figures}"
    );
    let serial = place.signed("go.cr").split(' ').nth(6).unwrap().to_owned();
    assert!(
        figures.contains(&format!("zone_serial{{zone=\"go.cr\"}} {serial}")),
        "{serial}\n{figures}"
    );
    assert_eq!(told.last().unwrap()["event"], "ended");
    let told = format!("{told:?}");
    assert!(!told.contains(PIN) && !figures.contains(PIN));
    fs::write(place.site.join("site.yaml"), {
        let text = fs::read_to_string(place.site.join("site.yaml")).unwrap();
        text.replace("oops: 1\n", "")
    })
    .unwrap();
    place.is_good();
}

#[test]
fn a_store_that_went_away_is_waited_for() {
    let place = Place::softhsm();
    let mut signer = place.start("", &[]);
    signer.all_signed();
    let (tokens, away) = (place.root().join("tokens"), place.root().join("away"));
    fs::rename(&tokens, &away).unwrap();
    fs::create_dir(&tokens).unwrap();
    signer.signal(Signal::HUP);
    signer.wait("token-absent", "cr");
    let failed = signer.told.iter().find(|told| told["event"] == "failed").unwrap();
    assert!(
        failed["text"]
            .as_str()
            .unwrap()
            .contains("its signatures last for 1"),
        "{failed}"
    );
    signer.wait("token-absent", "cr");
    place.is_good();
    fs::remove_dir(&tokens).unwrap();
    fs::rename(&away, &tokens).unwrap();
    signer.wait("token-back", "cr");
    signer.all_signed();
    signer.signal(Signal::INT);
    assert_eq!(signer.end().0.code(), Some(0));
}

#[test]
fn a_tpm_that_was_restarted_signs_on() {
    let mut place = Place::tpm();
    let mut signer = place.start("", &[]);
    signer.all_signed();
    place.tpm.as_mut().unwrap().stop_hard();
    place.append("zones/fi.cr.zone", "added A 192.0.2.2\n");
    signer.wait("token-absent", "cr");
    place.tpm.as_mut().unwrap().cut_power().unwrap();
    signer.wait("token-back", "cr");
    signer.wait("signed", "fi.cr");
    signer.signal(Signal::TERM);
    assert_eq!(signer.end().0.code(), Some(0));
    place.is_good();
}

#[test]
fn a_token_that_refused_is_asked_again_only_when_somebody_says_so() {
    let place = Place::softhsm();
    place.write_pin("0000000");
    let mut signer = place.start("", &[]);
    let refused = signer.wait("token-refused", "cr");
    assert!(
        refused["text"]
            .as_str()
            .unwrap()
            .contains("it is not asked again"),
        "{refused}"
    );
    // What is due, and what changes, does not have it asked either: the right PIN would be taken.
    place.write_pin(PIN);
    let count = signer.told.len();
    signer.wait("failed", "go.cr");
    place.append("zones/go.cr.zone", "added A 192.0.2.2\n");
    signer.wait("failed", "go.cr");
    assert!(
        signer.told[count..].iter().all(|told| told["event"] == "failed"),
        "{:?}",
        signer.told
    );
    let status = place.run("keyrite-signer", &["status"]);
    assert_eq!(status.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&status.stdout).contains("fi.cr: critical: it is not signed"));
    signer.signal(Signal::HUP);
    signer.all_signed();
    signer.signal(Signal::TERM);
    assert_eq!(signer.end().0.code(), Some(0));
}

#[test]
fn a_kill_leaves_the_last_good_zone_and_the_next_start_goes_on() {
    let place = Place::softhsm();
    let hosts: String = (0..400).map(|host| format!("h{host} A 192.0.2.1\n")).collect();
    fs::write(place.site.join("zones/hosts"), hosts).unwrap();
    // Each run makes all signatures anew.
    let policy = include_str!("../../policies/csk.yaml").replace("  refresh: 5d\n", "");
    fs::create_dir(place.site.join("policies")).unwrap();
    fs::write(place.site.join("policies/csk.yaml"), policy).unwrap();
    place.must("keyrite-signer", &["sign"]);
    for kill in 0..6 {
        let mut signer = place.start("", &[]);
        signer.wait("started", "");
        sleep(Duration::from_millis(kill * 60));
        signer.signal(Signal::KILL);
        assert_eq!(signer.end().0.code(), None);
        place.must("keyrite-signer", &["verify"]);
    }
    let mut signer = place.start("", &[]);
    signer.all_signed();
    signer.signal(Signal::TERM);
    assert_eq!(signer.end().0.code(), Some(0));
    place.is_good();
}

#[test]
fn a_full_disk_keeps_the_last_zone_until_there_is_room() {
    let place = Place::softhsm();
    place.must("keyrite-signer", &["sign"]);
    let before = ZONES.map(|zone| place.signed(zone));
    place.append("zones/hosts", "more A 192.0.2.9\n");
    // SoftHSM's login writes a little; a signed zone does not fit.
    let mut signer = place.start("trap '' XFSZ; ulimit -S -f 2; ", &[]);
    for failed in signer.each(&["failed"]) {
        assert!(failed["text"].as_str().unwrap().contains("make room"), "{failed}");
    }
    assert_eq!(ZONES.map(|zone| place.signed(zone)), before);
    let room = Rlimit {
        current: None,
        maximum: None,
    };
    prlimit(Some(signer.pid()), Resource::Fsize, room).unwrap();
    signer.all_signed();
    signer.signal(Signal::TERM);
    assert_eq!(signer.end().0.code(), Some(0));
    place.is_good();
}

#[test]
fn a_zone_that_takes_long_holds_no_other() {
    let place = Place::softhsm();
    let slow = place.site.join("zones/slow");
    // Whoever reads it waits for who writes it.
    assert!(Command::new("mkfifo").arg(&slow).status().unwrap().success());
    place.append("zones/go.cr.zone", "$INCLUDE slow\n");
    let mut signer = place.start("", &[]);
    signer.wait("signed", "fi.cr");
    for host in ["one", "two"] {
        place.append("zones/fi.cr.zone", &format!("{host} A 192.0.2.7\n"));
        signer.wait("signed", "fi.cr");
        assert!(place.signed("fi.cr").contains(&format!("{host}.fi.cr.")));
    }
    assert!(
        signer.told.iter().all(|told| told["zone"] != "go.cr"),
        "{:?}",
        signer.told
    );
    fs::write(slow, "slow A 192.0.2.8\n").unwrap();
    signer.wait("signed", "go.cr");
    assert!(place.signed("go.cr").contains("slow.go.cr."));
    signer.signal(Signal::TERM);
    assert_eq!(signer.end().0.code(), Some(0));
}

#[test]
fn a_name_server_serves_what_was_signed_once_it_is_told() {
    let place = Place::softhsm();
    place.must("keyrite-signer", &["sign"]);
    let text = place.signed("fi.cr");
    let folder = place.root().join("knot");
    let zone = ServedZone {
        name: "fi.cr",
        text: &text,
    };
    let server = Knotd::start(&folder, &[zone]).unwrap();
    // From now on it is the signed zone itself.
    let served = folder.join("0.zone");
    fs::remove_file(&served).unwrap();
    std::os::unix::fs::symlink(place.site.join("signed/fi.cr.zone"), &served).unwrap();
    let configuration = folder.join("knot.conf");
    place.append(
        "site.yaml",
        &format!(
            "reload: {{command: [knotc, -b, -c, {}, zone-reload, \"{{zone}}\"], timeout: 30s}}\n",
            configuration.display()
        ),
    );
    place.append("zones/hosts", "told A 192.0.2.5\n");
    let mut signer = place.start("", &[]);
    // The other zone is none of the server's, and that is told with its name.
    let [told, not_told] = signer.each(&["reload-said", "not-reloaded"]);
    assert_eq!(
        [&told["event"], &not_told["event"]],
        ["reload-said", "not-reloaded"]
    );
    assert!(
        not_told["text"]
            .as_str()
            .unwrap()
            .contains("zone go.cr was signed, and its name server was not told")
    );
    place.append("zones/fi.cr.zone", "added A 192.0.2.2\n");
    let signed = signer.wait("signed", "fi.cr");
    signer.wait("reload-said", "fi.cr");
    let at = format!("@{}", server.address().ip());
    let dig = Command::new("dig")
        .args([&at, "-p", "5300", "+short", "fi.cr", "SOA"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let soa = String::from_utf8(dig.stdout).unwrap();
    assert_eq!(
        soa.split(' ').nth(2).unwrap(),
        signed["serial"].to_string(),
        "{soa}"
    );
    signer.signal(Signal::TERM);
    assert_eq!(signer.end().0.code(), Some(0));
}

#[test]
fn a_pin_is_asked_for_once() {
    let place = Place::softhsm();
    let site = place.site.join("site.yaml");
    let text = fs::read_to_string(&site).unwrap();
    fs::write(site, text.replace("    pin: file:pin\n", "    pin: prompt\n")).unwrap();
    // Each signing opens the token anew; one question more than there are answers fails.
    let script = ": >log; keyrite-signer run --every 1s 2>log & signer=$!; \
                  until [ \"$(grep -c 'fi.cr: .*serial' log)\" -ge 3 ]; do sleep 0.1; done; kill $signer; wait $signer";
    let seen = place.must("at-terminal", &[PIN, "--", "sh", "-c", script]);
    assert_eq!(seen.trim(), "the user PIN of token 'cr':");
    let log = fs::read_to_string(place.site.join("log")).unwrap();
    assert!(log.ends_with("Z ended\n") && !log.contains(PIN), "{log}");
    // Without a terminal nobody can be asked.
    let nobody = place.must(
        "sh",
        &[
            "-c",
            "setsid --wait keyrite-signer run 2>&1 || echo ended with $?",
        ],
    );
    assert!(
        nobody.contains("there is no terminal to ask") && nobody.ends_with("ended with 4\n"),
        "{nobody}"
    );
}

#[test]
fn a_wrong_auth_value_costs_one_try() {
    let place = Place::tpm();
    place.must("keyrite-signer", &["sign"]);
    place.append("zones/hosts", "more A 192.0.2.9\n");
    place.write_pin("0000000");
    let mut signer = place.start("", &["--every", "1s"]);
    signer.wait("token-refused", "cr");
    for line in ["one A 192.0.2.2\n", "two A 192.0.2.3\n"] {
        place.append("zones/go.cr.zone", line);
        signer.wait("failed", "go.cr");
    }
    signer.signal(Signal::TERM);
    assert_eq!(signer.end().0.code(), Some(0));
    let told = place
        .tpm
        .as_ref()
        .unwrap()
        .must("tpm2_getcap", &["properties-variable"])
        .unwrap();
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("TPM2_PT_LOCKOUT_COUNTER: 0x1\n"), "{told}");
    place.is_good();
}
