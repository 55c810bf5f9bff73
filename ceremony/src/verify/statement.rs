//! What the TPM signed of each checkpoint: what its index held, its counter, its PCRs, and its clock.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use key_metadata::Digest;
use tpm::{Attested, ClockInfo, Name, PcrValues, Statement, read_pcr_file};

use super::VerifyError;
use super::claim::Claim;
use super::files::read;
use super::look::{Look, not_checked};
use super::record::{Record, Sealed};
use crate::log::{Body, CeremonyFolder, TpmAnchors, names};

const CLAIMS: [(&str, &str); 5] = [
    (
        "tpm-log",
        "the TPM signed that its index held the digest of all lines up to each seal",
    ),
    (
        "tpm-counter",
        "the TPM signed that its counter had each seal's number",
    ),
    ("tpm-quote", "the TPM quoted its PCRs for each checkpoint"),
    (
        "tpm-clock",
        "the TPM's resets and clock do not run backwards from seal to seal",
    ),
    (
        "counter",
        "the seals' counter numbers follow one another; one that is missing has its recovered entry",
    ),
];

/// Why nobody can look where there is no TPM.
const UNANCHORED: &str = "the log is unanchored: it was kept without a TPM";

/// The claims about the TPM's statements.
pub(super) fn claims(folder: &CeremonyFolder, record: &Record) -> Result<Vec<Claim>, VerifyError> {
    let commands = commands(record);
    let all = CLAIMS.iter().zip(&commands);
    let unlooked = |why| {
        all.clone()
            .map(|((id, claim), command)| not_checked(id, claim, command, why))
            .collect()
    };
    let Some(genesis) = record.genesis() else {
        return Ok(unlooked("the log has no genesis"));
    };
    let Some(anchors) = &genesis.tpm else {
        return Ok(unlooked(UNANCHORED));
    };
    let mut looks: [Look; 5] = Default::default();
    let [log, counter, quote, clock, counters] = &mut looks;
    let key = Key::of(anchors);
    let mut last = None;
    let mut pcrs = String::new();
    for sealed in &record.seals {
        let seen = key.seen(folder, sealed, [&mut *log, &mut *counter, &mut *quote])?;
        if let Some(values) = &seen.values {
            pcrs = values
                .keys()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ");
        }
        clocks(sealed, &seen.clocks, &mut last, clock);
    }
    consecutive(record, anchors.counter, counters);
    let number = record.seals.len();
    let last = record.seals.last();
    let state = last.and_then(|sealed| sealed.seal.tpm.as_ref());
    let evidence = [
        format!(
            "{number} statements; the last one says {}",
            last.and_then(|sealed| sealed.log_value)
                .map_or_else(String::new, |value| value.to_string())
        ),
        format!("{number} statements about {}", anchors.log_counter),
        format!("{number} quotes of PCR {pcrs}"),
        state.map_or_else(String::new, |state| {
            format!(
                "reset {}, restart {}, {} ms at the last seal",
                state.reset_count, state.restart_count, state.clock
            )
        }),
        state.map_or_else(String::new, |state| {
            format!(
                "from {} before the first seal to {} at the last",
                anchors.counter, state.counter
            )
        }),
    ];
    let claims = looks.into_iter().zip(all).zip(evidence);
    Ok(claims
        .map(|((look, ((id, claim), command)), seen)| {
            if number == 0 && look.is_clean() {
                not_checked(id, claim, command, "the log has no seal")
            } else {
                look.claim(id, claim, command, seen)
            }
        })
        .collect())
}

fn commands(record: &Record) -> [String; 5] {
    let numbers = record.numbers();
    let each = |text: &str| format!("for n in {numbers}; do {text}; done");
    let signed = |what: &str| {
        each(&format!(
            "openssl dgst -sha256 -verify ak.pem -signature checkpoint-$n.{what}.sig checkpoint-$n.{what}.attest; \
             tpm2_print -t TPMS_ATTEST checkpoint-$n.{what}.attest; sha256sum checkpoint-$n"
        ))
    };
    [
        signed("extend"),
        signed("counter"),
        each(
            "tpm2_checkquote -u ak.pem -m checkpoint-$n.quote.attest -s checkpoint-$n.quote.tss \
             -f checkpoint-$n.quote.pcrs -g sha256 -q $(sha256sum < checkpoint-$n | cut -c1-64)",
        ),
        each("tpm2_print -t TPMS_ATTEST checkpoint-$n.quote.attest | grep -A 3 clockInfo"),
        r#"grep '"type":"seal"\|"type":"recovered"' log.jsonl | grep -o '"counter":[0-9]*'"#.to_owned(),
    ]
}

/// The attestation key and the names of what it speaks about.
struct Key<'g> {
    spki: Vec<u8>,
    log: Option<Name>,
    counter: Option<Name>,
    anchors: &'g TpmAnchors,
}

/// What the statements on a checkpoint say beside what they are checked for.
#[derive(Default)]
struct Seen {
    clocks: Vec<ClockInfo>,
    values: Option<PcrValues>,
}

impl<'g> Key<'g> {
    fn of(anchors: &'g TpmAnchors) -> Self {
        Self {
            spki: BASE64_STANDARD
                .decode(&anchors.ak)
                .map_or_else(|_| Vec::new(), |spki| spki),
            log: anchors.log_index_name.parse().ok(),
            counter: anchors.log_counter_name.parse().ok(),
            anchors,
        }
    }

    fn seen(
        &self,
        folder: &CeremonyFolder,
        sealed: &Sealed,
        looks: [&mut Look; 3],
    ) -> Result<Seen, VerifyError> {
        let [log, counter, quote] = looks;
        let number = sealed.seal.checkpoint;
        for look in [&mut *log, &mut *counter, &mut *quote] {
            look.at(sealed.line);
        }
        let mut seen = Seen::default();
        // Without a checkpoint there is nothing that the statements could be for; that it is missing is told elsewhere too.
        let Some(checkpoint) = read(folder, &names::checkpoint(number))? else {
            for look in [log, counter, quote] {
                look.fault_at(sealed.line, format!("there is no checkpoint-{number}"));
            }
            return Ok(seen);
        };
        let qualifying = *Digest::of(&checkpoint).bytes();
        if let Some(statement) = statement(folder, sealed, "extend", log)? {
            match &self.log {
                None => log.fault_at(1, format!("'{}' is no Name", self.anchors.log_index_name)),
                Some(name) => match statement.verify_log(&self.spki, &qualifying, name) {
                    Ok(Attested { value, clock, .. }) => {
                        seen.clocks.push(clock);
                        if sealed.log_value != Some(Digest::from(value)) {
                            let is = Digest::from(value);
                            let must = sealed.log_value.map_or_else(String::new, |must| must.to_string());
                            log.fault_at(
                                sealed.line,
                                format!("the TPM's index held {is}; the lines give {must}"),
                            );
                        }
                    }
                    Err(error) => log.fault_at(sealed.line, format!("checkpoint-{number}.extend: {error}")),
                },
            }
        }
        if let Some(statement) = statement(folder, sealed, "counter", counter)? {
            match &self.counter {
                None => counter.fault_at(1, format!("'{}' is no Name", self.anchors.log_counter_name)),
                Some(name) => match statement.verify_counter(&self.spki, &qualifying, name) {
                    Ok(Attested { value, clock, .. }) => {
                        seen.clocks.push(clock);
                        let must = sealed.seal.tpm.as_ref().map(|state| state.counter);
                        if must != Some(value) {
                            counter.fault_at(
                                sealed.line,
                                format!("the TPM's counter was {value}, not the seal's"),
                            );
                        }
                    }
                    Err(error) => {
                        counter.fault_at(sealed.line, format!("checkpoint-{number}.counter: {error}"))
                    }
                },
            }
        }
        if let Some((clock, values)) = self.quote(folder, sealed, &qualifying, quote)? {
            seen.clocks.push(clock);
            seen.values = Some(values);
        }
        Ok(seen)
    }

    fn quote(
        &self,
        folder: &CeremonyFolder,
        sealed: &Sealed,
        qualifying: &[u8],
        look: &mut Look,
    ) -> Result<Option<(ClockInfo, PcrValues)>, VerifyError> {
        let number = sealed.seal.checkpoint;
        let Some(statement) = statement(folder, sealed, "quote", look)? else {
            return Ok(None);
        };
        let tss = names::tpm(number, "quote", "tss");
        if read(folder, &tss)?.is_none_or(|tss| tss != statement.signature_tpmt()) {
            look.fault_at(
                sealed.line,
                format!("{tss} is not there, or not the signature of the quote"),
            );
        }
        let file = names::tpm(number, "quote", "pcrs");
        let values = match read(folder, &file)?.map(|bytes| read_pcr_file(&bytes)) {
            None => {
                look.fault_at(sealed.line, format!("there is no {file}"));
                return Ok(None);
            }
            Some(Err(error)) => {
                look.fault_at(sealed.line, format!("{file}: {error}"));
                return Ok(None);
            }
            Some(Ok(values)) => values,
        };
        match statement.verify_quote(&self.spki, qualifying, &values) {
            Ok(Attested { clock, .. }) => Ok(Some((clock, values))),
            Err(error) => {
                look.fault_at(sealed.line, format!("checkpoint-{number}.quote: {error}"));
                Ok(None)
            }
        }
    }
}

/// The statement in the files of a checkpoint.
fn statement(
    folder: &CeremonyFolder,
    sealed: &Sealed,
    what: &str,
    look: &mut Look,
) -> Result<Option<Statement>, VerifyError> {
    let number = sealed.seal.checkpoint;
    let [attest, signature] = ["attest", "sig"].map(|form| names::tpm(number, what, form));
    let (Some(attested), Some(der)) = (read(folder, &attest)?, read(folder, &signature)?) else {
        look.fault_at(sealed.line, format!("there is no {attest} with {signature}"));
        return Ok(None);
    };
    match Statement::from_der(attested, &der) {
        // One text for one signature.
        Ok(statement) if statement.signature_der() == der => Ok(Some(statement)),
        Ok(_) => {
            look.fault_at(sealed.line, format!("{signature} is not written as DER is"));
            Ok(None)
        }
        Err(error) => {
            look.fault_at(sealed.line, format!("{signature}: {error}"));
            Ok(None)
        }
    }
}

/// Resets, restarts, then the clock: none may be before what was known before it.
type Instant = (u32, u32, u64);

fn clocks(sealed: &Sealed, statements: &[ClockInfo], last: &mut Option<Instant>, look: &mut Look) {
    look.at(sealed.line);
    let Some(state) = &sealed.seal.tpm else {
        look.fault_at(sealed.line, "the seal has nothing of the TPM");
        return;
    };
    let seal = (state.reset_count, state.restart_count, state.clock);
    if let Some(before) = *last
        && seal < before
    {
        look.fault_at(sealed.line, told("the TPM at the seal", seal, "before", before));
    }
    let mut latest = seal;
    for clock in statements {
        let now = (clock.reset_count, clock.restart_count, clock.clock_ms);
        if now < seal {
            look.fault_at(
                sealed.line,
                told("the TPM when it signed", now, "at the seal", seal),
            );
        }
        latest = latest.max(now);
    }
    *last = Some(latest);
}

fn told(what: &str, (reset, restart, clock): Instant, then: &str, before: Instant) -> String {
    format!(
        "{what} has reset {reset}, restart {restart}, {clock} ms, and {then} it had {}, {}, {} ms",
        before.0, before.1, before.2
    )
}

fn consecutive(record: &Record, start: u64, look: &mut Look) {
    let mut counter = start;
    for (line, entry) in &record.entries {
        let (number, what) = match &entry.body {
            Body::Seal(seal) => match &seal.tpm {
                Some(state) => (state.counter, "the seal"),
                None => continue,
            },
            Body::Recovered(recovered) => match recovered.counter {
                Some(number) => (number, "the recovered entry"),
                None => continue,
            },
            Body::Genesis(_)
            | Body::Step(_)
            | Body::Readback(_)
            | Body::Artefact(_)
            | Body::SecretEvent(_)
            | Body::Exception(_)
            | Body::Skip(_)
            | Body::Abort(_)
            | Body::Cast(_)
            | Body::Anchor(_)
            | Body::End(_) => continue,
        };
        look.at(*line);
        if Some(number) != counter.checked_add(1) {
            look.fault_at(
                *line,
                format!("{what} has counter {number}, and {counter} was before it"),
            );
        }
        counter = number;
    }
}
