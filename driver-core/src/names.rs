//! Names that the engine wants to know: looked up by the runtime's resolver while the session's task goes on. Dropping
//! the task gives the lookups up.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use floe_core::{Query, QueryId};

/// A lookup that is under way.
pub type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Starts the lookup of a name. It must not block, and a lookup must end by itself: the system's resolver does.
pub type Resolver = Box<dyn Fn(String) -> Lookup + Send>;

pub(crate) struct Lookups {
    resolver: Resolver,
    wanted: Vec<Query>,
    /// An engine asks for `floe_core::MAX_QUERIES` at the most for candidates, and once for each server.
    under_way: Vec<(Query, Lookup)>,
}

impl Lookups {
    pub(crate) fn new(resolver: Resolver) -> Self {
        Self { resolver, wanted: Vec::new(), under_way: Vec::new() }
    }

    /// The lookup begins when it is polled: now the session may be locked.
    pub(crate) fn want(&mut self, query: Query) {
        self.wanted.push(query);
    }

    /// The lookups that have ended; the task is woken when another does.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Vec<(QueryId, Vec<IpAddr>)> {
        for query in self.wanted.drain(..) {
            let lookup = (self.resolver)(query.name.clone());
            self.under_way.push((query, lookup));
        }
        let mut ended = Vec::new();
        self.under_way.retain_mut(|(query, lookup)| match lookup.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(result) => {
                if let Err(error) = &result {
                    tracing::debug!(target: "floe", name = ?query.name, %error, "a name is not resolved");
                }
                ended.push((query.id, result.unwrap_or_default()));
                false
            }
        });
        ended
    }
}
