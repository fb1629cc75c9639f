//! What the server's answers to our requests mean (RFC 8489 §6.3, §9.2.5, §10, RFC 8656 §7.3, §7.4, §8.3, §10.3, §12.3).

use core::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use super::allocation::{Allocation, LIFETIME, Phase, backoff, may_pass};
use super::config::{Carrier, Families};
use super::data::FromServer;
use super::event::{AllocationFailure, Loss, RelayEvent};
use super::requests::{Purpose, Sent};
use super::session::{Demand, is_bid_down};
use crate::base::Instant;
use crate::candidate::is_transport_address;
use crate::trace::DropReason;
use crate::wire::{Class, ErrorCode, Message, ServerAttributes};

/// How often a server that fails (5xx) is asked again for an allocation (RFC 8489 §6.3.4).
pub(super) const MAX_SETBACKS: u8 = 4;
/// How many kinds of refusals are told of, in the life of an allocation.
const MAX_TOLD: usize = 16;
/// How many servers may redirect us one after the other (RFC 8489 §10 only forbids circles).
pub(super) const MAX_REDIRECTS: usize = 5;

impl Allocation {
    pub(super) fn on_response(&mut self, now: Instant, message: &Message<'_>) -> FromServer {
        let id = message.transaction_id();
        let Some(sent) = self.requests.get(id) else { return FromServer::NotMine };
        if sent.purpose.method() != message.method() {
            return FromServer::Dropped(DropReason::UnexpectedMethod);
        }
        let attributes = match ServerAttributes::read(message) {
            Ok(attributes) => attributes,
            Err(error) => return FromServer::Dropped(DropReason::Malformed(error)),
        };
        let error = message.error_code().filter(|_| message.class() == Class::Error);
        if let Some(code @ (401 | 438)) = error.map(ErrorCode::code) {
            return self.on_demand(now, code, message, &attributes);
        }
        let is_redirect = sent.purpose == Purpose::Allocate && error.is_some_and(|error| error.code() == 300);
        let is_proven = match &sent.key {
            Some(key) => message.verify(key).is_ok(),
            // RFC 8489 §9.2.5: but for this one, what was not signed is answered so.
            None => error.is_none_or(|error| error.code() != 400),
        };
        let has_seal = message.has_integrity() || message.has_integrity_sha256();
        // RFC 8489 §10: a redirection need not be authenticated.
        if !is_proven && (has_seal || !is_redirect) {
            return self.on_unproven(now, message);
        }
        if is_bid_down(message.nonce(), &attributes) {
            return FromServer::Dropped(DropReason::BidDown);
        }
        let Some(sent) = self.requests.take(id) else { return FromServer::NotMine };
        if sent.key.is_some() && is_proven {
            self.session.on_proven();
        }
        match (message.class(), error) {
            // RFC 8489 §6.3.3, §6.3.4.
            _ if !attributes.unknown_required().is_empty() => {
                self.on_failure(now, &sent, AllocationFailure::Unreadable);
            }
            (Class::Success, _) => self.on_success(now, &sent, message, &attributes),
            (_, Some(error)) => self.on_error(now, &sent, error, &attributes),
            _ => self.on_failure(now, &sent, AllocationFailure::Unreadable),
        }
        FromServer::Handled
    }

    /// No answer came that counts: it is asked at once again, but for the first question of all.
    pub(super) fn on_expired(&mut self, now: Instant, sent: &Sent) {
        match sent.purpose {
            Purpose::Allocate => {
                let failure =
                    if sent.unproven { AllocationFailure::Unproven } else { AllocationFailure::NoAnswer };
                self.on_failure(now, sent, failure);
            }
            _ => self.ask_again(sent, now),
        }
    }

    /// A request came to nothing in a way that another would too.
    pub(super) fn on_failure(&mut self, now: Instant, sent: &Sent, failure: AllocationFailure) {
        match (sent.purpose, &self.phase) {
            (Purpose::Allocate, Phase::Allocating { .. }) => self.end(RelayEvent::Failed(failure)),
            (Purpose::Allocate | Purpose::Delete, Phase::Releasing { outcome, .. }) => {
                let outcome = outcome.clone();
                self.end(outcome);
            }
            _ => self.ask_again(sent, now + backoff(u8::MAX)),
        }
    }

    /// 401 or 438, which nobody can authenticate.
    fn on_demand(
        &mut self,
        now: Instant,
        code: u16,
        message: &Message<'_>,
        attributes: &ServerAttributes<'_>,
    ) -> FromServer {
        let id = message.transaction_id();
        let Some(sent) = self.requests.get(id) else { return FromServer::NotMine };
        let is_alive = matches!(self.phase, Phase::Alive(_));
        let demand = if code == 401 {
            self.session.on_unauthenticated(sent, message, attributes, is_alive)
        } else {
            self.session.on_stale(now, sent, message, attributes)
        };
        if let Demand::Ignored(reason) = demand {
            return FromServer::Dropped(reason);
        }
        let Some(sent) = self.requests.take(id) else { return FromServer::NotMine };
        let is_first = matches!(self.phase, Phase::Allocating { .. });
        match demand {
            Demand::Refused if is_first => self.end(RelayEvent::Failed(AllocationFailure::BadCredentials)),
            Demand::Refused => self.on_credentials_refused(now, &sent, code),
            Demand::Hopeless(failure) => self.on_failure(now, &sent, failure),
            Demand::Endless if is_first => {
                let failure = AllocationFailure::refused(ErrorCode::STALE_NONCE);
                self.end(RelayEvent::Failed(failure));
            }
            Demand::Endless => {
                self.tell(sent.purpose, ErrorCode::STALE_NONCE);
                self.ask_again(&sent, now);
            }
            Demand::Again | Demand::Ignored(_) => self.ask_again(&sent, now),
        }
        FromServer::Handled
    }

    /// The server will not take another request before we have other credentials.
    fn on_credentials_refused(&mut self, now: Instant, sent: &Sent, code: u16) {
        match sent.purpose {
            Purpose::Delete | Purpose::Allocate => {
                self.on_failure(now, sent, AllocationFailure::BadCredentials);
            }
            _ => {
                self.ask_again(sent, now);
                self.events.push_back(RelayEvent::CredentialsRefused { code });
            }
        }
    }

    fn on_unproven(&mut self, now: Instant, message: &Message<'_>) -> FromServer {
        let id = message.transaction_id();
        match self.config.carrier {
            // RFC 8489 §9.2.5: the true answer may still come.
            Carrier::Datagrams => {
                if let Some(sent) = self.requests.get_mut(id) {
                    sent.unproven = true;
                }
            }
            // It cannot: this one came in its place.
            Carrier::Stream => {
                if let Some(sent) = self.requests.take(id) {
                    self.on_failure(now, &sent, AllocationFailure::Unproven);
                }
            }
        }
        FromServer::Dropped(DropReason::UnauthenticatedResponse)
    }

    /// The purpose of a request is to be pursued with another one, from then on.
    fn ask_again(&mut self, sent: &Sent, at: Instant) {
        match (sent.purpose, &mut self.phase) {
            (Purpose::Permit, _) => self.permissions.ask_again(sent.serial, at),
            (Purpose::Bind(number), _) => self.channels.ask_again(number, at),
            (Purpose::Allocate, Phase::Allocating { ready, .. }) => *ready = at,
            (Purpose::Refresh, Phase::Alive(alive)) => alive.refresh = at,
            (Purpose::Delete, Phase::Releasing { pending, .. }) => *pending = true,
            // It was to be deleted if it came to be, and has not.
            (Purpose::Allocate, Phase::Releasing { outcome, .. }) => {
                let outcome = outcome.clone();
                self.end(outcome);
            }
            _ => {}
        }
    }

    fn on_success(
        &mut self,
        now: Instant,
        sent: &Sent,
        message: &Message<'_>,
        attributes: &ServerAttributes<'_>,
    ) {
        match sent.purpose {
            Purpose::Allocate => self.on_allocated(now, sent, message, attributes),
            Purpose::Refresh => match (&mut self.phase, attributes.lifetime().unwrap_or(LIFETIME)) {
                (Phase::Alive(_), lifetime) if lifetime.is_zero() => {
                    self.end(RelayEvent::Lost(Loss::Forgotten));
                }
                (Phase::Alive(alive), lifetime) => {
                    *alive = Self::lives(core::mem::take(&mut alive.relayed), sent.first, lifetime);
                }
                _ => {}
            },
            Purpose::Keepalive => {}
            Purpose::Delete => self.on_deleted(),
            Purpose::Permit => self.permissions.on_granted(sent.first, sent.serial, &mut self.events),
            Purpose::Bind(number) => {
                let Some((peer, is_new)) = self.channels.on_bound(now, sent.first, number) else { return };
                self.permissions.on_channel_bound(sent.first, peer.ip(), &mut self.events);
                if is_new {
                    self.events.push_back(RelayEvent::ChannelBound(peer));
                }
            }
        }
    }

    fn on_allocated(
        &mut self,
        now: Instant,
        sent: &Sent,
        message: &Message<'_>,
        attributes: &ServerAttributes<'_>,
    ) {
        let Phase::Allocating { families, .. } = self.phase else {
            // It was not wanted any more when it came.
            if let Phase::Releasing { pending, .. } = &mut self.phase {
                *pending = true;
            }
            return;
        };
        let mut relayed: SmallVec<[SocketAddr; 2]> = SmallVec::new();
        let mut is_readable = true;
        // After a 440, coturn 4.6 lists the refused family too, as all zeros beside the address that it gave.
        let is_blank = |address: &SocketAddr| address.ip().is_unspecified() && address.port() == 0;
        for address in attributes.xor_relayed_addresses().filter(|address| !is_blank(address)) {
            let is_second = relayed.iter().any(|other| other.is_ipv4() == address.is_ipv4());
            is_readable &= !is_second && families.include(address) && is_transport_address(address);
            if is_readable {
                relayed.push(address);
            }
        }
        if !is_readable || relayed.is_empty() {
            // RFC 8656 §7.3: what cannot be used is deleted.
            let outcome = RelayEvent::Failed(AllocationFailure::Unreadable);
            return self.release_with(now, true, outcome);
        }
        let lifetime = attributes.lifetime().unwrap_or(LIFETIME);
        let mapped = message.xor_mapped_address().filter(|address| is_transport_address(*address));
        self.phase = Phase::Alive(Self::lives(relayed.clone(), sent.first, lifetime));
        self.events.push_back(RelayEvent::Allocated { relayed: relayed.clone(), mapped, lifetime });
        let has_none = |ip: IpAddr| !relayed.iter().any(|address| address.is_ipv4() == ip.is_ipv4());
        let code = ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH.code();
        for peer in self.permissions.refuse(has_none) {
            self.on_peer_refused(peer, code);
        }
    }

    fn on_error(
        &mut self,
        now: Instant,
        sent: &Sent,
        error: ErrorCode<'_>,
        attributes: &ServerAttributes<'_>,
    ) {
        let code = error.code();
        match sent.purpose {
            Purpose::Allocate => self.on_allocate_error(now, sent, error, attributes),
            // RFC 8656 §8.3: 437 means that it is gone. Whatever else it means, it expires.
            Purpose::Delete => self.on_deleted(),
            // RFC 8656 §5.
            _ if code == ErrorCode::ALLOCATION_MISMATCH.code() => {
                self.end(RelayEvent::Lost(Loss::Forgotten));
            }
            _ if code == ErrorCode::WRONG_CREDENTIALS.code() => match self.session.on_refused(code) {
                Demand::Refused => self.on_credentials_refused(now, sent, code),
                _ => self.ask_again(sent, now),
            },
            Purpose::Keepalive => {}
            Purpose::Refresh => {
                self.tell(sent.purpose, error);
                if let Phase::Alive(alive) = &mut self.phase {
                    // It lives until it expires, and the server may think better of it.
                    alive.refresh = now + backoff(alive.setbacks);
                    alive.setbacks = alive.setbacks.saturating_add(1);
                }
            }
            Purpose::Permit => {
                self.tell(sent.purpose, error);
                for peer in self.permissions.on_refused(now, sent.serial, code) {
                    self.on_peer_refused(peer, code);
                }
            }
            Purpose::Bind(number) => {
                self.tell(sent.purpose, error);
                if let Some(peer) = self.channels.on_refused(now, number, code) {
                    self.events.push_back(RelayEvent::ChannelRefused { peer, code });
                }
            }
        }
    }

    /// Tells of a refusal that may pass, once for each kind of request and code.
    fn tell(&mut self, purpose: Purpose, error: ErrorCode<'_>) {
        let kind = (purpose.method(), error.code());
        if self.told.len() < MAX_TOLD && !self.told.contains(&kind) {
            self.told.push(kind);
            let AllocationFailure::Refused { code, reason } = AllocationFailure::refused(error) else {
                return;
            };
            self.events.push_back(RelayEvent::Refused { code, reason });
        }
    }

    fn on_allocate_error(
        &mut self,
        now: Instant,
        sent: &Sent,
        error: ErrorCode<'_>,
        attributes: &ServerAttributes<'_>,
    ) {
        let Phase::Allocating { families, ready, setbacks } = &mut self.phase else {
            return self.on_failure(now, sent, AllocationFailure::refused(error));
        };
        match (error.code(), *families) {
            (300, _) => self.on_redirected(error, attributes),
            (437, _) => self.end(RelayEvent::NeedsNewPort),
            // RFC 8656 §7.2: to a request that names no family, this says that there is no IPv4; another may be granted.
            (440, Families::Both) => *families = Families::V6,
            // A server that knows IPv4 alone should have said so of IPv6 only, and granted that.
            (440, Families::V6) if self.config.families == Families::Both => *families = Families::V4,
            // A server that stumbles over the second family may have the first.
            (400 | 420, Families::Both) => *families = Families::V4,
            (code, _) if may_pass(code) && *setbacks < MAX_SETBACKS => {
                *ready = now + backoff(*setbacks);
                *setbacks += 1;
            }
            _ => self.end(RelayEvent::Failed(AllocationFailure::refused(error))),
        }
    }

    fn on_redirected(&mut self, error: ErrorCode<'_>, attributes: &ServerAttributes<'_>) {
        let here = self.config.server;
        // RFC 8489 §10: the first is of the family of the request.
        let is_fit = |to: &SocketAddr| to.is_ipv4() == here.is_ipv4() && is_transport_address(*to);
        let before = &self.config.redirected_by;
        let event = match attributes.alternate_servers().find(is_fit) {
            None => RelayEvent::Failed(AllocationFailure::refused(error)),
            Some(to) if to == here || before.contains(&to) || before.len() >= MAX_REDIRECTS => {
                RelayEvent::Failed(AllocationFailure::RedirectLoop)
            }
            Some(to) => RelayEvent::Redirect { to, domain: attributes.alternate_domain().map(Into::into) },
        };
        self.end(event);
    }

    fn on_peer_refused(&mut self, peer: IpAddr, code: u16) {
        self.channels.forget(|other| other.ip() == peer);
        self.events.push_back(RelayEvent::PeerRefused { peer, code });
    }

    fn on_deleted(&mut self) {
        if let Phase::Releasing { outcome, .. } = &self.phase {
            let outcome = outcome.clone();
            self.end(outcome);
        }
    }
}
