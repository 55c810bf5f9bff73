use key_metadata::Advice;
use keyrite_tpm::{Hierarchy, HierarchyError, LockoutParameters};

use crate::{auth, lock, tool, with_state, with_tpm};

#[test]
fn auth_values_are_changed_and_checked() {
    with_tpm(|tpm, swtpm| {
        for hierarchy in Hierarchy::ALL {
            tpm.check_auth(hierarchy, None).unwrap();
            // Not UTF-8: what is drawn never is.
            let new = auth(&format!("hex:{}", "fe".repeat(32)));
            tpm.change_auth(hierarchy, None, Some(&new)).unwrap();
            tpm.check_auth(hierarchy, Some(&new)).unwrap();
        }
        let set = tpm.lockout().unwrap();
        assert!(set.owner_auth_set && set.endorsement_auth_set && set.lockout_auth_set);
        // The text that custodians get opens it for others' tools.
        let text = format!("hex:{}", "fe".repeat(32));
        tool(swtpm, &format!("tpm2_changeauth -c owner -p {text} mine"));
        tpm.change_auth(Hierarchy::Owner, Some(&auth("mine")), None)
            .unwrap();
        assert!(!tpm.lockout().unwrap().owner_auth_set);
        assert!(matches!(
            tpm.check_auth(Hierarchy::Endorsement, Some(&auth("wrong"))),
            Err(HierarchyError::Refused {
                hierarchy: Hierarchy::Endorsement,
                ..
            })
        ));
        assert_eq!(tpm.lockout().unwrap().counter, 0);
    });
}

/// No capability shows that a wrong lockout auth was given; asking for an authorisation does.
#[test]
fn a_blocked_lockout_hierarchy_is_noticed() {
    with_tpm(|tpm, swtpm| {
        tpm.check_auth(Hierarchy::Lockout, None).unwrap();
        let before = tpm.lockout().unwrap();
        let wrong = swtpm
            .tool("tpm2_dictionarylockout", &["-c", "-p", "wrong"])
            .unwrap();
        assert!(!wrong.status.success());
        assert_eq!(tpm.lockout().unwrap(), before);
        let error = tpm.check_auth(Hierarchy::Lockout, None).unwrap_err();
        assert!(
            matches!(error, HierarchyError::Blocked { recovery: 1000, .. }) && error.is_credential(),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("1000 s"));
    });
}

#[test]
fn the_protection_is_set_and_lifted() {
    with_tpm(|tpm, swtpm| {
        let parameters = LockoutParameters {
            max: 32,
            interval: 7200,
            recovery: 86400,
        };
        tpm.set_lockout_parameters(parameters).unwrap();
        let seen = tpm.lockout().unwrap();
        assert_eq!((seen.max, seen.interval, seen.recovery), (32, 7200, 86400));
        lock(tpm, swtpm);
        tpm.lift_lockout().unwrap();
        assert!(!tpm.lockout().unwrap().in_lockout);
        tpm.change_auth(Hierarchy::Lockout, None, Some(&auth("mine")))
            .unwrap();
        // With an auth value set, the empty one would be a wrong guess: whoever calls must not.
        assert!(tpm.lockout().unwrap().lockout_auth_set);
    });
}

#[test]
fn clear_takes_all_and_can_be_disabled() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, swtpm| {
        let first = tpm.ensure_srk(None).unwrap().name().clone();
        tpm.change_auth(Hierarchy::Lockout, None, Some(&auth("mine")))
            .unwrap();
        tpm.change_auth(Hierarchy::Owner, None, Some(&auth("mine")))
            .unwrap();
        tpm.clear(Some(&auth("mine"))).unwrap();
        let cleared = tpm.lockout().unwrap();
        assert!(!cleared.owner_auth_set && !cleared.lockout_auth_set);
        assert_eq!(tool(swtpm, "tpm2_getcap handles-persistent"), "");
        assert_ne!(*tpm.ensure_srk(None).unwrap().name(), first);
        tpm.disable_clear(None).unwrap();
        assert!(tpm.lockout().unwrap().clear_disabled);
        let error = tpm.clear(None).unwrap_err();
        assert!(matches!(error, HierarchyError::ClearDisabled { .. }), "{error}");
        assert!(error.hint().unwrap().contains("firmware"));
    });
}
