//! The secrets of bundles, found with stock tools, and where they stand.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyrite_tests::forms_of;
use memchr::memmem;
use serde_json::Value;

use crate::bench::{Bench, CUSTODIANS};
use crate::kill::Outcome;

/// The first words of a share say which set and which share it is; the last three are its checksum.
const VALUE: std::ops::Range<usize> = 4..30;
/// So many words of a share in a row are met nowhere by chance.
const IN_A_ROW: usize = 3;

/// One secret.
pub struct Needle {
    /// What it is.
    pub name: String,
    /// Every form in which its bytes are looked for.
    forms: Vec<(&'static str, Vec<u8>)>,
    /// Of a share: its words, which are looked for whatever stands between them.
    words: BTreeSet<String>,
}

impl Needle {
    /// A secret of bytes.
    pub fn bytes(name: impl Into<String>, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 8, "so few bytes are met by chance");
        Self {
            name: name.into(),
            forms: forms_of(bytes),
            words: BTreeSet::new(),
        }
    }

    fn share(name: String, mnemonic: &str) -> Self {
        let words: Vec<&str> = mnemonic.split_whitespace().collect();
        assert_eq!(words.len(), 33, "no share of 256 bits");
        let rows = words[VALUE].windows(IN_A_ROW);
        let forms = rows
            .clone()
            .map(|row| ("in a line", row.join(" ").into_bytes()))
            .collect();
        let words = rows.map(|row| row.concat()).collect();
        Self { name, forms, words }
    }

    /// The form in which it stands there, if it does.
    pub fn form_in(&self, bytes: &[u8]) -> Option<&'static str> {
        let mut forms = self.forms.iter();
        let found = forms.find(|(_, form)| memmem::find(bytes, form).is_some());
        found
            .map(|(form, _)| *form)
            .or_else(|| self.has_words_in(bytes).then_some("in words"))
    }

    fn has_words_in(&self, bytes: &[u8]) -> bool {
        if self.words.is_empty() {
            return false;
        }
        let is_word = |word: &&[u8]| (4..=8).contains(&word.len());
        let words: Vec<&[u8]> = bytes
            .split(|byte| !byte.is_ascii_lowercase())
            .filter(is_word)
            .collect();
        self.has_row_in(&words) || self.has_row_in(&numbered(bytes))
    }

    fn has_row_in(&self, words: &[&[u8]]) -> bool {
        let mut rows = words.windows(IN_A_ROW);
        rows.any(|row| std::str::from_utf8(&row.concat()).is_ok_and(|row| self.words.contains(row)))
    }

    /// Texts that have it, one in each form.
    pub fn planted(&self) -> Vec<Vec<u8>> {
        let mut planted: Vec<Vec<u8>> = self
            .forms
            .iter()
            .map(|(_, form)| [b"before ", &form[..], b" after"].concat())
            .collect();
        for (_, form) in self.forms.iter().filter(|_| !self.words.is_empty()) {
            let words = String::from_utf8_lossy(form).into_owned();
            let numbered = words.split(' ').zip(5..);
            let lines: String = numbered
                .map(|(word, number)| format!("{number}. {word}\n"))
                .collect();
            let columns: Vec<&str> = lines.lines().rev().collect();
            planted.extend([lines.clone().into_bytes(), columns.join("   ").into_bytes()]);
        }
        planted
    }
}

/// The words that have numbers before them, by their numbers: on paper they stand in columns.
fn numbered(bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut parts = bytes
        .split(u8::is_ascii_whitespace)
        .filter(|part| !part.is_empty())
        .peekable();
    while let Some(part) = parts.next() {
        let number = part
            .strip_suffix(b".")
            .and_then(|digits| std::str::from_utf8(digits).ok());
        if let (Some(number), Some(word)) =
            (number.and_then(|digits| digits.parse::<u8>().ok()), parts.peek())
        {
            found.push((number, *word));
        }
    }
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, word)| word).collect()
}

/// The secrets of a bundle whose payload is in `folder` and whose shares are where they were dealt: the shares of those who have one already, the
/// secret, the key-encryption key, the private keys, a recovery parent.
pub fn of_bundle(bench: &Bench, folder: &Path, id: &str) -> Outcome<Vec<Needle>> {
    let (mut needles, mut shares) = (Vec::new(), Vec::new());
    for name in CUSTODIANS {
        let share = bench.folder().join(format!("shares/{id}-{name}.age"));
        if !share.exists() {
            continue;
        }
        let identity = bench.folder().join(format!("people/{name}.key"));
        let words = answer(
            Command::new("age").arg("-d").arg("-i").arg(identity).arg(share),
            "",
        )?;
        let words = String::from_utf8(words).map_err(|error| error.to_string())?;
        needles.push(Needle::share(format!("the share of {name} in {id}"), &words));
        shares.push(words.trim().to_owned());
    }
    shares.truncate(2);
    let combine = "import sys\nfrom shamir_mnemonic import combine_mnemonics\n\
                   print(combine_mnemonics(sys.stdin.read().splitlines()).hex())";
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python3");
    let secret = answer(Command::new(python).args(["-c", combine]), &shares.join("\n"))?;
    let secret = String::from_utf8_lossy(&secret).trim().to_owned();
    needles.push(Needle::bytes(format!("the secret of {id}"), &decoded(&secret)?));
    let payload = payload(bench, folder, &secret)?;
    let kek = payload["key-encryption-key"].as_str();
    if let Some(kek) = kek {
        needles.push(Needle::bytes(
            format!("the key-encryption key of {id}"),
            &decoded(kek)?,
        ));
    }
    for key in payload["keys"].as_array().into_iter().flatten() {
        if let (Some(wrapped), Some(kek)) = (key["wrapped"].as_str(), kek) {
            let wrapped = STANDARD.decode(wrapped).map_err(|error| error.to_string())?;
            needles.extend(private_key(bench, &key["id"].to_string(), &wrapped, kek)?);
        }
    }
    for parent in payload["recovery-parents"].as_array().into_iter().flatten() {
        let lines = parent["private-key"].as_array().into_iter().flatten();
        let lines: Vec<&str> = lines.filter_map(Value::as_str).collect();
        let name = format!("the recovery parent of {id}");
        needles.extend(scalars(&name, lines.join("\n").as_bytes(), "PEM")?);
        let base64: String = lines
            .iter()
            .filter(|line| !line.starts_with('-'))
            .copied()
            .collect();
        let der = STANDARD.decode(&base64).map_err(|error| error.to_string())?;
        needles.push(Needle::bytes(name.clone(), &der));
        // As lines, whose ends stand between them.
        let body = lines
            .iter()
            .filter(|line| !line.starts_with('-') && line.len() > 32);
        needles.extend(body.map(|line| Needle::bytes(name.clone(), line.as_bytes())));
    }
    Ok(needles)
}

/// The payload, opened by `age`, which asks for its passphrase at a terminal.
fn payload(bench: &Bench, folder: &Path, secret: &str) -> Outcome<Value> {
    let opened = scratch(bench, "payload.json");
    let mut age = Command::new(env!("CARGO_BIN_EXE_at-terminal"));
    age.args([secret, "--", "age", "-d", "-o"])
        .arg(&opened)
        .arg(folder.join("payload.age"));
    answer(&mut age, "")?;
    let text = fs::read(&opened).map_err(|error| error.to_string())?;
    fs::remove_file(&opened).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

/// A wrapped private key: its PKCS#8, and the numbers in it.
fn private_key(bench: &Bench, id: &str, wrapped: &[u8], kek: &str) -> Outcome<Vec<Needle>> {
    let (from, to) = (scratch(bench, "wrapped"), scratch(bench, "pkcs8"));
    fs::write(&from, wrapped).map_err(|error| error.to_string())?;
    let mut unwrap = Command::new("openssl");
    unwrap.args([
        "enc",
        "-d",
        "-id-aes256-wrap-pad",
        "-iv",
        "A65959A6",
        "-K",
        kek,
        "-in",
    ]);
    answer(unwrap.arg(&from).arg("-out").arg(&to), "")?;
    let pkcs8 = fs::read(&to).map_err(|error| error.to_string())?;
    for path in [from, to] {
        fs::remove_file(path).map_err(|error| error.to_string())?;
    }
    let name = format!("the private key {id}");
    let mut needles = scalars(&name, &pkcs8, "DER")?;
    needles.push(Needle::bytes(name, &pkcs8));
    Ok(needles)
}

/// The private numbers of a key, as `openssl` lists them.
fn scalars(name: &str, key: &[u8], form: &str) -> Outcome<Vec<Needle>> {
    let mut list = Command::new("openssl");
    let text = answer_bytes(list.args(["pkey", "-inform", form, "-noout", "-text"]), key)?;
    let text = String::from_utf8_lossy(&text);
    let (mut needles, mut digits, mut number) = (Vec::new(), String::new(), None);
    for line in text.lines().chain(["end:"]) {
        if line.starts_with(' ') {
            digits.push_str(&line.replace([' ', ':'], ""));
            continue;
        }
        if let Some(number) = number.take() {
            let bytes = decoded(&digits)?;
            // A zero in front is only there so that it is not negative.
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            needles.push(Needle::bytes(format!("{number} of {name}"), &bytes[zeros..]));
        }
        digits.clear();
        let private = [
            "priv",
            "privateExponent",
            "prime1",
            "prime2",
            "exponent1",
            "exponent2",
            "coefficient",
        ];
        number = private.into_iter().find(|field| line == format!("{field}:"));
    }
    match needles.is_empty() {
        false => Ok(needles),
        true => Err(format!("openssl lists no private number of {name}")),
    }
}

/// A file outside of everything that is searched.
fn scratch(bench: &Bench, name: &str) -> PathBuf {
    let folder = bench.folder().join("kept");
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

fn decoded(digits: &str) -> Outcome<Vec<u8>> {
    hex::decode(digits).map_err(|error| format!("no hexadecimal: {error}"))
}

fn answer(command: &mut Command, input: &str) -> Outcome<Vec<u8>> {
    answer_bytes(command, input.as_bytes())
}

/// What a stock tool prints, which must succeed.
fn answer_bytes(command: &mut Command, input: &[u8]) -> Outcome<Vec<u8>> {
    use std::io::Write;
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    // A program that wants no input may have ended.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!(
            "{command:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}
