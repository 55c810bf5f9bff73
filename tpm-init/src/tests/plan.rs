use super::*;
use crate::plan::Plan;

fn name(number: u8) -> String {
    format!("000b{}", format!("{number:02x}").repeat(32))
}

fn fresh() -> TpmState {
    TpmState {
        manufacturer: "IFX".to_owned(),
        vendor: "SLB9672".to_owned(),
        firmware: "15.22.0.0".to_owned(),
        revision: 159,
        owner_auth: AuthState::Empty,
        endorsement_auth: AuthState::Empty,
        lockout_auth: AuthState::Empty,
        in_lockout: false,
        clear_disabled: false,
        protection: Protection {
            tries: 3,
            forgiven_after: 1000,
            lockout_blocked_for: 1000,
        },
        storage_root_key: Place::Absent,
        attestation_key: Place::Absent,
        log_index: Place::Absent,
        log_counter: Place::Absent,
        persistent: Vec::new(),
        nv: Vec::new(),
    }
}

fn wishes() -> Wishes {
    Wishes {
        setup: TpmSetup::default(),
        custodians: [("ana".to_owned(), "age1xyz".parse().unwrap())].into(),
        remove: BTreeSet::new(),
        start: Start::AsItIs,
        sealed_pins: BTreeSet::new(),
    }
}

fn kinds(steps: &[Step]) -> Vec<String> {
    let words = |step: &Step| step.to_string().split(' ').take(3).collect::<Vec<_>>().join(" ");
    steps.iter().map(words).collect()
}

#[test]
fn a_fresh_tpm_gets_everything_and_the_auth_values_last() {
    let steps = steps(&fresh(), &Known::default(), &wishes()).unwrap();
    assert_eq!(
        kinds(&steps),
        [
            "define the log",
            "define the log",
            "make the storage",
            "make an attestation",
            "prove the attestation",
            "lock after 32",
            "disable TPM2_Clear but",
            "draw the endorsement",
            "draw the lockout",
            "draw the owner",
            "check everything and"
        ]
    );
}

#[test]
fn nothing_is_done_twice() {
    let mut state = fresh();
    let ours = |number| Place::Ours { name: name(number) };
    (state.owner_auth, state.endorsement_auth, state.lockout_auth) =
        (AuthState::Set, AuthState::Set, AuthState::Set);
    (state.storage_root_key, state.attestation_key) = (ours(1), ours(2));
    (state.log_index, state.log_counter) = (ours(3), ours(4));
    (state.clear_disabled, state.protection) = (true, Protection::OURS);
    let mut known = Known {
        delivered: HierarchyName::ALL.into(),
        identity: Some(identity()),
        reported: true,
        ..Known::default()
    };
    assert_eq!(steps(&state, &known, &wishes()), Ok(Vec::new()));
    // A run that was killed before its report has only that left.
    known.reported = false;
    assert_eq!(steps(&state, &known, &wishes()), Ok(vec![Step::Report]));
    // What drifted is put right only with the auth value that it takes, which is replaced.
    known.reported = true;
    state.log_index = Place::Absent;
    let obstacles = steps(&state, &known, &wishes()).unwrap_err();
    assert_eq!(
        obstacles,
        [
            Obstacle::UnknownAuth {
                hierarchy: HierarchyName::Endorsement,
                delivered: true
            },
            Obstacle::UnknownAuth {
                hierarchy: HierarchyName::Owner,
                delivered: true
            }
        ]
    );
    known.auths = [HierarchyName::Owner, HierarchyName::Endorsement].into();
    let steps = steps(&state, &known, &wishes()).unwrap();
    assert_eq!(
        kinds(&steps),
        [
            "empty the endorsement",
            "empty the owner",
            "define the log",
            "prove the attestation",
            "draw the endorsement",
            "draw the owner",
            "check everything and"
        ]
    );
}

fn identity() -> TpmIdentity {
    TpmIdentity::from_yaml(&format!(
        "version: 1\nstorage-root-key: {}\nendorsement-key: {{template: P-256, spki-sha256: aa}}\n\
         attestation-key: {{handle: '0x81010020', name: {}, public-key: aa, proved: 2026-11-23T10:00:00Z}}\n\
         log-index: {{index: '0x01800020', name: {}}}\nlog-counter: {{index: '0x01800021', name: {}, risen-to: 2}}\n",
        name(1),
        name(2),
        name(3),
        name(4)
    ))
    .unwrap()
}

/// Whatever step a run is killed behind: the next run plans the rest of it, and nothing else.
#[test]
fn what_is_left_is_what_was_planned() {
    let known = Known::default();
    let plan = Plan {
        version: 1,
        tpm: "tpm".to_owned(),
        made: "2026-11-23T10:00:00Z".parse().unwrap(),
        before: fresh(),
        steps: steps(&fresh(), &known, &wishes()).unwrap(),
    };
    let (mut state, mut known) = (fresh(), known);
    known.interrupted = true;
    for done in 0..plan.steps.len() {
        let left = steps(&state, &known, &wishes()).unwrap();
        assert_eq!(left, plan.steps[done..], "behind step {done}");
        plan.check(&state, &left).unwrap();
        apply(&plan.steps[done], &mut state, &mut known);
    }
    // Somebody else's object, or another firmware, is not in the plan.
    let mut other = state.clone();
    other.persistent.push(Kept {
        handle: "0x81000002".to_owned(),
        name: name(9),
        what: "a signing key".to_owned(),
    });
    assert!(
        plan.check(&other, &[])
            .unwrap_err()
            .to_string()
            .contains("0x81000002 is new")
    );
    let mut other = fresh();
    other.firmware = "15.23.0.0".to_owned();
    assert!(plan.check(&other, &plan.steps).is_err());
    assert!(plan.check(&fresh(), &[Step::LiftLockout]).is_err());
}

fn apply(step: &Step, state: &mut TpmState, known: &mut Known) {
    let ours = |number| Place::Ours { name: name(number) };
    match step {
        Step::MakeStorageRootKey { .. } => state.storage_root_key = ours(1),
        Step::MakeAttestationKey { .. } => state.attestation_key = ours(2),
        Step::DefineLogIndex { .. } => state.log_index = ours(3),
        Step::DefineLogCounter { .. } => state.log_counter = ours(4),
        Step::Identify { .. } => known.identity = Some(identity()),
        Step::SetProtection(protection) => state.protection = *protection,
        Step::DisableClear => state.clear_disabled = true,
        Step::SetAuth { hierarchy, .. } => {
            known.delivered.insert(*hierarchy);
            match hierarchy {
                HierarchyName::Owner => state.owner_auth = AuthState::Set,
                HierarchyName::Endorsement => state.endorsement_auth = AuthState::Set,
                HierarchyName::Lockout => state.lockout_auth = AuthState::Set,
            }
        }
        Step::Report => known.reported = true,
        other => panic!("not in the plan of a fresh TPM: {other}"),
    }
}

#[test]
fn what_is_foreign_stays_until_it_is_named() {
    let mut state = fresh();
    state.storage_root_key = Place::Foreign { name: name(7) };
    let kept = Kept {
        handle: "0x81000001".to_owned(),
        name: name(7),
        what: "a storage key".to_owned(),
    };
    state.persistent.push(kept.clone());
    let known = Known::default();
    let mut wishes = wishes();
    assert!(matches!(
        steps(&state, &known, &wishes).unwrap_err()[..],
        [Obstacle::Foreign { .. }]
    ));
    wishes.remove.insert("0x81000001".to_owned());
    let planned = steps(&state, &known, &wishes).unwrap();
    assert_eq!(planned[0], Step::Remove(kept));
    assert_eq!(planned[0].consent().unwrap().1, "07070707");
    wishes.remove = ["0x81000009".to_owned()].into();
    assert!(
        steps(&state, &known, &wishes)
            .unwrap_err()
            .contains(&Obstacle::NothingToRemove {
                place: "0x81000009".to_owned()
            })
    );
}

#[test]
fn another_tpm_and_an_owned_one() {
    let known = Known {
        identity: Some(identity()),
        reported: true,
        ..Known::default()
    };
    let mut wishes = wishes();
    assert!(matches!(
        steps(&fresh(), &known, &wishes).unwrap_err()[..],
        [Obstacle::AnotherTpm { .. }]
    ));
    wishes.start = Start::AnotherTpm;
    assert!(matches!(
        steps(&fresh(), &known, &wishes).unwrap()[0],
        Step::SetAside { .. }
    ));
    let mut owned = fresh();
    owned.lockout_auth = AuthState::Set;
    wishes.start = Start::Cleared;
    assert!(matches!(
        steps(&owned, &Known::default(), &wishes).unwrap_err()[0],
        Obstacle::UnknownAuth { .. }
    ));
    let known = Known {
        auths: [HierarchyName::Lockout].into(),
        ..Known::default()
    };
    let planned = steps(&owned, &known, &wishes).unwrap();
    assert_eq!(planned[0].consent().unwrap().1, "clear");
    // What the clear emptied needs no emptying.
    assert!(!planned.iter().any(|step| matches!(step, Step::EmptyAuth { .. })));
    owned.clear_disabled = true;
    assert_eq!(
        steps(&owned, &known, &wishes).unwrap_err()[0],
        Obstacle::ClearDisabled
    );
}

#[test]
fn nobody_to_give_it_to() {
    let mut wishes = wishes();
    wishes.custodians.clear();
    let obstacles = steps(&fresh(), &Known::default(), &wishes).unwrap_err();
    assert_eq!(obstacles.len(), 3);
    wishes.setup.owner_auth = "tpm:0x81020010".parse().unwrap();
    wishes.setup.endorsement_auth = "tpm:0x81020011".parse().unwrap();
    wishes.setup.lockout_auth = "tpm:0x81020012".parse().unwrap();
    assert!(steps(&fresh(), &Known::default(), &wishes).is_ok());
}
