//! Choices that do not go together.

use key_metadata::policy::{KskSigns, ParentSignal, TrustAnchor};
use key_metadata::{Algorithm, Role, RolloverMethod};

use super::{Finding, Linted, Severity};

impl Linted<'_> {
    pub(super) fn choices(&self) -> Vec<Finding> {
        let mut findings = self.parts();
        findings.extend(self.algorithms());
        findings.extend(self.offline());
        findings.extend(self.anchors());
        findings
    }

    /// Both parts of the signing have keys.
    fn parts(&self) -> Vec<Finding> {
        let lacking = |does: fn(Role) -> bool| !self.roles().any(does);
        let no_keys = |field, what| {
            let text = format!("no keys that sign {what}");
            Finding::new(
                Severity::Error,
                None,
                field,
                text,
                "keys of a KSK and a ZSK, or of a CSK",
            )
        };
        let mut findings = Vec::new();
        if lacking(Role::signs_dnskey) {
            findings.push(no_keys("keys.ksk", "the DNSKEY RRset"));
        }
        if lacking(Role::signs_zone) {
            findings.push(no_keys("keys.zsk", "the zone"));
        }
        findings
    }

    fn algorithms(&self) -> Vec<Finding> {
        let keys = &self.policy.keys;
        let mut findings = Vec::new();
        if let (Some(ksk), Some(zsk)) = (&keys.ksk, &keys.zsk)
            && ksk.algorithm != zsk.algorithm
        {
            findings.push(Finding::new(
                Severity::Error,
                None,
                "keys.zsk.algorithm",
                format!(
                    "KSK {}, ZSK {}: each algorithm of the DNSKEY RRset signs that RRset and all of the zone (RFC 6840 5.11)",
                    ksk.algorithm, zsk.algorithm
                ),
                "one algorithm for both",
            ));
        }
        let fields = [
            ("keys.ksk.algorithm", &keys.ksk),
            ("keys.zsk.algorithm", &keys.zsk),
            ("keys.csk.algorithm", &keys.csk),
        ];
        for (field, key) in fields {
            match key.as_ref().map(|key| key.algorithm) {
                Some(Algorithm::RsaSha512) => findings.push(Finding::new(
                    Severity::Warning,
                    None,
                    field,
                    "RSASHA512 is NOT RECOMMENDED for signing (RFC 8624 3.1)",
                    "ECDSAP256SHA256, or RSASHA256 where it must be RSA",
                )),
                Some(
                    Algorithm::RsaSha256
                    | Algorithm::EcdsaP256Sha256
                    | Algorithm::EcdsaP384Sha384
                    | Algorithm::Ed25519,
                )
                | None => {}
            }
        }
        findings
    }

    /// An offline KSK signs ahead, and nothing but DNSKEYs.
    fn offline(&self) -> Vec<Finding> {
        let error = |text: &str, remedy: &str| Finding::new(Severity::Error, None, "ksk-signs", text, remedy);
        let mut findings = Vec::new();
        match self.policy.ksk_signs {
            KskSigns::Online => {}
            KskSigns::Offline => {
                if self.policy.keys.csk.is_some() {
                    findings.push(error(
                        "offline, but a CSK signs the zone in every run",
                        "keys of a KSK and a ZSK, and none of a CSK",
                    ));
                }
                if self.policy.dnskey_signatures.is_none() {
                    findings.push(error(
                        "offline, but nothing says how long the signatures last that are made ahead",
                        "dnskey-signatures with validity, refresh and inception-offset",
                    ));
                }
            }
        }
        findings
    }

    fn anchors(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        match self.policy.trust_anchor {
            TrustAnchor::None => {}
            TrustAnchor::Rfc5011 => {
                if self.policy.keys.ksk.is_some()
                    && self.policy.rollover(Role::Ksk) == RolloverMethod::DoubleDs
                {
                    findings.push(Finding::new(
                        Severity::Error,
                        None,
                        "keys.ksk.rollover",
                        "by double-ds the new KSK is published when the old one goes, and no validator has it as trust anchor then (RFC 7583 3.3.4)",
                        "double-ksk",
                    ));
                }
                if self.is_without_parent() && self.policy.parent_signal == ParentSignal::Cds {
                    findings.push(Finding::new(
                        Severity::Warning,
                        None,
                        "parent-signal",
                        "CDS and CDNSKEY, for a parent that there is not",
                        "none",
                    ));
                }
            }
        }
        findings
    }
}
