//! The site of a rehearsal: the names of the real one, on tokens in software.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use key_metadata::site::Site;
use sandbox::SOFTHSM_MODULE;

use super::file::RehearsalFile;
use crate::script::Script;

/// The names of a rehearsal's site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The TPM, which keeps PINs and anchors the log.
    pub tpm: String,
    /// The PKCS#11 tokens.
    pub tokens: BTreeSet<String>,
    /// The zones: policy and token of each.
    pub zones: BTreeMap<String, (String, String)>,
}

/// The variables of a script that name a zone and a token, and what those of the embedded site are called.
const ZONE: (&str, &str) = ("zone", "cr");
const TOKEN: (&str, &str) = ("token", "cr");
const TPM: &str = "tpm";
const POLICY: &str = "small-tld";

/// Where PINs are sealed: the first of the handles for them; each token has two.
const FIRST_HANDLE: u32 = 0x8102_0000;

const ZONE_TEXT: &str = include_str!("../../data/rehearsal.zone");

impl Names {
    /// Those that the script uses; of the user's site, where there is one, also its zones with their policies and tokens.
    pub fn of(script: &Script, file: &RehearsalFile, of_user: Option<&Site>) -> Self {
        let variable = |(name, default): (&str, &str)| {
            let found = script.variables.iter().find(|(known, _)| known.as_str() == name);
            found.map_or(default, |(_, value)| value).to_owned()
        };
        let tpm = script
            .tpm
            .as_ref()
            .map_or_else(|| TPM.to_owned(), ToString::to_string);
        let token = variable(TOKEN);
        let mut zones = BTreeMap::new();
        if let Some(site) = of_user {
            for (zone, entry) in &site.zones {
                let kept = (entry.policy.to_string(), entry.token.to_string());
                zones.insert(zone.to_string(), kept);
            }
        }
        let own = file.zones.iter().map(ToString::to_string);
        for zone in own.chain([variable(ZONE)]) {
            let made_up = || (POLICY.to_owned(), token.clone());
            zones.entry(zone).or_insert_with(made_up);
        }
        let mut tokens: BTreeSet<String> = zones.values().map(|(_, token)| token.clone()).collect();
        tokens.extend(script.log_key.as_ref().map(ToString::to_string));
        tokens.remove(&tpm);
        Self { tpm, tokens, zones }
    }

    /// The tokens that have PINs of their own, the TPM among them where it has keys of a zone.
    pub fn to_initialise(&self) -> impl Iterator<Item = &str> {
        let native = self.zones.values().any(|(_, token)| *token == self.tpm);
        let tpm = native.then_some(&*self.tpm);
        tpm.into_iter().chain(self.tokens.iter().map(|token| &**token))
    }

    /// Writes site.yaml and small zones into the folder.
    pub fn write(&self, folder: &Path, tcti: &str) -> io::Result<()> {
        let zones = folder.join("zones");
        fs::create_dir_all(&zones)?;
        for zone in self.zones.keys() {
            let file = zones.join(format!("{zone}.zone"));
            fs::write(file, ZONE_TEXT.replace("@ORIGIN@", zone))?;
        }
        fs::write(folder.join("site.yaml"), self.site_yaml(tcti))
    }

    fn site_yaml(&self, tcti: &str) -> String {
        let mut text =
            String::from("# REHEARSAL: tokens in software, for practice only.\nversion: 1\ntokens:\n");
        let tpm = &self.tpm;
        let mut handles = FIRST_HANDLE..;
        let mut sealed = || {
            handles
                .next()
                .map_or_else(String::new, |handle| format!("tpm:{handle:#010x}"))
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {tpm}:\n    address: tpm2:{tcti}");
        if self.zones.values().any(|(_, token)| token == tpm) {
            let _ = writeln!(text, "    pin: {}", sealed());
        }
        text.push_str(SETUP);
        for token in &self.tokens {
            let _ = writeln!(
                text,
                "  {token}:\n    address: pkcs11:token={token}?module-path={SOFTHSM_MODULE}"
            );
            let _ = writeln!(text, "    pin: {}\n    so-pin: {}", sealed(), sealed());
        }
        text.push_str("zones:\n");
        for (zone, (policy, token)) in &self.zones {
            let _ = writeln!(text, "  {zone}: {{policy: {policy}, token: {token}}}");
        }
        text
    }
}

/// Nobody keeps the auth values of a TPM that is thrown away, and a TPM in software is no maker's: what says so is accepted, and nothing
/// else.
const SETUP: &str = "    setup:
      owner-auth: tpm:0x81020010
      endorsement-auth: tpm:0x81020011
      lockout-auth: tpm:0x81020012
      accepted:
        identity: a rehearsal, on a TPM in software
        firmware-advisories: a rehearsal, on a TPM in software
        firmware-known: a rehearsal, on a TPM in software
        endorsement-key: a rehearsal, on a TPM in software
";

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = include_str!("../../tests/rehearsed.yaml");

    #[test]
    fn the_site_has_the_names_of_the_script() {
        let script = Script::from_yaml(SCRIPT).unwrap();
        let mut file = RehearsalFile::empty();
        file.zones.push("fi.cr".parse().unwrap());
        let names = Names::of(&script, &file, None);
        assert_eq!(names.tpm, "tpm");
        assert_eq!(names.zones.keys().collect::<Vec<_>>(), ["cr", "fi.cr"]);
        let text = names.site_yaml("swtpm:host=127.1.2.3,port=2321");
        let site = Site::from_yaml(&text).unwrap();
        // What a rehearsal is given of a site comes out again.
        assert_eq!(Names::of(&script, &RehearsalFile::empty(), Some(&site)), names);
    }
}
