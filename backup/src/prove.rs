//! `prove`: a custodian shows that a share is still there, without showing it (D1).

use std::path::PathBuf;

use backup::proof::NAMESPACE;
use backup::{Challenge, Proof};
use clap::Args;
use cli::{Exit, Failure, Outcome, Output, SiteArguments};
use key_metadata::site::SiteWord;
use key_metadata::store::replace;
use sshsig::KeyPlace;

use crate::given::OneShare;
use crate::named::{BundleArgument, site_if_there};
use crate::officers::{allowed_signers, read_signers, sign};

/// The options of `prove`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    bundle: BundleArgument,
    #[command(flatten)]
    share: OneShare,
    /// What is asked, as 'keyrite-backup check-proof --challenge' printed it
    #[arg(long, value_name = "TEXT")]
    challenge: String,
    /// The file of the custodian's SSH key that signs the proof; ssh-agent is asked when absent
    #[arg(long, value_name = "FILE")]
    sign_with: Option<PathBuf>,
    /// Who may sign, where there is no site: OpenSSH's allowed_signers
    #[arg(long, value_name = "FILE")]
    allowed_signers: Option<PathBuf>,
    /// Write the proof into this file, not to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site_if_there(site)?;
        let challenge = Challenge::parse(&self.challenge).ok_or_else(|| {
            Failure::new(Exit::Usage, "the challenge is not bundle:drill:nonce")
                .hint("copy it whole from what check-proof printed".to_owned())
        })?;
        let bundle = self.bundle.open(folder.as_ref())?;
        let allowed = match (&self.allowed_signers, &folder) {
            (Some(path), _) => read_signers(path)?,
            (None, Some(folder)) => allowed_signers(folder)?,
            (None, None) => None,
        };
        let allowed = allowed.ok_or_else(|| {
            let failure = Failure::new(Exit::Failed, "nobody knows whose signature the proof is to have");
            failure.hint(
                "name the file with --allowed-signers; it has a line for each custodian's SSH key".to_owned(),
            )
        })?;
        let given = self.share.read()?;
        let now = cli::now();
        let proof =
            Proof::answer(&bundle.manifest, challenge, &given.share.mnemonic(), now).map_err(|error| {
                Failure::of(Exit::Failed, &error)
                    .within(format!("the share from {} proves nothing", given.from))
            })?;
        let place = match &self.sign_with {
            Some(path) => KeyPlace::File(path.clone()),
            None => KeyPlace::Agent,
        };
        let name: &SiteWord = &proof.custodian;
        let text = proof.to_text();
        let signature = sign(
            &allowed,
            &name.to_string(),
            &place,
            NAMESPACE,
            text.as_bytes(),
            now,
        )?;
        let (share, id) = (proof.share, bundle.id());
        match &self.out {
            Some(path) => {
                replace(path, |file| {
                    file.write_all(text.as_bytes())?;
                    file.write_all(&signature)
                })?;
                output.line(format!(
                    "{name} proves share {share} of bundle {id}, in {}",
                    path.display()
                ))
            }
            None => {
                output.result(text)?;
                output.result(String::from_utf8_lossy(&signature))?;
                output.say(format!(
                    "{name} proves share {share} of bundle {id}: send what was printed"
                ));
                Ok(())
            }
        }
    }
}
