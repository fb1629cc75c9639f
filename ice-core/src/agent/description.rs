//! Descriptions at the agent: what ours says, and a peer's taken whole (RFC 8839 §4).

use alloc::vec::Vec;
use core::time::Duration;

use super::trickle::Ends;
use super::{Agent, Life, RemoteError};
use crate::base::Instant;
use crate::candidate::{Address, Candidate, Transport};
use crate::check::Role;
use crate::description::{Credentials, IceOptions, RemoteCandidate, SessionDescription, StreamDescription};

impl Agent {
    /// What the peer is to be told, as far as it is known: credentials, options, `ice-lite` or `ice-pacing`, and the candidates
    /// of each stream (RFC 8839 §4.3). Poll first, so that sockets that have just come up have theirs. A prepared restart is
    /// what an offer is made for, so this describes it as long as it is prepared and not applied. In a restart, prepared or not, what servers
    /// had seen is there when they have confirmed it: whoever does not trickle waits for [`Event::GatheringDone`](super::Event::GatheringDone).
    ///
    /// `end-of-candidates` is there after [`end_of_local_candidates`](Self::end_of_local_candidates): called before the first description, that is
    /// half trickle (RFC 8838 §16). `mid`s are the application's.
    ///
    /// A lite agent that controls another one, and has chosen, describes the choice alone: the pair's candidate and, as
    /// `remote-candidates`, the peer's (RFC 8445 §8.2, RFC 8839 §4.4.1.3).
    pub fn local_description(&self) -> SessionDescription {
        let generation = self.generations.staged.as_ref().unwrap_or(&self.generations.current);
        let checks = &generation.checks;
        let lite = checks.is_lite();
        let streams = self.components.iter().map(|c| usize::from(c.stream) + 1).max().unwrap_or(1);
        let mut streams: Vec<StreamDescription> =
            (0..streams).map(|_| StreamDescription::default()).collect();
        let choice = self.lite_choice();
        for local in generation.candidates.locals() {
            let is_chosen = choice
                .iter()
                .any(|(component, ours, _)| (*component, *ours) == (local.component, local.address));
            let is_told = local.is_signalled() && (choice.is_empty() || is_chosen);
            if let (Some(of), true) = (streams.get_mut(usize::from(local.component.stream)), is_told) {
                of.candidates.push(generation.signalled(local));
            }
        }
        for (component, _, address) in choice {
            if let Some(of) = streams.get_mut(usize::from(component.stream)) {
                let (component, address) = (component.component, Address::Ip(address));
                of.remote_candidates.push(RemoteCandidate { component, address });
            }
        }
        SessionDescription {
            credentials: Some(generation.local.clone()),
            options: self.local_options(),
            lite,
            pacing: (!lite).then(|| checks.wished_ta_millis()),
            end_of_candidates: generation.ended,
            streams,
        }
    }

    /// All that the peer's description tells, in one: its credentials, a restart if they are new
    /// ([`accept_credentials`](Self::accept_credentials)), options, `ice-lite`, `ice-pacing`, the candidates of each stream in the order of
    /// [`AgentConfig::streams`](super::AgentConfig::streams), their end, and what a lite peer has chosen. The same again, or more of it, is fine.
    /// Streams without ICE are passed over.
    ///
    /// # Errors
    /// Nothing was taken then: there are no credentials, or several; they are our own, or of an old generation; or options, pacing or
    /// lite differ from those before and the credentials do not (RFC 8839 §4.4.2.1: to be refused).
    pub fn set_remote_description(
        &mut self,
        now: Instant,
        description: &SessionDescription,
    ) -> Result<Taken, RemoteError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RemoteError::Ended);
        }
        let of_ice = || (0_u16..).zip(&description.streams).filter(|(_, s)| description.uses_ice(s));
        let credentials = self.credentials_for_all(description)?;
        let (options, lite) =
            (description.options_of(of_ice().next().ok_or(RemoteError::NoCredentials)?.1), description.lite);
        let pacing = description.pacing.map(|ms| Duration::from_millis(ms.into()));
        if self.continues_with(&credentials) {
            let mut told = self.generations.current.told.clone();
            told.on_lite(lite)?;
            told.on_pacing(pacing)?;
            told.on_options(options)?;
        }
        let before = self.generations.current.number;
        let was_offered = self.generations.staged.is_some();
        self.accept_credentials(now, credentials, None)?;
        let restarted = !was_offered && self.generations.current.number != before;
        self.set_remote_lite(now, lite)?;
        self.set_remote_pacing(now, pacing)?;
        self.set_remote_options(now, options)?;
        let mut untaken = Vec::new();
        for (stream, of) in of_ice() {
            for candidate in &of.candidates {
                if let Err(reason) = self.add_stream_candidate(now, stream, candidate) {
                    untaken.push(Untaken { stream, candidate: candidate.clone(), reason });
                }
            }
            self.follow_remote_candidates(now, stream, of);
            if description.has_ended(of) {
                self.on_end(Some(stream));
            }
        }
        Ok(Taken { restarted, untaken })
    }

    /// The options that the peer has signalled (RFC 8839 §5.6), for who asks [`remote_options`](Self::remote_options).
    ///
    /// # Errors
    /// If they were others before, without a restart in between (RFC 8839 §4.4.1.1.1), or the agent has ended.
    pub fn set_remote_options(&mut self, now: Instant, options: &IceOptions) -> Result<(), RemoteError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RemoteError::Ended);
        }
        self.generations.current.told.on_options(options)?;
        self.set_remote_renomination(now, options.contains(IceOptions::RENOMINATION));
        Ok(())
    }

    /// What the peer has signalled, if it has.
    pub fn remote_options(&self) -> Option<&IceOptions> {
        self.generations.current.told.options.as_ref()
    }

    /// The Ta that the peer wishes for (`ice-pacing`, RFC 8839 §5.5); `None` if it says nothing, which is 50 ms. The higher one
    /// of it and our own ([`AgentConfig::ta`](super::AgentConfig::ta)) is the distance between new checks (RFC 8445 §14.2). More than 10 s count as 10 s.
    ///
    /// # Errors
    /// If it was another before, without a restart in between (RFC 8839 §4.4.1.1.1), or the agent has ended.
    pub fn set_remote_pacing(&mut self, now: Instant, ta: Option<Duration>) -> Result<(), RemoteError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RemoteError::Ended);
        }
        let current = &mut self.generations.current;
        current.told.on_pacing(ta)?;
        current.checks.set_remote_pacing(self.now, ta);
        Ok(())
    }

    /// What we can do beyond RFC 8445's minimum.
    fn local_options(&self) -> IceOptions {
        let renomination = self.policy.renominates().then_some(IceOptions::RENOMINATION);
        let known = [IceOptions::ICE2, IceOptions::TRICKLE];
        known
            .iter()
            .chain(&renomination)
            .fold(IceOptions::new(), |options, tag| options.clone().with(tag).unwrap_or(options))
    }

    /// Lite and controlling a lite peer: what we have chosen, for all components or for none.
    fn lite_choice(&self) -> Vec<(crate::base::ComponentId, core::net::SocketAddr, core::net::SocketAddr)> {
        let checks = &self.generations.current.checks;
        if !checks.are_both_lite() || checks.role() != Role::Controlling || self.generations.staged.is_some()
        {
            return Vec::new();
        }
        let chosen = |&c: &_| self.selected_path(c).map(|path| (c, path.local, path.remote));
        self.components.iter().map(chosen).collect::<Option<_>>().unwrap_or_default()
    }

    /// The credentials of all streams that we have; there is one agent for each generation of credentials.
    fn credentials_for_all(&self, description: &SessionDescription) -> Result<Credentials, RemoteError> {
        let ours = |stream: u16| self.components.iter().any(|c| c.stream == stream);
        let streams = (0_u16..).zip(&description.streams).filter(|(stream, _)| ours(*stream));
        let mut all = streams
            .filter(|(_, stream)| description.uses_ice(stream))
            .filter_map(|(_, stream)| description.credentials_of(stream));
        let first = all.next().ok_or(RemoteError::NoCredentials)?;
        if all.any(|other| other != first) {
            return Err(RemoteError::SeveralCredentials);
        }
        Ok(first.clone())
    }

    /// Whether these credentials begin no new generation, neither here nor at the peer.
    fn continues_with(&self, credentials: &Credentials) -> bool {
        match &self.generations.current.remote {
            Some(known) => known.credentials == *credentials,
            None => self.generations.staged.is_none(),
        }
    }

    /// RFC 8839 §4.4.2.2: what a controlling lite peer has chosen. Its own end is the candidate of highest priority that it
    /// tells beside. What is no pair is passed over: the choice comes again with the next description.
    fn follow_remote_candidates(&mut self, now: Instant, stream: u16, of: &StreamDescription) {
        if !self.generations.current.checks.are_both_lite() {
            return;
        }
        for RemoteCandidate { component, address } in &of.remote_candidates {
            let Address::Ip(local) = *address else { continue };
            let is_of = |c: &&Candidate| c.component == *component && c.transport == Transport::Udp;
            let theirs = of.candidates.iter().filter(is_of).max_by_key(|c| c.priority);
            if let Some(Address::Ip(remote)) = theirs.map(|c| &c.address) {
                let component = crate::base::ComponentId { stream, component: *component };
                let _ = self.follow_lite_choice(now, component, local, *remote);
            }
        }
    }
}

/// What became of a description.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Taken {
    /// The peer has restarted, and so have we: our credentials have changed and are to be signalled, with the candidates
    /// that are told again (RFC 8445 §9).
    pub restarted: bool,
    /// The candidates that are of no use. That is no failure: peers signal TCP candidates too.
    pub untaken: Vec<Untaken>,
}

/// A candidate that is of no use.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Untaken {
    /// Of which stream, counted from 0.
    pub stream: u16,
    /// As it was signalled.
    pub candidate: Candidate,
    /// Why.
    pub reason: RemoteError,
}

/// What the peer has told of itself in one generation. It may change with a restart only (RFC 8839 §4.4.1.1.1).
#[derive(Clone, Default)]
pub(super) struct Told {
    lite: Option<bool>,
    pacing: Option<Option<Duration>>,
    options: Option<IceOptions>,
    pub(super) ends: Ends,
}

impl Told {
    pub(super) fn on_lite(&mut self, lite: bool) -> Result<(), RemoteError> {
        tell(&mut self.lite, lite, |known| *known == lite)
    }

    fn on_pacing(&mut self, pacing: Option<Duration>) -> Result<(), RemoteError> {
        tell(&mut self.pacing, pacing, |known| *known == pacing)
    }

    fn on_options(&mut self, options: &IceOptions) -> Result<(), RemoteError> {
        let all_in = |one: &IceOptions, other: &IceOptions| one.iter().all(|tag| other.contains(tag));
        let same = |known: &IceOptions| all_in(known, options) && all_in(options, known);
        tell(&mut self.options, options.clone(), same)
    }
}

fn tell<T>(slot: &mut Option<T>, news: T, same: impl Fn(&T) -> bool) -> Result<(), RemoteError> {
    match slot {
        Some(known) if same(known) => Ok(()),
        Some(_) => Err(RemoteError::ChangedWithoutRestart),
        None => {
            *slot = Some(news);
            Ok(())
        }
    }
}
