//! What the peer signals: its credentials and candidates, in whatever order they come.

use core::net::{Ipv6Addr, SocketAddr};

use super::resolve::Verdict;
use super::{Agent, Life, Remote, RemoteError};
use crate::base::{ComponentId, Instant};
use crate::candidate::{
    AddedRemote, Address, Candidate, MAX_REMOTE_CANDIDATES, NewRemote, Transport, is_transport_address,
};
use crate::description::Credentials;
use crate::trace::TraceEvent;
use crate::wire::IntegrityKey;

impl Agent {
    /// What the peer has signalled. The same again is fine.
    ///
    /// # Errors
    /// If they are our own, or others than before.
    pub fn set_remote_credentials(
        &mut self,
        now: Instant,
        credentials: Credentials,
    ) -> Result<(), RemoteError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RemoteError::Ended);
        }
        if credentials == self.credentials {
            return Err(RemoteError::OurOwnCredentials);
        }
        match &self.remote {
            Some(known) if known.credentials == credentials => return Ok(()),
            Some(_) => return Err(RemoteError::CredentialsChanged),
            None => {}
        }
        let key = IntegrityKey::short_term(credentials.password());
        self.remote = Some(Remote { credentials, key });
        self.watch.on_remote_credentials(self.now);
        for candidate in core::mem::take(&mut self.early) {
            // One of another generation is of no use, and nobody is there to be told.
            let _ = self.add_remote_candidate(now, &candidate);
        }
        Ok(())
    }

    /// A candidate that the peer has signalled, in any order, before or after its credentials (RFC 8838 §11).
    /// One that is known is ignored. One whose address is a name waits until the name is resolved: see
    /// [`Output::Resolve`](super::Output::Resolve).
    ///
    /// # Errors
    /// Why the candidate is not of use. Most are no fault of the caller: a peer may well signal TCP candidates.
    pub fn add_remote_candidate(&mut self, now: Instant, candidate: &Candidate) -> Result<(), RemoteError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RemoteError::Ended);
        }
        self.gather();
        let component = ComponentId { stream: 0, component: candidate.component };
        if !self.components.contains(&component) {
            return Err(RemoteError::UnknownComponent(candidate.component));
        }
        if candidate.transport != Transport::Udp {
            return Err(RemoteError::UnsupportedTransport);
        }
        let is_admitted = match &candidate.address {
            Address::Ip(address) => self.remote_filter.admits(candidate.kind, address.ip()),
            Address::Name { .. } => self.remote_filter.types.contains(candidate.kind),
        };
        if !is_admitted {
            return Err(self.filtered());
        }
        match (candidate.extensions.ufrag(), &self.remote) {
            (Some(ufrag), Some(remote)) if ufrag != remote.credentials.ufrag() => {
                return Err(RemoteError::OtherGeneration);
            }
            (Some(_), None) if self.early.len() >= MAX_REMOTE_CANDIDATES => return Err(RemoteError::TooMany),
            (Some(_), None) => {
                self.early.push(candidate.clone());
                return Ok(());
            }
            _ => {}
        }
        match &candidate.address {
            Address::Ip(address) => self.take_remote(*address, candidate),
            Address::Name { port: 0, .. } => {
                let nowhere = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
                Err(RemoteError::NotATransportAddress(nowhere))
            }
            Address::Name { name, port } => match self.names.add(name, candidate)? {
                Verdict::Wait => Ok(()),
                Verdict::Known(ip) => self.take_remote(SocketAddr::new(ip, *port), candidate),
            },
        }
    }

    /// A candidate of the peer whose address is known by now.
    pub(super) fn take_remote(
        &mut self,
        address: SocketAddr,
        candidate: &Candidate,
    ) -> Result<(), RemoteError> {
        let component = ComponentId { stream: 0, component: candidate.component };
        if !is_transport_address(address) {
            return Err(RemoteError::NotATransportAddress(address));
        }
        let Candidate { foundation, priority, kind, .. } = *candidate;
        match self.candidates.add_remote(NewRemote { component, address, kind, priority, foundation }) {
            AddedRemote::Known(_) => {}
            AddedRemote::Full => return Err(RemoteError::TooMany),
            AddedRemote::New(id) => {
                self.tracer
                    .emit(self.now, TraceEvent::RemoteCandidate { component, kind, address, priority });
                let (checks, mut cx) = self.checks_and_context();
                checks.on_remote_candidate(&mut cx, id);
            }
            AddedRemote::Upgraded(id) => {
                self.tracer
                    .emit(self.now, TraceEvent::RemoteCandidate { component, kind, address, priority });
                let (checks, mut cx) = self.checks_and_context();
                checks.on_remote_upgraded(&mut cx, id);
            }
        }
        Ok(())
    }

    fn filtered(&mut self) -> RemoteError {
        self.hints.filtered_candidates = self.hints.filtered_candidates.saturating_add(1);
        RemoteError::Filtered
    }

    /// The peer will signal no more candidates (RFC 8838 §8.2). It does not shorten the agent's patience, because checks
    /// may still show candidates that were never signalled (RFC 8863 §5); a report tells whether it came.
    pub fn end_of_remote_candidates(&mut self, now: Instant) {
        self.advance(now);
        self.watch.on_end_of_candidates();
    }
}
