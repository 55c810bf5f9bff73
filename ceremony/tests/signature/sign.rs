//! Having ssh-keygen sign, with files and with an ssh-agent.

use std::fs;
use std::path::PathBuf;

use ceremony::signature::{AllowedSigners, Expected, KeyPlace, OpenSsh, SignError, VerifyError};
use key_metadata::Advice;

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
