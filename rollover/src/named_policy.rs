//! A policy that somebody names: the site's or a shipped one by its name, or a file.

use std::path::{Path, PathBuf};

use cli::{Exit, Failure, Outcome, SiteArguments};
use key_metadata::policy::{PolicyError, SHIPPED};
use key_metadata::store::StoreError;
use key_metadata::{Policy, PolicyName, SiteFolder};

use crate::document::Document;

/// The site, where there is one: shipped policies and files can be looked at without.
pub fn site_for(arguments: &SiteArguments) -> Outcome<Option<SiteFolder>> {
    match arguments.site.join("site.yaml").exists() {
        true => Ok(Some(arguments.open()?)),
        false => Ok(None),
    }
}

/// Whether it is a file that is named; `-` is standard input.
pub fn is_file(name: &str) -> bool {
    name == "-" || name.contains('/') || name.ends_with(".yaml")
}

/// The policy, or why it is none.
pub fn named(name: &str, site: Option<&SiteFolder>) -> Outcome<Result<Policy, PolicyError>> {
    if is_file(name) {
        return Ok(Policy::from_yaml(&Document::read(Path::new(name))?.text));
    }
    let word: PolicyName = name
        .parse()
        .map_err(|error| Failure::of(Exit::Usage, &error).within(format!("'{name}' is no policy")))?;
    match site.map(|site| site.policy(&word)) {
        Some(Ok(policy)) => Ok(Ok(policy)),
        Some(Err(StoreError::Policy { source, .. })) => Ok(Err(source)),
        Some(Err(other)) => Err(other.into()),
        None => shipped(word),
    }
}

fn shipped(name: PolicyName) -> Outcome<Result<Policy, PolicyError>> {
    let text = SHIPPED.iter().find(|(shipped, _)| *shipped == name.to_string());
    match text {
        Some((_, text)) => Ok(Policy::from_yaml(text)),
        None => {
            let path = PathBuf::from(format!("policies/{name}.yaml"));
            Err(StoreError::NoPolicy { name, path }.into())
        }
    }
}
