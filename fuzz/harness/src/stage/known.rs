//! What the application has been told and the peer may rely on: credentials of each generation, and candidates.

use core::net::SocketAddr;
use std::collections::VecDeque;

use floe_core::candidate::Address;
use floe_core::{Agent, Candidate, CandidateType, ComponentId, Credentials, MAX_OLD_GENERATIONS};

use crate::forge::Keyed;

/// The agent's credentials and candidates, as signalling has them.
pub(super) struct Known {
    /// In force, the newest first. Which of the old ones the agent remembers depends on the paths that they lend.
    generations: VecDeque<Keyed>,
    staged: Option<Keyed>,
    cancelled: Option<Keyed>,
    candidates: Vec<(u16, Candidate)>,
}

impl Known {
    pub(super) fn new(first: Credentials) -> Self {
        Self {
            generations: VecDeque::from([Keyed::new(first)]),
            staged: None,
            cancelled: None,
            candidates: Vec::new(),
        }
    }

    pub(super) fn current(&self) -> &Keyed {
        self.generations.front().expect("there is a first")
    }

    /// The agent's credentials are these from now on.
    pub(super) fn on_in_force(&mut self, credentials: &Credentials) {
        if self.generations.iter().any(|known| known.credentials == *credentials) {
            return;
        }
        self.generations.push_front(Keyed::new(credentials.clone()));
        self.staged = None;
    }

    pub(super) fn on_staged(&mut self, credentials: Credentials) {
        let staged = Keyed::new(credentials);
        if let Some(known) = &self.staged {
            assert_eq!(known.credentials, staged.credentials, "asked again, it gives the same");
        }
        self.staged = Some(staged);
    }

    pub(super) fn on_cancelled(&mut self) {
        assert!(self.staged.is_some(), "what nobody staged was taken back");
        self.cancelled = self.staged.take();
    }

    /// 0 is the current generation, 1 the staged one, 7 one that was taken back, and between them are old ones; whether
    /// the agent may know it.
    pub(super) fn generation(&self, number: u8) -> Option<(&Keyed, bool)> {
        match number % 8 {
            0 => Some((self.current(), true)),
            1 => self.staged.as_ref().map(|staged| (staged, true)),
            7 => self.cancelled.as_ref().map(|over| (over, false)),
            n => self.generations.get(usize::from(n - 1)).map(|known| (known, true)),
        }
    }

    /// All that the agent may use.
    pub(super) fn live(&self) -> impl Iterator<Item = &Keyed> {
        self.generations.iter().chain(&self.staged)
    }

    /// How many generations the agent may have.
    pub(super) fn count(&self) -> usize {
        self.generations.len().min(MAX_OLD_GENERATIONS + 1) + usize::from(self.staged.is_some())
    }

    pub(super) fn on_candidate(&mut self, stream: u16, candidate: &Candidate) {
        assert_eq!(candidate.to_string().parse().as_ref(), Ok(candidate));
        self.candidates.push((stream, candidate.clone()));
    }

    pub(super) fn on_candidate_removed(&mut self, stream: u16, candidate: &Candidate) {
        let place = self.candidates.iter().position(|(s, told)| *s == stream && told == candidate);
        let place = place.unwrap_or_else(|| panic!("taken back and never told: {stream} {candidate}"));
        self.candidates.remove(place);
    }

    /// Each host candidate of this moment that the peer knows of is that of a socket.
    pub(super) fn check(&self, agent: &Agent, is_up: impl Fn(SocketAddr, ComponentId) -> bool) {
        let is_live = |ufrag: &str| {
            let mut live = self.staged.iter().chain([self.current()]);
            live.any(|keyed| keyed.credentials.ufrag() == ufrag)
        };
        for (stream, candidate) in &self.candidates {
            let of = ComponentId { stream: *stream, component: candidate.component };
            let Address::Ip(address) = candidate.address else { continue };
            let is_host = candidate.kind == CandidateType::Host;
            if is_host
                && agent.components().contains(&of)
                && candidate.extensions.ufrag().is_some_and(is_live)
            {
                assert!(is_up(address, of), "the peer believes in {of} {candidate}");
            }
        }
    }
}
