//! Whether a zone can be run by a policy: figures that contradict each other, and figures that are dangerous.
//!
//! What one figure alone can be is checked when a policy is read; here it is what follows from several. Each finding has the numbers.

mod choices;
mod lifetimes;
mod signatures;
mod ttls;

use key_metadata::policy::TrustAnchor;
use key_metadata::timing::{Equation, Figure, Figures, Wait};
use key_metadata::{Policy, Role, Span};
use serde::Serialize;

pub use lifetimes::least_lifetime;

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// How wrong.
    pub severity: Severity,
    /// The equation that does not hold, where it is one.
    pub equation: Option<Equation>,
    /// The field to change first.
    pub field: &'static str,
    /// What is wrong, with numbers.
    pub text: String,
    /// What would be right.
    pub remedy: String,
}

/// How wrong it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It can be meant so.
    Warning,
    /// The zone cannot be run so, or breaks.
    Error,
}

/// What is wrong with a policy, errors first; nothing, where a zone can be run by it.
pub fn lint(policy: &Policy) -> Vec<Finding> {
    let policy = Linted {
        policy,
        figures: Figures::of(policy),
    };
    let mut findings = Vec::new();
    findings.extend(policy.lifetimes());
    findings.extend(policy.signatures());
    findings.extend(policy.ttls());
    findings.extend(policy.choices());
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// A span with the seconds that it comes to, since signers differ in what they take for a month: `90d (7776000s)`.
pub fn absolute(span: Span) -> String {
    format!("{span} ({}s)", span.seconds())
}

struct Linted<'a> {
    policy: &'a Policy,
    figures: Figures,
}

impl Linted<'_> {
    /// The roles that the policy has keys of.
    fn roles(&self) -> impl Iterator<Item = Role> + '_ {
        let known = |role: &Role| self.policy.key(*role).is_some();
        Role::ALL.into_iter().filter(known)
    }

    /// Whether there is no parent: nothing is told of it, and validators have the zone's key itself.
    fn is_without_parent(&self) -> bool {
        let parent = &self.policy.parent;
        let told = [parent.ds_ttl, parent.propagation_delay, parent.registration_delay];
        let nothing = told.iter().all(|span| span.seconds() == 0);
        nothing && self.policy.trust_anchor == TrustAnchor::Rfc5011
    }
}

impl Finding {
    fn new(
        severity: Severity,
        equation: impl Into<Option<Equation>>,
        field: &'static str,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            equation: equation.into(),
            field,
            text: text.into(),
            remedy: remedy.into(),
        }
    }

    /// A figure that is shorter than the sum that it must be at least; nothing, where it is not.
    fn too_short(field: &'static str, name: &str, span: Span, least: &Wait) -> Option<Self> {
        let total = least.total();
        (span < total).then(|| {
            Self::new(
                Severity::Error,
                least.equation,
                field,
                format!(
                    "{name} {} < {} = {}",
                    absolute(span),
                    least.sum(),
                    absolute(total)
                ),
                format!("{total} at least"),
            )
        })
    }
}

fn figure(span: Span) -> Figure {
    Figure::policy(span)
}
