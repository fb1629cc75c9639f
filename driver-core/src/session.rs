//! A session: bound sockets, an engine, and a task that serves them. It is where descriptions go out and come in.

mod restart;
mod roaming;

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use floe_core::{
    Agent, Candidate, ComponentId, Credentials, Event, MappingKnowledge, Path, RemoteError, Report, Role,
};

use crate::interfaces;
use crate::shared::{Life, Shared, State, Topic};
use crate::stream::Trust;
use crate::task::Task;
use crate::trace::Bridge;
use crate::{
    BindError, Config, ConnectError, Connection, Description, Events, Runtime, Stats, UnusableCandidate,
};

/// One attempt to reach one peer, from bound sockets to a connection.
///
/// It is a handle: clone it to signal candidates from one task while another waits in [`connect`](Self::connect).
/// When the last clone and the last [`Connection`] are dropped, the task ends and the sockets are closed.
pub struct Session<R: Runtime> {
    pub(crate) handle: Arc<Handle<R>>,
}

pub use roaming::Followed;

/// What all handles of a session hold. The task holds only what is shared, so that it does not keep itself alive.
pub(crate) struct Handle<R: Runtime> {
    pub(crate) shared: Arc<Shared<R>>,
    /// For the sockets that come later.
    runtime: R,
}

impl<R: Runtime> Drop for Handle<R> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl<R: Runtime> Session<R> {
    /// Binds one UDP socket on every usable address, with a TCP listener beside it if [`Config::tcp`] says so, gathers the host candidates, begins to ask the servers and starts the session's task
    /// on `runtime`. It asks the system for its interfaces, which takes about a millisecond and does not yield.
    ///
    /// # Errors
    /// If no address can be bound, or the configuration is out of range. An address that cannot be bound while others
    /// can is only logged.
    pub fn bind(runtime: &R, config: Config) -> Result<Self, BindError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| BindError::Random(error.into()))?;
        let mut agent = Agent::new(config.agent, seed)?;
        let session = agent.local_credentials().ufrag().to_owned();
        agent.set_observer(Box::new(Bridge { session, then: config.observer }));
        for server in &config.servers {
            agent.add_ice_server(floe_core::Instant::ZERO, server)?;
        }

        let trust = Trust::new(&config.tls)?;
        let shared = Arc::new(Shared::new(agent, config.interfaces, config.tcp, trust));
        let session = Self { handle: Arc::new(Handle { shared, runtime: runtime.clone() }) };
        let interfaces = interfaces::of_this_host();
        let followed = session.shared().with(|state| {
            let selection = interfaces::select(&interfaces, &state.policy);
            state.follow(runtime, selection)
        });
        if followed.up.is_empty() {
            return Err(BindError::NoUsableAddress(followed.unused));
        }
        let mut task = Task::new(Arc::clone(&session.handle.shared), runtime.clone());
        task.gather();
        runtime.spawn(task);
        Ok(session)
    }

    /// What to tell the peer, as far as it is known. Host candidates are all there as soon as the session is bound. A restart
    /// that is prepared and not applied is described instead of what is in force; where servers had seen us is in it when they have
    /// confirmed it, and at the latest when the next `GatheringDone` comes.
    pub fn local_description(&self) -> Description {
        self.shared().with(|state| {
            let floe_core::description::SessionDescription {
                credentials, streams, end_of_candidates, ..
            } = state.agent.local_description();
            Description {
                credentials: credentials.unwrap_or_else(|| state.agent.local_credentials().clone()),
                candidates: streams.into_iter().flat_map(|stream| stream.candidates).collect(),
                end_of_candidates,
            }
        })
    }

    /// Our own credentials.
    pub fn local_credentials(&self) -> Credentials {
        self.shared().with(|state| state.agent.local_credentials().clone())
    }

    /// Takes all that the peer has told so far. The same again, or more of it, is fine. Other credentials than before are a
    /// restart of the peer's, or its answer to ours: then [`local_description`](Self::local_description) is what to answer it with.
    ///
    /// Gives back the candidates that are of no use. That is no failure: peers signal TCP candidates and names too.
    ///
    /// # Errors
    /// If the credentials are our own or those of a generation that is over, or the session has ended. Nothing was taken then.
    pub fn set_remote_description(
        &self,
        remote: &Description,
    ) -> Result<Vec<UnusableCandidate>, RemoteError> {
        self.shared().command(|agent, now| {
            agent.accept_credentials(now, remote.credentials.clone(), None)?;
            let unusable = remote.candidates.iter().filter_map(|candidate| {
                let reason = agent.add_remote_candidate(now, candidate).err()?;
                Some(UnusableCandidate { candidate: candidate.clone(), reason })
            });
            let unusable = unusable.collect();
            if remote.end_of_candidates {
                agent.end_of_remote_candidates(now);
            }
            Ok(unusable)
        })
    }

    /// The peer's credentials alone, before its candidates trickle in (RFC 8838).
    ///
    /// # Errors
    /// If they are our own or others than before, or the session has ended.
    pub fn set_remote_credentials(&self, credentials: Credentials) -> Result<(), RemoteError> {
        self.shared().command(|agent, now| agent.set_remote_credentials(now, credentials))
    }

    /// One more candidate of the peer (RFC 8838). May come before the credentials.
    ///
    /// # Errors
    /// Why it is of no use. The session goes on.
    pub fn add_remote_candidate(&self, candidate: &Candidate) -> Result<(), RemoteError> {
        self.shared().command(|agent, now| agent.add_remote_candidate(now, candidate))
    }

    /// The peer has signalled that this candidate of its is gone.
    ///
    /// # Errors
    /// If the session has ended. One that is not known is ignored.
    pub fn remove_remote_candidate(&self, candidate: &Candidate) -> Result<(), RemoteError> {
        self.shared().command(|agent, now| agent.remove_remote_candidate(now, 0, candidate))
    }

    /// No more sockets will come up, so that the candidates that there are have come to their end: for a program that
    /// does not roam, or towards a peer that may not trickle. See [`Agent::end_of_local_candidates`].
    pub fn end_of_local_candidates(&self) {
        self.shared().command(Agent::end_of_local_candidates);
    }

    /// The peer has no more candidates (RFC 8838 §14). New ones that come all the same are refused.
    pub fn end_of_remote_candidates(&self) {
        self.shared().command(Agent::end_of_remote_candidates);
    }

    /// The peer is a lite agent, or is not: see [`Agent::set_remote_lite`].
    ///
    /// # Errors
    /// If it has said otherwise before without a restart, or the session has ended.
    pub fn set_remote_lite(&self, lite: bool) -> Result<(), RemoteError> {
        self.shared().command(|agent, now| agent.set_remote_lite(now, lite))
    }

    /// The distance between checks that the peer wishes for, if it says: see [`Agent::set_remote_pacing`].
    ///
    /// # Errors
    /// If it has said otherwise before without a restart, or the session has ended.
    pub fn set_remote_pacing(&self, ta: Option<Duration>) -> Result<(), RemoteError> {
        self.shared().command(|agent, now| agent.set_remote_pacing(now, ta))
    }

    /// Whether the peer understands renomination: see [`Agent::set_remote_renomination`].
    pub fn set_remote_renomination(&self, understood: bool) {
        self.shared().command(|agent, now| agent.set_remote_renomination(now, understood));
    }

    /// Waits until there is a path to the peer. Data may flow then, while the two sides still may agree on a better
    /// one: [`Connection::selected`] waits for that.
    ///
    /// Dropping the future changes nothing; the session goes on. May be called again, for another handle.
    ///
    /// # Errors
    /// If the engine gives up, with its report, or the session is closed meanwhile.
    pub async fn connect(&self) -> Result<Connection<R>, ConnectError> {
        self.shared()
            .wait(Topic::News, |state| state.reached(|agent| agent.path(ComponentId::FIRST)))
            .await?;
        Ok(Connection::new(Arc::clone(&self.handle)))
    }

    /// A handle to what will be the connection, before there is a path: it receives what comes first, since the peer
    /// may have a path before us (RFC 8445 §12.2), and [`send`](Connection::send) says that there is no path.
    pub fn connection(&self) -> Connection<R> {
        Connection::new(Arc::clone(&self.handle))
    }

    /// The session's events. See [`Events`].
    pub fn events(&self) -> Events<R> {
        Events::new(Arc::clone(&self.handle.shared))
    }

    /// The next event; `None` when the session has ended. Takes from the same queue as [`events`](Self::events).
    pub async fn next_event(&self) -> Option<Event> {
        self.shared().next_event().await
    }

    /// As [`next_event`](Self::next_event). Only the last caller's task is woken.
    pub fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.shared().poll_event(cx)
    }

    /// The path that data takes at this moment, if there is one.
    pub fn path(&self) -> Option<Path> {
        self.shared().with(|state| state.agent.path(ComponentId::FIRST))
    }

    /// The role at this moment: a conflict may change it.
    pub fn role(&self) -> Role {
        self.shared().with(|state| state.agent.role())
    }

    /// Why there is no path, or what there is: the engine's report at this moment, or at the end.
    pub fn explain(&self) -> Report {
        self.shared().with(|state| state.agent.explain())
    }

    /// What the STUN servers' answers say of our own NAT, by two servers of different addresses.
    pub fn mapping(&self) -> MappingKnowledge {
        self.shared().with(|state| state.agent.mapping())
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.shared().with(|state| state.stats)
    }

    /// What the engine has counted of pairs, candidates and the path, in the words of browsers' `getStats()`.
    pub fn ice_stats(&self) -> floe_core::Stats {
        self.shared().with(|state| state.agent.stats())
    }

    /// Ends the session, its connections too, and waits until its task has ended and its sockets are closed.
    /// It ends even if the future is dropped.
    pub async fn close(&self) {
        self.handle.close().await;
    }

    fn shared(&self) -> &Shared<R> {
        &self.handle.shared
    }
}

impl<R: Runtime> Handle<R> {
    pub(crate) async fn close(&self) {
        self.shared.close();
        self.shared.wait(Topic::News, |state| (state.life == Life::Ended).then_some(())).await;
    }
}

impl<R: Runtime> State<R> {
    /// What `found` finds; or that it never will; or nothing yet.
    pub(crate) fn reached<T>(
        &self,
        found: impl FnOnce(&Agent) -> Option<T>,
    ) -> Option<Result<T, ConnectError>> {
        if self.life != Life::Open {
            return Some(Err(ConnectError::Closed));
        }
        if let Some(report) = &self.failed {
            return Some(Err(ConnectError::Failed(report.clone())));
        }
        if let Some(found) = found(&self.agent) {
            return Some(Ok(found));
        }
        self.lost.map(|cause| Err(ConnectError::Lost(cause)))
    }
}

impl<R: Runtime> Clone for Session<R> {
    fn clone(&self) -> Self {
        Self { handle: Arc::clone(&self.handle) }
    }
}

impl<R: Runtime> fmt::Debug for Session<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("path", &self.path()).finish_non_exhaustive()
    }
}
