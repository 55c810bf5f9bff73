//! One secret, in every form in which it could have got out.

use std::error::Error;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter base64 would be met by chance, in a signed zone.
const SHORTEST_BASE64: usize = 12;
/// Fewer bytes are met by chance inside digests and serial numbers: they are looked for as words.
const SHORTEST_INSIDE: usize = 8;
/// Fewer bytes than this are a PIN of digits, which is not the hexadecimal of anything.
const SHORTEST_BYTES: usize = 16;

/// A PIN or an auth value. Its text and its bytes are looked for, and neither is ever shown.
pub struct Secret {
    /// Where it is kept.
    pub kept: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Secret {
    /// None of an empty one.
    pub fn new(kept: impl Into<String>, bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return None;
        }
        let mut forms = forms_of(bytes);
        // A file that has it in hexadecimal, as tpm2-tools take it.
        let text = bytes.strip_prefix(b"hex:").map_or(bytes, |digits| digits);
        if let Ok(decoded) = hex::decode(text)
            && decoded.len() >= SHORTEST_BYTES
        {
            forms.extend(forms_of(&decoded));
        }
        let kept = kept.into();
        Some(Self { kept, forms })
    }

    /// The form in which it stands there, if it does.
    pub fn form_in(&self, bytes: &[u8]) -> Option<&'static str> {
        let text = String::from_utf8_lossy(bytes);
        let is_word = |at: usize, form: &str| {
            let joined = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            !joined(text[..at].chars().next_back()) && !joined(text[at + form.len()..].chars().next())
        };
        let stands = |form: &[u8]| match std::str::from_utf8(form) {
            Ok(form) => text
                .match_indices(form)
                .any(|(at, _)| form.len() >= SHORTEST_INSIDE || is_word(at, form)),
            Err(_) => bytes.windows(form.len()).any(|window| window == form),
        };
        self.forms
            .iter()
            .find(|(_, form)| stands(form))
            .map(|(name, _)| *name)
    }

    /// Fails where it stands in a file of `folder`, or of a folder in it; `its_own` says which files may have it.
    pub fn search(&self, folder: &Path, its_own: &dyn Fn(&Path) -> bool) -> Result<(), Box<dyn Error>> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.search(&path, its_own)?;
            } else if !its_own(&path)
                && let Some(form) = self.form_in(&fs::read(&path)?)
            {
                return Err(
                    format!("{} has the secret of {} in it, {form}", path.display(), self.kept).into(),
                );
            }
        }
        Ok(())
    }
}

/// Every form in which bytes are looked for, with what it is.
pub fn forms_of(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = vec![
        ("as it is", bytes.to_vec()),
        ("in hexadecimal", hex::encode(bytes).into()),
        ("in hexadecimal", hex::encode_upper(bytes).into()),
    ];
    // In the middle of something longer, base64 comes in three ways: by how many bytes of its group of three go before.
    for before in 0..3 {
        let padded = [&[0; 2][..before], bytes].concat();
        // Without the characters that bytes before or after it have a part in.
        let own = (before * 8).div_ceil(6)..padded.len() * 8 / 6;
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            if own.len() >= SHORTEST_BASE64 {
                let text = engine.encode(&padded);
                forms.push(("in base64", text.as_bytes()[own.clone()].to_vec()));
            }
        }
    }
    forms
}
