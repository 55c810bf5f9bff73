//! Policies that zones cannot be run by: which equation says so, and with which numbers.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use key_metadata::Policy;
use key_metadata::policy::SHIPPED;
use rollover::lint::{Finding, lint};

/// A shipped policy with some texts replaced.
fn policy(name: &str, changes: &[(&str, &str)]) -> Policy {
    let (_, text) = SHIPPED.iter().find(|(shipped, _)| *shipped == name).unwrap();
    let text = changes.iter().fold((*text).to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{name} has no {from:?}");
        text.replacen(from, to, 1)
    });
    Policy::from_yaml(&text).unwrap()
}

/// The findings on a shipped policy with some texts replaced, each as its severity, equation, field and text.
fn findings(name: &str, changes: &[(&str, &str)]) -> Vec<String> {
    let findings = lint(&policy(name, changes));
    let shown = |finding: &Finding| {
        let equation = finding.equation.map(|equation| format!(" {equation}"));
        let equation = equation.map_or(String::new(), |equation| equation);
        format!(
            "{:?}{equation} {}: {}",
            finding.severity, finding.field, finding.text
        )
    };
    findings.iter().map(shown).collect()
}

#[test]
fn every_shipped_policy_is_sound() {
    for (name, _) in SHIPPED {
        assert_eq!(findings(name, &[]), [""; 0], "{name}");
    }
}

#[test]
fn a_key_lives_long_enough_to_be_rolled() {
    // Dsgn 2h + Dprp 1h + TTLkey 1h + Psafe 1h, and Dsgn 2h + Dprp 1h + TTLsig 1d + Rsafe 1h.
    let zsk = |lifetime| findings("small-tld", &[("lifetime: 90d", lifetime)]);
    assert_eq!(zsk("lifetime: 33h"), [""; 0]);
    assert_eq!(
        zsk("lifetime: 118799s"),
        [
            "Error X1 keys.zsk.lifetime: Lzsk 1d8h59m59s (118799s) < Dsgn 2h + Dprp 1h + TTLkey 1h + Psafe 1h + Dsgn 2h + Dprp 1h \
             + TTLsig 1d + Rsafe 1h = 1d9h (118800s)"
        ]
    );
    let ksk = findings("small-tld", &[("lifetime: 730d", "lifetime: 3d")]);
    assert_eq!(ksk.len(), 1);
    assert!(ksk[0].ends_with("= 3d7h (284400s)"), "{}", ksk[0]);
    let by_ds = [("lifetime: 730d", "lifetime: 3d\n    rollover: double-ds")];
    assert!(findings("small-tld", &by_ds)[0].contains("Dreg 2d + DprpP 1h + TTLds 1d + Psafe 1h + Dsgn"));
    let csk = findings("csk", &[("lifetime: 365d", "lifetime: 3d")]);
    assert!(
        csk[0].starts_with("Error X1 keys.csk.lifetime: Lcsk 3d (259200s) <"),
        "{}",
        csk[0]
    );
}

/// Validators that follow by RFC 5011 need longer than caches.
#[test]
fn a_trust_anchor_lives_until_all_have_it_and_until_all_have_forgotten_it() {
    let root = |lifetime| findings("root-like", &[("lifetime: 1825d", lifetime)]);
    assert_eq!(root("lifetime: 2270h"), [""; 0]);
    assert_eq!(
        root("lifetime: 94d"),
        [
            "Error X1 keys.ksk.lifetime: Lksk 94d (8121600s) < Dsgn 13h + Dprp 1h + hold-down 30d + SigExpirationTime 21d \
             + activeRefresh 1d + 2*maxTTL 12d + hold-down 30d = 94d14h (8172000s)"
        ]
    );
    let by_ds = findings("root-like", &[("rollover: double-ksk", "rollover: double-ds")]);
    assert!(
        by_ds[0].contains("no validator has it as trust anchor then"),
        "{}",
        by_ds[0]
    );
}

/// The zone ripe.net once had a TTL of 864000 s, and renewed signatures seven days before they expired.
#[test]
fn no_signature_expires_in_a_cache() {
    let found = findings(
        "large-tld",
        &[
            ("max-ttl: 1d", "max-ttl: 864000s"),
            ("refresh: 5d", "refresh: 7d"),
            ("jitter: 12h", "jitter: 0s"),
            ("outage-margin: 3d", "outage-margin: 0s"),
        ],
    );
    assert_eq!(
        found,
        [
            "Error S1 signatures.refresh: refresh 7d (604800s) < Dprp 1h + TTLsig 10d + resign 2h + jitter 0s + outage margin 0s \
             = 10d3h (874800s)"
        ]
    );
    // Dprp 1h + TTLsig 1d + resign 2h + jitter 12h + outage margin 3d.
    assert_eq!(
        findings("large-tld", &[("refresh: 5d", "refresh: 111h")]).len(),
        0
    );
    assert_eq!(
        findings("large-tld", &[("refresh: 5d", "refresh: 110h")]).len(),
        1
    );
    // Without a refresh, the validity is what a signature has when it is renewed.
    let found = findings("small-tld", &[("validity: 14d", "validity: 26h")]);
    assert!(
        found[0].starts_with("Error S1 signatures.validity: validity 1d2h"),
        "{}",
        found[0]
    );
    // The DNSKEY RRset is signed with the rest, and its TTL counts.
    let found = findings("csk", &[("dnskey-ttl: 1h", "dnskey-ttl: 7d")]);
    assert!(found[0].contains("Dprp 1h + TTLsig 7d"), "{}", found[0]);
    assert!(
        found[1].starts_with("Warning dnskey-ttl: TTLkey 7d (604800s) > zone.max-ttl"),
        "{}",
        found[1]
    );
}

#[test]
fn signatures_are_not_due_as_soon_as_they_are_made() {
    let found = findings("csk", &[("refresh: 5d", "refresh: 14d")]);
    assert!(
        found[0].starts_with("Error S1 signatures.refresh: refresh 14d (1209600s) >= validity 14d"),
        "{}",
        found[0]
    );
    let found = findings("large-tld", &[("refresh: 5d", "refresh: 327h")]);
    assert!(
        found[0].contains("- jitter 12h: a signature is due"),
        "{}",
        found[0]
    );
    assert_eq!(
        findings("large-tld", &[("refresh: 5d", "refresh: 323h")]).len(),
        0
    );
    let found = findings("root-like", &[("refresh: 11d", "refresh: 21d")]);
    assert!(
        found[0].starts_with("Error S1 dnskey-signatures.refresh"),
        "{}",
        found[0]
    );
}

#[test]
fn the_bundles_of_an_offline_ksk_overlap() {
    // resign 13h + Dprp 1h + TTLkey 2d, and for the SOA's expire 7d + resign 13h.
    let root = |refresh| findings("root-like", &[("refresh: 11d", refresh)]);
    assert_eq!(root("refresh: 181h"), [""; 0]);
    assert_eq!(
        root("refresh: 61h"),
        [
            "Error S2 dnskey-signatures.refresh: refresh 2d13h (219600s) < resign 13h + Dprp 1h + TTLkey 2d = 2d14h (223200s)",
            "Error S3 zone.soa-expire: refresh 2d13h (219600s) < SOA expire 7d + resign 13h + jitter 0s = 7d13h (651600s)",
        ]
    );
    let own = "dnskey-signatures:\n  validity: 21d\n  refresh: 11d\n  inception-offset: 0s\n";
    assert_eq!(
        findings("root-like", &[(own, "")]),
        ["Error ksk-signs: offline, but nothing says how long the signatures last that are made ahead"]
    );
    let found = findings("csk", &[("denial: nsec", "denial: nsec\nksk-signs: offline")]);
    assert_eq!(found.len(), 2);
    assert!(
        found[0].contains("a CSK signs the zone in every run"),
        "{}",
        found[0]
    );
}

#[test]
fn a_secondary_server_gives_the_zone_up_before_its_signatures_expire() {
    assert_eq!(
        findings("large-tld", &[("soa-expire: 84h", "soa-expire: 7d")]),
        [
            "Error S3 zone.soa-expire: refresh 5d (432000s) < SOA expire 7d + resign 2h + jitter 12h = 7d14h (655200s)"
        ]
    );
    let large = policy("large-tld", &[("soa-expire: 84h", "soa-expire: 7d")]);
    assert_eq!(
        lint(&large)[0].remedy,
        "4d10h at most; RFC 6781 4.4.1 suggests a third or a quarter of the validity"
    );
    assert_eq!(
        findings("large-tld", &[("soa-expire: 84h", "soa-expire: 106h")]).len(),
        0
    );
}

#[test]
fn algorithms_and_roles_go_together() {
    let found = findings("root-like", &[("algorithm: RSASHA256", "algorithm: RSASHA512")]);
    assert!(
        found[0].starts_with("Error keys.zsk.algorithm: KSK RSASHA512, ZSK RSASHA256"),
        "{}",
        found[0]
    );
    assert!(
        found[1].starts_with("Warning keys.ksk.algorithm: RSASHA512 is NOT RECOMMENDED"),
        "{}",
        found[1]
    );
    let found = findings("csk", &[("  csk:\n", "  zsk:\n")]);
    assert_eq!(found, ["Error keys.ksk: no keys that sign the DNSKEY RRset"]);
}

#[test]
fn what_is_zero_is_asked_about() {
    for (name, from, field) in [
        ("small-tld", "dnskey-ttl: 1h", "dnskey-ttl"),
        ("small-tld", "max-ttl: 1d", "zone.max-ttl"),
        ("small-tld", "resign: 2h", "signatures.resign"),
        ("small-tld", "registration-delay: 2d", "parent.registration-delay"),
        ("small-tld", "ds-ttl: 1d", "parent.ds-ttl"),
        ("small-tld", "inception-offset: 1h", "signatures.inception-offset"),
        ("csk", "inception-offset: 1h", "signatures.inception-offset"),
    ] {
        let (key, _) = from.split_once(' ').unwrap();
        let found = findings(name, &[(from, &format!("{key} 0s"))]);
        let start = format!("Warning {field}: ");
        assert!(
            found.iter().any(|found| found.starts_with(&start)),
            "{field}: {found:?}"
        );
    }
    // The root has no parent; a zone that has one is told.
    let found = findings("root-like", &[("trust-anchor: rfc5011", "trust-anchor: none")]);
    assert_eq!(found.len(), 3);
    let offset = findings(
        "csk",
        &[
            ("inception-offset: 1h", "inception-offset: 7d"),
            ("validity: 14d", "validity: 6d"),
        ],
    );
    assert!(
        offset[0].starts_with("Error signatures.inception-offset: inception offset 7d (604800s) >="),
        "{}",
        offset[0]
    );
    let negative = findings("small-tld", &[("max-ttl: 1d", "max-ttl: 2d\n  negative-ttl: 2d")]);
    assert!(
        negative[0].starts_with("Warning zone.negative-ttl: 2d (172800s) is more than a day"),
        "{}",
        negative[0]
    );
}
