//! Requests of clients: who sent them, whether they are broken off by a fault, what they ask for, and the answer.

use core::net::SocketAddr;
use core::time::Duration;

use stun_codec::rfc5389::attributes::{AlternateServer, Software, Username, XorMappedAddress};
use stun_codec::rfc5766::attributes::{ChannelNumber, DontFragment, Lifetime, XorPeerAddress};
use stun_codec::{Attribute as _, Message};

use super::memory::Memory;
use super::{RelaySockets, TurnEnd, TurnEventKind, TurnServer};
use crate::Instant;
use crate::server::codec::{Attribute, Incoming, NONCE, Outgoing, REALM, REQUESTED_ADDRESS_FAMILY, USERNAME};
use crate::server::credentials::Signer;
use crate::server::fault::{Effect, Request, Stage};
use crate::server::gate::{Passed, Refusal};
use crate::server::{FiveTuple, Transport};

/// Why a request is not carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// With this code.
    Code(u16),
    /// With 420 and these.
    Unknown(Vec<u16>),
    /// With 300 and these.
    TryAlternate(Vec<SocketAddr>),
}

impl Failure {
    fn code(&self) -> u16 {
        match self {
            Self::Code(code) => *code,
            Self::Unknown(_) => 420,
            Self::TryAlternate(_) => 300,
        }
    }
}

pub(super) const BAD_REQUEST: Failure = Failure::Code(400);
pub(super) const FORBIDDEN: Failure = Failure::Code(403);
pub(super) const ALLOCATION_MISMATCH: Failure = Failure::Code(437);
pub(super) const ADDRESS_FAMILY_NOT_SUPPORTED: Failure = Failure::Code(440);
pub(super) const WRONG_CREDENTIALS: Failure = Failure::Code(441);
pub(super) const UNSUPPORTED_TRANSPORT: Failure = Failure::Code(442);
pub(super) const PEER_FAMILY_MISMATCH: Failure = Failure::Code(443);
pub(super) const QUOTA_REACHED: Failure = Failure::Code(486);
pub(super) const INSUFFICIENT_CAPACITY: Failure = Failure::Code(508);

/// The attributes of RFC 8656 that have to be understood (§18), and those of RFC 8489 that are always.
const KNOWN: [u16; 13] = [
    USERNAME,
    REALM,
    NONCE,
    REQUESTED_ADDRESS_FAMILY,
    0x000C, // CHANNEL-NUMBER
    0x000D, // LIFETIME
    0x0012, // XOR-PEER-ADDRESS
    0x0013, // DATA
    0x0016, // XOR-RELAYED-ADDRESS
    0x0018, // EVEN-PORT
    0x0019, // REQUESTED-TRANSPORT
    0x0022, // RESERVATION-TOKEN
    DontFragment::CODEPOINT,
];

impl TurnServer {
    /// A request has come.
    pub(super) fn on_request(
        &mut self,
        now: Instant,
        client: FiveTuple,
        bytes: &[u8],
        request: &Incoming<'_>,
        sockets: &mut dyn RelaySockets,
    ) {
        let Some(kind) = Request::of(request.method) else {
            // RFC 8489 §6.3: a method that is not supported.
            self.counts.dropped += 1;
            return;
        };
        self.counts.requests += 1;
        let fault = self.faults.hit(Stage::Arrival, kind);
        let reply = match fault {
            Some(Effect::Ignore) => None,
            Some(Effect::Code(_) | Effect::Redirect(_)) => {
                let error = self.scripted(now, client, request, fault);
                self.encode(error, &Signer::None, request)
            }
            _ => self.answer(now, client, (bytes, request, kind), sockets),
        };
        if let Some(reply) = reply.filter(|_| fault != Some(Effect::LoseReply)) {
            self.counts.replies += 1;
            self.send_to_client(client, reply);
        }
    }

    /// The attributes that must be understood and are not.
    pub(super) fn unknown_in(&self, message: &Incoming<'_>) -> Vec<u16> {
        let known: Vec<u16> = KNOWN.into_iter().chain(self.gate.understands()).collect();
        message.unknown_required(&known)
    }

    fn answer(
        &mut self,
        now: Instant,
        client: FiveTuple,
        (bytes, request, kind): (&[u8], &Incoming<'_>, Request),
        sockets: &mut dyn RelaySockets,
    ) -> Option<Vec<u8>> {
        if kind == Request::Binding {
            let response = self.binding(client, request);
            return self.encode(response, &Signer::None, request);
        }
        let key = Memory::key(client, bytes);
        if let Some(reply) = self.memory.recall(now, &key) {
            return Some(reply);
        }
        let Passed { username, signer } = match self.authenticate(now, client.client, request) {
            Ok(passed) => passed,
            Err(refusal) => {
                if request.layout.has_sha1() || request.layout.has_sha256() {
                    let name = request.claims.as_ref().and_then(|claims| claims.get_attribute::<Username>());
                    let username = name.map(|name| name.name().to_owned());
                    let told = TurnEventKind::Refused { request: kind, code: refusal.code(), username };
                    self.events.tell(client, told);
                }
                let error = self.gate.refuse(now, client.client, request, refusal);
                return self.encode(error, &Signer::None, request);
            }
        };
        let fault = self.faults.hit(Stage::Authenticated, kind);
        let response = match fault {
            Some(Effect::Ignore) => return None,
            Some(Effect::Code(_) | Effect::Redirect(_)) => self.scripted(now, client, request, fault),
            _ => match self.perform(now, client, &username, (request, kind), sockets) {
                Ok(success) => success,
                Err(failure) => {
                    let (code, username) = (failure.code(), Some(username));
                    self.events.tell(client, TurnEventKind::Refused { request: kind, code, username });
                    failed(request, failure)
                }
            },
        };
        // A challenge cannot be signed: the client takes what is in it for its next request.
        let challenge = matches!(fault, Some(Effect::Code(401 | 438)));
        let signer = if challenge { Signer::None } else { signer };
        let forged = (fault == Some(Effect::ForgeReply)).then(|| response.clone());
        let reply = self.encode(response, &signer, request)?;
        // What comes again on a stream is another request: nothing gets lost there.
        if client.transport == Transport::Udp && !challenge {
            self.memory.remember(now, key, reply.clone());
        }
        match (fault, forged) {
            (Some(Effect::LoseReply), _) => None,
            (_, Some(forged)) => self.encode(forged, &signer.with_another_key(), request),
            _ => Some(reply),
        }
    }

    fn authenticate(
        &self,
        now: Instant,
        client: SocketAddr,
        request: &Incoming<'_>,
    ) -> Result<Passed, Refusal> {
        if self.config.authentication {
            self.gate.check(now, client, request)
        } else {
            Ok(Passed { username: String::new(), signer: Signer::None })
        }
    }

    /// What every request of RFC 8656 has to meet (§5), and then what it asks for.
    fn perform(
        &mut self,
        now: Instant,
        client: FiveTuple,
        username: &str,
        (request, kind): (&Incoming<'_>, Request),
        sockets: &mut dyn RelaySockets,
    ) -> Result<Outgoing, Failure> {
        let unknown = self.unknown_in(request);
        if !unknown.is_empty() {
            return Err(Failure::Unknown(unknown));
        }
        let attributes = request.attributes.as_ref().ok_or(BAD_REQUEST)?;
        if kind != Request::Allocate {
            let allocation = self.allocations.get(&client).ok_or(ALLOCATION_MISMATCH)?;
            if allocation.username != username {
                return Err(WRONG_CREDENTIALS);
            }
        }
        match kind {
            Request::Allocate => self.allocate(now, client, username, (request, attributes), sockets),
            Request::Refresh => self.refresh(now, client, (request, attributes), sockets),
            Request::CreatePermission => self.create_permission(now, client, (request, attributes)),
            Request::ChannelBind => self.channel_bind(now, client, (request, attributes)),
            Request::Binding => Ok(self.binding(client, request)),
        }
    }

    fn binding(&self, client: FiveTuple, request: &Incoming<'_>) -> Outgoing {
        let mut response = Outgoing::success(request);
        response.add(XorMappedAddress::new(client.client));
        response
    }

    /// RFC 8656 §8.2.
    fn refresh(
        &mut self,
        now: Instant,
        client: FiveTuple,
        (request, attributes): (&Incoming<'_>, &Message<Attribute>),
        sockets: &mut dyn RelaySockets,
    ) -> Result<Outgoing, Failure> {
        let family = family_in(request, REQUESTED_ADDRESS_FAMILY)?;
        let meant = |address: SocketAddr| family.is_none_or(|f| f == family_of(address));
        let allocation = self.allocations.get_mut(&client).ok_or(ALLOCATION_MISMATCH)?;
        if !allocation.relays.iter().any(|relay| meant(relay.address)) {
            return Err(PEER_FAMILY_MISMATCH);
        }
        let wanted = attributes.get_attribute::<Lifetime>().map(Lifetime::lifetime);
        let lifetime = if wanted == Some(Duration::ZERO) {
            self.end(client, TurnEnd::Released, sockets, |relay| meant(relay.address));
            Duration::ZERO
        } else {
            let lifetime = lifetime(wanted, self.config.default_lifetime, self.config.max_lifetime);
            for relay in allocation.relays.iter_mut().filter(|relay| meant(relay.address)) {
                relay.expires = now + lifetime;
            }
            self.ends_at(now + lifetime);
            self.events.tell(client, TurnEventKind::Refreshed { lifetime });
            lifetime
        };
        let mut response = Outgoing::success(request);
        response.add(seconds(lifetime));
        Ok(response)
    }

    /// RFC 8656 §10.2: all of them, or none.
    fn create_permission(
        &mut self,
        now: Instant,
        client: FiveTuple,
        (request, attributes): (&Incoming<'_>, &Message<Attribute>),
    ) -> Result<Outgoing, Failure> {
        let peers: Vec<_> = attributes
            .attributes()
            .filter_map(|attribute| match attribute {
                Attribute::XorPeerAddress(peer) => Some(peer.address().ip()),
                _ => None,
            })
            .collect();
        if peers.is_empty() {
            return Err(BAD_REQUEST);
        }
        let allocation = self.allocations.get_mut(&client).ok_or(ALLOCATION_MISMATCH)?;
        for peer in &peers {
            allocation.relay_for(*peer).ok_or(PEER_FAMILY_MISMATCH)?;
            if self.config.refuses(*peer) {
                return Err(FORBIDDEN);
            }
        }
        for ipv4 in [true, false] {
            let mut of_family: Vec<_> = peers.iter().copied().filter(|p| p.is_ipv4() == ipv4).collect();
            of_family.sort_unstable();
            of_family.dedup();
            let relay = of_family.first().and_then(|peer| allocation.relay_for(*peer));
            if relay.is_some_and(|r| !r.has_room_for(now, &of_family, self.config.max_permissions)) {
                return Err(INSUFFICIENT_CAPACITY);
            }
        }
        for peer in peers {
            if let Some(relay) = allocation.relay_for(peer) {
                relay.permit(now, peer, self.config.permission_lifetime);
                self.events.tell(client, TurnEventKind::Permitted { peer });
            }
        }
        Ok(Outgoing::success(request))
    }

    /// RFC 8656 §12.2.
    fn channel_bind(
        &mut self,
        now: Instant,
        client: FiveTuple,
        (request, attributes): (&Incoming<'_>, &Message<Attribute>),
    ) -> Result<Outgoing, Failure> {
        // The codec takes numbers from 0x4000 to 0x4FFF only; others are a broken request.
        let number = attributes.get_attribute::<ChannelNumber>().ok_or(BAD_REQUEST)?.value();
        let peer = attributes.get_attribute::<XorPeerAddress>().ok_or(BAD_REQUEST)?.address();
        let allocation = self.allocations.get_mut(&client).ok_or(ALLOCATION_MISMATCH)?;
        // Numbers belong to the allocation, whatever the family of the peer.
        let bound = allocation.relays.iter().find_map(|relay| relay.peer_of(now, number));
        if bound.is_some_and(|other| other != peer) {
            return Err(BAD_REQUEST);
        }
        let relay = allocation.relay_for(peer.ip()).ok_or(PEER_FAMILY_MISMATCH)?;
        if relay.channel_to(now, peer).is_some_and(|other| other != number) {
            return Err(BAD_REQUEST);
        }
        if self.config.refuses(peer.ip()) {
            return Err(FORBIDDEN);
        }
        let full = bound.is_none() && relay.channels(now).count() >= self.config.max_channels;
        if full || !relay.has_room_for(now, &[peer.ip()], self.config.max_permissions) {
            return Err(INSUFFICIENT_CAPACITY);
        }
        relay.bind(now, number, peer, self.config.channel_lifetime);
        relay.permit(now, peer.ip(), self.config.permission_lifetime);
        self.events.tell(client, TurnEventKind::Permitted { peer: peer.ip() });
        self.events.tell(client, TurnEventKind::Bound { number, peer });
        Ok(Outgoing::success(request))
    }

    /// The refusal that a fault wants.
    fn scripted(
        &self,
        now: Instant,
        client: FiveTuple,
        request: &Incoming<'_>,
        fault: Option<Effect>,
    ) -> Outgoing {
        let refuse = |refusal| self.gate.refuse(now, client.client, request, refusal);
        match fault {
            Some(Effect::Code(401)) => refuse(Refusal::Unauthenticated),
            Some(Effect::Code(438)) => refuse(Refusal::StaleNonce),
            Some(Effect::Code(420)) => {
                let optional = DontFragment.get_type().as_u16();
                let has = request.layout.attribute(optional).is_some();
                failed(request, Failure::Unknown(if has { vec![optional] } else { Vec::new() }))
            }
            Some(Effect::Code(code)) => failed(request, Failure::Code(code)),
            Some(Effect::Redirect(server)) => failed(request, Failure::TryAlternate(vec![server])),
            _ => failed(request, Failure::Code(500)),
        }
    }

    fn encode(&self, mut response: Outgoing, signer: &Signer, request: &Incoming<'_>) -> Option<Vec<u8>> {
        if let Some(software) = self.config.software.clone().and_then(|text| Software::new(text).ok()) {
            response.add(software);
        }
        response.encode(signer, request.layout.has_fingerprint)
    }
}

/// The error response to a request.
fn failed(request: &Incoming<'_>, failure: Failure) -> Outgoing {
    match failure {
        Failure::Code(code) => Outgoing::error(request, code),
        Failure::Unknown(types) => Outgoing::unknown_attributes(request, &types),
        Failure::TryAlternate(servers) => {
            let mut error = Outgoing::error(request, 300);
            for server in servers {
                error.add(AlternateServer::new(server));
            }
            error
        }
    }
}

/// RFC 8656 §7.2: what a client gets that asks for so much.
pub(super) fn lifetime(wanted: Option<Duration>, default: Duration, most: Duration) -> Duration {
    wanted.map_or(default, |wanted| wanted.min(most)).max(default)
}

/// LIFETIME, in whole seconds.
pub(super) fn seconds(lifetime: Duration) -> Lifetime {
    Lifetime::from_u32(u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX))
}

/// The family in REQUESTED-ADDRESS-FAMILY and its like, known or not (RFC 8656 §18.6).
pub(super) fn family_in(request: &Incoming<'_>, kind: u16) -> Result<Option<u8>, Failure> {
    match request.layout.attribute(kind) {
        None => Ok(None),
        Some(&[family, _, _, _]) => Ok(Some(family)),
        Some(_) => Err(BAD_REQUEST),
    }
}

/// RFC 8489 §14.1.
pub(super) const IPV4: u8 = 1;
pub(super) const IPV6: u8 = 2;

pub(super) fn family_of(address: SocketAddr) -> u8 {
    if address.is_ipv4() { IPV4 } else { IPV6 }
}
