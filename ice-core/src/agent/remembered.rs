//! What servers had seen of our sockets before a restart: held back in the new generation until an answer confirms it
//! (`gather/remembered.rs`), and then told, or left out.

use core::net::SocketAddr;

use smallvec::SmallVec;

use super::{Agent, Generation};
use crate::base::{SocketId, Tuple};
use crate::candidate::{CandidateType, LocalCandidate, LocalId, Secrecy};

impl Agent {
    /// The socket is still seen there, as far as anybody knows: the peer is told in the generations that have waited for it.
    pub(super) fn tell_remembered(&mut self, socket: SocketId, address: SocketAddr) {
        for (number, id) in self.remembered(|l| (l.socket, l.address) == (socket, address)) {
            self.release(number, id);
        }
    }

    /// The socket is seen elsewhere: what is held back is of no use any more. Unless the peer has seen it there.
    pub(super) fn drop_remembered(&mut self, socket: SocketId, address: SocketAddr) {
        for (number, id) in self.remembered(|l| (l.socket, l.address) == (socket, address)) {
            let Some(generation) = self.generations.get_mut(number) else { continue };
            if generation.checks.pairs().any(|p| p.valid().is_some_and(|valid| valid.local == id)) {
                self.release(number, id);
            } else {
                generation.candidates.remove_local(id);
            }
        }
    }

    /// The application ends its candidates before their servers have answered: this is all that there is to tell.
    pub(super) fn tell_all_remembered(&mut self, number: u16) {
        for (of, id) in self.remembered(|_| true) {
            if of == number {
                self.release(number, id);
            }
        }
    }

    /// A server has told where it sees a flow: the next restart asks whether that is so still, if an allocation goes over it.
    pub(super) fn on_mapped(&mut self, tuple: Tuple, mapped: SocketAddr) {
        if let Some(key) = self.gatherer.relays.over(tuple)
            && let Some(relay) = self.gatherer.relays.get_mut(key)
        {
            relay.mapped = Some(mapped);
        }
    }

    fn release(&mut self, number: u16, id: LocalId) {
        let Self { generations, gatherer, .. } = self;
        let Some(Generation { candidates, .. }) = generations.get_mut(number) else { return };
        // The filter may be another one than when it was held back.
        if candidates.local(id).is_some_and(|local| gatherer.lets_through(local)) && candidates.release(id) {
            self.announce(number, id);
        }
    }

    /// Those of the current and a staged generation that are held back. What has come after the end stays so.
    fn remembered(&self, which: impl Fn(&LocalCandidate) -> bool) -> SmallVec<[(u16, LocalId); 2]> {
        let generations = core::iter::once(&self.generations.current).chain(&self.generations.staged);
        let is_held = |l: &&LocalCandidate| {
            l.kind == CandidateType::ServerReflexive && l.secrecy == Secrecy::Later && which(l)
        };
        let of = |g: &Generation| -> SmallVec<[(u16, LocalId); 2]> {
            g.candidates.locals().iter().filter(is_held).map(|l| (g.number, l.id)).collect()
        };
        generations.filter(|g| !g.ended).flat_map(of).collect()
    }
}
