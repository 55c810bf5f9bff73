use key_metadata::{Advice, NvIndex};
use keyrite_tpm::{Anchor, AnchorError, AnchorState, Holds, PersistentKind};
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};

use crate::{auth, handle, lock, secret, tool, with_state, with_tpm};

fn index(text: &str) -> NvIndex {
    text.parse().unwrap()
}

#[test]
fn anchors_are_made_recognised_and_written() {
    with_tpm(|tpm, swtpm| {
        let (log, counter) = (index("0x01800020"), index("0x01800021"));
        for (anchor, place) in [(Anchor::Log, log), (Anchor::Counter, counter)] {
            assert_eq!(tpm.anchor(anchor, place).unwrap(), AnchorState::Absent);
            tpm.define_anchor(anchor, place, None).unwrap();
            let name = anchor.name(place, Holds::Nothing).unwrap();
            assert_eq!(
                tpm.anchor(anchor, place).unwrap(),
                AnchorState::Ours {
                    name,
                    holds: Holds::Nothing
                }
            );
            assert!(matches!(
                tpm.define_anchor(anchor, place, None),
                Err(AnchorError::Taken { .. })
            ));
        }
        let first = tpm.raise_counter(counter).unwrap();
        assert_eq!(tpm.raise_counter(counter).unwrap(), first + 1);
        assert_eq!(tpm.counter(counter).unwrap(), first + 1);
        assert!(matches!(
            tpm.anchor(Anchor::Counter, counter).unwrap(),
            AnchorState::Ours {
                holds: Holds::Something,
                ..
            }
        ));
        // tpm2-tools agrees with the name, reads without a password, and cannot write without the policy.
        let seen = tool(swtpm, "tpm2_nvreadpublic 0x01800021");
        let name = Anchor::Counter
            .name(counter, Holds::Something)
            .unwrap()
            .to_string();
        assert!(seen.contains(&name), "{seen}");
        tool(swtpm, "tpm2_nvread 0x01800021 -s 8");
        for denied in ["tpm2_nvincrement 0x01800021", "tpm2_nvincrement -C o 0x01800021"] {
            let words: Vec<_> = denied.split(' ').collect();
            assert!(
                !swtpm.tool(words[0], &words[1..]).unwrap().status.success(),
                "{denied}"
            );
        }
    });
}

#[test]
fn what_is_there_is_listed_and_removed_by_name() {
    with_tpm(|tpm, swtpm| {
        tpm.seal(&secret("1234"), handle(0x8102_0000), None).unwrap();
        tool(swtpm, "tpm2_nvdefine 0x01800020 -s 16 -a ownerread|ownerwrite");
        tpm.change_auth(keyrite_tpm::Hierarchy::Owner, None, Some(&auth("mine")))
            .unwrap();
        assert!(matches!(
            tpm.anchor(Anchor::Log, index("0x01800020")).unwrap(),
            AnchorState::Foreign { .. }
        ));
        let objects = tpm.persistent_objects().unwrap();
        assert_eq!(
            objects.iter().map(|o| (o.handle, o.kind)).collect::<Vec<_>>(),
            [
                (0x8100_0001, PersistentKind::StorageKey),
                (0x8102_0000, PersistentKind::SealedData)
            ]
        );
        let [entry] = &tpm.nv_entries().unwrap()[..] else {
            panic!("one index")
        };
        assert_eq!((entry.index, entry.size), (0x0180_0020, 16));
        // Not what was expected there, then without the owner, then rightly.
        let sealed = &objects[1];
        let other = tpm
            .evict(sealed.handle, &objects[0].name, Some(&auth("mine")))
            .unwrap_err();
        assert!(other.to_string().contains("not") && other.hint().is_some());
        assert!(
            tpm.evict(sealed.handle, &sealed.name, None)
                .unwrap_err()
                .is_credential()
        );
        assert!(
            tpm.undefine_nv(entry.index, &entry.name, None)
                .unwrap_err()
                .is_credential()
        );
        tpm.evict(sealed.handle, &sealed.name, Some(&auth("mine")))
            .unwrap();
        tpm.undefine_nv(entry.index, &entry.name, Some(&auth("mine")))
            .unwrap();
        assert_eq!(tpm.persistent_objects().unwrap().len(), 1);
        assert!(tpm.nv_entries().unwrap().is_empty());
    });
}

#[test]
fn a_full_tpm_is_no_surprise() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, swtpm| {
        let mut index_number = 0x0180_1000;
        // Large ones first, then small ones into what is left.
        for size in ["2048", "256", "8"] {
            while swtpm
                .tool("tpm2_nvdefine", &[&format!("{index_number:#x}"), "-s", size])
                .unwrap()
                .status
                .success()
            {
                index_number += 1;
            }
        }
        assert!(matches!(
            tpm.define_anchor(Anchor::Log, index("0x01800020"), None),
            Err(AnchorError::NoSpace { .. })
        ));
        assert!(tpm.nv_entries().unwrap().len() > 20);
    });
}

/// The C library must not remember what was there.
#[test]
fn an_evicted_handle_is_used_again() {
    with_tpm(|tpm, _| {
        let at = handle(0x8102_0000);
        for text in ["first", "second"] {
            tpm.seal(&secret(text), at, None).unwrap();
            assert_eq!(tpm.unseal(at).unwrap().expose_secret(), text);
            let objects = tpm.persistent_objects().unwrap();
            let sealed = objects
                .iter()
                .find(|object| object.handle == at.number())
                .unwrap();
            tpm.evict(at.number(), &sealed.name, None).unwrap();
        }
    });
}

/// `tpm2_nvread` is the referee.
#[test]
fn the_log_index_is_extended() {
    with_tpm(|tpm, swtpm| {
        let (log, counter) = (index("0x01800020"), index("0x01800021"));
        let [missing, unread] = [tpm.extend_log(log, &[1; 32]), tpm.log_value(log).map(|_| ())];
        for error in [missing.unwrap_err(), unread.unwrap_err()] {
            assert!(matches!(error, AnchorError::Absent { .. }) && error.hint().is_some());
        }
        tpm.define_anchor(Anchor::Log, log, None).unwrap();
        tpm.define_anchor(Anchor::Counter, counter, None).unwrap();
        assert_eq!(tpm.log_value(log).unwrap(), None);
        assert!(matches!(tpm.counter(counter), Err(AnchorError::Unwritten { .. })));
        // No secret is in it, so a lockout stops nothing.
        lock(tpm, swtpm);
        let mut held = [0; 32];
        for entry in [[1_u8; 32], [2; 32], [0; 32]] {
            tpm.extend_log(log, &entry).unwrap();
            held = Sha256::digest([held, entry].concat()).into();
            assert_eq!(tpm.log_value(log).unwrap(), Some(held));
            let read = swtpm.must("tpm2_nvread", &["0x01800020", "-s", "32"]).unwrap();
            assert_eq!(read, held);
            tpm.raise_counter(counter).unwrap();
        }
        // Neither is taken for the other.
        for error in [
            tpm.extend_log(counter, &[1; 32]).unwrap_err(),
            tpm.raise_counter(log).unwrap_err(),
        ] {
            assert!(matches!(error, AnchorError::Foreign { .. }), "{error}");
        }
        assert_eq!(tpm.log_value(log).unwrap(), Some(held));
    });
}
