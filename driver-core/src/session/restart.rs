//! Restarts (RFC 8445 §9) of a session. What there is goes on until the new credentials have found a path.

use floe_core::{Agent, Credentials, RemoteError, RestartError};

use super::Session;
use crate::Runtime;

impl<R: Runtime> Session<R> {
    /// Restarts at once. The credentials, and the candidates that are told again
    /// ([`local_description`](Self::local_description), or the events), are for the peer, which takes them with
    /// [`set_remote_description`](Self::set_remote_description) or [`accept_credentials`](Self::accept_credentials). What servers had seen
    /// is told when they have confirmed it, a second later if they are silent: a description is complete at
    /// [`Event::GatheringDone`](floe_core::Event::GatheringDone).
    ///
    /// # Errors
    /// If the session has ended.
    pub fn restart(&self) -> Result<Credentials, RestartError> {
        self.shared().command(Agent::restart)
    }

    /// Stages a restart, for an offer: [`local_description`](Self::local_description) describes it from now on. The peer's
    /// answer, by [`set_remote_description`](Self::set_remote_description), applies it. Asked again, it gives the same credentials. The
    /// description is complete as after [`restart`](Self::restart).
    ///
    /// # Errors
    /// If the session has ended.
    pub fn prepare_restart(&self) -> Result<Credentials, RestartError> {
        self.shared().command(Agent::prepare_restart)
    }

    /// What was staged is in force, before the peer has answered.
    ///
    /// # Errors
    /// If nothing was staged, or the session has ended.
    pub fn apply_restart(&self) -> Result<(), RestartError> {
        self.shared().command(Agent::apply_restart)
    }

    /// Takes a staged restart back: the offer was refused.
    ///
    /// # Errors
    /// If nothing was staged.
    pub fn cancel_restart(&self) -> Result<(), RestartError> {
        self.shared().command(Agent::cancel_restart)
    }

    /// Takes the peer's credentials, its first ones or those of a restart, and restarts if need be: for signalling without offers and
    /// answers. `answers` is what its [`Event::Restarted`](floe_core::Event::Restarted) had. See [`Agent::accept_credentials`].
    ///
    /// # Errors
    /// If they are our own, or belong to a generation that is over, or the session has ended.
    pub fn accept_credentials(
        &self,
        credentials: Credentials,
        answers: Option<&str>,
    ) -> Result<(), RemoteError> {
        self.shared().command(|agent, now| agent.accept_credentials(now, credentials, answers))
    }
}
