//! One key of other software on its way into a token and the records.

use cli::{Exit, Failure, Outcome};
use dnssec::{KeyOwner, Likeness};
use key_metadata::pending::{Operation, Pending};
use key_metadata::{
    Action, Backup, Change, CkaId, Extractability, KeyId, KeyRecord, KeyReference, KeySpec, KeyState,
    KeyTimes, PublicKey, Role, SoftwareKey, TokenName,
};

use crate::import::Run;
use crate::open::open;
use crate::random::random;
use crate::reconcile::take_back;

/// A key that is to become one of the zone's.
pub struct Candidate {
    pub role: Role,
    pub public_key: PublicKey,
    pub state: KeyState,
    pub times: KeyTimes,
    pub private: Private,
    pub from: String,
}

/// Where its private part is.
pub enum Private {
    /// Here, on its way into the token.
    Software(SoftwareKey),
    /// In that token already.
    In(TokenName, Place),
}

/// How a key is found in its token.
pub enum Place {
    Id(CkaId),
    Label(String),
}

impl Run<'_> {
    /// Puts a key into its token where it is not there yet, has it sign, and records it.
    pub fn take_in(&mut self, candidate: Candidate) -> Outcome<(TokenName, KeyId)> {
        let gate = &self.arguments.gate;
        let change = gate
            .change
            .change(Action::Import, cli::now(), cli::tool!(), self.site);
        let from = format!("from {}", candidate.from);
        let change = Change {
            reason: Some(change.reason.map_or(from.clone(), |why| format!("{why}; {from}"))),
            ..change
        };
        match candidate.private {
            Private::Software(ref secret) => {
                let token = self.token.clone();
                let extractability = self.arguments.backup.extractability();
                self.open(&token)?;
                if extractability == Extractability::Wrapped {
                    self.tokens.backup_capability(&token, spec(&secret.public_key)?)?;
                }
                let id = KeyId::from_random(random()?);
                self.keys.begin(Pending {
                    id,
                    token: token.clone(),
                    since: change.at,
                    operator: change.operator.clone(),
                    operation: Operation::Import,
                });
                self.folder.write_keys(&self.keys, self.lock)?;
                let owner = KeyOwner {
                    zone: &self.arguments.zone,
                    role: candidate.role,
                    now: change.at,
                };
                let put = self.tokens.import(&token, secret, id, &owner, extractability);
                let record = put
                    .map_err(Failure::from)
                    .map(|(public_key, reference)| KeyRecord {
                        id,
                        role: candidate.role,
                        public_key,
                        reference,
                        state: candidate.state,
                        times: candidate.times.clone(),
                        backup: Backup::none(extractability),
                    });
                match record.and_then(|record| self.prove(&record).map(|()| record)) {
                    Ok(record) => {
                        self.keys.settle(id, &token);
                        self.record(record, change)?;
                        Ok((token, id))
                    }
                    Err(failure) => Err(take_back(
                        &self.tokens,
                        self.folder,
                        &token,
                        id,
                        failure,
                        &mut self.keys,
                        self.lock,
                    )),
                }
            }
            Private::In(token, place) => {
                self.open(&token)?;
                let cka_id = self.id(&token, place)?;
                let id = match cka_id.as_key_id() {
                    Some(id) if self.keys.key(id).is_none() => id,
                    Some(_) | None => KeyId::from_random(random()?),
                };
                let record = KeyRecord {
                    id,
                    role: candidate.role,
                    reference: self
                        .tokens
                        .reference(&token, &cka_id)?
                        .map_or_else(|| KeyReference::Tpm(token.clone()), |reference| reference),
                    backup: Backup::none(self.extractability(&token, &candidate.public_key)?),
                    public_key: candidate.public_key,
                    state: candidate.state,
                    times: candidate.times,
                };
                self.prove(&record)?;
                self.record(record, change)?;
                Ok((token, id))
            }
        }
    }

    fn record(&mut self, record: KeyRecord, change: Change) -> Outcome {
        self.keys.add(record, change);
        Ok(self.folder.write_keys(&self.keys, self.lock)?)
    }

    /// Whether its tags are free, and it signs.
    fn prove(&self, record: &KeyRecord) -> Outcome {
        let (entry, _) = self.folder.zone(&self.arguments.zone)?;
        self.keys
            .check_tags(record, &entry.foreign_key_tags)
            .map_err(|clash| Failure::of(Exit::SaysNo, &clash))?;
        let nonce: [u8; 32] = random()?;
        Ok(self
            .tokens
            .signing_key(record)?
            .prove(&record.public_key, &nonce)?)
    }

    pub fn open(&mut self, token: &TokenName) -> Outcome {
        open(&mut self.tokens, self.site, self.folder, token)
    }

    pub fn id(&self, token: &TokenName, place: Place) -> Outcome<CkaId> {
        let id = self.id_at(token, place)?;
        if id.is_of_ceremony_log() {
            let error = format!("key {id} in token '{token}' signs the ceremony's log, and no zone");
            return Err(Failure::new(Exit::Failed, error));
        }
        Ok(id)
    }

    fn id_at(&self, token: &TokenName, place: Place) -> Outcome<CkaId> {
        match place {
            Place::Id(id) => Ok(id),
            Place::Label(label) => match self.tokens.find_labelled(token, &label)?.as_slice() {
                [id] => Ok(id.clone()),
                [] => Err(Failure::new(
                    Exit::Failed,
                    format!("token '{token}' has no private key with the label '{label}'"),
                )),
                several => {
                    let ids: Vec<_> = several.iter().map(ToString::to_string).collect();
                    Err(Failure::new(
                        Exit::Failed,
                        format!(
                            "token '{token}' has {} private keys with the label '{label}'",
                            ids.len()
                        ),
                    )
                    .hint(format!("name one by its id: {}", ids.join(", "))))
                }
            },
        }
    }

    /// Whether the token lets the key out under wrapping.
    fn extractability(&self, token: &TokenName, public_key: &PublicKey) -> Outcome<Extractability> {
        let found = self.tokens.keys_in(token)?;
        let mut same = found
            .keys
            .iter()
            .filter(|key| key.has_private && key.is_of(public_key) == Likeness::Same);
        Ok(match same.any(|key| key.extractable == Some(true)) {
            true => Extractability::Wrapped,
            false => Extractability::Never,
        })
    }
}

/// Algorithm and size, by which the token is asked for a backup.
fn spec(key: &PublicKey) -> Outcome<KeySpec> {
    let spec = key
        .algorithm()
        .made()
        .map(|algorithm| KeySpec::new(algorithm, Some(key.bits())));
    spec.and_then(Result::ok).ok_or_else(|| {
        let error = format!(
            "Keyrite makes no keys of {} with {} bits, and shows for none that it can be backed up",
            key.algorithm(),
            key.bits()
        );
        Failure::new(Exit::Failed, error).hint("take it in with --backup none".to_owned())
    })
}
