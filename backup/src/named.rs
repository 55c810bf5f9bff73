//! Naming a bundle: by its id in the site, or by a folder, such as one on a medium.

use std::ffi::OsString;
use std::path::Path;

use backup::{BundleFolder, BundleId, Bundles};
use clap::Args;
use cli::{Exit, Failure, Outcome, SiteArguments};
use key_metadata::SiteFolder;

/// The option that names a bundle.
#[derive(Args)]
pub struct BundleArgument {
    /// The bundle: its id, or its folder wherever that is; the site's only one when absent
    #[arg(long, value_name = "ID|FOLDER")]
    pub bundle: Option<OsString>,
}

impl BundleArgument {
    /// Opens the bundle that is meant. `site` may be missing where the bundle is on a medium.
    pub fn open(&self, site: Option<&SiteFolder>) -> Outcome<BundleFolder> {
        let site = site.map(Bundles::of);
        match (&self.bundle, site) {
            (Some(named), Some(bundles)) => {
                match named.to_str().and_then(|text| text.parse::<BundleId>().ok()) {
                    Some(id) => Ok(bundles.open(id)?),
                    None => Ok(BundleFolder::open(Path::new(named))?),
                }
            }
            (Some(named), None) => Ok(BundleFolder::open(Path::new(named))?),
            (None, Some(bundles)) => match bundles.ids()?.as_slice() {
                [only] => Ok(bundles.open(*only)?),
                [] => Err(Failure::new(Exit::Failed, "the site has no bundle")
                    .hint("keyrite-backup create makes one".to_owned())),
                several => Err(Failure::new(
                    Exit::Usage,
                    format!("the site has {} bundles, and none is named", several.len()),
                )
                .hint("'keyrite-backup list' shows them; name one with --bundle".to_owned())),
            },
            (None, None) => {
                Err(Failure::new(Exit::Usage, "no bundle is named").hint("name it with --bundle".to_owned()))
            }
        }
    }
}

/// The site, where there is one: a custodian or an auditor has a copy of a bundle, and perhaps nothing else.
pub fn site_if_there(site: &SiteArguments) -> Outcome<Option<SiteFolder>> {
    match site.site.join("site.yaml").exists() {
        true => site.open().map(Some),
        false => Ok(None),
    }
}
