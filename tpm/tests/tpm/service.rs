use keyrite_tpm::{Platform, Tpm};

use crate::{auth, handle, lock, secret, tool, with_tpm};

#[test]
fn a_software_tpm_is_fit_for_service() {
    with_tpm(|tpm, swtpm| {
        assert_eq!(tpm.lacks().unwrap(), Vec::<&str>::new());
        let room = tpm.room().unwrap();
        assert_eq!((room.transient, room.sessions), (3, 3));
        assert!(room.persistent_left > 10 && room.counters_left > 0, "{room:?}");
        let enabled = tpm.enabled().unwrap();
        assert!(enabled.owner && enabled.endorsement);
        assert_eq!(tpm.platform().unwrap(), Platform::AuthEmpty);
        tool(swtpm, "tpm2_changeauth -c platform theirs");
        assert_eq!(tpm.platform().unwrap(), Platform::AuthSet);
        tool(swtpm, "tpm2_hierarchycontrol -C p phEnable clear -P theirs");
        assert_eq!(tpm.platform().unwrap(), Platform::Disabled);
        assert_eq!(tpm.lockout().unwrap().counter, 0);
    });
}

#[test]
fn a_tpm_tests_itself_before_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let swtpm = sandbox::Swtpm::start(folder.path()).unwrap();
    let test = Tpm::self_test(&swtpm.tcti().parse().unwrap()).unwrap();
    assert_eq!(test.failure, None);
    assert!(test.details.is_some());
    assert!(Tpm::self_test(&"swtpm:host=127.0.0.1,port=9".parse().unwrap()).is_err());
}

/// The lockout auth is what ends a lockout, so it is given back in one; a PIN is not.
#[test]
fn a_sealed_auth_value_is_given_back_in_a_lockout() {
    with_tpm(|tpm, swtpm| {
        // Bytes that are no text.
        let drawn = auth("hex:ff00fe");
        tpm.seal_auth(&drawn, handle(0x8102_0010), None).unwrap();
        tpm.seal(&secret("1234"), handle(0x8102_0000), None).unwrap();
        let same = |tpm: &Tpm| {
            use secrecy::ExposeSecret;
            tpm.unseal_auth(handle(0x8102_0010))
                .unwrap()
                .to_text()
                .expose_secret()
                == "hex:ff00fe"
        };
        assert!(same(tpm));
        // It has no password.
        assert!(
            !swtpm
                .tool("tpm2_unseal", &["-c", "0x81020010"])
                .unwrap()
                .status
                .success()
        );
        lock(tpm, swtpm);
        assert!(
            tpm.unseal(handle(0x8102_0000))
                .unwrap_err()
                .to_string()
                .contains("locked")
        );
        assert!(same(tpm));
    });
}
