//! Keys wrapped and restored a second, on a SoftHSM store of their own, as a ratio to the token's own calls: `cargo bench -p keyrite-pkcs11`.
//!
//! The token's own calls are C_WrapKey as its convention has it, asked for the length and then for the bytes (PKCS#11 3.0, 5.2), and the same
//! asked once with room to spare; and C_UnwrapKey with C_CreateObject of the public half. Ours are in both directions with the check in
//! software, and for a restore with the looks before and the signature after it.

#![expect(unsafe_code, reason = "C_WrapKey asked once, which cryptoki has no words for")]
#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use cryptoki::context::Pkcs11;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use key_metadata::{Algorithm, Extractability, KeyEncryptionKey, KeyId, KeySpec, PublicKey, TokenUri};
use keyrite_pkcs11::{Module, Token, WrapMechanism};
use sandbox::SoftHsm;
use secrecy::SecretString;
use zeroize::Zeroizing;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Keys of a kind.
const COUNT: u8 = 100;
/// Each figure is the best of so many.
const RUNS: usize = 5;
const KEK: [u8; 32] = *b"an AES-256 key of 32 bytes, ours";
/// What restored keys sign.
const NONCE: &[u8] = b"a nonce of a benchmark";
const PAD: WrapMechanism = WrapMechanism::AesKeyWrapPad;
const PIN: &str = "user-secret";

fn main() -> Outcome<()> {
    // SoftHSM reads its store's place from the environment: the benchmark runs in a child.
    if std::env::var_os("SOFTHSM2_CONF").is_some() {
        return run();
    }
    let folder = tempfile::tempdir()?;
    let store = SoftHsm::installed(folder.path())?;
    let status = Command::new(std::env::current_exe()?)
        .env("SOFTHSM2_CONF", store.configuration())
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(status.to_string().into()),
    }
}

fn run() -> Outcome<()> {
    println!(
        "{:<16} {:>14} {:>12} {:>12} {:>7} {:>7}   {:>12} {:>12} {:>7}",
        "100 keys", "C_WrapKey x2/s", "x1/s", "wrap/s", "of x2", "of x1", "take back/s", "restore/s", "ratio"
    );
    for (number, (algorithm, bits)) in (1_u8..).zip([
        (Algorithm::RsaSha256, Some(2048)),
        (Algorithm::EcdsaP256Sha256, None),
        (Algorithm::EcdsaP384Sha384, None),
    ]) {
        kind(number, KeySpec::new(algorithm, bits)?)?;
    }
    Ok(())
}

fn kind(number: u8, spec: KeySpec) -> Outcome<()> {
    let module = Module::load(Path::new(sandbox::SOFTHSM_MODULE))?;
    let open = |label: &str| -> Outcome<Token> {
        let (so, user) = (SecretString::from("so-secret"), SecretString::from(PIN));
        Token::initialise(&module, &label.parse()?, &so, &user)?;
        let token = Token::open(&module, &TokenUri::of_token(label.parse()?))?;
        token.login(&user)?;
        Ok(token)
    };
    let (from, raw, ours) = (
        open(&format!("from-{number}"))?,
        open(&format!("raw-{number}"))?,
        open(&format!("ours-{number}"))?,
    );
    let kek = KeyEncryptionKey::new(Zeroizing::new(KEK));
    let ids: Vec<KeyId> = (0..COUNT).map(|byte| KeyId::from_random([byte; 16])).collect();
    let keys: Vec<(KeyId, PublicKey)> = ids
        .into_iter()
        .map(|id| Ok((id, from.generate(spec, id, "zsk", Extractability::Wrapped)?)))
        .collect::<Outcome<_>>()?;
    let bare = Bare::open(from.label().as_str())?;
    let privates = bare.privates(&keys)?;
    let (mut twice, mut once, mut wrap) = (0_f64, 0_f64, 0_f64);
    let mut blobs = Vec::new();
    for _ in 0..RUNS {
        twice = twice.max(rate(|| {
            privates.iter().try_for_each(|private| {
                bare.session
                    .wrap_key(&Mechanism::AesKeyWrapPad, bare.kek, *private)?;
                Ok(())
            })
        })?);
        once = once.max(rate(|| {
            privates.iter().try_for_each(|private| bare.wrap(*private))
        })?);
        wrap = wrap.max(rate(|| {
            let wrapping = from.wrapping(&kek)?;
            blobs = keys
                .iter()
                .map(|(id, public_key)| Ok(wrapping.wrap(*id, public_key, PAD)?))
                .collect::<Outcome<Vec<_>>>()?;
            Ok(())
        })?);
    }
    let target = Bare::open(raw.label().as_str())?;
    let publics = bare.publics(&keys, spec)?;
    let wrapping = ours.wrapping(&kek)?;
    let (mut take_back, mut restore) = (Duration::ZERO, Duration::ZERO);
    // In turn, since both wait for the disk, which others may use.
    for (((id, public_key), wrapped), public) in keys.iter().zip(&blobs).zip(&publics) {
        let start = Instant::now();
        target.take_back(wrapped, public, *id, spec)?;
        let middle = Instant::now();
        wrapping.restore(wrapped, public_key, *id, "zsk", Extractability::Never, NONCE)?;
        take_back += middle - start;
        restore += middle.elapsed();
    }
    let per_second = |time: Duration| f64::from(COUNT) / time.as_secs_f64();
    let (take_back, restore) = (per_second(take_back), per_second(restore));
    println!(
        "{:<16} {twice:>14.0} {once:>12.0} {wrap:>12.0} {:>7.2} {:>7.2}   {take_back:>12.1} {restore:>12.1} {:>7.2}",
        spec.algorithm().to_string(),
        wrap / twice,
        wrap / once,
        restore / take_back
    );
    Ok(())
}

/// Keys a second of what does all of them.
fn rate(work: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let start = Instant::now();
    work()?;
    Ok(f64::from(COUNT) / start.elapsed().as_secs_f64())
}

/// The token by its calls.
struct Bare {
    session: Session,
    kek: ObjectHandle,
    functions: cryptoki_sys::CK_FUNCTION_LIST,
    // The functions are in it.
    _library: cryptoki_sys::Pkcs11,
}

impl Bare {
    fn open(label: &str) -> Outcome<Self> {
        let context = Pkcs11::new(sandbox::SOFTHSM_MODULE)?;
        let labelled = |slot: &cryptoki::slot::Slot| {
            context
                .get_token_info(*slot)
                .is_ok_and(|info| info.label() == label)
        };
        let slots = context.get_slots_with_initialized_token()?;
        let slot = slots.into_iter().find(labelled).ok_or("no such token")?;
        // Logged in already, by the library in the same process.
        let session = context.open_rw_session(slot)?;
        let kek = session.create_object(&[
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(false),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Wrap(true),
            Attribute::Unwrap(true),
            Attribute::Value(KEK.to_vec()),
        ])?;
        // SAFETY: the module is loaded already, so its initialisers have run.
        let library = unsafe { cryptoki_sys::Pkcs11::new(sandbox::SOFTHSM_MODULE)? };
        let get = *library
            .C_GetFunctionList
            .as_ref()
            .map_err(|_| "no function list")?;
        let mut list = null_mut();
        // SAFETY: `list` is a place for the one pointer that is written, and the module says that its list is there.
        let functions = unsafe {
            get(&mut list);
            *list
        };
        Ok(Self {
            session,
            kek,
            functions,
            _library: library,
        })
    }

    fn privates(&self, keys: &[(KeyId, PublicKey)]) -> Outcome<Vec<ObjectHandle>> {
        self.objects(keys, ObjectClass::PRIVATE_KEY)
    }

    fn objects(&self, keys: &[(KeyId, PublicKey)], class: ObjectClass) -> Outcome<Vec<ObjectHandle>> {
        let find = |id: &KeyId| -> Outcome<ObjectHandle> {
            let wanted = [Attribute::Class(class), Attribute::Id(id.as_bytes().to_vec())];
            Ok(*self
                .session
                .find_objects(&wanted)?
                .first()
                .ok_or("no such object")?)
        };
        keys.iter().map(|(id, _)| find(id)).collect()
    }

    /// What makes the public halves.
    fn publics(&self, keys: &[(KeyId, PublicKey)], spec: KeySpec) -> Outcome<Vec<Vec<Attribute>>> {
        let values = match is_rsa(spec) {
            true => [AttributeType::Modulus, AttributeType::PublicExponent],
            false => [AttributeType::EcParams, AttributeType::EcPoint],
        };
        let objects = self.objects(keys, ObjectClass::PUBLIC_KEY)?;
        objects
            .into_iter()
            .map(|object| Ok(self.session.get_attributes(object, &values)?))
            .collect()
    }

    fn wrap(&self, private: ObjectHandle) -> Outcome<()> {
        let call = self.functions.C_WrapKey.ok_or("no C_WrapKey")?;
        let (mut wrapped, mut length) = ([0_u8; 4096], 4096);
        let mut mechanism = cryptoki_sys::CK_MECHANISM {
            mechanism: PAD.number(),
            pParameter: null_mut(),
            ulParameterLen: 0,
        };
        let (session, kek, private) = (self.session.handle(), self.kek.handle(), private.handle());
        // SAFETY: everything lives until the call is over, and `wrapped` has room for `length` bytes.
        match unsafe {
            call(
                session,
                &mut mechanism,
                kek,
                private,
                wrapped.as_mut_ptr(),
                &mut length,
            )
        } {
            0 => Ok(()),
            code => Err(format!("C_WrapKey answered {code:#x}").into()),
        }
    }

    fn take_back(&self, wrapped: &[u8], public: &[Attribute], id: KeyId, spec: KeySpec) -> Outcome<()> {
        let kind = match is_rsa(spec) {
            true => KeyType::RSA,
            false => KeyType::EC,
        };
        let name = [
            Attribute::KeyType(kind),
            Attribute::Token(true),
            Attribute::Id(id.as_bytes().to_vec()),
            Attribute::Label(b"zsk".to_vec()),
        ];
        let private = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ];
        let template = [&name[..], &private].concat();
        self.session
            .unwrap_key(&Mechanism::AesKeyWrapPad, self.kek, wrapped, &template)?;
        let half = [
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::Private(false),
            Attribute::Verify(true),
        ];
        self.session.create_object(&[&name[..], &half, public].concat())?;
        Ok(())
    }
}

fn is_rsa(spec: KeySpec) -> bool {
    matches!(spec.algorithm(), Algorithm::RsaSha256 | Algorithm::RsaSha512)
}
