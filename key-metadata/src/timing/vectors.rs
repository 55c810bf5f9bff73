//! The equations against what the system tests of BIND 9.18 expect of its policies (`bin/tests/system/kasp`), to the second.
//!
//! BIND takes `Dsgn` to be the signatures' validity less their refresh.

use super::figures::tests::{at, figure};
use super::{
    Figures, c1_retire_interval, k1_publication_interval, k2_latest_publication, k3_retire_interval,
    z1_publication_interval, z2_latest_publication, z2_retirement, z3_retire_interval,
};
use crate::span::Span;

/// What the four policies have in common.
fn common() -> Figures {
    Figures {
        dsgn: figure("7d"),
        dprp: figure("1h"),
        ttl_key: figure("1h"),
        ttl_sig: figure("1d"),
        dprp_parent: figure("1h"),
        ttl_ds: figure("1h"),
        dreg: figure("0s"),
        psafe: figure("1d"),
        rsafe: figure("2d"),
    }
}

const HOUR: u32 = 3600;

/// Policy `zsk-prepub`: a ZSK of 30 days.
#[test]
fn a_zsk_by_pre_publication() {
    let figures = common();
    assert_eq!(z1_publication_interval(&figures).total().seconds(), 26 * HOUR);
    assert_eq!(z3_retire_interval(&figures).total().seconds(), 241 * HOUR);
    let (active, month) = (at("2026-01-01T00:00:00Z"), figure("30d").span);
    assert_eq!(
        z2_latest_publication(&figures, active, month),
        at("2026-01-29T22:00:00Z")
    );
    assert_eq!(
        z3_retire_interval(&figures).from(z2_retirement(active, month)),
        at("2026-02-10T01:00:00Z")
    );
}

/// Policy `ksk-doubleksk`: a KSK of 60 days, and a TTL of two hours.
#[test]
fn a_ksk_by_double_ksk() {
    let figures = Figures {
        ttl_key: figure("2h"),
        ..common()
    };
    assert_eq!(k1_publication_interval(&figures).total().seconds(), 27 * HOUR);
    assert_eq!(k3_retire_interval(&figures).total().seconds(), 50 * HOUR);
    let (active, lifetime) = (at("2026-01-01T00:00:00Z"), figure("60d").span);
    assert_eq!(
        k2_latest_publication(&figures, active, lifetime),
        at("2026-02-28T21:00:00Z")
    );
}

/// Policy `csk-roll1`: signatures of 30 days are renewed five days before they expire, and so are the slowest.
#[test]
fn a_csk_whose_signatures_are_slowest() {
    let figures = Figures {
        dsgn: figure("25d"),
        psafe: figure("1h"),
        rsafe: figure("2h"),
        ..common()
    };
    assert_eq!(k1_publication_interval(&figures).total().seconds(), 3 * HOUR);
    assert_eq!(k3_retire_interval(&figures).total().seconds(), 4 * HOUR);
    assert_eq!(
        z3_retire_interval(&figures).total().seconds(),
        (26 * 24 + 3) * HOUR
    );
    let retire = c1_retire_interval(&figures);
    assert_eq!(retire.total(), Span::from_seconds((26 * 24 + 3) * HOUR));
    assert_eq!(
        retire.to_string(),
        "Iret = Dsgn 25d + Dprp 1h + TTLsig 1d + Rsafe 2h = 26d3h (RFC 6781 4.1.3, RFC 7583 3.2.1, 3.3.1)"
    );
}

/// Policy `csk-roll2`: the parent takes a week, and so the DS is the slowest.
#[test]
fn a_csk_whose_ds_is_slowest() {
    let figures = Figures {
        dsgn: figure("12h"),
        dprp_parent: figure("7d"),
        psafe: figure("1h"),
        rsafe: figure("1h"),
        ..common()
    };
    assert_eq!(z1_publication_interval(&figures).total().seconds(), 3 * HOUR);
    assert_eq!(k3_retire_interval(&figures).total().seconds(), 170 * HOUR);
    assert_eq!(z3_retire_interval(&figures).total().seconds(), 38 * HOUR);
    let retire = c1_retire_interval(&figures);
    assert_eq!(
        (retire.total().seconds(), retire.parts[0].name),
        (170 * HOUR, "DprpP")
    );
}
