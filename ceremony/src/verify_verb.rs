//! `verify`: every claim of a ceremony's folder, and what a live TPM says of it.

use std::path::PathBuf;

use ceremony::log::CeremonyFolder;
use ceremony::verify::{Claim, ClaimVerdict, Verification, verify, verify_live};
use clap::Args;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, table};
use key_metadata::{Tcti, TokenAddress, TokenName, TpmHandle, TpmSetup};
use serde::Serialize;
use tpm::Tpm;

/// The options of `verify`.
#[derive(Args)]
pub struct Arguments {
    /// The ceremony's folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The folder of the ceremony before, whose last checkpoint this one names
    #[arg(long, value_name = "FOLDER")]
    previous: Option<PathBuf>,
    /// Also ask that TPM for statements over a fresh nonce: its address, such as device:/dev/tpmrm0, or the name of a token of the site
    #[arg(long, value_name = "TCTI|TOKEN")]
    anchor: Option<String>,
    /// Where that TPM keeps its attestation key; as site.yaml has it, or where tpm-init puts it, when absent
    #[arg(long, value_name = "HANDLE", requires = "anchor")]
    attestation_key: Option<TpmHandle>,
    #[command(flatten)]
    report: ReportArguments,
}

#[derive(Serialize)]
struct Json<'v> {
    version: u8,
    verdict: ClaimVerdict,
    claims: &'v [Claim],
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = CeremonyFolder::new(&self.folder);
        let previous = self.previous.as_ref().map(CeremonyFolder::new);
        let mut verification = verify(&folder, previous.as_ref())?;
        if let Some(anchor) = &self.anchor {
            let (tcti, key) = place_of(anchor, site)?;
            let mut nonce = [0; 32];
            getrandom::fill(&mut nonce)
                .map_err(|error| Failure::of(Exit::Failed, &error).within("cannot make a nonce"))?;
            let tpm = Tpm::connect(&tcti)?;
            let key = self.attestation_key.map_or(key, |key| key);
            let live = verify_live(&folder, &tpm, key, &nonce)?;
            verification.claims.extend(live);
        }
        if self.report.json {
            output.json(&Json {
                version: 1,
                verdict: verification.verdict(),
                claims: &verification.claims,
            })?;
        } else {
            tell(&verification, output)?;
        }
        match verification.count(ClaimVerdict::Fail) {
            0 => Ok(()),
            failing => Err(Failure::new(
                Exit::SaysNo,
                format!(
                    "{failing} claims fail of the ceremony in {}",
                    self.folder.display()
                ),
            )),
        }
    }
}

/// A TPM's address and the handle of its attestation key. What is no address is the name of a token.
fn place_of(anchor: &str, site: &SiteArguments) -> Outcome<(Tcti, TpmHandle)> {
    let error = match anchor.parse::<Tcti>() {
        Ok(tcti) => return Ok((tcti, TpmSetup::default().attestation_key)),
        Err(error) => error,
    };
    let Ok(name) = anchor.parse::<TokenName>() else {
        return Err(Failure::of(Exit::Usage, &error).within(format!("'{anchor}' names no TPM")));
    };
    let site = site.open()?;
    let token = site.site().tokens.get(&name);
    match token.map(|token| (&token.address, &token.setup)) {
        Some((TokenAddress::Tpm(tcti), setup)) => {
            let setup = setup.as_ref().map_or_else(TpmSetup::default, Clone::clone);
            Ok((tcti.clone(), setup.attestation_key))
        }
        Some((TokenAddress::Pkcs11(_) | TokenAddress::File(_), _)) => {
            Err(Failure::new(Exit::Usage, format!("token '{name}' is no TPM")))
        }
        None => Err(Failure::new(
            Exit::Usage,
            format!("'{anchor}' is neither the address of a TPM nor a token of the site"),
        )),
    }
}

fn tell(verification: &Verification, output: &mut Output) -> Outcome {
    let count = |verdict| verification.count(verdict);
    output.line(format!(
        "{}: {} claims pass, {} fail, {} not checked",
        verification.verdict(),
        count(ClaimVerdict::Pass),
        count(ClaimVerdict::Fail),
        count(ClaimVerdict::NotChecked)
    ))?;
    let rows = verification.claims.iter().map(|claim| {
        [
            claim.verdict.to_string(),
            claim.id.clone(),
            claim.evidence.clone(),
        ]
    });
    output.result(table(["VERDICT", "CLAIM", "EVIDENCE"], rows))
}
