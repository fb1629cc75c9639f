//! The agent's own behaviour: two agents wired directly together, and one agent with a puppet for a peer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end with a panic")]

mod adversity;
mod conformance;
mod cost;
mod crowds;
mod doubt;
mod filters;
mod hostile;
mod limits;
mod lite;
mod long_lives;
mod moved;
mod names;
mod nats;
mod nomination;
mod patience;
mod profile;
mod puppet;
mod relay_bench;
mod relay_doubts;
mod relay_faults;
mod relays;
mod remembered;
mod remembered_offers;
mod restart;
mod restart_candidates;
mod roaming;
mod server_names;
mod servers;
mod stats;
mod streams;
mod stubborn;
mod tcp;
mod trickle;

use super::*;
use crate::candidate::Candidate;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::net::SocketAddr;
use core::time::Duration;

/// Two agents and what is in flight between them.
struct Bench {
    now: Instant,
    agents: [Agent; 2],
    flying: Vec<(Instant, usize, SocketAddr, Vec<u8>)>,
    log: Vec<String>,
    events: [Vec<Event>; 2],
    /// How many datagrams of data have come in.
    data: [u32; 2],
}

const LATENCY: Duration = Duration::from_millis(20);

fn address(side: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, side as u8 + 1], 5000))
}

impl Bench {
    fn new(configs: [AgentConfig; 2]) -> Self {
        let mut seed = 0;
        let agents = configs.map(|c| {
            seed += 1;
            Agent::new(c, [seed; 32]).unwrap()
        });
        let mut bench = Self {
            now: Instant::ZERO,
            agents,
            flying: Vec::new(),
            log: Vec::new(),
            events: Default::default(),
            data: [0; 2],
        };
        for side in 0..2 {
            bench.agents[side]
                .socket_up(Instant::ZERO, Socket::udp(crate::base::SocketId(0), address(side)))
                .unwrap();
        }
        bench
    }

    fn signal(&mut self) {
        for side in 0..2 {
            let credentials = self.agents[1 - side].local_credentials().clone();
            self.agents[side].set_remote_credentials(self.now, credentials).unwrap();
            let line = format!("candidate:1 1 UDP 2130706431 10.0.0.{} 5000 typ host", 2 - side);
            let candidate: Candidate = line.parse().unwrap();
            self.agents[side].add_remote_candidate(self.now, &candidate).unwrap();
        }
    }

    fn run(&mut self, until: Instant) {
        loop {
            let mut next = until;
            for side in 0..2 {
                let mut scratch = [0; MAX_TRANSMIT];
                loop {
                    match self.agents[side].poll(self.now, &mut scratch) {
                        Output::Transmit(t) => {
                            self.flying.push((
                                self.now + LATENCY,
                                1 - side,
                                address(side),
                                t.contents.to_vec(),
                            ));
                        }
                        Output::Event(e) => {
                            self.log.push(format!("{} {side} {}", self.now.as_millis(), short(&e)));
                            self.events[side].push(e);
                        }
                        Output::Wait(at) => {
                            next = next.min(at.unwrap_or(until).max(self.now));
                            break;
                        }
                        Output::Resolve(_) | Output::Socket(_) | Output::Closed => break,
                    }
                }
            }
            if let Some(first) = self.flying.iter().map(|f| f.0).min() {
                next = next.min(first);
            }
            if next >= until {
                self.now = until;
                return;
            }
            self.now = next;
            let (due, rest): (Vec<_>, Vec<_>) =
                core::mem::take(&mut self.flying).into_iter().partition(|f| f.0 <= next);
            self.flying = rest;
            for (_, side, from, mut bytes) in due {
                let datagram = Datagram::new(crate::base::SocketId(0), from, &mut bytes);
                let received = self.agents[side].receive(self.now, datagram);
                self.data[side] += u32::from(matches!(received, Received::Data { .. }));
            }
        }
    }
}

fn short(event: &Event) -> String {
    match event {
        // Which credentials it belongs to is drawn from the seed.
        Event::LocalCandidate { candidate, .. } => {
            candidate.to_string().split(" ufrag ").next().unwrap_or_default().into()
        }
        Event::GatheringDone => "gathered".into(),
        Event::PathUsable(p) => format!("usable {p}"),
        Event::PathSelected(p) => format!("selected {p}"),
        Event::RoleSwitched(r) => format!("role {r}"),
        Event::Failed(r) => format!("failed {r}"),
        other => format!("{other:?}"),
    }
}

fn role(role: Role) -> AgentConfig {
    AgentConfig { role, ..Default::default() }
}

#[test]
fn two_agents_are_usable_after_one_round_trip_and_selected_after_the_next_slot() {
    let mut bench = Bench::new([role(Role::Controlling), role(Role::Controlled)]);
    bench.signal();
    bench.run(Instant::from_millis(1_000));
    let expected = vec![
        "0 0 candidate:1 1 UDP 2130706431 10.0.0.1 5000 typ host",
        "0 0 gathered",
        "0 1 candidate:1 1 UDP 2130706431 10.0.0.2 5000 typ host",
        "0 1 gathered",
        "40 0 usable host 10.0.0.1:5000 > host 10.0.0.2:5000",
        "40 1 usable host 10.0.0.2:5000 > host 10.0.0.1:5000",
        "70 1 selected host 10.0.0.2:5000 > host 10.0.0.1:5000",
        "90 0 selected host 10.0.0.1:5000 > host 10.0.0.2:5000",
    ];
    assert_eq!(bench.log, expected);
}

#[test]
fn a_conflict_of_roles_is_repaired_whatever_the_tie_breakers() {
    for wanted in [Role::Controlling, Role::Controlled] {
        for ties in [(1, 2), (2, 1), (5, 5), (0, u64::MAX)] {
            let with = |t| AgentConfig { role: wanted, tie_breaker: Some(t), ..Default::default() };
            let mut bench = Bench::new([with(ties.0), with(ties.1)]);
            bench.signal();
            bench.run(Instant::from_millis(5_000));
            let roles = bench.agents.each_ref().map(Agent::role);
            assert_eq!(roles[0], roles[1].opposite(), "{wanted} {ties:?} {:#?}", bench.log);
            for agent in &bench.agents {
                assert!(
                    agent.selected_path(ComponentId::FIRST).is_some(),
                    "{wanted} {ties:?} {:#?}",
                    bench.log
                );
            }
        }
    }
}

#[test]
fn a_clock_that_goes_back_is_taken_for_the_latest_that_was_seen() {
    let mut agent = Agent::new(role(Role::Controlling), [1; 32]).unwrap();
    let mut scratch = [0; MAX_TRANSMIT];
    agent.poll(Instant::ZERO, &mut scratch);
    agent.poll(Instant::from_millis(3_000), &mut scratch);
    let Output::Wait(Some(next)) = agent.poll(Instant::ZERO, &mut scratch) else {
        panic!("nothing to wait for")
    };
    assert_eq!(agent.explain().elapsed, Duration::from_secs(3));
    assert!(next > Instant::from_millis(3_000));
}
