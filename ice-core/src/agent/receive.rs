//! A datagram comes in. First it is proven: well formed, ours, signed. Only then does it reach a room and change
//! anything. What fails a proof is dropped with its reason.

use super::answer::{Answer, AnswerKind};
use super::{Agent, Datagram, Life, Received};
use crate::base::{Instant, Tuple};
use crate::candidate::{CandidateType, is_transport_address};
use crate::check::{Accepted, Request};
use crate::gather::Socket;
use crate::trace::{DropReason, TraceEvent};
use crate::wire::{Class, ErrorCode, Message, Method, WireError, is_stun};

impl Agent {
    /// What `datagram` means. Poll afterwards: an answer may wait.
    pub fn receive<'d>(&mut self, now: Instant, datagram: Datagram<'d>) -> Received<'d> {
        self.advance(now);
        let Datagram { socket, remote, bytes } = datagram;
        let tuple = Tuple { socket, remote };
        if !is_stun(bytes) {
            return match self.paths.source(tuple).filter(|_| self.life == Life::Running) {
                Some((component, path)) => Received::Data { component, path, payload: bytes },
                None => Received::Unclaimed(bytes),
            };
        }
        match self.on_stun(tuple, bytes) {
            Ok(()) => Received::Consumed,
            Err(reason) => {
                self.tracer.emit(self.now, TraceEvent::Dropped { socket, remote, reason });
                Received::Dropped(reason)
            }
        }
    }

    fn on_stun(&mut self, tuple: Tuple, bytes: &[u8]) -> Result<(), DropReason> {
        if self.life != Life::Running {
            return Err(DropReason::Ended);
        }
        self.gather();
        let message = Message::parse(bytes).map_err(DropReason::Malformed)?;
        let socket = *self.gatherer.socket(tuple.socket).ok_or(DropReason::UnknownSocket)?;
        if socket.local().is_ipv4() != tuple.remote.is_ipv4() {
            return Err(DropReason::WrongFamily);
        }
        // Nobody can have sent from there, and what is learned from it would be aimed at.
        if !is_transport_address(tuple.remote) {
            return Err(DropReason::NotATransportAddress);
        }
        if !message.has_fingerprint() {
            return Err(DropReason::NoFingerprint);
        }
        if message.method() != Method::BINDING {
            return Err(DropReason::UnexpectedMethod);
        }
        let outcome = match message.class() {
            Class::Request => self.on_request(socket, tuple, &message),
            Class::Success | Class::Error => self.on_response(tuple, &message),
            // RFC 8445 §11: a keepalive. It proves nothing and asks for nothing.
            Class::Indication => Ok(()),
        };
        self.absorb();
        outcome
    }

    fn on_request(&mut self, socket: Socket, tuple: Tuple, message: &Message<'_>) -> Result<(), DropReason> {
        let component = socket.for_component();
        // RFC 8445 §7.3.1.4: the local candidate is the one that is its own base.
        let local = self.candidates.base_of(socket.id()).map(|base| base.id);
        let local = local.ok_or(DropReason::Filtered).and_then(|local| {
            let is_known = self.candidates.find_remote(component, tuple.remote).is_some();
            let kind = CandidateType::PeerReflexive;
            let is_admitted = is_known || self.remote_filter.admits(kind, tuple.remote.ip());
            if is_admitted { Ok(local) } else { Err(DropReason::Filtered) }
        });
        let local = local.inspect_err(|_| {
            self.hints.filtered_requests = self.hints.filtered_requests.saturating_add(1);
        })?;
        if self.answers.is_full() {
            return Err(DropReason::AnswerQueueFull);
        }
        let answer = |kind| Answer { tuple, id: message.transaction_id(), kind };
        if let Err(reason) = self.authenticate(message) {
            let kind = match reason {
                DropReason::NoCredentials => AnswerKind::NoCredentials,
                _ => AnswerKind::Unauthenticated,
            };
            // No reply is larger than its request for the unauthenticated: these are 52 and 56 bytes at the most.
            if message.bytes().len() >= MIN_ANSWERED_UNAUTHENTICATED && !self.answers.is_full_for_strangers()
            {
                self.answers.push(answer(kind));
            }
            return Err(reason);
        }
        let unknown = message.unknown_required();
        if !unknown.is_empty() {
            self.answers.push(answer(AnswerKind::UnknownAttributes(unknown)));
            return Err(DropReason::UnknownAttributes);
        }
        let Some(priority) = message.priority() else {
            self.answers.push(answer(AnswerKind::BadRequest));
            return Err(DropReason::NoPriority);
        };
        let request = Request {
            id: message.transaction_id(),
            tuple,
            local,
            component,
            priority,
            claim: message.role(),
            use_candidate: message.use_candidate(),
        };
        let (checks, mut cx) = self.checks_and_context();
        let accepted = checks.on_request(&mut cx, request);
        self.answers.push(answer(match accepted {
            Accepted::Success | Accepted::SuccessOnly => AnswerKind::Success,
            Accepted::RoleConflict => AnswerKind::RoleConflict,
        }));
        self.paths.on_request(tuple, component);
        match accepted {
            Accepted::SuccessOnly => Err(DropReason::TooManyCandidates),
            _ => Ok(()),
        }
    }

    /// RFC 8489 §9.1.3 and RFC 8445 §7.3: the user is ours, and the message is signed with our password.
    fn authenticate(&mut self, message: &Message<'_>) -> Result<(), DropReason> {
        let Some((ours, _)) = message.username_halves() else { return Err(DropReason::NoCredentials) };
        if !message.has_integrity() {
            return Err(DropReason::NoCredentials);
        }
        if ours != self.credentials.ufrag() {
            self.hints.strangers = self.hints.strangers.saturating_add(1);
            return Err(DropReason::WrongUsername);
        }
        if message.verify(&self.local_key).is_err() {
            self.hints.rejected = self.hints.rejected.saturating_add(1);
            return Err(DropReason::WrongPassword);
        }
        Ok(())
    }

    fn on_response(&mut self, tuple: Tuple, message: &Message<'_>) -> Result<(), DropReason> {
        let id = message.transaction_id();
        let (of_check, of_consent) = (self.checks.awaits(id), self.paths.awaits(id));
        if !of_check && !of_consent {
            return Err(DropReason::UnknownTransaction);
        }
        // RFC 8489 §9.1.4: a response that is not signed by the peer is as if it had never come.
        let Some(remote) = &self.remote else { return Err(DropReason::UnknownTransaction) };
        if message.verify(&remote.key).is_err() {
            if message.error_code().is_some_and(|e| e.code() == ErrorCode::UNAUTHENTICATED.code()) {
                self.hints.refused_credentials = self.hints.refused_credentials.saturating_add(1);
                return Err(DropReason::CredentialsRefused);
            }
            return Err(DropReason::UnauthenticatedResponse);
        }
        // RFC 8489 §6.3.3: a response that cannot be understood ends its transaction in failure.
        if !message.unknown_required().is_empty() {
            self.on_error(tuple, message, of_check, ErrorCode::UNKNOWN_ATTRIBUTE.code());
            return Err(DropReason::UnknownAttributes);
        }
        let error = message.error_code().map(ErrorCode::code);
        match (message.class(), error) {
            (Class::Success, _) => self.on_success(tuple, message, of_check),
            (_, Some(code)) => {
                self.on_error(tuple, message, of_check, code);
                Ok(())
            }
            (_, None) => {
                Err(DropReason::Malformed(WireError::Malformed(crate::wire::AttributeType::ERROR_CODE)))
            }
        }
    }

    fn on_success(&mut self, tuple: Tuple, message: &Message<'_>, of_check: bool) -> Result<(), DropReason> {
        let id = message.transaction_id();
        if !of_check {
            let granted = self.paths.on_response(self.now, id, tuple, &mut self.tracer);
            return granted.map(|_| ()).ok_or(DropReason::UnknownTransaction);
        }
        let mapped = message.xor_mapped_address().ok_or(DropReason::NoMappedAddress)?;
        let (checks, mut cx) = self.checks_and_context();
        checks.on_success(&mut cx, id, tuple, mapped);
        Ok(())
    }

    fn on_error(&mut self, tuple: Tuple, message: &Message<'_>, of_check: bool, code: u16) {
        let id = message.transaction_id();
        if of_check {
            let (checks, mut cx) = self.checks_and_context();
            checks.on_error(&mut cx, id, tuple, code);
        } else if code == ErrorCode::FORBIDDEN.code() {
            self.paths.on_revoked(self.now, id, tuple, &mut self.tracer);
        } else if code == ErrorCode::ROLE_CONFLICT.code()
            && let Some((pair, claim)) = self.paths.on_conflict(id, tuple)
        {
            let (checks, mut cx) = self.checks_and_context();
            checks.on_consent_conflict(&mut cx, pair, claim);
        }
    }
}

/// The length of our unauthenticated 401: header 20, ERROR-CODE 4 + 4 + 16, FINGERPRINT 8. The 400 is shorter.
const MIN_ANSWERED_UNAUTHENTICATED: usize = 52;
