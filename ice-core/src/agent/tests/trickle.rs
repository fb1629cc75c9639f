//! Trickle ICE (RFC 8838): what comes after the end of candidates, ours and the peer's, in each generation.

use super::puppet::*;
use super::*;
use crate::base::SocketId;
use crate::description::{SessionDescription, TrickleFragment};
use crate::wire::RoleClaim;

const LATER: &str = "candidate:1 1 UDP 2130706175 10.0.0.1 6000 typ host";

fn other() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 3], 5000))
}

fn line(address: SocketAddr, ufrag: &str) -> Candidate {
    format!("candidate:7 1 UDP 1000 {} {} typ host ufrag {ufrag}", address.ip(), address.port())
        .parse()
        .unwrap()
}

impl Stage {
    fn add(&mut self, address: SocketAddr, ufrag: &str) -> Result<(), RemoteError> {
        self.agent.add_remote_candidate(self.now, &line(address, ufrag))
    }

    fn end_of(&mut self, ufrag: &str) -> Result<(), RemoteError> {
        self.agent.end_of_remote_candidates_of(self.now, None, ufrag)
    }

    /// A second socket, after all else.
    fn later_socket(&mut self) {
        let socket = Socket::udp(SocketId(1), "10.0.0.1:6000".parse().unwrap());
        self.agent.socket_up(self.now, socket).unwrap();
        self.poll();
    }

    fn ends(&self) -> usize {
        self.events.iter().filter(|e| matches!(e, Event::EndOfCandidates { .. })).count()
    }
}

fn described(agent: &Agent) -> (Vec<String>, bool) {
    let description = agent.local_description();
    let of_one = |c: &Candidate| c.to_string().split(" ufrag ").next().map(String::from);
    let lines = description.streams[0].candidates.iter().filter_map(of_one).collect();
    (lines, description.end_of_candidates)
}

#[test]
fn a_candidate_after_the_peers_end_is_refused_and_its_checks_are_followed_all_the_same() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add(PEER, "peer").unwrap();
    stage.agent.end_of_remote_candidates(stage.now);
    assert_eq!(stage.add(other(), "peer"), Err(RemoteError::AfterEnd));
    stage.wait(Duration::from_secs(1));
    assert!(stage.take_request(other()).is_none());
    // Those from before may be said again, as fragments do (RFC 8840 §4.4).
    stage.add(PEER, "peer").unwrap();

    let request = stage.request(RoleClaim::Controlling(1), false);
    assert_eq!(stage.receive(other(), &request), Outcome::Consumed);
    stage.wait(Duration::from_secs(1));
    assert!(stage.take_request(other()).is_some());
    // It was learned, and what is signalled of it now comes too late as well.
    assert_eq!(stage.add(other(), "peer"), Err(RemoteError::AfterEnd));
}

#[test]
fn a_name_after_the_peers_end_is_not_asked_for_and_one_from_before_is_still_taken() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_named("before.local", 1).unwrap();
    stage.poll();
    stage.agent.end_of_remote_candidates(stage.now);
    assert_eq!(stage.add_named("after.local", 1), Err(RemoteError::AfterEnd));
    assert_eq!(stage.add_named("before.local", 2), Err(RemoteError::AfterEnd));
    stage.add_named("before.local", 1).unwrap();
    stage.poll();
    assert_eq!(stage.queries.len(), 1);
    stage.answer(0, &["10.0.0.3".parse().unwrap()]);
    stage.wait(Duration::from_secs(1));
    assert!(stage.take_request(SocketAddr::from(([10, 0, 0, 3], 1))).is_some());
    assert_eq!(stage.add_named("before.local", 2), Err(RemoteError::AfterEnd));
    stage.add_named("before.local", 1).unwrap();
}

/// Signalling may be faster with the end than with the credentials, and a restart ends nothing of the next generation.
#[test]
fn the_end_is_of_one_generation_before_and_after_its_credentials() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.end_of("peer").unwrap();
    stage.add(PEER, "peer2").unwrap();
    stage.end_of("peer2").unwrap();
    assert_eq!(stage.add(other(), "peer2"), Err(RemoteError::AfterEnd));
    stage.add(PEER, "peer2").unwrap();
    // Nobody knows yet whose these are, and so nothing of them has ended.
    stage.add(other(), "peer3").unwrap();

    stage.agent.restart(stage.now).unwrap();
    let next = Credentials::new("peer2", "the-next-password-of-the-peer").unwrap();
    stage.agent.set_remote_credentials(stage.now, next).unwrap();
    assert_eq!(stage.agent.generations.current.candidates.remotes().len(), 1);
    assert_eq!(stage.add(other(), "peer2"), Err(RemoteError::AfterEnd));
    assert_eq!(stage.end_of("peer"), Err(RemoteError::OtherGeneration));

    stage.agent.restart(stage.now).unwrap();
    let third = Credentials::new("peer3", "the-third-password-of-the-peer").unwrap();
    stage.agent.set_remote_credentials(stage.now, third).unwrap();
    stage.add(PEER, "peer3").unwrap();
    assert_eq!(stage.agent.generations.current.candidates.remotes().len(), 2);
}

/// One that names no credentials may be a late one of the generation before.
#[test]
fn an_end_without_a_name_before_any_credentials_ends_nothing() {
    let mut stage = Stage::without_credentials(role(Role::Controlling));
    stage.agent.end_of_remote_candidates(stage.now);
    stage.agent.set_remote_credentials(stage.now, stage.credentials.clone()).unwrap();
    stage.add(PEER, "peer").unwrap();
    stage.agent.end_of_remote_candidates(stage.now);
    stage.agent.restart(stage.now).unwrap();
    stage.agent.end_of_remote_candidates(stage.now);
    let next = Credentials::new("peer2", "the-next-password-of-the-peer").unwrap();
    stage.agent.set_remote_credentials(stage.now, next).unwrap();
    stage.add(PEER, "peer2").unwrap();
}

#[test]
fn the_end_of_one_stream_leaves_the_other_open() {
    let mut stage = Stage::new(AgentConfig { streams: vec![1, 1], ..role(Role::Controlling) });
    stage.agent.end_of_remote_candidates_of(stage.now, Some(1), "peer").unwrap();
    let add = |stage: &mut Stage, of| stage.agent.add_stream_candidate(stage.now, of, &line(PEER, "peer"));
    assert_eq!(add(&mut stage, 1), Err(RemoteError::AfterEnd));
    add(&mut stage, 0).unwrap();
    let nowhere = ComponentId { stream: 2, component: 1 };
    assert_eq!(
        stage.agent.end_of_remote_candidates_of(stage.now, Some(2), "peer"),
        Err(RemoteError::UnknownComponent(nowhere))
    );

    // A description says it for each stream, too.
    let text = "a=ice-ufrag:peer\r\na=ice-pwd:the-password-of-the-peer\r\n\
        m=audio 9 RTP/AVP 0\r\na=end-of-candidates\r\nm=video 9 RTP/AVP 0\r\n";
    stage.agent.set_remote_description(stage.now, &text.parse().unwrap()).unwrap();
    let late = stage.agent.add_stream_candidate(stage.now, 0, &line(other(), "peer"));
    assert_eq!(late, Err(RemoteError::AfterEnd));
}

#[test]
fn ends_that_come_before_their_credentials_are_bounded_and_the_oldest_is_forgotten() {
    let mut stage = Stage::new(role(Role::Controlling));
    for number in 0..=MAX_EARLY_ENDS {
        stage.end_of(&format!("early{number}")).unwrap();
        stage.end_of(&format!("early{number}")).unwrap();
    }
    assert_eq!(stage.agent.early_ends.len(), MAX_EARLY_ENDS);
    stage.add(PEER, "early0").unwrap();
    for kept in [1, MAX_EARLY_ENDS] {
        assert_eq!(stage.add(PEER, &format!("early{kept}")), Err(RemoteError::AfterEnd), "{kept}");
    }
    let too_long = "u".repeat(257);
    assert_eq!(stage.end_of(&too_long), Err(RemoteError::OtherGeneration));
}

#[test]
fn after_our_end_a_new_socket_is_checked_from_and_told_only_by_the_next_restart() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 2_000);
    assert!(!described(&stage.agent).1);
    stage.agent.end_of_local_candidates(stage.now);
    stage.agent.end_of_local_candidates(stage.now);
    stage.poll();
    let ours = stage.agent.local_credentials().ufrag().into();
    assert_eq!(stage.events.last(), Some(&Event::EndOfCandidates { ufrag: ours }));
    assert_eq!(stage.ends(), 1);
    stage.events.clear();
    let before = described(&stage.agent);
    assert_eq!((before.0.len(), before.1), (1, true));

    stage.later_socket();
    stage.agent.add_mapped(stage.now, SocketId(1), "203.0.113.1:1".parse().unwrap()).unwrap();
    stage.wait(Duration::from_secs(1));
    assert!(stage.told().is_empty(), "{:?}", stage.told());
    assert_eq!(described(&stage.agent), before);
    let checked: Vec<_> = stage.agent.explain().pairs.iter().map(|p| p.local).collect();
    assert!(checked.contains(&"10.0.0.1:6000".parse().unwrap()), "{checked:?}");

    stage.agent.restart(stage.now).unwrap();
    stage.poll();
    assert_eq!(stage.told().len(), 3);
    assert_eq!(stage.told()[1], LATER);
    let (told, ended) = described(&stage.agent);
    assert_eq!((told.len(), ended), (3, false), "the next generation is open");
}

/// What was never told is not taken back.
#[test]
fn a_socket_that_came_after_our_end_goes_without_a_word() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.agent.end_of_local_candidates(stage.now);
    stage.later_socket();
    stage.events.clear();
    stage.agent.socket_down(stage.now, SocketId(1)).unwrap();
    stage.poll();
    assert_eq!(stage.events, []);
}

/// An offer to restart is complete by itself; the generation in use stays open, and the other way round.
#[test]
fn a_prepared_restart_has_an_end_of_its_own() {
    for ends_before in [false, true] {
        let mut stage = Stage::new(role(Role::Controlling));
        if ends_before {
            stage.agent.end_of_local_candidates(stage.now);
        }
        let staged = stage.agent.prepare_restart(stage.now).unwrap();
        if !ends_before {
            stage.agent.end_of_local_candidates(stage.now);
        }
        stage.poll();
        let (of, ufrag) = if ends_before {
            (staged, stage.agent.local_credentials().ufrag().into())
        } else {
            (stage.agent.local_credentials().clone(), staged.ufrag().into())
        };
        assert!(stage.events.contains(&Event::EndOfCandidates { ufrag }));
        assert_eq!(described(&stage.agent).1, !ends_before);
        stage.events.clear();
        stage.later_socket();
        let told: Vec<_> =
            stage.events.iter().filter(|e| matches!(e, Event::LocalCandidate { .. })).collect();
        let [Event::LocalCandidate { candidate, .. }] = &told[..] else { panic!("{told:?}") };
        assert_eq!(candidate.extensions.ufrag(), Some(of.ufrag()));
    }
}

/// RFC 8838 §13 and §8.1.1 would have it wait for a restart. Who roams does not tell the end, and tells of a new network at once.
#[test]
fn while_the_end_is_open_a_new_socket_is_told_even_after_a_nomination() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 2_000);
    for _ in 0..4 {
        stage.wait(Duration::from_millis(60));
        stage.answer_all(PEER);
    }
    assert_eq!(stage.selected(), Some(PEER));
    stage.events.clear();
    stage.later_socket();
    assert_eq!(stage.told(), [LATER]);
}

/// RFC 8838 §16: the offer is whole, and says so; the answer comes at once, and its candidates one by one.
#[test]
fn a_half_trickle_offer_meets_an_answer_that_trickles() {
    let mut bench = Bench::new([role(Role::Controlling), role(Role::Controlled)]);
    let now = bench.now;
    let [offerer, answerer] = &mut bench.agents;
    let answer = answerer.local_description().to_string();
    offerer.end_of_local_candidates(now);
    let offer = offerer.local_description().to_string();
    for line in [
        "ice-options:ice2 trickle",
        "end-of-candidates",
        "candidate:1 1 UDP 2130706431 10.0.0.1 5000 typ host",
    ] {
        assert!(offer.contains(&format!("a={line}")), "{offer}");
    }

    let offer: SessionDescription = offer.parse().unwrap();
    assert!(answerer.set_remote_description(now, &offer).unwrap().untaken.is_empty());
    let answer: SessionDescription = answer.parse().unwrap();
    assert_eq!((answer.streams[0].candidates.len(), answer.end_of_candidates), (0, false));
    offerer.set_remote_description(now, &answer).unwrap();
    // The answerer's candidate takes its time, and its check, which needs none, is held up by a NAT of the offerer's.
    bench.run(Instant::from_millis(1));
    bench.flying.clear();
    let trickled: Vec<_> = core::mem::take(&mut bench.events[1])
        .into_iter()
        .filter_map(|e| match e {
            Event::LocalCandidate { candidate, .. } => Some(candidate),
            _ => None,
        })
        .collect();
    assert_eq!(trickled.len(), 1);
    bench.agents[0].add_remote_candidate(bench.now, &trickled[0]).unwrap();
    bench.agents[1].end_of_local_candidates(bench.now);
    bench.run(Instant::from_millis(1_000));
    let ufrag = bench.agents[1].local_credentials().ufrag().to_string();
    assert!(bench.events[1].contains(&Event::EndOfCandidates { ufrag: ufrag.clone() }));
    bench.agents[0].end_of_remote_candidates_of(bench.now, None, &ufrag).unwrap();
    assert!(bench.agents.iter().all(|a| a.selected_path(ComponentId::FIRST).is_some()), "{:#?}", bench.log);
}

/// §17, whatever the order in which the sockets come, and again by a restart.
#[test]
fn the_candidates_of_lower_components_are_told_first() {
    let mut agent = Agent::new(AgentConfig { streams: vec![3], ..Default::default() }, [5; 32]).unwrap();
    for of in [2, 3, 1_u16] {
        let component = ComponentId { stream: 0, component: of };
        let socket = Socket::udp(SocketId(of.into()), SocketAddr::from(([10, 0, 0, 1], 5_000 + of)));
        agent.socket_up(Instant::ZERO, socket.component(component)).unwrap();
    }
    let told = |agent: &mut Agent| {
        let mut told = Vec::new();
        let mut scratch = [0; MAX_TRANSMIT];
        while let Output::Event(event) = agent.poll(Instant::ZERO, &mut scratch) {
            if let Event::LocalCandidate { candidate, .. } = event {
                told.push(candidate.component);
            }
        }
        told
    };
    assert_eq!(told(&mut agent), [1, 2, 3]);
    // A second address, for the others first: the restart tells it in order.
    for of in [2, 1_u16] {
        let component = ComponentId { stream: 0, component: of };
        let local = SocketAddr::from(([10, 0, 0, 2], 5_000 + of));
        let socket = Socket::udp(SocketId(10 + u32::from(of)), local);
        agent.socket_up(Instant::ZERO, socket.component(component)).unwrap();
        assert_eq!(told(&mut agent), [of]);
    }
    agent.restart(Instant::ZERO).unwrap();
    assert_eq!(told(&mut agent), [1, 1, 2, 2, 3]);
}

fn fragment(ufrag: &str, streams: &[(&str, &[SocketAddr], bool)]) -> TrickleFragment {
    let mut body = format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:{PEERS_PASSWORD}\r\n");
    for (mid, candidates, end) in streams {
        body += &format!("m=audio 9 RTP/AVP 0\r\na=mid:{mid}\r\n");
        for (foundation, address) in candidates.iter().enumerate() {
            let (ip, port) = (address.ip(), address.port());
            body += &format!("a=candidate:{foundation} 1 UDP 1000 {ip} {port} typ host\r\n");
        }
        if *end {
            body += "a=end-of-candidates\r\n";
        }
    }
    body.parse().unwrap()
}

const PEERS_PASSWORD: &str = "0123456789012345678901";

#[test]
fn fragments_bring_candidates_to_the_streams_that_they_name_and_their_end() {
    let mut stage = Stage::new(role(Role::Controlling));
    let first = fragment("peer", &[("zero", &[PEER], false), ("refused", &[other()], false)]);
    assert_eq!(stage.agent.add_fragment(stage.now, &first, &["zero"]), Ok(vec![]));
    stage.wait(Duration::from_secs(1));
    assert!(stage.take_request(PEER).is_some() && stage.take_request(other()).is_none());
    // The next one repeats what was told, and adds to it.
    let second = fragment("peer", &[("zero", &[PEER, other()], true)]);
    assert_eq!(stage.agent.add_fragment(stage.now, &second, &["zero"]), Ok(vec![]));
    stage.wait(Duration::from_secs(1));
    assert!(stage.take_request(other()).is_some());
    assert_eq!(stage.add("10.0.0.9:1".parse().unwrap(), "peer"), Err(RemoteError::AfterEnd));
}

#[test]
fn a_fragment_of_another_generation_waits_for_it_or_is_discarded_and_begins_no_restart() {
    let mut stage = Stage::new(role(Role::Controlling));
    let ours = stage.agent.local_credentials().clone();
    let early = fragment("next", &[("0", &[other()], true)]);
    assert_eq!(stage.agent.add_fragment(stage.now, &early, &["0"]), Ok(vec![]));
    stage.wait(Duration::from_secs(1));
    assert!(stage.take_request(other()).is_none());
    assert_eq!(stage.agent.local_credentials(), &ours, "a fragment is no offer");
    let next = Credentials::new("next", PEERS_PASSWORD).unwrap();
    stage.agent.accept_credentials(stage.now, next, None).unwrap();
    stage.wait(Duration::from_secs(1));
    assert!(stage.take_request(other()).is_some());
    let late = fragment("peer", &[("0", &["10.0.0.9:1".parse().unwrap()], false)]);
    assert_eq!(stage.agent.add_fragment(stage.now, &late, &["0"]), Err(RemoteError::OtherGeneration));
}

#[test]
fn a_fragment_without_streams_ends_them_all() {
    let mut stage = Stage::new(role(Role::Controlling));
    let body = format!("a=ice-ufrag:peer\r\na=ice-pwd:{PEERS_PASSWORD}\r\na=end-of-candidates\r\n");
    stage.agent.add_fragment(stage.now, &body.parse().unwrap(), &[]).unwrap();
    assert_eq!(stage.add(other(), "peer"), Err(RemoteError::AfterEnd));
}
