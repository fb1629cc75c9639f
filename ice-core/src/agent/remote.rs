//! What the peer signals: its credentials and candidates, in whatever order they come.

use alloc::string::String;
use core::net::{Ipv6Addr, SocketAddr};

use super::resolve::Verdict;
use super::tcp::tcp_type;
use super::{Agent, Life, Remote, RemoteError};
use crate::base::{ComponentId, Instant};
use crate::candidate::{
    AddedRemote, Address, Candidate, MAX_REMOTE_CANDIDATES, Network, NewRemote, Origin, TcpType,
    is_transport_address,
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
        if self.generations.iter().any(|g| g.local == credentials) {
            return Err(RemoteError::OurOwnCredentials);
        }
        match &self.generations.current.remote {
            Some(known) if known.credentials == credentials => return Ok(()),
            _ if self.generations.old.iter().any(|g| g.has_remote(&credentials)) => {
                return Err(RemoteError::OtherGeneration);
            }
            Some(_) => return Err(RemoteError::CredentialsChanged),
            None => {}
        }
        self.take_credentials(credentials);
        Ok(())
    }

    /// The peer of the current generation is known.
    fn take_credentials(&mut self, credentials: Credentials) {
        let key = IntegrityKey::short_term(credentials.password());
        let ufrag = String::from(credentials.ufrag());
        self.generations.current.remote = Some(Remote { credentials, key });
        self.watch.on_remote_credentials(self.now);
        self.take_early(&ufrag);
    }

    /// A candidate that the peer has signalled, in any order, before or after its credentials (RFC 8838 §11).
    /// One that is known is ignored. One whose address is a name waits until the name is resolved: see
    /// [`Output::Resolve`](super::Output::Resolve).
    ///
    /// # Errors
    /// Why the candidate is not of use. Most are no fault of the caller: a peer may well signal candidates of a transport that is not known. One that is new, and
    /// comes after the peer's [`end_of_remote_candidates`](Self::end_of_remote_candidates), is [`RemoteError::AfterEnd`].
    pub fn add_remote_candidate(&mut self, now: Instant, candidate: &Candidate) -> Result<(), RemoteError> {
        self.add_stream_candidate(now, 0, candidate)
    }

    /// The same for a data stream, counted from 0 in the order of the session description.
    ///
    /// # Errors
    /// As [`Self::add_remote_candidate`].
    pub fn add_stream_candidate(
        &mut self,
        now: Instant,
        stream: u16,
        candidate: &Candidate,
    ) -> Result<(), RemoteError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RemoteError::Ended);
        }
        self.gather();
        let component = ComponentId { stream, component: candidate.component };
        if !self.components.contains(&component) {
            return Err(RemoteError::UnknownComponent(component));
        }
        if tcp_type(candidate).is_none() {
            return Err(RemoteError::UnsupportedTransport);
        }
        let is_admitted = match &candidate.address {
            Address::Ip(address) => self.remote_filter.admits(candidate.kind, address.ip()),
            Address::Name { .. } => self.remote_filter.types.contains(candidate.kind),
        };
        if !is_admitted {
            return Err(self.filtered());
        }
        if let Some(ufrag) = candidate.extensions.ufrag()
            && self.generations.current.remote.as_ref().is_none_or(|r| r.credentials.ufrag() != ufrag)
        {
            return self.keep_for_later(stream, candidate, ufrag);
        }
        self.take_candidate(stream, candidate, self.generations.current.told.ends.has(stream))
    }

    /// A candidate of the current generation. After the end only those that are known are fine (RFC 8838 §14): a
    /// description may repeat them (RFC 8840 §4.4).
    pub(super) fn take_candidate(
        &mut self,
        stream: u16,
        candidate: &Candidate,
        has_ended: bool,
    ) -> Result<(), RemoteError> {
        let address = match &candidate.address {
            Address::Ip(address) => *address,
            Address::Name { port: 0, .. } => {
                let nowhere = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
                return Err(RemoteError::NotATransportAddress(nowhere));
            }
            // Nothing is ever sent there (RFC 6544 §4.5), and so nobody has to know where that is.
            Address::Name { .. } if tcp_type(candidate) == Some(Some(TcpType::Active)) => return Ok(()),
            Address::Name { name, port } => match self.names.add(name, stream, candidate, has_ended)? {
                Verdict::Wait => return Ok(()),
                Verdict::Known(ip) => SocketAddr::new(ip, *port),
            },
        };
        let component = ComponentId { stream, component: candidate.component };
        let tcp = tcp_type(candidate).ok_or(RemoteError::UnsupportedTransport)?;
        let candidates = &self.generations.current.candidates;
        let known = candidates.find_remote(component, tcp, address).filter(|r| r.origin == Origin::Signalled);
        if has_ended && known.is_none() {
            return Err(RemoteError::AfterEnd);
        }
        self.take_remote(stream, address, candidate)
    }

    /// A candidate of the current generation whose address is known by now.
    pub(super) fn take_remote(
        &mut self,
        stream: u16,
        address: SocketAddr,
        candidate: &Candidate,
    ) -> Result<(), RemoteError> {
        let component = ComponentId { stream, component: candidate.component };
        // It may have gone while the name was looked up.
        if !self.components.contains(&component) {
            return Err(RemoteError::UnknownComponent(component));
        }
        if !is_transport_address(address) {
            return Err(RemoteError::NotATransportAddress(address));
        }
        let Candidate { foundation, priority, kind, .. } = *candidate;
        let tcp = tcp_type(candidate).ok_or(RemoteError::UnsupportedTransport)?;
        let candidates = &mut self.generations.current.candidates;
        let network = Network::told(&candidate.extensions);
        match candidates.add_remote(NewRemote {
            component,
            address,
            tcp,
            kind,
            priority,
            foundation,
            network,
        }) {
            AddedRemote::Known(_) => {}
            AddedRemote::Full => return Err(RemoteError::TooMany),
            AddedRemote::New(id) => {
                self.permit(component, address.ip());
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

    /// A candidate of credentials that are not in use: old ones, or those that are to come.
    fn keep_for_later(&mut self, stream: u16, candidate: &Candidate, ufrag: &str) -> Result<(), RemoteError> {
        if self.generations.was_of_old(ufrag) {
            return Err(RemoteError::OtherGeneration);
        }
        if self.early.iter().any(|(of, known)| *of == stream && known == candidate) {
            return Ok(());
        }
        if self.has_ended_early(stream, ufrag) {
            return Err(RemoteError::AfterEnd);
        }
        if self.early.len() >= MAX_REMOTE_CANDIDATES {
            return Err(RemoteError::TooMany);
        }
        self.early.push((stream, candidate.clone()));
        Ok(())
    }

    fn filtered(&mut self) -> RemoteError {
        self.hints.filtered_candidates = self.hints.filtered_candidates.saturating_add(1);
        RemoteError::Filtered
    }
}
