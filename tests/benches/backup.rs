//! What a backup of 100 keys and its restore cost beside the token's own calls, on SoftHSM: keys a second, and as a ratio.
//!
//! *Raw* is a loop of the token's calls: C_WrapKey asked once with room to spare, and C_UnwrapKey with C_CreateObject of the public half. *Phase* is
//! the phase in which keys leave or enter a token through our libraries ([`dnssec::Copier`], [`dnssec::Restorer`]): with the opening in software and
//! the comparison before a copy is kept, with the looks for what is there already and two signatures after a restore. *Run* is a whole run of
//! `keyrite-backup create` and `restore --move`: with start-up, login, the PIN from the TPM, shares, signatures and the records of 100 keys in
//! one zone. *Fixed* is what of the run is there for one key already, in seconds.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run is a failure")]
#![expect(clippy::print_stdout, reason = "figures are what it is for")]
#![expect(unsafe_code, reason = "C_WrapKey asked once, which cryptoki has no words for")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::time::Instant;

use cryptoki::context::Pkcs11;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use dnssec::{Copy, KeyEncryptionKey, SiteTokens};
use key_metadata::backup::Backup;
use key_metadata::life::KeyTimes;
use key_metadata::{
    Action, Algorithm, Change, Extractability, KeyId, KeyRecord, KeySpec, KeyState, PinSource, Role,
    SiteFolder, Time, TokenName, ZoneName,
};
use keyrite_tests::{Rig, Stack, TpmState};
use zeroize::Zeroizing;

/// Keys of a kind, as many as the issue asks for.
const COUNT: u16 = 100;
/// Each figure is the best of so many.
const RUNS: usize = 3;
const KEK: [u8; 32] = *b"an AES-256 key of 32 bytes, ours";
/// How the spare token stands in site.yaml.
const SPARE: &str = "  spare:\n    address: pkcs11:token=spare?module-path=/usr/lib/softhsm/libsofthsm2.so\n    pin: tpm:0x81020004\n    \
                     so-pin: tpm:0x81020005\n";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--make") {
        make(&arguments[at + 1], &arguments[at + 2]);
        return;
    }
    if arguments.iter().any(|argument| argument == "--phases") {
        phases();
        return;
    }
    println!(
        "{:<16} {:<8} {:>11} {:>11} {:>7} {:>11} {:>7} {:>8}",
        "100 keys", "", "raw/s", "phase/s", "ratio", "run/s", "ratio", "fixed, s"
    );
    for kind in ["RSASHA256", "ECDSAP256SHA256"] {
        measure(kind);
    }
}

fn measure(kind: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let rig = Rig::new(folder.path(), Stack::SoftHsm, TpmState::Fresh).expect("the stack");
    let site = rig.site().join("site.yaml");
    let text = std::fs::read_to_string(&site).expect("site.yaml");
    std::fs::write(&site, text.replacen("tokens:\n", &format!("tokens:\n{SPARE}"), 1)).expect("site.yaml");
    run(&rig, "keyrite-tpm-init provision");
    for token in ["cr", "spare"] {
        run(&rig, &format!("keyrite-tpm-init token --token {token}"));
    }
    run(&rig, "$FIXTURES/custodians ana luis rosa");
    let own = std::env::current_exe().expect("this executable");
    run(&rig, &format!("{} --make {kind} {COUNT}", own.display()));
    let phases = run(&rig, &format!("{} --phases", own.display()));
    let mut rates = phases
        .split_whitespace()
        .map(|rate| rate.parse::<f64>().expect("a rate"));
    let mut rate = || rates.next().expect("four rates");
    let (raw_out, out, raw_in, back) = (rate(), rate(), rate(), rate());
    let one = run(&rig, "grep -m1 ' id: ' keys/cr.yaml | tr -d ' -' | cut -d: -f2");
    let one = one.trim();
    // The fixed part first: a bundle of one key, a drill with it.
    let create = |only: &str, name: &str| {
        run(&rig, &format!("mkdir ../{name}"));
        seconds(
            &rig,
            &format!(
                "keyrite-backup create --zone cr {only} --needed 2 --shares ../{name} --officer ana=../people/ana"
            ),
        )
    };
    let restore = |name: &str, end: &str| {
        let bundle = run(&rig, &format!("ls ../{name} | head -1 | cut -c1-16"));
        let share = |person: &str| {
            format!(
                "--share file:../{name}/{}-{person}.age --identity ../people/{person}.key",
                bundle.trim()
            )
        };
        let shares = format!("{} {}", share("ana"), share("luis"));
        seconds(
            &rig,
            &format!(
                "keyrite-backup restore --bundle {} --to spare {shares} {end}",
                bundle.trim()
            ),
        )
    };
    let create_one = create(&format!("--key {one}"), "one");
    let restore_one = restore("one", "");
    let (mut create_all, mut restore_all) = (f64::INFINITY, f64::INFINITY);
    for number in 0..RUNS {
        create_all = create_all.min(create("", &format!("all-{number}")));
    }
    for number in 0..RUNS {
        restore_all = restore_all.min(restore(&format!("all-{number}"), "--move"));
        // Each time into an empty token, which was lost in between.
        run(
            &rig,
            "softhsm2-util --delete-token --token spare && keyrite-tpm-init token --token spare",
        );
    }
    for (what, raw, phase, seconds, fixed) in [
        ("create", raw_out, out, create_all, create_one),
        ("restore", raw_in, back, restore_all, restore_one),
    ] {
        let whole = f64::from(COUNT) / seconds;
        println!(
            "{kind:<16} {what:<8} {raw:>11.1} {phase:>11.1} {:>7.2} {whole:>11.1} {:>7.2} {fixed:>8.2}",
            phase / raw,
            whole / raw
        );
    }
}

fn seconds(rig: &Rig, line: &str) -> f64 {
    let start = Instant::now();
    run(rig, line);
    start.elapsed().as_secs_f64()
}

/// Opens the site in this folder, and tokens of it.
fn open<'s>(site: &'s SiteFolder, names: &[&str]) -> SiteTokens<'s> {
    let mut tokens = SiteTokens::new(site);
    for name in names {
        let name: TokenName = name.parse().expect("a name");
        let handle = match site.site().tokens[&name].pin {
            Some(PinSource::Tpm(handle)) => Some(handle),
            Some(_) | None => None,
        };
        let handle = handle.expect("the PIN is in the TPM");
        let pin = tokens.unseal(handle).expect("the PIN");
        tokens.open(&name, pin).expect("the token");
    }
    tokens
}

fn zone() -> ZoneName {
    "cr".parse().expect("a zone")
}

/// Makes so many keys of a kind, and their records.
fn make(kind: &str, count: &str) {
    let site = SiteFolder::open(Path::new(".")).expect("a site");
    let tokens = open(&site, &["cr"]);
    let algorithm: Algorithm = kind.parse().expect("an algorithm");
    let bits = matches!(algorithm, Algorithm::RsaSha256).then_some(2048);
    let spec = KeySpec::new(algorithm, bits).expect("a kind of key");
    let lock = site.lock_keys(&zone()).expect("the lock");
    let mut keys = site.keys(&zone()).expect("keys");
    let at: Time = "2026-11-29T12:00:00Z".parse().expect("a time");
    let change = Change {
        at,
        action: Action::Generate,
        tool: "bench".to_owned(),
        operator: "bench".to_owned(),
        reason: None,
        overrides: Vec::new(),
        ceremony: None,
    };
    let count: usize = count.parse().expect("a number");
    for number in 0_u64.. {
        if keys.keys().len() == count {
            break;
        }
        let mut bytes = [0xb7; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let id = KeyId::from_random(bytes);
        let name = "cr".parse().expect("a name");
        let (public_key, reference) = tokens
            .generate(&name, spec, id, "cr-zsk", Extractability::Wrapped)
            .expect("a key");
        let record = KeyRecord {
            id,
            role: Role::Zsk,
            public_key,
            reference,
            state: KeyState::Generated,
            times: KeyTimes::generated(at),
            backup: Backup::none(Extractability::Wrapped),
        };
        match keys.check_tags(&record, &[]) {
            Ok(()) => keys.add(record, change.clone()),
            Err(_) => {
                tokens.destroy_by(&name, id).expect("it is destroyed");
            }
        }
    }
    site.write_keys(&keys, &lock).expect("the records");
}

/// Prints the rates of the raw loops and of our libraries, the best of some runs each, in turn: out, and back.
fn phases() {
    let site = SiteFolder::open(Path::new(".")).expect("a site");
    let tokens = open(&site, &["cr", "spare"]);
    let keys = site.keys(&zone()).expect("keys");
    let (cr, spare): (TokenName, TokenName) =
        ("cr".parse().expect("a name"), "spare".parse().expect("a name"));
    let kek = KeyEncryptionKey::new(Zeroizing::new(KEK));
    let from = Bare::open("cr");
    let privates: Vec<_> = keys
        .keys()
        .iter()
        .map(|key| from.find(ObjectClass::PRIVATE_KEY, key.id))
        .collect();
    let publics: BTreeMap<KeyId, Vec<Attribute>> =
        keys.keys().iter().map(|key| (key.id, from.public(key))).collect();
    let (mut raw_out, mut out, mut raw_in, mut back) = (0_f64, 0_f64, 0_f64, 0_f64);
    let mut copies = Vec::new();
    for _ in 0..RUNS {
        raw_out = raw_out.max(rate(|| privates.iter().for_each(|private| from.wrap(*private))));
        out = out.max(rate(|| {
            let mut copier = tokens.copier(&cr, &kek, None).expect("a copier");
            copies = keys
                .keys()
                .iter()
                .map(|key| copier.copy(key).expect("a copy"))
                .collect();
        }));
    }
    let to = Bare::open("spare");
    for _ in 0..RUNS {
        let wrapped = copies.iter().map(|copy| match &copy.copy {
            Copy::Wrapped(wrapped) => Some(wrapped),
            Copy::Duplicate(_) => None,
        });
        let wrapped = wrapped.map(|wrapped| wrapped.expect("SoftHSM duplicates nothing"));
        raw_in = raw_in.max(rate(|| {
            for (key, wrapped) in keys.keys().iter().zip(wrapped) {
                to.take_back(wrapped, &publics[&key.id], key);
            }
        }));
        empty(&tokens, &spare, keys.keys());
        back = back.max(rate(|| {
            let mut restorer = tokens.restorer(&spare, Some(&kek)).expect("a restorer");
            for (key, left) in keys.keys().iter().zip(&copies) {
                restorer
                    .restore(&left.copy, None, key, &left.label)
                    .expect("it is restored");
                let private = restorer.signing_key(key).expect("the key");
                private.prove(&key.public_key, &KEK).expect("it signs");
            }
        }));
        empty(&tokens, &spare, keys.keys());
    }
    println!("{raw_out} {out} {raw_in} {back}");
}

fn empty(tokens: &SiteTokens<'_>, name: &TokenName, keys: &[KeyRecord]) {
    for key in keys {
        tokens.destroy_by(name, key.id).expect("it is destroyed");
    }
}

/// Keys a second of what does all of them.
fn rate(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    f64::from(COUNT) / start.elapsed().as_secs_f64()
}

/// A token by its calls, in a session that our library has logged in.
struct Bare {
    session: Session,
    kek: ObjectHandle,
    functions: cryptoki_sys::CK_FUNCTION_LIST,
    // The functions are in it.
    _library: cryptoki_sys::Pkcs11,
}

impl Bare {
    fn open(label: &str) -> Self {
        let context = Pkcs11::new(sandbox::SOFTHSM_MODULE).expect("SoftHSM");
        let slots = context.get_slots_with_initialized_token().expect("slots");
        let slot = slots
            .into_iter()
            .find(|slot| {
                context
                    .get_token_info(*slot)
                    .is_ok_and(|info| info.label() == label)
            })
            .expect("the token");
        let session = context.open_rw_session(slot).expect("a session");
        let kek = session
            .create_object(&[
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::AES),
                Attribute::Token(false),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Wrap(true),
                Attribute::Unwrap(true),
                Attribute::Value(KEK.to_vec()),
            ])
            .expect("a key-encryption key");
        // SAFETY: the module is loaded already, so its initialisers have run.
        let library = unsafe { cryptoki_sys::Pkcs11::new(sandbox::SOFTHSM_MODULE).expect("SoftHSM") };
        let get = *library.C_GetFunctionList.as_ref().expect("a function list");
        let mut list = null_mut();
        // SAFETY: `list` is a place for the one pointer that is written, and the module says that its list is there.
        let functions = unsafe {
            get(&mut list);
            *list
        };
        Self {
            session,
            kek,
            functions,
            _library: library,
        }
    }

    fn find(&self, class: ObjectClass, id: KeyId) -> ObjectHandle {
        let wanted = [Attribute::Class(class), Attribute::Id(id.as_bytes().to_vec())];
        *self
            .session
            .find_objects(&wanted)
            .expect("a search")
            .first()
            .expect("the object")
    }

    /// What makes the public half.
    fn public(&self, key: &KeyRecord) -> Vec<Attribute> {
        let values = match is_rsa(key) {
            true => [AttributeType::Modulus, AttributeType::PublicExponent],
            false => [AttributeType::EcParams, AttributeType::EcPoint],
        };
        let object = self.find(ObjectClass::PUBLIC_KEY, key.id);
        self.session.get_attributes(object, &values).expect("its values")
    }

    fn wrap(&self, private: ObjectHandle) {
        let call = self.functions.C_WrapKey.expect("C_WrapKey");
        let (mut wrapped, mut length) = ([0_u8; 4096], 4096);
        let mut mechanism = cryptoki_sys::CK_MECHANISM {
            mechanism: cryptoki_sys::CKM_AES_KEY_WRAP_PAD,
            pParameter: null_mut(),
            ulParameterLen: 0,
        };
        let (session, kek, private) = (self.session.handle(), self.kek.handle(), private.handle());
        // SAFETY: everything lives until the call is over, and `wrapped` has room for `length` bytes.
        let code = unsafe {
            call(
                session,
                &mut mechanism,
                kek,
                private,
                wrapped.as_mut_ptr(),
                &mut length,
            )
        };
        assert_eq!(code, 0, "C_WrapKey");
    }

    fn take_back(&self, wrapped: &[u8], public: &[Attribute], key: &KeyRecord) {
        let kind = match is_rsa(key) {
            true => KeyType::RSA,
            false => KeyType::EC,
        };
        let name = [
            Attribute::KeyType(kind),
            Attribute::Token(true),
            Attribute::Id(key.id.as_bytes().to_vec()),
            Attribute::Label(b"cr-zsk".to_vec()),
        ];
        let private = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(true),
            Attribute::Sign(true),
        ];
        let template = [&name[..], &private].concat();
        self.session
            .unwrap_key(&Mechanism::AesKeyWrapPad, self.kek, wrapped, &template)
            .expect("C_UnwrapKey");
        let half = [
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::Private(false),
            Attribute::Verify(true),
        ];
        self.session
            .create_object(&[&name[..], &half, public].concat())
            .expect("C_CreateObject");
    }
}

fn is_rsa(key: &KeyRecord) -> bool {
    key.algorithm().made() == Some(Algorithm::RsaSha256)
}

/// The folder of the tools of the suite, built beside this benchmark.
fn tools() -> PathBuf {
    let own = std::env::current_exe().expect("this executable");
    own.ancestors().nth(2).expect("target/release").to_owned()
}

/// Runs a line in the site; what it prints.
fn run(rig: &Rig, line: &str) -> String {
    let output = rig
        .command("sh")
        .args(["-c", line])
        .env(
            "PATH",
            format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", tools().display()),
        )
        .env("HOME", rig.site())
        .env("TSS2_LOG", "all+NONE")
        .env("FIXTURES", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"))
        .output()
        .expect("it starts");
    assert!(
        output.status.success(),
        "{line}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}
