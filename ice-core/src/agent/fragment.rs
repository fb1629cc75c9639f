//! Fragments of the peer's (RFC 8840): candidates and ends that come after its description, each for credentials and a stream that
//! the fragment names.

use alloc::vec::Vec;

use super::{Agent, Life, RemoteError, Untaken};
use crate::base::Instant;
use crate::candidate::Candidate;
use crate::description::{Credentials, TrickleFragment};

impl Agent {
    /// What the peer tells after its description, as SIP's INFO and the PATCH of WHIP and WHEP carry it: its candidates so far and, perhaps,
    /// their end. `mids` are the names of our streams, in the order of [`AgentConfig::streams`](super::AgentConfig::streams); a stream of a
    /// name that is not among them is passed over, as RFC 8840 §4.4 has it for one that was refused.
    ///
    /// What is of credentials that are still to come waits for these, and nothing of a fragment begins a restart. Said again, it is
    /// fine: each fragment repeats those before it.
    ///
    /// Gives the candidates that are of no use.
    ///
    /// # Errors
    /// If all of it is of a generation that is over (RFC 8840 §4.4: to be discarded), or the agent has ended.
    pub fn add_fragment(
        &mut self,
        now: Instant,
        fragment: &TrickleFragment,
        mids: &[&str],
    ) -> Result<Vec<Untaken>, RemoteError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RemoteError::Ended);
        }
        let description = fragment.description();
        let mut untaken = Vec::new();
        let (mut known, mut outdated) = (false, false);
        for of in &description.streams {
            let Some(credentials) = description.credentials_of(of) else { continue };
            // Without any `m=` it is of all streams, and has nothing but their end.
            let stream = match &of.mid {
                Some(mid) => match mids.iter().position(|m| *m == mid.as_str()) {
                    Some(index) => u16::try_from(index).ok(),
                    None => continue,
                },
                None => None,
            };
            for candidate in of.candidates.iter().filter(|_| stream.is_some()) {
                let stream = stream.unwrap_or_default();
                match self.add_of_fragment(now, stream, candidate, credentials) {
                    Ok(()) => known = true,
                    Err(RemoteError::OtherGeneration) => outdated = true,
                    Err(reason) => {
                        known = true;
                        untaken.push(Untaken { stream, candidate: candidate.clone(), reason });
                    }
                }
            }
            if description.has_ended(of) {
                match self.end_of_remote_candidates_of(now, stream, credentials.ufrag()) {
                    Err(RemoteError::OtherGeneration) => outdated = true,
                    // A stream that we do not have comes to its end without us.
                    _ => known = true,
                }
            }
        }
        if outdated && !known { Err(RemoteError::OtherGeneration) } else { Ok(untaken) }
    }

    /// A candidate belongs to the credentials of its fragment, unless it says otherwise itself.
    fn add_of_fragment(
        &mut self,
        now: Instant,
        stream: u16,
        candidate: &Candidate,
        credentials: &Credentials,
    ) -> Result<(), RemoteError> {
        if candidate.extensions.ufrag().is_some() {
            return self.add_stream_candidate(now, stream, candidate);
        }
        let mut candidate = candidate.clone();
        let extensions = core::mem::take(&mut candidate.extensions);
        candidate.extensions =
            extensions.with_ufrag(credentials.ufrag()).map_err(|_| RemoteError::NoCredentials)?;
        self.add_stream_candidate(now, stream, &candidate)
    }
}
