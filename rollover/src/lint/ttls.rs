//! TTLs and delays that are dangerous.

use key_metadata::Span;

use super::{Finding, Linted, Severity, absolute};

/// RFC 2308 section 5: negative TTLs of more than a day have been found to be problematic.
const DAY: Span = Span::from_seconds(86_400);

impl Linted<'_> {
    pub(super) fn ttls(&self) -> Vec<Finding> {
        let mut findings: Vec<_> = self.zeros().collect();
        let (key, zone) = (self.policy.dnskey_ttl, self.policy.zone.max_ttl);
        if key > zone {
            findings.push(Finding::new(
                Severity::Warning,
                None,
                "dnskey-ttl",
                format!(
                    "TTLkey {} > zone.max-ttl {}, which is the largest TTL of any record",
                    absolute(key),
                    absolute(zone)
                ),
                "a shorter dnskey-ttl; or a longer zone.max-ttl, if other records have it",
            ));
        }
        if let Some(negative) = self.policy.zone.negative_ttl.filter(|ttl| *ttl > DAY) {
            findings.push(Finding::new(
                Severity::Warning,
                None,
                "zone.negative-ttl",
                format!("{} is more than a day (RFC 2308 5)", absolute(negative)),
                "one to three hours work well (RFC 2308 5)",
            ));
        }
        findings
    }

    /// A zero stands for what nobody has found out, more often than for what is so.
    fn zeros(&self) -> impl Iterator<Item = Finding> {
        let (zone, parent) = (&self.policy.zone, &self.policy.parent);
        let with_parent = !self.is_without_parent();
        [
            (
                "dnskey-ttl",
                Some(self.policy.dnskey_ttl),
                "keys would be used as soon as they are published, and no cache keeps the DNSKEY RRset",
                "an hour, if changes of keys are to be seen soon",
            ),
            (
                "zone.max-ttl",
                Some(zone.max_ttl),
                "keys would be removed while caches have signatures by them",
                "the largest TTL in the zone file",
            ),
            (
                "zone.propagation-delay",
                Some(zone.propagation_delay),
                "secondary servers would have a change as soon as the primary has it",
                "how long a change takes to the slowest of them; 5m is BIND's default, 1h Knot DNS's",
            ),
            (
                "signatures.resign",
                Some(self.policy.signatures.resign),
                "a change of the keys would be signed as soon as it is made",
                "from one run of the signer to the end of the next",
            ),
            (
                "parent.ds-ttl",
                Some(parent.ds_ttl).filter(|_| with_parent),
                "a key would be removed while caches have its DS",
                "the TTL of DS records in the parent zone",
            ),
            (
                "parent.propagation-delay",
                Some(parent.propagation_delay).filter(|_| with_parent),
                "the parent's secondary servers would have a DS as soon as its primary has it",
                "an hour is BIND's default",
            ),
            (
                "parent.registration-delay",
                Some(parent.registration_delay).filter(|_| with_parent),
                "a DS would be at the parent in the second in which it is submitted, and the old key removed too soon",
                "the longest that the parent ever took",
            ),
        ]
        .into_iter()
        .filter(|(_, value, ..)| value.is_some_and(|value| value.seconds() == 0))
        .map(|(field, _, text, remedy)| {
            Finding::new(Severity::Warning, None, field, format!("0s: {text}"), remedy)
        })
    }
}
