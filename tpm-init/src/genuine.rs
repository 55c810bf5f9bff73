//! Whether a TPM is one that its maker made and certified, and what is known of its firmware.

use cli::{Exit, Failure, Outcome, now};
use key_metadata::Advice;
use tpm::{EkCertificate, EkOrigin, EkPublicKey, EkTemplate, EndorsementError, Tpm};
use tpm_init::step::HierarchyName;
use tpm_init::{Bundle, EkVerdict, Finding, FirmwareTable, Verdict, certified_key, matches, roca, verify};

use crate::look::Look;
use crate::target::Target;

const CHECK: &str = "endorsement-key";
const ACCEPT: &str = "or accept it in site.yaml: setup: {accepted: {endorsement-key: who and why}}";

/// The endorsement keys against their certificates, and those against the site's pinned ones: the worst of what is found.
pub fn endorsement_key(target: &Target, tpm: &Tpm, found: &Look) -> Outcome<Finding> {
    let folder = target.folder.path("tpm/ek-roots");
    let bundle = folder
        .is_dir()
        .then(|| Bundle::from_folder(&folder))
        .transpose()?;
    let mut worst: Option<Finding> = None;
    for certificate in &found.certificates {
        let Some(template) = EkTemplate::of_certificate(certificate.index) else {
            continue;
        };
        let finding = one(tpm, found, certificate, template, bundle.as_ref())?;
        let worse = worst.as_ref().is_none_or(|worst| finding.verdict > worst.verdict);
        if worse {
            worst = Some(finding);
        }
    }
    Ok(worst.map_or_else(
        || {
            Finding::unknown(
                CHECK,
                "no certificate: nobody says that this TPM is genuine",
                format!("ask its maker for the certificate; {ACCEPT}"),
            )
        },
        |worst| worst,
    ))
}

fn one(
    tpm: &Tpm,
    found: &Look,
    certificate: &EkCertificate,
    template: EkTemplate,
    bundle: Option<&Bundle>,
) -> Outcome<Finding> {
    let place = format!("the certificate at {:#010x}", certificate.index);
    let Some(bundle) = bundle else {
        return Ok(Finding::unknown(
            CHECK,
            format!("{place} is not verified: the site pins no maker's certificates"),
            format!(
                "put the maker's CA certificates into tpm/ek-roots/ of the site, from a source that you trust; {ACCEPT}"
            ),
        ));
    };
    let vouched = match verify(&certificate.der, bundle, now()) {
        EkVerdict::Invalid { why } => {
            return Ok(Finding::fail(
                CHECK,
                format!("{place} is invalid: {why}"),
                "use another TPM, unless its maker explains it",
            ));
        }
        EkVerdict::UnknownCa { issuer } => {
            return Ok(Finding::unknown(
                CHECK,
                format!("{place} is of an unknown CA, {issuer}"),
                format!(
                    "put the maker's CA certificates into tpm/ek-roots/, from a source that you trust; {ACCEPT}"
                ),
            ));
        }
        EkVerdict::Genuine { issuer, serial } => format!("{place} is of {issuer}, serial {serial}"),
    };
    let key = match tpm.endorsement_key(template, found.auths.get(&HierarchyName::Endorsement)) {
        Ok(key) => key,
        // The endorsement auth is with its custodians; what was proved with it is in the identity.
        Err(EndorsementError::AuthRefused { .. }) if found.is_certificate_proved(certificate) => {
            return Ok(Finding::pass(
                CHECK,
                format!("{vouched}; its key was proved when the TPM was provisioned"),
            ));
        }
        Err(error @ EndorsementError::AuthRefused { .. }) => {
            let remedy = error.hint().map_or_else(String::new, |hint| hint);
            return Ok(Finding::unknown(CHECK, format!("{vouched}; {error}"), remedy));
        }
        Err(error) => return Err(error.into()),
    };
    if !matches(&certificate.der, &key) {
        return Ok(Finding::fail(
            CHECK,
            format!("{vouched}, but it is for another key than this TPM's {template}"),
            "use another TPM: this one shows the certificate of another",
        ));
    }
    let how = match key.origin {
        EkOrigin::Recomputed => "made again from its template".to_owned(),
        EkOrigin::Read { handle } => format!("read at {handle:#010x}"),
    };
    Ok(Finding::pass(
        CHECK,
        format!("{vouched}; it is for this TPM's {template}, {how}"),
    ))
}

/// What the dated table says of the firmware, and the ROCA fingerprint of every RSA modulus that is seen.
pub fn firmware(found: &Look) -> Outcome<Vec<Finding>> {
    let table = FirmwareTable::built_in().map_err(|error| {
        Failure::of(Exit::Failed, &error).within("the table of advisories cannot be read")
    })?;
    let mut findings = table.assess(&found.info);
    let mut moduli = found.moduli.clone();
    for certificate in &found.certificates {
        if let Some(EkPublicKey::Rsa { modulus, .. }) = certified_key(&certificate.der) {
            moduli.push((format!("the certificate at {:#010x}", certificate.index), modulus));
        }
    }
    for finding in findings.iter_mut().filter(|finding| finding.check == "roca") {
        let weak = moduli.iter().find(|(_, modulus)| roca::has_fingerprint(modulus));
        match weak {
            Some((place, _)) => {
                *finding = Finding::fail(
                    "roca",
                    format!("the RSA key of {place} has the fingerprint: it can be factored"),
                    "do not use it, nor any RSA key that was made with this firmware",
                );
            }
            None if finding.verdict == Verdict::Pass && !moduli.is_empty() => {
                let count = moduli.len();
                finding.evidence.push_str(&format!(
                    "; none of the {count} RSA keys that are seen has the fingerprint"
                ));
            }
            None => {}
        }
    }
    Ok(findings)
}
