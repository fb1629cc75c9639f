//! Candidates whose address is a name. The agent asks for the name once, whatever the number of candidates that have
//! it, and goes on with everything else meanwhile. RFC 8839 §5.1 leaves names to an extension: what is done here is
//! what RFC 5245 §15.1 and the mDNS candidates of browsers do.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::{Agent, Life, RemoteError};
use crate::base::Instant;
use crate::candidate::{Candidate, MAX_REMOTE_CANDIDATES, is_transport_address};

/// How many names an agent asks for in a generation, answered ones included: a description cannot make us look up more than these
/// (RFC 8445 §19.5.1 has the same worry about checks). Browsers send one name for each of their addresses.
pub const MAX_QUERIES: usize = 32;

/// How long an unanswered query counts as a hope: resolvers commonly give up after two times five seconds.
pub(super) const NAME_PATIENCE: Duration = Duration::from_secs(10);

/// A query's name. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct QueryId(pub u32);

/// A name to be looked up; answer it with [`Agent::resolved`](super::Agent::resolved).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Query {
    /// To be given back with the answer.
    pub id: QueryId,
    /// As it was signalled. Those that end in `.local` are for multicast DNS (RFC 6762 §3).
    pub name: String,
}

/// A name could not be resolved, for whatever reason.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Unresolved;

/// Why an answer to a query was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ResolveError {
    /// There is no such query, it was answered before, or a restart has made it superfluous.
    UnknownQuery(QueryId),
    /// The agent is closed or has failed.
    Ended,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownQuery(id) => write!(f, "no query {} waits for an answer", id.0),
            Self::Ended => f.write_str("the agent has ended"),
        }
    }
}

impl core::error::Error for ResolveError {}

/// The names that candidates of the current generation have had, each candidate with its stream. At most [`MAX_QUERIES`],
/// with [`MAX_REMOTE_CANDIDATES`] candidates in all.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The query of the first entry: those before it were of other generations.
    first: u32,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    state: State,
}

#[derive(Debug)]
enum State {
    /// To be asked at the next poll.
    New {
        waiting: Vec<(u16, Candidate)>,
    },
    /// The application is looking it up.
    Asked {
        since: Instant,
        waiting: Vec<(u16, Candidate)>,
    },
    /// It stands for this address from now on.
    Resolved(IpAddr),
    Failed,
}

/// What is to be done with a candidate that has a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It waits for an answer.
    Wait,
    /// The name stands for this.
    Known(IpAddr),
}

impl Names {
    /// After the end of candidates nothing new is waited for.
    pub(super) fn add(
        &mut self,
        name: &str,
        stream: u16,
        candidate: &Candidate,
        has_ended: bool,
    ) -> Result<Verdict, RemoteError> {
        if is_forbidden(name) {
            return Err(RemoteError::UnresolvedName);
        }
        let has_room = self.waiting() < MAX_REMOTE_CANDIDATES;
        let may_ask = has_room && self.entries.len() < MAX_QUERIES;
        match self.entries.iter_mut().find(|e| is_same(&e.name, name)).map(|e| &mut e.state) {
            Some(State::Resolved(address)) => Ok(Verdict::Known(*address)),
            Some(State::Failed) => Err(RemoteError::UnresolvedName),
            Some(State::New { waiting } | State::Asked { waiting, .. }) => {
                if waiting.iter().any(|(of, known)| *of == stream && known == candidate) {
                    return Ok(Verdict::Wait);
                }
                if has_ended {
                    return Err(RemoteError::AfterEnd);
                }
                if !has_room {
                    return Err(RemoteError::TooMany);
                }
                waiting.push((stream, candidate.clone()));
                Ok(Verdict::Wait)
            }
            None if has_ended => Err(RemoteError::AfterEnd),
            None if !may_ask => Err(RemoteError::TooMany),
            None => {
                let state = State::New { waiting: alloc::vec![(stream, candidate.clone())] };
                self.entries.push(Entry { name: name.into(), state });
                Ok(Verdict::Wait)
            }
        }
    }

    /// The next name to be asked for.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Query> {
        let is_new = |e: &Entry| matches!(e.state, State::New { .. });
        let index = self.entries.iter().position(is_new)?;
        let entry = self.entries.get_mut(index)?;
        if let State::New { waiting } = &mut entry.state {
            entry.state = State::Asked { since: now, waiting: core::mem::take(waiting) };
        }
        Some(Query { id: QueryId(self.first.wrapping_add(index as u32)), name: entry.name.clone() })
    }

    /// The candidates that waited for this answer.
    fn answer(&mut self, id: QueryId, address: Option<IpAddr>) -> Option<Vec<(u16, Candidate)>> {
        let index = usize::try_from(id.0.wrapping_sub(self.first)).ok()?;
        let entry = self.entries.get_mut(index)?;
        let State::Asked { waiting, .. } = &mut entry.state else { return None };
        let waiting = core::mem::take(waiting);
        entry.state = address.map_or(State::Failed, State::Resolved);
        Some(waiting)
    }

    /// Other candidates are to come, of other credentials: what waits is dropped, and an answer for it is unknown from
    /// now on. Names are asked for anew, since what they stand for may have changed.
    pub(super) fn reset(&mut self) {
        self.first = self.first.wrapping_add(self.entries.len() as u32);
        self.entries.clear();
    }

    /// What a name stands for, if that is known.
    pub(super) fn address(&self, name: &str) -> Option<IpAddr> {
        self.entries.iter().filter(|e| is_same(&e.name, name)).find_map(|e| match e.state {
            State::Resolved(address) => Some(address),
            _ => None,
        })
    }

    /// The peer has taken a candidate back whose name is not known yet: those of its stream, component and port.
    pub(super) fn forget(&mut self, name: &str, stream: u16, candidate: &Candidate) {
        let place = |c: &Candidate| (c.component, c.transport, c.address.port());
        for entry in self.entries.iter_mut().filter(|e| is_same(&e.name, name)) {
            if let State::New { waiting } | State::Asked { waiting, .. } = &mut entry.state {
                waiting.retain(|(of, known)| *of != stream || place(known) != place(candidate));
            }
        }
    }

    /// Until when something may come of a name.
    pub(super) fn hope(&self, now: Instant) -> Option<Instant> {
        self.entries.iter().filter_map(|e| e.hope(now)).max()
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many have not been resolved, and it does not look as if they would be.
    pub(super) fn unresolved(&self, now: Instant) -> usize {
        let is_lost = |e: &&Entry| match e.state {
            State::Resolved(_) => false,
            _ => e.hope(now).is_none_or(|until| until <= now),
        };
        self.entries.iter().filter(is_lost).count()
    }

    fn waiting(&self) -> usize {
        let of = |e: &Entry| match &e.state {
            State::New { waiting } | State::Asked { waiting, .. } => waiting.len(),
            State::Resolved(_) | State::Failed => 0,
        };
        self.entries.iter().map(of).sum()
    }
}

impl Entry {
    fn hope(&self, now: Instant) -> Option<Instant> {
        match self.state {
            State::New { .. } => Some(now + NAME_PATIENCE),
            State::Asked { since, .. } => Some(since + NAME_PATIENCE),
            State::Resolved(_) | State::Failed => None,
        }
    }
}

impl Agent {
    /// The answer to [`Output::Resolve`](super::Output::Resolve). However many addresses the name has, one is used for
    /// all of its candidates (RFC 5245 §15.1, and so for `.local` names): the first of IPv6, else the first of IPv4, of
    /// those that a socket of ours can reach and [`remote_filter`](super::AgentConfig::remote_filter) lets through. Servers of a name are
    /// asked at one address of each family.
    ///
    /// The application is to answer every query, with [`Unresolved`] when its resolver has given up. After ten seconds
    /// the agent does not count on an answer any more, but takes it.
    ///
    /// # Errors
    /// If there is no such query, if it was answered before, if it was for a candidate from before a restart, or if the
    /// agent has ended. Such an answer changes nothing.
    pub fn resolved(
        &mut self,
        now: Instant,
        query: QueryId,
        answer: Result<&[IpAddr], Unresolved>,
    ) -> Result<(), ResolveError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(ResolveError::Ended);
        }
        self.gather();
        if query.is_of_server() {
            return self.server_resolved(query, answer.unwrap_or_default());
        }
        let chosen = self.choose(answer.unwrap_or_default());
        let waiting = self.names.answer(query, chosen).ok_or(ResolveError::UnknownQuery(query))?;
        for (stream, candidate) in waiting {
            // What is wrong with a candidate is told in the report: its signalling is over.
            if let Some(ip) = chosen {
                let _ = self.take_remote(stream, SocketAddr::new(ip, candidate.address.port()), &candidate);
            }
        }
        Ok(())
    }

    fn choose(&self, addresses: &[IpAddr]) -> Option<IpAddr> {
        let bases = self.generations.current.candidates.locals();
        let is_reachable =
            |ip: IpAddr| bases.is_empty() || bases.iter().any(|l| l.base.is_ipv4() == ip.is_ipv4());
        let usable = addresses.iter().map(IpAddr::to_canonical).filter(|ip| {
            is_transport_address(SocketAddr::new(*ip, 1)) && self.remote_filter.admits_address(*ip)
        });
        // Of equals `min_by_key` takes the first.
        usable.min_by_key(|ip| (!is_reachable(*ip), ip.is_ipv4()))
    }
}

/// The mDNS names of browsers have one dot; others under `.local` are not to be asked for.
fn is_forbidden(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name.rsplit_once('.')
        .is_none_or(|(host, top)| host.is_empty() || top.eq_ignore_ascii_case("local") && host.contains('.'))
}

fn is_same(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}
