use key_metadata::Advice;
use keyrite_tpm::{PersistentKind, SealError, UnsealError};
use secrecy::ExposeSecret;

use crate::{auth, handle, secret, tool, with_state, with_tpm};

const PLACE: u32 = 0x8102_0000;

#[test]
fn a_secret_comes_back_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, _| {
        tpm.ensure_srk(None).unwrap();
        tpm.seal(&secret("geheim und größer"), handle(PLACE), None)
            .unwrap();
        assert_eq!(
            tpm.unseal(handle(PLACE)).unwrap().expose_secret(),
            "geheim und größer"
        );
        assert_eq!(
            tpm.persistent_kind(handle(PLACE)),
            Ok(Some(PersistentKind::SealedData))
        );
    });
    with_state(folder.path(), |tpm, _| {
        assert_eq!(
            tpm.unseal(handle(PLACE)).unwrap().expose_secret(),
            "geheim und größer"
        );
        // Sealed data is subject to the lockout, and an orderly stop is not taken for an attack.
        assert_eq!(tpm.lockout().unwrap().counter, 0);
    });
}

#[test]
fn a_taken_handle_is_left_alone() {
    with_tpm(|tpm, _| {
        tpm.seal(&secret("first"), handle(PLACE), None).unwrap();
        let error = tpm.seal(&secret("second"), handle(PLACE), None).unwrap_err();
        assert!(
            matches!(
                error,
                SealError::HandleTaken {
                    kind: PersistentKind::SealedData,
                    ..
                }
            ),
            "{error}"
        );
        let error = tpm
            .seal(&secret("second"), handle(0x8100_0001), None)
            .unwrap_err();
        assert!(
            error.to_string().contains("holds a storage key") && error.hint().is_some(),
            "{error}"
        );
        assert_eq!(tpm.unseal(handle(PLACE)).unwrap().expose_secret(), "first");
    });
}

#[test]
fn what_is_not_sealed_is_not_given() {
    with_tpm(|tpm, _| {
        assert!(matches!(
            tpm.unseal(handle(PLACE)),
            Err(UnsealError::Absent { .. })
        ));
        let kind = PersistentKind::StorageKey;
        assert!(
            matches!(tpm.unseal(handle(0x8100_0001)), Err(UnsealError::NotSealed { kind: k, .. }) if k == kind)
        );
        assert_eq!(tpm.persistent_kind(handle(PLACE)), Ok(None));
        for length in [0, 129] {
            let error = tpm
                .seal(&secret(&"x".repeat(length)), handle(PLACE), None)
                .unwrap_err();
            assert!(matches!(error, SealError::Length { length: l } if l == length));
        }
        tpm.seal(&secret(&"x".repeat(128)), handle(PLACE), None).unwrap();
    });
}

#[test]
fn the_owner_may_have_an_auth_value() {
    with_tpm(|tpm, swtpm| {
        tool(swtpm, "tpm2_changeauth -c owner theirs");
        for wrong in [None, Some(auth("wrong"))] {
            let error = tpm
                .seal(&secret("1234"), handle(PLACE), wrong.as_ref())
                .unwrap_err();
            assert!(
                matches!(error, SealError::OwnerAuth { .. }) && error.is_credential(),
                "{error}"
            );
        }
        tpm.seal(&secret("1234"), handle(PLACE), Some(&auth("theirs")))
            .unwrap();
        assert_eq!(tpm.unseal(handle(PLACE)).unwrap().expose_secret(), "1234");
    });
}

#[test]
fn without_an_srk_nothing_is_sealed() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, _| {
        let error = tpm.seal(&secret("1234"), handle(PLACE), None).unwrap_err();
        assert!(error.hint().unwrap().contains("keyrite-tpm-init"), "{error}");
    });
}
