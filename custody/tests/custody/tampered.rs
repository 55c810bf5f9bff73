//! Files that somebody changed.

use custody::{DecryptError, Plugins, decrypt_with};

use crate::desk::{Desk, encrypted};

/// Each bit is another one, each byte is left out and said twice, the file ends anywhere: nothing opens.
#[test]
fn no_bit_of_a_file_can_be_changed() {
    let desk = Desk::new();
    let x25519 = desk.age_key("x25519");
    let ed25519 = desk.ssh_key("ed25519", "ed25519", "");
    for (name, file) in [
        ("x25519", encrypted([&x25519])),
        ("ed25519", encrypted([&ed25519])),
        ("x25519", desk.age_encrypts(&x25519, &["-a"])),
        ("ed25519", desk.age_encrypts(&ed25519, &[])),
    ] {
        let identities = desk.identities(name);
        let opens = |file: &[u8]| decrypt_with(&identities, file, &Plugins::none()).is_ok();
        assert!(opens(&file));
        for place in 0..file.len() {
            for bit in 0..8 {
                let mut changed = file.clone();
                changed[place] ^= 1 << bit;
                assert!(!opens(&changed), "{name}: byte {place}, bit {bit}");
            }
            let mut less = file.clone();
            less.remove(place);
            assert!(!opens(&less), "{name}: without byte {place}");
            let mut more = file.clone();
            more.insert(place, file[place]);
            assert!(!opens(&more), "{name}: byte {place} twice");
            assert!(!opens(&file[..place]), "{name}: {place} bytes");
        }
        assert!(!opens(&[&file[..], b"\n"].concat()));
    }
}

/// age itself reads these; they are another file than the one that was written.
#[test]
fn another_way_to_write_it_is_damage() {
    let desk = Desk::new();
    let file = encrypted([&desk.age_key("key")]);
    let text = String::from_utf8(file).unwrap();
    for other in [
        text.replace('\n', "\r\n"),
        format!("{text}\n"),
        format!("{text} \n"),
    ] {
        assert!(desk.age_opens("key", other.as_bytes()).is_some());
        let error = desk.open("key", other.as_bytes()).unwrap_err();
        assert!(matches!(error, DecryptError::Damaged), "{error:?}");
    }
}
