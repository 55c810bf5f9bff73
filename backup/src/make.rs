//! Making a bundle, whatever it holds: its secret is drawn and split, its payload sealed, its manifest signed, and all of it read again from the
//! disk before it gets its name.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use backup::bundles::{MANIFEST, TOKEN_SIGNATURE, TPM_STATEMENT, officer_signature, share_file};
use backup::manifest::{Header, KeyEntry, PAYLOAD, ParentEntry, ShareEntry, Signers, TokenSigner};
use backup::{
    BundleFolder, BundleId, BundleKind, BundleSecret, Bundles, GivenShare, KeyCopy, Manifest, ParentCopy,
    Payload, Staged, commitment::commitments, deal, findings, recombine, shares,
};
use cli::{Exit, Failure, Outcome, Output, Progress, SiteArguments};
use custody::WorkFactor;
use dnssec::SiteTokens;
use key_metadata::store::{Lock, replace};
use key_metadata::version::Version1;
use key_metadata::{Digest, SiteFolder, Time, TokenName};
use slip39::Share;
use zeroize::Zeroizing;

use crate::arguments::{Custody, CustodyArguments};
use crate::officers::{allowed_signers, no_signers, sign};
use crate::plugins::plugins;
use crate::random::random;
use crate::tokens::open;

/// The work factor of scrypt for `payload.age`, as a power of two: 1 MiB. The passphrase has 256 random bits, which nobody guesses, so that more
/// (age's own default is 18) would slow nobody but those who restore.
const WORK_FACTOR: u8 = 10;

/// What a bundle is to hold.
pub struct Contents {
    pub kind: BundleKind,
    pub replaces: Option<BundleId>,
    pub kek: Option<Zeroizing<[u8; 32]>>,
    pub keys: Vec<(KeyEntry, KeyCopy)>,
    pub parents: Vec<(ParentEntry, ParentCopy)>,
    pub opened_with: Vec<BundleId>,
    /// The tokens whose generators have a part in the secret.
    pub tokens: Vec<TokenName>,
}

/// Who makes it, and where.
pub struct Maker<'a, 't> {
    pub site: &'a SiteArguments,
    pub folder: &'a SiteFolder,
    pub tokens: &'a mut SiteTokens<'t>,
    pub custody: &'a CustodyArguments,
    pub now: Time,
}

/// A bundle that was made.
pub struct Made {
    pub bundle: BundleFolder,
    /// The files of the shares, in their order.
    pub shares: Vec<PathBuf>,
}

impl Maker<'_, '_> {
    /// Makes it. The lock of the site's bundles is held.
    pub fn make(&mut self, contents: Contents, output: &Output, _lock: &Lock) -> Outcome<Made> {
        let Custody {
            threshold,
            custodians,
        } = self.custody.custody(self.folder)?;
        let signer = self.token_signer(&contents)?;
        let tpm = match signer {
            Some(_) => None,
            None => self.tpm_signer(&contents)?,
        };
        let officers: Vec<String> = self
            .custody
            .officers
            .iter()
            .map(|officer| officer.name.clone())
            .collect();
        if signer.is_none() && tpm.is_none() && officers.is_empty() {
            let failure = Failure::new(
                Exit::Failed,
                "nobody would sign the bundle: no PKCS#11 token is at hand, and no officer is named",
            );
            return Err(failure.hint("name an officer with --officer NAME=KEYFILE".to_owned()));
        }
        let id = BundleId::from_random(*random()?);
        let secret = self.secret(&contents.tokens)?;
        let progress = Progress::new(
            "trying every choice of shares",
            threshold.subsets().count() as u64,
        );
        let mut failed = None;
        let dealt = deal(
            &secret,
            threshold,
            |bytes| {
                if let Err(error) = getrandom::fill(bytes) {
                    failed = Some(error);
                }
            },
            || progress.step(),
        );
        drop(progress);
        if let Some(error) = failed {
            return Err(Failure::of(Exit::Failed, &error).within("the system's generator failed"));
        }
        let dealt = dealt.map_err(|error| Failure::of(Exit::Failed, &error))?;
        let entries = dealt.iter().zip(&custodians).zip(1_u8..);
        let entries = entries.map(|((share, (custodian, recipient)), number)| {
            let words = share.mnemonic();
            ShareEntry {
                number,
                custodian: custodian.clone(),
                recipient: Some(recipient.to_string()),
                sha256: shares::digest(&words),
                drills: commitments(&words, id, number),
            }
        });
        let (keys, copies): (Vec<_>, Vec<_>) = contents.keys.into_iter().unzip();
        let (recovery_parents, parents): (Vec<_>, Vec<_>) = contents.parents.into_iter().unzip();
        let header = Header {
            version: Version1,
            bundle: id,
            kind: contents.kind,
            created: self.now,
            review_by: self.now.after(self.custody.review),
            expires: self.now.after(self.custody.expires),
            replaces: contents.replaces,
            needed: threshold.needed(),
            shares: entries.collect(),
            keys,
            recovery_parents,
            opened_with: contents.opened_with,
            signers: Signers {
                token: signer.as_ref().map(|(signer, _)| signer.clone()),
                tpm: tpm.clone(),
                officers,
            },
        };
        let payload = Payload {
            bundle: id,
            kek: contents.kek,
            keys: copies,
            parents,
        };
        let json = payload
            .to_json()
            .map_err(|error| Failure::of(Exit::Failed, &error))?;
        let work = WorkFactor::try_from(WORK_FACTOR).map_err(|error| Failure::of(Exit::Failed, &error))?;
        let sealed = custody::seal_with_passphrase(&secret.passphrase(), work, &json)?;
        let manifest = Manifest {
            header,
            files: [(PAYLOAD.to_owned(), Digest::of(&sealed))].into(),
        };
        let text = manifest
            .to_text()
            .map_err(|error| Failure::of(Exit::Failed, &error))?;
        let signatures = self.signatures(signer, tpm, text.as_bytes())?;
        let bundles = Bundles::of(self.folder);
        let shares_at = self.custody.shares_folder()?;
        let staged = bundles.stage(id, &shares_at)?;
        let written = || -> Outcome<Vec<PathBuf>> {
            staged.write(PAYLOAD, &sealed)?;
            for (name, bytes) in &signatures {
                staged.write(name, bytes)?;
            }
            staged.write(MANIFEST, text.as_bytes())?;
            let files = self.write_shares(&staged, &shares_at, &dealt, &custodians)?;
            read_again(staged.folder(), dealt, self.now)?;
            Ok(files)
        };
        let files = match written() {
            Ok(files) => files,
            Err(failure) => {
                return Err(match staged.give_up() {
                    Ok(_) => failure,
                    Err(error) => failure.and(error.into()),
                });
            }
        };
        let path = staged.publish()?;
        output.say(format!("bundle {id} is in {}", path.display()));
        Ok(Made {
            bundle: BundleFolder::open(&path)?,
            shares: files,
        })
    }

    /// The token whose log key signs: the first PKCS#11 token that keys came from, else any of the site that is open.
    fn token_signer(&mut self, contents: &Contents) -> Outcome<Option<(TokenSigner, dnssec::LogKey)>> {
        for name in &contents.tokens {
            open(self.tokens, self.site, self.folder, name)?;
            if let Some(key) = self.tokens.log_key_or_new(name)? {
                let signer = TokenSigner {
                    name: name.clone(),
                    spki: key.spki().to_vec(),
                };
                return Ok(Some((signer, key)));
            }
        }
        Ok(None)
    }

    /// The TPM whose attestation key signs, where there is no log key: the first one that keys came from.
    fn tpm_signer(&mut self, contents: &Contents) -> Outcome<Option<TokenSigner>> {
        for name in &contents.tokens {
            if let Some(statement) = self.tokens.attest(name, Digest::ZERO.bytes())? {
                return Ok(Some(TokenSigner {
                    name: name.clone(),
                    spki: statement.spki,
                }));
            }
        }
        Ok(None)
    }

    fn secret(&mut self, tokens: &[TokenName]) -> Outcome<BundleSecret> {
        let mut sources: Vec<Zeroizing<Vec<u8>>> = vec![Zeroizing::new(random::<32>()?.to_vec())];
        for name in tokens {
            open(self.tokens, self.site, self.folder, name)?;
            sources.push(self.tokens.random(name, 32)?);
        }
        let dice = crate::dice::read(self.custody.dice.as_deref())?;
        let sources: Vec<&[u8]> = sources.iter().map(|source| source.as_slice()).collect();
        BundleSecret::draw(&sources, &dice).map_err(|error| Failure::of(Exit::Failed, &error))
    }

    fn signatures(
        &self,
        signer: Option<(TokenSigner, dnssec::LogKey)>,
        tpm: Option<TokenSigner>,
        signed: &[u8],
    ) -> Outcome<Vec<(String, Vec<u8>)>> {
        let mut signatures = Vec::new();
        if let Some((_, key)) = signer {
            signatures.push((TOKEN_SIGNATURE.to_owned(), key.sign(signed)?));
        }
        if let Some(signer) = tpm
            && let Some(statement) = self.tokens.attest(&signer.name, Digest::of(signed).bytes())?
        {
            let [attested, signature] = TPM_STATEMENT.map(str::to_owned);
            signatures.push((attested, statement.attested));
            signatures.push((signature, statement.signature));
        }
        let allowed = match self.custody.officers.is_empty() {
            true => return Ok(signatures),
            false => allowed_signers(self.folder)?.ok_or_else(|| no_signers(self.folder))?,
        };
        for officer in &self.custody.officers {
            let armoured = sign(
                &allowed,
                &officer.name,
                &officer.place,
                findings::NAMESPACE,
                signed,
                self.now,
            )?;
            signatures.push((officer_signature(&officer.name), armoured));
        }
        Ok(signatures)
    }

    fn write_shares(
        &self,
        staged: &Staged,
        folder: &Path,
        dealt: &[Share],
        custodians: &[(key_metadata::site::SiteWord, key_metadata::tpm_setup::Recipient)],
    ) -> Outcome<Vec<PathBuf>> {
        let mut files = Vec::new();
        for (share, (custodian, recipient)) in dealt.iter().zip(custodians) {
            let words = share.mnemonic();
            let mut line = Zeroizing::new(Vec::with_capacity(512));
            line.extend_from_slice(secrecy::ExposeSecret::expose_secret(&words).as_bytes());
            line.push(b'\n');
            let encrypted = custody::encrypt_to([recipient], &line, &plugins()).map_err(|error| {
                Failure::from(error).within(format!("the share of {custodian} cannot be encrypted"))
            })?;
            let path = share_file(folder, staged.id(), &custodian.to_string());
            replace(&path, |out| out.write_all(&encrypted))?;
            // It is encrypted; nobody else has any use for it all the same.
            fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).map_err(|error| {
                Failure::of(Exit::Failed, &error).within(format!("cannot protect {}", path.display()))
            })?;
            files.push(path);
        }
        Ok(files)
    }
}

/// Reads the bundle as a stranger would, with the shares that were dealt, before it gets its name.
fn read_again(folder: &Path, dealt: Vec<Share>, now: Time) -> Outcome {
    let bundle = BundleFolder::open(folder)?;
    if let Some(finding) = findings::first_failure(&backup::check(&bundle, None, now)) {
        return Err(Failure::new(
            Exit::Failed,
            format!("the bundle that was written is not good: {}", finding.text),
        ));
    }
    let given: Vec<GivenShare> = (1..)
        .zip(dealt)
        .map(|(number, share): (u8, Share)| GivenShare {
            from: format!("the dealer, number {number}"),
            share,
        })
        .collect();
    let secret = recombine(&bundle.manifest, &given)?;
    opened(&bundle, &secret).map(|_| ())
}

/// The payload of a bundle, opened with its secret.
pub fn opened(bundle: &BundleFolder, secret: &BundleSecret) -> Outcome<Payload> {
    let bytes = bundle.payload()?;
    let json = custody::open_with_passphrase(&secret.passphrase(), &bytes).map_err(|error| {
        Failure::from(error).within(format!("the payload of bundle {} does not open", bundle.id()))
    })?;
    Payload::from_json(&json, &bundle.manifest).map_err(|error| Failure::of(Exit::Failed, &error))
}
