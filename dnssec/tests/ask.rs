//! Observing a zone and its parent at real name servers (Knot DNS), signed by BIND's tools.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use key_metadata::observed::{Denial, Signature};
use key_metadata::{
    Asked, ChildAnswer, DsAnswer, ListedBy, Server, ServerAddress, Span, Time, WhyNot, ZoneName,
};
use keyrite_dnssec::{Addresses, Answers, Asking, FindError, Resolver, ServerList, Servers, Transport};
use sandbox::{Knotd, ServedZone, SignedZone};

const QUICK: Asking = Asking {
    tries: 2,
    wait: Duration::from_millis(300),
    transport: Transport::UdpThenTcp,
};

fn zone() -> ZoneName {
    "fi.cr".parse().unwrap()
}

/// The time of day, as a test may ask for it.
fn now() -> Time {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    "1970-01-01T00:00:00Z"
        .parse::<Time>()
        .unwrap()
        .after(Span::from_seconds(seconds.try_into().unwrap()))
}

const CHILD: &str =
    "$ORIGIN fi.cr.\n$TTL 3600\n@ SOA ns1 h 7 3600 600 604800 300\n@ NS ns1\nns1 A 127.0.0.1\n";

fn sign(folder: &Path) -> SignedZone {
    SignedZone::make(folder, "fi.cr", CHILD).unwrap()
}

/// The zone cr with that much of a delegation.
fn parent(ttl: u32, ds: &[&str]) -> String {
    let mut text = "$ORIGIN cr.\n$TTL 86400\n@ SOA ns h 1 3600 600 604800 900\n@ NS ns\nns A 127.0.0.1\n\
                    fi NS ns1.fi\nns1.fi A 127.0.0.1\n"
        .to_owned();
    for record in ds {
        text.push_str(&record.replace("fi.cr. IN", &format!("fi.cr. {ttl} IN")));
    }
    text
}

fn serve(folder: &Path, name: &str, text: &str) -> Knotd {
    let label = format!("{name}-{}", COUNT.fetch_add(1, Relaxed));
    Knotd::start(&folder.join(label), &[ServedZone { name, text }]).unwrap()
}

static COUNT: AtomicUsize = AtomicUsize::new(0);

fn named(name: &str, address: SocketAddr) -> Server {
    Server {
        name: name.parse().unwrap(),
        address: ServerAddress::new(address),
    }
}

fn list(addresses: &[SocketAddr]) -> Option<ServerList> {
    let servers = addresses.iter().enumerate();
    let servers = servers.map(|(number, address)| named(&format!("ns{}.example", number + 1), *address));
    Some(ServerList::given(servers.collect()))
}

fn observe(parent: &[SocketAddr], child: &[SocketAddr]) -> Answers {
    let servers = Servers {
        parent_zone: Some("cr".parse().unwrap()),
        parent: list(parent),
        child: list(child),
    };
    servers.ask(&zone(), &QUICK, now(), &|| {}).unwrap()
}

fn ds_at(parent: SocketAddr) -> Result<DsAnswer, (WhyNot, String)> {
    one(observe(&[parent], &[]).parent.unwrap())
}

fn keys_at(child: SocketAddr) -> Result<ChildAnswer, (WhyNot, String)> {
    one(observe(&[], &[child]).child.unwrap())
}

fn one<A>(mut asked: Asked<A>) -> Result<A, (WhyNot, String)> {
    match asked.unknown.pop() {
        Some(unknown) => Err((unknown.why, unknown.detail)),
        None => Ok(asked.answers.pop().unwrap().answer),
    }
}

#[test]
fn all_servers_agree() {
    let folder = tempfile::tempdir().unwrap();
    let signed = sign(&folder.path().join("keys"));
    let parents = [1, 2].map(|_| serve(folder.path(), "cr", &parent(1800, &[&signed.ds])));
    let children = [1, 2].map(|_| serve(folder.path(), "fi.cr", &signed.text));
    let done = AtomicUsize::new(0);
    let servers = Servers {
        parent_zone: None,
        parent: list(&parents.each_ref().map(Knotd::address)),
        child: list(&children.each_ref().map(Knotd::address)),
    };
    assert_eq!(servers.len(), 4);
    let count = || {
        done.fetch_add(1, Relaxed);
    };
    let answers = servers.ask(&zone(), &QUICK, now(), &count).unwrap();
    assert_eq!(done.load(Relaxed), 4);

    let (parent, child) = (answers.parent.unwrap(), answers.child.unwrap());
    assert!(parent.is_complete() && child.is_complete());
    assert_eq!((parent.answers.len(), parent.answered()), (1, 2));
    let ds = &parent.answers[0].answer;
    assert_eq!(
        (ds.ttl, ds.ds.len(), ds.denial),
        (Span::from_seconds(1800), 1, None)
    );
    assert_eq!((child.answers.len(), child.answered()), (1, 2));
    let ChildAnswer { dnskey, soa } = &child.answers[0].answer;
    assert_eq!((dnskey.ttl, dnskey.records.len()), (Span::from_seconds(3600), 2));
    let ksk = dnskey.records.iter().find(|key| key.flags == 257).unwrap();
    assert!(ds.ds[0].is_of_dnskey(&zone(), ksk));
    let [rrsig] = dnskey.rrsigs.as_slice() else {
        panic!("{:?}", dnskey.rrsigs)
    };
    assert!(rrsig.is_of(ksk) && rrsig.holds_at(now()), "{rrsig:?}");
    assert_eq!(rrsig.original_ttl, Span::from_seconds(3600));
    assert!(child.answers[0].answer.is_signed_by(ksk, now()));
    let soa = soa.as_ref().unwrap();
    let spans = [soa.expire, soa.minimum, soa.ttl].map(Span::seconds);
    assert_eq!((soa.serial, spans), (7, [604_800, 300, 3600]));
    let [zone_rrsig] = soa.rrsigs.as_slice() else {
        panic!("{:?}", soa.rrsigs)
    };
    assert_eq!(zone_rrsig.signature, Signature::Good);
    assert!(!zone_rrsig.is_of(ksk));
}

#[test]
fn a_server_that_lags_and_one_with_another_ttl_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| sign(&folder.path().join(name)));
    let both = serve(folder.path(), "cr", &parent(1800, &[&old.ds, &new.ds]));
    let lags = serve(folder.path(), "cr", &parent(1800, &[&old.ds]));
    let longer = serve(folder.path(), "cr", &parent(7200, &[&old.ds, &new.ds]));
    let asked = observe(&[both.address(), lags.address(), longer.address()], &[]);
    let asked = asked.parent.unwrap();
    assert!(asked.is_complete());
    let seen: Vec<_> = asked
        .each()
        .map(|(server, answer)| (server.name.to_string(), answer.ds.len(), answer.ttl.seconds()))
        .collect();
    let expected = [("ns1", 2, 1800), ("ns2", 1, 1800), ("ns3", 2, 7200)];
    assert_eq!(
        seen,
        expected.map(|(name, count, ttl)| (format!("{name}.example"), count, ttl))
    );
}

#[test]
fn a_server_without_the_ds_says_so_and_how_long_that_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let without = serve(folder.path(), "cr", &parent(1800, &[]));
    let seen = ds_at(without.address()).unwrap();
    assert_eq!(
        (seen.denial, seen.ttl, seen.ds),
        (Some(Denial::NoData), Span::from_seconds(900), Vec::new())
    );
    // No delegation.
    let nothing = "@ 60 SOA ns h 1 3600 600 604800 900\n@ NS ns\nns A 127.0.0.1\n";
    let undelegated = serve(folder.path(), "cr", nothing);
    let seen = ds_at(undelegated.address()).unwrap();
    assert_eq!(
        (seen.denial, seen.ttl),
        (Some(Denial::NxDomain), Span::from_seconds(60))
    );
    let unsigned = serve(folder.path(), "fi.cr", CHILD);
    let seen = keys_at(unsigned.address()).unwrap();
    assert_eq!(
        (seen.dnskey.denial, seen.dnskey.ttl),
        (Some(Denial::NoData), Span::from_seconds(300))
    );
    assert_eq!(seen.soa.unwrap().rrsigs, []);
}

/// A server of the zone denies the DS too, with authority, when it is not one of the parent (RFC 4035 3.1.4.1).
#[test]
fn a_server_of_the_zone_does_not_speak_for_the_parent() {
    let folder = tempfile::tempdir().unwrap();
    let child = serve(folder.path(), "fi.cr", CHILD);
    let (why, detail) = ds_at(child.address()).unwrap_err();
    assert_eq!(
        (why, detail.as_str()),
        (WhyNot::Lame, "it answers for the zone fi.cr")
    );
    let unknown_parent = Servers {
        parent_zone: None,
        parent: list(&[child.address()]),
        child: None,
    };
    let asked = unknown_parent.ask(&zone(), &QUICK, now(), &|| {}).unwrap();
    assert_eq!(one(asked.parent.unwrap()).unwrap_err().0, WhyNot::Lame);
    // Nor does one of the zone above the parent.
    let root = serve(
        folder.path(),
        ".",
        "@ 60 SOA ns h 1 3600 600 604800 900\n@ NS ns\nns A 127.0.0.1\n",
    );
    let (why, detail) = ds_at(root.address()).unwrap_err();
    assert_eq!(
        (why, detail.as_str()),
        (WhyNot::Lame, "it answers for the zone .")
    );
}

#[test]
fn whoever_does_not_answer_is_told_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let signed = sign(&folder.path().join("keys"));
    let good = serve(folder.path(), "fi.cr", &signed.text);
    let parent = serve(folder.path(), "cr", &parent(1800, &[]));
    let other = serve(folder.path(), "co.cr", CHILD);
    let broken = serve(folder.path(), "fi.cr", "");
    let mut gone = serve(folder.path(), "fi.cr", &signed.text);
    gone.stop();
    let silent = serve(folder.path(), "fi.cr", &signed.text);
    silent.freeze().unwrap();
    let addresses = [&good, &parent, &other, &broken, &gone, &silent].map(Knotd::address);

    let start = Instant::now();
    let asked = observe(&[], &addresses).child.unwrap();
    let took = start.elapsed();
    let why: Vec<_> = asked
        .unknown
        .iter()
        .map(|unknown| (unknown.why, unknown.detail.as_str()))
        .collect();
    assert_eq!(
        why,
        [
            (WhyNot::Lame, "it answered without authority (no AA bit)"),
            (WhyNot::Refused, "it answered REFUSED"),
            (WhyNot::ServFail, "it answered SERVFAIL"),
            (WhyNot::Unreachable, "Connection refused (os error 111)"),
            (WhyNot::Timeout, "no answer in 2 tries of 300ms"),
        ]
    );
    assert_eq!((asked.answered(), asked.len()), (1, 6));
    assert!(!asked.is_complete());
    // They are asked at once, and the silent one only as often as it should be.
    assert!(took >= QUICK.wait * 2 && took < QUICK.wait * 4, "{took:?}");
}

#[test]
fn an_answer_too_long_for_udp_is_fetched_over_tcp() {
    let folder = tempfile::tempdir().unwrap();
    let keys: String = (0..40)
        .map(|number| {
            let key = STANDARD.encode([number; 64]);
            format!("@ DNSKEY 256 3 13 {key}\n")
        })
        .collect();
    let server = serve(folder.path(), "fi.cr", &format!("{CHILD}{keys}"));
    let seen = keys_at(server.address()).unwrap();
    assert_eq!(seen.dnskey.records.len(), 40);
    for transport in [Transport::Tcp, Transport::UdpThenTcp] {
        let servers = Servers {
            child: list(&[server.address()]),
            ..Servers::default()
        };
        let asking = Asking { transport, ..QUICK };
        let again = servers.ask(&zone(), &asking, now(), &|| {}).unwrap();
        assert_eq!(one(again.child.unwrap()).unwrap(), seen);
    }
}

#[test]
fn a_signature_of_another_key_or_data_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let [signed, other] = ["one", "two"].map(|name| sign(&folder.path().join(name)));
    // Another serial under the same signature.
    let changed: String = signed.text.replacen(
        "h.fi.cr. 7 3600 600 604800 300",
        "h.fi.cr. 8 3600 600 604800 300",
        1,
    );
    assert_ne!(changed, signed.text);
    let server = serve(folder.path(), "fi.cr", &changed);
    let soa = keys_at(server.address()).unwrap().soa.unwrap();
    assert_eq!((soa.serial, soa.rrsigs[0].signature), (8, Signature::Bad));
    // The keys of one, the signatures of the other.
    let is_dnskey = |line: &&str| line.split_whitespace().nth(3) == Some("DNSKEY");
    let foreign: String = other
        .text
        .lines()
        .filter(is_dnskey)
        .map(|line| format!("{line}\n"))
        .collect();
    let own: String = signed
        .text
        .lines()
        .filter(|line| !is_dnskey(line))
        .map(|line| format!("{line}\n"))
        .collect();
    let server = serve(folder.path(), "fi.cr", &format!("{own}{foreign}"));
    let seen = keys_at(server.address()).unwrap();
    assert_eq!(seen.dnskey.rrsigs[0].signature, Signature::NoKey);
    assert_eq!(seen.soa.unwrap().rrsigs[0].signature, Signature::NoKey);
}

/// A server in this process that says what no name server says.
fn liar(answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            for packet in answer(&buffer[..length]) {
                socket.send_to(&packet, from).unwrap();
            }
        }
    });
    address
}

/// The question back as an authoritative NOERROR, edited.
fn reply(query: &[u8], edit: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut packet = query.to_vec();
    packet[2] = 0x84;
    edit(&mut packet);
    packet
}

#[test]
fn what_is_no_answer_to_the_question_is_passed_over() {
    type Edit = fn(&mut Vec<u8>);
    let edits: [Edit; 5] = [
        |packet| packet[0] ^= 1,
        |packet| packet[2] = 0x04,
        |packet| packet[2] |= 0x08,
        // Another question: of gi.cr.
        |packet| packet[13] = b'g',
        |packet| packet.truncate(11),
    ];
    for edit in edits {
        let address = liar(move |query| vec![reply(query, edit)]);
        let (why, detail) = ds_at(address).unwrap_err();
        assert_eq!(why, WhyNot::Timeout);
        assert_eq!(
            detail,
            "no answer but 1 packet(s) that are none to this question in 2 tries of 300ms"
        );
    }
    // The true answer comes after the false one.
    let address = liar(|query| {
        vec![
            reply(query, |packet| packet[1] ^= 0xff),
            reply(query, |packet| packet[3] = 5),
        ]
    });
    assert_eq!(ds_at(address).unwrap_err().0, WhyNot::Refused);
}

#[test]
fn what_cannot_be_read_is_not_known() {
    for (edit, expected) in [
        // Two records are said to be there, and one is.
        (
            (|packet: &mut Vec<u8>| packet[7] = 2) as fn(&mut Vec<u8>),
            "its answer cannot be read: ",
        ),
        // No record and no SOA.
        (
            |packet| packet.truncate(packet.len()),
            "it has neither the records nor an SOA",
        ),
        // RCODE 4.
        (|packet| packet[3] = 4, "it answered NOTIMP"),
    ] {
        let address = liar(move |query| vec![reply(query, edit)]);
        let (why, detail) = ds_at(address).unwrap_err();
        assert!(matches!(why, WhyNot::Malformed | WhyNot::Rcode), "{why} {detail}");
        assert!(detail.starts_with(expected), "{detail}");
    }
}

/// Truncated over UDP, and over TCP nobody, nonsense, or a drop at a time.
#[test]
fn a_tcp_answer_must_come_whole_and_in_time() {
    let truncated = |query: &[u8]| vec![reply(query, |packet| packet[2] |= 0x02)];
    assert_eq!(ds_at(liar(truncated)).unwrap_err().0, WhyNot::Unreachable);
    for (drops, expected) in [
        (
            vec![vec![0, 12], vec![0; 12]],
            (
                WhyNot::Malformed,
                "what it sent over TCP is no answer to this question",
            ),
        ),
        (
            vec![vec![0, 12], vec![0; 3]],
            (WhyNot::Unreachable, "it closed the connection"),
        ),
        (
            vec![vec![1]; 100],
            (WhyNot::Timeout, "no answer in 2 tries of 300ms"),
        ),
    ] {
        // The port is free for UDP; somebody else may have it for TCP.
        let both = std::iter::repeat_with(|| liar(truncated))
            .find_map(|address| Some((address, TcpListener::bind(address).ok()?)));
        let (address, listener) = both.unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 512]);
                for drop in &drops {
                    if stream.write_all(drop).is_err() {
                        break;
                    }
                    thread::sleep(Duration::from_millis(if drops.len() > 2 { 50 } else { 1 }));
                }
            }
        });
        let (why, detail) = ds_at(address).unwrap_err();
        assert_eq!((why, detail.as_str()), expected);
    }
}

#[test]
fn ipv6_is_asked_too() {
    let socket = UdpSocket::bind("[::1]:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 512];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        let packet = reply(&buffer[..length], |packet| packet[3] = 5);
        socket.send_to(&packet, from).unwrap();
    });
    assert_eq!(ds_at(address).unwrap_err().0, WhyNot::Refused);
}

/// One server stands for the resolver: it has all the zones, and says so with authority.
#[test]
fn the_servers_are_found_by_a_resolver() {
    let folder = tempfile::tempdir().unwrap();
    let soa = "@ 60 SOA ns h 1 3600 600 604800 900\n";
    let root = format!("{soa}@ NS a.root\na.root A 192.0.2.1\na.root AAAA 2001:db8::1\n");
    let cr = format!(
        "$ORIGIN cr.\n{soa}@ NS ns1\n@ NS ns2\nns1 A 192.0.2.11\nns2 A 192.0.2.12\nns2 A 192.0.2.13\n"
    );
    let child = format!(
        "$ORIGIN go.deep.cr.\n{soa}@ NS ns1\n@ NS ns.nowhere.cr.\n@ NS alias.cr.\nns1 A 192.0.2.21\nns1 AAAA 2001:db8::21\n"
    );
    // deep.cr is an empty non-terminal, and no zone of its own.
    let cr = format!("{cr}alias CNAME ns1\nx.deep A 192.0.2.9\n");
    let zones = [(".", root), ("cr", cr), ("go.deep.cr", child)];
    let served: Vec<_> = zones
        .iter()
        .map(|(name, text)| ServedZone { name, text })
        .collect();
    let server = Knotd::start(folder.path(), &served).unwrap();
    let resolver = Resolver {
        addresses: vec![
            // The first does not answer.
            ServerAddress::new((IpAddr::from([127, 0, 0, 1]), 9).into()),
            ServerAddress::new(server.address()),
        ],
        asking: QUICK,
        which: Addresses::All,
        port: 53,
    };
    let name = |text: &str| text.parse::<ZoneName>().unwrap();
    let parent_of = |zone: &str| resolver.parent_of(&name(zone)).unwrap();
    assert_eq!(parent_of("go.deep.cr"), Some(name("cr")));
    assert_eq!(parent_of("cr"), Some(name(".")));
    assert_eq!(parent_of("xx"), Some(name(".")));
    assert_eq!(parent_of("."), None);

    let texts = |list: &ServerList| list.servers.iter().map(ToString::to_string).collect::<Vec<_>>();
    let parents = resolver.servers_of_parent(&name("cr")).unwrap();
    assert_eq!(parents.by, ListedBy::Resolver);
    assert_eq!(
        texts(&parents),
        ["ns1.cr=192.0.2.11", "ns2.cr=192.0.2.12", "ns2.cr=192.0.2.13"]
    );
    assert_eq!(parents.unasked, []);
    let children = resolver.servers_of(&name("go.deep.cr"), None).unwrap();
    assert_eq!(
        texts(&children),
        [
            "alias.cr=192.0.2.11",
            "ns1.go.deep.cr=192.0.2.21",
            "ns1.go.deep.cr=2001:db8::21"
        ]
    );
    let [nowhere] = children.unasked.as_slice() else {
        panic!("{:?}", children.unasked)
    };
    assert_eq!(
        (nowhere.server().as_str(), nowhere.why),
        ("ns.nowhere.cr", WhyNot::NoAddress)
    );

    let only = Resolver {
        which: Addresses::Ipv4,
        port: 5300,
        ..resolver.clone()
    };
    let root = only.servers_of_parent(&name(".")).unwrap();
    assert_eq!(texts(&root), ["a.root=192.0.2.1:5300"]);
    assert_eq!(root.unasked[0].server(), "a.root=[2001:db8::1]:5300");
    assert_eq!(root.unasked[0].why, WhyNot::LeftOut);

    // What the parent delegates to counts too.
    let delegating = "$ORIGIN cr.\n@ 60 SOA ns h 1 3600 600 604800 900\n@ NS ns\nns A 127.0.0.1\ngo.deep NS forgotten\nforgotten A 192.0.2.31\n";
    let forgetful = serve(folder.path(), "cr", delegating);
    let mut zones = zones;
    zones[1].1.push_str("forgotten A 192.0.2.31\n");
    let served: Vec<_> = zones
        .iter()
        .map(|(name, text)| ServedZone { name, text })
        .collect();
    let mut server = server;
    server.serve(&served).unwrap();
    let list = list(&[forgetful.address()]);
    let children = resolver.servers_of(&name("go.deep.cr"), list.as_ref()).unwrap();
    assert!(texts(&children).contains(&"forgotten.cr=192.0.2.31".to_owned()));

    // A name server that is no resolver does not say that there is nothing.
    let no_resolver = Resolver {
        addresses: vec![ServerAddress::new(forgetful.address())],
        ..resolver.clone()
    };
    let error = no_resolver.servers_of(&name("go.deep.cr"), None).unwrap_err();
    assert!(
        matches!(&error, FindError::NotKnown { detail, .. } if detail.ends_with("it offers no recursion (no RA bit)")),
        "{error}"
    );
    let nobody = Resolver {
        addresses: Vec::new(),
        ..resolver
    };
    assert_eq!(nobody.servers_of_parent(&name("cr")), Err(FindError::NoResolver));
}
