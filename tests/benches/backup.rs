//! What a backup of 100 keys and its restore cost beside the token's own calls, on SoftHSM: keys a second, and as ratios.
//!
//! Each line compares with other calls of the token, in a session that is open and logged in already; the first line of each direction is the strictest.
//!
//! - *Libraries* is the phase in which keys leave or enter a token through our libraries ([`dnssec::Copier`], [`dnssec::Restorer`]): the keys are
//!   searched for by their ids, each copy is opened in software and held against the public key before it is kept, by a second thread while the token
//!   wraps the next; before a restore, what the token holds is looked through, and after it the key is looked for and signs a nonce.
//! - *Program* is a whole run of `keyrite-backup create` and `restore --move`, from start-up to end: with login, the PIN from the TPM, shares,
//!   signatures and the records of 100 keys in one zone.
//! - *Per key* is what a key adds to that run: (100 keys - 1 key) / 99. What is there for one key already is told in seconds below.
//!
//! The token's calls and ours are run in turn, and the best run counts, of a restore the best one of each key, since others may use processor and
//! disk.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run is a failure")]
#![expect(clippy::print_stdout, reason = "figures are what it is for")]
#![expect(unsafe_code, reason = "C_WrapKey asked once, which cryptoki has no words for")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::time::Instant;

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use dnssec::{Copy, KeyEncryptionKey, KeyOwner, SiteTokens};
use key_metadata::backup::Backup;
use key_metadata::life::KeyTimes;
use key_metadata::{
    Action, Algorithm, Change, Extractability, KeyId, KeyRecord, KeySpec, KeyState, PinSource, Role,
    SiteFolder, Time, TokenName, ZoneName,
};
use keyrite_tests::{Rig, Stack, TpmState};
use zeroize::Zeroizing;

/// Keys of a kind.
const COUNT: u16 = 100;
/// Each figure is the best of so many.
const RUNS: usize = 5;
const KEK: [u8; 32] = *b"an AES-256 key of 32 bytes, ours";
/// Of the token that is no part of the site.
const PIN: &str = "user-secret";
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
        "{:<16} {:<8} {:<46} {:>9} {:>11} {:>6} {:>10} {:>6} {:>10} {:>6}",
        "100 keys",
        "",
        "compared with",
        "calls/s",
        "libraries/s",
        "ratio",
        "program/s",
        "ratio",
        "per key/s",
        "ratio"
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
    // The token's own calls have one that is no part of the site, so that both fill alike.
    run(
        &rig,
        &format!("softhsm2-util --init-token --free --label bare --pin {PIN} --so-pin {PIN}"),
    );
    run(&rig, "$FIXTURES/custodians ana luis rosa");
    let own = std::env::current_exe().expect("this executable");
    run(&rig, &format!("{} --make {kind} {COUNT}", own.display()));
    let phases = run(&rig, &format!("{} --phases", own.display()));
    let rates: Vec<f64> = phases
        .split_whitespace()
        .map(|rate| rate.parse().expect("a rate"))
        .collect();
    let rates: [f64; 7] = rates.try_into().expect("seven rates");
    let [once, twice, found, out, bare, signed, back] = rates;
    let one = run(&rig, "grep -m1 ' id: ' keys/cr.yaml | tr -d ' -' | cut -d: -f2");
    let one = format!("--key {}", one.trim());
    let create = |only: &str, name: &str| {
        run(&rig, &format!("mkdir ../{name}"));
        seconds(
            &rig,
            &format!(
                "keyrite-backup create --zone cr {only} --needed 2 --shares ../{name} --officer ana=../people/ana"
            ),
        )
    };
    let restore = |name: &str| {
        let bundle = run(&rig, &format!("ls ../{name} | head -1 | cut -c1-16"));
        let bundle = bundle.trim();
        let share = |person: &str| {
            format!("--share file:../{name}/{bundle}-{person}.age --identity ../people/{person}.key")
        };
        let shares = format!("{} {}", share("ana"), share("luis"));
        let time = seconds(
            &rig,
            &format!("keyrite-backup restore --bundle {bundle} --to spare {shares} --move"),
        );
        // Each time into an empty token, which was lost in between.
        run(
            &rig,
            "softhsm2-util --delete-token --token spare && keyrite-tpm-init token --token spare",
        );
        time
    };
    let [mut create_one, mut create_all, mut restore_one, mut restore_all] = [f64::INFINITY; 4];
    for number in 0..2 * RUNS {
        create_one = create_one.min(create(&one, &format!("one-{number}")));
        create_all = create_all.min(create("", &format!("all-{number}")));
    }
    for number in 0..RUNS {
        restore_one = restore_one.min(restore(&format!("one-{number}")));
        restore_all = restore_all.min(restore(&format!("all-{number}")));
    }
    let program = |all: f64, one: f64| {
        let count = f64::from(COUNT);
        // Where others took more time than the keys, nothing is told.
        let each = (all > one).then(|| (count - 1.) / (all - one));
        (count / all, each)
    };
    let created = (out, program(create_all, create_one));
    let restored = (back, program(restore_all, restore_one));
    let line = |what: &str,
                calls: &str,
                raw: f64,
                (libraries, (program, each)): (f64, (f64, Option<f64>))| {
        let told = |figure: Option<f64>, places: usize| {
            figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.places$}"))
        };
        println!(
            "{kind:<16} {what:<8} {calls:<46} {raw:>9.1} {libraries:>11.1} {:>6.2} {program:>10.1} {:>6.2} {:>10} {:>6}",
            libraries / raw,
            program / raw,
            told(each, 1),
            told(each.map(|each| each / raw), 2)
        );
    };
    line(
        "create",
        "C_WrapKey, asked once with room to spare",
        once,
        created,
    );
    line(
        "create",
        "C_WrapKey, asked for the length, then the bytes",
        twice,
        created,
    );
    line(
        "create",
        "C_FindObjects, C_GetAttributeValue, C_WrapKey",
        found,
        created,
    );
    line("restore", "C_UnwrapKey, C_CreateObject", bare, restored);
    line("restore", "C_UnwrapKey, C_CreateObject, C_Sign", signed, restored);
    println!("{kind:<16} a run for 1 key takes {create_one:.2} s to create, {restore_one:.2} s to restore");
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
        let zone = "cr".parse().expect("a zone");
        let owner = KeyOwner {
            zone: &zone,
            role: Role::Zsk,
            now: at,
        };
        let (public_key, reference) = tokens
            .generate(&name, spec, id, &owner, Extractability::Wrapped)
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

/// Prints the rates of the token's calls and of our libraries.
fn phases() {
    let site = SiteFolder::open(Path::new(".")).expect("a site");
    let tokens = open(&site, &["cr", "spare"]);
    let keys = site.keys(&zone()).expect("keys");
    let keys = keys.keys();
    let (cr, spare): (TokenName, TokenName) =
        ("cr".parse().expect("a name"), "spare".parse().expect("a name"));
    let kek = KeyEncryptionKey::new(Zeroizing::new(KEK));
    let from = Bare::open("cr");
    let privates: Vec<_> = keys
        .iter()
        .map(|key| from.find(ObjectClass::PRIVATE_KEY, key.id))
        .collect();
    let publics: BTreeMap<KeyId, Vec<Attribute>> =
        keys.iter().map(|key| (key.id, from.public(key))).collect();
    let [mut once, mut twice, mut found, mut out] = [const { Best::new() }; 4];
    let mut copies = Vec::new();
    // All keys together, since ours are two threads.
    for _ in 0..10 * RUNS {
        once.of(ALL, || privates.iter().for_each(|private| from.wrap(*private)));
        twice.of(ALL, || {
            privates.iter().for_each(|private| from.wrap_twice(*private))
        });
        found.of(ALL, || {
            let privates = from.privates();
            keys.iter()
                .for_each(|key| from.wrap(privates[key.id.as_bytes().as_slice()]));
        });
        copies = out.of(ALL, || {
            let mut copier = tokens.copier(&cr, &kek, None).expect("a copier");
            let all: Vec<_> = keys.iter().collect();
            copier.copies(&all, || ()).expect("copies")
        });
    }
    let to = Bare::open("bare");
    let wrapped = copies.iter().map(|copy| match &copy.copy {
        Copy::Wrapped(wrapped) => Some(wrapped),
        Copy::Duplicate(_) => None,
    });
    let wrapped: Vec<_> = wrapped
        .map(|wrapped| wrapped.expect("SoftHSM duplicates nothing"))
        .collect();
    let [mut bare, mut signed, mut back] = [const { Best::new() }; 3];
    for _ in 0..RUNS {
        let mut restorer = back.of(ALL, || tokens.restorer(&spare, Some(&kek)).expect("a restorer"));
        for (at, key) in keys.iter().enumerate() {
            let private = bare.of(at, || to.take_back(wrapped[at], &publics[&key.id], key));
            signed.of(at, || to.sign(private, key));
            let left = &copies[at];
            back.of(at, || {
                restorer
                    .restore(&left.copy, None, key, &left.label, &KEK)
                    .expect("it is restored")
            });
        }
        drop(restorer);
        to.empty();
        empty(&tokens, &spare, keys);
    }
    let signed = bare.seconds() + signed.seconds();
    let seconds = [&once, &twice, &found, &out, &bare, &back].map(Best::seconds);
    let [once, twice, found, out, bare, back] = seconds;
    let rates = [once, twice, found, out, bare, signed, back].map(|seconds| f64::from(COUNT) / seconds);
    println!("{}", rates.map(|rate| rate.to_string()).join(" "));
}

/// The time of each key, in seconds, the best of the runs; at [`ALL`] that of what is done for all of them at once.
struct Best([f64; ALL + 1]);

/// The place behind the last key.
const ALL: usize = COUNT as usize;

impl Best {
    const fn new() -> Self {
        Self([f64::INFINITY; ALL + 1])
    }

    fn of<T>(&mut self, place: usize, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.0[place] = self.0[place].min(start.elapsed().as_secs_f64());
        result
    }

    fn seconds(&self) -> f64 {
        self.0.iter().filter(|time| time.is_finite()).sum()
    }
}

fn empty(tokens: &SiteTokens<'_>, name: &TokenName, keys: &[KeyRecord]) {
    for key in keys {
        tokens.destroy_by(name, key.id).expect("it is destroyed");
    }
}

/// A token by its calls, in a session that is logged in.
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
        match session.login(UserType::User, Some(&AuthPin::new(PIN.into()))) {
            // By our library, with another PIN.
            Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            answer => answer.expect("a login"),
        }
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

    fn empty(&self) {
        for object in self
            .session
            .find_objects(&[Attribute::Token(true)])
            .expect("a search")
        {
            self.session.destroy_object(object).expect("it is destroyed");
        }
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

    /// As PKCS#11 3.0, 5.2 has it for answers of a length that is not known.
    fn wrap_twice(&self, private: ObjectHandle) {
        self.session
            .wrap_key(&Mechanism::AesKeyWrapPad, self.kek, private)
            .expect("C_WrapKey");
    }

    /// The private keys by their CKA_ID, which is asked for once with room to spare.
    fn privates(&self) -> BTreeMap<Vec<u8>, ObjectHandle> {
        let call = self.functions.C_GetAttributeValue.expect("C_GetAttributeValue");
        let all = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
        let objects = self.session.find_objects(&all).expect("a search");
        let named = objects.into_iter().map(|object| {
            let mut id = [0_u8; 255];
            let mut wanted = cryptoki_sys::CK_ATTRIBUTE {
                type_: cryptoki_sys::CKA_ID,
                pValue: id.as_mut_ptr().cast(),
                ulValueLen: 255,
            };
            // SAFETY: `wanted` points to `id`, which has room for as many bytes as it says.
            let code = unsafe { call(self.session.handle(), object.handle(), &mut wanted, 1) };
            assert_eq!(code, 0, "C_GetAttributeValue");
            let length = usize::try_from(wanted.ulValueLen).expect("a length");
            (id[..length].to_vec(), object)
        });
        named.collect()
    }

    fn sign(&self, private: ObjectHandle, key: &KeyRecord) {
        // As long as what is signed for each algorithm: a SHA-256 digest, in a DigestInfo for RSA (RFC 8017 9.2).
        let (mechanism, length) = match is_rsa(key) {
            true => (Mechanism::RsaPkcs, 51),
            false => (Mechanism::Ecdsa, 32),
        };
        self.session
            .sign(&mechanism, private, &[0x5a; 51][..length])
            .expect("C_Sign");
    }

    fn take_back(&self, wrapped: &[u8], public: &[Attribute], key: &KeyRecord) -> ObjectHandle {
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
        let object = self
            .session
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
        object
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
