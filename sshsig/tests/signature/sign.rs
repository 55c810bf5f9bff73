//! Having ssh-keygen sign, with files and with an ssh-agent.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use key_metadata::Advice;
use sshsig::{AllowedSigners, Expected, KeyPlace, OpenSsh, SignError, VerifyError};

use crate::agent::SshAgent;
use crate::desk::{Case, Desk, KINDS, NAMESPACE, NOW};

const MESSAGE: &[u8] = b"a checkpoint\n";

fn open_ssh(desk: &Desk, agent: Option<&SshAgent>) -> OpenSsh {
    let scratch = desk.file("scratch");
    fs::create_dir_all(&scratch).unwrap();
    OpenSsh::find(agent.map(|agent| agent.socket().to_owned()), scratch).unwrap()
}

fn expected<'a>(allowed: &'a AllowedSigners, principal: &'a str) -> Expected<'a> {
    Expected {
        allowed,
        principal,
        namespace: NAMESPACE,
        at: NOW.parse().unwrap(),
    }
}

#[test]
fn every_kind_of_key_signs_from_its_file_and_through_the_agent() {
    let desk = Desk::new();
    let agent = SshAgent::start(&desk);
    for (number, kind) in KINDS.into_iter().enumerate() {
        let name = format!("key-{number}");
        let text = format!("ada {}\n", desk.key(&name, kind));
        let allowed = AllowedSigners::parse(text.as_bytes()).unwrap();
        agent.add(&desk.file(&name));
        let ssh = open_ssh(&desk, Some(&agent));
        assert_eq!(ssh.agent_keys().unwrap().len(), number + 1);
        for place in [KeyPlace::File(desk.file(&name)), KeyPlace::Agent] {
            if place == KeyPlace::Agent {
                fs::remove_file(desk.file(&name)).unwrap();
            }
            let signed = ssh.sign(&expected(&allowed, "ada"), &place, MESSAGE).unwrap();
            let verified = desk.verify(&Case {
                allowed: &text,
                principal: "ada",
                namespace: NAMESPACE,
                at: NOW,
                signature: &signed.armoured,
                message: MESSAGE,
            });
            assert_eq!(verified.good(), signed.verified);
        }
    }
    assert_eq!(fs::read_dir(desk.file("scratch")).unwrap().count(), 0);
}

#[test]
fn a_signature_that_is_not_the_principals_is_not_given() {
    let desk = Desk::new();
    let (one, other) = (desk.key("one", KINDS[0]), desk.key("other", KINDS[1]));
    let text = format!("ada {one}\nbob {other}\neve valid-after=\"20270101Z\" {one}\n");
    let allowed = AllowedSigners::parse(text.as_bytes()).unwrap();
    let ssh = open_ssh(&desk, None);
    let sign = |principal, file: &str| {
        let place = KeyPlace::File(desk.file(file));
        ssh.sign(&expected(&allowed, principal), &place, MESSAGE)
            .unwrap_err()
    };
    let error = sign("bob", "one");
    assert!(
        matches!(
            &error,
            SignError::NotGood {
                source: VerifyError::WrongKey { .. },
                ..
            }
        ),
        "{error:?}"
    );
    assert!(!error.is_credential());
    let error = sign("eve", "one");
    assert!(
        matches!(
            &error,
            SignError::NotGood {
                source: VerifyError::NotValid { line: 3, .. },
                ..
            }
        ),
        "{error:?}"
    );
    let error = sign("carl", "one");
    assert!(
        matches!(
            &error,
            SignError::NotGood {
                source: VerifyError::UnknownPrincipal { .. },
                ..
            }
        ),
        "{error:?}"
    );
    let error = sign("ada", "none");
    assert!(matches!(&error, SignError::KeyFile { .. }), "{error:?}");
    desk.write(
        "broken",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    );
    let error = sign("ada", "broken");
    let SignError::Refused { source } = &error else {
        panic!("{error:?}");
    };
    assert!(
        !source.to_string().is_empty() && !source.to_string().contains('\n'),
        "{source}"
    );
    assert!(error.is_credential());
}

#[test]
fn an_agent_without_the_key_is_told() {
    let desk = Desk::new();
    let (one, other) = (desk.key("one", KINDS[0]), desk.key("other", KINDS[1]));
    let text = format!("ada {one}\nbob {other}\neve valid-after=\"20270101Z\" {one}\n");
    let allowed = AllowedSigners::parse(text.as_bytes()).unwrap();
    let sign = |ssh: &OpenSsh, principal| {
        let signed = ssh.sign(&expected(&allowed, principal), &KeyPlace::Agent, MESSAGE);
        signed.unwrap_err()
    };
    assert!(matches!(sign(&open_ssh(&desk, None), "ada"), SignError::NoAgent));
    let gone = OpenSsh::find(Some(PathBuf::from("/nowhere/agent")), desk.file("scratch")).unwrap();
    assert!(matches!(sign(&gone, "ada"), SignError::NoAgent));

    let agent = SshAgent::start(&desk);
    let ssh = open_ssh(&desk, Some(&agent));
    assert!(matches!(sign(&ssh, "ada"), SignError::NotInAgent { .. }));
    agent.add(&desk.file("other"));
    let error = sign(&ssh, "ada");
    assert!(matches!(error, SignError::NotInAgent { .. }));
    assert!(error.is_credential());
    let fingerprint = allowed.keys_of("ada").next().unwrap().key().fingerprint();
    assert!(error.hint().unwrap().contains(&fingerprint));
    assert!(matches!(sign(&ssh, "eve"), SignError::NoKey { .. }));
}

/// script(1) gives a terminal to this test once more; there, ssh-keygen asks, and this test answers.
#[test]
fn a_passphrase_is_asked_for_at_the_terminal_and_never_seen() {
    const DESK: &str = "TEST_DESK";
    if let Some(desk) = env::var_os(DESK) {
        sign_at_the_terminal(Path::new(&desk));
        return;
    }
    for (typed, outcome) in [("correct horse", "it signed"), ("wrong horse", "it refused")] {
        let desk = Desk::new();
        desk.key("key", KINDS[0]);
        let mut keygen = Command::new("/usr/bin/ssh-keygen");
        keygen
            .args(["-q", "-p", "-P", "", "-N", "correct horse", "-f"])
            .arg(desk.file("key"));
        assert!(keygen.stdout(Stdio::null()).status().unwrap().success());

        let again = "exec \"$TEST\" --nocapture --exact sign::a_passphrase_is_asked_for_at_the_terminal_and_never_seen";
        let mut script = Command::new("/usr/bin/script");
        script.args(["--quiet", "--return", "--command", again, "/dev/null"]);
        script
            .env("TEST", env::current_exe().unwrap())
            .env(DESK, desk.file(""));
        let mut script = script
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut keyboard = script.stdin.take().unwrap();
        let mut screen = script.stdout.take().unwrap();
        let mut shown = String::new();
        let mut buffer = [0; 1024];
        while let count @ 1.. = screen.read(&mut buffer).unwrap() {
            let asked = shown.contains("Enter passphrase");
            shown.push_str(&String::from_utf8_lossy(&buffer[..count]));
            if !asked && shown.contains("Enter passphrase") {
                keyboard.write_all(format!("{typed}\n").as_bytes()).unwrap();
            }
        }
        assert!(script.wait().unwrap().success(), "{shown}");
        assert!(shown.contains(outcome), "{shown}");
        assert!(!shown.contains("horse"), "{shown}");
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the test that looks at this terminal reads it"
)]
fn sign_at_the_terminal(desk: &Path) {
    let public = fs::read_to_string(desk.join("key.pub")).unwrap();
    let allowed = AllowedSigners::parse(format!("ada {public}").as_bytes()).unwrap();
    let ssh = OpenSsh::find(None, desk.to_owned()).unwrap();
    let place = KeyPlace::File(desk.join("key"));
    match ssh.sign(&expected(&allowed, "ada"), &place, MESSAGE) {
        Ok(signed) => println!("it signed with {}", signed.verified.fingerprint),
        Err(SignError::Refused { source }) => println!("it refused: {source}"),
        Err(error) => panic!("{error:?}"),
    }
}

/// An agent that never answers, and somebody who does not wait for it.
#[test]
fn what_is_broken_off_is_no_refusal() {
    let desk = Desk::new();
    let allowed = AllowedSigners::parse(format!("ada {}", desk.key("key", KINDS[0])).as_bytes()).unwrap();
    let silent = desk.file("silent");
    let _listener = UnixListener::bind(&silent).unwrap();
    let ssh = OpenSsh::find(Some(silent.clone()), desk.file("")).unwrap();
    let waiting = std::thread::spawn(move || {
        let signed = ssh.sign(&expected(&allowed, "ada"), &KeyPlace::Agent, MESSAGE);
        signed.unwrap_err()
    });
    let start = Instant::now();
    while !waiting.is_finished() {
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
        if let Some(child) = child_with(&format!("SSH_AUTH_SOCK={}", silent.display())) {
            let kill = Command::new("/bin/kill").args(["-INT", &child]).status();
            kill.unwrap();
        }
    }
    let error = waiting.join().unwrap();
    assert!(matches!(error, SignError::Cancelled), "{error:?}");
    assert!(!error.is_credential());
}

/// The process that has that in its environment.
fn child_with(variable: &str) -> Option<String> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let mut numbers = processes.map(|process| process.file_name().to_string_lossy().into_owned());
    numbers.find(|number| {
        let environment = fs::read(format!("/proc/{number}/environ"));
        environment.is_ok_and(|it| {
            it.split(|byte| *byte == 0)
                .any(|entry| entry == variable.as_bytes())
        })
    })
}
