//! Attestation keys, and the credentials that prove them.

use std::fs;

use key_metadata::{Advice, TpmHandle};
use keyrite_tpm::{
    ActivateError, AttestationError, AttestationKey, AttestationKeyState, Credential, CredentialError,
    EkPublicKey, EkTemplate, EndorsementError, Hierarchy, Tpm,
};

use crate::endorsement::with_certified;
use crate::{auth, handle, lock, tool, with_state, with_tpm};

const AT: u32 = 0x8101_0020;
const SECRET: &[u8; 32] = b"a secret for one TPM with one AK";

fn public_key(tpm: &Tpm, template: EkTemplate) -> EkPublicKey {
    let key = tpm.endorsement_key(template, None).unwrap();
    assert_eq!(key.template, template);
    EkPublicKey::from_spki(&key.spki).unwrap()
}

fn attestation_key(tpm: &Tpm, template: EkTemplate) -> AttestationKey {
    tpm.create_attestation_key(handle(AT), template, None, None)
        .unwrap()
}

fn credential(template: EkTemplate, key: &EkPublicKey, ak: &AttestationKey) -> Credential {
    Credential::make(template, key, ak.name(), SECRET).unwrap()
}

#[test]
fn a_credential_comes_back_from_the_tpm_that_it_is_for() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, swtpm| {
        for template in EkTemplate::ALL {
            let key = public_key(tpm, template);
            let ak = attestation_key(tpm, template);
            let credential = credential(template, &key, &ak);
            let given = tpm.activate(&credential, handle(AT), template, None).unwrap();
            assert_eq!(given.as_slice(), SECRET, "{template}");
            tool(swtpm, &format!("tpm2_evictcontrol -Q -C o -c {AT:#x}"));
        }
    });
}

/// With every auth value set, an SRK and its session in place, and with kept endorsement keys.
#[test]
fn a_provisioned_tpm_activates_too() {
    with_certified(|tpm, _| {
        let mine = auth("mine");
        for hierarchy in [Hierarchy::Owner, Hierarchy::Endorsement] {
            tpm.change_auth(hierarchy, None, Some(&mine)).unwrap();
        }
        tpm.ensure_srk(Some(&mine)).unwrap();
        tpm.random(1).unwrap();
        for (template, at) in [
            (EkTemplate::Rsa2048, AT),
            (EkTemplate::P384, AT + 1),
            (EkTemplate::P256, AT + 2),
        ] {
            let refused = tpm
                .create_attestation_key(handle(at), template, None, Some(&mine))
                .unwrap_err();
            assert!(
                matches!(
                    refused,
                    AttestationError::Endorsement(EndorsementError::AuthRefused { .. })
                ),
                "{refused}"
            );
            let refused = tpm
                .create_attestation_key(handle(at), template, Some(&mine), None)
                .unwrap_err();
            assert!(matches!(refused, AttestationError::OwnerAuth { .. }), "{refused}");
            let ak = tpm
                .create_attestation_key(handle(at), template, Some(&mine), Some(&mine))
                .unwrap();
            let key = tpm.endorsement_key(template, Some(&mine)).unwrap();
            let credential = credential(template, &EkPublicKey::from_spki(&key.spki).unwrap(), &ak);
            let given = tpm
                .activate(&credential, handle(at), template, Some(&mine))
                .unwrap();
            assert_eq!(given.as_slice(), SECRET);
        }
    });
}

#[test]
fn a_credential_for_another_key_or_tpm_is_refused() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut other_keys = Vec::new();
    let mut other_ak = None;
    with_state(there.path(), |tpm, _| {
        other_keys = EkTemplate::ALL.map(|template| public_key(tpm, template)).to_vec();
        other_ak = Some(attestation_key(tpm, EkTemplate::P256));
    });
    let other_ak = other_ak.unwrap();
    with_state(here.path(), |tpm, _| {
        let ak = attestation_key(tpm, EkTemplate::Rsa2048);
        for (template, other_key) in EkTemplate::ALL.into_iter().zip(&other_keys) {
            let key = public_key(tpm, template);
            for wrong in [
                credential(template, other_key, &ak),
                credential(template, &key, &other_ak),
            ] {
                let error = tpm.activate(&wrong, handle(AT), template, None).unwrap_err();
                assert!(
                    matches!(error, ActivateError::Refused { .. }) && error.hint().is_some(),
                    "{template}: {error:?}"
                );
            }
        }
        let key = public_key(tpm, EkTemplate::P256);
        let right = credential(EkTemplate::P256, &key, &ak);
        let error = tpm
            .activate(&right, handle(AT + 1), EkTemplate::P256, None)
            .unwrap_err();
        assert!(matches!(error, ActivateError::Absent { .. }), "{error}");
        assert_eq!(tpm.lockout().unwrap().counter, 0);
        assert_eq!(
            Credential::make(EkTemplate::P384, &key, ak.name(), SECRET),
            Err(CredentialError::OtherKind {
                template: EkTemplate::P384
            })
        );
        assert_eq!(
            Credential::make(EkTemplate::P256, &key, ak.name(), &[0; 33]),
            Err(CredentialError::Length { length: 33 })
        );
        let nowhere = EkPublicKey::P256([&[4][..], &[1; 64]].concat());
        assert_eq!(
            Credential::make(EkTemplate::P256, &nowhere, ak.name(), SECRET),
            Err(CredentialError::Unusable {
                template: EkTemplate::P256
            })
        );
    });
}

#[test]
fn an_attestation_key_is_known_again() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, swtpm| {
        let at: TpmHandle = handle(AT);
        assert_eq!(tpm.attestation_key(at).unwrap(), AttestationKeyState::Absent);
        let made = attestation_key(tpm, EkTemplate::P256);
        assert_eq!(
            tpm.attestation_key(at).unwrap(),
            AttestationKeyState::Ours(made.clone())
        );
        assert_eq!(AttestationKey::from_public(made.public()).unwrap(), made);
        let shown = tool(swtpm, &format!("tpm2_readpublic -c {AT:#x}"));
        assert!(shown.contains(&format!("name: {}\n", made.name())), "{shown}");
        assert!(
            shown.contains("fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign\n"),
            "{shown}"
        );
        let taken = tpm
            .create_attestation_key(at, EkTemplate::P256, None, None)
            .unwrap_err();
        assert!(matches!(taken, AttestationError::HandleTaken { .. }), "{taken}");
        tool(swtpm, "tpm2_createek -Q -G ecc -c 0x81010002");
        tool(swtpm, "tpm2_flushcontext -t");
        assert!(matches!(
            tpm.attestation_key(handle(0x8101_0002)).unwrap(),
            AttestationKeyState::Foreign { .. }
        ));
        for position in 0..made.public().len() {
            let mut changed = made.public().to_vec();
            changed[position] ^= 1;
            assert_ne!(AttestationKey::from_public(&changed).ok(), Some(made.clone()));
            assert!(AttestationKey::from_public(&changed[..position]).is_err());
        }
    });
}

/// Making and proving one takes the policy, which no lockout stops.
#[test]
fn a_lockout_stops_no_attestation_key() {
    with_tpm(|tpm, swtpm| {
        lock(tpm, swtpm);
        for (template, at) in [(EkTemplate::P256, AT), (EkTemplate::P384, AT + 1)] {
            let ak = tpm
                .create_attestation_key(handle(at), template, None, None)
                .unwrap();
            let credential = credential(template, &public_key(tpm, template), &ak);
            let given = tpm.activate(&credential, handle(at), template, None).unwrap();
            assert_eq!(given.as_slice(), SECRET);
        }
    });
}

/// tpm2_activatecredential is the referee.
#[test]
fn tpm2_tools_open_our_credentials() {
    let folder = tempfile::tempdir().unwrap();
    with_state(&folder.path().join("tpm"), |tpm, swtpm| {
        let file = |name: &str| folder.path().join(name).display().to_string();
        let ak = attestation_key(tpm, EkTemplate::Rsa2048);
        let key = public_key(tpm, EkTemplate::Rsa2048);
        tool(swtpm, "tpm2_createek -Q -G rsa -c 0x81010001");
        tool(swtpm, "tpm2_flushcontext -t");
        let credential = credential(EkTemplate::Rsa2048, &key, &ak);
        fs::write(file("credential"), credential.to_bytes()).unwrap();
        tool(
            swtpm,
            &format!("tpm2_startauthsession --policy-session -S {}", file("session")),
        );
        tool(
            swtpm,
            &format!("tpm2_policysecret -Q -S {} -c e", file("session")),
        );
        tool(
            swtpm,
            &format!(
                "tpm2_activatecredential -Q -c {AT:#x} -C 0x81010001 -i {} -o {} -P session:{}",
                file("credential"),
                file("secret"),
                file("session")
            ),
        );
        tool(swtpm, &format!("tpm2_flushcontext {}", file("session")));
        assert_eq!(fs::read(file("secret")).unwrap(), SECRET);
    });
}
