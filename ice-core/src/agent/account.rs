//! Fills in the statistics: what the checks and the paths have counted, and what the agent alone can count, side by side.

use core::time::Duration;

use super::answer::{Answer, AnswerKind};
use super::generation::Generation;
use super::stats::{
    CandidateId, CandidatePairStats, CandidateStats, IceTransportState, NotSent, Stats, TransportStats,
};
use super::{Agent, Life};
use crate::base::{ComponentId, Instant, PairId, Tuple};
use crate::candidate::{CandidateType, LocalCandidate, RemoteCandidate};
use crate::check::{Pair, PairNomination};
use crate::path::Outlet;

impl Agent {
    /// Everything that was counted so far, in W3C's words, as of the last `now` that the agent was given.
    pub fn stats(&self) -> Stats {
        let generations = || self.generations.iter();
        Stats {
            transports: self.components.iter().map(|&component| self.transport_stats(component)).collect(),
            candidate_pairs: generations()
                .flat_map(|g| g.checks.pairs().map(move |pair| (g, pair)))
                .map(|(generation, pair)| self.pair_stats(generation, pair))
                .collect(),
            local_candidates: generations()
                .flat_map(|g| g.candidates.locals().iter().map(move |it| local_stats(self.now, g, it)))
                .collect(),
            remote_candidates: generations()
                .flat_map(|g| g.candidates.remotes().iter().map(move |it| remote_stats(self.now, g, it)))
                .collect(),
        }
    }

    /// The socket has not taken the datagram of `bytes` bytes that [`send`](Self::send) has just given for `component`.
    /// For the statistics only; an error is told to [`send_failed`](Self::send_failed) besides.
    pub fn not_sent(&mut self, now: Instant, component: ComponentId, bytes: usize, why: NotSent) {
        self.advance(now);
        let Some(Outlet::Open(flow)) = self.paths.outlet(self.now, component) else { return };
        self.paths.on_unsent(component, flow.pair, bytes);
        if why == NotSent::Discarded {
            self.paths.on_discarded(component, flow.pair, bytes);
        }
    }

    /// Data was refused for want of consent.
    pub(super) fn count_refused(&mut self, component: ComponentId, bytes: usize) {
        if let Some(pair) = self.paths.chosen(component) {
            self.paths.on_discarded(component, pair, bytes);
        }
    }

    /// Data came in on `tuple`; `path` is its valid pair, if it has one.
    pub(super) fn count_received(
        &mut self,
        tuple: Tuple,
        component: ComponentId,
        path: Option<PairId>,
        bytes: usize,
    ) {
        let pair = path.or_else(|| self.generations.iter().find_map(|g| g.checks.pair_at(tuple)));
        self.paths.on_received(self.now, component, pair, bytes);
    }

    pub(super) fn count_request(&mut self, generation: u16, tuple: Tuple) {
        if let Some(generation) = self.generations.get_mut(generation) {
            generation.checks.count_request(tuple);
        }
    }

    pub(super) fn count_answer(&mut self, answer: &Answer) {
        // The requests that these refuse were not authenticated, and are counted nowhere either.
        if matches!(answer.kind, AnswerKind::NoCredentials | AnswerKind::Unauthenticated) {
            return;
        }
        if let Some(generation) = self.generations.get_mut(answer.generation) {
            generation.checks.count_response(answer.tuple);
        }
    }

    pub(super) fn count_consent_request(&mut self, pair: PairId) {
        if let Some(generation) = self.generations.get_mut(pair.generation()) {
            generation.checks.count_consent_request(pair);
        }
    }

    pub(super) fn count_consent_response(&mut self, pair: PairId, rtt: Duration) {
        if let Some(generation) = self.generations.get_mut(pair.generation()) {
            generation.checks.count_consent_response(pair, rtt);
        }
    }

    fn transport_stats(&self, component: ComponentId) -> TransportStats {
        let volume = self.paths.volume(component);
        let (selected, changes) = self.paths.selection(component);
        TransportStats {
            id: component,
            timestamp: self.now,
            packets_sent: volume.packets_sent,
            packets_received: volume.packets_received,
            bytes_sent: volume.bytes_sent,
            bytes_received: volume.bytes_received,
            ice_role: self.role(),
            ice_local_username_fragment: self.local_credentials().ufrag().into(),
            ice_state: self.ice_state(component),
            selected_candidate_pair_id: selected,
            selected_candidate_pair_changes: changes,
        }
    }

    fn ice_state(&self, component: ComponentId) -> IceTransportState {
        let current = &self.generations.current;
        let is_ready = current.remote.is_some()
            && current.candidates.remotes().iter().any(|it| it.component == component);
        match (self.life, self.paths.outlet(self.now, component)) {
            (Life::Closed, _) => IceTransportState::Closed,
            (Life::Failed, _) => IceTransportState::Failed,
            (_, Some(Outlet::Open(_))) if self.paths.is_degraded(self.now, component) => {
                IceTransportState::Disconnected
            }
            (_, Some(Outlet::Open(_))) if self.paths.selection(component).0.is_some() => {
                IceTransportState::Completed
            }
            (_, Some(Outlet::Open(_))) => IceTransportState::Connected,
            (_, Some(Outlet::NoConsent)) => IceTransportState::Disconnected,
            _ if current.checks.lost(component).is_some() => IceTransportState::Failed,
            _ if is_ready => IceTransportState::Checking,
            _ => IceTransportState::New,
        }
    }

    fn pair_stats(&self, generation: &Generation, pair: &Pair) -> CandidatePairStats {
        let traffic = self.paths.traffic_of(pair.component, pair.id);
        let counters = pair.stats.counters;
        CandidatePairStats {
            id: pair.id,
            timestamp: self.now,
            transport_id: pair.component,
            local_candidate_id: CandidateId::Local(
                generation.number,
                pair.valid().map_or(pair.local, |valid| valid.local),
            ),
            remote_candidate_id: CandidateId::Remote(generation.number, pair.remote),
            state: pair.phase(),
            nominated: matches!(pair.nomination, PairNomination::Done(_)),
            packets_sent: traffic.volume.packets_sent,
            packets_received: traffic.volume.packets_received,
            bytes_sent: traffic.volume.bytes_sent,
            bytes_received: traffic.volume.bytes_received,
            last_packet_sent_timestamp: traffic.last_sent,
            last_packet_received_timestamp: traffic.last_received,
            total_round_trip_time: counters.total_rtt,
            current_round_trip_time: counters.current_rtt,
            requests_received: counters.requests_received.into(),
            requests_sent: counters.requests_sent.into(),
            responses_received: counters.responses_received.into(),
            responses_sent: counters.responses_sent.into(),
            consent_requests_sent: counters.consent_requests_sent.into(),
            packets_discarded_on_send: traffic.packets_discarded,
            bytes_discarded_on_send: traffic.bytes_discarded,
        }
    }
}

fn local_stats(now: Instant, generation: &Generation, local: &LocalCandidate) -> CandidateStats {
    // W3C has it for these two only.
    let has_related = matches!(local.kind, CandidateType::ServerReflexive | CandidateType::Relayed);
    let related = local.related.filter(|_| has_related);
    CandidateStats {
        id: CandidateId::Local(generation.number, local.id),
        timestamp: now,
        transport_id: local.component,
        address: local.address.ip(),
        port: local.address.port(),
        protocol: local.transport(),
        candidate_type: local.kind,
        priority: local.priority,
        foundation: local.foundation,
        related_address: related.map(|it| it.ip()),
        related_port: related.map(|it| it.port()),
        username_fragment: Some(generation.local.ufrag().into()),
        tcp_type: local.tcp,
    }
}

fn remote_stats(now: Instant, generation: &Generation, remote: &RemoteCandidate) -> CandidateStats {
    CandidateStats {
        id: CandidateId::Remote(generation.number, remote.id),
        timestamp: now,
        transport_id: remote.component,
        address: remote.address.ip(),
        port: remote.address.port(),
        protocol: remote.transport(),
        candidate_type: remote.kind,
        priority: remote.priority,
        foundation: remote.foundation,
        related_address: None,
        related_port: None,
        username_fragment: generation.remote.as_ref().map(|it| it.credentials.ufrag().into()),
        tcp_type: remote.tcp,
    }
}
