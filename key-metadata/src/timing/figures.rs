//! The figures that the equations are of, and where each came from.

use std::fmt;

use serde::Serialize;

use crate::policy::Policy;
use crate::span::Span;
use crate::time::Time;

/// A span, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// How long.
    pub span: Span,
    /// Who says so.
    pub origin: Origin,
}

/// Who says that a figure is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The zone's policy.
    Policy,
    /// It was measured.
    Measured {
        /// When.
        at: Time,
        /// Where, such as `the parent's servers`.
        by: String,
    },
    /// Somebody asked what would be if it were so; in whose words.
    Given(String),
    /// A standard, with its section.
    Standard(&'static str),
}

/// The figures of a zone, its parent and its signer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Figures {
    /// _Dsgn_: until a change of the keys is in the whole signed zone.
    pub dsgn: Figure,
    /// _Dprp_, a KSK's _DprpC_: until every name server of the zone has what the first one has.
    pub dprp: Figure,
    /// _TTLkey_: the TTL of the DNSKEY RRset.
    pub ttl_key: Figure,
    /// _TTLsig_: the largest TTL in the zone, that of negative answers included.
    pub ttl_sig: Figure,
    /// _DprpP_: until every name server of the parent has what the first one has.
    pub dprp_parent: Figure,
    /// _TTLds_: the TTL of the DS RRset, or of the parent's answer that there is none.
    pub ttl_ds: Figure,
    /// _Dreg_: from telling the parent of a change of the DS until the first of its name servers has it.
    pub dreg: Figure,
    /// _Psafe_: what is waited on top before a published key is used.
    pub psafe: Figure,
    /// _Rsafe_: what is waited on top before a retired key is removed.
    pub rsafe: Figure,
}

impl Figure {
    /// A figure of a policy.
    pub const fn policy(span: Span) -> Self {
        Self {
            span,
            origin: Origin::Policy,
        }
    }

    /// A figure of a standard.
    pub const fn standard(span: Span, source: &'static str) -> Self {
        Self {
            span,
            origin: Origin::Standard(source),
        }
    }

    /// A figure that was measured, when and where.
    pub fn measured(span: Span, at: Time, by: impl Into<String>) -> Self {
        let by = by.into();
        Self {
            span,
            origin: Origin::Measured { at, by },
        }
    }

    /// A figure that is tried, in the words of whoever tries it.
    pub fn given(span: Span, words: impl Into<String>) -> Self {
        Self {
            span,
            origin: Origin::Given(words.into()),
        }
    }

    /// The longer of both; this one, where they are the same.
    #[must_use]
    pub fn or_longer(self, other: &Self) -> Self {
        if other.span > self.span {
            other.clone()
        } else {
            self
        }
    }
}

impl Figures {
    /// What a policy says.
    pub fn of(policy: &Policy) -> Self {
        Self {
            dsgn: Figure::policy(policy.signatures.resign),
            dprp: Figure::policy(policy.zone.propagation_delay),
            ttl_key: Figure::policy(policy.dnskey_ttl),
            ttl_sig: Figure::policy(
                policy
                    .zone
                    .negative_ttl
                    .map_or(policy.zone.max_ttl, |negative| negative.max(policy.zone.max_ttl)),
            ),
            dprp_parent: Figure::policy(policy.parent.propagation_delay),
            ttl_ds: Figure::policy(policy.parent.ds_ttl),
            dreg: Figure::policy(policy.parent.registration_delay),
            psafe: Figure::policy(policy.safety.publish),
            rsafe: Figure::policy(policy.safety.retire),
        }
    }

    /// Of each figure the longer one: what counts while the old ones and the new ones are in caches.
    #[must_use]
    pub fn or_longer(self, other: &Self) -> Self {
        Self {
            dsgn: self.dsgn.or_longer(&other.dsgn),
            dprp: self.dprp.or_longer(&other.dprp),
            ttl_key: self.ttl_key.or_longer(&other.ttl_key),
            ttl_sig: self.ttl_sig.or_longer(&other.ttl_sig),
            dprp_parent: self.dprp_parent.or_longer(&other.dprp_parent),
            ttl_ds: self.ttl_ds.or_longer(&other.ttl_ds),
            dreg: self.dreg.or_longer(&other.dreg),
            psafe: self.psafe.or_longer(&other.psafe),
            rsafe: self.rsafe.or_longer(&other.rsafe),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.span, self.origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy => f.write_str("policy"),
            Self::Measured { at, by } => write!(f, "measured at {by}, {at}"),
            Self::Given(words) => write!(f, "given: {words}"),
            Self::Standard(source) => f.write_str(source),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A figure of a policy.
    pub fn figure(text: &str) -> Figure {
        Figure::policy(text.parse().unwrap())
    }

    pub fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    /// Figures that no sum can take for one another.
    pub fn distinct() -> Figures {
        Figures {
            dsgn: figure("1s"),
            dprp: figure("10s"),
            ttl_key: figure("100s"),
            ttl_sig: figure("1000s"),
            dprp_parent: figure("10000s"),
            ttl_ds: figure("100000s"),
            dreg: figure("1000000s"),
            psafe: figure("10000000s"),
            rsafe: figure("100000000s"),
        }
    }

    #[test]
    fn the_largest_ttl_includes_that_of_negative_answers() {
        let policy = crate::policy::SHIPPED[0].1;
        let ttl = |negative: &str| {
            let text = policy.replace("\nzone:", &format!("\nzone:\n  negative-ttl: {negative}"));
            Figures::of(&Policy::from_yaml(&text).unwrap()).ttl_sig
        };
        assert_eq!(ttl("1h"), figure("1d"));
        assert_eq!(ttl("2d"), figure("2d"));
    }

    #[test]
    fn every_figure_is_the_longer_one() {
        let policy = distinct();
        let mut measured = distinct();
        let when = at("2026-11-29T10:02:00Z");
        measured.ttl_ds = Figure::measured("2d".parse().unwrap(), when, "the parent's servers");
        measured.ttl_key = figure("99s");
        let both = policy.clone().or_longer(&measured);
        assert_eq!(
            both.ttl_ds.to_string(),
            "2d (measured at the parent's servers, 2026-11-29T10:02:00Z)"
        );
        assert_eq!(
            Figures {
                ttl_ds: policy.ttl_ds.clone(),
                ..both.clone()
            },
            policy
        );
        assert_eq!(measured.or_longer(&policy).ttl_ds, both.ttl_ds);
    }
}
