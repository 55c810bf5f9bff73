//! The tap, between tpm2-tools and their TPM.

use std::process::{Command, Stdio};
use std::time::Duration;

use keyrite_sandbox::{Cut, Ended, Swtpm, Tap};

const GET_RANDOM: u32 = 0x17b;
const GET_CAPABILITY: u32 = 0x17a;
const HIERARCHY_CHANGE_AUTH: u32 = 0x129;

fn with_tap(test: impl FnOnce(&Swtpm, &Tap)) {
    let folder = tempfile::tempdir().unwrap();
    let swtpm = Swtpm::start(folder.path()).unwrap();
    let tap = Tap::on(&swtpm).unwrap();
    test(&swtpm, &tap);
}

/// One of tpm2-tools, at the other end of the tap.
fn tapped(tap: &Tap, line: &str) -> Command {
    let words: Vec<_> = line.split(' ').collect();
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .env("TPM2TOOLS_TCTI", tap.tcti())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn succeeds(tap: &Tap, line: &str) -> bool {
    tapped(tap, line).status().unwrap().success()
}

fn owner_auth_is_set(swtpm: &Swtpm) -> bool {
    let printed = swtpm.must("tpm2_getcap", &["properties-variable"]).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    let line = printed
        .lines()
        .find(|line| line.contains("ownerAuthSet"))
        .unwrap();
    line.ends_with('1')
}

#[test]
fn what_goes_by_is_heard_and_counted() {
    with_tap(|swtpm, tap| {
        let random = tapped(tap, "tpm2_getrandom 20")
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(random.stdout.len(), 20);
        assert!(tap.saw(&random.stdout) && !tap.saw(b"another thing") && !tap.saw(b""));
        let commands = tap.commands();
        assert_eq!(
            commands.iter().filter(|code| **code == GET_RANDOM).count(),
            1,
            "{commands:x?}"
        );
        assert_eq!(commands.last(), Some(&GET_RANDOM), "{commands:x?}");
        tap.clear();
        assert!(!tap.saw(&random.stdout) && tap.commands().is_empty());
        // Two taps on one TPM, one after the other.
        let second = Tap::on(swtpm).unwrap();
        assert_ne!(second.tcti(), tap.tcti());
        assert!(
            succeeds(&second, "tpm2_getcap properties-fixed")
                && succeeds(tap, "tpm2_getcap properties-fixed")
        );
        assert!(second.commands() == tap.commands() && tap.commands().contains(&GET_CAPABILITY));
    });
}

#[test]
fn an_answer_is_exchanged_as_often_as_asked() {
    with_tap(|_, tap| {
        assert!(tap.lie(vec![(b"IBM".to_vec(), b"IBMX".to_vec())], 1).is_err());
        tap.lie(vec![(b"IBM".to_vec(), b"XYZ".to_vec())], 1).unwrap();
        let says = |name: &str| {
            let mut command = tapped(tap, "tpm2_getcap properties-fixed");
            let output = command.stdout(Stdio::piped()).output().unwrap();
            String::from_utf8(output.stdout)
                .unwrap()
                .contains(&format!("value: \"{name}\""))
        };
        assert!(says("XYZ"));
        assert_eq!(tap.lies_left(), 0);
        assert!(says("IBM"));
    });
}

#[test]
fn a_command_cut_before_the_tpm_is_not_executed_and_one_cut_before_its_answer_is() {
    with_tap(|swtpm, tap| {
        assert!(succeeds(tap, "tpm2_getcap properties-variable"));
        assert!(!owner_auth_is_set(swtpm));
        // How far the change of the auth value is from the tool's first command: somebody else's TPM tells.
        let folder = tempfile::tempdir().unwrap();
        let rehearsal = Swtpm::start(folder.path()).unwrap();
        let rehearsed = Tap::on(&rehearsal).unwrap();
        assert!(succeeds(&rehearsed, "tpm2_changeauth -c owner x"));
        let codes = rehearsed.commands();
        let at = codes
            .iter()
            .position(|code| *code == HIERARCHY_CHANGE_AUTH)
            .unwrap();
        for (cut, executed) in [(Cut::BeforeItReachesTheTpm, false), (Cut::BeforeTheAnswer, true)] {
            let ended = tap
                .run_until_cut(&mut tapped(tap, "tpm2_changeauth -c owner x"), at, cut)
                .unwrap();
            let command = HIERARCHY_CHANGE_AUTH;
            assert_eq!(ended, Ended::Killed { command }, "{cut:?}");
            assert_eq!(tap.commands().last(), Some(&command));
            assert_eq!(owner_auth_is_set(swtpm), executed, "{cut:?}");
            swtpm.flush_leaked_handles().unwrap();
            assert_eq!(swtpm.leaked_handles().unwrap(), Vec::<String>::new());
            tap.mend();
        }
        assert!(succeeds(tap, "tpm2_changeauth -c owner -p x"));
        assert!(!owner_auth_is_set(swtpm));
    });
}

/// A kill at every command of a tool, on both sides: what remains is one of the two states, and the tool works again.
#[test]
fn a_tool_is_killed_at_each_of_its_commands() {
    with_tap(|swtpm, tap| {
        let mut after = 0;
        loop {
            let run = |cut| {
                let mut tool = tapped(tap, "tpm2_changeauth -c owner x");
                tap.run_until_cut(&mut tool, after, cut).unwrap()
            };
            let ends = Cut::ALL.map(|cut| {
                let ended = run(cut);
                swtpm.flush_leaked_handles().unwrap();
                if owner_auth_is_set(swtpm) {
                    swtpm
                        .must("tpm2_changeauth", &["-c", "owner", "-p", "x"])
                        .unwrap();
                }
                tap.mend();
                ended
            });
            match ends {
                [Ended::Killed { command }, Ended::Killed { command: again }] => assert_eq!(command, again),
                [Ended::ByItself(one), Ended::ByItself(two)] => {
                    assert!(one.success() && two.success());
                    break;
                }
                _ => panic!("{ends:?}"),
            }
            after += 1;
        }
        assert!(after > 2, "{after} commands");
    });
}

#[test]
fn after_a_cut_nothing_is_passed_on_until_it_is_mended() {
    with_tap(|swtpm, tap| {
        let told = tap.cut(0, Cut::BeforeItReachesTheTpm);
        let mut first = tapped(tap, "tpm2_getrandom 4").spawn().unwrap();
        assert!(told.recv_timeout(Duration::from_secs(10)).is_ok());
        let mut second = tapped(tap, "tpm2_getrandom 4").spawn().unwrap();
        // The TPM is there for others, and neither of the two gets anything.
        swtpm.must("tpm2_getrandom", &["4"]).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert!(first.try_wait().unwrap().is_none() && second.try_wait().unwrap().is_none());
        assert_eq!(tap.commands().len(), 1);
        tap.mend();
        assert!(succeeds(tap, "tpm2_getrandom 4"));
        assert!(first.try_wait().unwrap().is_none() && second.try_wait().unwrap().is_none());
        for child in [&mut first, &mut second] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    });
}
