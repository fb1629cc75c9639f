//! What the applications tell each other by signalling, when it arrives, and what the agents make of it.

use core::fmt;
use core::time::Duration;

use floe_core::candidate::{Address, CandidateError};
use floe_core::description::IceOptions;
use floe_core::{Candidate, CandidateType, Credentials, Query, RemoteError, Unresolved};

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
    Credentials(Credentials, Option<String>),
    /// What goes for the whole session: `ice-lite`, `ice-pacing` and `ice-options`.
    Session(bool, Option<Duration>, IceOptions),
    /// To restart, with the credentials of it.
    Offer(Credentials),
    /// To the offer, with the answerer's.
    Answer(Credentials),
    Candidate(u16, Candidate),
    /// This one is gone.
    Removed(u16, Candidate),
    /// Of the credentials with this username fragment.
    EndOfCandidates(String),
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
        let now = self.clock(to);
        self.note(format!("{} is told {line}", self.peer(to).name));
        let candidate: Candidate = line.parse().map_err(Untold::Line)?;
        self.agent(to).add_remote_candidate(now, &candidate).map_err(Untold::Refused)
    }

    /// Signalling tells a peer at this moment that this candidate of the other side is gone.
    ///
    /// # Errors
    /// As [`Self::tell`].
    pub fn tell_gone(&mut self, to: PeerId, line: &str) -> Result<(), Untold> {
        let now = self.clock(to);
        self.note(format!("{} is told that {line} is gone", self.peer(to).name));
        let candidate: Candidate = line.parse().map_err(Untold::Line)?;
        self.agent(to).remove_remote_candidate(now, 0, &candidate).map_err(Untold::Refused)
    }

    /// What signalling brought to a peer and its agent did not take, with the time.
    pub fn untaken(&self, peer: PeerId) -> &[(Instant, RemoteError)] {
        &self.peer(peer).untaken
    }

    /// A peer restarts at once (RFC 8445 §9), and signals its new credentials and its candidates again. The other side does the
    /// same when it hears of it. This is signalling that knows no offers: see
    /// [`accept_credentials`](floe_core::Agent::accept_credentials).
    ///
    /// # Panics
    /// If its agent has ended.
    #[expect(clippy::expect_used, reason = "a scenario that is wrong ends")]
    pub fn restart(&mut self, peer: PeerId) {
        let now = self.clock(peer);
        self.note(format!("{} restarts", self.peer(peer).name));
        self.agent(peer).restart(now).expect("an agent that has not ended");
    }

    /// A peer offers to restart (RFC 8839 §4.4.1.1), unless its last offer still waits. The other side restarts and answers. Of two
    /// offers that meet, that of the peer that was added first stands, and the other is taken back.
    ///
    /// # Panics
    /// If its agent has ended.
    #[expect(clippy::expect_used, reason = "a scenario that is wrong ends")]
    pub fn offer_restart(&mut self, peer: PeerId) {
        let now = self.clock(peer);
        self.note(format!("{} offers to restart", self.peer(peer).name));
        self.uses_offers = true;
        if !core::mem::replace(&mut self.peer_mut(peer).offering, true) {
            let credentials = self.agent(peer).prepare_restart(now).expect("an agent that has not ended");
            self.signal(peer, News::Offer(credentials));
        }
    }

    fn on_offer(&mut self, to: PeerId, credentials: Credentials) -> Result<(), RemoteError> {
        let now = self.clock(to);
        let peer = self.peer_mut(to);
        if peer.offering {
            if to.0 == 0 {
                return Ok(());
            }
            peer.offering = false;
            // It was staged, so it can be taken back.
            let _ = peer.agent.cancel_restart(now);
        }
        let answer = peer.agent.restart(now).map_err(|_| RemoteError::Ended)?;
        let taken = peer.agent.set_remote_credentials(now, credentials);
        self.signal(to, News::Answer(answer));
        taken
    }

    fn on_answer(&mut self, to: PeerId, credentials: Credentials) -> Result<(), RemoteError> {
        let now = self.clock(to);
        let peer = self.peer_mut(to);
        peer.offering = false;
        peer.agent.apply_restart(now).map_err(|_| RemoteError::Ended)?;
        peer.agent.set_remote_credentials(now, credentials)
    }

    /// Tells the other side of a peer's credentials, as its story says.
    pub(super) fn signal_credentials(&mut self, from: PeerId, answers: Option<String>) {
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
            let session = News::Session(ours.lite, pacing, ours.options);
            self.signal(from, News::Credentials(told, answers));
            self.signal(from, session);
        }
    }

    /// The candidate with a name in place of its address, if this peer's are to be so. An address keeps its name.
    pub(super) fn named(&mut self, id: PeerId, mut candidate: Candidate) -> Candidate {
        if self.peer(id).names
            && candidate.kind == CandidateType::Host
            && let Address::Ip(address) = candidate.address
        {
            let known = self.names.iter().find(|(_, ip)| *ip == address.ip()).map(|(name, _)| name.clone());
            let name = known.unwrap_or_else(|| {
                let name = format!("host-{}.local", self.names.len());
                self.names.push((name.clone(), address.ip()));
                name
            });
            candidate.address = Address::Name { name, port: address.port() };
        }
        candidate
    }

    pub(super) fn on_query(&mut self, id: PeerId, query: &Query) {
        let now = self.clock(id);
        let found: Vec<_> =
            self.names.iter().filter(|(name, _)| *name == query.name).map(|(_, ip)| *ip).collect();
        let answer = if found.is_empty() { Err(Unresolved) } else { Ok(&found[..]) };
        let answered = self.agent(id).resolved(now, query.id, answer);
        debug_assert!(answered.is_ok(), "it was asked just now");
    }

    /// Sends news to the other side of a peer.
    pub(super) fn signal(&mut self, from: PeerId, news: News) {
        let peer = self.peer(from);
        let delay = match news {
            News::Credentials(..) | News::Session(..) | News::Offer(_) | News::Answer(_) => {
                peer.story.credentials_delay
            }
            News::Candidate(..) | News::Removed(..) | News::EndOfCandidates(_) => peer.story.candidates_delay,
        };
        let at = self.now() + delay;
        self.signals.extend(peer.other.map(|to| Signal { at, to, news }));
    }

    /// When it arrives. Who sleeps is told when he wakes.
    pub(super) fn due(&self, signal: &Signal) -> Instant {
        let wakes = self.network.sleeps_until(self.host(signal.to));
        wakes.map_or(signal.at, |wakes| wakes.max(signal.at))
    }

    /// Whether any was due.
    pub(super) fn bring_signals(&mut self) -> bool {
        let now = self.now();
        if self.signals.iter().all(|s| self.due(s) > now) {
            return false;
        }
        let (due, later): (Vec<_>, Vec<_>) =
            core::mem::take(&mut self.signals).into_iter().partition(|s| self.due(s) <= now);
        self.signals = later;
        for Signal { to, news, .. } in due {
            let offers = self.uses_offers;
            let now = self.clock(to);
            let peer = self.peer_mut(to);
            let taken = match news {
                News::Offer(credentials) => self.on_offer(to, credentials),
                News::Answer(credentials) => self.on_answer(to, credentials),
                News::Credentials(credentials, _) if offers => {
                    peer.agent.set_remote_credentials(now, credentials)
                }
                // If it restarts by this, it says so by an event.
                News::Credentials(credentials, answers) => {
                    peer.agent.accept_credentials(now, credentials, answers.as_deref())
                }
                News::Session(lite, pacing, options) => peer
                    .agent
                    .set_remote_lite(now, lite)
                    .and_then(|()| peer.agent.set_remote_pacing(now, pacing))
                    .and_then(|()| peer.agent.set_remote_options(now, &options)),
                News::Candidate(stream, candidate) => {
                    peer.agent.add_stream_candidate(now, stream, &candidate)
                }
                News::Removed(stream, candidate) => {
                    peer.agent.remove_remote_candidate(now, stream, &candidate)
                }
                News::EndOfCandidates(ufrag) => peer.agent.end_of_remote_candidates_of(now, None, &ufrag),
            };
            self.peer_mut(to).untaken.extend(taken.err().map(|error| (now, error)));
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
