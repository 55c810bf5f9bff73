//! S1, S2, S3: whether signatures last as long as they are in use.

use key_metadata::Span;
use key_metadata::policy::{KskSigns, PolicyDnskeySignatures};
use key_metadata::timing::{Equation, Figures, s1_least_refresh, s2_overlap, s3_least_refresh};

use super::{Finding, Linted, Severity, absolute, figure};

impl Linted<'_> {
    pub(super) fn signatures(&self) -> Vec<Finding> {
        let mut findings = self.zone_signatures();
        findings.extend(self.inception());
        if let Some(own) = &self.policy.dnskey_signatures {
            findings.extend(self.dnskey_signatures(own));
        }
        findings
    }

    fn zone_signatures(&self) -> Vec<Finding> {
        let signatures = &self.policy.signatures;
        // Where each run signs everything, a signature is renewed when it has the whole validity left.
        let (field, name, left) = match signatures.refresh {
            Some(refresh) => ("signatures.refresh", "refresh", refresh),
            None => ("signatures.validity", "validity", signatures.validity),
        };
        let (resign, jitter) = (figure(signatures.resign), figure(signatures.jitter));
        let outage = figure(signatures.outage_margin);
        let figures = self.figures_of_signed_keys();
        let least = s1_least_refresh(&figures, &resign, &jitter, &outage);
        let mut findings = Vec::new();
        findings.extend(Finding::too_short(field, name, left, &least));
        if let Some(expire) = self.policy.zone.soa_expire {
            let least = s3_least_refresh(&figure(expire), &resign, &jitter);
            findings.extend(
                Finding::too_short(field, name, left, &least).map(|finding| Finding {
                    field: "zone.soa-expire",
                    remedy: format!(
                        "{} at most; RFC 6781 4.4.1 suggests a third or a quarter of the validity",
                        self.policy.least_remaining()
                    ),
                    ..finding
                }),
            );
        }
        findings.extend(signatures.refresh.and_then(|refresh| {
            renewed_at_once(
                ("signatures.refresh", refresh),
                signatures.jitter,
                signatures.validity,
            )
        }));
        findings
    }

    /// The figures with the TTL of the DNSKEY RRset among those of the zone, where its signatures are made with the zone's.
    fn figures_of_signed_keys(&self) -> Figures {
        let figures = self.figures.clone();
        match &self.policy.dnskey_signatures {
            Some(_) => figures,
            None => Figures {
                ttl_sig: figures.ttl_sig.or_longer(&figures.ttl_key),
                ..figures
            },
        }
    }

    fn dnskey_signatures(&self, own: &PolicyDnskeySignatures) -> Vec<Finding> {
        let (field, resign) = ("dnskey-signatures.refresh", figure(self.policy.signatures.resign));
        let least = s2_overlap(&self.figures).preceded_by("resign", &resign);
        let mut findings = Vec::new();
        findings.extend(Finding::too_short(field, "refresh", own.refresh, &least));
        if let Some(expire) = self.policy.zone.soa_expire {
            let least = s3_least_refresh(&figure(expire), &resign, &figure(Span::from_seconds(0)));
            findings.extend(
                Finding::too_short(field, "refresh", own.refresh, &least).map(|finding| Finding {
                    field: "zone.soa-expire",
                    remedy: format!("{} at most", self.policy.least_dnskey_remaining()),
                    ..finding
                }),
            );
        }
        findings.extend(renewed_at_once(
            (field, own.refresh),
            Span::from_seconds(0),
            own.validity,
        ));
        findings
    }

    fn inception(&self) -> Vec<Finding> {
        let signatures = &self.policy.signatures;
        let mut findings = Vec::new();
        findings.extend(inception(
            "signatures.inception-offset",
            signatures.inception_offset,
            signatures.validity,
        ));
        // A signed key response is made long before it is used.
        if let (Some(own), KskSigns::Online) = (&self.policy.dnskey_signatures, self.policy.ksk_signs) {
            findings.extend(inception(
                "dnskey-signatures.inception-offset",
                own.inception_offset,
                own.validity,
            ));
        }
        findings
    }
}

/// Signatures that are to be renewed as soon as they are made.
fn renewed_at_once(refresh: (&'static str, Span), jitter: Span, validity: Span) -> Option<Finding> {
    let (field, refresh) = refresh;
    (refresh >= validity.less(jitter)).then(|| {
        let jitter = match jitter.seconds() {
            0 => String::new(),
            _ => format!(" - jitter {jitter}"),
        };
        Finding::new(
            Severity::Error,
            Equation::S1,
            field,
            format!(
                "refresh {} >= validity {}{jitter}: a signature is due as soon as it is made",
                absolute(refresh),
                absolute(validity)
            ),
            "a shorter refresh, or a longer validity",
        )
    })
}

fn inception(field: &'static str, offset: Span, validity: Span) -> Option<Finding> {
    if offset.seconds() == 0 {
        return Some(Finding::new(
            Severity::Warning,
            None,
            field,
            "a validator whose clock is behind takes a new signature for one of the future",
            "an hour, as BIND's dnssec-signzone has",
        ));
    }
    (offset >= validity).then(|| {
        Finding::new(
            Severity::Error,
            None,
            field,
            format!(
                "inception offset {} >= validity {}: signatures would be older than they last",
                absolute(offset),
                absolute(validity)
            ),
            "an hour, as BIND's dnssec-signzone has",
        )
    })
}
