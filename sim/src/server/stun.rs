//! A STUN server: it says where a request came from (RFC 8489), and from another address and port if asked (RFC 5780).

use core::net::SocketAddr;

use stun_codec::MessageClass;
use stun_codec::rfc5389::attributes::{AlternateServer, MappedAddress, Software, XorMappedAddress};
use stun_codec::rfc5780::attributes::{OtherAddress, ResponseOrigin};

use super::MAX_DATAGRAM;
use super::codec::{Incoming, NONCE, Outgoing, PASSWORD_ALGORITHM, REALM, USERHASH, USERNAME};
use super::credentials::Signer;
use super::fault::{Effect, Fault, Faults, Request, Stage};
use super::seal::{MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256};

/// A STUN server. It asks for no credentials, and keeps no state.
///
/// RESPONSE-PORT of RFC 5780 is refused as unknown unless [`answer_other_ports`](Self::answer_other_ports) says otherwise, since
/// it sends answers to where nobody asked. So is PADDING: it makes answers larger than a datagram may be here.
///
/// ```
/// use floe_sim::server::StunServer;
///
/// let mut server = StunServer::new();
/// let [at, client] = ["198.51.100.1:3478", "203.0.113.7:40000"].map(|a| a.parse().unwrap());
/// let request = b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl";
/// let reply = server.receive(at, client, request).unwrap();
/// assert_eq!((reply.from, reply.to), (at, client));
/// assert_eq!(reply.bytes[..2], [0x01, 0x01]);
/// ```
#[derive(Default)]
pub struct StunServer {
    /// Both addresses and both ports, if there are two.
    places: Option<[SocketAddr; 2]>,
    software: Option<String>,
    answers_other_ports: bool,
    faults: Faults,
    counts: StunCounts,
}

/// A datagram that a [`StunServer`] sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StunReply {
    /// The socket that it leaves.
    pub from: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
    /// The message.
    pub bytes: Vec<u8>,
}

/// What a [`StunServer`] has done.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct StunCounts {
    /// Binding requests that came.
    pub requests: u64,
    /// Responses that were sent.
    pub replies: u64,
    /// Datagrams that were no Binding request.
    pub dropped: u64,
}

/// What a Binding request may have, and does not have to mean anything without credentials.
const KNOWN: [u16; 7] =
    [USERNAME, REALM, NONCE, USERHASH, PASSWORD_ALGORITHM, MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256];
const CHANGE_REQUEST: u16 = 0x0003;
const RESPONSE_PORT: u16 = 0x0027;
const CHANGE_IP: u32 = 0b100;
const CHANGE_PORT: u32 = 0b010;

impl StunServer {
    /// A server that answers from wherever it is asked.
    pub fn new() -> Self {
        Self::default()
    }

    /// One with two addresses and two ports (RFC 5780 §6): a socket is to be bound at each of
    /// [`sockets`](Self::sockets). `None` if the two share an address or a port, or are not of one family.
    pub fn with_other(main: SocketAddr, other: SocketAddr) -> Option<Self> {
        let apart = main.ip() != other.ip() && main.port() != other.port();
        let valid = apart && main.is_ipv4() == other.is_ipv4();
        valid.then(|| Self { places: Some([main, other]), ..Self::default() })
    }

    /// Tells this as SOFTWARE (RFC 8489 §14.14). What is longer than 127 characters is not told.
    #[must_use]
    pub fn with_software(mut self, software: &str) -> Self {
        self.software = Some(software.to_owned());
        self
    }

    /// Whether RESPONSE-PORT is obeyed (RFC 5780 §7.5): with another port of the client's address.
    pub fn answer_other_ports(&mut self, yes: bool) {
        self.answers_other_ports = yes;
    }

    /// The sockets of a server with two addresses and ports, the main one first; empty for others.
    pub fn sockets(&self) -> Vec<SocketAddr> {
        let Some([main, other]) = self.places else { return Vec::new() };
        let at = |ip: SocketAddr, port: SocketAddr| SocketAddr::new(ip.ip(), port.port());
        vec![main, at(main, other), at(other, main), other]
    }

    /// Makes it do something wrong.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Takes all faults away.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// What it has done so far.
    pub fn counts(&self) -> StunCounts {
        self.counts
    }

    /// A datagram has come to `local`, or a frame of a stream (RFC 8489 §6.2.2), in which case the reply's addresses are those of
    /// the stream.
    pub fn receive(&mut self, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) -> Option<StunReply> {
        let request = (bytes.len() <= MAX_DATAGRAM).then(|| Incoming::read(bytes)).flatten();
        let request = request.filter(is_binding_request);
        let Some(request) = request else {
            self.counts.dropped += 1;
            return None;
        };
        self.counts.requests += 1;
        let effect = self.faults.hit(Stage::Authenticated, Request::Binding);
        let effect = effect.or_else(|| self.faults.hit(Stage::Arrival, Request::Binding));
        let mut to = remote;
        let (from, response) = match effect {
            None => {
                let answer = self.answer(local, remote, &request);
                if answer.1.is_success()
                    && let Some(&[high, low, _, _]) = request.layout.attribute(RESPONSE_PORT)
                {
                    to.set_port(u16::from_be_bytes([high, low]));
                }
                answer
            }
            Some(Effect::Code(code)) => (local, Outgoing::error(&request, code)),
            Some(Effect::Redirect(server)) => {
                let mut error = Outgoing::error(&request, 300);
                error.add(AlternateServer::new(server));
                (local, error)
            }
            Some(Effect::Ignore | Effect::LoseReply | Effect::ForgeReply) => return None,
        };
        let bytes = response.encode(&Signer::None, request.layout.has_fingerprint)?;
        self.counts.replies += 1;
        Some(StunReply { from, to, bytes })
    }

    /// What is answered, and from which socket (RFC 5780 §6.1).
    fn answer(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        request: &Incoming<'_>,
    ) -> (SocketAddr, Outgoing) {
        let places = self.places.filter(|places| {
            // A socket beside the four, of the other family perhaps, has no other.
            places.iter().any(|p| p.ip() == local.ip()) && places.iter().any(|p| p.port() == local.port())
        });
        let places = places.map(|[main, other]| {
            let ip = if local.ip() == main.ip() { other.ip() } else { main.ip() };
            let port = if local.port() == main.port() { other.port() } else { main.port() };
            SocketAddr::new(ip, port)
        });
        let mut unknown = request.unknown_required(&KNOWN);
        let mut from = local;
        if let Some(other) = places {
            unknown.retain(|kind| *kind != CHANGE_REQUEST);
            let flags = request.layout.attribute(CHANGE_REQUEST).unwrap_or(&[0; 4]);
            let Ok(flags) = flags.try_into().map(u32::from_be_bytes) else {
                return (local, Outgoing::error(request, 400));
            };
            if flags & CHANGE_IP != 0 {
                from.set_ip(other.ip());
            }
            if flags & CHANGE_PORT != 0 {
                from.set_port(other.port());
            }
        }
        if self.answers_other_ports {
            unknown.retain(|kind| *kind != RESPONSE_PORT);
            if request.layout.attribute(RESPONSE_PORT).is_some_and(|value| value.len() != 4) {
                return (local, Outgoing::error(request, 400));
            }
        }
        if !unknown.is_empty() {
            return (local, Outgoing::unknown_attributes(request, &unknown));
        }
        let mut response = Outgoing::success(request);
        response.add(XorMappedAddress::new(remote));
        if let Some(other) = places {
            response.add(MappedAddress::new(remote));
            response.add(ResponseOrigin::new(from));
            response.add(OtherAddress::new(other));
        }
        if let Some(software) = self.software.clone().and_then(|text| Software::new(text).ok()) {
            response.add(software);
        }
        (from, response)
    }
}

fn is_binding_request(message: &Incoming<'_>) -> bool {
    message.class == MessageClass::Request && Request::of(message.method) == Some(Request::Binding)
}
