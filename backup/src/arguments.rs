//! Options of every verb that makes a bundle.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use backup::{Threshold, manifest::is_principal};
use clap::Args;
use cli::{Exit, Failure, Outcome};
use key_metadata::site::SiteWord;
use key_metadata::tpm_setup::Recipient;
use key_metadata::{SiteFolder, Span};
use sshsig::KeyPlace;

/// Who gets shares, and for how long a bundle is good.
#[derive(Args)]
pub struct CustodyArguments {
    /// How many shares open the bundle; more than half of them when absent
    #[arg(long, value_name = "NUMBER")]
    needed: Option<usize>,
    /// Who gets a share, once for each; all custodians of the site when absent
    #[arg(long = "custodian", value_name = "NAME")]
    custodians: Vec<SiteWord>,
    /// The folder that the shares go to, a file for each custodian, encrypted to them; not within the site
    #[arg(long, value_name = "FOLDER")]
    pub shares: PathBuf,
    /// An officer who signs the bundle, once for each: the name in allowed_signers, and the file of the key; without a file, ssh-agent is
    /// asked
    #[arg(long = "officer", value_name = "NAME[=KEYFILE]")]
    pub officers: Vec<Officer>,
    /// In what time somebody looks at the bundle again. No standard has a figure
    #[arg(long, value_name = "SPAN", default_value = "365d")]
    pub review: Span,
    /// In what time nothing is restored from it any more. No standard has a figure
    #[arg(long, value_name = "SPAN", default_value = "1825d")]
    pub expires: Span,
    /// Where throws of dice come from that are mixed into the secret: prompt, file:PATH or fd:NUMBER
    // Not parsed by clap: its error would quote the throws.
    #[arg(long, value_name = "SOURCE")]
    pub dice: Option<OsString>,
}

/// An officer, and where the key is.
#[derive(Clone, Debug)]
pub struct Officer {
    pub name: String,
    pub place: KeyPlace,
}

impl FromStr for Officer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, place) = match text.split_once('=') {
            Some((name, path)) => (name, KeyPlace::File(PathBuf::from(path))),
            None => (text, KeyPlace::Agent),
        };
        match is_principal(name) {
            true => Ok(Self {
                name: name.to_owned(),
                place,
            }),
            false => Err("an officer's name has letters, digits, dots, dashes, underscores and @".to_owned()),
        }
    }
}

/// Who gets shares, checked against the site.
pub struct Custody {
    pub threshold: Threshold,
    pub custodians: Vec<(SiteWord, Recipient)>,
}

impl CustodyArguments {
    /// Who gets shares, and how many of them suffice.
    pub fn custody(&self, site: &SiteFolder) -> Outcome<Custody> {
        let known = &site.site().custodians;
        let names: Vec<&SiteWord> = match self.custodians.is_empty() {
            true => known.keys().collect(),
            false => self.custodians.iter().collect(),
        };
        let mut custodians: Vec<(SiteWord, Recipient)> = Vec::new();
        for name in names {
            let recipient = known.get(name).ok_or_else(|| {
                let failure = Failure::new(Exit::Usage, format!("the site has no custodian {name}"));
                failure.hint(format!("keyrite-backup custodian add {name} RECIPIENT"))
            })?;
            if let Some((other, _)) = custodians
                .iter()
                .find(|(other, there)| other == name || there == recipient)
            {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("{name} and {other} are the same custodian: one person would have two shares"),
                ));
            }
            custodians.push((name.clone(), recipient.clone()));
        }
        let needed = self.needed.map_or(custodians.len() / 2 + 1, |needed| needed);
        let threshold = Threshold::new(needed, custodians.len()).map_err(|error| {
            let failure = Failure::of(Exit::Usage, &error);
            failure.hint("name custodians with 'keyrite-backup custodian add', and --needed".to_owned())
        })?;
        self.check_folder(site)?;
        Ok(Custody {
            threshold,
            custodians,
        })
    }

    /// Shares never lie beside the bundle that they open.
    fn check_folder(&self, site: &SiteFolder) -> Outcome {
        let unreadable = |error: std::io::Error| {
            let failure = Failure::of(Exit::Failed, &error);
            failure.within(format!("cannot use {} for the shares", self.shares.display()))
        };
        let folder = self.shares.canonicalize().map_err(|error| {
            unreadable(error).hint(format!(
                "mkdir {}, on a medium that leaves the room",
                self.shares.display()
            ))
        })?;
        let site = site.path(".").canonicalize().map_err(unreadable)?;
        if !folder.is_dir() {
            return Err(Failure::new(
                Exit::Usage,
                format!("{} is no folder", folder.display()),
            ));
        }
        if folder.starts_with(&site) {
            let failure = Failure::new(
                Exit::Usage,
                format!(
                    "{} lies within the site, beside the bundles",
                    self.shares.display()
                ),
            );
            return Err(failure.hint("shares go to another medium than the bundle".to_owned()));
        }
        Ok(())
    }

    /// The folder of the shares, whatever the working directory.
    pub fn shares_folder(&self) -> Outcome<PathBuf> {
        let resolve = |path: &Path| path.canonicalize();
        resolve(&self.shares).map_err(|error| {
            Failure::of(Exit::Failed, &error).within(format!("cannot use {}", self.shares.display()))
        })
    }
}
