//! Plans written by hand, by RFC 7583's timelines and the figures of the policy small-tld, and proved.

#![expect(clippy::unwrap_used, reason = "a test's helpers")]

mod draft;

use key_metadata::timing::{
    Wait, first_ds_interval, publication_interval, registration_delay, retire_interval,
};
use key_metadata::{Role, Span, Time};
use rollover::plan::{Act, Actor, Plan};
use rollover::schedule::{Event, KeyIndex, Schedule};

use draft::{Draft, figures};

const DAY: u32 = 86_400;

fn days(days: u32) -> Span {
    Span::from_seconds(days * DAY)
}

/// When the samples begin.
pub fn start() -> Time {
    "2026-11-29T10:00:00Z".parse().unwrap()
}

/// A ZSK pre-publication.
pub fn zsk_prepublication() -> Plan {
    let mut draft = Draft::new(start());
    let old = draft.zsk("ZSK 21733");
    draft.ksk("KSK 2371");
    roll_zsk(&mut draft, old, "ZSK new 1", start().after(days(2)));
    draft.plan(start().after(days(20)))
}

/// A KSK double-KSK.
pub fn double_ksk() -> Plan {
    let mut draft = Draft::new(start());
    let old = draft.ksk("KSK 2371");
    draft.zsk("ZSK 21733");
    roll_ksk(&mut draft, old, "KSK new 1", start().after(days(2)));
    draft.plan(start().after(days(24)))
}

/// Two years: eight ZSK rollovers, and one of the KSK.
pub fn two_years() -> Plan {
    let mut draft = Draft::new(start());
    let ksk = draft.ksk("KSK 2371");
    let mut zsk = draft.zsk("ZSK 21733");
    for number in 1..=8 {
        zsk = roll_zsk(
            &mut draft,
            zsk,
            &format!("ZSK new {number}"),
            start().after(days(90 * number - 62)),
        );
        if number == 4 {
            roll_ksk(&mut draft, ksk, "KSK new 1", start().after(days(90 * 4)));
        }
    }
    draft.plan(start().after(days(730)))
}

/// A conservative algorithm rollover, from RSASHA256 to ECDSAP256SHA256.
pub fn algorithm_rollover() -> Plan {
    let mut draft = Draft::new(start());
    let old_ksk = draft.ksk_of("KSK 2371", 8);
    let old_zsk = draft.zsk_of("ZSK 21733", 8);
    let policy = figures();
    let caches = retire_interval(&policy, Role::Zsk);
    let known = publication_interval(&policy);
    let parent = retire_interval(&policy, Role::Ksk);
    let number = draft.rollover(
        "algorithm rollover, conservative (RFC 6781 4.1.4)",
        Role::Ksk,
        &[old_ksk, old_zsk],
    );
    let begin = start().after(days(2));
    let ksk = draft.key("KSK new 1", Role::Ksk, 13);
    let zsk = draft.key("ZSK new 1", Role::Zsk, 13);
    draft.comes(number, &[ksk, zsk]);
    let both = [ksk, zsk];
    draft.ceremony(number, &both, begin, begin.after(days(40)));

    let sign = begin.after(days(1));
    let cause = draft.tool(number, Act::PreActivate, &[zsk], sign, &[]);
    draft.schedule.keys[zsk.0]
        .zone_rrsig
        .begin(Event::at(sign, cause));

    let publish = sign.after(caches.total());
    let waits = [("the zone is signed by ZSK new 1", sign, caches.clone())];
    let cause = draft.tool(number, Act::Publish, &both, publish, &waits);
    for key in both {
        draft.schedule.keys[key.0].dnskey.begin(Event::at(publish, cause));
    }
    draft.schedule.keys[ksk.0]
        .dnskey_rrsig
        .begin(Event::at(publish, cause));

    let submit = publish.after(known.total());
    let waits = [("the new DNSKEYs were published", publish, known.clone())];
    let seen = draft.swap_ds(number, old_ksk, ksk, submit, &waits);

    let withdraw = seen.after(parent.total());
    let waits = [("the old DS was last seen", seen, parent)];
    let old = [old_ksk, old_zsk];
    let cause = draft.tool(number, Act::Withdraw, &old, withdraw, &waits);
    for key in old {
        draft.schedule.keys[key.0].dnskey.end(Event::at(withdraw, cause));
    }
    draft.schedule.keys[old_ksk.0]
        .dnskey_rrsig
        .end(Event::at(withdraw, cause));

    let remove = withdraw.after(known.total());
    let waits = [("the old DNSKEYs were withdrawn", withdraw, known)];
    let cause = draft.tool(number, Act::Remove, &old, remove, &waits);
    draft.schedule.keys[old_zsk.0]
        .zone_rrsig
        .end(Event::at(remove, cause));
    draft.tool(number, Act::Destroy, &old, remove.after(days(1)), &[]);
    draft.plan(start().after(days(26)))
}

/// The KSK rollover two weeks later, and what happened until then: the DS was given a day late, and seen in a window of six hours.
pub fn under_way() -> (Plan, Schedule) {
    let mut plan = double_ksk();
    let mut happened = plan.schedule.clone();
    let submit = plan
        .steps
        .iter()
        .find(|step| step.act == Act::Submit)
        .unwrap()
        .cause;
    let see = plan
        .steps
        .iter()
        .find(|step| step.act == Act::SeeDs)
        .unwrap()
        .cause;
    happened.each_event(|event| {
        if event.cause == submit || event.cause == see {
            event.from = event.from.after(days(1));
            event.by = event.from.after(Span::from_seconds(6 * 3600));
        }
    });
    plan.now = start().after(days(7));
    (plan, happened)
}

/// RFC 7583 3.2.1.
fn roll_zsk(draft: &mut Draft, old: KeyIndex, label: &str, publish: Time) -> KeyIndex {
    let policy = figures();
    let (ipub, iret) = (publication_interval(&policy), retire_interval(&policy, Role::Zsk));
    let number = draft.rollover(
        "ZSK rollover, pre-publication (RFC 7583 3.2.1)",
        Role::Zsk,
        &[old],
    );
    let new = draft.key(label, Role::Zsk, 13);
    draft.comes(number, &[new]);
    draft.tool(number, Act::Generate, &[new], publish.before(days(1)), &[]);
    let cause = draft.tool(number, Act::Publish, &[new], publish, &[]);
    draft.schedule.keys[new.0].dnskey.begin(Event::at(publish, cause));

    // The new key signs what is signed anew: its first RRSIG may be there at once, the last one of the old key goes a run later.
    let activate = publish.after(ipub.total());
    let waits = [(&*format!("{label} was published"), publish, ipub)];
    let cause = draft.tool(number, Act::Activate, &[new], activate, &waits);
    let change = Event {
        from: activate,
        by: activate.after(policy.dsgn.span),
        cause,
    };
    draft.schedule.keys[new.0].zone_rrsig.begin(change);
    draft.schedule.keys[old.0].zone_rrsig.end(change);

    let remove = activate.after(iret.total());
    let waits = [(&*format!("{label} took over"), activate, iret)];
    let cause = draft.tool(number, Act::Remove, &[old], remove, &waits);
    draft.schedule.keys[old.0].dnskey.end(Event::at(remove, cause));
    draft.tool(number, Act::Destroy, &[old], remove.after(days(1)), &[]);
    new
}

/// RFC 7583 3.3.1.
fn roll_ksk(draft: &mut Draft, old: KeyIndex, label: &str, publish: Time) -> KeyIndex {
    let policy = figures();
    let (ipub, iret) = (publication_interval(&policy), retire_interval(&policy, Role::Ksk));
    let number = draft.rollover("KSK rollover, double-KSK (RFC 7583 3.3.1)", Role::Ksk, &[old]);
    let new = draft.key(label, Role::Ksk, 13);
    draft.comes(number, &[new]);
    draft.ceremony(number, &[new], publish.before(days(1)), publish.after(days(60)));
    let cause = draft.tool(number, Act::Publish, &[new], publish, &[]);
    draft.schedule.keys[new.0].dnskey.begin(Event::at(publish, cause));
    draft.schedule.keys[new.0]
        .dnskey_rrsig
        .begin(Event::at(publish, cause));

    let submit = publish.after(ipub.total());
    let waits = [(&*format!("{label} was published"), publish, ipub)];
    let seen = draft.swap_ds(number, old, new, submit, &waits);

    let remove = seen.after(iret.total());
    let waits = [("the old DS was last seen", seen, iret)];
    let cause = draft.tool(number, Act::Remove, &[old], remove, &waits);
    let gone = Event::at(remove, cause);
    draft.schedule.keys[old.0].dnskey.end(gone);
    draft.schedule.keys[old.0].dnskey_rrsig.end(gone);
    draft.step(number, Act::Destroy, &[old], Actor::Person, remove.after(days(1)));
    new
}

/// The waits that any plan may show.
pub fn waits() -> [Wait; 3] {
    let policy = figures();
    [
        first_ds_interval(&policy),
        registration_delay(&policy),
        publication_interval(&policy),
    ]
}
