//! Local candidates: those that the application knows of besides its sockets' own, and how all of them are told.

use core::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use super::generation::Generations;
use super::{Agent, Event, Life};
use crate::base::{Instant, SocketId};
use crate::candidate::{AddedLocal, CandidateFilter, LocalId};
use crate::gather::{Socket, SocketError};
use crate::trace::TraceEvent;

impl Agent {
    /// The application knows that `server` sees `socket` as `address`: a server-reflexive candidate
    /// (RFC 8445 §5.1.1.2). One that is redundant (§5.1.3), or that
    /// [`local_filter`](super::AgentConfig::local_filter) does not let through, is ignored. It may come at any time,
    /// before and after other candidates have been signalled; after their end it is not told before the next restart.
    ///
    /// # Errors
    /// If the socket is not up, or the address cannot be its candidate.
    pub fn add_server_reflexive(
        &mut self,
        now: Instant,
        socket: SocketId,
        address: SocketAddr,
        server: SocketAddr,
    ) -> Result<(), SocketError> {
        self.add_reflexive(now, socket, address, Some(server.ip()))?;
        self.gatherer.on_vouched(&self.generations.current.candidates, socket, address);
        Ok(())
    }

    /// The application knows that what is sent to `address` reaches `socket`, without having asked a STUN server: a
    /// 1:1 NAT, or a port mapping made by hand or by PCP, NAT-PMP or UPnP. It is signalled as a server-reflexive
    /// candidate. Otherwise as [`add_server_reflexive`](Self::add_server_reflexive).
    ///
    /// # Errors
    /// If the socket is not up, or the address cannot be its candidate.
    pub fn add_mapped(
        &mut self,
        now: Instant,
        socket: SocketId,
        address: SocketAddr,
    ) -> Result<(), SocketError> {
        self.add_reflexive(now, socket, address, None)?;
        self.gatherer.on_vouched(&self.generations.current.candidates, socket, address);
        Ok(())
    }

    /// Another filter for our own candidates than [`local_filter`](super::AgentConfig::local_filter): what it lets through, and the one
    /// before did not, is gathered, told and checked, as from relay only to everything. What was told before stays: to take it back,
    /// restart, or take its socket down.
    ///
    /// # Errors
    /// If the agent has ended.
    pub fn set_local_filter(&mut self, now: Instant, filter: CandidateFilter) -> Result<(), SocketError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(SocketError::Ended);
        }
        self.gather();
        let had: SmallVec<[Socket; 4]> = self.gatherer.allocators();
        let candidates = &mut self.generations.current.candidates;
        for id in self.gatherer.set_filter(self.now, candidates, filter) {
            self.on_gathered(id);
        }
        self.tell_mapped();
        for host in self.gatherer.allocators() {
            if !had.contains(&host) {
                self.allocate_at_all(host);
            }
        }
        Ok(())
    }

    pub(super) fn add_reflexive(
        &mut self,
        now: Instant,
        socket: SocketId,
        address: SocketAddr,
        server: Option<IpAddr>,
    ) -> Result<(), SocketError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(SocketError::Ended);
        }
        if self.generations.current.checks.is_lite() {
            return Err(SocketError::HostOnly);
        }
        self.gather();
        let candidates = &mut self.generations.current.candidates;
        let added = self.gatherer.add_reflexive(candidates, socket, address, server)?;
        if let Some(base) = added.lent {
            self.on_gathered(base);
        }
        if let Some(id) = added.announced
            && added.announced != added.lent
        {
            self.on_gathered(id);
        }
        // What is old here may have been left out of a staged generation.
        if let Some(staged) = &mut self.generations.staged
            && let Ok(added) = self.gatherer.add_reflexive(&mut staged.candidates, socket, address, server)
        {
            let number = staged.number;
            let both =
                added.lent.into_iter().chain(added.announced.filter(|_| added.announced != added.lent));
            both.for_each(|id| self.announce(number, id));
        }
        // Whoever says so, that is where the socket is seen.
        self.tell_remembered(socket, address);
        Ok(())
    }

    /// A candidate of ours is there, or may be told from now on: it is told, paired, and given to a staged generation, too.
    pub(super) fn on_gathered(&mut self, id: LocalId) {
        self.announce(self.generations.current.number, id);
        let (checks, mut cx) = self.checks_and_context();
        checks.on_local_candidate(&mut cx, id);
        let Generations { current, staged, .. } = &mut self.generations;
        let (Some(local), Some(staged)) = (current.candidates.local(id), staged) else { return };
        let copy = match staged.candidates.copy_local(local) {
            AddedLocal::New(copy) => copy,
            AddedLocal::Redundant(copy) if !local.is_hidden() && staged.candidates.reveal(copy) => copy,
            AddedLocal::Redundant(_) | AddedLocal::Full => return,
        };
        let number = staged.number;
        self.announce(number, copy);
    }

    /// Tells of a candidate as one of this generation (RFC 8840 §4.1: `ufrag`), unless it is hidden. If the end of this generation's has
    /// been told, it waits for the next one (RFC 8838 §13).
    pub(super) fn announce(&mut self, generation: u16, id: LocalId) {
        let Some(generation) = self.generations.get_mut(generation) else { return };
        if generation.ended {
            generation.candidates.withhold(id);
        }
        let Some(local) = generation.candidates.local(id).filter(|l| l.is_signalled()) else { return };
        self.tracer.emit(
            self.now,
            TraceEvent::LocalCandidate {
                component: local.component,
                kind: local.kind,
                address: local.address,
                base: local.base,
                priority: local.priority,
            },
        );
        let (stream, candidate) = (local.component.stream, generation.signalled(local));
        self.events.push_back(Event::LocalCandidate { stream, candidate });
    }
}
