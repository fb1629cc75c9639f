//! What shows only in sessions that live long: restarts that get nowhere, peers that move again and again, late answers.

use super::puppet::*;
use super::*;
use crate::base::SocketId;
use crate::check::Nomination;
use crate::wire::{Class, Message, MessageWriter, Method, RoleClaim};

const CONTROLLING: RoleClaim = RoleClaim::Controlling(1);

impl Stage {
    fn nominate(&mut self, ours: &Credentials, number: Option<u32>, use_candidate: bool) -> Vec<u8> {
        let id = self.fresh_id();
        let mut buffer = [0; 256];
        let mut message = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id)
            .username(ours.ufrag(), self.credentials.ufrag())
            .priority(1_862_270_975)
            .role(CONTROLLING);
        if use_candidate {
            message = message.use_candidate();
        }
        if let Some(number) = number {
            message = message.nomination(number);
        }
        let length = message.sign(&IntegrityKey::short_term(ours.password())).unwrap();
        buffer[..length].to_vec()
    }
}

fn source(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 1, number], 6000))
}

/// libwebrtc sends either USE-CANDIDATE or NOMINATION, never both (Connection::BuildPingRequest).
#[test]
fn a_nomination_attribute_alone_is_a_nomination_towards_who_renominates() {
    let mut stage = Stage::new(AgentConfig { nomination: Nomination::Renominate, ..role(Role::Controlled) });
    stage.agent.set_remote_renomination(stage.now, true);
    let ours = stage.agent.local_credentials().clone();
    let request = stage.nominate(&ours, Some(1), false);
    stage.receive(PEER, &request);
    stage.poll();
    stage.answer_all(PEER);
    assert_eq!(stage.selected(), Some(PEER));
}

/// libwebrtc compares the numbers of all its connections, those from before a restart, too.
#[test]
fn numbers_of_nominations_go_on_over_a_restart() {
    let mut stage = Stage::new(AgentConfig { nomination: Nomination::Renominate, ..role(Role::Controlling) });
    stage.agent.set_remote_renomination(stage.now, true);
    let mut numbers = Vec::new();
    for _ in 0..2 {
        stage.add_candidate(PEER, 7);
        for _ in 0..20 {
            stage.wait(Duration::from_millis(50));
            while let Some(request) = stage.take_request(PEER) {
                numbers.extend(Message::parse(&request).unwrap().nomination());
                let response = stage.response(&request, address(0));
                stage.receive(PEER, &response);
            }
        }
        assert_eq!(stage.selected(), Some(PEER));
        stage.agent.restart(stage.now).unwrap();
        let again = Credentials::new("peer2", "the-password-of-the-peer").unwrap();
        let _ = stage.agent.set_remote_credentials(stage.now, again);
    }
    assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{numbers:?}");
}

#[test]
fn a_candidate_that_is_taken_back_before_its_credentials_come_is_gone() {
    let mut stage = Stage::without_credentials(role(Role::Controlling));
    let candidate: Candidate =
        "candidate:1 1 UDP 2130706431 10.0.0.2 5000 typ host ufrag peer".parse().unwrap();
    stage.agent.add_remote_candidate(stage.now, &candidate).unwrap();
    stage.agent.remove_remote_candidate(stage.now, 0, &candidate).unwrap();
    let credentials = stage.credentials.clone();
    stage.agent.set_remote_credentials(stage.now, credentials).unwrap();
    assert_eq!(stage.agent.explain().pairs.len(), 0);
}

#[test]
fn early_candidates_said_twice_take_one_place() {
    let mut stage = Stage::without_credentials(role(Role::Controlling));
    let candidate: Candidate =
        "candidate:1 1 UDP 2130706431 10.0.0.2 5000 typ host ufrag peer".parse().unwrap();
    for _ in 0..200 {
        assert_eq!(stage.agent.add_remote_candidate(stage.now, &candidate), Ok(()));
    }
}

#[test]
fn credentials_are_told_before_the_candidates_that_need_them() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.events.clear();
    let new = Credentials::new("peer2", "the-password-of-the-peer").unwrap();
    stage.agent.accept_credentials(stage.now, new, None).unwrap();
    stage.poll();
    assert!(matches!(stage.events.first(), Some(Event::Restarted { .. })), "{:?}", stage.events);
}

#[test]
fn a_peer_whose_nat_rebinds_is_followed_for_ever() {
    let mut stage = Stage::new(AgentConfig { nomination: Nomination::Renominate, ..role(Role::Controlled) });
    stage.agent.set_remote_renomination(stage.now, true);
    let ours = stage.agent.local_credentials().clone();
    for number in 1..80_u8 {
        let request = stage.nominate(&ours, Some(number.into()), true);
        let outcome = stage.receive(source(number), &request);
        stage.poll();
        stage.answer_all(source(number));
        assert_eq!((number, outcome, stage.selected()), (number, Outcome::Consumed, Some(source(number))));
        for _ in 0..10 {
            stage.wait(Duration::from_secs(4));
            stage.answer_all(source(number));
        }
        stage.sent.clear();
    }
}

#[test]
fn networks_come_and_go_for_ever() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 7);
    stage.poll();
    stage.agent.socket_down(stage.now, SocketId(0)).unwrap();
    for number in 0..200_u32 {
        let local = SocketAddr::from(([10, 0, 2, (number % 250) as u8 + 1], 5000));
        stage.agent.socket_up(stage.now, Socket::udp(SocketId(1), local)).unwrap();
        stage.wait(Duration::from_millis(100));
        assert_eq!(stage.agent.explain().pairs.len(), 1, "network {number}");
        stage.agent.socket_down(stage.now, SocketId(1)).unwrap();
    }
}

#[test]
fn keys_of_local_candidates_do_not_run_out() {
    let mut agent = Agent::new(role(Role::Controlling), [3; 32]).unwrap();
    let mut scratch = [0; MAX_TRANSMIT];
    let local = SocketAddr::from(([10, 0, 2, 1], 5000));
    for number in 0..65_600_u32 {
        agent.socket_up(Instant::ZERO, Socket::udp(SocketId(1), local)).unwrap();
        let mut told = false;
        while let Output::Event(e) = agent.poll(Instant::ZERO, &mut scratch) {
            told |= matches!(e, Event::LocalCandidate { .. });
        }
        assert!(told, "socket {number}");
        agent.socket_down(Instant::ZERO, SocketId(1)).unwrap();
        while let Output::Event(_) = agent.poll(Instant::ZERO, &mut scratch) {}
        if number % 1000 == 0 {
            agent.restart(Instant::ZERO).unwrap();
        }
    }
}

/// The old path carries on, and the restart gets nowhere: what is told?
#[test]
fn a_restart_that_gets_nowhere_is_told_rightly_while_the_old_path_lives() {
    let mut seen = Vec::new();
    for side in 0..2 {
        let mut bench = Bench::new([role(Role::Controlling), role(Role::Controlled)]);
        bench.signal();
        bench.run(Instant::from_millis(1_000));
        bench.agents[side].restart(bench.now).unwrap();
        bench.run(Instant::from_millis(12_000));
        let troubles: Vec<Cause> = bench.events[side]
            .iter()
            .filter_map(|e| if let Event::Trouble(c) = e { Some(*c) } else { None })
            .collect();
        seen.push(troubles);
    }
    let expected = vec![Cause::NoRemoteDescription];
    assert_eq!(seen, [expected.clone(), expected]);
}

#[test]
fn hints_of_the_generation_before_explain_nothing() {
    let mut stage = Stage::new(role(Role::Controlling));
    let ours =
        Credentials::new(stage.agent.local_credentials().ufrag(), "some-other-password-of-ours").unwrap();
    for _ in 0..3 {
        let wrong = stage.nominate(&ours, None, false);
        stage.receive(PEER, &wrong);
        stage.poll();
    }
    stage.agent.restart(stage.now).unwrap();
    let again = Credentials::new("peer2", "the-password-of-the-peer").unwrap();
    stage.agent.set_remote_credentials(stage.now, again).unwrap();
    let causes = stage.agent.explain().causes;
    assert!(!causes.iter().any(|c| matches!(c, Cause::Authentication { .. })), "{causes:?}");
}

/// A lite agent, a prepared restart, a nomination for it, and the restart is taken back.
#[test]
fn a_restart_that_is_taken_back_leaves_a_lite_agents_path_as_it_was() {
    let mut stage = Stage::new(AgentConfig { lite: true, ..role(Role::Controlled) });
    let request = stage.request(CONTROLLING, true);
    stage.receive(PEER, &request);
    stage.poll();
    assert_eq!(stage.selected(), Some(PEER));
    let staged = stage.agent.prepare_restart(stage.now).unwrap();
    let early = stage.nominate(&staged, None, true);
    stage.receive(source(1), &early);
    stage.poll();
    let before = stage.agent.path(ComponentId::FIRST).map(|p| p.remote);
    stage.agent.cancel_restart(stage.now).unwrap();
    let request = stage.request(CONTROLLING, true);
    stage.receive(PEER, &request);
    stage.poll();
    let after = stage.agent.path(ComponentId::FIRST).map(|p| p.remote);
    let mut scratch = [0; MAX_TRANSMIT];
    let to = stage.agent.send(stage.now, ComponentId::FIRST, b"data", &mut scratch).map(|t| t.remote);
    assert_eq!((before, after, to), (Some(PEER), Some(PEER), Ok(PEER)));
}

#[test]
fn a_staged_generation_does_not_tell_of_a_role_that_we_do_not_have() {
    let mut stage = Stage::new(AgentConfig { tie_breaker: Some(0), ..role(Role::Controlling) });
    let staged = stage.agent.prepare_restart(stage.now).unwrap();
    let conflict = stage.nominate(&staged, None, false);
    stage.receive(PEER, &conflict);
    stage.poll();
    let told =
        stage.events.iter().rev().find_map(|e| if let Event::RoleSwitched(r) = e { Some(*r) } else { None });
    assert_eq!(told.unwrap_or(Role::Controlling), stage.agent.role());
}

#[test]
fn names_of_a_restart_that_was_taken_back_are_not_given_again() {
    let mut stage = Stage::new(role(Role::Controlled));
    let staged = stage.agent.prepare_restart(stage.now).unwrap();
    let number = stage.agent.generations.staged.as_ref().unwrap().number;
    stage.poll();
    let request = stage.nominate(&staged, None, false);
    stage.receive(PEER, &request);
    stage.agent.cancel_restart(stage.now).unwrap();
    stage.agent.prepare_restart(stage.now).unwrap();
    stage.sent.clear();
    stage.poll();
    // The answer that waited is signed with a password that its request never knew.
    let wrong = stage.sent.iter().any(|(_, bytes)| {
        let message = Message::parse(bytes).unwrap();
        message.class() == Class::Success
            && message.verify(&IntegrityKey::short_term(staged.password())).is_err()
    });
    assert!(!wrong);
    assert_ne!(number, stage.agent.generations.staged.as_ref().unwrap().number);
}

/// An application says `answers` of every description (the peer made it for what we have now).
#[test]
fn other_credentials_for_a_generation_that_is_in_use_ask_for_no_restart() {
    for restart_by_itself in [false, true] {
        let with = |r| AgentConfig { restart_by_itself, ..role(r) };
        let mut bench = Bench::new([with(Role::Controlling), with(Role::Controlled)]);
        bench.signal();
        bench.run(Instant::from_millis(1_000));
        let ours = bench.agents[0].local_credentials().clone();
        let other = Credentials::new("else", "some-other-password-of-theirs").unwrap();
        bench.agents[0].accept_credentials(bench.now, other, Some(ours.ufrag())).unwrap();
        bench.run(Instant::from_millis(1_001));
        let asked = bench.events[0].iter().any(|e| matches!(e, Event::RestartNeeded(_)));
        assert!(
            !asked && *bench.agents[0].local_credentials() == ours,
            "{restart_by_itself} {:#?}",
            bench.log
        );
    }
}

#[test]
fn a_peer_that_does_not_renominate_is_followed_over_rebindings_too() {
    let mut stage = Stage::new(role(Role::Controlled));
    let ours = stage.agent.local_credentials().clone();
    for number in 1..80_u8 {
        let request = stage.nominate(&ours, None, true);
        let outcome = stage.receive(source(number), &request);
        stage.poll();
        stage.answer_all(source(number));
        assert_eq!((number, outcome, stage.selected()), (number, Outcome::Consumed, stage.selected()));
        for _ in 0..10 {
            stage.wait(Duration::from_secs(4));
            stage.answer_all(source(number));
        }
        stage.sent.clear();
    }
}

/// RFC 7675 §5.1, RFC 8445 §7.2.5.2.4: a pair that has failed is not asked again, renomination or not.
#[test]
fn a_renomination_that_is_refused_is_not_repeated() {
    let mut stage = Stage::new(AgentConfig { nomination: Nomination::Renominate, ..role(Role::Controlling) });
    stage.agent.set_remote_renomination(stage.now, true);
    stage.add_candidate(PEER, 2_000_000_000);
    stage.add_candidate(source(1), 1_000_000_000);
    for _ in 0..20 {
        stage.wait(Duration::from_millis(50));
        stage.answer_all(PEER);
        stage.answer_all(source(1));
    }
    assert_eq!(stage.selected(), Some(PEER));
    stage.agent.note_trouble(stage.now, ComponentId::FIRST);
    stage.wait(Duration::from_millis(60));
    let renomination = stage.take_request(source(1)).unwrap();
    let refusal = stage.error(&renomination, crate::wire::ErrorCode::FORBIDDEN, true);
    stage.receive(source(1), &refusal);
    stage.sent.clear();
    stage.wait(Duration::from_secs(3));
    assert!(stage.take_request(source(1)).is_none());
}
