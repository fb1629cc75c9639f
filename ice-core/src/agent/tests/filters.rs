//! Filters on both ends, and candidates that the application knows of, as the peer sees them.

use super::puppet::*;
use super::*;
use crate::base::SocketId;
use crate::candidate::{CandidateType, CandidateTypes};
use crate::trace::DropReason;
use crate::wire::RoleClaim;

const CONTROLLED: RoleClaim = RoleClaim::Controlled(1);

fn without_hosts() -> AgentConfig {
    let types = CandidateTypes::ALL.without(CandidateType::Host);
    AgentConfig { local_filter: CandidateFilter { types, ..Default::default() }, ..role(Role::Controlling) }
}

#[test]
fn a_mapped_address_is_told_before_and_after_the_others_and_names_the_path() {
    let mut stage = Stage::new(role(Role::Controlling));
    let mapped: SocketAddr = "203.0.113.1:1000".parse().unwrap();
    stage.agent.add_mapped(stage.now, SocketId(0), mapped).unwrap();
    stage.agent.add_mapped(stage.now, SocketId(0), mapped).unwrap();
    stage.poll();
    let line = "candidate:2 1 UDP 1694498815 203.0.113.1 1000 typ srflx raddr 10.0.0.1 rport 5000";
    let other: SocketAddr = "203.0.113.9:1000".parse().unwrap();
    stage.agent.add_mapped(stage.now, SocketId(0), other).unwrap();
    stage.poll();
    let another = "candidate:2 1 UDP 1694498559 203.0.113.9 1000 typ srflx raddr 10.0.0.1 rport 5000";
    assert_eq!(stage.told()[1..], [line, another]);
    stage.add_candidate(PEER, 2_130_706_431);
    stage.poll();
    let request = stage.take_request(PEER).unwrap();
    let response = stage.response(&request, mapped);
    stage.receive(PEER, &response);
    let path = stage.agent.path(ComponentId::FIRST).unwrap();
    assert_eq!((path.local, path.local_type), (mapped, CandidateType::ServerReflexive));
    stage.agent.close(stage.now);
    assert_eq!(
        stage.agent.add_mapped(stage.now, SocketId(0), mapped),
        Err(crate::gather::SocketError::Ended)
    );
}

#[test]
fn relay_only_tells_nothing_checks_nothing_and_answers_nothing_from_a_host_address() {
    let local_filter = CandidateFilter::relay_only();
    let mut stage = Stage::new(AgentConfig { local_filter, ..role(Role::Controlling) });
    stage.agent.add_mapped(stage.now, SocketId(0), "203.0.113.1:1000".parse().unwrap()).unwrap();
    stage.add_candidate(PEER, 2_130_706_431);
    let request = stage.request(CONTROLLED, false);
    assert_eq!(stage.receive(PEER, &request), Outcome::Dropped(DropReason::Filtered));
    stage.wait(Duration::from_secs(5));
    assert!(stage.told().is_empty() && stage.sent.is_empty());
    let causes = stage.agent.explain().causes;
    assert_eq!(
        causes,
        [Cause::LocalFiltered { sockets: 1 }, Cause::RemoteFiltered { candidates: 0, requests: 1 }]
    );

    let relay: SocketAddr = "192.0.2.1:1".parse().unwrap();
    stage.agent.socket_up(stage.now, Socket::virtual_relay(SocketId(1), relay)).unwrap();
    stage.poll();
    assert_eq!(stage.told(), ["candidate:1 1 UDP 16383 192.0.2.1 1 typ relay raddr 0.0.0.0 rport 9"]);
    assert!(!stage.sent.is_empty());
}

#[test]
fn a_hidden_host_is_checked_from_once_a_reflexive_candidate_of_it_is_told() {
    let mut stage = Stage::new(without_hosts());
    stage.add_candidate(PEER, 2_130_706_431);
    stage.wait(Duration::from_secs(1));
    assert!(stage.sent.is_empty());
    stage.agent.add_mapped(stage.now, SocketId(0), "203.0.113.1:1000".parse().unwrap()).unwrap();
    stage.wait(Duration::from_secs(1));
    assert_eq!(
        stage.told(),
        ["candidate:2 1 UDP 1694498815 203.0.113.1 1000 typ srflx raddr 0.0.0.0 rport 9"]
    );
    let described = &stage.agent.local_description().streams[0].candidates;
    assert_eq!(described.iter().map(|c| c.kind).collect::<Vec<_>>(), [CandidateType::ServerReflexive]);
    let request = stage.request(CONTROLLED, false);
    assert_eq!(stage.receive(PEER, &request), Outcome::Consumed);
    assert!(stage.take_request(PEER).is_some());
}

#[test]
fn what_the_remote_filter_keeps_out_is_refused_not_checked_and_not_answered() {
    let remote_filter = CandidateFilter { except: vec!["10.0.0.0/8".parse().unwrap()], ..Default::default() };
    let mut stage = Stage::new(AgentConfig { remote_filter, ..role(Role::Controlling) });
    let mut add = |line: &str| stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap());
    assert_eq!(add("candidate:1 1 UDP 1 10.0.0.2 5000 typ host"), Err(RemoteError::Filtered));
    assert_eq!(add("candidate:1 1 UDP 1 10.0.0.2 5000 typ host ufrag peer"), Err(RemoteError::Filtered));
    let before = stage.agent.state_fingerprint();
    let request = stage.request(CONTROLLED, false);
    assert_eq!(stage.receive(PEER, &request), Outcome::Dropped(DropReason::Filtered));
    assert_eq!(stage.agent.state_fingerprint(), before);
    stage.wait(Duration::from_secs(5));
    assert!(stage.sent.is_empty());
    let told = Cause::RemoteFiltered { candidates: 2, requests: 1 };
    assert_eq!(stage.agent.explain().causes, [told]);
}

/// The candidate may be on its way through signalling: its checks are dropped until it is there, and answered then.
#[test]
fn a_source_is_judged_by_its_signalled_type_if_it_has_one() {
    let types = CandidateTypes::NONE.with(CandidateType::Relayed);
    let remote_filter = CandidateFilter { types, ..Default::default() };
    let mut stage = Stage::new(AgentConfig { remote_filter, ..role(Role::Controlling) });
    let request = stage.request(CONTROLLED, false);
    assert_eq!(stage.receive(PEER, &request), Outcome::Dropped(DropReason::Filtered));
    let line = "candidate:1 1 UDP 1 10.0.0.2 5000 typ relay raddr 0.0.0.0 rport 9";
    stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap()).unwrap();
    assert_eq!(stage.receive(PEER, &request), Outcome::Consumed);
}
