//! Restarts (RFC 8445 §9): the old paths carry on until the new ones are selected, whoever restarts, and however often.

use super::puppet::{Outcome, PEER, Stage};
use super::*;
use crate::trace::DropReason;
use crate::wire::RoleClaim;

/// What signalling brings, and when.
struct Letter {
    at: Instant,
    to: usize,
    news: News,
}

enum News {
    Credentials(Credentials, Option<String>),
    Candidate(Candidate),
}

/// Two connected agents that signal with a delay and send data all the time.
struct Call {
    bench: Bench,
    letters: Vec<Letter>,
    signalling: Duration,
    sent: [u32; 2],
    received: [u32; 2],
    /// The generation that a side's data takes.
    generations: [Vec<u16>; 2],
}

impl Call {
    fn connected(signalling: Duration) -> Self {
        let mut call = Self {
            bench: Bench::new([role(Role::Controlling), role(Role::Controlled)]),
            letters: Vec::new(),
            signalling,
            sent: [0; 2],
            received: [0; 2],
            generations: Default::default(),
        };
        for side in 0..2 {
            call.tell_credentials(side);
        }
        call.run_for(signalling.as_millis() as u64 + 1_000);
        assert!(call.both_selected(0));
        call
    }

    fn tell_credentials(&mut self, side: usize) {
        let credentials = self.bench.agents[side].local_credentials().clone();
        self.post(1 - side, News::Credentials(credentials, None));
    }

    fn post(&mut self, to: usize, news: News) {
        self.letters.push(Letter { at: self.bench.now + self.signalling, to, news });
    }

    fn restart(&mut self, side: usize) {
        let now = self.bench.now;
        self.bench.agents[side].restart(now).unwrap();
    }

    fn both_selected(&self, generation: u16) -> bool {
        self.bench
            .agents
            .iter()
            .all(|a| a.selected_path(ComponentId::FIRST).is_some_and(|p| p.pair.generation() == generation))
    }

    /// Millisecond by millisecond: letters are delivered, events become letters, each side sends a datagram.
    fn run_for(&mut self, millis: u64) {
        for _ in 0..millis {
            self.deliver_letters();
            self.bench.run(self.bench.now + Duration::from_millis(1));
            for side in 0..2 {
                for event in core::mem::take(&mut self.bench.events[side]) {
                    match event {
                        Event::LocalCandidate { candidate, .. } => {
                            self.post(1 - side, News::Candidate(candidate));
                        }
                        Event::Restarted { credentials, answers } => {
                            self.post(1 - side, News::Credentials(credentials, answers));
                        }
                        Event::Failed(report) => panic!("{report}"),
                        _ => {}
                    }
                }
                self.send(side);
                self.received[side] = self.bench.data[side];
            }
        }
    }

    fn send(&mut self, side: usize) {
        let now = self.bench.now;
        let agent = &mut self.bench.agents[side];
        let Some(path) = agent.path(ComponentId::FIRST) else { return };
        let mut scratch = [0; MAX_TRANSMIT];
        let transmit = agent.send(now, ComponentId::FIRST, b"data of the application", &mut scratch).unwrap();
        let letter = (now + LATENCY, 1 - side, address(side), transmit.contents.to_vec());
        self.bench.flying.push(letter);
        self.sent[side] += 1;
        let generations = &mut self.generations[side];
        if generations.last() != Some(&path.pair.generation()) {
            generations.push(path.pair.generation());
        }
    }

    fn deliver_letters(&mut self) {
        let now = self.bench.now;
        let (due, rest) =
            core::mem::take(&mut self.letters).into_iter().partition::<Vec<_>, _>(|l| l.at <= now);
        self.letters = rest;
        for letter in due {
            let agent = &mut self.bench.agents[letter.to];
            match letter.news {
                News::Credentials(credentials, answers) => {
                    // Of an old generation, or repeated, is fine; the answer is told by an event.
                    let _ = agent.accept_credentials(now, credentials, answers.as_deref());
                }
                News::Candidate(candidate) => {
                    let _ = agent.add_remote_candidate(now, &candidate);
                }
            }
        }
    }

    /// Both mean each other's latest credentials, and have selected.
    fn assert_agreement(&self) {
        let agents = &self.bench.agents;
        for (ours, theirs) in [(&agents[0], &agents[1]), (&agents[1], &agents[0])] {
            assert_eq!(ours.remote_credentials(), Some(theirs.local_credentials()), "{:#?}", self.bench.log);
            let selected = ours.selected_path(ComponentId::FIRST);
            assert_eq!(
                selected.map(|p| p.pair.generation()),
                ours.path(ComponentId::FIRST).map(|p| p.pair.generation())
            );
            assert!(selected.is_some(), "{:#?}", self.bench.log);
        }
    }

    /// Everything that was sent has come, but for what is still on its way.
    fn assert_nothing_lost(&mut self) {
        let before = self.sent;
        self.run_for(LATENCY.as_millis() as u64 + 1);
        for side in 0..2 {
            assert!(self.received[side] >= before[1 - side], "{:?} of {before:?}", self.received);
        }
    }
}

#[test]
fn data_takes_the_old_path_until_the_new_one_is_selected_and_none_is_lost() {
    for (first, signalling) in [(0, 0), (1, 0), (0, 300), (1, 300), (0, 5_000)] {
        let mut call = Call::connected(Duration::from_millis(signalling));
        let sent = call.sent;
        call.restart(first);
        call.run_for(2 * signalling + 1_000);
        assert!(call.both_selected(1), "by {first} at {signalling} ms: {:#?}", call.bench.log);
        assert_eq!(call.generations, [[0, 1], [0, 1]], "by {first} at {signalling} ms");
        // One datagram each millisecond, without a gap.
        let during = u32::try_from(2 * signalling + 1_000).unwrap();
        assert_eq!([call.sent[0] - sent[0], call.sent[1] - sent[1]], [during, during]);
        call.assert_nothing_lost();
        // Nothing is asked of the old paths any more.
        assert_eq!(call.bench.agents.each_ref().map(|a| a.paths.flows_len()), [1, 1]);
    }
}

#[test]
fn the_role_stays_over_a_restart() {
    for first in [0, 1] {
        let mut call = Call::connected(Duration::from_millis(30));
        call.restart(first);
        call.run_for(1_000);
        assert_eq!(call.bench.agents.each_ref().map(Agent::role), [Role::Controlling, Role::Controlled]);
    }
}

#[test]
fn restarts_from_both_sides_at_once_meet() {
    for signalling in [0, 10, 100, 700] {
        let mut call = Call::connected(Duration::from_millis(signalling));
        call.restart(0);
        call.restart(1);
        call.run_for(2 * signalling + 1_000);
        assert!(call.both_selected(1), "{signalling} ms: {:#?}", call.bench.log);
        call.assert_nothing_lost();
    }
}

/// Answers that cross each other would go on for ever if each were answered.
#[test]
fn several_restarts_from_both_sides_at_once_meet() {
    for (of_alice, of_bob) in [(2, 2), (2, 3), (3, 1), (1, 2)] {
        let mut call = Call::connected(Duration::from_millis(100));
        for (side, times) in [(0, of_alice), (1, of_bob)] {
            for _ in 0..times {
                call.restart(side);
            }
        }
        call.run_for(2_000);
        call.assert_agreement();
        assert!(call.generations[0].len() < 4, "{:?}", call.generations);
        call.assert_nothing_lost();
    }
}

#[test]
fn restarts_that_follow_each_other_faster_than_signalling_end_with_the_last() {
    for between in [0, 5, 60, 200, 450] {
        let mut call = Call::connected(Duration::from_millis(200));
        call.restart(0);
        call.run_for(between);
        call.restart(0);
        call.run_for(3_000);
        let paths = call.bench.agents.each_ref().map(|a| a.selected_path(ComponentId::FIRST).map(|p| p.pair));
        assert!(
            paths[0].is_some_and(|p| p.generation() == 2),
            "{between} ms apart: {paths:?} {:#?}",
            call.bench.log
        );
        assert!(paths[1].is_some_and(|p| p.generation() >= 1), "{between} ms apart: {paths:?}");
        // Both mean the same one.
        let credentials = call.bench.agents[0].local_credentials().clone();
        assert_eq!(call.bench.agents[1].remote_credentials(), Some(&credentials));
        call.assert_nothing_lost();
    }
}

#[test]
fn a_restart_before_anything_was_heard_of_the_peer_connects() {
    let mut bench = Bench::new([role(Role::Controlling), role(Role::Controlled)]);
    bench.run(Instant::from_millis(5));
    let before = bench.agents[0].local_credentials().clone();
    let now = bench.now;
    let after = bench.agents[0].restart(now).unwrap();
    assert!(before.ufrag() != after.ufrag() && before.password() != after.password());
    bench.signal();
    bench.run(Instant::from_millis(1_000));
    for agent in &bench.agents {
        assert!(agent.selected_path(ComponentId::FIRST).is_some(), "{:#?}", bench.log);
    }
}

#[test]
fn a_staged_restart_answers_and_can_be_taken_back() {
    let mut stage = Stage::new(role(Role::Controlled));
    let mine = stage.agent.local_credentials().clone();
    let staged = stage.agent.prepare_restart(stage.now).unwrap();
    assert_eq!(stage.agent.prepare_restart(stage.now).unwrap(), staged);
    assert_eq!(stage.agent.local_credentials(), &mine);
    stage.poll();
    let told = |e: &Event| matches!(e, Event::LocalCandidate { candidate, .. } if candidate.extensions.ufrag() == Some(staged.ufrag()));
    assert!(stage.events.iter().any(told));

    let claim = RoleClaim::Controlling(1);
    let early = stage.request_to(&staged, "new1", claim);
    assert_eq!(stage.receive(PEER, &early), Outcome::Consumed);
    let late = stage.request_to(&staged, "new1", claim);
    stage.agent.cancel_restart(stage.now).unwrap();
    assert_eq!(stage.receive(PEER, &late), Outcome::Dropped(DropReason::WrongUsername));
    assert_eq!(stage.agent.cancel_restart(stage.now), Err(RestartError::NotPrepared));
    assert_eq!(stage.agent.apply_restart(stage.now), Err(RestartError::NotPrepared));
    // What was there before goes on.
    let request = stage.request(claim, false);
    assert_eq!(stage.receive(PEER, &request), Outcome::Consumed);
}

#[test]
fn what_belongs_to_an_old_generation_is_recognised() {
    let mut stage = Stage::new(role(Role::Controlled));
    let claim = RoleClaim::Controlling(1);
    let request = stage.request(claim, false);
    stage.receive(PEER, &request);
    stage.poll();
    stage.answer_all(PEER);
    let mine = stage.agent.local_credentials().clone();
    stage.agent.restart(stage.now).unwrap();
    let old = stage.credentials.clone();
    assert_eq!(stage.agent.set_remote_credentials(stage.now, old), Err(RemoteError::OtherGeneration));
    let line = "candidate:1 1 UDP 1 10.0.0.9 5000 typ host ufrag peer";
    let added = stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap());
    assert_eq!(added, Err(RemoteError::OtherGeneration));
    // The peer has not heard of the restart yet: it is answered, and nothing is made of it.
    stage.sent.clear();
    let request = stage.request_to(&mine, "peer", claim);
    assert_eq!(stage.receive(SocketAddr::from(([10, 0, 0, 7], 77)), &request), Outcome::Consumed);
    stage.poll();
    assert_eq!(stage.sent.len(), 1);
    assert!(stage.agent.explain().pairs.is_empty());
    assert_eq!(stage.agent.generations.old[0].checks.pairs().count(), 1);
}

/// Two generations that were never meant for each other: our restart, and the peer's answer to the one before it.
#[test]
fn a_request_that_names_another_peer_generation_is_refused() {
    let mut stage = Stage::new(role(Role::Controlled));
    let mine = stage.agent.local_credentials().clone();
    let claim = RoleClaim::Controlling(1);
    let stranger = stage.request_to(&mine, "else", claim);
    assert_eq!(stage.receive(PEER, &stranger), Outcome::Dropped(DropReason::WrongUsername));
    let known = stage.request_to(&mine, "peer", claim);
    assert_eq!(stage.receive(PEER, &known), Outcome::Consumed);
}

#[test]
fn old_generations_are_bounded_and_the_oldest_is_refused() {
    let mut stage = Stage::new(role(Role::Controlled));
    let first = stage.request(RoleClaim::Controlling(1), false);
    for _ in 0..MAX_OLD_GENERATIONS {
        stage.agent.restart(stage.now).unwrap();
    }
    assert_eq!(stage.receive(PEER, &first), Outcome::Consumed);
    stage.agent.restart(stage.now).unwrap();
    assert_eq!(stage.agent.generations.old.len(), MAX_OLD_GENERATIONS);
    assert_eq!(stage.receive(PEER, &first), Outcome::Dropped(DropReason::WrongUsername));
}

/// Generations are part of the names of pairs, which have room for 4,096 of them.
#[test]
fn generations_that_are_remembered_have_different_numbers_however_many_there_were() {
    let mut stage = Stage::new(role(Role::Controlled));
    for _ in 0..5_000 {
        stage.agent.restart(stage.now).unwrap();
        stage.agent.prepare_restart(stage.now).unwrap();
        let mut numbers = stage.agent.generations.numbers();
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|w| w[0] != w[1]), "{numbers:?}");
    }
}

/// An application that restarts again and again while its signalling is down must not lose the path that works.
#[test]
fn a_path_outlives_more_restarts_than_generations_are_remembered() {
    let mut call = Call::connected(Duration::from_millis(30));
    call.signalling = Duration::from_secs(3_600);
    for _ in 0..2 * MAX_OLD_GENERATIONS {
        call.restart(0);
        call.run_for(20);
        assert!(call.bench.agents[0].generations.old.len() <= MAX_OLD_GENERATIONS);
        assert!(call.bench.agents[0].path(ComponentId::FIRST).is_some());
    }
    assert_eq!(call.generations, [[0], [0]]);
    call.assert_nothing_lost();
}

#[test]
fn numbers_of_generations_begin_anew_and_are_not_given_twice() {
    let mut stage = Stage::new(role(Role::Controlled));
    for _ in 0..=usize::from(crate::base::PairId::LAST_GENERATION) + 10 {
        stage.agent.restart(stage.now).unwrap();
        stage.poll();
        stage.events.clear();
        let mut numbers = stage.agent.generations.numbers();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
    }
}

/// RFC 8445 §6.1.1: a peer may want the roles determined anew, for whatever reason. Here its program was started again and now wants
/// the role that we have. The tie-breakers decide, on both sides alike.
#[test]
fn a_peer_that_comes_back_with_our_role_is_met() {
    for (wanted, ours, theirs) in [
        (Role::Controlling, 1, 2),
        (Role::Controlling, 2, 1),
        (Role::Controlled, 1, 2),
        (Role::Controlled, 2, 1),
    ] {
        let with = |role, tie| AgentConfig { role, tie_breaker: Some(tie), ..Default::default() };
        let mut bench = Bench::new([with(wanted, ours), with(wanted.opposite(), 0)]);
        bench.signal();
        bench.run(Instant::from_millis(1_000));
        assert_eq!(bench.agents.each_ref().map(Agent::role), [wanted, wanted.opposite()]);

        let now = bench.now;
        bench.agents[1] = Agent::new(with(wanted, theirs), [9; 32]).unwrap();
        bench.agents[1].socket_up(now, Socket::udp(crate::base::SocketId(0), address(1))).unwrap();
        let fresh = bench.agents[1].local_credentials().clone();
        bench.agents[0].accept_credentials(now, fresh, None).unwrap();
        bench.signal();
        bench.run(Instant::from_millis(3_000));
        let larger_controls = if ours > theirs { Role::Controlling } else { Role::Controlled };
        let roles = [larger_controls, larger_controls.opposite()];
        assert_eq!(bench.agents.each_ref().map(Agent::role), roles, "{wanted} {ours} {theirs}");
        let selected = bench.agents.each_ref().map(|a| a.selected_path(ComponentId::FIRST));
        assert_eq!(selected.map(|p| p.map(|p| p.pair.generation())), [Some(1), Some(0)], "{:#?}", bench.log);
    }
}

#[test]
fn credentials_after_the_end_of_the_agent_are_refused_as_such_whoever_was_heard() {
    let mut stage = Stage::without_credentials(role(Role::Controlled));
    let request = stage.request(RoleClaim::Controlling(1), false);
    assert_eq!(stage.receive(PEER, &request), Outcome::Consumed);
    stage.agent.close(stage.now);
    let others = Credentials::new("other", "the-password-of-another").unwrap();
    assert_eq!(stage.agent.accept_credentials(stage.now, others, None), Err(RemoteError::Ended));
}
