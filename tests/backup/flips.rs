//! One flipped bit, at every byte of all that a restore reads.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use backup::{
    BundleFolder, Challenge, GivenShare, Payload, Proof, check, findings::first_failure, recombine,
};
use custody::{Identity, Plugins, decrypt_with, open_with_passphrase};
use key_metadata::Time;
use keyrite_tests::Stack;
use libtest_mimic::Trial;
use secrecy::ExposeSecret;
use slip39::Share;
use sshsig::AllowedSigners;

use crate::bench::{Bench, Bundle, CUSTODIANS, Split, ZONE};

/// The tool itself is asked about one byte of so many, of each file: a prime, so that no structure hides between.
const STEP: usize = 997;

pub fn trials() -> Vec<Trial> {
    vec![Trial::test("a flipped bit is found", || {
        flips();
        Ok(())
    })]
}

/// A bundle whose custodians have proved their shares, and everything that opens it.
struct Subject {
    bench: Bench,
    bundle: Bundle,
    folder: PathBuf,
    challenge: Challenge,
    allowed: AllowedSigners,
    at: Time,
}

fn flips() {
    let subject = Subject::new();
    let mut seed = Seed(0x9e37_79b9_7f4a_7c15);
    subject.bundle_in_process(&mut seed);
    subject.payload_in_process(&mut seed);
    subject.shares_in_process(&mut seed);
    subject.proofs_in_process(&mut seed);
    subject.by_the_tool(&mut seed);
}

/// Which bit is flipped: the same in each run (xorshift64, Marsaglia 2003).
struct Seed(u64);

impl Seed {
    fn flipped(&mut self, bytes: &[u8], place: usize) -> Vec<u8> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let mut flipped = bytes.to_vec();
        flipped[place] ^= 1 << (self.0 >> 61);
        flipped
    }
}

impl Subject {
    fn new() -> Self {
        let bench = Bench::new(Stack::SoftHsm);
        bench.must(&format!(
            "keyrite-keyctl generate --zone {ZONE} --role ksk --role zsk --activate"
        ));
        let bundle = bench.bundle(&format!("keyrite-backup create --zone {ZONE}"), Split::SMALL);
        let challenge = bench.must("keyrite-backup check-proof --challenge");
        let challenge = challenge.trim();
        for name in &CUSTODIANS[..3] {
            bench.must(&format!(
                "keyrite-backup prove {} --challenge {challenge} --sign-with ../people/{name} >../{name}.proof",
                bundle.shares_of(&[*name])
            ));
        }
        bench.must("keyrite-backup check-proof ../ana.proof ../luis.proof ../rosa.proof");
        let folder = bench.site().join("backups").join(&bundle.id);
        let allowed = fs::read(bench.site().join("allowed_signers")).unwrap();
        let opened = BundleFolder::open(&folder).unwrap();
        let subject = Self {
            challenge: Challenge::parse(challenge).unwrap(),
            allowed: AllowedSigners::parse(&allowed).unwrap(),
            at: opened.manifest.header.created,
            bench,
            bundle,
            folder,
        };
        assert!(
            subject.is_good(&subject.folder),
            "it is not good before a bit is flipped"
        );
        subject
    }

    fn is_good(&self, folder: &Path) -> bool {
        match BundleFolder::open(folder) {
            Ok(bundle) => first_failure(&check(&bundle, Some(&self.allowed), self.at)).is_none(),
            Err(_) => false,
        }
    }

    /// Every file of the bundle, by its name from the folder.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.folder, &self.folder, &mut files);
        assert_eq!(
            files.len(),
            8,
            "manifest, payload, two signatures, challenge and three proofs: {:?}",
            files.keys()
        );
        files
    }

    /// Every byte of every file: the check that comes before all else says no.
    fn bundle_in_process(&self, seed: &mut Seed) {
        let folder = self.bench.folder().join("flipped");
        let files = self.files();
        let mut missed = Vec::new();
        for (name, bytes) in &files {
            let is_proof = name.starts_with("proofs");
            let _ = fs::remove_dir_all(&folder);
            // Proofs are verified with each check: where they are not flipped, they only take time.
            for (name, bytes) in files
                .iter()
                .filter(|(name, _)| is_proof || !name.starts_with("proofs"))
            {
                fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
                fs::write(folder.join(name), bytes).unwrap();
            }
            assert!(self.is_good(&folder));
            for place in 0..bytes.len() {
                let flipped = seed.flipped(bytes, place);
                fs::write(folder.join(name), &flipped).unwrap();
                if self.is_good(&folder) {
                    missed.push(format!("{} at {place}: {:#04x}", name.display(), flipped[place]));
                }
            }
        }
        assert!(missed.is_empty(), "flips that were not found: {missed:#?}");
    }

    /// The payload is found damaged by age itself, too, by whoever has nothing but the secret.
    fn payload_in_process(&self, seed: &mut Seed) {
        let bundle = BundleFolder::open(&self.folder).unwrap();
        let given = CUSTODIANS[..2].iter().map(|name| GivenShare {
            from: (*name).to_owned(),
            share: self.share(name, &self.encrypted(name)).unwrap(),
        });
        let passphrase = recombine(&bundle.manifest, &given.collect::<Vec<_>>())
            .unwrap()
            .passphrase();
        let sealed = bundle.payload().unwrap();
        let json = open_with_passphrase(&passphrase, &sealed).unwrap();
        for place in 0..sealed.len() {
            let flipped = seed.flipped(&sealed, place);
            assert!(
                open_with_passphrase(&passphrase, &flipped).is_err(),
                "payload.age at {place}"
            );
        }
        Payload::from_json(&json, &bundle.manifest).unwrap();
    }

    fn encrypted(&self, name: &str) -> Vec<u8> {
        let path = format!("{}/{}-{name}.age", self.bundle.shares, self.bundle.id);
        fs::read(self.bench.site().join(path)).unwrap()
    }

    fn share(&self, name: &str, encrypted: &[u8]) -> Option<Share> {
        let key = fs::read(self.bench.folder().join(format!("people/{name}.key"))).unwrap();
        let identities = Identity::read_file(name, &key, &Plugins::none()).unwrap();
        let words = decrypt_with(&identities, encrypted, &Plugins::none()).ok()?;
        Share::parse(std::str::from_utf8(&words).ok()?).ok()
    }

    /// A share with a flipped bit is refused. In its words a capital letter is the same letter, and one blank as good as another: that is the same
    /// share, or none.
    fn shares_in_process(&self, seed: &mut Seed) {
        let encrypted = self.encrypted("rosa");
        let share = self.share("rosa", &encrypted).unwrap();
        for place in 0..encrypted.len() {
            let flipped = seed.flipped(&encrypted, place);
            assert!(
                self.share("rosa", &flipped).is_none(),
                "the encrypted share at {place}: {:#04x}",
                flipped[place]
            );
        }
        let words = share.mnemonic();
        let text = format!("{}\n", words.expose_secret());
        for place in 0..text.len() {
            let flipped = seed.flipped(text.as_bytes(), place);
            let Some(read) = std::str::from_utf8(&flipped)
                .ok()
                .and_then(|text| Share::parse(text).ok())
            else {
                continue;
            };
            // Not printed: they are a share's words.
            let is_same = read.mnemonic().expose_secret() == words.expose_secret();
            let is_blank = |bytes: &[u8]| char::from(bytes[place]).is_whitespace();
            let is_spelling = flipped.eq_ignore_ascii_case(text.as_bytes())
                || (is_blank(&flipped) && is_blank(text.as_bytes()));
            assert!(is_same && is_spelling, "the words at {place}");
        }
    }

    /// A proof with a flipped bit proves nothing.
    fn proofs_in_process(&self, seed: &mut Seed) {
        let bundle = BundleFolder::open(&self.folder).unwrap();
        let proof = fs::read(self.bench.folder().join("ana.proof")).unwrap();
        let judge = |bytes: &[u8]| -> Result<Proof, String> {
            bundle.judge(self.challenge, bytes, Some(&self.allowed))
        };
        judge(&proof).unwrap();
        let mut missed = Vec::new();
        for place in 0..proof.len() {
            let flipped = seed.flipped(&proof, place);
            if judge(&flipped).is_ok() {
                missed.push(format!("{place}: {:#04x}", flipped[place]));
            }
        }
        assert!(missed.is_empty(), "flips that were not found: {missed:#?}");
    }

    /// The tool says no, and neither the token nor the records have changed.
    fn by_the_tool(&self, seed: &mut Seed) {
        let before = self.unchanging();
        let shares = self.bundle.shares_of(&CUSTODIANS[..2]);
        let restore = format!(
            "keyrite-backup restore --bundle {} --to spare {shares}",
            self.bundle.id
        );
        let restore_here = format!(
            "keyrite-backup restore --bundle backups/{} --to spare {shares}",
            self.bundle.id
        );
        let verify = format!("keyrite-backup verify --bundle {} --offline", self.bundle.id);
        for (name, bytes) in self.files() {
            for place in (bytes.len().min(STEP) / 2..bytes.len()).step_by(STEP) {
                fs::write(self.folder.join(&name), seed.flipped(&bytes, place)).unwrap();
                for line in [&restore, &restore_here, &verify] {
                    let said = self.bench.said(line);
                    // A manifest that is none is not read; one that is read, and everything else, is checked and found wrong.
                    let expected: &[i32] = match name.to_str() {
                        Some("manifest") => &[1, 3],
                        Some(_) | None => &[3],
                    };
                    assert!(
                        expected.contains(&said.code),
                        "{} at {place}: {said:?}",
                        name.display()
                    );
                }
            }
            fs::write(self.folder.join(&name), &bytes).unwrap();
        }
        assert_eq!(
            self.unchanging(),
            before,
            "something was changed by a damaged bundle"
        );
        let path = self
            .bench
            .site()
            .join(format!("{}/{}-ana.age", self.bundle.shares, self.bundle.id));
        let bytes = fs::read(&path).unwrap();
        for place in (0..bytes.len()).step_by(STEP / 8) {
            fs::write(&path, seed.flipped(&bytes, place)).unwrap();
            let said = self.bench.said(&restore);
            assert!([1, 4].contains(&said.code), "the share at {place}: {said:?}");
        }
        fs::write(&path, &bytes).unwrap();
        let proof = fs::read(self.bench.folder().join("ana.proof")).unwrap();
        for place in (STEP / 4..proof.len()).step_by(STEP / 4) {
            fs::write(
                self.bench.folder().join("flipped.proof"),
                seed.flipped(&proof, place),
            )
            .unwrap();
            let said = self.bench.said("keyrite-backup check-proof ../flipped.proof");
            assert_eq!(said.code, 3, "the proof at {place}: {said:?}");
        }
        assert_eq!(
            self.unchanging(),
            before,
            "something was changed by a damaged share or proof"
        );
        // And it was all about the bits.
        self.bench.must(&restore);
    }

    /// What no refusal may change: the objects of both tokens, and the records.
    fn unchanging(&self) -> Vec<String> {
        let mut seen = vec![
            self.bench.objects("cr", "0x81020000"),
            self.bench.objects("spare", "0x81020004"),
        ];
        let mut files = BTreeMap::new();
        let keys = self.bench.site().join("keys");
        collect(&keys, &keys, &mut files);
        seen.extend(
            files
                .iter()
                .map(|(name, bytes)| format!("{}: {}", name.display(), String::from_utf8_lossy(bytes))),
        );
        seen
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(root, &path, files),
            false => {
                files.insert(
                    path.strip_prefix(root).unwrap().to_owned(),
                    fs::read(&path).unwrap(),
                );
            }
        }
    }
}
