//! A state for dnst, of keys that Keyrite has.

use key_metadata::{KeyRecord, KeyState, Role, Time, ZoneName};

use super::state::{Flags, Key, KeySet, Kind, Stamp, Stamps, Wrapping, has_credential};
use crate::error::ExportError;
use crate::quote::Quote;
use crate::report::{Lost, Reason};

/// A key for dnst.
pub struct Exported<'a> {
    /// The key.
    pub record: &'a KeyRecord,
    /// The URI of its `.key` file: `file:///...`.
    pub public: &'a str,
    /// The `kmip:` URI by which dnst can reach the private part; without one, dnst has a public key only.
    pub private: Option<&'a str>,
}

impl KeySet {
    /// The state with these keys and without a rollover, and what is known of the keys and has no place in it.
    ///
    /// dnst has no word for a revoked key, and none for caches: ready is as published, dead as retired.
    pub fn of(
        zone: &ZoneName,
        keys: &[Exported<'_>],
        wrapping: Wrapping,
    ) -> Result<(Self, Vec<Lost>), ExportError> {
        let mut lost = Vec::new();
        let mut set = Self {
            zone: zone.clone(),
            keys: Vec::new(),
            rolls: Vec::new(),
            dnskey_rrset: Vec::new(),
            wrapping,
        };
        for exported in keys {
            let tag = exported.record.key_tag();
            if set.keys.iter().any(|(_, key)| key.tag == tag) {
                return Err(ExportError::Tag(tag, "dnst"));
            }
            if set.keys.iter().any(|(public, _)| public == exported.public) {
                return Err(ExportError::Text(
                    Quote::of(exported.public),
                    "another key has the same file",
                ));
            }
            for uri in [Some(exported.public), exported.private].into_iter().flatten() {
                if has_credential(uri) {
                    return Err(ExportError::Text(
                        Quote::withheld(),
                        "it has a user name or a password in it",
                    ));
                }
            }
            set.keys.push((exported.public.to_owned(), key(exported)?));
            lost.extend(no_place(zone, exported.record));
        }
        Ok((set, lost))
    }
}

fn key(exported: &Exported<'_>) -> Result<Key, ExportError> {
    let record = exported.record;
    let [as_ksk, as_zsk] = flags(record)?;
    let times = &record.times;
    let stamp = |time: Option<Time>| match time {
        None => Ok(None),
        Some(time) => match u64::try_from(time.unix_seconds()) {
            Ok(secs) => Ok(Some(Stamp { secs, nanos: 0 })),
            Err(_) => Err(ExportError::Time {
                time,
                software: "dnst",
            }),
        },
    };
    Ok(Key {
        private: exported.private.map(str::to_owned),
        decoupled: false,
        kind: match record.role {
            Role::Ksk => Kind::Ksk(as_ksk),
            Role::Zsk => Kind::Zsk(as_zsk),
            Role::Csk => Kind::Csk(as_ksk, as_zsk),
        },
        algorithm: record.algorithm(),
        tag: record.key_tag(),
        stamps: Stamps {
            creation: stamp(Some(times.generated))?,
            published: stamp(times.published)?,
            // In every cache is on every server, too.
            visible: stamp(times.ready)?,
            ds_visible: stamp(times.registered)?,
            rrsig_visible: None,
            withdrawn: stamp(times.removed)?,
        },
    })
}

/// As KSK and as ZSK.
fn flags(record: &KeyRecord) -> Result<[Flags; 2], ExportError> {
    const NEW: Flags = Flags {
        available: true,
        old: false,
        signer: false,
        present: false,
        at_parent: false,
    };
    const PRESENT: Flags = Flags { present: true, ..NEW };
    const SIGNING: Flags = Flags {
        signer: true,
        ..PRESENT
    };
    const GOING: Flags = Flags { old: true, ..PRESENT };
    const GONE: Flags = Flags { old: true, ..NEW };
    let at_parent = Flags {
        at_parent: true,
        ..SIGNING
    };
    Ok(match record.state {
        KeyState::Generated => [NEW, NEW],
        // A KSK whose DS came first, a ZSK or CSK whose signatures did.
        KeyState::PreActive => [
            Flags {
                at_parent: record.wants_ds(),
                ..NEW
            },
            Flags { signer: true, ..NEW },
        ],
        KeyState::Published | KeyState::Ready if record.signs_zone() => [SIGNING, SIGNING],
        KeyState::Published | KeyState::Ready => [SIGNING, PRESENT],
        KeyState::Active => [at_parent, SIGNING],
        KeyState::RetireActive => [Flags { old: true, ..SIGNING }, Flags { old: true, ..SIGNING }],
        KeyState::PostActive => [
            Flags {
                at_parent: record.wants_ds(),
                ..GONE
            },
            Flags { signer: true, ..GONE },
        ],
        KeyState::Retired | KeyState::Dead => [GOING, GOING],
        KeyState::Removed | KeyState::Destroyed => [GONE, GONE],
        state @ KeyState::Revoked => {
            return Err(ExportError::State {
                tag: record.key_tag(),
                state,
                software: "dnst",
            });
        }
    })
}

fn no_place<'a>(zone: &'a ZoneName, record: &'a KeyRecord) -> impl Iterator<Item = Lost> + use<'a> {
    let times = &record.times;
    let all = [
        ("pre-active", times.pre_active),
        ("submitted", times.submitted),
        ("active", times.active),
        ("retire-active", times.retire_active),
        ("insecure", times.insecure),
        ("retired", times.retired),
        ("DS gone", times.deregistered),
        ("post-active", times.post_active),
        ("dead", times.dead),
        ("revoked", times.revoked),
    ];
    all.into_iter().filter_map(|(field, time)| {
        Some(Lost {
            file: zone.to_string().into(),
            line: None,
            field: format!("{field} of key {}", record.key_tag()),
            value: Quote::of(&time?.to_string()),
            why: Reason::NoPlaceThere,
        })
    })
}
