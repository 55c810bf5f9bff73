//! What a plan says is due, the gate of the records takes: every method, every goal, every way back, commands a few seconds after each other, parents
//! that are quick or late.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

mod life;

use key_metadata::policy::AlgorithmRollover;
use key_metadata::{Algorithm, KeptGoal, Policy, Role, RolloverMethod};
use life::{Life, Parent};
use rollover::planner::{PlanError, coming};

fn policy(name: &str) -> Policy {
    let known = key_metadata::policy::SHIPPED
        .iter()
        .find(|(known, _)| *known == name);
    let mut policy = Policy::from_yaml(known.unwrap().1).unwrap();
    // There are no bundles here.
    let keys = &mut policy.keys;
    for key in [&mut keys.ksk, &mut keys.zsk, &mut keys.csk]
        .into_iter()
        .flatten()
    {
        key.require_backup.clear();
    }
    policy
}

fn with(name: &str, role: Role, method: RolloverMethod) -> Policy {
    let mut policy = policy(name);
    let keys = &mut policy.keys;
    let of_role = match role {
        Role::Ksk => &mut keys.ksk,
        Role::Zsk => &mut keys.zsk,
        Role::Csk => &mut keys.csk,
    };
    of_role.as_mut().unwrap().rollover = Some(method);
    policy
}

fn liberal(name: &str) -> Policy {
    let mut policy = policy(name);
    policy.algorithm_rollover = AlgorithmRollover::Liberal;
    policy
}

/// Leads a life under a quick, a usual and a late parent, by somebody who is quick or slow; what goes wrong is told.
fn lead(name: &str, policy: &Policy, lead: impl Fn(&mut Life) -> Result<(), String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (parent, gap, late) in [
        (Parent::Quick, 1, 0),
        (Parent::Usual, 90, 0),
        (Parent::Late, 2, 86_400),
    ] {
        let mut life = Life::new(policy.clone());
        (life.parent, life.gap, life.late) = (parent, gap, late);
        if let Err(error) = lead(&mut life) {
            let how = format!("{parent:?}, {gap} s between, {late} s late");
            wrong.push(format!("{name}, {how}: {error}\n{}", life.told));
        }
    }
    wrong
}

fn none(wrong: Vec<String>) {
    assert!(
        wrong.is_empty(),
        "{}\n{} lives went wrong",
        wrong.join("\n"),
        wrong.len()
    );
}

/// From no key to a DS that is seen.
fn born(life: &mut Life) -> Result<(), String> {
    life.finish(20)
}

/// One active key of each of these roles and nothing else.
fn only(life: &Life, roles: &[Role], algorithm: &str) -> Result<(), String> {
    let wanted: Vec<_> = roles
        .iter()
        .map(|role| format!("{role} {algorithm} active"))
        .collect();
    // What was made and never published waits for the next time.
    let states = life.states();
    let states = states.split(", ").filter(|state| !state.ends_with("generated"));
    let (wanted, states) = (wanted.join(", "), states.collect::<Vec<_>>().join(", "));
    match wanted == states {
        true => Ok(()),
        false => Err(format!("in the end: {states}")),
    }
}

const TWO: &[Role] = &[Role::Ksk, Role::Zsk];
const ECDSA: &str = "ECDSAP256SHA256";

/// Every method of every role.
fn methods() -> Vec<(Role, &'static [Role], RolloverMethod, Policy)> {
    let mut all = Vec::new();
    for (name, roles, role) in [
        ("small-tld", TWO, Role::Ksk),
        ("small-tld", TWO, Role::Zsk),
        ("csk", &[Role::Csk], Role::Csk),
    ] {
        for method in RolloverMethod::of(role) {
            all.push((role, roles, *method, with(name, role, *method)));
        }
    }
    all
}

#[test]
fn every_method() {
    let mut wrong = Vec::new();
    for (role, roles, method, policy) in methods() {
        wrong.extend(lead(&format!("{role} {method}"), &policy, |life| {
            born(life)?;
            life.want(KeptGoal::Roll { role });
            life.finish(20)?;
            life.want(KeptGoal::Compromised { role });
            life.finish(20)?;
            only(life, roles, ECDSA)
        }));
    }
    none(wrong);
}

#[test]
fn every_method_by_its_time() {
    let mut wrong = Vec::new();
    for (role, _, method, policy) in methods() {
        wrong.extend(lead(&format!("{role} {method}"), &policy, |life| {
            born(life)?;
            for _ in 0..40 {
                life.step(800)?;
            }
            Ok(())
        }));
    }
    none(wrong);
}

#[test]
fn lost_keys() {
    let mut wrong = Vec::new();
    for (role, roles, method, policy) in methods() {
        wrong.extend(lead(&format!("lost {role} {method}"), &policy, |life| {
            born(life)?;
            life.want(KeptGoal::Lost { role });
            match life.finish(20) {
                // Where one key does everything, nobody can bring the next one in.
                Err(error) if role == Role::Csk && error.contains("nobody can sign") => return Ok(()),
                Ok(()) if role == Role::Csk => return Err("a lost CSK had a successor".to_owned()),
                other => other?,
            }
            only(life, roles, ECDSA)
        }));
    }
    none(wrong);
}

#[test]
fn algorithms() {
    let mut wrong = Vec::new();
    for (name, policy, roles) in [
        ("conservative", policy("small-tld"), TWO),
        ("liberal", liberal("small-tld"), TWO),
        ("conservative csk", policy("csk"), &[Role::Csk]),
        ("liberal csk", liberal("csk"), &[Role::Csk]),
    ] {
        wrong.extend(lead(name, &policy, |life| {
            born(life)?;
            for (algorithm, bits) in [
                (Algorithm::RsaSha256, Some(2048)),
                (Algorithm::EcdsaP256Sha256, None),
            ] {
                life.want(KeptGoal::Algorithm { algorithm, bits });
                life.finish(30)?;
                life.forget();
                only(life, roles, &algorithm.to_string())?;
            }
            Ok(())
        }));
    }
    none(wrong);
}

/// Whether anybody keeps what was wanted or not, what has gone so far that the new keys lead comes to its end; before that there is always a plan.
#[test]
fn algorithms_that_nobody_keeps() {
    let mut wrong = Vec::new();
    for (name, policy, roles) in [
        ("small-tld", policy("small-tld"), TWO),
        ("csk", policy("csk"), &[Role::Csk][..]),
        ("liberal csk", liberal("csk"), &[Role::Csk]),
    ] {
        for steps in 1..14 {
            wrong.extend(lead(
                &format!("{name}, forgotten after {steps}"),
                &policy,
                |life| {
                    born(life)?;
                    let (algorithm, bits) = (Algorithm::RsaSha256, Some(2048));
                    life.want(KeptGoal::Algorithm { algorithm, bits });
                    for _ in 0..steps {
                        life.step(1)?;
                    }
                    life.forget();
                    let is_before = life.states().contains("SK ECDSAP256SHA256 active");
                    life.finish(30)?;
                    match is_before {
                        true => Ok(()),
                        false => only(life, roles, "RSASHA256"),
                    }
                },
            ));
        }
    }
    none(wrong);
}

#[test]
fn insecure() {
    let mut wrong = Vec::new();
    for (name, roles) in [("small-tld", TWO), ("csk", &[Role::Csk])] {
        wrong.extend(lead(name, &policy(name), |life| {
            born(life)?;
            life.want(KeptGoal::Insecure);
            life.finish(20)?;
            only(life, &[], "")?;
            life.forget();
            born(life)?;
            only(life, roles, ECDSA)
        }));
    }
    none(wrong);
}

/// The way back from every step of a way.
fn back(name: &str, policy: &Policy, roles: &[Role], goal: KeptGoal) -> Vec<String> {
    let mut wrong = Vec::new();
    for steps in 1..8 {
        wrong.extend(lead(&format!("{name}, back after {steps}"), policy, |life| {
            born(life)?;
            life.want(goal);
            for _ in 0..steps {
                life.step(1)?;
            }
            if coming(&life.keys, life.now).is_empty() {
                return Ok(());
            }
            life.forget();
            life.want(KeptGoal::Abandon);
            life.finish(20)?;
            // What was made and never published waits for the next time.
            let states = life.states();
            let rest = states.split(", ").filter(|state| !state.ends_with("generated"));
            let rest: Vec<_> = rest.map(|state| state.rsplit_once(' ').unwrap().1).collect();
            if rest != vec!["active"; roles.len()] {
                return Err(format!("in the end: {states}"));
            }
            life.forget();
            life.want(goal);
            life.finish(30)?;
            Ok(())
        }));
    }
    wrong
}

#[test]
fn ways_back() {
    let mut wrong = Vec::new();
    for (role, roles, method, policy) in methods() {
        wrong.extend(back(
            &format!("{role} {method}"),
            &policy,
            roles,
            KeptGoal::Roll { role },
        ));
    }
    none(wrong);
}

#[test]
fn ways_back_from_algorithms() {
    let goal = KeptGoal::Algorithm {
        algorithm: Algorithm::RsaSha256,
        bits: Some(2048),
    };
    let mut wrong = back("conservative", &policy("small-tld"), TWO, goal);
    wrong.extend(back("liberal", &liberal("small-tld"), TWO, goal));
    wrong.extend(back("conservative csk", &policy("csk"), &[Role::Csk], goal));
    wrong.extend(back("liberal csk", &liberal("csk"), &[Role::Csk], goal));
    none(wrong);
}

#[test]
fn shipped_policies_for_years() {
    let mut wrong = Vec::new();
    for (name, _) in key_metadata::policy::SHIPPED {
        wrong.extend(lead(name, &policy(name), |life| {
            for _ in 0..60 {
                if !life.step(2200)? {
                    break;
                }
            }
            Ok(())
        }));
    }
    none(wrong);
}

#[test]
fn two_at_a_time() {
    let mut wrong = Vec::new();
    let both = [
        KeptGoal::Roll { role: Role::Ksk },
        KeptGoal::Roll { role: Role::Zsk },
    ];
    let algorithm = KeptGoal::Algorithm {
        algorithm: Algorithm::RsaSha256,
        bits: Some(2048),
    };
    for (first, second) in [
        (both[0], both[1]),
        (both[1], both[0]),
        (both[0], algorithm),
        (both[1], algorithm),
    ] {
        for steps in 0..8 {
            for policy in [policy("small-tld"), liberal("small-tld")] {
                wrong.extend(lead(
                    &format!("{first}, {second} after {steps}"),
                    &policy,
                    |life| {
                        born(life)?;
                        life.want(first);
                        for _ in 0..steps {
                            life.step(1)?;
                        }
                        life.want(second);
                        // Who asks for that is told to come back.
                        if matches!(life.plan(1), Err(PlanError::UnderWay { .. })) {
                            return Ok(());
                        }
                        life.finish(50)?;
                        let algorithm = if second == algorithm { "RSASHA256" } else { ECDSA };
                        only(life, TWO, algorithm)
                    },
                ));
            }
        }
    }
    none(wrong);
}
