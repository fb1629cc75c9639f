//! `floe gather`: what candidates this machine has, from whom each came, what servers said when they gave none, and what the
//! NAT does.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use floe_core::MappingKnowledge;
use floe_core::trace::TraceEvent;
use floe_tokio::{Candidate, CandidateType, Config, Event, InterfacePolicy};
use tokio::time::{Instant, timeout_at};

use crate::args;
use crate::error::Error;
use crate::millis::Millis;

/// Runs one agent until it has gathered, and prints what it has.
pub(crate) async fn run(args: &args::Gather) -> Result<(), Error> {
    let start = Instant::now();
    let book = Arc::new(Mutex::new(Book::default()));
    let session = floe_tokio::bind(Config {
        interfaces: if args.loopback { InterfacePolicy::loopback_only() } else { InterfacePolicy::default() },
        servers: args.servers.all(),
        tls: args.servers.roots()?,
        observer: Some(Box::new(Watcher { start, book: Arc::clone(&book) })),
        ..Default::default()
    })
    .await?;
    let until = start + args.patience;
    let mut asked_others = false;
    // It is told once what there is at first, and again when the servers that others have named are through.
    while let Ok(Some(event)) = timeout_at(until, session.next_event()).await {
        let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::LocalCandidate { candidate, .. } => book.on_candidate(start.elapsed(), candidate),
            Event::ServerError { server, fault, .. } => {
                book.notes.push(format!("{server}: {fault}"));
            }
            Event::ServerUnresolved { name } => book.notes.push(format!("{name} has no address")),
            Event::GatheringDone if !asked_others && !book.others.is_empty() => {
                asked_others = true;
                let others = core::mem::take(&mut book.others);
                drop(book);
                for other in others {
                    // What cannot be asked tells nothing.
                    let _ = session.add_stun_server(other);
                }
            }
            Event::GatheringDone => break,
            _ => {}
        }
    }
    let mapping = session.mapping();
    let text = book.lock().unwrap_or_else(PoisonError::into_inner).text(mapping);
    session.close().await;
    print!("{text}");
    Ok(())
}

/// What was seen.
#[derive(Default)]
struct Book {
    rows: Vec<Row>,
    /// Who has seen us where.
    seen: Vec<(SocketAddr, SocketAddr, Duration)>,
    /// The TURN server that gave an allocation last, and when.
    relay: Option<SocketAddr>,
    relays: Vec<(SocketAddr, SocketAddr)>,
    asked: Vec<SocketAddr>,
    /// Where servers can be asked besides (RFC 5780).
    others: Vec<SocketAddr>,
    notes: Vec<String>,
}

struct Row {
    at: Duration,
    candidate: Candidate,
}

/// Keeps what only the trace tells.
struct Watcher {
    start: Instant,
    book: Arc<Mutex<Book>>,
}

impl floe_core::trace::Observer for Watcher {
    fn observe(&mut self, _now: floe_core::Instant, event: &TraceEvent) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            TraceEvent::ServerAsked { tuple, .. } | TraceEvent::RelayAsked { tuple, .. }
                if !book.asked.contains(&tuple.remote) =>
            {
                book.asked.push(tuple.remote);
            }
            TraceEvent::ServerAnswered { tuple, mapped: Some(mapped), other, .. } => {
                let took = self.start.elapsed();
                book.seen.push((tuple.remote, *mapped, took));
                if let Some(other) = other.filter(|other| other.ip() != tuple.remote.ip())
                    && !book.others.contains(&other)
                {
                    book.others.push(other);
                }
            }
            TraceEvent::Allocated { server, .. } => book.relay = Some(*server),
            TraceEvent::LocalCandidate { kind: CandidateType::Relayed, address, .. } => {
                if let Some(server) = book.relay {
                    book.relays.push((*address, server));
                }
            }
            _ => {}
        }
    }
}

impl Book {
    fn on_candidate(&mut self, at: Duration, candidate: Candidate) {
        self.rows.push(Row { at, candidate });
    }

    /// Who has told of a candidate.
    fn source(&self, candidate: &Candidate) -> String {
        let address = candidate.address.socket_addr();
        let server = match candidate.kind {
            CandidateType::Relayed => self.relays.iter().find(|(a, _)| Some(*a) == address).map(|(_, s)| *s),
            CandidateType::ServerReflexive => {
                self.seen.iter().find(|(_, a, _)| Some(*a) == address).map(|(s, ..)| *s).or(self.relay)
            }
            _ => None,
        };
        server.map_or_else(|| "this machine".to_owned(), |server| server.to_string())
    }

    fn text(&self, mapping: MappingKnowledge) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{:<6} {:<46} {:<46} {:>10}", "type", "address", "from", "after");
        for Row { at, candidate } in &self.rows {
            let address = candidate.address.socket_addr().map_or_else(String::new, |a| a.to_string());
            let (kind, source) = (candidate.kind.sdp_name(), self.source(candidate));
            let _ = writeln!(text, "{kind:<6} {address:<46} {source:<46} {:>7} ms", Millis(*at));
        }
        for server in &self.asked {
            let has_answered = self.seen.iter().any(|(s, ..)| s == server)
                || self.relays.iter().any(|(_, s)| s == server)
                || self.notes.iter().any(|note| note.starts_with(&server.to_string()));
            if !has_answered {
                let _ = writeln!(text, "{server}: it did not answer");
            }
        }
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        let _ = writeln!(text, "{}", self.verdict(mapping));
        text
    }

    /// What the NAT does, and what that means.
    fn verdict(&self, mapping: MappingKnowledge) -> String {
        let is_own = |address: &SocketAddr| {
            self.rows.iter().any(|row| {
                row.candidate.kind == CandidateType::Host
                    && row.candidate.address.socket_addr() == Some(*address)
            })
        };
        if !self.seen.is_empty() && self.seen.iter().all(|(_, mapped, _)| is_own(mapped)) {
            return "There is no NAT between this machine and the servers: peers can reach it where a firewall lets them."
                .to_owned();
        }
        match mapping {
            MappingKnowledge::EndpointIndependent => {
                "The NAT shows one address to all (endpoint-independent mapping): a peer that sends to it meets us, once \
                 we have sent to the peer. Direct connections work with most peers."
            }
            MappingKnowledge::EndpointDependent => {
                "The NAT shows another address to each server (endpoint-dependent mapping): what a server has seen is of \
                 no use to a peer behind a strict NAT. Expect to need a relay (--turn) towards such peers."
            }
            _ if self.seen.is_empty() => {
                "Nothing is known of a NAT: no STUN server has answered. Ask two of them (--stun)."
            }
            _ => {
                "How the NAT maps is not known: it takes the answers of two servers of different addresses, or of one \
                 with another address (RFC 5780)."
            }
        }
        .to_owned()
    }
}
