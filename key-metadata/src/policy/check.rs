//! Reading a policy. What follows from several figures together is no matter of reading it.

use super::Policy;
use crate::algorithm::KeySpecError;
use crate::role::Role;
use crate::rollover_method::RolloverMethod;
use crate::span::Span;
use crate::yaml::{self, YamlError};

/// Why a text is no policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not the YAML that it must be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A key of a size that the algorithm does not have.
    #[error("keys.{}: {source}", role.field())]
    Key {
        /// The role.
        role: Role,
        /// What is wrong.
        source: KeySpecError,
    },
    /// A rollover that keys of the role cannot have.
    #[error("keys.{}.rollover: a {role} is not rolled by {method}, but by {}", role.field(), methods(*role))]
    Rollover {
        /// The role.
        role: Role,
        /// The method.
        method: RolloverMethod,
    },
    /// More standby keys than anybody needs.
    #[error("keys.{}.standby: {number} is not between 0 and {MOST_STANDBY}", role.field())]
    Standby {
        /// The role.
        role: Role,
        /// How many.
        number: u8,
    },
    /// A change that is none, or that nothing exceeds downwards.
    #[error("safety.largest-change: {0} is not between 1 and 100 percent")]
    LargestChange(u8),
    /// A figure outside what a zone can be run by.
    #[error("{field}: {value} is not between {least} and {most}")]
    Range {
        /// The field.
        field: &'static str,
        /// Its value.
        value: Span,
        /// The least that is taken.
        least: Span,
        /// The most.
        most: Span,
    },
}

/// RFC 7583 section 4 speaks of one; a second one makes every answer with the DNSKEY RRset longer.
const MOST_STANDBY: u8 = 2;

const HOUR: Span = Span::from_seconds(3600);
const YEAR: Span = Span::from_seconds(365 * 86_400);

fn methods(role: Role) -> String {
    let methods: Vec<_> = RolloverMethod::of(role).iter().map(ToString::to_string).collect();
    methods.join(" or ")
}

impl Policy {
    /// Reads the text of a policy.
    pub fn from_yaml(text: &str) -> Result<Self, PolicyError> {
        let policy: Self = yaml::parse(text)?;
        for role in Role::ALL {
            policy.check_key(role)?;
        }
        policy.check_spans()?;
        if let Some(percent) = policy.safety.largest_change
            && !(1..=100).contains(&percent)
        {
            return Err(PolicyError::LargestChange(percent));
        }
        Ok(policy)
    }

    fn check_key(&self, role: Role) -> Result<(), PolicyError> {
        let Some(key) = self.key(role) else {
            return Ok(());
        };
        key.spec().map_err(|source| PolicyError::Key { role, source })?;
        if let Some(method) = key
            .rollover
            .filter(|method| !RolloverMethod::of(role).contains(method))
        {
            return Err(PolicyError::Rollover { role, method });
        }
        if key.standby > MOST_STANDBY {
            let number = key.standby;
            return Err(PolicyError::Standby { role, number });
        }
        Ok(())
    }

    /// No standard bounds these; outside them lies a slip of the pen (14s for 14d), not a policy.
    fn check_spans(&self) -> Result<(), PolicyError> {
        let zero = Span::from_seconds(0);
        let week = Span::from_seconds(7 * 86_400);
        let (signatures, zone, parent) = (&self.signatures, &self.zone, &self.parent);
        let dnskey = self.dnskey_signatures.as_ref();
        for (field, value, least, most) in [
            ("signatures.validity", Some(signatures.validity), HOUR, YEAR),
            (
                "signatures.inception-offset",
                Some(signatures.inception_offset),
                zero,
                week,
            ),
            ("signatures.resign", Some(signatures.resign), zero, YEAR),
            ("signatures.refresh", signatures.refresh, zero, YEAR),
            ("signatures.jitter", Some(signatures.jitter), zero, YEAR),
            (
                "signatures.outage-margin",
                Some(signatures.outage_margin),
                zero,
                YEAR,
            ),
            (
                "dnskey-signatures.validity",
                dnskey.map(|own| own.validity),
                HOUR,
                YEAR,
            ),
            (
                "dnskey-signatures.refresh",
                dnskey.map(|own| own.refresh),
                zero,
                YEAR,
            ),
            (
                "dnskey-signatures.inception-offset",
                dnskey.map(|own| own.inception_offset),
                zero,
                week,
            ),
            ("dnskey-ttl", Some(self.dnskey_ttl), zero, week),
            ("zone.max-ttl", Some(zone.max_ttl), zero, YEAR),
            ("zone.propagation-delay", Some(zone.propagation_delay), zero, YEAR),
            ("zone.soa-expire", zone.soa_expire, zero, YEAR),
            ("zone.negative-ttl", zone.negative_ttl, zero, YEAR),
            ("parent.ds-ttl", Some(parent.ds_ttl), zero, YEAR),
            (
                "parent.propagation-delay",
                Some(parent.propagation_delay),
                zero,
                YEAR,
            ),
            (
                "parent.registration-delay",
                Some(parent.registration_delay),
                zero,
                YEAR,
            ),
            ("safety.publish", Some(self.safety.publish), zero, YEAR),
            ("safety.retire", Some(self.safety.retire), zero, YEAR),
        ] {
            if let Some(value) = value.filter(|value| *value < least || *value > most) {
                return Err(PolicyError::Range {
                    field,
                    value,
                    least,
                    most,
                });
            }
        }
        Ok(())
    }
}
