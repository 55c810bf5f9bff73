//! One question to one name server.
//!
//! A deadline is measured with the monotonic clock; the time of day is the caller's to know.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::base::iana::{Opcode, Rtype};
use domain::base::{Message, MessageBuilder};
use key_metadata::{ServerAddress, WhyNot};

use crate::reply::{NotKnown, Reply};
use crate::zone::Owner;

/// The size of a UDP answer that passes every network unfragmented (DNS flag day 2020; RFC 9715 3.1 has 1400).
const UDP_SIZE: u16 = 1232;

/// How name servers are asked.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    /// How often a server is asked that does not answer; at least once.
    pub tries: u8,
    /// How long an answer is waited for, each time.
    pub wait: Duration,
    /// How the questions travel.
    pub transport: Transport,
}

/// How questions travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Over UDP, and over TCP where the answer was truncated.
    UdpThenTcp,
    /// Over TCP: nobody who is not on the path can forge an answer.
    Tcp,
}

/// Who a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// A name server of the zone (RD bit clear).
    Authority,
    /// A resolver (RD bit set).
    Resolver,
}

impl Default for Asking {
    /// Three times two seconds, as much as `dig` waits with its first server in about two tries; no standard gives a figure.
    fn default() -> Self {
        Self {
            tries: 3,
            wait: Duration::from_secs(2),
            transport: Transport::UdpThenTcp,
        }
    }
}

impl Asking {
    /// Asks one question.
    pub(crate) fn ask(
        &self,
        server: ServerAddress,
        name: &Owner,
        rtype: Rtype,
        to: To,
    ) -> Result<Reply, NotKnown> {
        let mut last = NotKnown::new(WhyNot::Timeout, "it was not asked");
        for _ in 0..self.tries.max(1) {
            let query = query(name, rtype, to)?;
            match self.exchange(server.socket(), &query) {
                Ok(message) => return Reply::of(&message),
                Err(failed) => last = failed,
            }
        }
        if last.why == WhyNot::Timeout {
            last.detail = format!(
                "{} in {} tries of {:?}",
                last.detail,
                self.tries.max(1),
                self.wait
            );
        }
        Err(last)
    }

    fn exchange(&self, server: SocketAddr, query: &Message<Vec<u8>>) -> Result<Message<Bytes>, NotKnown> {
        let message = match self.transport {
            Transport::UdpThenTcp => udp(server, query, self.wait)?,
            Transport::Tcp => tcp(server, query, self.wait)?,
        };
        if !message.header().tc() {
            return Ok(message);
        }
        let message = tcp(server, query, self.wait)?;
        match message.header().tc() {
            true => Err(NotKnown::new(
                WhyNot::Malformed,
                "it truncated its answer over TCP",
            )),
            false => Ok(message),
        }
    }
}

fn query(name: &Owner, rtype: Rtype, to: To) -> Result<Message<Vec<u8>>, NotKnown> {
    let unasked = |reason: String| NotKnown::new(WhyNot::Unreachable, reason);
    let id = getrandom::u32().map_err(|error| unasked(format!("the system gives no random id: {error}")))?;
    let mut builder = MessageBuilder::new_vec();
    // The upper half is as random as the whole.
    builder.header_mut().set_id((id >> 16) as u16);
    builder.header_mut().set_opcode(Opcode::QUERY);
    builder.header_mut().set_rd(to == To::Resolver);
    let too_long = |_| unasked("the question does not fit into a message".to_owned());
    let mut question = builder.question();
    question.push((name, rtype)).map_err(too_long)?;
    let mut additional = question.additional();
    additional
        .opt(|opt| {
            opt.set_udp_payload_size(UDP_SIZE);
            opt.set_dnssec_ok(true);
            Ok(())
        })
        .map_err(too_long)?;
    Ok(additional.into_message())
}

/// The answer over UDP: from the address that was asked, since the socket is connected, to the port that the system chose at random, with the
/// id and the question. Other packets are passed over until the time is up.
fn udp(server: SocketAddr, query: &Message<Vec<u8>>, wait: Duration) -> Result<Message<Bytes>, NotKnown> {
    let until = Instant::now() + wait;
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).map_err(failed)?;
    socket.connect(server).map_err(failed)?;
    socket.send(query.as_slice()).map_err(failed)?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    let mut others = 0u32;
    loop {
        let received = left(until).and_then(|left| {
            socket.set_read_timeout(Some(left))?;
            socket.recv(&mut buffer)
        });
        match received {
            Ok(length) => match answer_to(query, buffer.get(..length).map_or(&[][..], |packet| packet)) {
                Some(message) => return Ok(message),
                None => others += 1,
            },
            Err(error) if others > 0 && is_timeout(&error) => {
                let detail = format!("no answer but {others} packet(s) that are none to this question");
                return Err(NotKnown::new(WhyNot::Timeout, detail));
            }
            Err(error) => return Err(failed(error)),
        }
    }
}

/// The answer over TCP (RFC 7766), all of it within `wait`.
fn tcp(server: SocketAddr, query: &Message<Vec<u8>>, wait: Duration) -> Result<Message<Bytes>, NotKnown> {
    let until = Instant::now() + wait;
    let packet = over_tcp(server, query.as_slice(), until).map_err(failed)?;
    answer_to(query, &packet).ok_or_else(|| {
        NotKnown::new(
            WhyNot::Malformed,
            "what it sent over TCP is no answer to this question",
        )
    })
}

fn over_tcp(server: SocketAddr, query: &[u8], until: Instant) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, left(until)?)?;
    stream.set_write_timeout(Some(left(until)?))?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], query].concat())?;
    let mut length = [0; 2];
    read_all(&mut stream, &mut length, until)?;
    let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
    read_all(&mut stream, &mut packet, until)?;
    Ok(packet)
}

/// Fills the buffer, however slowly it comes, but not beyond the deadline.
fn read_all(stream: &mut TcpStream, mut buffer: &mut [u8], until: Instant) -> io::Result<()> {
    while !buffer.is_empty() {
        stream.set_read_timeout(Some(left(until)?))?;
        match stream.read(buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => buffer = buffer.get_mut(length..).map_or(&mut [][..], |rest| rest),
        }
    }
    Ok(())
}

fn answer_to(query: &Message<Vec<u8>>, packet: &[u8]) -> Option<Message<Bytes>> {
    let message = Message::from_octets(Bytes::copy_from_slice(packet)).ok()?;
    let is_answer = message.is_answer(query) && message.header().opcode() == Opcode::QUERY;
    is_answer.then_some(message)
}

/// What is left of the time; an error where nothing is.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

/// A socket whose time is up says either.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn failed(error: io::Error) -> NotKnown {
    if is_timeout(&error) {
        return NotKnown::new(WhyNot::Timeout, "no answer");
    }
    let detail = match error.kind() {
        io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        _ => error.to_string(),
    };
    NotKnown::new(WhyNot::Unreachable, detail)
}
