//! What becomes of candidates when an agent restarts: names that are being looked up, what is told again and what must
//! not be, and the filters in each generation.

use super::puppet::*;
use super::*;
use crate::base::SocketId;
use crate::candidate::{CandidateType, CandidateTypes};
use crate::trace::DropReason;
use crate::wire::RoleClaim;
use core::net::IpAddr;

const CONTROLLED: RoleClaim = RoleClaim::Controlled(1);
const MAPPED: &str = "candidate:2 1 UDP 1694498815 203.0.113.1 1000 typ srflx raddr 0.0.0.0 rport 9";
const RELAY: &str = "candidate:3 1 UDP 16383 192.0.2.1 1 typ relay raddr 0.0.0.0 rport 9";

impl Stage {
    /// Both sides restart.
    fn restart(&mut self) {
        self.agent.restart(self.now).unwrap();
        self.set_next_credentials();
    }

    fn set_next_credentials(&mut self) {
        self.credentials = Credentials::new("peer2", "the-next-password-of-the-peer").unwrap();
        self.agent.set_remote_credentials(self.now, self.credentials.clone()).unwrap();
        self.poll();
        self.sent.clear();
    }

    fn add_mapped(&mut self) {
        self.agent.add_mapped(self.now, SocketId(0), "203.0.113.1:1000".parse().unwrap()).unwrap();
        self.poll();
    }

    fn add_relay(&mut self) {
        let relay = Socket::virtual_relay(SocketId(1), "192.0.2.1:1".parse().unwrap());
        self.agent.socket_up(self.now, relay).unwrap();
        self.poll();
    }

    fn removed(&self) -> Vec<SocketAddr> {
        let line = |e: &Event| match e {
            Event::CandidateRemoved { candidate, .. } => {
                Some(SocketAddr::new(candidate.address.ip()?, candidate.address.port()))
            }
            _ => None,
        };
        self.events.iter().filter_map(line).collect()
    }
}

/// Host candidates are not to be told.
fn without_hosts() -> AgentConfig {
    let types = CandidateTypes::ALL.without(CandidateType::Host);
    AgentConfig { local_filter: CandidateFilter { types, ..Default::default() }, ..role(Role::Controlling) }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn an_answer_for_a_candidate_from_before_a_restart_is_an_error_and_changes_nothing() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_named("peer.local", 1).unwrap();
    stage.poll();
    let old = stage.queries[0].id;
    stage.restart();
    let late = stage.agent.resolved(stage.now, old, Ok(&[ip("10.0.0.2")]));
    assert_eq!(late, Err(ResolveError::UnknownQuery(old)));
    stage.wait(Duration::from_secs(5));
    assert!(stage.sent.is_empty());
    // The name is asked for anew, under another query.
    stage.add_named("peer.local", 2).unwrap();
    stage.poll();
    assert_eq!(stage.queries.len(), 2);
    assert_ne!(stage.queries[1].id, old);
    assert_eq!(
        stage.agent.resolved(stage.now, old, Ok(&[ip("10.0.0.9")])),
        Err(ResolveError::UnknownQuery(old))
    );
    stage.answer(1, &[ip("10.0.0.2")]);
    stage.wait(Duration::from_secs(1));
    assert_eq!(stage.checked(), ["10.0.0.2:2".parse().unwrap()]);
}

#[test]
fn each_generation_may_ask_for_as_many_names_as_the_first() {
    let mut stage = Stage::new(role(Role::Controlling));
    for round in 0..2 {
        for number in 0..MAX_QUERIES {
            stage.add_named(&format!("{number}.{round}.example.org"), 1).unwrap();
        }
        assert_eq!(stage.add_named("more.example.org", 1), Err(RemoteError::TooMany));
        stage.agent.restart(stage.now).unwrap();
    }
}

/// The peer restarts, too, in between: its candidates before were of credentials that it has left.
#[test]
fn names_of_credentials_that_the_peer_has_left_are_not_waited_for() {
    let mut stage = Stage::new(role(Role::Controlling));
    let offered = stage.agent.restart(stage.now).unwrap();
    let first = Credentials::new("peer2", "the-next-password-of-the-peer").unwrap();
    stage.agent.accept_credentials(stage.now, first, None).unwrap();
    stage.add_named("peer.local", 1).unwrap();
    stage.poll();
    let second = Credentials::new("peer3", "the-third-password-of-the-peer").unwrap();
    stage.agent.accept_credentials(stage.now, second, Some(offered.ufrag())).unwrap();
    let query = stage.queries[0].id;
    let late = stage.agent.resolved(stage.now, query, Ok(&[ip("10.0.0.2")]));
    assert_eq!(late, Err(ResolveError::UnknownQuery(query)));
}

#[test]
fn a_resolved_candidate_is_of_the_stream_that_it_was_signalled_for() {
    let mut stage = Stage::new(AgentConfig { streams: vec![1, 1], ..role(Role::Controlling) });
    let second = ComponentId { stream: 1, component: 1 };
    let socket = Socket::udp(SocketId(1), "10.0.0.1:5001".parse().unwrap()).component(second);
    stage.agent.socket_up(stage.now, socket).unwrap();
    let line = "candidate:1 1 UDP 2130706431 peer.local 7 typ host".parse().unwrap();
    stage.agent.add_stream_candidate(stage.now, 1, &line).unwrap();
    stage.poll();
    stage.answer(0, &[ip("10.0.0.2")]);
    let component =
        |stage: &Stage| -> Vec<_> { stage.agent.explain().pairs.iter().map(|p| p.component).collect() };
    assert_eq!(component(&stage), [second]);

    // Known by now: of the first stream this time.
    stage.agent.add_stream_candidate(stage.now, 0, &line).unwrap();
    assert_eq!(component(&stage).len(), 2);

    // One whose stream has gone meanwhile is of no use.
    let line = "candidate:1 1 UDP 2130706431 other.local 7 typ host".parse().unwrap();
    stage.agent.add_stream_candidate(stage.now, 1, &line).unwrap();
    stage.poll();
    stage.agent.remove_component(stage.now, second).unwrap();
    stage.answer(1, &[ip("10.0.0.3")]);
    assert_eq!(component(&stage), [ComponentId::FIRST]);
    assert_eq!(stage.agent.generations.current.candidates.remotes().len(), 1);
}

#[test]
fn a_candidate_that_is_taken_back_by_its_name_is_gone_before_and_after_the_answer() {
    let mut stage = Stage::new(role(Role::Controlling));
    for port in [1, 2, 3] {
        stage.add_named("peer.local", port).unwrap();
    }
    stage.poll();
    let take_back = |stage: &mut Stage, port: u16| {
        let line = format!("candidate:{port} 1 UDP 2130706431 PEER.local {port} typ host");
        stage.agent.remove_remote_candidate(stage.now, 0, &line.parse().unwrap()).unwrap();
    };
    take_back(&mut stage, 1);
    let id = stage.queries[0].id;
    stage.agent.resolved(stage.now, id, Ok(&[ip("10.0.0.2")])).unwrap();
    take_back(&mut stage, 2);
    stage.wait(Duration::from_secs(1));
    assert_eq!(stage.checked(), ["10.0.0.2:3".parse().unwrap()]);
}

#[test]
fn mapped_candidates_and_virtual_relays_are_told_again_and_hidden_hosts_are_not() {
    let mut stage = Stage::new(without_hosts());
    stage.add_mapped();
    stage.add_relay();
    assert_eq!(stage.told(), [MAPPED, RELAY]);
    stage.events.clear();
    stage.restart();
    assert_eq!(stage.told(), [MAPPED, RELAY]);
    // The hidden host is checked from, as before.
    stage.add_candidate(PEER, 2_130_706_431);
    stage.wait(Duration::from_secs(1));
    let bases: Vec<_> = stage.agent.explain().pairs.iter().map(|p| p.local).collect();
    assert_eq!(bases, [address(0), "192.0.2.1:1".parse().unwrap()]);
    assert!(stage.take_request(PEER).is_some());
}

#[test]
fn a_hidden_host_that_is_lent_while_a_restart_is_staged_is_checked_from_in_both_generations() {
    let mut stage = Stage::new(without_hosts());
    let staged = stage.agent.prepare_restart(stage.now).unwrap();
    stage.add_mapped();
    assert_eq!(stage.told(), [MAPPED, MAPPED]);
    let to_staged = stage.request_to(&staged, "peer2", CONTROLLED);
    assert_eq!(stage.receive(PEER, &to_staged), Outcome::Consumed);
    let to_current = stage.request(CONTROLLED, false);
    assert_eq!(stage.receive(PEER, &to_current), Outcome::Consumed);
    stage.agent.apply_restart(stage.now).unwrap();
    stage.set_next_credentials();
    stage.wait(Duration::from_secs(1));
    assert!(stage.take_request(PEER).is_some());
}

/// It turns out that there is no NAT: the host's address is public anyway, and told in each generation.
#[test]
fn a_hidden_host_that_is_its_own_reflexive_candidate_is_told_once_in_each_generation() {
    let mut stage = Stage::new(without_hosts());
    stage.add_mapped();
    stage.agent.prepare_restart(stage.now).unwrap();
    stage.poll();
    stage.events.clear();
    for _ in 0..2 {
        stage.agent.add_mapped(stage.now, SocketId(0), address(0)).unwrap();
    }
    stage.poll();
    let host = "candidate:1 1 UDP 2130706431 10.0.0.1 5000 typ host";
    assert_eq!(stage.told(), [host, host]);
    stage.events.clear();
    stage.restart();
    stage.agent.prepare_restart(stage.now).unwrap();
    stage.poll();
    assert_eq!(stage.told(), [host, MAPPED]);
}

#[test]
fn only_what_was_told_is_taken_back() {
    let mut stage = Stage::new(without_hosts());
    stage.add_mapped();
    stage.restart();
    stage.agent.socket_down(stage.now, SocketId(0)).unwrap();
    stage.poll();
    assert_eq!(stage.removed(), ["203.0.113.1:1000".parse().unwrap()]);
}

#[test]
fn filters_apply_in_every_generation() {
    let remote_filter = CandidateFilter { except: vec!["10.0.0.2".parse().unwrap()], ..Default::default() };
    let mut stage = Stage::new(AgentConfig { remote_filter, ..role(Role::Controlling) });
    let first = stage.agent.local_credentials().clone();
    stage.restart();
    let current = stage.agent.local_credentials().clone();
    let staged = stage.agent.prepare_restart(stage.now).unwrap();
    let line = "candidate:1 1 UDP 1 10.0.0.2 5000 typ host".parse().unwrap();
    assert_eq!(stage.agent.add_remote_candidate(stage.now, &line), Err(RemoteError::Filtered));
    stage.add_named("peer.local", 5000).unwrap();
    stage.poll();
    stage.answer(0, &[ip("10.0.0.2")]);
    for (ours, theirs) in [(&first, "peer"), (&current, "peer2"), (&staged, "peer3")] {
        let request = stage.request_to(ours, theirs, CONTROLLED);
        assert_eq!(stage.receive(PEER, &request), Outcome::Dropped(DropReason::Filtered));
    }
    stage.wait(Duration::from_secs(5));
    assert!(stage.sent.is_empty());
}

/// What a restart tells of ourselves.
fn told_again(stage: &mut Stage) -> Vec<String> {
    stage.events.clear();
    stage.agent.restart(stage.now).unwrap();
    stage.poll();
    stage.told()
}

/// From where the peer is checked.
fn bases(stage: &mut Stage) -> Vec<SocketAddr> {
    stage.set_next_credentials();
    stage.add_candidate(PEER, 1);
    stage.wait(Duration::from_secs(1));
    assert!(!stage.sent.is_empty());
    stage.agent.explain().pairs.iter().map(|pair| pair.local).collect()
}

fn narrow(stage: &mut Stage, types: CandidateTypes) {
    let filter = CandidateFilter { types, ..Default::default() };
    stage.agent.set_local_filter(stage.now, filter).unwrap();
    stage.poll();
}

/// As `set_local_filter` promises: a restart takes back what the filter keeps out by now.
#[test]
fn a_restart_tells_nothing_that_the_filter_keeps_out_by_then() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_mapped();
    stage.add_relay();
    let all = told_again(&mut stage);
    assert_eq!(all.len(), 3);
    narrow(&mut stage, CandidateTypes::NONE.with(CandidateType::Relayed));
    assert_eq!(told_again(&mut stage), [RELAY]);
    assert_eq!(bases(&mut stage), ["192.0.2.1:1".parse().unwrap()]);
    // As it was before, when the filter is.
    narrow(&mut stage, CandidateTypes::ALL);
    stage.add_mapped();
    let again = told_again(&mut stage);
    assert!(again.len() == 3 && all.iter().all(|line| again.contains(line)), "{again:?}");
}

/// The base of what is left is checked from, and not told: not as a related address either.
#[test]
fn a_base_that_a_filter_keeps_out_by_then_is_hidden_by_a_restart() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_mapped();
    assert!(told_again(&mut stage).iter().any(|line| line.contains("raddr 10.0.0.1")));
    narrow(&mut stage, CandidateTypes::ALL.without(CandidateType::Host));
    assert_eq!(told_again(&mut stage), [MAPPED]);
    assert_eq!(bases(&mut stage), ["10.0.0.1:5000".parse().unwrap()]);
}

/// What was signalled for one generation says nothing of the next, in which the address may be something else.
#[test]
fn a_source_is_judged_by_what_was_signalled_for_the_generation_of_its_request() {
    let types = CandidateTypes::NONE.with(CandidateType::Relayed);
    let remote_filter = CandidateFilter { types, ..Default::default() };
    let mut stage = Stage::new(AgentConfig { remote_filter, ..role(Role::Controlling) });
    let line = "candidate:1 1 UDP 1 10.0.0.2 5000 typ relay raddr 0.0.0.0 rport 9".parse().unwrap();
    stage.agent.add_remote_candidate(stage.now, &line).unwrap();
    let old = stage.request(CONTROLLED, false);
    stage.restart();
    let new = stage.request(CONTROLLED, false);
    assert_eq!(stage.receive(PEER, &old), Outcome::Consumed);
    assert_eq!(stage.receive(PEER, &new), Outcome::Dropped(DropReason::Filtered));
    stage.agent.add_remote_candidate(stage.now, &line).unwrap();
    assert_eq!(stage.receive(PEER, &new), Outcome::Consumed);
}

#[test]
fn a_request_of_an_old_generation_to_a_socket_that_it_never_knew_is_answered() {
    let mut stage = Stage::new(role(Role::Controlling));
    let mut old = stage.request(CONTROLLED, false);
    stage.restart();
    let socket = Socket::udp(SocketId(1), "10.0.0.1:6000".parse().unwrap());
    stage.agent.socket_up(stage.now, socket).unwrap();
    stage.poll();
    let datagram = Datagram::new(SocketId(1), PEER, &mut old);
    assert!(matches!(stage.agent.receive(stage.now, datagram), Received::Consumed));
    stage.poll();
    assert_eq!(stage.sent.len(), 1);
}
