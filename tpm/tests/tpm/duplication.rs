//! Backups of native keys: out of one TPM to a recovery parent, into another, and by hand with tpm2-tools and openssl.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use key_metadata::{Advice, Algorithm, KeySpec, PublicKey, verifies};
use keyrite_tpm::{
    Duplicate, DuplicateError, DuplicateFormError, Hierarchy, HierarchyError, KeyBlob, OpenError,
    RecoveryParent, RecoverySecret, RestoreError, SignError, Tpm,
};
use sandbox::{Swtpm, Tap, software_key};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::{auth, secret, tool, with_state, with_tpm};

const DATA: &[u8] = b"an RRset in canonical form";

/// What swtpm makes.
const KEYS: [(Algorithm, u16); 5] = [
    (Algorithm::RsaSha256, 2048),
    (Algorithm::RsaSha512, 2048),
    (Algorithm::RsaSha256, 3072),
    (Algorithm::EcdsaP256Sha256, 256),
    (Algorithm::EcdsaP384Sha384, 384),
];

fn spec(algorithm: Algorithm, bits: u16) -> KeySpec {
    KeySpec::new(algorithm, Some(bits)).unwrap()
}

fn p256() -> KeySpec {
    spec(Algorithm::EcdsaP256Sha256, 256)
}

/// A recovery parent by the TPM's random bytes.
fn recovery(tpm: &Tpm) -> RecoverySecret {
    use secrecy::ExposeSecret;
    RecoverySecret::generate(|out| {
        tpm.random(out.len())
            .map(|bytes| out.copy_from_slice(bytes.expose_secret()))
    })
    .map_err(|error| error.to_string())
    .unwrap()
}

fn signs(tpm: &Tpm, key: &KeyBlob, spec: KeySpec, pin: &SecretString, public: &PublicKey) {
    let key = KeyBlob::from_bytes(&key.to_bytes()).unwrap();
    assert_eq!(&key.public_key(spec.algorithm()).unwrap(), public);
    let loaded = tpm.load(&key, Some(pin)).unwrap();
    let signature = loaded.sign(spec.algorithm(), DATA).unwrap();
    assert!(verifies(public, DATA, &signature), "{spec}");
}

/// As it goes through files.
fn reread(backup: &Duplicate) -> Duplicate {
    Duplicate::from_parts(
        &backup.public_part(),
        &backup.duplicate_part(),
        &backup.seed_part(),
    )
    .unwrap()
}

#[test]
fn keys_of_every_kind_go_to_another_tpm_and_from_there_again() {
    with_tpm(|old, _| {
        let recovery = recovery(old);
        let parent = RecoveryParent::from_bytes(&recovery.parent().to_bytes()).unwrap();
        let (pin, new_pin) = (secret("a PIN"), secret("the spare TPM's PIN"));
        for (algorithm, bits) in KEYS {
            let spec = spec(algorithm, bits);
            let key = old.create_duplicable_key(spec, Some(&pin), &parent).unwrap();
            let key = KeyBlob::from_bytes(&key.to_bytes()).unwrap();
            assert!(key.leaves_to(&parent));
            let public = key.public_key(algorithm).unwrap();
            let backup = reread(&old.duplicate(&key, &parent, None).unwrap());
            assert!(backup.leaves_to(&parent));
            assert_eq!(backup.public_key(algorithm).unwrap(), public);
            let opened = backup.open(&recovery).unwrap();
            assert_eq!(opened.public_key(algorithm).unwrap(), public);
            // It stays where it was.
            signs(old, &key, spec, &pin, &public);
            with_tpm(|spare, _| {
                let there = spare.restore(&backup, &recovery, Some(&new_pin)).unwrap();
                signs(spare, &there, spec, &new_pin, &public);
                assert_eq!(there.public_part(), key.public_part());
                let old_pin = spare.load(&there, Some(&pin)).unwrap().sign(algorithm, DATA);
                assert!(
                    matches!(old_pin, Err(SignError::AuthRefused { .. })),
                    "{old_pin:?}"
                );
                assert!(there.leaves_to(&parent));
                let again = spare.duplicate(&there, &parent, None).unwrap();
                assert_eq!(again.name(), backup.name());
                let home = old.restore(&again, &recovery, Some(&pin)).unwrap();
                signs(old, &home, spec, &pin, &public);
            });
        }
    });
}

#[test]
fn keys_from_outside_leave_in_the_same_way() {
    with_tpm(|tpm, _| {
        let recovery = recovery(tpm);
        let pin = secret("a PIN");
        for (algorithm, bits) in KEYS {
            let outside = software_key(algorithm, bits).unwrap();
            let key = tpm
                .import_duplicable_key(&outside, Some(&pin), recovery.parent())
                .unwrap();
            assert!(key.leaves_to(recovery.parent()));
            let backup = tpm.duplicate(&key, recovery.parent(), None).unwrap();
            let restored = tpm.restore(&backup, &recovery, Some(&pin)).unwrap();
            signs(tpm, &restored, spec(algorithm, bits), &pin, &outside.public_key);
            let stays = tpm.import_key(&outside, None).unwrap();
            let error = tpm.duplicate(&stays, recovery.parent(), None).unwrap_err();
            assert!(matches!(error, DuplicateError::Stays { .. }), "{error}");
        }
    });
}

#[test]
fn a_cleared_tpm_takes_its_keys_back() {
    with_tpm(|tpm, _| {
        let recovery = recovery(tpm);
        let pin = secret("a PIN");
        let key = tpm
            .create_duplicable_key(p256(), Some(&pin), recovery.parent())
            .unwrap();
        let public = key.public_key(p256().algorithm()).unwrap();
        let backup = tpm.duplicate(&key, recovery.parent(), None).unwrap();
        tpm.clear(None).unwrap();
        tpm.ensure_srk(None).unwrap();
        assert!(tpm.load(&key, Some(&pin)).is_err());
        let restored = tpm.restore(&backup, &recovery, Some(&pin)).unwrap();
        signs(tpm, &restored, p256(), &pin, &public);
        // Without an auth value too.
        let open = tpm.restore(&backup, &recovery, None).unwrap();
        assert!(
            tpm.load(&open, None)
                .unwrap()
                .sign(p256().algorithm(), DATA)
                .is_ok()
        );
    });
}

/// Three loaded keys take every slot of swtpm.
#[test]
fn keys_that_are_loaded_give_way_and_sign_afterwards() {
    with_tpm(|tpm, _| {
        let recovery = recovery(tpm);
        let key = tpm
            .create_duplicable_key(p256(), None, recovery.parent())
            .unwrap();
        let loaded: Vec<_> = (0..3).map(|_| tpm.load(&key, None).unwrap()).collect();
        let backup = tpm.duplicate(&key, recovery.parent(), None).unwrap();
        tpm.restore(&backup, &recovery, None).unwrap();
        for key in &loaded {
            key.sign(p256().algorithm(), DATA).unwrap();
        }
        tpm.proves_duplication(p256()).unwrap();
    });
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    with_tpm(|tpm, _| {
        let recovery = recovery(tpm);
        for (algorithm, bits) in [
            (Algorithm::RsaSha256, 2048),
            (Algorithm::EcdsaP256Sha256, 256),
            (Algorithm::EcdsaP384Sha384, 384),
        ] {
            let key = tpm
                .create_duplicable_key(spec(algorithm, bits), Some(&secret("a PIN")), recovery.parent())
                .unwrap();
            let backup = tpm.duplicate(&key, recovery.parent(), None).unwrap();
            let parts = [backup.public_part(), backup.duplicate_part(), backup.seed_part()];
            let opens = |parts: &[Vec<u8>; 3]| {
                Duplicate::from_parts(&parts[0], &parts[1], &parts[2])
                    .is_ok_and(|backup| backup.open(&recovery).is_ok())
            };
            assert!(opens(&parts));
            for part in 0..3 {
                for place in 0..parts[part].len() {
                    let mut bad = parts.clone();
                    bad[part][place] ^= 1 << (place % 8);
                    assert!(!opens(&bad), "{algorithm}: part {part}, byte {place}");
                }
                let mut longer = parts.clone();
                longer[part].push(0);
                let mut shorter = parts.clone();
                shorter[part].pop();
                assert!(!opens(&longer) && !opens(&shorter));
            }
        }
    });
}

#[test]
fn parts_of_two_backups_do_not_mix_and_an_unencrypted_one_is_named() {
    with_tpm(|tpm, _| {
        let recovery = recovery(tpm);
        let backup = || {
            let key = tpm
                .create_duplicable_key(p256(), None, recovery.parent())
                .unwrap();
            tpm.duplicate(&key, recovery.parent(), None).unwrap()
        };
        let (one, two) = (backup(), backup());
        let mixed =
            Duplicate::from_parts(&one.public_part(), &two.duplicate_part(), &two.seed_part()).unwrap();
        assert!(matches!(mixed.open(&recovery), Err(OpenError::Damaged)));
        let open = Duplicate::from_parts(&one.public_part(), &one.duplicate_part(), &[0, 0]);
        assert_eq!(open.unwrap_err(), DuplicateFormError::NotEncrypted);
    });
}

#[test]
fn another_recovery_parent_neither_gets_a_key_nor_opens_its_backup() {
    with_tpm(|tpm, _| {
        let (right, wrong) = (recovery(tpm), recovery(tpm));
        let key = tpm.create_duplicable_key(p256(), None, right.parent()).unwrap();
        assert!(!key.leaves_to(wrong.parent()));
        let error = tpm.duplicate(&key, wrong.parent(), None).unwrap_err();
        assert!(matches!(error, DuplicateError::OtherParent { .. }), "{error}");
        let backup = tpm.duplicate(&key, right.parent(), None).unwrap();
        assert!(matches!(backup.open(&wrong), Err(OpenError::OtherParent { .. })));
        let error = tpm.restore(&backup, &wrong, None).unwrap_err();
        assert!(matches!(error, RestoreError::Open(_)) && !error.is_credential());
    });
}

#[test]
fn a_key_that_stays_has_its_own_error() {
    with_tpm(|tpm, _| {
        let recovery = recovery(tpm);
        let key = tpm.create_key(p256(), None).unwrap();
        assert!(!key.leaves_to(recovery.parent()));
        let error = tpm.duplicate(&key, recovery.parent(), None).unwrap_err();
        assert!(matches!(error, DuplicateError::Stays { .. }), "{error}");
        assert!(error.hint().is_some() && !error.is_credential());
    });
}

#[test]
fn the_owner_has_to_agree() {
    with_tpm(|tpm, swtpm| {
        let recovery = recovery(tpm);
        let owner = auth("THE-OWNERS-AUTH");
        tpm.change_auth(Hierarchy::Owner, None, Some(&owner)).unwrap();
        let key = tpm
            .create_duplicable_key(p256(), Some(&secret("a PIN")), recovery.parent())
            .unwrap();
        for wrong in [Some(auth("another")), None] {
            let error = tpm
                .duplicate(&key, recovery.parent(), wrong.as_ref())
                .unwrap_err();
            assert!(error.is_credential(), "{error}");
            assert!(
                matches!(
                    error,
                    DuplicateError::Owner(HierarchyError::Refused {
                        hierarchy: Hierarchy::Owner,
                        ..
                    })
                ),
                "{error:?}"
            );
        }
        let name = tpm.srk_name().unwrap();
        let tap = Tap::on(swtpm).unwrap();
        let heard = Tpm::connect(&tap.tcti().parse().unwrap()).unwrap();
        heard.pin_srk(&name).unwrap();
        let backup = heard.duplicate(&key, recovery.parent(), Some(&owner)).unwrap();
        heard
            .restore(&backup, &recovery, Some(&secret("KEY-AUTH-VALUE")))
            .unwrap();
        assert!(tap.saw(&backup.duplicate_part()[2..]), "the tap listens");
        assert!(!tap.saw(b"THE-OWNERS-AUTH") && !tap.saw(b"KEY-AUTH-VALUE"));
        // It is proved without the owner.
        tpm.proves_duplication(p256()).unwrap();
    });
}

#[test]
fn every_key_that_is_made_is_shown_to_leave_and_come_back() {
    with_tpm(|tpm, _| {
        for spec in tpm.offered_keys().unwrap() {
            assert_eq!(tpm.proves_duplication(spec).unwrap().spec, spec);
        }
        assert!(tpm.proves_duplication(spec(Algorithm::Ed25519, 256)).is_err());
    });
}

/// Commands at a shell in a folder, on that TPM.
struct Shell<'a> {
    swtpm: &'a Swtpm,
    folder: &'a Path,
}

impl Shell<'_> {
    fn run(&self, line: &str) -> Output {
        Command::new("sh")
            .args(["-c", line])
            .env("TPM2TOOLS_TCTI", self.swtpm.tcti())
            .current_dir(self.folder)
            .output()
            .unwrap()
    }

    /// Runs them one after the other; each must succeed. This TPM has no resource manager, which would free the slots.
    fn all(&self, lines: &[&str]) {
        for line in lines {
            let output = self.run(line);
            assert!(
                output.status.success(),
                "{line}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            if line.starts_with("tpm2_") {
                tool(self.swtpm, "tpm2_flushcontext -t");
            }
        }
    }

    fn refused(&self, line: &str, code: &str) {
        let output = self.run(line);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains(code),
            "{line}: {error}"
        );
        tool(self.swtpm, "tpm2_flushcontext -t");
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.folder.join(name), content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).unwrap()
    }
}

/// A storage root key, for what follows under it; with a resource manager any primary serves.
const SRK: &str = "tpm2_createprimary -Q -C o -G ecc256:aes128cfb -c srk.ctx";

/// The recovery parent out of its PEM; -a makes its Name the one that the keys' policies have.
const IMPORT_PARENT: &str = "tpm2_import -Q -C srk.ctx -G ecc:aes128cfb -i recovery-parent.pem \
                             -a 'restricted|decrypt|userwithauth|noda' -u parent.pub -r parent.priv";

#[test]
fn tpm2_tools_give_the_recovery_parent_the_same_area() {
    let folder = tempfile::tempdir().unwrap();
    with_state(&folder.path().join("tpm"), |tpm, swtpm| {
        let shell = Shell {
            swtpm,
            folder: folder.path(),
        };
        shell.all(&[SRK]);
        // The last is one whose number has leading zeros.
        let mut short = Zeroizing::new(vec![0; 32]);
        short[3] = 1;
        let short = RecoverySecret::from_bytes(short).unwrap();
        for secret in [recovery(tpm), recovery(tpm), short] {
            shell.write("recovery-parent.pem", secret.to_pem().as_bytes());
            shell.all(&[
                "openssl pkey -in recovery-parent.pem -check -noout",
                IMPORT_PARENT,
                "tpm2_load -Q -C srk.ctx -u parent.pub -r parent.priv -n parent.name -c parent.ctx",
            ]);
            assert_eq!(shell.read("parent.pub"), secret.parent().to_bytes());
            assert_eq!(shell.read("parent.name"), secret.parent().name().as_bytes());
        }
    });
}

/// Whether software and TPM compute the same policy, by a session that only tries.
#[test]
fn the_policy_is_the_one_that_a_trial_session_has() {
    with_tpm(|tpm, swtpm| {
        let folder = tempfile::tempdir().unwrap();
        let shell = Shell {
            swtpm,
            folder: folder.path(),
        };
        let recovery = recovery(tpm);
        let key = tpm
            .create_duplicable_key(p256(), None, recovery.parent())
            .unwrap();
        shell.write("parent.name", recovery.parent().name().as_bytes());
        shell.all(&[
            "tpm2_startauthsession -Q -S trial",
            "tpm2_policysecret -Q -S trial -c o",
            "tpm2_policyduplicationselect -Q -S trial -N parent.name -L policy",
            "tpm2_flushcontext trial",
        ]);
        // TPM2B_PUBLIC: size, type, hash, attributes, the policy's length, the policy.
        assert_eq!(shell.read("policy"), key.public_part()[12..44]);
    });
}

#[test]
fn the_tpm_itself_refuses_every_other_way_out() {
    with_tpm(|tpm, swtpm| {
        let folder = tempfile::tempdir().unwrap();
        let shell = Shell {
            swtpm,
            folder: folder.path(),
        };
        let (right, other) = (recovery(tpm), recovery(tpm));
        let leaves = tpm.create_duplicable_key(p256(), None, right.parent()).unwrap();
        let stays = tpm.create_key(p256(), None).unwrap();
        for (name, parent) in [("right", &right), ("other", &other)] {
            shell.write(&format!("{name}.pub"), parent.parent().to_bytes());
            shell.all(&[&format!(
                "tpm2_loadexternal -Q -C n -u {name}.pub -c {name}.ctx -n {name}.name"
            )]);
        }
        shell.write("null.name", [0x40, 0, 0, 7]);
        for (name, key) in [("leaves", &leaves), ("stays", &stays)] {
            shell.write(&format!("{name}.pub"), key.public_part());
            shell.write(&format!("{name}.priv"), key.private_part());
            shell.all(&[&format!(
                "tpm2_load -Q -C 0x81000001 -u {name}.pub -r {name}.priv -c {name}.ctx -n {name}.name"
            )]);
        }
        // A key that stays, and has the policy all the same.
        shell.write("policy", &leaves.public_part()[12..44]);
        shell.all(&[
            "tpm2_create -Q -C 0x81000001 -G ecc256 -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign' \
             -L policy -u fixed.pub -r fixed.priv",
            "tpm2_load -Q -C 0x81000001 -u fixed.pub -r fixed.priv -c fixed.ctx -n fixed.name",
        ]);
        let secret = "tpm2_policysecret -Q -S session -c o";
        // Key, new parent, the policy's commands, the TPM's answer.
        for (key, parent, commands, code) in [
            ("leaves", "other.ctx", &[secret, "other"][..], "0x99D"),
            ("leaves", "null", &[secret, "null"], "0x99D"),
            ("leaves", "right.ctx", &["right"], "0x99D"),
            ("leaves", "right.ctx", &[secret, "TPM2_CC_Duplicate"], "0x99D"),
            ("stays", "right.ctx", &[secret, "right"], "0x99D"),
            ("fixed", "right.ctx", &[secret, "right"], "0x182"),
        ] {
            shell.all(&["tpm2_startauthsession -Q --policy-session -S session"]);
            for command in commands {
                let line = match *command {
                    "TPM2_CC_Duplicate" => format!("tpm2_policycommandcode -Q -S session {command}"),
                    name @ ("right" | "other" | "null") => format!(
                        "tpm2_policyduplicationselect -Q -S session -n {key}.name -N {name}.name -L selected"
                    ),
                    line => line.to_owned(),
                };
                shell.all(&[&line]);
            }
            shell.refused(
                &format!(
                    "tpm2_duplicate -C {parent} -c {key}.ctx -G null -p session:session -r out.dup -s out.seed"
                ),
                code,
            );
            shell.all(&["tpm2_flushcontext session"]);
        }
    });
}

/// What docs/recovery-by-hand.md has somebody do who has the backup, the parent's PEM, a TPM and stock tools, and not us.
#[test]
fn stock_tools_restore_a_key_by_hand() {
    for (algorithm, bits, sign) in [
        (Algorithm::RsaSha256, 2048, "-g sha256 -s rsassa"),
        (Algorithm::EcdsaP256Sha256, 256, "-g sha256 -s ecdsa"),
        (Algorithm::EcdsaP384Sha384, 384, "-g sha384 -s ecdsa"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (mut files, mut public) = (Vec::new(), None);
        with_tpm(|tpm, _| {
            let recovery = recovery(tpm);
            let key = tpm
                .create_duplicable_key(spec(algorithm, bits), Some(&secret("a PIN")), recovery.parent())
                .unwrap();
            let backup = tpm.duplicate(&key, recovery.parent(), None).unwrap();
            files = vec![
                ("recovery-parent.pem", recovery.to_pem().as_bytes().to_vec()),
                ("key.pub", backup.public_part()),
                ("key.dup", backup.duplicate_part()),
                ("key.seed", backup.seed_part()),
                ("pin", b"a PIN".to_vec()),
                ("data", DATA.to_vec()),
            ];
            public = Some(key.public_key(algorithm).unwrap());
        });
        with_state(&folder.path().join("spare"), |_, swtpm| {
            let shell = Shell {
                swtpm,
                folder: folder.path(),
            };
            for (name, content) in files {
                shell.write(name, content);
            }
            shell.write("published.der", public.unwrap().spki_der().unwrap());
            let digest = sign.split(' ').nth(1).unwrap();
            shell.all(&[
                SRK,
                IMPORT_PARENT,
                "tpm2_load -Q -C srk.ctx -u parent.pub -r parent.priv -c parent.ctx",
                "tpm2_import -Q -C parent.ctx -u key.pub -i key.dup -s key.seed -r key.priv",
                "tpm2_load -Q -C parent.ctx -u key.pub -r key.priv -c key.ctx",
                &format!("tpm2_sign -Q -c key.ctx -p file:pin {sign} -f plain -o signature data"),
                "openssl pkey -pubin -inform DER -in published.der -out published.pem",
                &format!("openssl dgst -{digest} -verify published.pem -signature signature data"),
            ]);
        });
    }
}
