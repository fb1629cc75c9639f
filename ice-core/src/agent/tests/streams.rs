//! Several data streams and components: which pairs are frozen, whose turn it is, what one of them takes with it when it
//! goes.

use super::puppet::{PEER, Stage};
use super::*;
use crate::base::SocketId;
use crate::trace::PairPhase;
use core::net::IpAddr;

/// One side of a session, alone: every component has a socket on the same address, or on an address of its own.
struct Alone {
    agent: Agent,
}

fn component(stream: u16, component: u16) -> ComponentId {
    ComponentId { stream, component }
}

impl Alone {
    fn new(streams: &[u16]) -> Self {
        let config = AgentConfig { streams: streams.to_vec(), ..role(Role::Controlling) };
        let mut agent = Agent::new(config, [5; 32]).unwrap();
        let components = agent.components().to_vec();
        for (number, of) in (0_u16..).zip(components) {
            let local = SocketAddr::from(([10, 0, 0, 1], 5000 + number));
            agent
                .socket_up(Instant::ZERO, Socket::udp(SocketId(number.into()), local).component(of))
                .unwrap();
        }
        Self { agent }
    }

    /// Candidates of the peer: stream, component, foundation. Each is an address of its own.
    fn add(&mut self, candidates: &[(u16, u16, u16)]) {
        for (number, &(stream, component, foundation)) in (1_u32..).zip(candidates) {
            let line = format!(
                "candidate:f{foundation} {component} UDP {} 10.0.1.{number} 6000 typ host",
                2_000_000_000 - 1_000 * u32::from(foundation) - u32::from(component)
            );
            self.agent.add_stream_candidate(Instant::ZERO, stream, &line.parse().unwrap()).unwrap();
        }
        let credentials = Credentials::new("peer", "the-password-of-the-peer").unwrap();
        self.agent.set_remote_credentials(Instant::ZERO, credentials).unwrap();
    }

    /// Polls up to a time; which components were checked, in order, by the number of the remote candidate.
    fn checked_until(&mut self, end: Instant) -> Vec<(u64, u8)> {
        let mut scratch = [0; MAX_TRANSMIT];
        let mut now = Instant::ZERO;
        let mut checked = Vec::new();
        loop {
            match self.agent.poll(now, &mut scratch) {
                Output::Transmit(t) => {
                    checked.push((now.as_millis(), last_octet(t.remote)));
                }
                Output::Wait(Some(next)) if next <= end => now = next,
                Output::Wait(_) | Output::Closed => return checked,
                Output::Event(_) | Output::Resolve(_) | Output::Socket(_) => {}
            }
        }
    }

    /// The pairs that are still frozen, by the number of the remote candidate.
    fn frozen(&self) -> Vec<u8> {
        let report = self.agent.explain();
        let mut frozen: Vec<u8> = report
            .pairs
            .iter()
            .filter(|p| p.phase == PairPhase::Frozen)
            .map(|p| last_octet(p.remote))
            .collect();
        frozen.sort_unstable();
        frozen
    }
}

fn last_octet(address: SocketAddr) -> u8 {
    match address.ip() {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(ip) => ip.octets()[15],
    }
}

/// RFC 8445 §6.1.2.6, its own example: three streams and five foundations. The columns of m1 lead f1 to f3, m2 leads f4, and
/// m3 leads f5; the streams take turns.
#[test]
fn one_pair_of_each_foundation_is_checked_first_wherever_its_stream_stands() {
    let mut alone = Alone::new(&[1, 1, 1]);
    alone.add(&[
        (0, 1, 1),
        (0, 1, 2),
        (0, 1, 3),
        (1, 1, 1),
        (1, 1, 2),
        (1, 1, 3),
        (1, 1, 4),
        (2, 1, 1),
        (2, 1, 5),
    ]);
    // f1 of m1, then f4 of m2, f5 of m3, and what is left of m1.
    let first: Vec<_> = alone.checked_until(Instant::from_millis(200));
    assert_eq!(first, [(0, 1), (50, 7), (100, 9), (150, 2), (200, 3)]);
    assert_eq!(alone.frozen(), [4, 5, 6, 8]);
}

/// Within a stream the lowest component leads, whatever the priorities.
#[test]
fn the_lowest_component_leads_its_foundation() {
    let mut alone = Alone::new(&[2]);
    alone.add(&[(0, 2, 1), (0, 1, 1)]);
    assert_eq!(alone.checked_until(Instant::from_millis(450)), [(0, 2)]);
}

#[test]
fn the_limit_on_pairs_is_shared_evenly_by_the_streams() {
    let config =
        AgentConfig { streams: vec![1, 1], reach: crate::check::Reach::Pairs(10), ..Default::default() };
    let mut agent = Agent::new(config, [5; 32]).unwrap();
    for stream in 0..2 {
        let local = SocketAddr::from(([10, 0, 0, 1], 5000 + stream));
        let socket = Socket::udp(SocketId(stream.into()), local).component(component(stream, 1));
        agent.socket_up(Instant::ZERO, socket).unwrap();
        for number in 1..=20_u32 {
            let line = format!("candidate:f{number} 1 UDP {} 10.0.1.{number} 6000 typ host", 5_000 - number);
            agent.add_stream_candidate(Instant::ZERO, stream, &line.parse().unwrap()).unwrap();
        }
    }
    let report = agent.explain();
    for stream in 0..2 {
        let of_stream = report.pairs.iter().filter(|p| p.component.stream == stream).count();
        assert_eq!(of_stream, 5, "stream {stream}");
    }
    assert_eq!(report.untried, 30);
}

#[test]
fn a_component_that_is_removed_takes_only_its_own_pairs() {
    let mut alone = Alone::new(&[2]);
    alone.add(&[(0, 1, 1), (0, 2, 1)]);
    assert_eq!(alone.checked_until(Instant::ZERO), [(0, 1)]);
    // The pair that leads the foundation goes: the other takes its place.
    alone.agent.remove_component(Instant::ZERO, component(0, 1)).unwrap();
    assert_eq!(alone.checked_until(Instant::from_millis(100)), [(50, 2)]);
    assert!(alone.agent.explain().pairs.iter().all(|p| p.component == component(0, 2)));
    assert_eq!(alone.agent.components(), [component(0, 2)]);
    let removed = alone.agent.remove_component(Instant::ZERO, component(0, 1));
    assert_eq!(removed, Err(ComponentError::Unknown(component(0, 1))));
    let last = alone.agent.remove_component(Instant::ZERO, component(0, 2));
    assert_eq!(last, Err(ComponentError::Last(component(0, 2))));
    let mut scratch = [0; MAX_TRANSMIT];
    let sent = alone.agent.send(Instant::ZERO, component(0, 1), b"data", &mut scratch).map(|_| ());
    assert_eq!(sent, Err(SendError::UnknownComponent(component(0, 1))));
}

#[test]
fn streams_without_components_or_with_too_many_are_refused() {
    let too_many = vec![1_u16; MAX_COMPONENTS + 1];
    for streams in [vec![], vec![0], vec![1, 0], vec![257], too_many] {
        let config = AgentConfig { streams: streams.clone(), ..Default::default() };
        assert_eq!(Agent::new(config, [5; 32]).err(), Some(ConfigError::Streams), "{streams:?}");
    }
    let most = AgentConfig { streams: vec![1; MAX_COMPONENTS], ..Default::default() };
    assert_eq!(Agent::new(most, [5; 32]).unwrap().components().len(), MAX_COMPONENTS);
}

/// Both components of a host are on one address: their pairs come in the same order, and only the component's own part of
/// the priority differs (RFC 8445 §5.1.2.1).
#[test]
fn an_address_has_the_same_preference_for_each_component() {
    let mut alone = Alone::new(&[2, 1]);
    let mut scratch = [0; MAX_TRANSMIT];
    let mut priorities = Vec::new();
    loop {
        match alone.agent.poll(Instant::ZERO, &mut scratch) {
            Output::Event(Event::LocalCandidate { stream, candidate }) => {
                priorities.push((stream, candidate.component, candidate.priority));
            }
            Output::Event(_) => {}
            _ => break,
        }
    }
    assert_eq!(priorities, [(0, 1, 2_130_706_431), (0, 2, 2_130_706_430), (1, 1, 2_130_706_431)]);
}

/// Nor do its sockets hear from us again: the application may have closed them.
#[test]
fn a_staged_restart_does_not_bring_a_removed_component_back() {
    let mut alone = Alone::new(&[1, 1]);
    alone.add(&[(0, 1, 1), (1, 1, 1)]);
    alone.agent.prepare_restart(Instant::ZERO).unwrap();
    alone.agent.remove_component(Instant::ZERO, component(1, 1)).unwrap();
    alone.agent.apply_restart(Instant::ZERO).unwrap();
    let line = "candidate:1 1 UDP 1 10.0.1.9 6000 typ host".parse().unwrap();
    alone.agent.add_stream_candidate(Instant::ZERO, 0, &line).unwrap();
    let mut scratch = [0; MAX_TRANSMIT];
    while let Output::Event(event) = alone.agent.poll(Instant::ZERO, &mut scratch) {
        assert!(!matches!(event, Event::LocalCandidate { stream: 1, .. }), "{event:?}");
    }
    assert!(alone.agent.generations.current.candidates.locals().iter().all(|l| l.component.stream == 0));
}

/// RFC 8445 §12.1: what is of no use without its other half is not sent for ever.
#[test]
fn without_a_path_for_each_component_data_is_refused_for_all_in_the_end() {
    let config =
        AgentConfig { streams: vec![2], deadline: Some(Duration::from_secs(3)), ..role(Role::Controlling) };
    let mut stage = Stage::new(config);
    let second = Socket::udp(SocketId(1), "10.0.0.1:5001".parse().unwrap()).component(component(0, 2));
    stage.agent.socket_up(stage.now, second).unwrap();
    stage.add_candidate(PEER, 2_000);
    let send = |stage: &mut Stage| {
        let mut scratch = [0; MAX_TRANSMIT];
        [1, 2]
            .map(|of| stage.agent.send(stage.now, component(0, of), b"data", &mut scratch).map(|_| ()).err())
    };
    for _ in 0..29 {
        stage.wait(Duration::from_millis(100));
        stage.answer_all(PEER);
    }
    assert_eq!(send(&mut stage), [None, Some(SendError::NoPath)]);
    stage.wait(Duration::from_millis(100));
    assert!(matches!(stage.events.last(), Some(Event::Failed(_))));
    assert_eq!(send(&mut stage), [Some(SendError::Ended); 2]);
}
