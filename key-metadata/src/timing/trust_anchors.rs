//! Trust anchors that validators renew by themselves (RFC 5011).

use super::equation::Equation;
use super::figures::{Figure, Figures};
use super::wait::{Part, Wait};
use crate::span::Span;

const HOUR: Span = Span::from_seconds(3600);
const DAY: Span = Span::from_seconds(86_400);
const DAYS_15: Span = Span::from_seconds(15 * 86_400);
const DAYS_30: Span = Span::from_seconds(30 * 86_400);

/// T1: how long a validator sees a new key before it trusts it.
///
/// `max(30 d, TTLkey)`: the TTL of the first DNSKEY RRset that it saw with the key.
pub fn t1_add_hold_down(ttl_key: &Figure) -> Wait {
    let least = Figure::standard(DAYS_30, Equation::T1.source());
    let hold_down = |name, figure| Wait::new("add hold-down", Equation::T1, [(name, figure)]);
    hold_down("hold-down", &least).or_longer(hold_down("TTLkey", ttl_key))
}

/// T2: how often a validator looks for new keys, of a DNSKEY RRset with that TTL whose signatures are valid for `expiration`.
///
/// `queryInterval = max(1 h, min(15 d, TTL / 2, expiration / 2))`.
pub fn t2_query_interval(ttl_key: &Figure, expiration: &Figure) -> Wait {
    let most = Figure::standard(DAYS_15, Equation::T2.source());
    let candidates = [
        ("15d", most),
        ("OrigTTL/2", divided(ttl_key, 2)),
        ("RRSigExpirationInterval/2", divided(expiration, 2)),
    ];
    least_of("queryInterval", candidates)
}

/// T2: how soon it looks again when it could not.
///
/// `retryTime = max(1 h, min(1 d, TTL / 10, expiration / 10))`.
pub fn t2_retry_time(ttl_key: &Figure, expiration: &Figure) -> Wait {
    let most = Figure::standard(DAY, Equation::T2.source());
    let candidates = [
        ("1d", most),
        ("OrigTTL/10", divided(ttl_key, 10)),
        ("RRSigExpirationInterval/10", divided(expiration, 10)),
    ];
    least_of("retryTime", candidates)
}

/// T3: how long a publisher waits before all validators trust a new key, from when every server has its DNSKEY.
///
/// `addWait = add hold-down + expiration + activeRefresh + 2 * max(TTL)`: somebody may replay an RRset without the key for as long as its
/// signatures are valid (`validity`), a validator looks only every activeRefresh ([`t2_query_interval`]), and what it sees may come from a cache.
///
/// With a short TTL it is `2 * activeRefresh` in the place of `2 * max(TTL)`: a validator that looks once an hour takes another one after the
/// hold-down before it trusts the key (RFC 5011 2.4.1), and later revisions of the draft add that time.
pub fn t3_add_wait(figures: &Figures, validity: &Figure) -> Wait {
    let ttl = figures.ttl_key.clone().or_longer(&figures.ttl_sig);
    let refresh = t2_query_interval(&figures.ttl_key, validity);
    let mut parts = t1_add_hold_down(&figures.ttl_key).parts;
    parts.push(Part {
        name: "SigExpirationTime",
        figure: validity.clone(),
    });
    let (refresh, margin) = (refresh.total(), refresh.parts);
    let (name, longer) = match margin.first() {
        Some(part) if refresh > ttl.span => ("2*activeRefresh", part.figure.clone()),
        Some(_) | None => ("2*maxTTL", ttl),
    };
    parts.extend(margin.into_iter().map(|part| Part {
        name: "activeRefresh",
        figure: part.figure,
    }));
    parts.push(Part {
        name,
        figure: Figure {
            span: Span::from_seconds(longer.span.seconds().saturating_mul(2)),
            origin: longer.origin,
        },
    });
    Wait {
        name: "addWait",
        equation: Equation::T3,
        source: Equation::T3.source(),
        parts,
    }
}

/// T4: how long a revoked key stays published and signs itself, so that every validator has seen it: the remove hold-down time, 30 days.
pub fn t4_remove_hold_down() -> Wait {
    let hold_down = Figure::standard(DAYS_30, Equation::T4.source());
    Wait::new("remove hold-down", Equation::T4, [("hold-down", &hold_down)])
}

/// The shortest of some, and an hour at least.
fn least_of<const N: usize>(name: &'static str, candidates: [(&'static str, Figure); N]) -> Wait {
    let hour = Figure::standard(HOUR, Equation::T2.source());
    let shortest = candidates.iter().min_by_key(|(_, figure)| figure.span);
    let shortest = shortest.filter(|(_, figure)| figure.span >= HOUR);
    let (part, figure) = shortest.map_or(("1h", &hour), |(part, figure)| (*part, figure));
    Wait::new(name, Equation::T2, [(part, figure)])
}

fn divided(figure: &Figure, by: u32) -> Figure {
    Figure {
        span: Span::from_seconds(figure.span.seconds() / by),
        origin: figure.origin.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::{distinct, figure};
    use super::*;

    fn shown(wait: &Wait) -> (&str, String) {
        (wait.parts[0].name, wait.total().to_string())
    }

    #[test]
    fn t1_add_hold_down() {
        let wait = super::t1_add_hold_down(&figure("2d"));
        assert_eq!(wait.to_string(), "add hold-down = 30d (RFC 5011 2.4.1)");
        assert_eq!(
            super::t1_add_hold_down(&figure("31d")).total(),
            figure("31d").span
        );
    }

    #[test]
    fn t2_query_interval() {
        let interval = |ttl, expiration| super::t2_query_interval(&figure(ttl), &figure(expiration));
        // The root zone: a TTL of two days, signatures for 21.
        assert_eq!(shown(&interval("2d", "21d")), ("OrigTTL/2", "1d".to_owned()));
        assert_eq!(
            shown(&interval("2d", "1d")),
            ("RRSigExpirationInterval/2", "12h".to_owned())
        );
        assert_eq!(shown(&interval("60d", "60d")), ("15d", "15d".to_owned()));
        assert_eq!(shown(&interval("1h", "14d")), ("1h", "1h".to_owned()));
        assert_eq!(shown(&interval("2h", "14d")), ("OrigTTL/2", "1h".to_owned()));
    }

    #[test]
    fn t2_retry_time() {
        let retry = |ttl, expiration| super::t2_retry_time(&figure(ttl), &figure(expiration));
        assert_eq!(shown(&retry("2d", "21d")), ("OrigTTL/10", "4h48m".to_owned()));
        assert_eq!(shown(&retry("60d", "60d")), ("1d", "1d".to_owned()));
        assert_eq!(shown(&retry("1h", "14d")), ("1h", "1h".to_owned()));
    }

    #[test]
    fn t3_add_wait() {
        let root = Figures {
            ttl_key: figure("2d"),
            ttl_sig: figure("6d"),
            ..distinct()
        };
        assert_eq!(
            super::t3_add_wait(&root, &figure("21d")).to_string(),
            "addWait = hold-down 30d + SigExpirationTime 21d + activeRefresh 1d + 2*maxTTL 12d = 64d (draft-ietf-dnsop-rfc5011-security-considerations)"
        );
        let short = Figures {
            ttl_key: figure("5m"),
            ttl_sig: figure("10m"),
            ..distinct()
        };
        assert_eq!(
            super::t3_add_wait(&short, &figure("7d")).sum(),
            "hold-down 30d + SigExpirationTime 7d + activeRefresh 1h + 2*activeRefresh 2h"
        );
    }

    #[test]
    fn t4_remove_hold_down() {
        assert_eq!(
            super::t4_remove_hold_down().to_string(),
            "remove hold-down = 30d (RFC 5011 2.4.2)"
        );
    }
}
