//! Sockets and candidates that go away while the agent lives, and what the application knows of a path's health.

use core::net::SocketAddr;

use smallvec::SmallVec;

use super::tcp::tcp_type;
use super::{Agent, Event, Life, RemoteError};
use crate::base::{ComponentId, Instant, SocketId};
use crate::candidate::{Address, Candidate, LocalId, RemoteId};
use crate::gather::SocketError;

impl Agent {
    /// `socket` is gone: its candidates are taken back ([`Event::CandidateRemoved`]), and its pairs go, no others. If it carried
    /// the data, data takes the best path that is left, at once; if none is, [`Event::RestartNeeded`] says so, unless the
    /// peer renominates and something may still come of the checks.
    ///
    /// # Errors
    /// If no such socket is up, or the agent has ended.
    pub fn socket_down(&mut self, now: Instant, socket: SocketId) -> Result<(), SocketError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(SocketError::Ended);
        }
        self.gather();
        if !self.gatherer.socket_down(socket) {
            return Err(SocketError::UnknownSocket(socket));
        }
        // Nothing is to be promised of what goes with it.
        self.end_relays_of(socket);
        self.lose_socket(socket);
        Ok(())
    }

    /// A socket is no more, one of the agent's own included: what was made of it goes.
    pub(super) fn lose_socket(&mut self, socket: SocketId) {
        self.answers.forget(socket);
        self.take_back(socket);
        // What ends on the paths is told while its candidates are still known.
        self.paths.on_socket_down(self.now, socket);
        self.absorb();
        for number in self.generations.numbers() {
            let Some(generation) = self.generations.get(number) else { continue };
            let locals = generation.candidates.locals().iter().filter(|l| l.socket == socket);
            let gone: SmallVec<[LocalId; 4]> = locals.map(|l| l.id).collect();
            if let Some(generation) = self.generations.get_mut(number) {
                generation.checks.on_socket_down(socket);
            }
            self.remove_pairs(number, |(local, _)| gone.contains(&local));
            if let Some(generation) = self.generations.get_mut(number) {
                for id in gone {
                    generation.candidates.remove_local(id);
                }
            }
        }
        self.close_connections(|tuple| tuple.socket == socket);
        self.absorb();
    }

    /// The peer has signalled that this candidate of data stream `stream` is gone: its pairs go, as with
    /// [`socket_down`](Self::socket_down). One that is not known is ignored.
    ///
    /// # Errors
    /// If the agent has ended.
    pub fn remove_remote_candidate(
        &mut self,
        now: Instant,
        stream: u16,
        candidate: &Candidate,
    ) -> Result<(), RemoteError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RemoteError::Ended);
        }
        let component = ComponentId { stream, component: candidate.component };
        if candidate
            .extensions
            .ufrag()
            .is_some_and(|u| self.remote_credentials().is_none_or(|r| r.ufrag() != u))
        {
            let place = |c: &Candidate| {
                (
                    c.component,
                    c.transport,
                    c.address.clone(),
                    c.extensions.ufrag().map(alloc::string::String::from),
                )
            };
            self.early.retain(|(of, known)| *of != stream || place(known) != place(candidate));
            return Ok(());
        }
        let address = match &candidate.address {
            Address::Ip(address) => *address,
            Address::Name { name, port } => match self.names.address(name) {
                Some(ip) => SocketAddr::new(ip, *port),
                None => {
                    self.names.forget(name, stream, candidate);
                    return Ok(());
                }
            },
        };
        let Some(tcp) = tcp_type(candidate) else { return Ok(()) };
        let current = &self.generations.current;
        let Some(gone) = current.candidates.find_remote(component, tcp, address).map(|r| r.id) else {
            return Ok(());
        };
        self.paths.remove(self.now, |flow| current.checks.pair(flow.pair).is_some_and(|p| p.remote == gone));
        self.absorb();
        self.remove_pairs(self.generations.current.number, |(_, remote)| remote == gone);
        self.generations.current.candidates.remove_remote(gone);
        self.absorb();
        Ok(())
    }

    /// The application has had an answer of its own over the component's path, such as an acknowledgement: the path is
    /// healthy. It is no consent, which only the peer's agent can give (RFC 7675 §5.1).
    pub fn note_alive(&mut self, now: Instant, component: ComponentId) {
        self.advance(now);
        self.paths.note(self.now, component, false);
        self.absorb();
    }

    /// The application misses its answers on the component's path: it counts as degraded from now on, so that towards a
    /// peer that renominates another one takes its place. It kills nothing.
    pub fn note_trouble(&mut self, now: Instant, component: ComponentId) {
        self.advance(now);
        self.paths.note(self.now, component, true);
        self.absorb();
    }

    /// The peer is not to use the candidates of this socket any more.
    fn take_back(&mut self, socket: SocketId) {
        let generations = [Some(&self.generations.current), self.generations.staged.as_ref()];
        for generation in generations.into_iter().flatten() {
            let locals = generation.candidates.locals().iter();
            for local in locals.filter(|l| l.socket == socket && l.is_signalled()) {
                let (stream, candidate) = (local.component.stream, generation.signalled(local));
                self.events.push_back(Event::CandidateRemoved { stream, candidate });
            }
        }
    }

    fn remove_pairs(&mut self, number: u16, is_gone: impl Fn((LocalId, RemoteId)) -> bool) {
        let Self { generations, random, tracer, .. } = self;
        let Some(generation) = generations.get_mut(number) else { return };
        let mut cx =
            crate::check::Context { now: self.now, candidates: &mut generation.candidates, random, tracer };
        generation.checks.on_candidates_removed(&mut cx, |p| is_gone((p.local, p.remote)));
    }
}
