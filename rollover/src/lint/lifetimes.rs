//! X1: whether a key lives long enough to be rolled.

use key_metadata::policy::TrustAnchor;
use key_metadata::timing::{Equation, Wait, t3_add_wait, t4_remove_hold_down, x1_least_lifetime};
use key_metadata::{Policy, Role};

use super::{Finding, Linted, figure};

impl Linted<'_> {
    pub(super) fn lifetimes(&self) -> Vec<Finding> {
        self.roles().filter_map(|role| self.lifetime(role)).collect()
    }

    fn lifetime(&self, role: Role) -> Option<Finding> {
        let (name, field) = match role {
            Role::Ksk => ("Lksk", "keys.ksk.lifetime"),
            Role::Zsk => ("Lzsk", "keys.zsk.lifetime"),
            Role::Csk => ("Lcsk", "keys.csk.lifetime"),
        };
        let lifetime = self.policy.key(role)?.lifetime;
        Finding::too_short(field, name, lifetime, &least_lifetime(self.policy, role))
    }
}

/// X1, and where validators follow by RFC 5011 the time that they need for a new trust anchor and for a revoked one, if that is longer.
pub fn least_lifetime(policy: &Policy, role: Role) -> Wait {
    let figures = key_metadata::timing::Figures::of(policy);
    let least = x1_least_lifetime(&figures, role, policy.rollover(role));
    match policy.trust_anchor {
        TrustAnchor::Rfc5011 if role.signs_dnskey() => {
            let added = t3_add_wait(&figures, &figure(policy.dnskey_validity()));
            let mut anchors = added
                .preceded_by("Dprp", &figures.dprp)
                .preceded_by("Dsgn", &figures.dsgn);
            anchors.name = least.name;
            anchors.equation = Equation::X1;
            anchors.parts.extend(t4_remove_hold_down().parts);
            least.or_longer(anchors)
        }
        TrustAnchor::Rfc5011 | TrustAnchor::None => least,
    }
}
