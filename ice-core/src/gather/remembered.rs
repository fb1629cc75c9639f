//! Server-reflexive candidates at a restart: which of them wait until a server has confirmed them, and which are left behind.

use core::net::SocketAddr;

use smallvec::SmallVec;

use super::{Gatherer, Via};
use crate::base::{Instant, SocketId, Tuple};
use crate::candidate::{CandidateType, Candidates, LocalCandidate, LocalId, Transport};

impl Gatherer {
    /// The application knows of this mapping by itself: no server is needed to confirm it.
    pub(crate) fn on_vouched(&mut self, candidates: &Candidates, socket: SocketId, address: SocketAddr) {
        let is_there = candidates.locals().iter().any(|l| (l.socket, l.address) == (socket, address));
        if is_there && !self.vouched.contains(&(socket, address)) {
            self.vouched.push((socket, address));
        }
    }

    /// A restart: all servers are asked anew, those of our allocations included. What they had seen is held back from the `candidates` of
    /// the new generation until they have answered, and what they had seen before that is left out.
    pub(crate) fn ask_again(&mut self, now: Instant, candidates: &mut Candidates) {
        let askers = self.askers();
        for socket in &askers {
            self.inquiries.ask_all_again(now, socket.id(), socket.local());
        }
        // An allocation's refresh tells no mapped address (RFC 8656 §7.3), and whoever understands TURN answers a Binding request.
        let of = |r: &super::Relay| {
            let host = askers.iter().find(|s| s.id() == r.attempt.host.id())?;
            let tuple = Tuple { socket: host.id(), remote: r.attempt.address };
            Some((tuple, r.mapped.filter(|_| r.via == Via::Socket(host.id()))?))
        };
        let relays: SmallVec<[(Tuple, SocketAddr); 4]> = self.relays.iter().filter_map(of).collect();
        for (tuple, mapped) in relays {
            self.inquiries.ask_again(now, tuple, Some(mapped));
        }
        let reflexive = candidates.locals().iter().filter(|l| {
            l.kind == CandidateType::ServerReflexive && !self.vouched.contains(&(l.socket, l.address))
        });
        let ids: SmallVec<[LocalId; 8]> = reflexive.map(|l| l.id).collect();
        for id in ids {
            let Some(local) = candidates.local(id) else { continue };
            if self.inquiries.doubts.of(local.socket).any(|(_, seen)| seen == local.address) {
                candidates.withhold(id);
            } else if self.is_superseded(&local.clone()) {
                candidates.remove_local(id);
            }
        }
    }

    /// Whether the server that gave this candidate has seen another address since then.
    fn is_superseded(&mut self, local: &LocalCandidate) -> bool {
        let (kind, base) = (CandidateType::ServerReflexive, local.base.ip());
        let Self { inquiries, foundations, .. } = self;
        inquiries.doubts.of(local.socket).any(|(server, _)| {
            foundations.intern(kind, base, Transport::Udp, Some(server.ip())) == local.foundation
        })
    }
}
