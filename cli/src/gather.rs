//! `floe gather`: what candidates this machine has, from whom each came, what servers said when they gave none, and what the
//! NAT does.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use floe_core::MappingKnowledge;
use floe_core::nat::{Finding, MappingBehaviour, NatBehaviour};
use floe_core::trace::TraceEvent;
use floe_tokio::{Candidate, CandidateType, Config, Event, InterfacePolicy};
use tokio::time::{Instant, timeout_at};

use crate::args;
use crate::discover::discover;
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
    while let Ok(Some(event)) = timeout_at(until, session.next_event()).await {
        let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::LocalCandidate { candidate, .. } => book.on_candidate(start.elapsed(), candidate),
            Event::ServerError { server, fault, .. } => {
                book.notes.push(format!("{server}: {fault}"));
            }
            Event::ServerUnresolved { name } => book.notes.push(format!("{name} has no address")),
            Event::GatheringDone => break,
            _ => {}
        }
    }
    let mapping = session.mapping();
    session.close().await;
    let server = book.lock().unwrap_or_else(PoisonError::into_inner).server();
    let measured = match server {
        Some(server) => {
            eprintln!("measuring the NAT at {server} ...");
            Some((server, discover(server, args.lifetime).await))
        }
        None => None,
    };
    let mut text = book.lock().unwrap_or_else(PoisonError::into_inner).text(mapping, &measured);
    if let Some((server, found)) = measured {
        let words = found
            .map_or_else(|error| format!("it could not be measured: {error}"), |found| found.to_string());
        // Writing into a string cannot fail.
        let _ = writeln!(text, "Measured at {server}:");
        words.lines().for_each(|line| {
            let _ = writeln!(text, "  {line}");
        });
    }
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
    notes: Vec<String>,
    /// The STUN servers that have answered, and whether they have another address (RFC 5780).
    servers: Vec<(SocketAddr, bool)>,
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
                book.servers.push((tuple.remote, other.is_some()));
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

    /// The one that shows most of a NAT. IPv6 has none, as a rule.
    fn server(&self) -> Option<SocketAddr> {
        let best = self.servers.iter().min_by_key(|(server, has_other)| (!has_other, !server.is_ipv4()));
        best.map(|(server, _)| *server)
    }

    fn text(
        &self,
        mapping: MappingKnowledge,
        measured: &Option<(SocketAddr, io::Result<NatBehaviour>)>,
    ) -> String {
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
        let measured = measured.as_ref().and_then(|(_, found)| found.as_ref().ok());
        let mapping = match measured.map(|found| found.traits.mapping) {
            Some(Finding::Known(MappingBehaviour::EndpointIndependent)) => {
                MappingKnowledge::EndpointIndependent
            }
            Some(Finding::Known(_)) => MappingKnowledge::EndpointDependent,
            _ => mapping,
        };
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
