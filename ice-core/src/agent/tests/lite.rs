//! Lite agents (RFC 8445 §2.5): alone with a puppet, with a full agent, and among themselves.

use super::puppet::{Outcome, PEER, Stage};
use super::*;
use crate::base::SocketId;
use crate::description::{IceOptions, SessionDescription};
use crate::trace::DropReason;
use crate::wire::{Class, ErrorCode, Message, RoleClaim};

const CONTROLLING: RoleClaim = RoleClaim::Controlling(1);

fn lite(role: Role) -> AgentConfig {
    AgentConfig { role, lite: true, ..Default::default() }
}

fn source(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 1, number], 6000))
}

/// The next answer to anybody: its class and its error code.
fn answer(stage: &mut Stage) -> (Class, Option<u16>) {
    stage.poll();
    let (_, bytes) = stage.sent.remove(0);
    let message = Message::parse(&bytes).unwrap();
    (message.class(), message.error_code().map(ErrorCode::code))
}

impl Bench {
    /// Both sides tell the other that they are lite, or are not.
    fn tell_lite(&mut self, are: [bool; 2]) {
        for side in 0..2 {
            self.agents[side].set_remote_lite(self.now, are[1 - side]).unwrap();
        }
    }

    fn agree(&self) -> bool {
        let [one, other] = self.agents.each_ref().map(|a| a.selected_path(ComponentId::FIRST));
        one.zip(other).is_some_and(|(one, other)| (one.local, one.remote) == (other.remote, other.local))
    }

    fn send(&mut self, side: usize) -> Result<(), SendError> {
        let mut scratch = [0; MAX_TRANSMIT];
        let transmit = self.agents[side].send(self.now, ComponentId::FIRST, b"data", &mut scratch)?;
        self.flying.push((self.now + LATENCY, 1 - side, address(side), transmit.contents.to_vec()));
        Ok(())
    }
}

#[test]
fn a_lite_agent_asks_nothing_and_takes_a_nominated_pair_at_once() {
    let mut stage = Stage::new(lite(Role::Controlling));
    assert_eq!(stage.agent.role(), Role::Controlled, "whatever was configured");
    stage.add_candidate(PEER, 1);
    let plain = stage.request(CONTROLLING, false);
    assert_eq!(stage.receive(PEER, &plain), Outcome::Consumed);
    assert_eq!(answer(&mut stage), (Class::Success, None));
    assert_eq!(stage.selected(), None);
    let mut scratch = [0; MAX_TRANSMIT];
    let early = stage.agent.send(stage.now, ComponentId::FIRST, b"data", &mut scratch).map(|_| ());
    assert_eq!(early, Err(SendError::NoPath));

    let nomination = stage.request(CONTROLLING, true);
    stage.receive(PEER, &nomination);
    assert_eq!(stage.selected(), Some(PEER), "without any check of our own");
    assert_eq!(answer(&mut stage), (Class::Success, None));
    let told: Vec<String> = stage.events.iter().map(short).skip(2).collect();
    let path = "host 10.0.0.1:5000 > host 10.0.0.2:5000";
    assert_eq!(told, [format!("usable {path}"), format!("selected {path}")]);
    // An hour later it still may send, and has sent nothing by itself: no check, no consent check.
    stage.wait(Duration::from_secs(3_600));
    assert!(stage.sent.is_empty());
    stage.agent.send(stage.now, ComponentId::FIRST, b"data", &mut scratch).unwrap();
    assert_eq!(stage.agent.last_check_received(ComponentId::FIRST), Some(Instant::ZERO));
    let Output::Wait(wake) = stage.agent.poll(stage.now, &mut scratch) else { panic!("it does something") };
    assert_eq!(wake, None, "there is nothing to wake for");
}

#[test]
fn the_latest_nomination_holds_and_old_pairs_are_bounded() {
    let mut stage = Stage::new(lite(Role::Controlled));
    for number in 0..100 {
        let nomination = stage.request(CONTROLLING, true);
        assert_eq!(stage.receive(source(number), &nomination), Outcome::Consumed);
        stage.poll();
        assert_eq!(stage.selected(), Some(source(number)));
    }
    let most = crate::check::MAX_LITE_PAIRS;
    assert_eq!(stage.agent.explain().pairs.len(), most);
    assert_eq!(stage.agent.generations.current.candidates.remotes().len(), most);
    assert_eq!(stage.agent.paths.flows_len(), most);
    // What was sent before the peer moved still counts as its own.
    assert_eq!(stage.receive(source(91), b"data"), Outcome::Data);
    assert_eq!(stage.receive(source(98), b"data"), Outcome::Data);
    assert_eq!(stage.receive(source(200), b"data"), Outcome::Unclaimed);
    // Back and forth costs nothing more.
    for number in [98, 99, 98] {
        let nomination = stage.request(CONTROLLING, true);
        stage.receive(source(number), &nomination);
        assert_eq!(stage.selected(), Some(source(number)));
    }
    assert_eq!(stage.agent.explain().pairs.len(), most);
}

#[test]
fn who_checks_a_lite_agent_is_to_control_it() {
    let mut stage = Stage::new(lite(Role::Controlling));
    let claim = RoleClaim::Controlled(0);
    for _ in 0..3 {
        let request = stage.request(claim, false);
        stage.receive(PEER, &request);
        assert_eq!(answer(&mut stage), (Class::Error, Some(487)), "whatever the tie-breakers");
    }
    assert_eq!(stage.agent.role(), Role::Controlled);
    // Said to be lite, it controls; a peer that checks is none.
    stage.agent.set_remote_lite(stage.now, true).unwrap();
    assert_eq!(stage.agent.role(), Role::Controlling);
    let nomination = stage.request(CONTROLLING, true);
    stage.receive(PEER, &nomination);
    assert_eq!(answer(&mut stage), (Class::Success, None));
    assert_eq!((stage.agent.role(), stage.selected()), (Role::Controlled, Some(PEER)));
}

/// The selected pair of a full peer, which turns out to be lite: a new controller would confirm it with a check.
#[test]
fn a_lite_agent_that_comes_to_control_checks_nothing_either() {
    let mut stage = Stage::new(lite(Role::Controlling));
    let nomination = stage.request(CONTROLLING, true);
    stage.receive(PEER, &nomination);
    stage.poll();
    stage.sent.clear();
    stage.agent.set_remote_lite(stage.now, true).unwrap();
    assert_eq!((stage.agent.role(), stage.selected()), (Role::Controlling, Some(PEER)));
    stage.wait(Duration::from_secs(60));
    assert!(stage.sent.is_empty());
    let mut scratch = [0; MAX_TRANSMIT];
    assert!(matches!(stage.agent.poll(stage.now, &mut scratch), Output::Wait(None)));
}

#[test]
fn nothing_unauthenticated_selects_anything() {
    let mut stage = Stage::new(lite(Role::Controlled));
    let mut forged = stage.request(CONTROLLING, true);
    let before = stage.agent.state_fingerprint();
    forged[25] ^= 1;
    assert!(matches!(stage.receive(PEER, &forged), Outcome::Dropped(_)));
    assert_eq!((stage.selected(), stage.agent.state_fingerprint()), (None, before));
}

#[test]
fn a_lite_agent_has_one_host_candidate_for_each_address() {
    let mut agent = Agent::new(lite(Role::Controlled), [1; 32]).unwrap();
    let up = |agent: &mut Agent, id, local: SocketAddr| {
        agent.socket_up(Instant::ZERO, Socket::udp(SocketId(id), local))
    };
    up(&mut agent, 0, address(0)).unwrap();
    let second = SocketAddr::new(address(0).ip(), 5001);
    assert_eq!(up(&mut agent, 1, second), Err(SocketError::SecondOnAddress(second)));
    up(&mut agent, 2, address(1)).unwrap();
    poll(&mut agent);
    let described = agent.local_description();
    let [first, other] = described.streams[0].candidates.as_slice() else { panic!("{described}") };
    // RFC 8445 §5.2: type preference 126, local preference 65535.
    assert_eq!((first.priority, other.priority >> 24), (2_130_706_431, 126));
    assert!(other.priority < first.priority && other.foundation != first.foundation);
    let reflexive = agent.add_server_reflexive(Instant::ZERO, SocketId(0), source(1), source(2));
    assert_eq!(reflexive, Err(SocketError::HostOnly));
    let mapped = agent.add_mapped(Instant::ZERO, SocketId(0), source(1));
    assert_eq!(mapped, Err(SocketError::HostOnly));
    let relay = agent.socket_up(Instant::ZERO, Socket::virtual_relay(SocketId(3), source(1)));
    assert_eq!(relay, Err(SocketError::HostOnly));
}

/// RFC 8445 §12.1.1: RTP does not flow before RTCP can.
#[test]
fn data_waits_for_a_pair_of_each_component() {
    let both = [1, 2].map(|component| ComponentId { stream: 0, component });
    for by_removal in [false, true] {
        let config = AgentConfig { streams: vec![2], ..lite(Role::Controlled) };
        let mut stage = Stage::new(config);
        let second = Socket::udp(SocketId(1), SocketAddr::new(address(0).ip(), 5001)).component(both[1]);
        stage.agent.socket_up(stage.now, second).unwrap();
        let mut scratch = [0; MAX_TRANSMIT];
        let nomination = stage.request(CONTROLLING, true);
        stage.receive(PEER, &nomination);
        stage.poll();
        let sent = stage.agent.send(stage.now, both[0], b"data", &mut scratch).map(|_| ());
        assert_eq!(sent, Err(SendError::NoPath));
        assert!(!stage.events.iter().any(|e| matches!(e, Event::PathUsable(_))));
        let left: &[ComponentId] = if by_removal {
            stage.agent.remove_component(stage.now, both[1]).unwrap();
            &both[..1]
        } else {
            let mut nomination = stage.request(CONTROLLING, true);
            stage.agent.receive(stage.now, Datagram::new(SocketId(1), PEER, &mut nomination));
            &both
        };
        stage.poll();
        let usable = stage.events.iter().filter(|e| matches!(e, Event::PathUsable(_)));
        assert_eq!(usable.count(), left.len());
        for &component in left {
            stage.agent.send(stage.now, component, b"data", &mut scratch).unwrap();
        }
    }
}

#[test]
fn a_full_agent_controls_a_lite_one_whatever_was_configured() {
    for roles in [
        [Role::Controlling, Role::Controlled],
        [Role::Controlled, Role::Controlling],
        [Role::Controlled, Role::Controlled],
        [Role::Controlling, Role::Controlling],
    ] {
        for told in [true, false] {
            let mut bench = Bench::new([role(roles[0]), lite(roles[1])]);
            bench.signal();
            if told {
                bench.tell_lite([false, true]);
            }
            bench.run(Instant::from_millis(2_000));
            let context = format!("{roles:?}, told: {told}: {:#?}", bench.log);
            assert!(bench.agree(), "{context}");
            assert_eq!(bench.agents[0].role(), Role::Controlling, "{context}");
            assert_eq!(bench.agents[1].role(), Role::Controlled, "{context}");
            bench.send(0).unwrap();
            bench.send(1).unwrap();
            bench.run(Instant::from_millis(60_000));
            assert_eq!(bench.data, [1, 1], "{context}");
            assert!(bench.send(0).is_ok(), "the lite side answers consent checks");
        }
    }
}

/// A lite peer that answers 487 is controlled all the same.
#[test]
fn a_lite_peer_cannot_take_control() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.agent.set_remote_lite(stage.now, true).unwrap();
    stage.add_candidate(PEER, 1);
    stage.poll();
    let request = stage.take_request(PEER).unwrap();
    let conflict = stage.error(&request, ErrorCode::ROLE_CONFLICT, true);
    stage.receive(PEER, &conflict);
    assert_eq!(stage.agent.role(), Role::Controlling);
    stage.wait(Duration::from_millis(60));
    stage.answer_all(PEER);
    stage.wait(Duration::from_millis(60));
    stage.answer_all(PEER);
    assert_eq!(stage.selected(), Some(PEER));
}

#[test]
fn two_lite_agents_with_one_pair_select_it_without_a_datagram() {
    for initiator in 0..2 {
        let roles = if initiator == 0 {
            [Role::Controlling, Role::Controlled]
        } else {
            [Role::Controlled, Role::Controlling]
        };
        let mut bench = Bench::new(roles.map(lite));
        bench.signal();
        bench.run(Instant::from_millis(10));
        assert!(!bench.agree(), "neither knows yet that the other is lite");
        bench.tell_lite([true, true]);
        bench.run(Instant::from_millis(20));
        assert!(bench.agree() && bench.flying.is_empty(), "{:#?}", bench.log);
        assert_eq!(bench.agents.each_ref().map(Agent::role), roles);
        bench.send(0).unwrap();
        bench.run(Instant::from_millis(100));
        assert_eq!(bench.data, [0, 1], "what the peer sends over the pair is taken");
        bench.run(Instant::from_millis(100_000));
        assert!(bench.flying.is_empty());
    }
}

/// Of several pairs the one of the higher precedence is chosen, whatever came first (RFC 6724 §5).
#[test]
fn two_lite_agents_choose_by_address_and_the_controlling_one_may_tell_another_choice() {
    let hosts = [["192.0.2.1", "2001:db8::1"], ["192.0.2.2", "2001:db8::2"]];
    let mut agents =
        [Role::Controlling, Role::Controlled].map(|r| Agent::new(lite(r), [r as u8; 32]).unwrap());
    for (agent, hosts) in agents.iter_mut().zip(hosts) {
        for (number, host) in (0..).zip(hosts) {
            let local = SocketAddr::new(host.parse().unwrap(), 5000);
            agent.socket_up(Instant::ZERO, Socket::udp(SocketId(number), local)).unwrap();
            // One after the other: IPv4 has the higher priority, and the lower precedence.
            poll(agent);
        }
    }
    let [alice, bob] = &mut agents;
    let (offer, answer) = (alice.local_description(), bob.local_description());
    assert!(offer.lite && offer.pacing.is_none() && offer.streams[0].remote_candidates.is_empty());
    assert_eq!(offer.streams[0].candidates.len(), 2);
    bob.set_remote_description(Instant::ZERO, &offer).unwrap();
    alice.set_remote_description(Instant::ZERO, &answer).unwrap();
    poll(alice);
    poll(bob);
    let remote = |agent: &Agent| agent.selected_path(ComponentId::FIRST).map(|p| p.remote.ip().to_string());
    assert_eq!([remote(alice), remote(bob)].map(Option::unwrap), ["2001:db8::2", "2001:db8::1"]);

    // The choice of the one who controls: its candidate alone, and ours as the remote one.
    let choice = alice.local_description();
    let [only] = choice.streams[0].candidates.as_slice() else { panic!("{choice}") };
    assert!(only.to_string().contains(" 2001:db8::1 "));
    assert_eq!(choice.streams[0].remote_candidates.len(), 1);
    assert!(bob.local_description().streams[0].remote_candidates.is_empty(), "it does not control");
    // It might have chosen otherwise: that is what counts.
    let ipv4: SessionDescription = choice.to_string().replace("2001:db8::", "192.0.2.").parse().unwrap();
    assert_eq!(bob.set_remote_description(Instant::ZERO, &ipv4).unwrap().untaken, []);
    poll(bob);
    assert_eq!(remote(bob).unwrap(), "192.0.2.1");
    let elsewhere = bob.follow_lite_choice(Instant::ZERO, ComponentId::FIRST, source(1), source(2));
    assert_eq!(elsewhere, Err(RemoteError::NoSuchPair));
}

#[test]
fn of_two_lite_agents_that_both_control_the_one_that_is_told_yields() {
    let mut bench = Bench::new([lite(Role::Controlling), lite(Role::Controlling)]);
    bench.signal();
    bench.tell_lite([true, true]);
    bench.run(Instant::from_millis(10));
    let choice = bench.agents[0].local_description();
    bench.agents[1].set_remote_description(bench.now, &choice).unwrap();
    bench.run(Instant::from_millis(20));
    assert_eq!(bench.agents.each_ref().map(Agent::role), [Role::Controlling, Role::Controlled]);
    assert!(bench.agree());
}

#[test]
fn a_restart_keeps_who_is_lite_and_carries_data_meanwhile() {
    for both in [false, true] {
        let first = if both { lite(Role::Controlling) } else { role(Role::Controlling) };
        let mut bench = Bench::new([first, lite(Role::Controlled)]);
        bench.signal();
        bench.tell_lite([both, true]);
        bench.run(Instant::from_millis(1_000));
        assert!(bench.agree());
        for side in 0..2 {
            bench.agents[side].restart(bench.now).unwrap();
            assert!(bench.send(side).is_ok(), "over the old path");
        }
        bench.signal();
        bench.run(Instant::from_millis(2_000));
        assert!(bench.agree(), "{:#?}", bench.log);
        let pairs = bench.agents.each_ref().map(|a| a.selected_path(ComponentId::FIRST).unwrap().pair);
        assert!(pairs.iter().all(|p| p.generation() == 1), "{pairs:?}");
        assert_eq!(bench.agents[0].role(), Role::Controlling);
    }
}

#[test]
fn a_peer_that_restarts_as_a_lite_one_is_controlled_from_then_on() {
    let mut bench = Bench::new([role(Role::Controlled), role(Role::Controlling)]);
    bench.signal();
    bench.tell_lite([false, false]);
    bench.run(Instant::from_millis(1_000));
    assert!(bench.agree());
    let refused = bench.agents[0].set_remote_lite(bench.now, true);
    assert_eq!(refused, Err(RemoteError::ChangedWithoutRestart));
    bench.agents[0].restart(bench.now).unwrap();
    bench.agents[0].set_remote_lite(bench.now, true).unwrap();
    assert_eq!(bench.agents[0].role(), Role::Controlling);
}

#[test]
fn a_lite_agent_that_nobody_checks_says_so() {
    let mut stage = Stage::new(lite(Role::Controlled));
    stage.add_candidate(PEER, 1);
    stage.wait(Duration::from_secs(41));
    assert!(stage.sent.is_empty());
    let causes: Vec<Cause> = stage
        .events
        .iter()
        .filter_map(|e| if let Event::Trouble(cause) = e { Some(*cause) } else { None })
        .collect();
    assert_eq!(causes, [Cause::NotChecked]);
    let Some(Event::Failed(report)) = stage.events.last() else { panic!("{:?}", stage.events) };
    assert_eq!(report.elapsed, Duration::from_millis(39_500));
}

#[test]
fn descriptions_say_what_an_agent_can_and_take_what_the_peer_can() {
    let config = AgentConfig { ta: Duration::from_micros(19_500), ..role(Role::Controlling) };
    let mut stage = Stage::without_credentials(config);
    let ours = stage.agent.local_description();
    let text = ours.to_string();
    assert!(text.contains("a=ice-options:ice2 trickle\r\na=ice-pacing:20\r\n"), "{text}");
    assert!(!text.contains("ice-lite"), "{text}");
    assert_eq!(ours.credentials.as_ref(), Some(stage.agent.local_credentials()));
    assert_eq!(ours.streams[0].candidates.len(), 1);
    assert_eq!(stage.agent.set_remote_description(stage.now, &ours), Err(RemoteError::OurOwnCredentials));

    let theirs = "a=ice-ufrag:peer\r\na=ice-pwd:the-password-of-the-peer\r\na=ice-options:ice2 rtp+ecn\r\n\
        a=ice-lite\r\na=candidate:1 1 UDP 1 10.0.0.2 5000 typ host\r\na=candidate:2 2 UDP 1 10.0.0.2 5001 typ host\r\n\
        a=end-of-candidates\r\n";
    let parse = |text: &str| text.parse::<SessionDescription>().unwrap();
    let taken = stage.agent.set_remote_description(stage.now, &parse(theirs)).unwrap();
    assert!(!taken.restarted);
    let [untaken] = taken.untaken.as_slice() else { panic!("{taken:?}") };
    assert!(matches!(untaken.reason, RemoteError::UnknownComponent(_)));
    assert_eq!(stage.agent.remote_credentials(), Some(&stage.credentials));
    assert!(stage.agent.remote_options().unwrap().contains(IceOptions::ICE2));
    assert!(stage.agent.explain().pairs.len() == 1);
    // The same again is fine, in another order, too; anything else is a restart or refused whole.
    let again = theirs.replace("ice2 rtp+ecn", "rtp+ecn ice2");
    assert!(!stage.agent.set_remote_description(stage.now, &parse(&again)).unwrap().restarted);
    for changed in ["a=ice-options:ice2\r\n", "a=ice-pacing:50\r\n"] {
        let changed = match changed.contains("options") {
            true => theirs.replace("a=ice-options:ice2 rtp+ecn\r\n", changed),
            false => format!("{changed}{theirs}"),
        };
        let refused = stage.agent.set_remote_description(stage.now, &parse(&changed));
        assert_eq!(refused, Err(RemoteError::ChangedWithoutRestart), "{changed}");
    }
    let full = theirs.replace("a=ice-lite\r\n", "");
    let refused = stage.agent.set_remote_description(stage.now, &parse(&full));
    assert_eq!(refused, Err(RemoteError::ChangedWithoutRestart));
    let before = stage.agent.local_credentials().clone();
    let request = stage.request(CONTROLLING, false);
    stage.receive(PEER, &request);
    let restart = full.replace("ufrag:peer", "ufrag:next");
    assert!(stage.agent.set_remote_description(stage.now, &parse(&restart)).unwrap().restarted);
    assert_ne!(*stage.agent.local_credentials(), before);

    let none = stage.agent.set_remote_description(stage.now, &SessionDescription::default());
    assert_eq!(none, Err(RemoteError::NoCredentials));
}

#[test]
fn an_offer_of_a_prepared_restart_has_the_credentials_to_come() {
    let mut stage = Stage::new(role(Role::Controlling));
    let staged = stage.agent.prepare_restart(stage.now).unwrap();
    let offer = stage.agent.local_description();
    assert_eq!(offer.credentials, Some(staged));
    assert_eq!(offer.streams[0].candidates.len(), 1);
}

#[test]
fn one_agent_has_one_pair_of_credentials_for_all_of_its_streams() {
    let config = AgentConfig { streams: vec![1, 1], ..role(Role::Controlled) };
    let stream = |ufrag: &str| format!("m=a\na=ice-ufrag:{ufrag}\na=ice-pwd:the-password-of-the-peer\n");
    let mut agent = Agent::new(config, [1; 32]).unwrap();
    let mut set =
        |text: String| agent.set_remote_description(Instant::ZERO, &text.parse().unwrap()).map(|_| ());
    assert_eq!(set(stream("one1") + &stream("two2")), Err(RemoteError::SeveralCredentials));
    assert_eq!(set(stream("one1") + &stream("one1") + &stream("two2")), Ok(()), "a third stream is not ours");
}

/// RFC 8445 §14.2: without the peer's word 50 ms, and the higher of both with it.
#[test]
fn ta_is_the_higher_of_both_wishes_and_never_short_without_the_peers_word() {
    let ms = Duration::from_millis;
    let table = [
        (5, None, 50),
        (5, Some(None), 50),
        (5, Some(Some(ms(5))), 5),
        (5, Some(Some(ms(20))), 20),
        (20, Some(Some(ms(5))), 20),
        (200, None, 200),
        (50, Some(Some(ms(4_000_000))), 10_000),
    ];
    for (ours, theirs, expected) in table {
        let mut stage = Stage::new(AgentConfig { ta: ms(ours), ..role(Role::Controlling) });
        for number in 1..=3 {
            stage.add_candidate(source(number), u32::from(number));
        }
        stage.poll();
        assert_eq!(checked(&stage), 1);
        // The word comes when the first slot is taken: the next one moves.
        if let Some(theirs) = theirs {
            stage.agent.set_remote_pacing(stage.now, theirs).unwrap();
        }
        for number in 1..=2 {
            stage.wait(ms(expected - 1));
            assert_eq!(checked(&stage), number, "{ours} {theirs:?}");
            stage.wait(ms(1));
            assert_eq!(checked(&stage), number + 1, "{ours} {theirs:?}");
        }
    }
}

/// How many candidates of the peer were checked so far.
fn checked(stage: &Stage) -> usize {
    stage.sent.iter().map(|(to, _)| *to).collect::<alloc::collections::BTreeSet<_>>().len()
}

fn poll(agent: &mut Agent) {
    let mut scratch = [0; MAX_TRANSMIT];
    while let Output::Event(_) | Output::Transmit(_) = agent.poll(Instant::ZERO, &mut scratch) {}
}

#[test]
fn an_ended_agent_takes_no_word_of_the_peer() {
    let mut stage = Stage::new(lite(Role::Controlled));
    stage.agent.close(stage.now);
    assert_eq!(stage.agent.set_remote_lite(stage.now, true), Err(RemoteError::Ended));
    assert_eq!(stage.agent.set_remote_pacing(stage.now, None), Err(RemoteError::Ended));
    assert_eq!(stage.receive(PEER, &[0; 20]), Outcome::Dropped(DropReason::Ended));
}
