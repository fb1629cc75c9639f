//! What an agent does otherwise when it is lite, or its peer (RFC 8445 §2.5).

use core::net::SocketAddr;

use super::{Agent, Life, RemoteError};
use crate::base::{ComponentId, Instant};
use crate::candidate::CandidateType;
use crate::gather::{Socket, SocketError};

impl Agent {
    /// The peer has said that it is a lite agent (`ice-lite`, RFC 8839 §5.3), or that it is not, as is taken for granted.
    ///
    /// A full agent controls a lite peer, and a lite agent is controlled by a full peer, whatever was configured; between two lite
    /// agents the configured roles hold (RFC 8445 §6.1.1). Then nobody checks anything: a pair is chosen for each component as
    /// soon as candidates and credentials are there, and `PathSelected` tells it, again if a better candidate comes later. Both
    /// sides choose by the same rule, so that they agree when they know the same candidates. Where there was more than one
    /// pair the controlling side is to send its choice (RFC 8445 §8.2): [`local_description`](Self::local_description) is it
    /// then, and [`follow_lite_choice`](Self::follow_lite_choice) or [`set_remote_description`](Self::set_remote_description) takes it.
    ///
    /// # Errors
    /// If the peer has said otherwise before, without a restart in between (RFC 8839 §4.4.1.1.1), or the agent has ended.
    pub fn set_remote_lite(&mut self, now: Instant, lite: bool) -> Result<(), RemoteError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RemoteError::Ended);
        }
        self.generations.current.told.on_lite(lite)?;
        let (checks, mut cx) = self.checks_and_context();
        checks.set_remote_lite(&mut cx, lite);
        self.absorb();
        Ok(())
    }

    /// Between two lite agents: the controlling peer has signalled that it chose the pair of `local`, a candidate of ours, and
    /// `remote`, one of its own that was added before (RFC 8445 §8.2, RFC 8839 §4.4.2.2). It holds until a restart. If we
    /// control, too, we yield.
    ///
    /// # Errors
    /// If not both sides are lite, these are no pair, or the agent has ended.
    pub fn follow_lite_choice(
        &mut self,
        now: Instant,
        component: ComponentId,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<(), RemoteError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RemoteError::Ended);
        }
        self.gather();
        let (checks, mut cx) = self.checks_and_context();
        let followed = checks.follow_lite_choice(&mut cx, component, (local, remote));
        self.absorb();
        if followed { Ok(()) } else { Err(RemoteError::NoSuchPair) }
    }

    /// When the last authenticated check of the peer came in on the selected pair of this component.
    ///
    /// A lite agent has no consent checks of its own (RFC 7675 §1), so no path of it is ever lost: it sends for as long as the
    /// application does. That the peer has gone shows in this: a peer that keeps RFC 7675, as all browsers do, checks every four to six
    /// seconds, and an application that knows its peer to do so had better stop sending when it has been silent for 30.
    /// The engine does not do it by itself, because a peer without RFC 7675 is right to send nothing but its data.
    pub fn last_check_received(&self, component: ComponentId) -> Option<Instant> {
        let checks = &self.generations.current.checks;
        checks.pair(checks.selected(component)?)?.stats.last_received
    }

    /// Between two lite agents: chooses the pairs when both sides are known.
    pub(super) fn settle_lite(&mut self) {
        let current = &self.generations.current;
        if current.remote.is_some() && current.checks.are_both_lite() {
            let (checks, mut cx) = self.checks_and_context();
            checks.settle_as_lite(&mut cx);
        }
    }

    /// Whether a lite agent may make a candidate of this socket: hosts only, one for each address and component (RFC 8445 §5.2).
    pub(super) fn admits_as_lite(&self, socket: &Socket) -> Result<(), SocketError> {
        if !self.generations.current.checks.is_lite() {
            return Ok(());
        }
        if socket.kind() != CandidateType::Host {
            return Err(SocketError::HostOnly);
        }
        if socket.is_active_only() {
            return Err(SocketError::ActiveOnly(socket.id()));
        }
        if self.gatherer.has_address_of(socket) {
            return Err(SocketError::SecondOnAddress(socket.local()));
        }
        Ok(())
    }
}
