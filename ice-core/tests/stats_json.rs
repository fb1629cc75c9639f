//! Statistics through `serde`: what `getStats()` has in browsers.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end with a panic")]

use std::net::SocketAddr;

use floe_core::{
    Agent, AgentConfig, ComponentId, Credentials, Datagram, Event, Instant, MAX_TRANSMIT, Output, Role,
    Socket, SocketId,
};
use serde_json::{Value, json};

fn address(side: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, side as u8 + 1], 4_000))
}

fn agents() -> [Agent; 2] {
    let password = "asd88fgpdd777uzjYhagZg";
    let mut agents = [("left", Role::Controlling), ("right", Role::Controlled)].map(|(ufrag, role)| {
        let credentials = Some(Credentials::new(ufrag, password).unwrap());
        Agent::new(AgentConfig { role, credentials, ..Default::default() }, [role as u8; 32]).unwrap()
    });
    for side in 0..2 {
        let credentials = agents[1 - side].local_credentials().clone();
        agents[side].socket_up(Instant::ZERO, Socket::udp(SocketId(0), address(side))).unwrap();
        agents[side].set_remote_credentials(Instant::ZERO, credentials).unwrap();
    }
    agents
}

/// One step at `now`, in which each side's datagrams arrive at once.
fn exchange(agents: &mut [Agent; 2], now: Instant) {
    for side in [0, 1, 0, 1] {
        let mut scratch = [0; MAX_TRANSMIT];
        loop {
            match agents[side].poll(now, &mut scratch) {
                Output::Transmit(transmit) => {
                    let mut bytes = transmit.contents.to_vec();
                    agents[1 - side].receive(now, Datagram::new(SocketId(0), address(side), &mut bytes));
                }
                Output::Event(Event::LocalCandidate { candidate, .. }) => {
                    agents[1 - side].add_remote_candidate(now, &candidate).unwrap();
                }
                Output::Event(_) | Output::Resolve(_) | Output::Socket(_) => {}
                Output::Wait(_) | Output::Closed => break,
            }
        }
    }
}

#[test]
fn records_are_dictionaries_of_browsers_by_id() {
    let mut agents = agents();
    for millis in [0, 50, 100] {
        exchange(&mut agents, Instant::from_millis(millis));
    }
    let mut scratch = [0; MAX_TRANSMIT];
    let now = Instant::from_nanos(150_500_000);
    agents[0].send(now, ComponentId::FIRST, b"ten bytes.", &mut scratch).unwrap();

    let expected = json!({
        "0/1": {
            "id": "0/1", "type": "transport", "timestamp": 150.5,
            "packetsSent": 1, "packetsReceived": 0, "bytesSent": 10, "bytesReceived": 0,
            "iceRole": "controlling", "iceLocalUsernameFragment": "left", "iceState": "completed",
            "selectedCandidatePairId": "#0", "selectedCandidatePairChanges": 1,
        },
        "#0": {
            "id": "#0", "type": "candidate-pair", "timestamp": 150.5,
            "transportId": "0/1", "localCandidateId": "L0.0", "remoteCandidateId": "R0.0",
            "state": "succeeded", "nominated": true,
            "packetsSent": 1, "packetsReceived": 0, "bytesSent": 10, "bytesReceived": 0,
            "lastPacketSentTimestamp": 150.5,
            "totalRoundTripTime": 0.0, "currentRoundTripTime": 0.0,
            "requestsReceived": 1, "requestsSent": 2, "responsesReceived": 2, "responsesSent": 1,
            "consentRequestsSent": 0, "packetsDiscardedOnSend": 0, "bytesDiscardedOnSend": 0,
        },
        "L0.0": {
            "id": "L0.0", "type": "local-candidate", "timestamp": 150.5, "transportId": "0/1",
            "address": "192.0.2.1", "port": 4000, "protocol": "udp", "candidateType": "host",
            "priority": 2_130_706_431, "foundation": "1", "usernameFragment": "left",
        },
        "R0.0": {
            "id": "R0.0", "type": "remote-candidate", "timestamp": 150.5, "transportId": "0/1",
            "address": "192.0.2.2", "port": 4000, "protocol": "udp", "candidateType": "host",
            "priority": 2_130_706_431, "foundation": "1", "usernameFragment": "right",
        },
    });
    assert_eq!(serde_json::to_value(agents[0].stats()).unwrap(), expected);
}

#[test]
fn states_times_and_related_addresses_have_the_words_of_browsers() {
    let [mut agent, _] = agents();
    let server = SocketAddr::from(([198, 51, 100, 1], 3_478));
    let mapped = SocketAddr::from(([203, 0, 113, 9], 6_000));
    agent.add_server_reflexive(Instant::ZERO, SocketId(0), mapped, server).unwrap();
    let read = |agent: &Agent| -> Value { serde_json::to_value(agent.stats()).unwrap() };
    assert_eq!(read(&agent)["0/1"]["iceState"], "new");
    let line = "candidate:7 1 UDP 2000 192.0.2.2 4000 typ host";
    agent.add_remote_candidate(Instant::ZERO, &line.parse().unwrap()).unwrap();
    assert_eq!(read(&agent)["#0"]["state"], "waiting");
    let mut scratch = [0; MAX_TRANSMIT];
    while !matches!(agent.poll(Instant::ZERO, &mut scratch), Output::Wait(_)) {}
    let json = read(&agent);
    assert_eq!((&json["#0"]["state"], &json["0/1"]["iceState"]), (&json!("in-progress"), &json!("checking")));
    for (record, absent) in [
        ("0/1", "selectedCandidatePairId"),
        ("#0", "currentRoundTripTime"),
        ("#0", "lastPacketSentTimestamp"),
        ("L0.0", "relatedAddress"),
        ("L0.0", "tcpType"),
    ] {
        assert!(json[record].is_object() && json[record].get(absent).is_none(), "{record} {absent}");
    }
    assert_eq!(json["L0.1"]["candidateType"], "srflx");
    assert_eq!(
        (&json["L0.1"]["relatedAddress"], &json["L0.1"]["relatedPort"]),
        (&json!("192.0.2.1"), &json!(4000))
    );
}
