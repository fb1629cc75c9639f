//! What a TURN server has decided, for whoever watches it: an operator's log, a test.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::VecDeque;

use crate::server::codec::reason;
use crate::server::{FiveTuple, Request};

/// Something that a [`TurnServer`](super::TurnServer) has decided. What only repeats an earlier answer, or challenges a request that
/// was not signed, decides nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TurnEvent {
    /// Which client it is about.
    pub client: FiveTuple,
    /// What it is.
    pub kind: TurnEventKind,
}

/// What can happen to a client of a [`TurnServer`](super::TurnServer).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TurnEventKind {
    /// It has an allocation now (RFC 8656 §7.2).
    Allocated {
        /// Its user; empty where nobody has to say who they are.
        username: String,
        /// The relayed addresses: one, or one of each family.
        relays: Vec<SocketAddr>,
        /// How long it lasts if it is not refreshed.
        lifetime: Duration,
    },
    /// Its allocation, or one address of it, has been prolonged (§8.2).
    Refreshed {
        /// By how much, from now on.
        lifetime: Duration,
    },
    /// Peers may send in from this address (§10.2), by a request for that or for a channel.
    Permitted {
        /// The address.
        peer: IpAddr,
    },
    /// A channel has been bound, or prolonged (§12.2).
    Bound {
        /// Its number.
        number: u16,
        /// Its peer.
        peer: SocketAddr,
    },
    /// A relayed address has come to its end.
    Ended {
        /// The address.
        relay: SocketAddr,
        /// Why.
        why: TurnEnd,
    },
    /// A signed request was not carried out.
    Refused {
        /// What it asked for.
        request: Request,
        /// The code that it was answered with.
        code: u16,
        /// The name that it claims, if any: chosen by the sender, and true only if the code is neither 401 nor 400.
        username: Option<String>,
    },
}

/// Why a relayed address has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TurnEnd {
    /// Its client gave it back.
    Released,
    /// It was not refreshed in time.
    Expired,
    /// The client's stream has ended.
    StreamClosed,
    /// The server was told to forget it.
    Forgotten,
}

/// In words, for a log: one line, whatever the sender put into a name.
impl fmt::Display for TurnEventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allocated { username, relays, lifetime } => {
                write!(f, "allocation of {username:?}:")?;
                for relay in relays {
                    write!(f, " {relay}")?;
                }
                write!(f, " for {} s", lifetime.as_secs())
            }
            Self::Refreshed { lifetime } => write!(f, "refresh for {} s", lifetime.as_secs()),
            Self::Permitted { peer } => write!(f, "permission for {peer}"),
            Self::Bound { number, peer } => write!(f, "channel {number:#06x} to {peer}"),
            Self::Ended { relay, why } => write!(f, "{why} of {relay}"),
            Self::Refused { request, code, username } => {
                write!(f, "refusal of {request:?}: {code} {}", reason(*code))?;
                match username {
                    Some(name) => write!(f, ", for {name:?}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for TurnEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Released => "release",
            Self::Expired => "expiry",
            Self::StreamClosed => "end with its stream",
            Self::Forgotten => "end",
        })
    }
}

/// Events that wait to be fetched, if anybody wants them.
#[derive(Default)]
pub(super) struct Events {
    wanted: bool,
    queue: VecDeque<TurnEvent>,
}

/// More than one call can bring about. Beyond it, they are not told.
const MAX_EVENTS: usize = 4096;

impl Events {
    pub(super) fn watch(&mut self) {
        self.wanted = true;
    }

    pub(super) fn tell(&mut self, client: FiveTuple, kind: TurnEventKind) {
        if self.wanted && self.queue.len() < MAX_EVENTS {
            self.queue.push_back(TurnEvent { client, kind });
        }
    }

    pub(super) fn next(&mut self) -> Option<TurnEvent> {
        self.queue.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_wait_than_the_limit_and_none_that_nobody_wants() {
        let any = "127.0.0.1:9".parse().unwrap();
        let refreshed = TurnEventKind::Refreshed { lifetime: Duration::ZERO };
        for (watched, expected) in [(true, MAX_EVENTS), (false, 0)] {
            let mut events = Events::default();
            if watched {
                events.watch();
            }
            for _ in 0..=MAX_EVENTS {
                events.tell(FiveTuple::udp(any, any), refreshed.clone());
            }
            assert_eq!(core::iter::from_fn(|| events.next()).count(), expected);
        }
    }

    #[test]
    fn a_name_cannot_break_the_line() {
        let name = Some("eve\nallocation of \"alice\"".to_owned());
        let refused = TurnEventKind::Refused { request: Request::Allocate, code: 401, username: name };
        let line = "refusal of Allocate: 401 Unauthenticated, for \"eve\\nallocation of \\\"alice\\\"\"";
        assert_eq!(refused.to_string(), line);
    }
}
