//! Opening a token.

use cli::{Outcome, SiteArguments};
use dnssec::SiteTokens;
use key_metadata::{SiteFolder, TokenName};

/// Opens a token if it is not open yet, with the PIN from where the user or the site says.
pub fn open(
    tokens: &mut SiteTokens<'_>,
    site: &SiteArguments,
    folder: &SiteFolder,
    token: &TokenName,
) -> Outcome {
    tokens.open_with(token, |tokens| {
        site.user_pin(folder, token, |handle| Ok(tokens.unseal(handle)?))
    })
}
