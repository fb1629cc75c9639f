//! What servers had seen of our sockets before a restart, until they say it again (RFC 8445 §9: a restart may gather anew). A NAT that
//! has moved us is the usual reason for a restart, and a peer that is told of the dead mapping tries it first: the one that
//! took its place has the same foundation, and waits until the other has failed (§5.1.1.3, §6.1.2.6).

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::base::{Instant, SocketId, Tuple};

/// One for each question that a restart has asked anew: a socket and a STUN server, or an allocation.
#[derive(Debug, Default)]
pub(crate) struct Doubts(Vec<Doubt>);

#[derive(Clone, Copy, Debug)]
struct Doubt {
    tuple: Tuple,
    seen: SocketAddr,
    /// When nobody waits for the answer any longer.
    until: Instant,
}

impl Doubts {
    /// The server is asked anew.
    pub(super) fn add(&mut self, tuple: Tuple, seen: SocketAddr, until: Instant) {
        self.0.retain(|d| d.tuple != tuple);
        self.0.push(Doubt { tuple, seen, until });
    }

    /// The question has gone out.
    pub(super) fn on_asked(&mut self, tuple: Tuple, until: Instant) {
        for doubt in self.0.iter_mut().filter(|d| d.tuple == tuple) {
            doubt.until = doubt.until.min(until);
        }
    }

    /// The server has answered: what it had seen before.
    pub(super) fn take(&mut self, tuple: Tuple) -> Option<SocketAddr> {
        let index = self.0.iter().position(|d| d.tuple == tuple)?;
        Some(self.0.swap_remove(index).seen)
    }

    /// A socket whose server is silent, and where it was seen before.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(SocketId, SocketAddr)> {
        let index = self.0.iter().position(|d| d.until <= now)?;
        let Doubt { tuple, seen, .. } = self.0.swap_remove(index);
        Some((tuple.socket, seen))
    }

    /// The servers that are asked about this socket, and where they had seen it.
    pub(super) fn of(&self, socket: SocketId) -> impl Iterator<Item = (SocketAddr, SocketAddr)> {
        self.0.iter().filter(move |d| d.tuple.socket == socket).map(|d| (d.tuple.remote, d.seen))
    }

    pub(super) fn on_sockets_gone(&mut self, gone: impl Fn(SocketId) -> bool) {
        self.0.retain(|d| !gone(d.tuple.socket));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().map(|d| d.until).min()
    }
}
