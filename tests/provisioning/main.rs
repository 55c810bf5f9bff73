//! `keyrite-tpm-init provision`, killed at its TPM commands and listened to.
//!
//! Between the tool and the TPM is a tap that counts the commands, cuts the line at one of them, and kills the tool there.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod bench;

use std::sync::Mutex;
use std::thread;

use bench::Bench;
use sandbox::{Cut, Ended};

/// Commands that change nothing in the TPM: SelfTest, NV_Read, Unseal, NV_ReadPublic, ReadPublic, GetCapability, GetRandom,
/// GetTestResult, TestParms.
const READ_ONLY: [u32; 9] = [0x143, 0x14e, 0x15e, 0x169, 0x173, 0x17a, 0x17b, 0x17c, 0x18a];

/// Killed at any command, before or after the TPM did it, and run again: the end is the same, and every auth value is in good hands.
///
/// Of commands in a row that change nothing, the first stands for all: the TPM is the same at each, and the site's files are as at the first
/// or as at the command that follows the last. With `KILLS=all` each of the others; otherwise every fourth, on both sides of the TPM's work in turn.
#[test]
fn a_run_that_is_killed_is_completed_by_the_next() {
    let whole = Bench::new();
    assert!(whole.provision().unwrap().success());
    let commands = whole.tap.commands();
    let end = whole.end();
    assert!(end.contains("0x81010020") && end.contains("0x1800021"), "{end}");
    let cuts = cuts(&commands);
    assert!(cuts.len() > 150, "{}", cuts.len());
    let all = std::env::var_os("KILLS").is_some_and(|kills| kills == "all");
    // Two of a command follow each other mostly: of the next one, the other.
    let taken = |place: usize| all || [0, 5].contains(&(place % 8));
    let cuts = cuts.into_iter().enumerate().filter(|(place, _)| taken(*place));
    let cuts = Mutex::new(cuts);
    let workers = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = cuts.lock().unwrap().next();
                    let Some((_, (at, cut))) = next else { break };
                    killed_at(at, cut, &end);
                }
            });
        }
    });
}

/// Where to cut, and on which side of the TPM's work.
fn cuts(commands: &[u32]) -> Vec<(usize, Cut)> {
    let mut cuts = Vec::new();
    for (at, command) in commands.iter().enumerate() {
        let read_only = READ_ONLY.contains(command);
        let in_a_row = read_only && at > 0 && READ_ONLY.contains(&commands[at - 1]);
        if !in_a_row {
            cuts.push((at, Cut::BeforeTheAnswer));
        }
        if !read_only {
            cuts.push((at, Cut::BeforeItReachesTheTpm));
        }
    }
    cuts
}

fn killed_at(at: usize, cut: Cut, end: &str) {
    let bench = Bench::new();
    let where_ = format!("command {at}, {cut:?}");
    let ended = bench
        .tap
        .run_until_cut(&mut bench.tool(&["provision"]), at, cut)
        .unwrap();
    let command = match ended {
        Ended::Killed { command } => command,
        // The run that was counted drew an auth value twice, since it ended with a zero byte: it had some commands more than this one.
        Ended::ByItself(status) => {
            let commands = bench.tap.commands().len();
            assert!(
                status.success() && commands <= at,
                "{where_}: {status}, {commands}"
            );
            assert_eq!(bench.end(), end, "{where_}: it ended by itself");
            return;
        }
    };
    bench.tap.mend();
    // What a bare software TPM keeps of a killed program, a resource manager gives back.
    bench.swtpm.flush_leaked_handles().unwrap();
    assert!(
        bench.provision().unwrap().success(),
        "{where_} ({command:#x}): the next run failed"
    );
    assert_eq!(bench.end(), end, "{where_} ({command:#x})");
}

/// Nobody who listens gets an auth value or a PIN, and nothing is left in the TPM's slots.
#[test]
fn no_secret_crosses_the_bus() {
    let bench = Bench::with_token();
    assert!(bench.provision().unwrap().success());
    // The owner auth and the lockout auth are used too, not only set.
    let given = bench.give_auths();
    let auths: Vec<&str> = given.iter().map(String::as_str).collect();
    for line in [
        &[&["check"], &auths[..]].concat()[..],
        &[&["verify"], &auths[..]].concat(),
        &["token", auths[0], auths[1]],
        &["rng"],
        &["plan"],
    ] {
        let ended = bench.tool(line).status().unwrap();
        assert!(ended.success(), "{line:?}");
        assert_eq!(
            bench.swtpm.leaked_handles().unwrap(),
            Vec::<String>::new(),
            "{line:?}"
        );
    }
    let secrets = bench.secrets();
    assert_eq!(secrets.len(), 5);
    for (what, secret) in &secrets {
        assert!(!bench.tap.saw(secret), "the {what} crossed the bus");
        let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(
            !bench.tap.saw(digits.as_bytes()),
            "the {what} crossed the bus as digits"
        );
    }
    // The tap hears both directions: an attestation key's point comes back in the clear, and a handle goes there.
    let public = bench
        .swtpm
        .must("tpm2_readpublic", &["-c", "0x81010020"])
        .unwrap();
    let text = String::from_utf8(public).unwrap();
    let x = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("x: "))
        .unwrap()
        .to_owned();
    assert!(bench.tap.saw(&bench::bytes(&x)) && bench.tap.saw(&[0x81, 0x01, 0x00, 0x20]));
}
