//! Zones that are signed with keys of SoftHSM, whose DNSKEYs are not all there.

use std::path::Path;

use key_metadata::policy::{Denial, ParentSignal};
use key_metadata::{
    Advice, Algorithm, Extractability, KeyRecord, KeySpec, Policy, Role, SiteFolder, Step, Time, ZoneName,
};
use keyrite_dnssec::{
    CheckError, KeptSignatures, SignError, SignPlan, SignedZone, SigningQueue, SiteTokens, Zone, ZoneKey,
    check, sign,
};

use zone::Records;

use crate::softhsm::{open, two_tokens};
use crate::{Body, Outcome, id, name, owner, record};

pub const TESTS: &[(&str, Body)] = &[
    (
        "signing: what signs unpublished signs all but the DNSKEY RRset, and is asked for",
        unpublished,
    ),
    (
        "signing: half an algorithm is refused, with what completes it",
        half,
    ),
    (
        "signing: a zone that is to be insecure asks for that as long as it wants no DS",
        insecure,
    ),
    (
        "signing: a DS is signalled before its DNSKEY is there, and after",
        double_ds,
    ),
];

pub type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

const ZONE: &str = "@ 3600 SOA ns.cr. root.cr. 1 7200 3600 1209600 3600\n@ 3600 NS ns\nns 3600 A 192.0.2.1\nsub 3600 NS ns.sub\nns.sub 3600 A 192.0.2.2\n";

fn now() -> Fallible<Time> {
    Ok("2026-11-23T10:00:00Z".parse()?)
}

/// A zone's keys in a token.
pub struct Bench<'a> {
    tokens: SiteTokens<'a>,
    pub zone: ZoneName,
    pub keys: Vec<KeyRecord>,
}

impl<'a> Bench<'a> {
    pub fn new(site: &'a SiteFolder) -> Fallible<Self> {
        Ok(Self {
            tokens: open(site)?,
            zone: "cr".parse()?,
            keys: Vec::new(),
        })
    }

    /// A new key that takes those steps; the place that it has.
    pub fn key(&mut self, role: Role, algorithm: Algorithm, steps: &[Step]) -> Fallible<usize> {
        let place = self.keys.len();
        let id = id(u8::try_from(place + 1)?);
        let spec = KeySpec::new(algorithm, None)?;
        let (public, reference) =
            self.tokens
                .generate(&name("one")?, spec, id, &owner(), Extractability::Never)?;
        self.keys.push(KeyRecord {
            role,
            ..record(id, public, reference)?
        });
        for step in steps {
            self.take(place, *step)?;
        }
        Ok(place)
    }

    fn take(&mut self, place: usize, step: Step) -> Outcome {
        self.keys[place].take(step, now()?);
        Ok(())
    }

    fn tag(&self, place: usize) -> u16 {
        self.keys[place].key_tag()
    }

    fn sign(&self) -> Fallible<Result<String, SignError>> {
        let policy = Policy::from_yaml(include_str!("../../../policies/small-tld.yaml"))?;
        let plan = SignPlan {
            denial: Denial::Nsec,
            parent_signal: ParentSignal::Cds,
            ..SignPlan::new(&policy, 1, now()?)
        };
        let zone = Zone::parse(ZONE.as_bytes(), Path::new("cr.zone"), &self.zone)?;
        let keys = self.zone_keys()?;
        Ok(
            match sign(
                zone,
                &self.zone,
                &keys,
                &plan,
                &KeptSignatures::default(),
                &|_| {},
            ) {
                Ok(signed) => Ok(text_of(&signed)?),
                Err(error) => Err(error),
            },
        )
    }

    /// The keys as they are, with their private parts where they sign.
    pub fn zone_keys(&self) -> Fallible<Vec<ZoneKey>> {
        let queue = SigningQueue::new(2)?;
        let keys = self.keys.iter().map(|record| {
            Ok(ZoneKey {
                signing: match record.signs() {
                    true => Some(queue.key(self.tokens.signing_key(record)?)),
                    false => None,
                },
                record: record.clone(),
            })
        });
        keys.collect()
    }

    fn check(&self, text: &str) -> Fallible<Result<usize, CheckError>> {
        let unpublished: Vec<_> = self.keys.iter().filter(|key| key.signs_unpublished()).collect();
        let records = Records::parse(text.as_bytes(), Path::new("signed"), &self.zone)?;
        Ok(check(&records, &unpublished, Vec::new(), now()?).map(|checked| checked.signatures))
    }
}

/// The zone file.
pub fn text_of(zone: &SignedZone) -> Fallible<String> {
    let mut text = Vec::new();
    zone.write(&mut text, &|_| {})?;
    Ok(String::from_utf8(text)?)
}

fn lines<'t>(text: &'t str, what: &'t str) -> impl Iterator<Item = &'t str> {
    text.lines().filter(move |line| line.contains(what))
}

fn pair(bench: &mut Bench<'_>) -> Fallible<[usize; 2]> {
    let steps = [Step::Publish, Step::Activate];
    let ksk = bench.key(Role::Ksk, Algorithm::RsaSha256, &steps)?;
    Ok([ksk, bench.key(Role::Zsk, Algorithm::RsaSha256, &steps)?])
}

fn unpublished(folder: &Path) -> Outcome {
    let site = two_tokens(folder)?;
    let mut bench = Bench::new(&site)?;
    let [_, old] = pair(&mut bench)?;
    let new = bench.key(Role::Zsk, Algorithm::EcdsaP256Sha256, &[Step::PreActivate])?;
    judge(&bench, new)?;
    // The new algorithm is complete, and the old one leaves but its signatures.
    bench.take(new, Step::Publish)?;
    bench.key(
        Role::Ksk,
        Algorithm::EcdsaP256Sha256,
        &[Step::Publish, Step::Activate],
    )?;
    assert_eq!(bench.check(&bench.sign()??)??, 9 * 2);
    bench.take(old, Step::Withdraw)?;
    bench.take(0, Step::Remove)?;
    judge(&bench, old)
}

/// A zone with signatures of a key that is not there is as it must be, and every other one is refused.
fn judge(bench: &Bench<'_>, key: usize) -> Outcome {
    let tag = bench.tag(key);
    let text = bench.sign()??;
    let by_it = format!(" {tag} cr. ");
    let signed: Vec<_> = lines(&text, &by_it).collect();
    // SOA, NS and NSEC of the apex, its CDS and CDNSKEY, A and NSEC of ns, NSEC of sub: all but the DNSKEY RRset.
    assert_eq!(signed.len(), 8, "{text}");
    assert_eq!(lines(&text, " IN DNSKEY 25").count(), 2, "{text}");
    assert!(!signed.iter().any(|line| line.contains("RRSIG DNSKEY")), "{text}");
    assert_eq!(bench.check(&text)??, 8 + 9);
    // A stranger does not know the key.
    let records = Records::parse(text.as_bytes(), Path::new("signed"), &bench.zone)?;
    let Err(error) = check(&records, &[], Vec::new(), now()?) else {
        return Err("a stranger took it".into());
    };
    let told = format!("has a bad signature by key {tag}: its key is not in the DNSKEY RRset");
    assert!(error.to_string().contains(&told), "{error}");
    // No signature of it may be missing, or be another.
    for line in &signed {
        let without = text.replace(line, "");
        let Err(error) = bench.check(&without)? else {
            return Err(format!("{line} may be missing").into());
        };
        let told = format!("has no good signature by key {tag}, which is not published");
        assert!(error.to_string().contains(&told), "{error}");
        let signature = line.rsplit(' ').next().ok_or("no signature")?;
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let other = text.replace(signature, &format!("{first}{}", &signature[1..]));
        assert!(bench.check(&other)?.is_err(), "{line} may be another");
    }
    // Its DNSKEY is not to be there.
    let dnskey = keyrite_dnssec::KeyRecords::new(&bench.zone, &bench.keys[key]).ok_or("no record")?;
    let Err(error) = bench.check(&format!("{text}{}\n", dnskey.dnskey(3600)))? else {
        return Err("its DNSKEY may be there".into());
    };
    let told = format!("cr DNSKEY has key {tag}, which is not to be there");
    assert!(error.to_string().contains(&told), "{error}");
    Ok(())
}

fn half(folder: &Path) -> Outcome {
    let site = two_tokens(folder)?;
    let mut bench = Bench::new(&site)?;
    let [ksk, zsk] = pair(&mut bench)?;
    let new = [
        bench.key(Role::Ksk, Algorithm::EcdsaP256Sha256, &[])?,
        bench.key(Role::Zsk, Algorithm::EcdsaP256Sha256, &[Step::PreActivate])?,
    ];
    let refused = |bench: &Bench<'_>, role: &str, step: &str, key: usize| -> Outcome {
        let Err(error) = bench.sign()? else {
            return Err("it was signed".into());
        };
        let lacks = format!("but no active {role} of that algorithm");
        assert!(error.to_string().ends_with(&lacks), "{error}");
        let command = format!("keyrite-keyctl {step} --zone cr --key {}", bench.tag(key));
        assert_eq!(error.hint(), Some(command));
        Ok(())
    };
    let after = |bench: &mut Bench<'_>, key: usize, step: Step| -> Fallible<KeyRecord> {
        let before = bench.keys[key].clone();
        bench.take(key, step)?;
        Ok(before)
    };
    // Whichever half comes or goes first.
    let before = after(&mut bench, new[0], Step::Publish)?;
    refused(&bench, "ZSK", "publish", new[1])?;
    bench.keys[new[0]] = before;
    bench.take(new[1], Step::Publish)?;
    refused(&bench, "KSK", "publish", new[0])?;
    bench.take(new[0], Step::Publish)?;
    bench.take(new[0], Step::Activate)?;
    bench.take(new[1], Step::Activate)?;
    bench.take(ksk, Step::Retire)?;
    bench.check(&bench.sign()??)??;
    let before = after(&mut bench, ksk, Step::Remove)?;
    refused(&bench, "KSK", "withdraw", zsk)?;
    bench.keys[ksk] = before;
    bench.take(zsk, Step::Withdraw)?;
    refused(&bench, "ZSK", "remove", ksk)
}

fn insecure(folder: &Path) -> Outcome {
    let site = two_tokens(folder)?;
    let mut bench = Bench::new(&site)?;
    let csk = bench.key(
        Role::Csk,
        Algorithm::EcdsaP256Sha256,
        &[Step::Publish, Step::Activate],
    )?;
    let signals = |bench: &Bench<'_>| -> Fallible<Vec<String>> {
        let text = bench.sign()??;
        bench.check(&text)??;
        let signals = lines(&text, " CD").filter(|line| !line.contains("RRSIG") && !line.contains("NSEC"));
        Ok(signals.map(str::to_owned).collect())
    };
    let of_key = |key: usize, bench: &Bench<'_>| format!("cr. 3600 IN CDS {} 13 2 ", bench.tag(key));
    assert!(
        signals(&bench)?
            .iter()
            .any(|line| line.starts_with(&of_key(csk, &bench)))
    );
    bench.take(csk, Step::GoInsecure)?;
    let none = ["cr. 3600 IN CDNSKEY 0 3 0 AA==", "cr. 3600 IN CDS 0 0 0 00"];
    let mut found = signals(&bench)?;
    found.sort();
    assert_eq!(found, none);
    // Whoever has thought better of it has a new key's DS come.
    let new = bench.key(
        Role::Csk,
        Algorithm::EcdsaP256Sha256,
        &[Step::Publish, Step::Submit],
    )?;
    let found = signals(&bench)?;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|line| line.starts_with(&of_key(new, &bench))));
    Ok(())
}

fn double_ds(folder: &Path) -> Outcome {
    let site = two_tokens(folder)?;
    let mut bench = Bench::new(&site)?;
    let [old, _] = pair(&mut bench)?;
    bench.take(old, Step::Submit)?;
    let new = bench.key(Role::Ksk, Algorithm::RsaSha256, &[Step::Submit])?;
    let seen = |bench: &Bench<'_>| -> Fallible<[usize; 3]> {
        let text = bench.sign()??;
        bench.check(&text)??;
        let signals = lines(&text, " IN CDS ").count();
        let dnskeys = lines(&text, " IN DNSKEY 257").count();
        Ok([signals, dnskeys, lines(&text, "RRSIG DNSKEY").count()])
    };
    assert_eq!(seen(&bench)?, [2, 1, 1]);
    bench.take(new, Step::Activate)?;
    bench.take(old, Step::Withdraw)?;
    assert_eq!(seen(&bench)?, [2, 1, 1]);
    bench.take(old, Step::Remove)?;
    assert_eq!(seen(&bench)?, [1, 1, 1]);
    Ok(())
}
