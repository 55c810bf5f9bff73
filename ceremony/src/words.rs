//! TEMPORARY until the helper's is merged.
use key_metadata::{Digest, DigestError};
pub fn words(digest: &Digest) -> Vec<String> {
    vec![digest.to_string()]
}
pub fn digest(text: &str) -> Result<Digest, DigestError> {
    text.parse()
}
