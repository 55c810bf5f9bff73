//! The keys of a zone, in the tokens that hold them.

use std::collections::BTreeMap;
use std::sync::Arc;

use cli::{Exit, Failure, Outcome, SiteArguments};
use dnssec::{QueuedKey, SiteTokens, ZoneKey};
use key_metadata::{KeyRecord, Policy, SiteFolder, TokenName, ZoneKeys, ZoneName};

use super::outcome::{Listener, MissedToken, NotReleased, Planned};
use super::sources::{read, serial};
use crate::down::Down;
use crate::pins::Pins;

/// A site whose zones are signed, with its tokens, which stay open until this is dropped.
pub struct Signing<'a> {
    arguments: &'a SiteArguments,
    folder: &'a SiteFolder,
    pins: &'a mut Pins,
    tokens: SiteTokens<'a>,
    down: Arc<Down>,
}

/// A zone whose keys are at hand.
pub struct Prepared<'a> {
    pub(super) folder: &'a SiteFolder,
    pub(super) down: Arc<Down>,
    pub(super) name: ZoneName,
    pub(super) policy: Policy,
    pub(super) records: ZoneKeys,
    pub(super) keys: Vec<ZoneKey>,
    pub(super) tokens: KeyTokens,
    pub(super) missed: Vec<MissedToken>,
}

impl<'a> Signing<'a> {
    /// With no token open yet; those of `down` are not asked at all.
    pub fn new(
        arguments: &'a SiteArguments,
        folder: &'a SiteFolder,
        pins: &'a mut Pins,
        down: BTreeMap<TokenName, Failure>,
    ) -> Self {
        Self {
            arguments,
            folder,
            pins,
            tokens: SiteTokens::new(folder),
            down: Arc::new(Down::new(down)),
        }
    }

    /// What signing a zone would be. Nothing is written.
    pub fn plan(&self, name: &ZoneName, listener: &dyn Listener) -> Outcome<Planned> {
        let (_, policy) = self.folder.zone(name)?;
        let zone = read(self.folder, name, &policy, listener)?;
        let keys = self.folder.keys(name)?;
        let (serial, _) = serial(self.folder, &policy, &zone, name, cli::now())?;
        Ok(Planned {
            serial,
            keys: signing_tags(&keys, &policy),
        })
    }

    /// Whether a token failed since this was made: then it is not asked again, and others had better start anew.
    pub fn has_failed(&self) -> bool {
        self.down.has_more()
    }

    /// Finds the keys of a zone, and opens the tokens of those that sign.
    pub fn prepare(&mut self, name: &ZoneName) -> Result<Prepared<'a>, NotReleased> {
        let (_, policy) = self.folder.zone(name).map_err(Failure::from)?;
        let records = self.folder.keys(name).map_err(Failure::from)?;
        let mut prepared = Prepared {
            folder: self.folder,
            down: Arc::clone(&self.down),
            name: name.clone(),
            policy,
            records,
            keys: Vec::new(),
            tokens: KeyTokens::new(),
            missed: Vec::new(),
        };
        self.find_keys(&mut prepared)?;
        Ok(prepared)
    }

    /// The keys of a zone, those that sign with their private parts. A token is opened when the first key needs it.
    fn find_keys(&mut self, zone: &mut Prepared) -> Result<(), NotReleased> {
        for record in zone.records.keys() {
            let signing = match record.signs_with_signer(zone.policy.ksk_signs) {
                true => {
                    let (key, holders) = self.find_key(record, &mut zone.missed)?;
                    zone.tokens.push((record.present_key_tag(), holders));
                    Some(key)
                }
                false => None,
            };
            zone.keys.push(ZoneKey {
                record: record.clone(),
                signing,
            });
        }
        Ok(())
    }

    /// A key in each token that is to hold it, its home first.
    fn everywhere(&mut self, record: &KeyRecord) -> Outcome<Vec<(TokenName, Outcome<QueuedKey>)>> {
        let home = self.tokens.token_of(record)?.clone();
        let found = self
            .open(&home)
            .and_then(|()| Ok(self.tokens.queued_key(record)?));
        let mut all = Vec::from_iter([(home.clone(), found)]);
        for replica in self.folder.site().replicas(&home) {
            let found = self.open(replica).and_then(|()| {
                let found = self.tokens.queued_replica(replica, record)?;
                found.ok_or_else(|| {
                    let (role, tag) = (record.role, record.key_tag());
                    Failure::new(
                        Exit::Failed,
                        format!("token '{replica}' is a replica of '{home}', and has no {role} {tag}"),
                    )
                    .hint(Some(
                        "restore the key there, or take the replica out of site.yaml".to_owned(),
                    ))
                })
            });
            all.push((replica.clone(), found));
        }
        Ok(all)
    }

    /// A key in all tokens that hold it, of which one at least is at hand.
    fn find_key(
        &mut self,
        record: &KeyRecord,
        missed: &mut Vec<MissedToken>,
    ) -> Result<(QueuedKey, Vec<TokenName>), NotReleased> {
        let all = self.everywhere(record)?;
        let (mut key, mut holders, mut failed) = (None::<QueuedKey>, Vec::new(), Vec::new());
        for (token, found) in all {
            match found {
                Ok(found) => {
                    holders.push(token);
                    key = Some(match key {
                        Some(key) => key.and(found),
                        None => found,
                    });
                }
                Err(failure) => {
                    NotReleased::of_token(failure.clone(), Some(token.clone())).note(&self.down);
                    failed.push(MissedToken { token, failure });
                }
            }
        }
        match key {
            Some(key) => {
                for token in failed {
                    token.join(missed);
                }
                Ok((key, holders))
            }
            // The first is its home, which there always is.
            None => Err(failed.into_iter().next().map_or_else(
                || Failure::new(Exit::Failed, "no token holds the key").into(),
                |home| NotReleased::of_token(home.failure, Some(home.token)),
            )),
        }
    }

    /// Opens a token, if it is not open yet.
    fn open(&mut self, token: &TokenName) -> Outcome {
        if let Some(failure) = self.down.why(token) {
            return Err(failure);
        }
        let (arguments, folder, pins) = (self.arguments, self.folder, &mut *self.pins);
        self.tokens.open_with(token, |tokens| {
            pins.user_pin(arguments, folder, token, |handle| Ok(tokens.unseal(handle)?))
        })
    }
}

/// The tags of the keys that sign here.
pub(super) fn signing_tags(keys: &ZoneKeys, policy: &Policy) -> Vec<u16> {
    let signs = |key: &&KeyRecord| key.signs_with_signer(policy.ksk_signs);
    let signing = keys.keys().iter().filter(signs);
    signing.map(KeyRecord::key_tag).collect()
}

/// The tokens that hold each key that signs, by the tag of its DNSKEY.
pub(super) type KeyTokens = Vec<(u16, Vec<TokenName>)>;

/// The holder of a key with that tag.
pub(super) fn holder(tokens: &KeyTokens, tag: u16, holder: usize) -> Option<&TokenName> {
    let mut of_tag = tokens.iter().filter(|(of, _)| *of == tag);
    of_tag.find_map(|(_, holders)| holders.get(holder))
}
