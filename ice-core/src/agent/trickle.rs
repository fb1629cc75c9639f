//! The end of candidates (RFC 8838 §13 and §14): of the peer's and of ours, for each generation.

use core::fmt;

use smallvec::SmallVec;

use super::{Agent, Event, Life, RemoteError};
use crate::base::{ComponentId, Instant};
use crate::candidate::Candidate;
use crate::description::Ufrag;

/// How many ends of candidates are remembered for credentials that are still to come (RFC 8838 §14 has no limit): some for each stream
/// of a restart. Of more the oldest is forgotten, and all that is lost by it is that later candidates are taken.
pub const MAX_EARLY_ENDS: usize = super::MAX_COMPONENTS;

/// The streams whose candidates have come to their end.
#[derive(Clone, Default, Debug)]
pub(super) struct Ends(SmallVec<[u16; 2]>);

impl Ends {
    fn add(&mut self, stream: u16) {
        if !self.has(stream) {
            self.0.push(stream);
        }
    }

    pub(super) fn has(&self, stream: u16) -> bool {
        self.0.contains(&stream)
    }
}

/// An end that has come before the credentials that it is of.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct EarlyEnd {
    ufrag: Ufrag,
    /// `None`: of all streams.
    stream: Option<u16>,
}

impl EarlyEnd {
    fn is_of(&self, stream: u16, ufrag: &str) -> bool {
        self.ufrag.as_str() == ufrag && self.stream.is_none_or(|of| of == stream)
    }
}

impl fmt::Debug for EarlyEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.ufrag.as_str(), self.stream)
    }
}

impl Agent {
    /// No more candidates of ours will be signalled for the generation that [`local_description`](Self::local_description) describes: a
    /// prepared restart, or else the current one. [`Event::EndOfCandidates`] comes behind the candidates that there are, to be
    /// signalled like them, and descriptions have `end-of-candidates` from now on.
    ///
    /// It is the application's to know when that is so, usually at [`Event::GatheringDone`]. What comes up later all the same is not
    /// told before the next restart, which begins anew (RFC 8838 §13). It is checked from, so the peer may come to
    /// know it as peer-reflexive. An application that roams leaves the end open, as browsers with continual gathering do: then the
    /// candidates of a new socket are told at any time.
    pub fn end_of_local_candidates(&mut self, now: Instant) {
        self.advance(now);
        if self.life != Life::Running {
            return;
        }
        self.gather();
        let number = self.generations.staged.as_ref().unwrap_or(&self.generations.current).number;
        self.tell_all_remembered(number);
        let generation = self.generations.staged.as_mut().unwrap_or(&mut self.generations.current);
        if !core::mem::replace(&mut generation.ended, true) {
            let ufrag = generation.local.ufrag().into();
            self.events.push_back(Event::EndOfCandidates { ufrag });
        }
    }

    /// The peer will signal no more candidates, of no stream, for the credentials that it has signalled last (RFC 8838 §14). Those that
    /// come all the same are refused; what its checks show is still taken. It does not shorten the agent's patience, for that very
    /// reason (RFC 8863 §5); a report tells whether it came.
    ///
    /// Before any credentials it is of nobody knows what, and is ignored: see
    /// [`end_of_remote_candidates_of`](Self::end_of_remote_candidates_of).
    pub fn end_of_remote_candidates(&mut self, now: Instant) {
        self.advance(now);
        if self.generations.current.remote.is_some() {
            self.on_end(None);
        }
    }

    /// The same with the username fragment of the peer's that it is of, which may still be to come (RFC 8838 §13), for one data stream, or for
    /// all.
    ///
    /// # Errors
    /// If the credentials are of a generation that is over, or cannot be any; if there is no such stream, or the agent has ended.
    pub fn end_of_remote_candidates_of(
        &mut self,
        now: Instant,
        stream: Option<u16>,
        ufrag: &str,
    ) -> Result<(), RemoteError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RemoteError::Ended);
        }
        if let Some(stream) = stream
            && !self.components.iter().any(|c| c.stream == stream)
        {
            return Err(RemoteError::UnknownComponent(ComponentId { stream, component: 1 }));
        }
        if self.remote_credentials().is_some_and(|r| r.ufrag() == ufrag) {
            self.on_end(stream);
            return Ok(());
        }
        if self.generations.was_of_old(ufrag) {
            return Err(RemoteError::OtherGeneration);
        }
        let ufrag = Ufrag::new(ufrag).map_err(|_| RemoteError::OtherGeneration)?;
        let end = EarlyEnd { ufrag, stream };
        if !self.early_ends.contains(&end) {
            if self.early_ends.len() >= MAX_EARLY_ENDS {
                self.early_ends.pop_front();
            }
            self.early_ends.push_back(end);
        }
        Ok(())
    }

    /// The credentials of the current generation are here: what has come before them, in the order in which it came.
    pub(super) fn take_early(&mut self, ufrag: &str) {
        let is_meant = |(_, candidate): &(u16, Candidate)| candidate.extensions.ufrag() == Some(ufrag);
        let (meant, others) = core::mem::take(&mut self.early).into_iter().partition(is_meant);
        self.early = others;
        for (stream, candidate) in meant {
            // Nobody is there to be told of what is wrong with one. None has come after its end.
            let _ = self.take_candidate(stream, &candidate, false);
        }
        let mut ends = core::mem::take(&mut self.early_ends);
        ends.retain(|end| {
            let is_meant = end.ufrag.as_str() == ufrag;
            if is_meant {
                self.on_end(end.stream);
            }
            !is_meant
        });
        self.early_ends = ends;
    }

    /// Whether the end of these, whose credentials are still to come, has come.
    pub(super) fn has_ended_early(&self, stream: u16, ufrag: &str) -> bool {
        self.early_ends.iter().any(|end| end.is_of(stream, ufrag))
    }

    /// Whether no candidates of the peer's will come any more, of any stream.
    pub(super) fn has_remote_ended(&self) -> bool {
        self.components.iter().all(|c| self.generations.current.told.ends.has(c.stream))
    }

    /// The end of a stream, or of all, of the peer's current credentials.
    pub(super) fn on_end(&mut self, stream: Option<u16>) {
        let ends = &mut self.generations.current.told.ends;
        let all = self.components.iter().map(|c| c.stream);
        all.filter(|of| stream.is_none_or(|only| only == *of)).for_each(|of| ends.add(of));
    }
}
