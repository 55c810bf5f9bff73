//! Key files for BIND, of a key that Keyrite has.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use key_metadata::store::{self, StoreError};
use key_metadata::{KeyRecord, KeyReference, KeyState, Role, Time, ZoneName};

use super::metadata::TIMES;
use super::private_file::{PrivateFile, PrivateKey};
use super::{KeyFile, KeyFileName, LARGEST_KEY_FILE, StateFile};
use crate::error::{ExportError, ReadError};
use crate::files;
use crate::key::Revocation;
use crate::quote::Quote;
use crate::records::Dnskey;
use crate::report::{Lost, Reason};
use crate::states::{RecordChange, RecordState, RecordStates};
use crate::times::{Event, Times};
use crate::token_key::{LabelError, PinFound, TokenKey};

/// How BIND is to reach a key in a PKCS#11 token. Neither engine nor provider is in Debian 12's BIND: it is built for OpenSSL 3 without engines, and
/// refuses both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenLookup {
    /// By OpenSSL's engine `pkcs11`: BIND 9.18 built with engines, and before. Later ones say "no engine".
    Engine,
    /// By an OpenSSL provider: BIND 9.20 and later. Earlier ones say "private key is invalid".
    Provider,
    /// Not at all: `.private` says `External:`, and every BIND takes the key for one that another signer has.
    External,
}

/// The three files of a key.
pub struct KeyFiles {
    /// What their names begin with.
    pub name: KeyFileName,
    /// `.key`
    pub key: KeyFile,
    /// `.private`: the token's URI, or `External:` for a key that BIND cannot reach.
    pub private: PrivateFile,
    /// `.state`; none for a revoked key, since `dnssec-policy` does not know RFC 5011.
    pub state: Option<StateFile>,
    /// What is known of the key and has no place in the files.
    pub lost: Vec<Lost>,
}

/// The last second that BIND's 32-bit times can tell.
const LAST_SECOND: i64 = 0xffff_ffff;

impl KeyFiles {
    /// The files of this key. `ttl` is that of its DNSKEY record, in seconds; `object` is its CKA_LABEL, where it has one.
    pub fn of(
        zone: &ZoneName,
        record: &KeyRecord,
        ttl: Option<u32>,
        lookup: TokenLookup,
        object: Option<&str>,
    ) -> Result<Self, ExportError> {
        let times = known(record);
        for (_, time) in times.iter() {
            if !(0..=LAST_SECOND).contains(&time.unix_seconds()) {
                return Err(ExportError::Time {
                    time: *time,
                    software: "BIND",
                });
            }
        }
        let dnskey = Dnskey {
            zone: zone.clone(),
            ttl: ttl.filter(|ttl| *ttl > 0),
            role: record.role,
            revocation: match record.state {
                KeyState::Revoked => Revocation::Revoked,
                KeyState::Generated
                | KeyState::PreActive
                | KeyState::Published
                | KeyState::Ready
                | KeyState::Active
                | KeyState::RetireActive
                | KeyState::Retired
                | KeyState::PostActive
                | KeyState::Dead
                | KeyState::Removed
                | KeyState::Destroyed => Revocation::NotRevoked,
            },
            public_key: record.public_key.clone(),
        };
        let name = KeyFileName::of(&dnskey);
        let state = (record.state != KeyState::Revoked).then(|| StateFile {
            title: Some((zone.clone(), name.tag)),
            algorithm: record.algorithm(),
            length: record.public_key.bits(),
            lifetime: None,
            predecessor: None,
            successor: None,
            role: Some(record.role),
            times: times.clone(),
            records: records(record),
        });
        Ok(Self {
            key: KeyFile::new(dnskey, &times),
            private: PrivateFile::new(record.algorithm(), private_key(record, lookup, object)?, times),
            state,
            lost: no_place(record, Path::new(&name.to_string())),
            name,
        })
    }

    /// Writes the files into the folder and gives their paths. A `.private` file that has a private key in it is not replaced.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, ExportError> {
        let path = |suffix: &str| folder.join(format!("{}{suffix}", self.name));
        let private_path = path(".private");
        self.keep_private_key(&private_path)?;
        let private = self.private.render().ok_or(ExportError::PrivateKey {
            path: private_path.clone(),
        })?;
        let mut files = vec![
            (private_path, private, 0o600),
            (path(".key"), self.key.to_string(), 0o644),
        ];
        if let Some(state) = &self.state {
            files.push((path(".state"), state.to_string(), 0o644));
        }
        for (path, text, mode) in &files {
            store::replace(path, |out| out.write_all(text.as_bytes()))?;
            // There is no secret in any of them; BIND wants .private to be its owner's.
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).map_err(|source| {
                StoreError::Io {
                    action: "write",
                    path: path.clone(),
                    source,
                }
            })?;
        }
        Ok(files.into_iter().map(|(path, _, _)| path).collect())
    }

    /// Refuses to replace what might be the only copy of a key.
    fn keep_private_key(&self, path: &Path) -> Result<(), ExportError> {
        let refused = || ExportError::PrivateKey {
            path: path.to_owned(),
        };
        let text = match files::read(path, LARGEST_KEY_FILE) {
            Ok((text, _)) => text,
            Err(ReadError::Store(StoreError::Io { source, .. }))
                if source.kind() == io::ErrorKind::NotFound =>
            {
                return Ok(());
            }
            Err(_) => return Err(refused()),
        };
        match PrivateFile::parse(path, &text) {
            Ok((found, _)) => match found.key {
                PrivateKey::External | PrivateKey::Token { .. } => Ok(()),
                PrivateKey::Rsa(_) | PrivateKey::Scalar(_) | PrivateKey::NotTaken => Err(refused()),
            },
            Err(_) => Err(refused()),
        }
    }
}

fn private_key(
    record: &KeyRecord,
    lookup: TokenLookup,
    object: Option<&str>,
) -> Result<PrivateKey, ExportError> {
    let (uri, engine) = match (&record.reference, lookup) {
        (KeyReference::File(token, name), _) => {
            return Err(ExportError::InFiles {
                token: token.clone(),
                name: name.clone(),
            });
        }
        (KeyReference::Tpm(_), _) | (_, TokenLookup::External) => return Ok(PrivateKey::External),
        (KeyReference::Pkcs11(uri), TokenLookup::Engine) => (uri, Some("pkcs11".to_owned())),
        (KeyReference::Pkcs11(uri), TokenLookup::Provider) => (uri, None),
    };
    let key = TokenKey {
        token: Some(uri.token.to_string()),
        serial: uri.serial.clone(),
        id: Some(record.cka_id().as_bytes().to_vec()),
        object: object.map(str::to_owned),
        others: Vec::new(),
    };
    // Whatever was put into the label must come out of it as it went in, and must not be a PIN.
    match TokenKey::parse(&key.to_string()) {
        Ok((again, PinFound::No)) if again == key => {}
        Ok((_, PinFound::Yes)) | Err(LabelError::Pin) => return Err(ExportError::Pin),
        Ok((_, PinFound::No)) | Err(_) => {
            let label = object.map_or("", |object| object);
            return Err(ExportError::Text(
                Quote::of(label),
                "it is no label of a key in a token",
            ));
        }
    }
    Ok(PrivateKey::Token {
        key,
        engine,
        rsa: record
            .public_key
            .rsa_parts()
            .map(|(modulus, exponent)| [modulus.to_vec(), exponent.to_vec()]),
    })
}

/// When a key began to sign that is not active yet: BIND calls it active.
fn signing(record: &KeyRecord) -> Option<Time> {
    let not_active = record.role.signs_zone() && record.times.active.is_none();
    record.times.pre_active.filter(|_| not_active)
}

/// The times that BIND has a name for.
fn known(record: &KeyRecord) -> Times {
    let times = &record.times;
    let all = [
        (Event::Generated, Some(times.generated)),
        (Event::Published, times.published),
        (Event::Active, times.active.or(signing(record))),
        (Event::Retired, times.retired),
        (Event::Revoked, times.revoked),
        (Event::Removed, times.removed),
        (Event::DsSeen, times.registered),
        (Event::DsGone, times.deregistered),
    ];
    let named = all
        .into_iter()
        .filter(|(event, _)| TIMES.iter().any(|name| name.event == *event));
    named.filter_map(|(event, time)| Some((event, time?))).collect()
}

fn no_place(record: &KeyRecord, file: &Path) -> Vec<Lost> {
    let times = &record.times;
    let pre_active = times.pre_active.filter(|_| signing(record).is_none());
    let all = [
        ("pre-active", pre_active),
        ("ready", times.ready),
        ("submitted", times.submitted),
        ("retire-active", times.retire_active),
        ("insecure", times.insecure),
        ("post-active", times.post_active),
        ("dead", times.dead),
    ];
    let lost = |(field, time): (&str, Option<Time>)| {
        Some(Lost {
            file: file.to_owned(),
            line: None,
            field: field.to_owned(),
            value: Quote::of(&time?.to_string()),
            why: Reason::NoPlaceThere,
        })
    };
    all.into_iter().filter_map(lost).collect()
}

/// How far caches know the key's records at least: where a record's way into the caches may not be over, it is rumoured, and named waits.
fn records(record: &KeyRecord) -> RecordStates {
    use RecordState::{Hidden, Omnipresent, Rumoured, Unretentive};
    let times = &record.times;
    let [generated, published] = [Some(times.generated), times.published];
    let [ready, active] = [times.ready.or(published), times.active];
    let [retired, dead, removed] = [times.retired, times.dead, times.removed];
    // Of a key that signs before it is active.
    let signing = |at: Option<Time>| at.map_or((Hidden, generated), |at| (Rumoured, Some(at)));
    let submitted = times
        .submitted
        .map_or((Hidden, generated), |at| (Rumoured, Some(at)));
    let (goal, dnskey, signatures, ds) = match record.state {
        // A KSK's DS, or a ZSK's signatures.
        KeyState::PreActive => (
            Omnipresent,
            (Hidden, generated),
            signing(times.pre_active),
            submitted,
        ),
        KeyState::Generated => (
            Hidden,
            (Hidden, generated),
            (Hidden, generated),
            (Hidden, generated),
        ),
        KeyState::Published => (
            Omnipresent,
            (Rumoured, published),
            signing(times.pre_active),
            (Hidden, generated),
        ),
        KeyState::Ready => (
            Omnipresent,
            (Omnipresent, ready),
            signing(times.pre_active),
            submitted,
        ),
        KeyState::Active => (
            Omnipresent,
            (Omnipresent, ready.or(active)),
            (Rumoured, times.signing()),
            (Rumoured, times.submitted.or(active)),
        ),
        KeyState::RetireActive => (
            Hidden,
            (Omnipresent, ready.or(active)),
            (Rumoured, times.signing()),
            (Unretentive, times.retire_active),
        ),
        KeyState::PostActive => (
            Hidden,
            (Unretentive, times.post_active),
            (Rumoured, times.signing()),
            match record.wants_ds() {
                true => (Rumoured, times.submitted.or(active)),
                false => (Hidden, times.retire_active),
            },
        ),
        KeyState::Retired => (
            Hidden,
            (Omnipresent, ready),
            (Unretentive, retired),
            (Unretentive, retired),
        ),
        KeyState::Dead => (Hidden, (Omnipresent, ready), (Hidden, dead), (Hidden, dead)),
        KeyState::Removed => (Hidden, (Unretentive, removed), (Hidden, dead), (Hidden, dead)),
        KeyState::Revoked | KeyState::Destroyed => return RecordStates::default(),
    };
    let change = |(state, since)| RecordChange {
        state: Some(state),
        since,
    };
    let of = |holds: bool, told| {
        if holds {
            change(told)
        } else {
            RecordChange::default()
        }
    };
    let is_ksk = record.role != Role::Zsk;
    RecordStates {
        goal: Some(goal),
        dnskey: change(dnskey),
        // A KSK signs the DNSKEY RRset as long as it is in it.
        key_signatures: of(is_ksk, dnskey),
        zone_signatures: of(record.role.signs_zone(), signatures),
        ds: of(is_ksk, ds),
    }
}
