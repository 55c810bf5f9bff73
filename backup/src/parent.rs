//! `parent`: the recovery parent of a TPM, for which its keys can leave it.

use backup::manifest::ParentEntry;
use backup::{BundleKind, Bundles, ParentCopy};
use clap::Args;
use cli::{ChangeArguments, Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use dnssec::{RecoveryParent, RecoverySecret, SiteTokens};
use key_metadata::{SiteFolder, TokenAddress, TokenName};

use crate::arguments::CustodyArguments;
use crate::create::{nothing_chosen, tell};
use crate::make::{Contents, Maker};
use crate::mend::Bench;

/// The options of `parent`.
#[derive(Args)]
pub struct Arguments {
    /// The TPM, by its name in site.yaml
    #[arg(long, value_name = "NAME")]
    token: TokenName,
    #[command(flatten)]
    custody: CustodyArguments,
    #[command(flatten)]
    change: ChangeArguments,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let token = folder.site().tokens.get(&self.token).ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("the site has no token named '{}'", self.token),
            )
        })?;
        match token.address {
            TokenAddress::Tpm(_) => {}
            TokenAddress::Pkcs11(_) => {
                let failure = Failure::new(
                    Exit::Usage,
                    format!(
                        "token '{}' is no TPM: its keys are wrapped, and need no parent",
                        self.token
                    ),
                );
                return Err(failure.hint("keyrite-backup create".to_owned()));
            }
            TokenAddress::File(_) => {
                let failure = Failure::new(
                    Exit::Usage,
                    format!(
                        "'{}' is no TPM: its keys are in files, and no backup is made of them",
                        self.token
                    ),
                );
                return Err(
                    failure.hint("whoever wants a copy of a laboratory's keys copies the folder".to_owned())
                );
            }
        }
        let now = cli::now();
        if self.dry_run {
            let custody = self.custody.custody(&folder)?;
            return output.line(format!(
                "TPM '{}' would get a recovery parent, in a bundle that {} shares open",
                self.token, custody.threshold
            ));
        }
        let bench = Bench {
            site,
            folder: &folder,
            change: &self.change,
            now,
        };
        let lock = bench.take(output)?;
        let mut tokens = SiteTokens::new(&folder);
        let there = RecoveryParent::of_site(&folder, &self.token)?;
        if let Some(parent) = there {
            let name = parent.name().to_string();
            let failure = Failure::new(
                Exit::Failed,
                format!("TPM '{}' has a recovery parent: {name}", self.token),
            );
            return Err(failure.hint(match bundle_of(&name, &folder)? {
                Some(bundle) => format!("its private part is in bundle {bundle}; keyrite-backup rewrap start deals new shares of that"),
                None => "no bundle of the site holds its private part: put that bundle back into backups/".to_owned(),
            }));
        }
        if let Some((bundle, public)) = self.unfinished(&folder)? {
            let parent = RecoveryParent::from_bytes(&public)?;
            tokens.set_recovery_parent(&self.token, &parent)?;
            return output.line(format!(
                "TPM '{}' has the recovery parent {} of bundle {bundle}, which a run that was interrupted had made",
                self.token,
                parent.name()
            ));
        }
        let secret = RecoverySecret::generate(getrandom::fill)
            .map_err(|error| Failure::of(Exit::Failed, &error).within("the system's generator failed"))?;
        let parent = secret.parent();
        let contents = Contents {
            kind: BundleKind::RecoveryParent,
            replaces: None,
            kek: None,
            keys: Vec::new(),
            parents: vec![(
                ParentEntry {
                    token: self.token.clone(),
                    name: parent.name().to_string(),
                    public: parent.to_bytes(),
                },
                ParentCopy {
                    token: self.token.clone(),
                    private_key: secret.to_pem().as_str().into(),
                },
            )],
            opened_with: Vec::new(),
            tokens: signers(&folder, &self.token),
        };
        let mut maker = Maker {
            site,
            folder: &folder,
            tokens: &mut tokens,
            custody: &self.custody,
            now,
        };
        let made = maker.make(contents, output, &lock)?;
        // The bundle first: a parent whose private part is nowhere would let keys leave for nobody.
        tokens
            .set_recovery_parent(&self.token, parent)
            .map_err(|error| Failure::from(error).part_way())?;
        tell(&made, &nothing_chosen(), self.report.json, output)
    }

    /// The bundle of a recovery parent of this TPM that a run made before it was killed; with the parent's public area.
    fn unfinished(&self, folder: &SiteFolder) -> Outcome<Option<(String, Vec<u8>)>> {
        for bundle in Bundles::of(folder).all()?.into_iter().flatten() {
            let mut parents = bundle.manifest.header.recovery_parents.iter();
            if let Some(parent) = parents.find(|parent| parent.token == self.token) {
                return Ok(Some((bundle.id().to_string(), parent.public.clone())));
            }
        }
        Ok(None)
    }
}

/// Who signs the bundle of a TPM's recovery parent, and has a part in its secret: a PKCS#11 token of the site if there is one, and the TPM.
pub fn signers(folder: &SiteFolder, tpm: &TokenName) -> Vec<TokenName> {
    let tokens = folder.site().tokens.iter();
    let pkcs11 = tokens.filter(|(_, token)| matches!(token.address, TokenAddress::Pkcs11(_)));
    let first = pkcs11.map(|(name, _)| name.clone()).take(1);
    first.chain([tpm.clone()]).collect()
}

/// The bundle that has the private part of a recovery parent.
fn bundle_of(name: &str, folder: &SiteFolder) -> Outcome<Option<String>> {
    for bundle in Bundles::of(folder).all()?.into_iter().flatten() {
        let mut parents = bundle.manifest.header.recovery_parents.iter();
        if parents.any(|parent| parent.name == name) {
            return Ok(Some(bundle.id().to_string()));
        }
    }
    Ok(None)
}
