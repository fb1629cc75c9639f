//! What a STUN server had seen before a restart: held back until it says so again (RFC 8445 §5.1.1.3, §9).

use super::puppet::{Outcome, PEER, Stage};
use super::relay_bench;
use super::servers::{HOME, Place, RTT, Reply, at, server};
use super::*;
use crate::base::{SocketId, Tuple};
use crate::candidate::{CandidateFilter, CandidateType};
use crate::wire::{Class, ErrorCode, Message, MessageWriter, Method};

pub(super) const OLD: &str = "203.0.113.9:6000";
pub(super) const NEW: &str = "203.0.113.9:7000";

/// A second: a question is repeated after half of it, and the repetition has the other half.
const FAIR_CHANCE: u64 = 1_000;

impl Place {
    /// Has asked so many servers, all of which see the same, and is about to restart at 1 s.
    pub(super) fn gathered(servers: u8) -> Self {
        let mut place = Self::new(role(Role::Controlling));
        (1..=servers).for_each(|number| place.add(number));
        place.run(1_000, |_| Reply::Sees(OLD));
        place.forget();
        place
    }

    pub(super) fn forget(&mut self) {
        self.events.clear();
        self.asked.clear();
    }

    pub(super) fn restart(&mut self) {
        self.agent.restart(self.now).unwrap();
    }

    pub(super) fn asked_at(&self) -> Vec<u64> {
        self.asked.iter().map(|(at, _)| *at).collect()
    }

    /// What was told for the generation of these credentials, with the time.
    pub(super) fn told_for(&self, ufrag: &str) -> Vec<(u64, SocketAddr)> {
        let told = self.events.iter().filter_map(|(at, e)| match e {
            Event::LocalCandidate { candidate, .. } if candidate.extensions.ufrag() == Some(ufrag) => {
                Some((*at, candidate.address.socket_addr()?))
            }
            _ => None,
        });
        told.collect()
    }

    /// The server-reflexive candidates that the current generation has, told or not, and their priorities.
    pub(super) fn kept(&self) -> Vec<(SocketAddr, u32)> {
        let locals = self.agent.generations.current.candidates.locals().iter();
        let reflexive = locals.filter(|l| l.kind == CandidateType::ServerReflexive);
        reflexive.map(|l| (l.address, l.priority)).collect()
    }
}

#[test]
fn a_restart_asks_every_server_anew_and_tells_what_is_confirmed_once() {
    let mut place = Place::gathered(2);
    place.restart();
    place.run(10_000, |_| Reply::Sees(OLD));
    let tuple = |number| Tuple { socket: SocketId(0), remote: server(number) };
    assert_eq!(place.asked, [(1_000, tuple(1)), (1_050, tuple(2))]);
    let ufrag = place.agent.local_credentials().ufrag();
    assert_eq!(place.told_for(ufrag), [(1_000, at(HOME)), (1_000 + RTT, at(OLD))]);
    assert_eq!(place.reflexive().len(), 1);
    assert_eq!(place.ends(), [1_050 + RTT], "the last answer ends it");
}

#[test]
fn a_mapping_that_has_changed_takes_the_place_of_the_old_one() {
    let mut place = Place::gathered(2);
    let before = place.kept();
    let mut home = [OLD, NEW].into_iter().cycle().skip(1);
    // More often than candidates would fit.
    for round in 1..=100 {
        let seen = home.next().unwrap();
        place.forget();
        place.restart();
        place.run((round + 1) * 1_000, |_| Reply::Sees(seen));
        assert_eq!(place.reflexive(), [(round * 1_000 + RTT, at(seen))], "the old one is not told");
        assert_eq!(place.kept(), [(at(seen), before[0].1)], "as good as the first, and alone");
    }
}

#[test]
fn a_server_that_is_silent_delays_what_is_remembered_by_a_second() {
    let mut place = Place::gathered(1);
    place.restart();
    place.run(2_400, |_| Reply::Nothing);
    let until = 1_000 + FAIR_CHANCE;
    assert_eq!(place.asked_at(), [1_000, 1_500]);
    assert_eq!((place.reflexive(), place.ends()), (vec![(until, at(OLD))], vec![until]));
    let kind = |e: &Event| matches!(e, Event::GatheringDone);
    assert!(kind(&place.events.last().unwrap().1), "the end comes last");
    // It was not down, after all.
    place.forget();
    place.run(4_000, |_| Reply::Sees(NEW));
    assert_eq!(place.reflexive(), [(2_500 + RTT, at(NEW))]);
    // Of one that is known to be silent, nothing is waited for.
    place.forget();
    place.run(80_000, |_| Reply::Nothing);
    place.forget();
    place.restart();
    place.run(90_000, |_| Reply::Nothing);
    assert_eq!(place.reflexive(), [(80_000, at(OLD)), (80_000, at(NEW))]);
    assert_eq!((place.asked_at()[0], place.ends()), (80_000, vec![80_000]));
}

#[test]
fn a_server_that_refuses_to_answer_keeps_nobody_waiting() {
    let mut place = Place::gathered(1);
    place.restart();
    place.run(1_100, |_| Reply::Refuses(ErrorCode::BAD_REQUEST));
    assert_eq!((place.reflexive(), place.ends()), (vec![(1_000 + RTT, at(OLD))], vec![1_000 + RTT]));
}

#[test]
fn what_the_application_knows_is_told_at_once() {
    for by_server in [false, true] {
        let mut place = Place::gathered(1);
        for address in ["203.0.113.9:4000", OLD] {
            let (now, socket, address) = (place.now, SocketId(0), at(address));
            let agent = &mut place.agent;
            let added = match by_server {
                true => agent.add_server_reflexive(now, socket, address, server(1)),
                false => agent.add_mapped(now, socket, address),
            };
            added.unwrap();
        }
        place.run(1_000, |_| Reply::Nothing);
        place.forget();
        place.restart();
        place.run(9_000, |_| Reply::Sees(NEW));
        let told = [(1_000, at(OLD)), (1_000, at("203.0.113.9:4000")), (1_000 + RTT, at(NEW))];
        assert_eq!(place.reflexive(), told);
    }
}

#[test]
fn an_application_that_says_what_is_in_doubt_settles_it() {
    let mut place = Place::gathered(1);
    place.restart();
    place.run(1_010, |_| Reply::Sees(NEW));
    assert_eq!(place.reflexive(), []);
    place.agent.add_mapped(place.now, SocketId(0), at(OLD)).unwrap();
    place.run(1_100, |_| Reply::Sees(NEW));
    assert_eq!(place.reflexive(), [(1_010, at(OLD)), (1_000 + RTT, at(NEW))]);
}

/// Each generation is told once, by the answer to one question: one that has just been asked is not asked again.
#[test]
fn restarts_in_quick_succession_lose_nothing_and_tell_nothing_twice() {
    for seen in [OLD, NEW] {
        let mut place = Place::gathered(1);
        for ms in [1_010, 1_020, 1_030] {
            place.restart();
            place.run(ms, |_| Reply::Sees(seen));
        }
        place.run(1_060, |_| Reply::Sees(seen));
        let ufrag = place.agent.local_credentials().ufrag();
        assert_eq!(place.asked_at(), [1_000]);
        assert_eq!(place.told_for(ufrag), [(1_020, at(HOME)), (1_000 + RTT, at(seen))]);
        assert_eq!((place.reflexive().len(), place.ends()), (1, vec![1_000 + RTT]));
        // And once more, when the answer has come.
        place.forget();
        place.restart();
        place.run(1_200, |_| Reply::Sees(seen));
        assert_eq!((place.reflexive(), place.ends()), (vec![(1_060 + RTT, at(seen))], vec![1_060 + RTT]));
    }
}

/// The NAT has lost the first question's hole, or the datagram was lost: its next repetition may be seconds away.
#[test]
fn a_question_that_is_under_way_for_long_is_asked_anew() {
    let mut place = Place::gathered(1);
    place.run(18_000, |_| Reply::Nothing);
    assert_eq!(place.asked_at(), [15_040, 15_540, 16_540], "a keepalive");
    place.forget();
    place.restart();
    place.run(20_000, |_| Reply::Sees(NEW));
    assert_eq!((place.asked_at(), place.reflexive()), (vec![18_000], vec![(18_000 + RTT, at(NEW))]));
    // So is one of another restart.
    let mut place = Place::gathered(1);
    for until in [1_700, 2_100] {
        place.restart();
        place.run(until, |_| Reply::Nothing);
    }
    place.restart();
    place.run(4_000, |_| Reply::Sees(NEW));
    assert_eq!(place.asked_at(), [1_000, 1_500, 1_700, 2_200]);
    assert_eq!((place.reflexive(), place.ends()), (vec![(2_200 + RTT, at(NEW))], vec![2_200 + RTT]));
}

#[test]
fn a_socket_that_goes_down_meanwhile_takes_its_question_with_it() {
    let mut place = Place::gathered(1);
    place.up(1, "10.0.0.2:5000");
    place.run(2_000, |t| Reply::Sees(if t.socket == SocketId(0) { OLD } else { "203.0.113.9:8000" }));
    place.forget();
    place.restart();
    place.run(2_010, |_| Reply::Nothing);
    place.agent.socket_down(place.now, SocketId(0)).unwrap();
    place.run(9_000, |_| Reply::Sees("203.0.113.9:8000"));
    assert_eq!(place.reflexive(), [(2_050 + RTT, at("203.0.113.9:8000"))]);
    assert_eq!(place.ends(), [2_050 + RTT]);
    assert_eq!(place.kept().len(), 1);
    // The last one: there is nothing to wait for.
    place.forget();
    place.restart();
    place.agent.socket_down(place.now, SocketId(1)).unwrap();
    place.run(20_000, |_| Reply::Nothing);
    assert_eq!((place.reflexive(), place.ends()), (vec![], vec![9_000]));
}

/// Neither what waits for its turn nor a keepalive that falls due meanwhile makes it two.
#[test]
fn each_server_is_asked_once_by_restarts_of_one_moment() {
    let mut place = Place::gathered(2);
    place.restart();
    place.restart();
    place.run(9_000, |_| Reply::Sees(OLD));
    assert_eq!(place.asked_at(), [1_000, 1_050]);
    // The keepalive would be at 16,040.
    place.run(16_030, |_| Reply::Sees(OLD));
    place.forget();
    place.restart();
    place.run(20_000, |_| Reply::Sees(OLD));
    assert_eq!(place.asked_at(), [16_030, 16_080]);
}

#[test]
fn a_server_that_was_never_heard_keeps_no_restart_waiting() {
    let mut place = Place::new(role(Role::Controlling));
    (1..=2).for_each(|number| place.add(number));
    let first_only =
        |seen| move |t: Tuple| if t.remote == server(1) { Reply::Sees(seen) } else { Reply::Nothing };
    place.run(10_000, first_only(OLD));
    place.forget();
    place.restart();
    place.run(20_000, first_only(OLD));
    assert_eq!((place.reflexive(), place.ends()), (vec![(10_000 + RTT, at(OLD))], vec![10_000 + RTT]));
}

#[test]
fn the_end_of_gathering_waits_for_no_socket_that_is_gone() {
    let mut place = Place::new(role(Role::Controlling));
    place.up(1, "10.0.0.2:5000");
    place.add(1);
    place.run(1_000, |t| if t.socket == SocketId(0) { Reply::Sees(OLD) } else { Reply::Nothing });
    place.agent.socket_down(place.now, SocketId(1)).unwrap();
    place.run(9_000, |_| Reply::Nothing);
    assert_eq!(place.ends(), [1_000]);
}

/// The application vouches for a candidate of a socket: not for one that never was, nor for another socket of the same name.
#[test]
fn what_the_application_knew_of_a_socket_goes_with_it() {
    for is_known in [false, true] {
        let hidden = CandidateFilter::relay_only();
        let filter = if is_known { CandidateFilter::default() } else { hidden };
        let mut place = Place::new(AgentConfig { local_filter: filter, ..role(Role::Controlling) });
        place.agent.add_mapped(place.now, SocketId(0), at(OLD)).unwrap();
        if is_known {
            place.agent.socket_down(place.now, SocketId(0)).unwrap();
            place.up(0, HOME);
        }
        place.agent.set_local_filter(place.now, CandidateFilter::default()).unwrap();
        place.add(1);
        place.run(1_000, |_| Reply::Sees(OLD));
        place.forget();
        place.restart();
        place.run(9_000, |_| Reply::Sees(NEW));
        assert_eq!(place.reflexive(), [(1_000 + RTT, at(NEW))], "{is_known}");
    }
}

/// RFC 8445 §14.1: they share each Ta with the checks, and take turns.
#[test]
fn all_servers_that_there_can_be_leave_every_other_slot_to_the_checks() {
    let mut place = Place::gathered(8);
    (1..4).for_each(|n| place.up(n, &format!("10.0.0.{}:5000", n + 1)));
    place.run(9_000, |_| Reply::Sees(OLD));
    place.forget();
    place.restart();
    place
        .agent
        .set_remote_credentials(place.now, Credentials::new("peer", "the-password-of-the-peer").unwrap())
        .unwrap();
    place
        .agent
        .add_remote_candidate(place.now, &"candidate:1 1 UDP 1 192.0.2.99 5000 typ host".parse().unwrap())
        .unwrap();
    place.run(20_000, |_| Reply::Sees(OLD));
    assert_eq!(place.asked.len(), 32);
    assert!(place.checks[0] <= 9_050 && place.checks[3] <= 9_350, "{:?}", place.checks);
    assert!(place.ends()[0] <= 11_000, "{:?}", place.ends());
}

/// A stream says nothing of where a datagram would come from.
#[test]
fn a_turn_server_over_tcp_is_not_asked_over_udp() {
    let (mut stage, _) = Stage::with_tcp_relay(role(Role::Controlling));
    stage.sent.clear();
    stage.agent.restart(stage.now).unwrap();
    stage.poll();
    assert_eq!(stage.sent, []);
    assert!(stage.events.contains(&Event::GatheringDone));
}

/// It is no address of the socket's family, and so it says nothing of where the socket is seen.
#[test]
fn an_answer_that_is_of_no_use_takes_nothing_away() {
    for seen in ["[2001:db8::9]:7000", "203.0.113.9:0"] {
        let mut place = Place::gathered(1);
        place.restart();
        place.run(9_000, |_| Reply::Sees(seen));
        assert_eq!((place.reflexive(), place.ends()), (vec![(1_000 + RTT, at(OLD))], vec![1_000 + RTT]));
    }
}

/// A filter that comes after the restart holds for what has not been told by then.
#[test]
fn what_is_held_back_is_not_told_against_a_filter() {
    for answers in [true, false] {
        let mut place = Place::gathered(1);
        place.restart();
        place.run(1_010, |_| Reply::Nothing);
        place.agent.set_local_filter(place.now, CandidateFilter::relay_only()).unwrap();
        place.run(9_000, |_| if answers { Reply::Sees(OLD) } else { Reply::Nothing });
        assert_eq!(place.reflexive(), []);
    }
}

#[test]
fn what_was_seen_before_the_last_answer_is_left_behind() {
    let mut place = Place::gathered(2);
    place.run(20_000, |_| Reply::Sees(NEW));
    assert_eq!(place.kept().len(), 2);
    place.forget();
    place.restart();
    assert_eq!(place.kept().len(), 1);
    place.run(30_000, |_| Reply::Nothing);
    assert_eq!(place.reflexive(), [(20_000 + FAIR_CHANCE, at(NEW))]);
}

#[test]
fn whoever_ends_the_candidates_at_once_tells_what_is_remembered_before() {
    let mut place = Place::gathered(1);
    place.restart();
    place.agent.end_of_local_candidates(place.now);
    place.run(5_000, |_| Reply::Sees(NEW));
    assert_eq!(place.reflexive(), [(1_000, at(OLD))]);
    let is_end = |e: &Event| matches!(e, Event::EndOfCandidates { .. });
    let end = place.events.iter().position(|(_, e)| is_end(e)).unwrap();
    let last = place.events.iter().rposition(|(_, e)| matches!(e, Event::LocalCandidate { .. }));
    assert_eq!(last, Some(end - 1));
    // The next generation knows better.
    place.forget();
    place.restart();
    place.run(6_000, |_| Reply::Sees(NEW));
    assert_eq!(place.reflexive(), [(5_000 + RTT, at(NEW))]);
}

/// An allocation's own keepalives are indications.
fn is_question(bytes: &[u8]) -> bool {
    relay_bench::method(bytes) == Some(Method::BINDING)
        && Message::parse(bytes).unwrap().class() == Class::Request
}

impl Stage {
    /// A server that was asked says where it sees us.
    fn tell_mapped(&mut self, server: SocketAddr, mapped: &str) {
        self.poll();
        let is_it = |(to, bytes): &(SocketAddr, Vec<u8>)| *to == server && is_question(bytes);
        let index = self.sent.iter().position(is_it).expect("it was asked");
        let (_, question) = self.sent.remove(index);
        let id = Message::parse(&question).unwrap().transaction_id();
        let mut buffer = [0; 64];
        let answer = MessageWriter::new(&mut buffer, Class::Success, Method::BINDING, id);
        let length = answer.xor_mapped_address(at(mapped)).finish().unwrap();
        self.receive(server, &buffer[..length]);
        self.poll();
    }

    fn told_reflexive(&mut self) -> Vec<String> {
        let told = self.told().into_iter().filter(|line| line.contains("srflx")).collect();
        self.events.clear();
        told
    }
}

/// An allocation's answer told it, and a refresh, which asks for the allocation itself, tells nothing: the TURN server is asked as a STUN
/// server, too.
#[test]
fn what_a_turn_server_has_seen_is_confirmed_by_a_binding_request() {
    for mapped in [relay_bench::MAPPED, NEW] {
        let mut stage = Stage::with_relay(role(Role::Controlling));
        assert!(stage.told_reflexive()[0].contains("203.0.113.9 6000"));
        stage.sent.clear();
        stage.agent.restart(stage.now).unwrap();
        stage.wait(Duration::from_millis(100));
        assert!(!stage.events.contains(&Event::GatheringDone));
        assert_eq!(stage.told_reflexive(), Vec::<String>::new());
        stage.tell_mapped(relay_bench::server(), mapped);
        assert!(stage.events.contains(&Event::GatheringDone));
        let told = stage.told_reflexive();
        assert!(told.len() == 1 && told[0].contains(&mapped.replace(':', " ")), "{told:?}");
        let asked: Vec<_> = stage.asked().iter().filter_map(|bytes| relay_bench::method(bytes)).collect();
        assert_eq!(asked, [Method::REFRESH]);
        // It is not asked again and again, and told once.
        stage.sent.clear();
        stage.serve_for(relay_bench::secs(40), |asked| Some(relay_bench::granted(asked)));
        let to: Vec<_> = stage.sent.iter().filter(|(_, b)| is_question(b)).map(|(to, _)| *to).collect();
        assert_eq!(to, [], "{mapped}");
        assert_eq!(stage.told_reflexive(), Vec::<String>::new());
        // And if it is silent the next time, that is what is remembered.
        stage.agent.restart(stage.now).unwrap();
        stage.serve_for(relay_bench::secs(2), |asked| Some(relay_bench::granted(asked)));
        let told = stage.told_reflexive();
        assert!(told.len() == 1 && told[0].contains(&mapped.replace(':', " ")), "{told:?}");
    }
}

/// The servers disagree, as behind a NAT that maps each destination differently: what the peer has answered to is alive.
#[test]
fn a_mapping_on_which_the_peer_was_heard_is_told_whatever_the_server_sees_now() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.agent.add_stun_server(stage.now, server(1)).unwrap();
    stage.tell_mapped(server(1), OLD);
    stage.told_reflexive();
    stage.agent.restart(stage.now).unwrap();
    stage.wait(Duration::from_millis(100));
    let questions = core::mem::take(&mut stage.sent);
    let next = Credentials::new("peer2", stage.credentials.password()).unwrap();
    stage.agent.set_remote_credentials(stage.now, next).unwrap();
    stage.add_candidate(PEER, 2_130_706_431);
    stage.wait(Duration::from_millis(100));
    let request = stage.take_request(PEER).unwrap();
    let response = stage.response(&request, at(OLD));
    assert_eq!(stage.receive(PEER, &response), Outcome::Consumed);
    assert_eq!(stage.told_reflexive(), Vec::<String>::new());
    stage.sent.extend(questions);
    stage.tell_mapped(server(1), NEW);
    let told = stage.told_reflexive();
    assert!(told[0].contains("6000") && told[1].contains("7000"), "{told:?}");
}
