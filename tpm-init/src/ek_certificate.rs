//! Whether a TPM's endorsement key is one that its maker certified.
//!
//! Offline: against certificates that the site pins. Revocation is not looked at, since no maker's list is at hand there.

use std::time::Duration;

use chrono::DateTime;
use key_metadata::Time;
use rustls_pki_types::{CertificateDer, UnixTime};
use tpm::{EkPublicKey, EndorsementKey};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, KeyUsage};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode;

use crate::bundle::Bundle;

/// tcg-kp-EKCertificate, 2.23.133.8.1 (TCG EK Credential Profile for TPM Family 2.0), as DER has it.
const EK_CERTIFICATE: &[u8] = &[0x67, 0x81, 0x05, 0x08, 0x01];

/// What the certificate of an endorsement key is worth. That there is none is the caller's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EkVerdict {
    /// A CA of the bundle vouches for it.
    Genuine {
        /// Who signed it.
        issuer: String,
        /// Its serial number, in hex.
        serial: String,
    },
    /// No CA of the bundle signed it or whoever did.
    UnknownCa {
        /// Who says to have signed it.
        issuer: String,
    },
    /// It is none, was changed, has expired, or is for something else.
    Invalid {
        /// What is wrong.
        why: String,
    },
}

/// Checks the certificate of an endorsement key against a bundle, as of `now`.
///
/// Where the certificate says what it is for, that must be an endorsement key; not every maker says it.
pub fn verify(der: &[u8], bundle: &Bundle, now: Time) -> EkVerdict {
    let shown = Shown::of(der);
    let certificate = CertificateDer::from(der);
    let seconds = u64::try_from(now.unix_seconds()).map_or(0, |seconds| seconds);
    let checked = EndEntityCert::try_from(&certificate).and_then(|read| {
        read.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &bundle.anchors,
            &bundle.intermediates,
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            KeyUsage::required_if_present(EK_CERTIFICATE),
            None,
            None,
        )
        .map(|_| ())
    });
    match (checked, shown) {
        (Ok(()), Some(Shown { issuer, serial, .. })) => EkVerdict::Genuine { issuer, serial },
        (Err(Error::UnknownIssuer), Some(Shown { issuer, .. })) => EkVerdict::UnknownCa { issuer },
        (Err(error), shown) => EkVerdict::Invalid {
            why: reason(&error, shown.as_ref()),
        },
        (Ok(()), None) => EkVerdict::Invalid {
            why: "its names or dates cannot be read".to_owned(),
        },
    }
}

/// Whether the certificate is for that key; whichever way either is written.
pub fn matches(certificate_der: &[u8], key: &EndorsementKey) -> bool {
    match (certified_key(certificate_der), EkPublicKey::from_spki(&key.spki)) {
        (Some(certified), Ok(own)) => certified == own,
        (Some(_) | None, _) => false,
    }
}

/// The key that a certificate is for: what a credential is made for. `None` where it is no certificate, or of another kind of key.
pub fn certified_key(certificate_der: &[u8]) -> Option<EkPublicKey> {
    let certificate = CertificateDer::from(certificate_der);
    let read = EndEntityCert::try_from(&certificate).ok()?;
    EkPublicKey::from_spki(&read.subject_public_key_info()).ok()
}

/// What is shown of a certificate; nothing here is checked.
struct Shown {
    issuer: String,
    serial: String,
    not_after: Duration,
}

impl Shown {
    fn of(der: &[u8]) -> Option<Self> {
        let certificate = CertificateInner::<Raw>::from_der(der).ok()?.tbs_certificate;
        let issuer = certificate.issuer.to_string();
        Some(Self {
            // Somebody else wrote it, and it goes to a terminal.
            issuer: issuer.chars().filter(|letter| !letter.is_control()).collect(),
            serial: hex::encode(certificate.serial_number.as_bytes()),
            not_after: certificate.validity.not_after.to_unix_duration(),
        })
    }
}

fn reason(error: &Error, shown: Option<&Shown>) -> String {
    match error {
        Error::CertExpired { not_after, .. } => {
            let own = shown.is_some_and(|shown| shown.not_after.as_secs() == not_after.as_secs());
            let what = if own { "it" } else { "a CA above it" };
            format!("{what} expired on {}", date(*not_after))
        }
        Error::CertNotValidYet { not_before, .. } => {
            format!("it or a CA above it is not valid before {}", date(*not_before))
        }
        Error::InvalidSignatureForPublicKey => {
            "it was changed, or somebody else signed it in its issuer's name".to_owned()
        }
        Error::RequiredEkuNotFoundContext(_) => "it is not for an endorsement key".to_owned(),
        Error::CaUsedAsEndEntity => "it is a CA's, not an endorsement key's".to_owned(),
        Error::BadDer | Error::TrailingData(_) => "it is no certificate".to_owned(),
        other => format!("it cannot be relied on: {other:?}"),
    }
}

fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    seconds
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .map_or("a date out of range".to_owned(), |time| {
            Time::from(time).to_string()
        })
}
