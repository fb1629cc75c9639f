//! What a network costs: told to the peer, taken from it, and weighed by nobody but the application.

use super::*;
use crate::base::SocketId;
use crate::check::{Nomination, PathMeasure, Preference};
use puppet::{PEER, Stage};

const OTHER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 3)), 5000);
/// Of the second socket, which is in a network that is told of.
const SECOND: SocketId = SocketId(1);

/// The lines that were told of since this was asked last, behind their username fragments.
fn told(stage: &mut Stage) -> Vec<String> {
    stage.poll();
    let line = |event: &Event| match event {
        Event::LocalCandidate { candidate, .. } => Some(candidate.to_string()),
        Event::CandidateRemoved { candidate, .. } => Some(format!("gone {candidate}")),
        _ => None,
    };
    let lines = stage.events.iter().filter_map(line);
    let behind = |line: String| {
        let gone = if line.starts_with("gone") { "gone " } else { "" };
        let kind = line.split(" typ ").nth(1).unwrap().split(' ').next().unwrap();
        let extensions = line.split(" ufrag ").nth(1).unwrap().split_once(' ').map_or("", |(_, rest)| rest);
        format!("{gone}{kind} {extensions}")
    };
    let lines = lines.map(behind).collect();
    stage.events.clear();
    lines
}

#[test]
fn every_candidate_of_a_socket_tells_what_its_network_costs() {
    let mut stage = Stage::new(role(Role::Controlling));
    assert_eq!(told(&mut stage), ["host "]);
    let socket = Socket::udp(SECOND, "10.0.7.1:5000".parse().unwrap()).in_network(3).at_cost(10);
    assert_eq!((socket.network_id(), socket.network_cost()), (Some(3), Some(10)));
    stage.agent.socket_up(stage.now, socket).unwrap();
    assert_eq!(told(&mut stage), ["host network-id 3 network-cost 10"]);
    stage.agent.add_mapped(stage.now, SECOND, "203.0.113.7:4000".parse().unwrap()).unwrap();
    assert_eq!(told(&mut stage), ["srflx network-id 3 network-cost 10"]);
    stage.agent.restart(stage.now).unwrap();
    let again = ["host ", "host network-id 3 network-cost 10", "srflx network-id 3 network-cost 10"];
    assert_eq!(told(&mut stage), again);
    stage.agent.socket_down(stage.now, SECOND).unwrap();
    let gone = ["gone host network-id 3 network-cost 10", "gone srflx network-id 3 network-cost 10"];
    assert_eq!(told(&mut stage), gone);
}

/// An application that goes by cost alone, and wants to know all of it.
fn cheapest(path: &PathMeasure) -> u64 {
    match (path.local_network_cost, path.remote_network_cost) {
        (Some(7), Some(remote)) => 1_000 - u64::from(remote),
        _ => 0,
    }
}

/// Where an agent on a network of cost 7, behind a NAT, ends up that reaches its peer on an expensive network and, with a
/// lower priority, on a cheap one.
fn chosen_by(nomination: Nomination) -> Option<SocketAddr> {
    let mut agent = Stage::new(AgentConfig { nomination, ..Default::default() });
    agent.agent.socket_down(agent.now, SocketId(0)).unwrap();
    agent.agent.socket_up(agent.now, Socket::udp(SocketId(0), address(0)).at_cost(7)).unwrap();
    agent.agent.set_remote_renomination(agent.now, true);
    for (peer, priority, cost) in [(PEER, 2_130_706_431, 900), (OTHER, 2_130_706_175, 20)] {
        let line = format!(
            "candidate:1 1 UDP {priority} {} {} typ host network-cost {cost}",
            peer.ip(),
            peer.port()
        );
        agent.agent.add_remote_candidate(agent.now, &line.parse().unwrap()).unwrap();
    }
    for _ in 0..200 {
        agent.wait(Duration::from_millis(50));
        for peer in [PEER, OTHER] {
            while let Some(request) = agent.take_request(peer) {
                // Seen through the NAT, our end is a candidate that was never signalled.
                let response = agent.response(&request, "203.0.113.9:1000".parse().unwrap());
                agent.receive(peer, &response);
            }
        }
    }
    agent.selected()
}

#[test]
fn a_preference_sees_both_ends_costs_and_nothing_else_goes_by_them() {
    assert_eq!(chosen_by(Nomination::Application(Preference(cheapest))), Some(OTHER));
    assert_eq!(chosen_by(Nomination::Renominate), Some(PEER));
    assert_eq!(chosen_by(Nomination::Fast), Some(PEER));
}
