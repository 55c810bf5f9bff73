//! The TPM behind the log. It is let go of after every use: a tool of the next step needs its slots.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ceremony::log::{Entry, SealState, TpmAnchors, names};
use cli::{Exit, Failure, Outcome};
use key_metadata::{Digest, NvIndex, PcrSelection, SiteFolder, Tcti, TokenName, TpmHandle};
use tpm::{Anchor, AnchorState, Holds, Tpm, pcr_file};

/// The TPM of a ceremony; none where its log is unanchored.
pub struct Anchors<'s> {
    tpm: Option<Place<'s>>,
}

struct Place<'s> {
    site: &'s SiteFolder,
    name: &'s TokenName,
    tcti: &'s Tcti,
    attestation_key: TpmHandle,
    log_index: NvIndex,
    log_counter: NvIndex,
}

/// What a TPM holds against what the log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The same.
    Same,
    /// The last entry is not in it yet.
    Behind,
}

impl<'s> Anchors<'s> {
    /// Those of the script's TPM.
    pub fn of(site: &'s SiteFolder, tpm: Option<&TokenName>) -> Outcome<Self> {
        let Some(wanted) = tpm else {
            return Ok(Self { tpm: None });
        };
        let found = site.site().tpms().find(|(name, _)| *name == wanted);
        let (name, tcti) = found.ok_or_else(|| {
            Failure::new(
                Exit::Failed,
                format!("the script's TPM '{wanted}' is not in site.yaml"),
            )
        })?;
        let setup = site.site().tpm_setup(name);
        Ok(Self {
            tpm: Some(Place {
                site,
                name,
                tcti,
                attestation_key: setup.attestation_key,
                log_index: setup.log_index,
                log_counter: setup.log_counter,
            }),
        })
    }

    /// What the first entry says of the TPM.
    pub fn genesis(&self) -> Outcome<Option<TpmAnchors>> {
        self.tpm.as_ref().map(Place::genesis).transpose()
    }

    /// Extends the log index by the digest of an entry.
    pub fn extend(&self, digest: &Digest) -> Outcome {
        match &self.tpm {
            None => Ok(()),
            Some(place) => Ok(place.open()?.extend_log(place.log_index, digest.bytes())?),
        }
    }

    /// Raises the counter for a seal.
    pub fn raise(&self) -> Outcome<Option<SealState>> {
        let Some(place) = &self.tpm else {
            return Ok(None);
        };
        let tpm = place.open()?;
        let counter = tpm.raise_counter(place.log_counter)?;
        let clock = tpm.clock()?;
        Ok(Some(SealState {
            counter,
            clock: clock.clock_ms,
            reset_count: clock.reset_count,
            restart_count: clock.restart_count,
        }))
    }

    /// The counter's number.
    pub fn counter(&self) -> Outcome<Option<u64>> {
        match &self.tpm {
            None => Ok(None),
            Some(place) => Ok(Some(place.open()?.counter(place.log_counter)?)),
        }
    }

    /// Whether the TPM is that of the first entry, and holds what the entries come to.
    pub fn compare(&self, genesis: Option<&TpmAnchors>, digests: &[Digest]) -> Outcome<Held> {
        let (Some(place), Some(genesis)) = (&self.tpm, genesis) else {
            return Ok(Held::Same);
        };
        let tpm = place.open()?;
        let key = match tpm.attestation_key(place.attestation_key)? {
            tpm::AttestationKeyState::Ours(key) => key.name().to_string(),
            tpm::AttestationKeyState::Absent | tpm::AttestationKeyState::Foreign { .. } => {
                "another".to_owned()
            }
        };
        if key != genesis.ak_name {
            return Err(place.another(
                "its attestation key is not that of the first entry: it was cleared, or is another TPM",
            ));
        }
        let held = tpm.log_value(place.log_index)?;
        let held = held.map_or(Digest::ZERO, Digest::from);
        let (mut before, mut value) = (genesis.log_value, genesis.log_value);
        for digest in digests {
            before = value;
            value = Digest::of(&[&value.bytes()[..], digest.bytes()].concat());
        }
        if held == value {
            Ok(Held::Same)
        } else if held == before {
            Ok(Held::Behind)
        } else {
            Err(place.another(
                "its log index holds neither what the log comes to nor what it came to before its last entry: the log is an older or \
                 another one, or the index was redefined or extended by others",
            ))
        }
    }

    /// What the TPM states about itself and a checkpoint, by file name; nothing where there is no TPM.
    pub fn statements(&self, number: u64, checkpoint: &[u8]) -> Outcome<BTreeMap<String, Vec<u8>>> {
        let mut files = BTreeMap::new();
        let Some(place) = &self.tpm else {
            return Ok(files);
        };
        let tpm = place.open()?;
        let qualifying = Digest::of(checkpoint);
        let key = place.attestation_key;
        let mut add = |what, form, bytes| files.insert(names::tpm(number, what, form), bytes);
        for (what, anchor, index) in [
            ("extend", Anchor::Log, place.log_index),
            ("counter", Anchor::Counter, place.log_counter),
        ] {
            let statement = tpm.certify_nv(key, anchor, index, qualifying.bytes())?;
            add(what, "attest", statement.attested().to_vec());
            add(what, "sig", statement.signature_der());
        }
        let quote = tpm.quote(key, &PcrSelection::start_up(), qualifying.bytes())?;
        add("quote", "attest", quote.statement.attested().to_vec());
        add("quote", "sig", quote.statement.signature_der());
        add("quote", "tss", quote.statement.signature_tpmt());
        add("quote", "pcrs", pcr_file(&quote.values));
        Ok(files)
    }
}

/// The digests of some entries' lines: each is named by the next.
pub fn digests(entries: &[Entry], last: Digest) -> Vec<Digest> {
    let named = entries.iter().skip(1).map(|entry| entry.prev);
    let last = (!entries.is_empty()).then_some(last);
    named.chain(last).collect()
}

impl Place<'_> {
    fn open(&self) -> Outcome<Tpm> {
        Ok(Tpm::connect(self.tcti)?)
    }

    fn another(&self, cause: &str) -> Failure {
        Failure::new(
            Exit::SaysNo,
            format!("the TPM '{}' does not fit the log, and nothing is written to it", self.name),
        )
        .because(cause)
        .hint("keep the ceremony's folder as it is, and let an auditor look at it: keyrite-ceremony verify --anchor".to_owned())
    }

    fn genesis(&self) -> Outcome<TpmAnchors> {
        let provision = || "provision it first: keyrite-tpm-init provision".to_owned();
        let identity = self.site.tpm_identity(self.name)?.ok_or_else(|| {
            Failure::new(
                Exit::Failed,
                format!("the TPM '{}' was not provisioned", self.name),
            )
            .hint(provision())
        })?;
        let tpm = self.open()?;
        let tpm::AttestationKeyState::Ours(key) = tpm.attestation_key(self.attestation_key)? else {
            return Err(Failure::new(
                Exit::Failed,
                format!(
                    "the TPM '{}' has no attestation key at {}",
                    self.name, self.attestation_key
                ),
            )
            .hint(provision()));
        };
        if key.name().to_string() != identity.attestation_key.name.to_string() {
            return Err(self.another("its attestation key is not that of its identity.yaml"));
        }
        let mut found = [Anchor::Log, Anchor::Counter]
            .into_iter()
            .zip([self.log_index, self.log_counter])
            .map(|(anchor, index)| match tpm.anchor(anchor, index)? {
                AnchorState::Ours { .. } => anchor
                    .name(index, Holds::Something)
                    .map(|name| name.to_string())
                    .ok_or_else(|| Failure::new(Exit::Failed, format!("the {anchor} {index} has no Name"))),
                AnchorState::Absent | AnchorState::Foreign { .. } => Err(Failure::new(
                    Exit::Failed,
                    format!("the TPM '{}' has no {anchor} at {index}", self.name),
                )
                .hint(provision())),
            });
        let (Some(log_index_name), Some(log_counter_name)) =
            (found.next().transpose()?, found.next().transpose()?)
        else {
            return Err(Failure::new(Exit::Failed, "a TPM has two anchors"));
        };
        let certificate = identity.endorsement_key.certificate_sha256.as_deref();
        let ek_certificate =
            certificate
                .map(str::parse)
                .transpose()
                .map_err(|error: key_metadata::DigestError| {
                    Failure::of(Exit::Failed, &error)
                        .within(format!("identity.yaml of the TPM '{}'", self.name))
                })?;
        Ok(TpmAnchors {
            ek_certificate,
            ak_name: key.name().to_string(),
            ak: BASE64_STANDARD.encode(key.spki()),
            log_index: self.log_index.to_string(),
            log_index_name,
            log_value: tpm.log_value(self.log_index)?.map_or(Digest::ZERO, Digest::from),
            log_counter: self.log_counter.to_string(),
            log_counter_name,
            counter: tpm.counter(self.log_counter)?,
        })
    }
}
