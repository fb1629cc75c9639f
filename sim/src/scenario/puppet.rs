//! A peer on strings: it sends what a scenario wants, rightly signed, and answers as it is told. It stands in for
//! other engines and their habits. It decides nothing.

use core::net::SocketAddr;

use floe_core::wire::{
    Class, ErrorCode, IntegrityKey, Message, MessageWriter, Method, RoleClaim, TransactionId, is_stun,
};
use floe_core::{Candidate, Credentials, Role};

use super::{PeerId, PeerSpec, World};
use crate::{Attachment, Family, HostId, Instant};

/// One puppet of a world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PuppetId(usize);

/// How a puppet answers requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// As it should.
    Honest,
    /// Not at all.
    Silence,
    /// With success that nobody has signed.
    Unsigned,
    /// With success, signed with another password.
    WronglySigned,
    /// With success, from this socket instead of the one that was asked.
    FromSocket(usize),
    /// With this error.
    Error {
        /// Its code, 300 to 699.
        code: u16,
        /// Whether it is signed.
        signed: bool,
    },
}

/// A datagram that a puppet has got.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// When.
    pub at: Instant,
    /// On which of its sockets.
    pub socket: usize,
    /// From where.
    pub remote: SocketAddr,
    /// The payload.
    pub bytes: Vec<u8>,
}

/// What a world knows of a puppet.
pub(super) struct Puppet {
    pub(super) host: HostId,
    sockets: Vec<SocketAddr>,
    credentials: Credentials,
    claim: RoleClaim,
    reply: Reply,
    heard: Vec<Heard>,
    peer: PeerId,
    sent: u64,
}

impl World {
    /// A peer called `alice` and a puppet on the public network with so many addresses. Each is told of the other at
    /// once; candidates of the puppet have the same type, and the first the highest priority. It answers honestly,
    /// and sends nothing by itself. It claims the role that the peer does not have.
    pub fn pair_with_puppet(&mut self, alice: PeerSpec, addresses: usize) -> (PeerId, PuppetId) {
        let alice = self.add("alice", Role::Controlling, alice);
        let puppet = self.add_puppet(alice, addresses);
        let now = self.now();
        let credentials = self.puppet(puppet).credentials.clone();
        let candidates: Vec<Candidate> = (0..addresses).map(|n| self.puppet_candidate(puppet, n)).collect();
        let agent = self.agent(alice);
        // What the agent does not take shows in the scenario.
        let _ = agent.set_remote_credentials(now, credentials);
        for candidate in &candidates {
            let _ = agent.add_remote_candidate(now, candidate);
        }
        (alice, puppet)
    }

    /// Tells how the puppet answers from now on.
    pub fn set_reply(&mut self, puppet: PuppetId, reply: Reply) {
        self.note(format!("the puppet answers: {reply:?}"));
        self.puppet_mut(puppet).reply = reply;
    }

    /// Tells which role and tie-breaker the puppet claims from now on.
    pub fn set_claim(&mut self, puppet: PuppetId, claim: RoleClaim) {
        self.puppet_mut(puppet).claim = claim;
    }

    /// Everything that a puppet has got.
    pub fn heard(&self, puppet: PuppetId) -> &[Heard] {
        &self.puppet(puppet).heard
    }

    /// The address of a puppet's socket.
    ///
    /// # Panics
    /// If it has no such socket.
    #[expect(clippy::expect_used, reason = "a scenario that is wrong ends")]
    pub fn puppet_address(&self, puppet: PuppetId, socket: usize) -> SocketAddr {
        *self.puppet(puppet).sockets.get(socket).expect("a socket of the puppet")
    }

    /// The puppet's credentials.
    pub fn puppet_credentials(&self, puppet: PuppetId) -> &Credentials {
        &self.puppet(puppet).credentials
    }

    /// The puppet checks the pair of its socket and the peer's first living address, rightly signed.
    pub fn puppet_checks(&mut self, puppet: PuppetId, socket: usize, use_candidate: bool) -> TransactionId {
        let of = self.puppet_mut(puppet);
        of.sent += 1;
        let mut id = [0x70; 12];
        for (place, byte) in id.iter_mut().zip(of.sent.to_be_bytes()) {
            *place = byte;
        }
        let (id, ours, claim, peer) = (TransactionId(id), of.credentials.clone(), of.claim, of.peer);
        let theirs = self.agent(peer).local_credentials().clone();
        let priority = (110 << 24) | (priority_of(socket) & 0x00ff_ffff);
        self.puppet_says(puppet, socket, None, |buffer| {
            let message = MessageWriter::new(buffer, Class::Request, Method::BINDING, id)
                .username(theirs.ufrag(), ours.ufrag())
                .priority(priority)
                .role(claim);
            let message = if use_candidate { message.use_candidate() } else { message };
            message.sign(&IntegrityKey::short_term(theirs.password())).ok()
        });
        id
    }

    /// The puppet sends these bytes to the peer's first living address.
    pub fn puppet_sends(&mut self, puppet: PuppetId, socket: usize, bytes: &[u8]) {
        self.puppet_says(puppet, socket, None, |buffer| {
            buffer.get_mut(..bytes.len())?.copy_from_slice(bytes);
            Some(bytes.len())
        });
    }

    /// Whether a check of the puppet with this id was answered with success, signed by the peer.
    pub fn was_answered(&self, puppet: PuppetId, id: TransactionId) -> bool {
        let of = self.puppet(puppet);
        let key = IntegrityKey::short_term(self.peer(of.peer).agent.local_credentials().password());
        let is_answer = |m: Message<'_>| {
            m.class() == Class::Success && m.transaction_id() == id && m.verify(&key).is_ok()
        };
        of.heard.iter().any(|h| Message::parse(&h.bytes).is_ok_and(is_answer))
    }

    fn add_puppet(&mut self, peer: PeerId, addresses: usize) -> PuppetId {
        let host = self.network.add_host(Attachment::Public);
        for _ in 1..addresses {
            self.network.add_address(host, Family::V4);
        }
        let all: Vec<_> = self.network.addresses(host).collect();
        let bind = |ip| self.network.bind(host, Some(SocketAddr::new(ip, 0))).ok();
        let sockets = all.into_iter().filter_map(bind).collect();
        let claim = match self.peer(peer).agent.role() {
            Role::Controlling => RoleClaim::Controlled(1),
            Role::Controlled => RoleClaim::Controlling(1),
        };
        let credentials = puppet_credentials();
        let reply = Reply::Honest;
        let puppet = Puppet { host, sockets, credentials, claim, reply, heard: Vec::new(), peer, sent: 0 };
        self.puppets.push(puppet);
        PuppetId(self.puppets.len() - 1)
    }

    #[expect(clippy::expect_used, reason = "the line is well formed, and is tested to be")]
    fn puppet_candidate(&self, puppet: PuppetId, socket: usize) -> Candidate {
        let (address, priority) = (self.puppet_address(puppet, socket), priority_of(socket));
        let line =
            format!("candidate:{socket} 1 UDP {priority} {} {} typ host", address.ip(), address.port());
        line.parse().expect("a candidate")
    }

    /// A datagram has come to the host of a puppet.
    pub(super) fn on_puppet_heard(
        &mut self,
        index: usize,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: Vec<u8>,
    ) {
        let (now, id) = (self.now(), PuppetId(index));
        let Some(of) = self.puppets.get_mut(index) else { return };
        let Some(socket) = of.sockets.iter().position(|s| *s == local) else { return };
        let (reply, key) = (of.reply, IntegrityKey::short_term(of.credentials.password()));
        let request = Message::parse(&bytes).ok().filter(|m| m.class() == Class::Request);
        let transaction = request.filter(|m| m.verify(&key).is_ok()).map(|m| m.transaction_id());
        of.heard.push(Heard { at: now, socket, remote, bytes });
        let Some(transaction) = transaction else { return };
        let from = if let Reply::FromSocket(other) = reply { other } else { socket };
        self.puppet_says(id, from, Some(remote), |buffer| {
            let answer = |buffer, class| MessageWriter::new(buffer, class, Method::BINDING, transaction);
            let success = |buffer| answer(buffer, Class::Success).xor_mapped_address(remote);
            match reply {
                Reply::Silence => None,
                Reply::Honest | Reply::FromSocket(_) => success(buffer).sign(&key).ok(),
                Reply::Unsigned => success(buffer).finish_with_fingerprint().ok(),
                Reply::WronglySigned => {
                    success(buffer).sign(&IntegrityKey::short_term("not-the-password-at-all")).ok()
                }
                Reply::Error { code, signed } => {
                    let error = answer(buffer, Class::Error).error_code(ErrorCode::new(code, "so be it")?);
                    if signed { error.sign(&key).ok() } else { error.finish_with_fingerprint().ok() }
                }
            }
        });
    }

    /// Sends what `write` puts into the buffer, if it says how long that is.
    fn puppet_says(
        &mut self,
        puppet: PuppetId,
        socket: usize,
        to: Option<SocketAddr>,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        let mut buffer = [0; 1_500];
        let Some(length) = write(&mut buffer) else { return };
        let of = self.puppet(puppet);
        let (host, from) = (of.host, of.sockets.get(socket).copied());
        let to = to.or_else(|| self.peer(of.peer).first_address());
        if let (Some(from), Some(to), Some(bytes)) = (from, to, buffer.get(..length)) {
            self.network.send((host, from), to, bytes);
        }
    }

    #[expect(clippy::expect_used, reason = "a PuppetId comes only from this world")]
    fn puppet(&self, id: PuppetId) -> &Puppet {
        self.puppets.get(id.0).expect("a puppet of this world")
    }

    #[expect(clippy::expect_used, reason = "a PuppetId comes only from this world")]
    fn puppet_mut(&mut self, id: PuppetId) -> &mut Puppet {
        self.puppets.get_mut(id.0).expect("a puppet of this world")
    }
}

/// Whether this is a Binding request.
pub fn is_request(bytes: &[u8]) -> bool {
    is_of(bytes, |m| m.class() == Class::Request)
}

/// Whether this is a request with USE-CANDIDATE.
pub fn is_nomination(bytes: &[u8]) -> bool {
    is_of(bytes, |m| m.class() == Class::Request && m.use_candidate())
}

/// Whether this is a success or an error response.
pub fn is_response(bytes: &[u8]) -> bool {
    is_of(bytes, |m| matches!(m.class(), Class::Success | Class::Error))
}

fn is_of(bytes: &[u8], wanted: impl Fn(&Message<'_>) -> bool) -> bool {
    is_stun(bytes) && Message::parse(bytes).is_ok_and(|m| wanted(&m))
}

/// RFC 8445 §5.1.2.1 for a host candidate; the first address is preferred most.
fn priority_of(socket: usize) -> u32 {
    let preference = u32::from(u16::MAX).saturating_sub(u32::try_from(socket).unwrap_or(u32::MAX));
    (126 << 24) | (preference << 8) | 255
}

#[expect(clippy::expect_used, reason = "the alphabet and the lengths are right")]
fn puppet_credentials() -> Credentials {
    Credentials::new("pupp", "the-password-of-the-puppet").expect("credentials")
}
