//! What the agent tells of itself: its paths, and why.

use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use super::diagnosis::diagnose;
use super::generation::Generation;
use super::{Agent, MAX_TRANSMIT, PairReport, Path, Report};
use crate::base::PairId;
use crate::candidate::{LocalCandidate, Transport};
use crate::check::Pair;
use crate::gather::Relay;

impl Agent {
    /// Why there is no path, or what there is, at this moment: the same that [`Event::Failed`](super::Event::Failed)
    /// tells at the end.
    pub fn explain(&self) -> Report {
        Report {
            causes: diagnose(&self.evidence()).into_vec(),
            pairs: self
                .generations
                .current
                .checks
                .pairs()
                .filter_map(|p| self.report_of(p.id))
                .collect::<Vec<_>>(),
            reserved: self.generations.current.checks.reserved(),
            untried: self.generations.current.checks.untried(),
            role: self.generations.current.checks.role(),
            elapsed: self.watch.age(self.now),
        }
    }

    /// A hash over everything that the network can change, for tests that show that something did not.
    #[doc(hidden)]
    pub fn state_fingerprint(&self) -> u64 {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        // Writing into the hash cannot fail.
        for generation in self.generations.iter() {
            let _ = write!(hash, "{:?}{:?}", generation.checks, generation.candidates);
        }
        let _ = write!(hash, "{:?}{:?}", self.paths, self.gatherer);
        let _ = write!(hash, "{:?}{:?}{:?}", self.life, self.events, self.moves);
        hash.0
    }

    fn report_of(&self, id: PairId) -> Option<PairReport> {
        let generation = self.generations.of(id)?;
        let pair = generation.checks.pair(id)?;
        let valid = pair.valid();
        let local = local_of(generation, pair)?;
        let remote = generation.candidates.remote(pair.remote)?;
        Some(PairReport {
            id,
            component: pair.component,
            local: local.address,
            local_type: local.kind,
            remote: remote.address,
            remote_type: remote.kind,
            priority: valid.map_or(pair.priority, |v| v.priority),
            phase: pair.phase(),
            selected: valid.is_some() && generation.checks.selected(pair.component) == Some(id),
            requests_sent: pair.stats.requests_sent,
            responses_received: pair.stats.responses_received,
            requests_received: pair.stats.requests_received,
            rtt: valid.map(|v| v.rtt),
        })
    }

    /// The path of a pair, with what was known of it last.
    pub(super) fn path_of(&self, id: PairId) -> Option<Path> {
        let generation = self.generations.of(id)?;
        let pair = generation.checks.pair(id)?;
        let valid = pair.valid();
        let base = generation.candidates.local(pair.local)?;
        let local = local_of(generation, pair)?;
        let remote = generation.candidates.remote(pair.remote)?;
        let relay = self.gatherer.relays.named(pair.tuple.socket);
        let overhead = match (relay, base.transport()) {
            (Some(relay), _) => relay.allocation.overhead(self.now, pair.tuple.remote),
            (None, Transport::Tcp) => super::tcp::HEADER,
            (None, Transport::Udp) => 0,
        };
        Some(Path {
            pair: id,
            component: pair.component,
            socket: relay.map_or(pair.tuple.socket, Relay::carrier),
            transport: base.transport(),
            local: local.address,
            local_type: local.kind,
            base: base.base,
            remote: remote.address,
            remote_type: remote.kind,
            priority: valid.map_or(pair.priority, |v| v.priority),
            rtt: valid.map(|v| v.rtt).unwrap_or_default(),
            relay: relay.map(|r| r.attempt.address),
            overhead,
            largest_payload: if overhead > 0 { MAX_TRANSMIT - overhead } else { MAX_PAYLOAD },
        })
    }
}

/// Our end as the peer sees it. That may have been the candidate of another socket, which is gone by now.
fn local_of<'a>(generation: &'a Generation, pair: &Pair) -> Option<&'a LocalCandidate> {
    let mapped = pair.valid().and_then(|v| generation.candidates.local(v.local));
    mapped.or_else(|| generation.candidates.local(pair.local))
}

/// What fits into a UDP datagram over IPv4, and a little less than over IPv6.
const MAX_PAYLOAD: usize = 65_507;

/// FNV-1a over text: short, and the same on every machine.
struct Fnv(u64);

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}
