//! The figures that a proof is under, and where each came from.

use clap::Args;
use cli::{Exit, Failure, Outcome, SiteArguments};
use key_metadata::policy::SHIPPED;
use key_metadata::store::{StoreError, read_text};
use key_metadata::{Policy, PolicyName, Span};
use rollover::histories::{Circumstances, Software};
use rollover::schedule::{Propagation, Signatures};
use serde::Serialize;

/// The figures that files of keys do not tell.
#[derive(Args)]
pub struct FigureArguments {
    /// The policy that the figures are of: the site's or a shipped one by its name, or a file
    #[arg(long, value_name = "NAME|FILE")]
    policy: Option<String>,
    /// TTLds: the TTL of the DS RRset at the parent
    #[arg(long, value_name = "SPAN")]
    pub ttl_ds: Option<Span>,
    /// TTLkey: the TTL of the DNSKEY RRset
    #[arg(long, value_name = "SPAN")]
    pub ttl_dnskey: Option<Span>,
    /// TTLsig: the largest TTL in the zone
    #[arg(long, value_name = "SPAN")]
    pub ttl_zone: Option<Span>,
    /// Dprp: until every server of the zone has what the first one has
    #[arg(long, value_name = "SPAN")]
    pub dprp: Option<Span>,
    /// DprpP: the same of the parent
    #[arg(long, value_name = "SPAN")]
    pub dprp_parent: Option<Span>,
    /// Dreg: from telling the parent of a DS until the parent has it
    #[arg(long, value_name = "SPAN")]
    dreg: Option<Span>,
    /// Dsgn: until a new key has signed what the old one signed
    #[arg(long, value_name = "SPAN")]
    dsgn: Option<Span>,
    /// For how long signatures are made
    #[arg(long, value_name = "SPAN")]
    validity: Option<Span>,
    /// What a signature of the zone has left when it is renewed
    #[arg(long, value_name = "SPAN")]
    pub rrsig_left: Option<Span>,
    /// What a signature of the DNSKEY RRset has left when it is renewed
    #[arg(long, value_name = "SPAN")]
    pub dnskey_rrsig_left: Option<Span>,
}

/// A figure.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Figure {
    /// Its name in RFC 7583, where it has one.
    pub name: &'static str,
    /// How long it is.
    pub value: Span,
    /// Where it came from.
    pub from: String,
}

/// A TTL that a file tells.
#[derive(Clone, Debug)]
pub struct InFile {
    pub ttl: Span,
    pub file: String,
}

const UNASKED: &str = "small-tld";

impl FigureArguments {
    /// The policy that was named, or the one that is taken where none was; and how a figure of it is told.
    fn policy(&self, site: &SiteArguments) -> Outcome<(Policy, String)> {
        let Some(name) = &self.policy else {
            return Ok((
                shipped(UNASKED)?,
                format!("assumed, as in the policy '{UNASKED}'"),
            ));
        };
        let from = format!("policy '{name}'");
        if name.contains('/') || name.ends_with(".yaml") {
            let path = std::path::Path::new(name);
            let policy = Policy::from_yaml(&read_text(path)?).map_err(|source| StoreError::Policy {
                path: path.to_owned(),
                source,
            })?;
            return Ok((policy, from));
        }
        let parsed: PolicyName = name.parse().map_err(|error| {
            Failure::of(Exit::Usage, &error).hint("a file's name has a / or ends with .yaml".to_owned())
        })?;
        // A name means the site's own policy first, where there is a site.
        match site.open() {
            Ok(folder) => Ok((folder.policy(&parsed)?, from)),
            Err(_) => Ok((shipped(name)?, from)),
        }
    }

    /// How long signatures are valid.
    pub fn validity(&self, site: &SiteArguments) -> Outcome<Figure> {
        let (policy, from) = self.policy(site)?;
        Ok(one(
            "validity",
            "--validity",
            self.validity,
            (policy.signatures.validity, &from),
        ))
    }

    /// What is around keys of that software.
    pub fn circumstances(
        &self,
        site: &SiteArguments,
        software: Software,
        told: Option<&InFile>,
    ) -> Outcome<(Circumstances, Vec<Figure>)> {
        let (policy, from) = self.policy(site)?;
        let of_policy = Circumstances::of_policy(&policy);
        let key = match told {
            // Where both are known, the longer one is what caches can have.
            Some(told) if self.policy.is_none() || told.ttl >= of_policy.ttl_dnskey => (told.ttl, &told.file),
            Some(_) | None => (of_policy.ttl_dnskey, &from),
        };
        let ttl_key = one("TTLkey", "--ttl-dnskey", self.ttl_dnskey, key);
        let ttl_ds = one("TTLds", "--ttl-ds", self.ttl_ds, (of_policy.ttl_ds, &from));
        let ttl_zone = one("TTLsig", "--ttl-zone", self.ttl_zone, (of_policy.ttl_zone, &from));
        let dprp = one("Dprp", "--dprp", self.dprp, (of_policy.propagation.zone, &from));
        let parent = (of_policy.propagation.parent, &from);
        let dprp_parent = one("DprpP", "--dprp-parent", self.dprp_parent, parent);
        let dreg = one("Dreg", "--dreg", self.dreg, (of_policy.registration_delay, &from));
        let validity = one(
            "validity",
            "--validity",
            self.validity,
            (policy.signatures.validity, &from),
        );
        let assumed = |figure: Option<(Span, &'static str)>, otherwise: Span| match figure {
            Some((value, source)) => (value, format!("assumed: {source}")),
            None => (otherwise, from.clone()),
        };
        let (value, source) = assumed(software.refresh(), of_policy.signatures.zone);
        let left = one("RRSIG left", "--rrsig-left", self.rrsig_left, (value, &source));
        let left_dnskey = one(
            "RRSIG(DNSKEY) left",
            "--dnskey-rrsig-left",
            self.dnskey_rrsig_left,
            (left.value, &left.from),
        );
        let (value, source) = assumed(software.dsgn(validity.value, left.value), of_policy.dsgn);
        let dsgn = one("Dsgn", "--dsgn", self.dsgn, (value, &source));
        let circumstances = Circumstances {
            ttl_dnskey: ttl_key.value,
            ttl_ds: ttl_ds.value,
            ttl_zone: ttl_zone.value,
            propagation: Propagation {
                zone: dprp.value,
                parent: dprp_parent.value,
            },
            signatures: Signatures {
                zone: left.value,
                dnskey: left_dnskey.value,
            },
            dsgn: dsgn.value,
            registration_delay: dreg.value,
        };
        let figures = vec![
            ttl_key,
            ttl_ds,
            ttl_zone,
            dprp,
            dprp_parent,
            dreg,
            validity,
            left,
            left_dnskey,
            dsgn,
        ];
        Ok((circumstances, figures))
    }
}

/// What was asked for, else what is there.
pub fn one(name: &'static str, option: &str, asked: Option<Span>, there: (Span, &String)) -> Figure {
    match asked {
        Some(value) => Figure {
            name,
            value,
            from: option.to_owned(),
        },
        None => Figure {
            name,
            value: there.0,
            from: there.1.clone(),
        },
    }
}

fn shipped(name: &str) -> Outcome<Policy> {
    let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) else {
        let names: Vec<_> = SHIPPED.iter().map(|(name, _)| *name).collect();
        let failure = Failure::new(Exit::Usage, format!("no policy is named '{name}'"));
        return Err(failure.hint(format!(
            "the shipped ones are {}; a site's own are found with --site",
            names.join(", ")
        )));
    };
    Policy::from_yaml(text).map_err(|error| Failure::of(Exit::Failed, &error))
}
