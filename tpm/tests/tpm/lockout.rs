use key_metadata::{Algorithm, KeySpec};

use crate::{secret, tool, with_state, with_tpm};

#[test]
fn what_is_set_is_shown() {
    with_tpm(|tpm, swtpm| {
        let fresh = tpm.lockout().unwrap();
        assert_eq!(
            (fresh.counter, fresh.max, fresh.interval, fresh.recovery),
            (0, 3, 1000, 1000)
        );
        assert!(
            !fresh.owner_auth_set && !fresh.lockout_auth_set && !fresh.in_lockout && !fresh.clear_disabled
        );
        assert_eq!(fresh.tries_left(), 3);
        tool(swtpm, "tpm2_changeauth -c owner o");
        tool(swtpm, "tpm2_changeauth -c endorsement e");
        tool(swtpm, "tpm2_changeauth -c lockout l");
        let owned = tpm.lockout().unwrap();
        assert!(owned.owner_auth_set && owned.endorsement_auth_set && owned.lockout_auth_set);
    });
}

/// A stop without TPM2_Shutdown counts as a wrong auth value once a protected key was used; an orderly one does not.
#[test]
fn an_orderly_stop_is_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let spec = KeySpec::new(Algorithm::EcdsaP256Sha256, None).unwrap();
    let auth = secret("a PIN");
    for _ in 0..2 {
        with_state(folder.path(), |tpm, _| {
            tpm.ensure_srk(None).unwrap();
            let blob = tpm.create_key(spec, Some(&auth)).unwrap();
            tpm.load(&blob, Some(&auth))
                .unwrap()
                .sign(Algorithm::EcdsaP256Sha256, b"data")
                .unwrap();
            assert_eq!(tpm.lockout().unwrap().counter, 0);
            tpm.shutdown().unwrap();
        });
    }
}
