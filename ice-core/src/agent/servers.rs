//! STUN servers: what is asked of them, and what becomes of their answers (RFC 8445 §5.1.1.2). Nothing that they say is
//! authenticated: a wrong answer costs a candidate that leads nowhere (§19.3).

use core::net::SocketAddr;

use smallvec::SmallVec;

use super::carry::Slots;
use super::{Agent, Event, Life, MAX_TRANSMIT, ServerFault};
use crate::base::{Instant, SocketId, Tuple};
use crate::candidate::is_transport_address;
use crate::gather::{Answered, Inquiry, ServerError};
use crate::trace::{DropReason, TraceEvent};
use crate::wire::{Class, ErrorCode, Message, MessageWriter, Method, ServerAttributes};

impl Agent {
    /// Asks the STUN server at `server` which address each socket of its family is seen from, now and for sockets that are
    /// still to come. The candidates that come of it are told as events; [`Event::GatheringDone`] waits for all
    /// servers, for 5 s at the most. Questions go out in turn with the checks, one in each Ta (RFC 8445 §14.1), and again
    /// every 15 s until the socket's component has selected a pair, so that the NAT keeps the mapping (§5.1.1.4), and at each restart.
    /// A server that is known already is not asked again.
    ///
    /// # Errors
    /// If the address cannot be a server's, there are too many servers, or the agent is lite or has ended.
    pub fn add_stun_server(&mut self, now: Instant, server: SocketAddr) -> Result<(), ServerError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(ServerError::Ended);
        }
        if self.generations.current.checks.is_lite() {
            return Err(ServerError::HostOnly);
        }
        // Sockets that are fresh will ask it with all others.
        self.gatherer.add_stun_server(self.now, server)
    }

    /// Whether this is a server's answer to us: by its transaction, and by where it comes from. It need not have a
    /// FINGERPRINT.
    pub(super) fn is_from_server(&self, tuple: Tuple, message: &Message<'_>) -> bool {
        message.method() == Method::BINDING
            && matches!(message.class(), Class::Success | Class::Error)
            && self.gatherer.inquiries.awaits(message.transaction_id(), tuple)
    }

    pub(super) fn on_server_answer(&mut self, tuple: Tuple, message: &Message<'_>) -> Result<(), DropReason> {
        let error = message.error_code().map(ErrorCode::code);
        let attributes = ServerAttributes::read(message).map_err(DropReason::Malformed)?;
        let is_understood = message.class() == Class::Success && attributes.unknown_required().is_empty();
        // Servers of classic STUN know no XOR (RFC 8489 §14.2).
        let mapped = message.xor_mapped_address().or(attributes.mapped_address()).filter(|_| is_understood);
        let other = attributes.other_address().filter(|_| is_understood);
        let id = message.transaction_id();
        let Some(Answered { rtt, doubted }) = self.gatherer.inquiries.on_answer(self.now, id, mapped) else {
            return Err(DropReason::UnknownTransaction);
        };
        self.tracer
            .emit(self.now, TraceEvent::ServerAnswered { tuple, transaction: id, rtt, mapped, other, error });
        if let Some(before) = doubted {
            let could_be = |m: &SocketAddr| m.is_ipv4() == before.is_ipv4() && is_transport_address(*m);
            match mapped.filter(|mapped| *mapped != before && could_be(mapped)) {
                Some(_) => self.drop_remembered(tuple.socket, before),
                None => self.tell_remembered(tuple.socket, before),
            }
        }
        let outcome = match mapped {
            // One of another family, or one too many, is of no use, whoever sent it.
            Some(mapped) => {
                self.on_mapped(tuple, mapped);
                let _ = self.add_reflexive(self.now, tuple.socket, mapped, Some(tuple.remote.ip()));
                Ok(())
            }
            None => {
                let fault = match message.error_code() {
                    Some(error) => ServerFault::refused(error),
                    None => ServerFault::Unreadable,
                };
                self.events.push_back(Event::ServerError {
                    server: tuple.remote,
                    socket: tuple.socket,
                    fault,
                });
                Err(DropReason::NoMappedAddress)
            }
        };
        self.end_gathering();
        outcome
    }

    /// Tells the end of gathering, if it has come; before that, what servers were silent about.
    pub(super) fn end_gathering(&mut self) {
        while let Some((socket, seen)) = self.gatherer.inquiries.take_overdue(self.now) {
            self.tell_remembered(socket, seen);
        }
        let waits = self.gatherer.relays.is_gathering() || self.server_names.wait();
        if self.gatherer.inquiries.take_end(self.now, waits) {
            self.events.push_back(Event::GatheringDone);
        }
    }

    /// Lets time pass for the questions.
    pub(super) fn on_time_for_servers(&mut self) {
        let needed = self.sockets_without_choice();
        self.gatherer.inquiries.on_time(self.now, |socket| needed.contains(&socket));
        self.end_gathering();
    }

    /// The next question to a server. A new one uses the Ta that the checks would.
    pub(super) fn next_inquiry(&mut self, slots: Slots) -> Option<Inquiry> {
        let inquiries = &mut self.gatherer.inquiries;
        let inquiry = match inquiries.repeat(self.now) {
            Some(again) => again,
            None => {
                let checks = &mut self.generations.current.checks;
                if !inquiries.wants_slot() || !slots.allow(self.now, checks.next_slot()) {
                    return None;
                }
                let inquiry = inquiries.begin(self.now, checks.ta(), &mut self.random)?;
                checks.take_slot(self.now);
                self.gatherer.relays.on_slot_taken(false);
                inquiry
            }
        };
        let Inquiry { tuple, id, transmission } = inquiry;
        self.tracer.emit(self.now, TraceEvent::ServerAsked { tuple, transaction: id, attempt: transmission });
        Some(inquiry)
    }

    /// RFC 8489 §7.1: nothing but the header and, for whoever shares the port, a FINGERPRINT.
    pub(super) fn write_inquiry(inquiry: &Inquiry, scratch: &mut [u8; MAX_TRANSMIT]) -> Option<usize> {
        let message = MessageWriter::new(scratch, Class::Request, Method::BINDING, inquiry.id);
        message.finish_with_fingerprint().ok()
    }

    pub(super) fn next_server_deadline(&self) -> Option<Instant> {
        let slot = self.generations.current.checks.next_slot();
        let needed = self.sockets_without_choice();
        self.gatherer.inquiries.next_deadline(slot, |socket| needed.contains(&socket))
    }

    /// Those whose reflexive candidates matter still (RFC 8445 §5.1.1.4).
    fn sockets_without_choice(&self) -> SmallVec<[SocketId; 8]> {
        if self.gatherer.inquiries.are_unused() {
            return SmallVec::new();
        }
        let checks = &self.generations.current.checks;
        self.gatherer
            .living()
            .filter(|s| !checks.is_concluded(s.for_component()))
            .map(crate::gather::Socket::id)
            .collect()
    }
}
