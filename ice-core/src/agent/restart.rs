//! Restart (RFC 8445 §9), made before it breaks: new credentials and checks, while the paths that there are go on.

use core::fmt;

use super::generation::{Generation, Meeting};
use super::{Agent, Event, Life, RemoteError};
use crate::base::Instant;
use crate::candidate::Candidates;
use crate::description::Credentials;

impl Agent {
    /// Stages a restart: credentials for an offer. They answer from now on, because the peer's checks may be faster than
    /// its answer; everything else goes on as it was until [`apply_restart`](Self::apply_restart). Our candidates are told again, with the new
    /// username fragment: at once, but for those that a STUN or TURN server has seen, which is asked anew and has a second to confirm them.
    /// [`Event::GatheringDone`] comes when all are told; until then a description lacks them. Asked again, it gives the same credentials.
    ///
    /// # Errors
    /// If the agent has ended.
    pub fn prepare_restart(&mut self, now: Instant) -> Result<Credentials, RestartError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RestartError::Ended);
        }
        self.gather();
        if let Some(staged) = &self.generations.staged {
            return Ok(staged.local.clone());
        }
        let (number, local) = self.stage();
        self.announce_again(number);
        Ok(local)
    }

    fn stage(&mut self) -> (u16, Credentials) {
        let is_new = self.generations.staged.is_none();
        let staged = self.generations.stage(&self.components, &mut self.random);
        let (number, local) = (staged.number, staged.local.clone());
        self.leave_out_lost_sockets(number);
        if let Some(staged) = self.generations.staged.as_mut().filter(|_| is_new) {
            self.gatherer.leave_out_filtered(&mut staged.candidates);
            self.gatherer.ask_again(self.now, &mut staged.candidates);
            self.doubt_relays();
        }
        (number, local)
    }

    /// In force at once: the credentials are told first, and then the candidates that need them.
    fn restart_for(&mut self, now: Instant, answers: Option<&str>) -> Result<Credentials, RestartError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RestartError::Ended);
        }
        self.gather();
        let is_new = self.generations.staged.is_none();
        let (number, local) = self.stage();
        if let (Some(staged), Some(answers)) = (&mut self.generations.staged, answers) {
            staged.answers = Some(answers.into());
        }
        self.apply_restart(now)?;
        if is_new {
            self.announce_again(number);
        }
        Ok(local)
    }

    /// The staged credentials are in force, and the peer's are to come by
    /// [`set_remote_credentials`](Self::set_remote_credentials). Paths, their consent and their data go on until the new generation has selected.
    ///
    /// # Errors
    /// If nothing was staged, or the agent has ended.
    pub fn apply_restart(&mut self, now: Instant) -> Result<(), RestartError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RestartError::Ended);
        }
        if self.generations.staged.is_none() {
            return Err(RestartError::NotPrepared);
        }
        self.forget_surplus();
        if !self.generations.apply() {
            return Err(RestartError::NotPrepared);
        }
        self.paths.on_restarted(self.generations.current.number);
        self.watch.on_restarted(self.now);
        self.names.reset();
        self.moves.clear();
        self.last_loss = None;
        self.hints = super::Hints::default();
        let Generation { local, answers, .. } = &self.generations.current;
        self.events.push_back(Event::Restarted { credentials: local.clone(), answers: answers.clone() });
        Ok(())
    }

    /// Takes a staged restart back: the offer was refused. The peer's checks for it are refused from now on.
    ///
    /// # Errors
    /// If nothing was staged.
    pub fn cancel_restart(&mut self, now: Instant) -> Result<(), RestartError> {
        self.advance(now);
        self.generations.staged.take().map(|_| ()).ok_or(RestartError::NotPrepared)
    }

    /// Restarts at once: [`prepare_restart`](Self::prepare_restart) and [`apply_restart`](Self::apply_restart) in one. Signal the credentials, and the candidates
    /// that are told again, to the peer.
    ///
    /// # Errors
    /// If the agent has ended.
    pub fn restart(&mut self, now: Instant) -> Result<Credentials, RestartError> {
        self.restart_for(now, None)
    }

    /// The peer has signalled credentials: its first ones, or those of a restart. `answers` is what came with them, from its
    /// [`Event::Restarted`]: which username fragment of ours they were made for, if any. We restart if need be; our own credentials
    /// are then to be signalled, as [`Event::Restarted`] says. With this, restarts from both sides at once, and several in a row, end
    /// well, without offers and answers. Credentials have to come in the order in which they were sent, as over any reliable channel.
    ///
    /// # Errors
    /// If they are our own, or belong to a generation that is over: also if the peer's checks have come with later ones, which
    /// are on their way then.
    pub fn accept_credentials(
        &mut self,
        now: Instant,
        credentials: Credentials,
        answers: Option<&str>,
    ) -> Result<(), RemoteError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(RemoteError::Ended);
        }
        if self.is_known(&credentials) || self.generations.iter().any(|g| g.local == credentials) {
            // Said again, or too late.
            return self.set_remote_credentials(now, credentials);
        }
        match self.generations.meeting(&credentials, answers) {
            Meeting::Outdated => return Err(RemoteError::OtherGeneration),
            Meeting::Current => self.forget_remote(),
            Meeting::Staged => self.apply_restart(now).map_err(|_| RemoteError::Ended)?,
            Meeting::Next => {
                self.restart_for(now, Some(credentials.ufrag())).map_err(|_| RemoteError::Ended)?;
            }
        }
        self.set_remote_credentials(now, credentials)
    }

    /// Whom the current generation was thought to be for: the paths that came of it go.
    fn forget_remote(&mut self) {
        let Generation { number, remote: Some(_), .. } = self.generations.current else { return };
        self.paths.remove(self.now, |flow| flow.pair.generation() == number);
        while let Some(effect) = self.paths.poll_effect() {
            // The checks begin anew: they have nothing to say of it, and no restart is needed.
            if !matches!(effect, crate::path::Effect::ConsentEnded { .. }) {
                self.on_path_effect(effect);
            }
        }
        self.paths.on_restarted(number);
        self.paths.on_settled();
        self.generations.current.forget_remote(&self.components);
        self.names.reset();
    }

    /// Makes room for one more old generation. If even the one that goes lends a path, that is told while it is known.
    fn forget_surplus(&mut self) {
        let paths = &self.paths;
        let Some(number) = self.generations.surplus(|n| paths.lends(n)) else { return };
        self.paths.remove(self.now, |flow| flow.pair.generation() == number);
        self.absorb();
        self.generations.forget(number);
    }

    /// Whether the peer had these in a generation that we remember.
    pub(super) fn is_known(&self, credentials: &Credentials) -> bool {
        self.generations.iter().any(|g| g.has_remote(credentials))
    }

    /// The restart may come from the loss of a socket, whose candidates are still there at that moment.
    fn leave_out_lost_sockets(&mut self, number: u16) {
        let Some(generation) = self.generations.get_mut(number) else { return };
        let locals = generation.candidates.locals().iter();
        let lost = locals.filter(|l| self.gatherer.socket(l.socket).is_none()).map(|l| l.id);
        for id in lost.collect::<alloc::vec::Vec<_>>() {
            generation.candidates.remove_local(id);
        }
    }

    /// Tells the candidates of a generation, which are those of the one before under other credentials. What is hidden
    /// stays so.
    fn announce_again(&mut self, number: u16) {
        let Some(generation) = self.generations.get(number) else { return };
        let candidates: &Candidates = &generation.candidates;
        let mut told: alloc::vec::Vec<_> = candidates.locals().iter().map(|l| (l.component, l.id)).collect();
        // RFC 8838 §17: the lower component first.
        told.sort_by_key(|(component, _)| *component);
        for (_, id) in told {
            self.announce(number, id);
        }
        if !self.gatherer.inquiries.is_under_way() {
            self.events.push_back(Event::GatheringDone);
        }
    }
}

/// Why there is no restart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RestartError {
    /// No restart was staged with `prepare_restart`.
    NotPrepared,
    /// The agent is closed or has failed.
    Ended,
}

impl fmt::Display for RestartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPrepared => "no restart was prepared",
            Self::Ended => "the agent has ended",
        })
    }
}

impl core::error::Error for RestartError {}
