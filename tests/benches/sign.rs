//! How near `keyrite-signer sign` comes to the token's own rate, on each stack: signatures a second of a whole run over `cr` (start-up,
//! login, reading, denial, signing, checking, writing), as a ratio to a loop of signatures with the same key.
//!
//! The loop goes through our own libraries, with one thread and one session: what those cost is in both figures.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run is a failure")]
#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use dnssec::SiteTokens;
use key_metadata::{PinSource, Role, SiteFolder};
use keyrite_tests::{Rig, Stack, TpmState};

/// Signatures of the loop.
const RAW: u32 = 500;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--raw") {
        println!("{}", raw(Path::new(&arguments[at + 1])));
        return;
    }
    println!(
        "{:<12} {:>14} {:>14} {:>6}",
        "stack", "raw, sigs/s", "signer, sigs/s", "ratio"
    );
    for stack in Stack::REHEARSED {
        let folder = tempfile::tempdir().expect("a folder");
        let rig = Rig::new(folder.path(), stack, TpmState::Fresh).expect("the stack");
        let (raw, signer) = measure(&rig);
        println!(
            "{:<12} {raw:>14.0} {signer:>14.0} {:>6.2}",
            stack.to_string(),
            signer / raw
        );
    }
}

/// Rates of the loop and of the signer, the better of two runs each, in turn.
fn measure(rig: &Rig) -> (f64, f64) {
    run(rig, &tool("keyrite-tpm-init"), "provision");
    run(rig, &tool("keyrite-tpm-init"), "token");
    run(
        rig,
        &tool("keyrite-keyctl"),
        "generate --zone cr --role ksk --role zsk --activate --backup none",
    );
    let own = std::env::current_exe().expect("this executable");
    let (mut raw, mut signer) = (0f64, 0f64);
    for _ in 0..2 {
        raw = raw.max(run(rig, &own, "--raw .").trim().parse().expect("a rate"));
        let start = Instant::now();
        let report = run(rig, &tool("keyrite-signer"), "sign --zone cr --json");
        let seconds = start.elapsed().as_secs_f64();
        let report: serde_json::Value = serde_json::from_str(&report).expect("a report");
        signer = signer.max(report["zones"][0]["signatures"].as_f64().expect("a number") / seconds);
    }
    (raw, signer)
}

/// Signatures a second by the ZSK of `cr`, once it is loaded and logged in.
fn raw(site: &Path) -> f64 {
    let site = SiteFolder::open(site).expect("a site");
    let zone = "cr".parse().expect("a zone");
    let keys = site.keys(&zone).expect("keys");
    let record = keys
        .keys()
        .iter()
        .find(|key| key.role == Role::Zsk)
        .expect("a ZSK");
    let mut tokens = SiteTokens::new(&site);
    let name = tokens.token_of(record).expect("its token");
    let Some(PinSource::Tpm(handle)) = site.site().tokens[name].pin else {
        return f64::NAN;
    };
    let pin = tokens.unseal(handle).expect("the PIN");
    tokens.open(name, pin).expect("the token");
    let key = tokens.signing_key(record).expect("the private key");
    let algorithm = record.algorithm().made().expect("an algorithm to sign with");
    key.sign(algorithm, b"the first one starts the session")
        .expect("a signature");
    let start = Instant::now();
    for count in 0..RAW {
        key.sign(algorithm, &count.to_be_bytes()).expect("a signature");
    }
    f64::from(RAW) / start.elapsed().as_secs_f64()
}

/// A tool of the suite, built beside this benchmark.
fn tool(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this executable");
    own.ancestors().nth(2).expect("target/release").join(name)
}

/// Runs a program with these words; what it prints.
fn run(rig: &Rig, program: &Path, words: &str) -> String {
    let output = rig
        .command(program)
        .args(words.split(' '))
        .env("TSS2_LOG", "all+NONE")
        .output()
        .expect("it starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}
