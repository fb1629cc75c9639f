//! What comes in on the sockets of a discovery: which of it is an answer, and to what.

use core::fmt;
use core::net::SocketAddr;

use super::behaviour::HairpinBehaviour;
use super::discovery::{Discovery, Question};
use super::evidence::{Other, Place, Reply, Side, Stage};
use crate::base::{Instant, SocketId};
use crate::candidate::is_transport_address;
use crate::wire::{Class, Message, Method, ServerAttributes, WireError, is_stun};

/// What became of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiscoveryReceived {
    /// It was an answer, or a datagram of our own that has come back.
    Consumed,
    /// It looks like an answer and changes nothing.
    Dropped(DiscoveryDrop),
    /// It is not for the discovery at all.
    Unclaimed,
}

/// Why an answer does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DiscoveryDrop {
    /// It came to a socket that the discovery does not have.
    UnknownSocket(SocketId),
    /// It is no well-formed message.
    Malformed(WireError),
    /// It answers nothing that was asked, or not any more.
    UnknownTransaction,
    /// It came from another address than the question calls for, or to the wrong socket: one that was asked, or could have
    /// been told to answer, did not send it.
    WrongPlace(SocketAddr),
    /// It has attributes that have to be understood and are not (RFC 8489 §6.3.3).
    NotUnderstood,
}

/// The discovery has sent nothing there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotADestination(
    /// Where sending is said to have failed.
    pub SocketAddr,
);

impl fmt::Display for NotADestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing was sent to {}", self.0)
    }
}

impl core::error::Error for NotADestination {}

impl Discovery {
    /// A datagram has come to one of the sockets. Poll afterwards.
    pub fn receive(
        &mut self,
        now: Instant,
        socket: SocketId,
        remote: SocketAddr,
        bytes: &[u8],
    ) -> DiscoveryReceived {
        self.advance(now);
        let sides = [Side::First, Side::Second].into_iter();
        let is_here = |side: &Side| self.spot(*side).is_some_and(|spot| spot.socket == socket);
        let Some(side) = sides.into_iter().find(is_here) else {
            return DiscoveryReceived::Dropped(DiscoveryDrop::UnknownSocket(socket));
        };
        if !is_stun(bytes) {
            return DiscoveryReceived::Unclaimed;
        }
        if side == Side::First && remote == self.config.server {
            self.on_first_used();
        }
        match self.take(side, remote, bytes) {
            Ok(true) => DiscoveryReceived::Consumed,
            Ok(false) => DiscoveryReceived::Unclaimed,
            Err(why) => DiscoveryReceived::Dropped(why),
        }
    }

    /// The driver could not send there, or an ICMP error came back. Nobody has signed it, and it ends nothing: it is counted.
    ///
    /// # Errors
    /// If the discovery sends nothing from this socket to there.
    pub fn send_failed(
        &mut self,
        now: Instant,
        socket: SocketId,
        remote: SocketAddr,
    ) -> Result<(), NotADestination> {
        self.advance(now);
        let places = [Place::Main, Place::OtherPort, Place::OtherAddress, Place::OtherBoth];
        let servers = places.into_iter().filter_map(|place| self.address(place));
        let mapped = [self.evidence.first, self.evidence.second].into_iter().filter_map(Reply::seen);
        let is_ours = self.config.first.socket == socket
            || self.config.second.is_some_and(|second| second.socket == socket);
        if !is_ours || !servers.chain(mapped).any(|known| known == remote) {
            return Err(NotADestination(remote));
        }
        self.send_failures = self.send_failures.saturating_add(1);
        Ok(())
    }

    /// Whether the message is for us, and what it says.
    fn take(&mut self, side: Side, remote: SocketAddr, bytes: &[u8]) -> Result<bool, DiscoveryDrop> {
        let message = Message::parse(bytes).map_err(DiscoveryDrop::Malformed)?;
        let id = message.transaction_id();
        let asked = self.out.get(id).map(|transaction| transaction.purpose);
        match message.class() {
            Class::Request if message.method() == Method::BINDING => {
                // Our own question, which has gone around through the NAT. Anybody else's is not our affair.
                let Some(Question::Loop(from)) = asked else { return Ok(false) };
                if from == side {
                    return Err(DiscoveryDrop::WrongPlace(remote));
                }
                self.on_loop(from, remote);
                return Ok(true);
            }
            Class::Request | Class::Indication => return Ok(false),
            Class::Success | Class::Error => {}
        }
        let question = asked.ok_or(DiscoveryDrop::UnknownTransaction)?;
        let attributes = ServerAttributes::read(&message).map_err(DiscoveryDrop::Malformed)?;
        if message.method() != Method::BINDING {
            return Err(DiscoveryDrop::UnknownTransaction);
        }
        if !attributes.unknown_required().is_empty() {
            return Err(DiscoveryDrop::NotUnderstood);
        }
        let reply = match (message.class(), message.error_code(), message.xor_mapped_address()) {
            (Class::Error, Some(error), _) => Reply::Refused(error.code()),
            (Class::Error, None, _) => return Err(DiscoveryDrop::NotUnderstood),
            (_, _, Some(mapped)) if self.is_plausible(mapped) => Reply::Seen(mapped),
            _ => Reply::NoAddress,
        };
        self.on_reply(question, (side, remote), reply)?;
        if question == Question::Contact(Side::First) {
            self.evidence.other = attributes.other_address().map_or(Other::None, |other| self.usable(other));
            let both = attributes.mapped_address().zip(message.xor_mapped_address());
            self.evidence.rewrites = both.map(|(plain, masked)| plain != masked);
        }
        Ok(true)
    }

    fn on_reply(
        &mut self,
        question: Question,
        (side, remote): (Side, SocketAddr),
        reply: Reply,
    ) -> Result<(), DiscoveryDrop> {
        let wrong = Err(DiscoveryDrop::WrongPlace(remote));
        let is_main = remote == self.config.server;
        match question {
            Question::Contact(asker) if asker == side && is_main => match side {
                Side::First => self.evidence.first = reply,
                Side::Second => self.evidence.second = reply,
            },
            Question::From(place) if side == Side::First => {
                let reply = match (reply, is_main) {
                    // RFC 5780 §6.1: what is refused is refused from where it was asked.
                    (Reply::Refused(_), true) => reply,
                    (_, true) => Reply::Ignored,
                    (_, false) if self.address(place) == Some(remote) => reply,
                    (_, false) => return wrong,
                };
                let [port, both] = &mut self.evidence.changed;
                *(if place == Place::OtherPort { port } else { both }) = reply;
            }
            Question::At(place) if side == Side::First && self.address(place) == Some(remote) => {
                if let Some(slot) = self.evidence.places.get_mut(place as usize) {
                    *slot = reply;
                }
            }
            Question::Refresh if side == Side::First && is_main => self.on_refreshed(reply),
            Question::Redirect(_) if is_main => match side {
                Side::First if matches!(reply, Reply::Refused(_)) => return wrong,
                Side::First => self.on_redirected(),
                Side::Second => self.on_not_redirected(reply),
            },
            _ => return wrong,
        }
        // The lifetime's have already made way for what comes next.
        if !matches!(question, Question::Refresh | Question::Redirect(_)) {
            self.out.forget(|out| *out == question);
            self.waiting.retain(|waiting| *waiting != question);
        }
        Ok(())
    }

    /// RFC 5780 §3.4: a datagram of one socket has come to the other.
    fn on_loop(&mut self, from: Side, source: SocketAddr) {
        let mapped = match from {
            Side::First => self.evidence.first.seen(),
            Side::Second => self.evidence.second.seen(),
        };
        let is_external = mapped.is_some_and(|mapped| mapped.ip() == source.ip());
        self.evidence.hairpin = Some(match is_external {
            true => HairpinBehaviour::ExternalSource,
            false => HairpinBehaviour::InternalSource,
        });
        self.out.forget(|out| matches!(out, Question::Loop(_)));
        self.waiting.retain(|waiting| !matches!(waiting, Question::Loop(_)));
    }

    /// Whether it can be an address of ours at all, which we may have to send to.
    fn is_plausible(&self, mapped: SocketAddr) -> bool {
        is_transport_address(mapped) && mapped.is_ipv4() == self.config.server.is_ipv4()
    }

    /// RFC 5780 §6: another address and another port, of the same family.
    fn usable(&self, other: SocketAddr) -> Other {
        let main = self.config.server;
        let is_apart = other.ip() != main.ip() && other.port() != main.port();
        match is_apart && self.is_plausible(other) && self.evidence.stage == Stage::Contact {
            true => Other::At(other),
            false => Other::Unusable,
        }
    }
}
