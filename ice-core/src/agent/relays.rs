//! TURN servers: each allocation is a socket of the agent's own, or two. This file lets allocations begin and end, takes their
//! news, and makes candidates of relayed addresses, so that checks and paths need not know of relays.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use super::carriers::Purpose;
use super::{Agent, Event, Life, ServerFault, StreamEnd};
use crate::base::{ComponentId, Instant, SocketId};
use crate::candidate::CandidateType;
use crate::gather::{Attempt, ServerError, Socket, TurnServer, TurnTransport, Via};
use crate::relay::{Loss, RelayEvent, Wanting};
use crate::trace::{CheckFailure, TraceEvent};

impl Agent {
    /// Asks the TURN server for relayed addresses, one allocation for each host socket of its family, now and for sockets that are
    /// still to come. The candidates that come of it are told as events, and [`Event::GatheringDone`] waits for them as it does for
    /// STUN servers; what a server refuses is told as [`Event::ServerError`]. Allocations, permissions and channels are kept alive until
    /// the agent is closed.
    ///
    /// A server that is known already has this username and password from now on: time-limited ones are replaced so.
    ///
    /// # Errors
    /// If the address cannot be a server's, there are too many servers, or the agent is lite or has ended.
    pub fn add_turn_server(&mut self, now: Instant, server: TurnServer) -> Result<(), ServerError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(ServerError::Ended);
        }
        if self.generations.current.checks.is_lite() {
            return Err(ServerError::HostOnly);
        }
        let index = self.gatherer.relays.add(server)?;
        // Sockets that are fresh will ask it with all others. Those whom it has refused ask again.
        for host in self.gatherer.allocators() {
            if !self.gatherer.relays.asks(host.id(), index) {
                self.allocate_for(host, index);
            }
        }
        Ok(())
    }

    /// A host socket is there: it asks every server.
    pub(super) fn allocate_at_all(&mut self, host: Socket) {
        for server in 0..self.gatherer.relays.servers() {
            self.allocate_for(host, server);
        }
    }

    fn allocate_for(&mut self, host: Socket, server: usize) {
        for attempt in self.gatherer.relays.attempts(host, server) {
            self.allocate(attempt);
        }
    }

    /// Begins an allocation, unless there are too many, or its socket is not used any more.
    fn allocate(&mut self, attempt: Attempt) {
        if self.life != Life::Running || self.gatherer.socket(attempt.host.id()).is_none() {
            return;
        }
        let Some(server) = self.gatherer.relays.server(attempt.server) else { return };
        let transport = server.transport().clone();
        let (address, host) = (attempt.address, attempt.host);
        if !self.gatherer.relays.has_room() {
            return self.tell_relay_fault(address, host.id(), ServerFault::TooMany);
        }
        let Some(key) = self.carriers.name() else { return };
        let (purpose, local) = (Purpose::Relay(key), host.local().ip());
        let tls = match transport {
            TurnTransport::Tls { name } => Some(attempt.domain.clone().unwrap_or(name)),
            _ => None,
        };
        let tuple = crate::base::Tuple { socket: host.id(), remote: address };
        let via = match server.transport() {
            // RFC 8656 §5: one allocation for each 5-tuple.
            TurnTransport::Udp if attempt.ports == 0 && self.gatherer.relays.over(tuple).is_none() => {
                Some(Via::Socket(host.id()))
            }
            TurnTransport::Udp => self.carriers.bind(purpose, local).map(|_| Via::Awaited),
            TurnTransport::Tcp | TurnTransport::Tls { .. } => {
                self.carriers.connect(purpose, (local, None), address, tls).map(|_| Via::Stream)
            }
        };
        match via {
            Some(via) => {
                // RFC 8445 §14.3: an allocation takes two requests where credentials are wanted, as they are.
                let waiting = u32::try_from(self.gatherer.inquiries.waiting()).unwrap_or(u32::MAX);
                let ta = self.generations.current.checks.ta();
                // What is tried again keeps nobody waiting.
                if attempt.lived.is_none() && attempt.refusals == 0 {
                    self.gatherer.inquiries.on_wait(self.now);
                }
                self.gatherer.relays.start(self.now, (key, attempt, via), (ta, waiting));
            }
            None => self.tell_relay_fault(address, host.id(), ServerFault::TooMany),
        }
    }

    /// A socket that was asked for is open.
    pub(super) fn on_socket_opened(&mut self, purpose: Purpose, socket: SocketId) {
        if let Purpose::Relay(key) = purpose
            && let Some(relay) = self.gatherer.relays.get_mut(key)
        {
            relay.via = Via::Socket(socket);
        }
    }

    /// A stream has ended, or a socket was not to be had.
    pub(super) fn on_carrier_lost(&mut self, purpose: Purpose, end: StreamEnd) {
        let key = match purpose {
            Purpose::Relay(key) => key,
            Purpose::Peer(tuple) => return self.on_disconnected(tuple, end),
        };
        // An agent that has failed tells nothing more.
        if self.life == Life::Failed {
            self.gatherer.relays.remove(key);
            return self.carriers.close(purpose);
        }
        let Some(relay) = self.gatherer.relays.get(key) else { return };
        let (had_address, attempt) = (relay.attempt.lived.is_some(), relay.attempt.clone());
        self.end_relay(key);
        self.tell_relay_fault(attempt.address, attempt.host.id(), ServerFault::Stream(end));
        if had_address {
            self.allocate_again(attempt);
        }
        self.end_gathering();
    }

    /// Lets time pass for the allocations.
    pub(super) fn on_time_for_relays(&mut self) {
        while let Some(attempt) = self.gatherer.relays.take_due(self.now) {
            self.allocate(attempt);
        }
        if self.gatherer.relays.is_empty() {
            return;
        }
        for relay in self.gatherer.relays.iter_mut() {
            relay.allocation.on_time(self.now);
        }
        self.take_relay_news();
    }

    /// Takes what the allocations have to tell, until there is nothing.
    pub(super) fn take_relay_news(&mut self) {
        if self.life == Life::Failed {
            return self.bury_relays();
        }
        loop {
            let relays = &mut self.gatherer.relays;
            let news = relays.iter_mut().find_map(|relay| Some((relay.key, relay.allocation.next_event()?)));
            let Some((key, event)) = news else { break };
            self.on_relay_event(key, event);
        }
        self.end_gathering();
    }

    fn on_relay_event(&mut self, key: SocketId, event: RelayEvent) {
        let Some(relay) = self.gatherer.relays.get_mut(key) else { return };
        let (server, host) = (relay.attempt.address, relay.attempt.host);
        match event {
            RelayEvent::Allocated { relayed, mapped, lifetime } => {
                self.tracer.emit(self.now, TraceEvent::Allocated { server, lifetime });
                self.on_allocated(key, &relayed, mapped);
            }
            RelayEvent::Failed(failure) => {
                let attempt = relay.attempt.clone();
                self.end_relay(key);
                let patience = failure.patience();
                if patience.is_some() && attempt.is_over_datagrams() {
                    // RFC 8445 §5.1.1.2: who has no room to relay may still tell how we are seen.
                    let _ = self.gatherer.ask_once(self.now, host.id(), server);
                }
                let fault = ServerFault::from(failure);
                self.tell_relay_fault(server, host.id(), fault);
                match patience.filter(|_| self.life == Life::Running) {
                    Some(patience) => {
                        let mut attempt = attempt;
                        attempt.refusals = attempt.refusals.saturating_add(1);
                        self.gatherer.relays.try_later(self.now + patience, attempt);
                    }
                    // There was one, and there will be another when the server is back.
                    None if attempt.lived.is_some() => self.allocate_again(attempt),
                    None => {}
                }
            }
            RelayEvent::Redirect { to, domain } => {
                let mut attempt = relay.attempt.clone();
                attempt.redirected_by.push(server);
                (attempt.address, attempt.domain) = (to, domain.or(attempt.domain));
                self.end_relay(key);
                self.allocate(attempt);
            }
            RelayEvent::NeedsNewPort => {
                let attempt = relay.attempt.clone();
                self.end_relay(key);
                match attempt.after_mismatch() {
                    Some(attempt) => self.allocate(attempt),
                    None => {
                        let fault = ServerFault::Refused { code: 437, reason: "allocation mismatch".into() };
                        self.tell_relay_fault(server, host.id(), fault);
                    }
                }
            }
            RelayEvent::Lost(loss) => {
                let attempt = relay.attempt.clone();
                self.end_relay(key);
                let fault = match loss {
                    Loss::Forgotten => ServerFault::Forgotten,
                    Loss::Expired => ServerFault::Lapsed,
                    Loss::Silent => ServerFault::Stream(StreamEnd::TimedOut),
                };
                self.tell_relay_fault(server, host.id(), fault);
                self.allocate_again(attempt);
            }
            RelayEvent::CredentialsRefused { code } => {
                let fault = ServerFault::Credentials { code: Some(code) };
                self.tell_relay_fault(server, host.id(), fault);
            }
            RelayEvent::Refused { code, reason } => {
                self.tell_relay_fault(server, host.id(), ServerFault::Refused { code, reason });
            }
            RelayEvent::PermissionGranted(peer) => relay.on_granted(peer),
            RelayEvent::PeerRefused { peer, code } => {
                relay.on_refused(peer);
                let names: SmallVec<[SocketId; 2]> = relay.names.iter().map(|(name, _)| *name).collect();
                self.on_peer_refused(&names, peer, code);
            }
            RelayEvent::Released => self.end_relay(key),
            // Data goes in Send indications where there is no channel, and a permission is asked for until it is there.
            RelayEvent::PermissionLapsed(_)
            | RelayEvent::ChannelBound(_)
            | RelayEvent::ChannelRefused { .. } => {}
        }
    }

    /// There are relayed addresses: each is a candidate (RFC 8445 §5.1.1.2), and so may be what the server has seen.
    fn on_allocated(&mut self, key: SocketId, relayed: &[SocketAddr], mapped: Option<SocketAddr>) {
        let Some(relay) = self.gatherer.relays.get_mut(key) else { return };
        (relay.mapped, relay.attempt.lived, relay.attempt.refusals) = (mapped, Some(self.now), 0);
        let attempt = relay.attempt.clone();
        let is_udp = matches!(relay.via, Via::Socket(socket) if socket == attempt.host.id());
        for (index, address) in relayed.iter().enumerate() {
            let name = if index == 0 { Some(key) } else { self.carriers.name() };
            let Some(name) = name else { break };
            let candidates = &mut self.generations.current.candidates;
            let Some(id) = self.gatherer.add_relayed(candidates, &attempt, (name, *address), mapped) else {
                continue;
            };
            if let Some(relay) = self.gatherer.relays.get_mut(key) {
                relay.names.push((name, *address));
            }
            self.on_gathered(id);
        }
        if let Some(relay) = self.gatherer.relays.get_mut(key)
            && relay.names.is_empty()
        {
            // None that the application wants.
            return relay.allocation.release(self.now);
        }
        let component = attempt.host.for_component();
        for peer in self.peers_of(component) {
            self.permit_at(key, peer);
        }
        if let Some(mapped) = mapped.filter(|_| is_udp) {
            // One of another family, or one too many, is of no use, whoever sent it.
            let server = Some(attempt.address.ip());
            let _ = self.add_reflexive(self.now, attempt.host.id(), mapped, server);
        }
        self.absorb();
    }

    /// The addresses that the peer of this component may send from, as far as they are known.
    fn peers_of(&self, component: ComponentId) -> SmallVec<[IpAddr; 8]> {
        let mut peers: SmallVec<[IpAddr; 8]> = SmallVec::new();
        for remote in self.generations.current.candidates.remotes() {
            let ip = remote.address.ip();
            if remote.component == component && !peers.contains(&ip) {
                peers.push(ip);
            }
        }
        peers
    }

    /// A candidate of the peer's is there: it may send to all relayed addresses of its component (RFC 8656 §9).
    pub(super) fn permit(&mut self, component: ComponentId, peer: IpAddr) {
        let of = |r: &&crate::gather::Relay| r.attempt.host.for_component() == component;
        let keys: SmallVec<[SocketId; 4]> = self.gatherer.relays.iter().filter(of).map(|r| r.key).collect();
        for key in keys {
            self.permit_at(key, peer);
        }
    }

    /// Whether the relay asks, or has asked, for this peer. One of another family is not needed, and one too many has no room, unless
    /// some are of no use any more.
    pub(super) fn permit_at(&mut self, key: SocketId, peer: IpAddr) -> bool {
        let Some(relay) = self.gatherer.relays.get_mut(key) else { return false };
        match relay.allocation.permit(self.now, peer) {
            Err(Wanting::TooMany) => {
                let known = self.generations.iter().flat_map(|g| g.candidates.remotes());
                let known: Vec<IpAddr> = known.map(|r| r.address.ip()).collect();
                let Some(relay) = self.gatherer.relays.get_mut(key) else { return false };
                relay.allocation.retain_peers(|ip| known.contains(&ip));
                relay.allocation.permit(self.now, peer).is_ok()
            }
            permitted => permitted.is_ok(),
        }
    }

    /// Data goes, or will go, to that peer from this relayed address: it gets a channel (RFC 8656 §12).
    pub(super) fn bind_channel(&mut self, tuple: crate::base::Tuple) {
        if let Some(relay) = self.gatherer.relays.named_mut(tuple.socket) {
            // Without one there are Send indications.
            let _ = relay.allocation.bind_channel(self.now, tuple.remote);
        }
    }

    /// A path over a relayed address misses an answer, or has ended: perhaps the server knows the allocation no more.
    pub(super) fn doubt_relay(&mut self, tuple: crate::base::Tuple) {
        if let Some(relay) = self.gatherer.relays.named_mut(tuple.socket) {
            relay.allocation.doubt(self.now, Some(tuple.remote.ip()));
        }
    }

    /// A restart, for whatever reason: allocations that are told again should be there.
    pub(super) fn doubt_relays(&mut self) {
        for relay in self.gatherer.relays.iter_mut() {
            relay.allocation.doubt(self.now, None);
        }
    }

    /// The server will not relay to that address: pairs with it fail.
    fn on_peer_refused(&mut self, names: &[SocketId], peer: IpAddr, code: u16) {
        let Self { generations, random, tracer, .. } = self;
        let Some(generation) = generations.get_mut(generations.current.number) else { return };
        let candidates = &mut generation.candidates;
        let mut cx = crate::check::Context { now: self.now, candidates, random, tracer };
        generation.checks.on_unreachable(&mut cx, CheckFailure::RelayRefused(code), |pair| {
            names.contains(&pair.tuple.socket) && pair.tuple.remote.ip() == peer
        });
        self.absorb();
    }

    /// Once more at the server, after a while that grows with each loss.
    fn allocate_again(&mut self, attempt: Attempt) {
        if self.life != Life::Running {
            return;
        }
        let Some(server) = self.gatherer.relays.server(attempt.server) else { return };
        let (pause, attempt) = attempt.after_loss(self.now, server.address());
        self.gatherer.relays.try_later(self.now + pause, attempt);
    }

    /// An allocation is over: its candidates, its sockets and what carried it are gone.
    pub(super) fn end_relay(&mut self, key: SocketId) {
        let Some(relay) = self.gatherer.relays.remove(key) else { return };
        self.carriers.close(Purpose::Relay(key));
        // All are down before the first is told, so that no restart tells of another.
        let gone = relay.names.iter().map(|(name, _)| *name).filter(|name| self.gatherer.socket_down(*name));
        for name in gone.collect::<SmallVec<[SocketId; 2]>>() {
            self.lose_socket(name);
        }
    }

    /// A socket of the application's is gone, and with it what was allocated for it.
    pub(super) fn end_relays_of(&mut self, host: SocketId) {
        self.gatherer.relays.forget_attempts(|socket| socket.id() == host);
        let of = |r: &&crate::gather::Relay| r.attempt.host.id() == host;
        let keys: SmallVec<[SocketId; 4]> = self.gatherer.relays.iter().filter(of).map(|r| r.key).collect();
        for key in keys {
            self.end_relay(key);
        }
    }

    /// A component is not used any more: its allocations are deleted, as far as their sockets still carry that.
    pub(super) fn release_relays_of(&mut self, host: SocketId) {
        self.gatherer.relays.forget_attempts(|socket| socket.id() == host);
        let of = |r: &&crate::gather::Relay| r.attempt.host.id() == host;
        let keys: SmallVec<[SocketId; 4]> = self.gatherer.relays.iter().filter(of).map(|r| r.key).collect();
        for key in keys {
            let Some(relay) = self.gatherer.relays.get_mut(key) else { continue };
            relay.allocation.release(self.now);
            for (name, _) in core::mem::take(&mut relay.names) {
                if self.gatherer.socket_down(name) {
                    self.lose_socket(name);
                }
            }
        }
        self.take_relay_news();
    }

    /// The servers have seen sockets at addresses that may be told from now on.
    pub(super) fn tell_mapped(&mut self) {
        let of = |r: &crate::gather::Relay| {
            let is_own = r.via == Via::Socket(r.attempt.host.id());
            Some((r.attempt.host.id(), r.mapped.filter(|_| is_own)?, r.attempt.address.ip()))
        };
        let seen: SmallVec<[(SocketId, SocketAddr, IpAddr); 4]> =
            self.gatherer.relays.iter().filter_map(of).collect();
        for (host, mapped, server) in seen {
            let _ = self.add_reflexive(self.now, host, mapped, Some(server));
        }
    }

    /// Deletes all allocations (RFC 8656 §8), for an agent that ends.
    pub(super) fn release_relays(&mut self) {
        self.gatherer.relays.forget_attempts(|_| true);
        for relay in self.gatherer.relays.iter_mut() {
            relay.allocation.release(self.now);
        }
        self.take_relay_news();
    }

    /// Who has failed tells nothing more: what is deleted is forgotten.
    fn bury_relays(&mut self) {
        let mut over: SmallVec<[SocketId; 4]> = SmallVec::new();
        for relay in self.gatherer.relays.iter_mut() {
            while relay.allocation.next_event().is_some() {}
            if relay.allocation.is_over() {
                over.push(relay.key);
            }
        }
        for key in over {
            self.gatherer.relays.remove(key);
            self.carriers.close(Purpose::Relay(key));
        }
    }

    /// Whether a relay was given to us, of whatever kind.
    pub(super) fn has_relayed_candidate(&self) -> bool {
        let locals = self.generations.current.candidates.locals();
        locals.iter().any(|l| l.kind == CandidateType::Relayed)
    }

    /// Tells what is wrong with a TURN server, now and in the report at the end.
    fn tell_relay_fault(&mut self, server: SocketAddr, socket: SocketId, fault: ServerFault) {
        let code = match fault {
            ServerFault::Refused { code, .. } => Some(code),
            ServerFault::Credentials { code } => code,
            _ => None,
        };
        self.hints.relay_fault = Some((server, code));
        self.events.push_back(Event::ServerError { server, socket, fault });
    }
}
