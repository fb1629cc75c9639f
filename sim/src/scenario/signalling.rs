//! What the applications tell each other by signalling, when it arrives, and what the agents make of it.

use core::fmt;

use core::time::Duration;

use floe_core::candidate::CandidateError;
use floe_core::{Candidate, Credentials, RemoteError};

use super::peer::Told;
use super::{PeerId, World};
use crate::Instant;

/// Something on its way from one peer's application to the other's.
pub(super) struct Signal {
    pub(super) at: Instant,
    to: PeerId,
    news: News,
}

pub(super) enum News {
    /// With what goes for the whole session: `ice-lite` and `ice-pacing`.
    Credentials(Credentials, bool, Option<Duration>),
    Candidate(Candidate),
    EndOfCandidates,
}

/// Why a line of signalling had no effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Untold {
    /// It cannot be read.
    Line(CandidateError),
    /// The agent has no use for it.
    Refused(RemoteError),
}

impl World {
    /// Signalling brings this candidate line to a peer at this moment.
    ///
    /// # Errors
    /// What an application would see: that the line cannot be read, or what the agent says to it.
    pub fn tell(&mut self, to: PeerId, line: &str) -> Result<(), Untold> {
        let now = self.now();
        self.note(format!("{} is told {line}", self.peer(to).name));
        let candidate: Candidate = line.parse().map_err(Untold::Line)?;
        self.agent(to).add_remote_candidate(now, &candidate).map_err(Untold::Refused)
    }

    /// What signalling brought to a peer and its agent did not take, with the time.
    pub fn untaken(&self, peer: PeerId) -> &[(Instant, RemoteError)] {
        &self.peer(peer).untaken
    }

    /// Tells the other side of a peer's credentials, as its story says.
    pub(super) fn signal_credentials(&mut self, from: PeerId) {
        let peer = self.peer(from);
        let right = peer.agent.local_credentials();
        let told = match &peer.story.credentials {
            Told::Nothing => return,
            Told::Right => Ok(right.clone()),
            Told::WrongPassword => Credentials::new(right.ufrag(), "somebody-elses-password-123"),
            Told::Of(other) => Ok(other.clone()),
        };
        if let Ok(told) = told {
            let ours = peer.agent.local_description();
            let pacing = ours.pacing.filter(|_| peer.story.pacing).map(|ms| Duration::from_millis(ms.into()));
            self.signal(from, News::Credentials(told, ours.lite, pacing));
        }
    }

    /// Sends news to the other side of a peer.
    pub(super) fn signal(&mut self, from: PeerId, news: News) {
        let peer = self.peer(from);
        let delay = match news {
            News::Credentials(..) => peer.story.credentials_delay,
            News::Candidate(_) | News::EndOfCandidates => peer.story.candidates_delay,
        };
        let at = self.now() + delay;
        self.signals.extend(peer.other.map(|to| Signal { at, to, news }));
    }

    /// Whether any was due.
    pub(super) fn bring_signals(&mut self) -> bool {
        let now = self.now();
        if self.signals.iter().all(|s| s.at > now) {
            return false;
        }
        let (due, later): (Vec<_>, Vec<_>) =
            core::mem::take(&mut self.signals).into_iter().partition(|s| s.at <= now);
        self.signals = later;
        for Signal { to, news, .. } in due {
            let peer = self.peer_mut(to);
            let taken = match news {
                News::Credentials(credentials, lite, pacing) => peer
                    .agent
                    .set_remote_credentials(now, credentials)
                    .and_then(|()| peer.agent.set_remote_lite(now, lite))
                    .and_then(|()| peer.agent.set_remote_pacing(now, pacing)),
                News::Candidate(candidate) => peer.agent.add_remote_candidate(now, &candidate),
                News::EndOfCandidates => {
                    peer.agent.end_of_remote_candidates(now);
                    Ok(())
                }
            };
            peer.untaken.extend(taken.err().map(|error| (now, error)));
        }
        true
    }
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(error) => error.fmt(f),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Untold {}
