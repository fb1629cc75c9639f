//! A datagram comes in. First it is proven: well formed, ours, signed. Only then does it reach a room and change
//! anything. What fails a proof is dropped with its reason.

use super::answer::{Answer, AnswerKind};
use super::carry::Unpacked;
use super::generation::Generations;
use super::{Agent, Datagram, Life, Received};
use crate::base::{ComponentId, Instant, Tuple};
use crate::candidate::{CandidateType, is_transport_address};
use crate::check::{self, Accepted, Request};
use crate::gather::Socket;
use crate::trace::{DropReason, TraceEvent};
use crate::wire::{Class, ErrorCode, Message, Method, WireError, is_stun};

impl Agent {
    /// What `datagram` means. Poll afterwards: an answer may wait.
    pub fn receive<'d>(&mut self, now: Instant, datagram: Datagram<'d>) -> Received<'d> {
        self.advance(now);
        let Datagram { socket, remote, bytes } = datagram;
        self.receive_on(Tuple { socket, remote }, bytes)
    }

    /// What has come in over a flow, whatever carries it.
    pub(super) fn receive_on<'d>(&mut self, tuple: Tuple, bytes: &'d mut [u8]) -> Received<'d> {
        if let Some(key) = self.gatherer.relays.over(tuple) {
            match self.unpack(key, bytes) {
                // The same server may have been asked as a STUN server.
                Unpacked::NotMine => {}
                unpacked => return self.deliver(tuple, unpacked, bytes),
            }
        }
        if !is_stun(bytes) {
            return match self.paths.source(tuple).filter(|_| self.life == Life::Running) {
                Some((component, path)) => {
                    self.count_received(tuple, component, path, bytes.len());
                    Received::Data { component, path, payload: bytes }
                }
                None => Received::Unclaimed(bytes),
            };
        }
        match self.on_stun(tuple, bytes) {
            Ok(()) => Received::Consumed,
            Err(reason) => {
                let Tuple { socket, remote } = tuple;
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
        if self.is_from_server(tuple, &message) {
            return self.on_server_answer(tuple, &message);
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
        if self.is_filtered(socket, tuple, message) {
            self.hints.filtered_requests = self.hints.filtered_requests.saturating_add(1);
            return Err(DropReason::Filtered);
        }
        if self.answers.is_full() {
            return Err(DropReason::AnswerQueueFull);
        }
        let id = message.transaction_id();
        let authenticated = self.authenticate(message);
        let generation = *authenticated.as_ref().unwrap_or(&self.generations.current.number);
        let answer = |kind| Answer { tuple, id, generation, kind };
        if let Err(reason) = authenticated {
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
        let outcome = self.on_authenticated(generation, socket, tuple, message);
        self.count_request(generation, tuple);
        outcome
    }

    /// Whether the application's filters keep a request out: one to a socket that is not to be used, or from a source that
    /// is not. What was signalled for the generation of the request has passed as what it is.
    fn is_filtered(&self, socket: Socket, tuple: Tuple, message: &Message<'_>) -> bool {
        let Generations { current, .. } = &self.generations;
        let addressed = message.username_halves();
        let generation =
            addressed.and_then(|username| self.generations.iter().find(|g| g.is_addressed_by(username)));
        let candidates = &generation.unwrap_or(current).candidates;
        // An old generation does not know sockets that came up later.
        let ours = self.direction(tuple);
        let Some(local) = current.candidates.base_of(socket.id(), ours) else { return true };
        candidates.find_remote(socket.for_component(), local.counterpart(), tuple.remote).is_none()
            && !self.remote_filter.admits(CandidateType::PeerReflexive, tuple.remote.ip())
    }

    fn on_authenticated(
        &mut self,
        generation: u16,
        socket: Socket,
        tuple: Tuple,
        message: &Message<'_>,
    ) -> Result<(), DropReason> {
        let answer = |kind| Answer { tuple, id: message.transaction_id(), generation, kind };
        let unknown = message.unknown_required();
        if !unknown.is_empty() {
            self.answers.push(answer(AnswerKind::UnknownAttributes(unknown)));
            return Err(DropReason::UnknownAttributes);
        }
        let Some(priority) = message.priority() else {
            self.answers.push(answer(AnswerKind::BadRequest));
            return Err(DropReason::NoPriority);
        };
        let component = socket.for_component();
        let accepted = self.accept(generation, (tuple, component, priority), message)?;
        self.answers.push(answer(match accepted {
            Accepted::Success | Accepted::SuccessOnly => AnswerKind::Success,
            Accepted::NominationRefused => AnswerKind::BadRequest,
            Accepted::RoleConflict => AnswerKind::RoleConflict,
        }));
        self.paths.on_request(tuple, component);
        self.carriers.on_proven(tuple);
        match accepted {
            Accepted::SuccessOnly => Err(DropReason::TooManyCandidates),
            Accepted::NominationRefused => Err(DropReason::NominationRefused),
            _ => Ok(()),
        }
    }

    /// Lets an authenticated request take effect. In an old generation it has none: the peer is answered, so that what it
    /// uses lives until it follows us (RFC 8445 §9).
    fn accept(
        &mut self,
        number: u16,
        (tuple, component, priority): (Tuple, ComponentId, u32),
        message: &Message<'_>,
    ) -> Result<Accepted, DropReason> {
        if self.generations.is_old(number) {
            return Ok(Accepted::Success);
        }
        let ours = self.direction(tuple);
        let Self { generations, random, tracer, .. } = self;
        let Some(generation) = generations.get_mut(number) else { return Err(DropReason::WrongUsername) };
        // RFC 8445 §7.3.1.4: the local candidate is the one that is its own base.
        let local = generation.candidates.base_of(tuple.socket, ours).ok_or(DropReason::UnknownSocket)?.id;
        let request = Request {
            id: message.transaction_id(),
            tuple,
            local,
            component,
            priority,
            claim: message.role(),
            // libwebrtc sends NOMINATION instead of USE-CANDIDATE where both sides renominate.
            use_candidate: message.use_candidate()
                || generation.checks.renominates() && message.nomination().is_some_and(|n| n > 0),
            nomination: message.nomination(),
        };
        let mut cx = check::Context { now: self.now, candidates: &mut generation.candidates, random, tracer };
        Ok(generation.checks.on_request(&mut cx, request))
    }

    /// RFC 8489 §9.1.3 and RFC 8445 §7.3: the user is ours, and the message is signed with our password. Of which
    /// generation.
    fn authenticate(&mut self, message: &Message<'_>) -> Result<u16, DropReason> {
        let Some(username) = message.username_halves() else { return Err(DropReason::NoCredentials) };
        if !message.has_integrity() {
            return Err(DropReason::NoCredentials);
        }
        let Some(generation) = self.generations.iter().find(|g| g.is_addressed_by(username)) else {
            self.hints.strangers = self.hints.strangers.saturating_add(1);
            return Err(DropReason::WrongUsername);
        };
        if message.verify(&generation.local_key).is_err() {
            self.hints.rejected = self.hints.rejected.saturating_add(1);
            return Err(DropReason::WrongPassword);
        }
        let number = generation.number;
        if let Some(generation) = self.generations.get_mut(number) {
            generation.on_heard(username.1);
        }
        Ok(number)
    }

    fn on_response(&mut self, tuple: Tuple, message: &Message<'_>) -> Result<(), DropReason> {
        let id = message.transaction_id();
        // Checks are only ever sent by the current generation; consent is asked for in whichever has the path.
        let of_check = self.generations.current.checks.awaits(id);
        let generation = match self.paths.awaits(id) {
            _ if of_check => Some(&self.generations.current),
            Some(pair) => self.generations.of(pair),
            None => None,
        };
        // RFC 8489 §9.1.4: a response that is not signed by the peer is as if it had never come.
        let Some(remote) = generation.and_then(|g| g.remote.as_ref()) else {
            return Err(DropReason::UnknownTransaction);
        };
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
            (Class::Success, _) => {
                self.carriers.on_proven(tuple);
                self.on_success(tuple, message, of_check)
            }
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
            let pair = self.paths.awaits(id);
            let granted = self.paths.on_response(self.now, id, tuple, &mut self.tracer);
            let (pair, rtt) = pair.zip(granted).ok_or(DropReason::UnknownTransaction)?;
            self.count_consent_response(pair, rtt);
            if let Some(mapped) = message.xor_mapped_address()
                && pair.generation() == self.generations.current.number
            {
                self.on_consent_mapped(pair, mapped);
            }
            return Ok(());
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
            // In an old generation the peer, which has not followed yet, repairs its side when it does.
            if pair.generation() == self.generations.current.number {
                let (checks, mut cx) = self.checks_and_context();
                checks.on_consent_conflict(&mut cx, pair, claim);
            }
        }
    }
}

/// The length of our unauthenticated 401: header 20, ERROR-CODE 4 + 4 + 16, FINGERPRINT 8. The 400 is shorter.
const MIN_ANSWERED_UNAUTHENTICATED: usize = 52;
