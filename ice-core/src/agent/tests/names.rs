//! Remote candidates whose address is a name: what is asked, what an answer does, and what becomes of one that never
//! comes.

use super::puppet::*;
use super::*;
use crate::trace::DropReason;
use core::net::IpAddr;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

impl Stage {
    pub(super) fn add_named(&mut self, name: &str, port: u16) -> Result<(), RemoteError> {
        // Each with a foundation of its own, so that none is frozen for another.
        let line = format!("candidate:{port} 1 UDP 2130706431 {name} {port} typ host");
        self.agent.add_remote_candidate(self.now, &line.parse().unwrap())
    }

    pub(super) fn answer(&mut self, index: usize, addresses: &[IpAddr]) {
        let id = self.queries[index].id;
        self.agent.resolved(self.now, id, Ok(addresses)).unwrap();
        self.poll();
    }

    pub(super) fn checked(&self) -> Vec<SocketAddr> {
        let mut checked: Vec<_> = self.sent.iter().map(|(to, _)| *to).collect();
        checked.sort_unstable();
        checked.dedup();
        checked
    }
}

#[test]
fn a_name_is_asked_for_once_and_its_candidates_are_checked() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.wait(Duration::from_secs(1));
    assert!(stage.queries.is_empty());
    for (name, port) in [("peer.local", 1), ("PEER.local.", 2), ("peer.local", 1)] {
        stage.add_named(name, port).unwrap();
    }
    stage.wait(Duration::from_secs(1));
    let names: Vec<_> = stage.queries.iter().map(|q| q.name.as_str()).collect();
    assert_eq!(names, ["peer.local"]);
    assert!(stage.sent.is_empty());
    stage.answer(0, &[ip("10.0.0.2")]);
    stage.wait(Duration::from_secs(1));
    let to = |port| SocketAddr::new(ip("10.0.0.2"), port);
    assert_eq!(stage.checked(), [to(1), to(2)]);
    // The name is known by now.
    stage.add_named("peer.local", 3).unwrap();
    stage.wait(Duration::from_secs(1));
    assert_eq!((stage.checked().len(), stage.queries.len()), (3, 1));
}

#[test]
fn everything_else_goes_on_while_a_name_is_looked_up() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_named("peer.example.org", 1).unwrap();
    stage.add_candidate(PEER, 2_130_706_431);
    stage.poll();
    stage.answer_all(PEER);
    stage.wait(Duration::from_millis(100));
    stage.answer_all(PEER);
    assert_eq!((stage.selected(), stage.queries.len()), (Some(PEER), 1));
}

/// RFC 5245 §15.1: one is chosen, IPv6 before IPv4, of those that we can use.
#[test]
fn of_many_addresses_one_is_used() {
    let addresses =
        ["224.0.0.1", "10.0.0.2", "2001:db8::2", "2001:db8::3", "::ffff:10.0.0.3", "0.0.0.0"].map(ip);
    for (has_ipv6, expected) in [(false, "10.0.0.2:1"), (true, "[2001:db8::2]:1")] {
        let mut stage = Stage::new(role(Role::Controlling));
        if has_ipv6 {
            let socket = Socket::udp(crate::base::SocketId(1), "[2001:db8::1]:5000".parse().unwrap());
            stage.agent.socket_up(stage.now, socket).unwrap();
        }
        stage.add_named("peer.example.org", 1).unwrap();
        stage.poll();
        stage.answer(0, &addresses);
        stage.wait(Duration::from_secs(1));
        assert_eq!(stage.checked(), [expected.parse().unwrap()]);
    }
}

#[test]
fn a_name_that_fails_is_told_and_not_asked_for_again() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_named("peer.local", 1).unwrap();
    stage.poll();
    assert_eq!(stage.agent.explain().causes, [Cause::TooEarly { requests_sent: 0 }]);
    let id = stage.queries[0].id;
    assert_eq!(stage.agent.resolved(stage.now, id, Err(Unresolved)), Ok(()));
    assert_eq!(stage.agent.explain().causes, [Cause::UnresolvedNames { names: 1 }]);
    assert_eq!(stage.add_named("peer.local", 1), Err(RemoteError::UnresolvedName));
    stage.poll();
    assert_eq!(stage.queries.len(), 1);
    // The patience of RFC 8863 is not shortened by it.
    stage.wait(Duration::from_millis(39_499));
    assert!(!stage.events.iter().any(|e| matches!(e, Event::Failed(_))));
    stage.wait(Duration::from_millis(1));
    assert!(
        matches!(stage.events.last(), Some(Event::Failed(r)) if r.causes == [Cause::UnresolvedNames { names: 1 }])
    );
}

#[test]
fn an_answer_that_never_comes_is_waited_for_ten_seconds() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.wait(Duration::from_secs(35));
    stage.add_named("peer.local", 1).unwrap();
    stage.wait(Duration::from_millis(9_999));
    assert!(!stage.events.iter().any(|e| matches!(e, Event::Failed(_))));
    stage.wait(Duration::from_millis(1));
    assert!(
        matches!(stage.events.last(), Some(Event::Failed(r)) if r.causes == [Cause::UnresolvedNames { names: 1 }])
    );
}

#[test]
fn a_late_answer_is_taken_while_the_agent_lives() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_named("peer.local", 1).unwrap();
    stage.wait(Duration::from_secs(20));
    assert!(stage.events.contains(&Event::Trouble(Cause::UnresolvedNames { names: 1 })));
    stage.answer(0, &[ip("10.0.0.2")]);
    stage.wait(Duration::from_secs(1));
    assert_eq!(stage.checked().len(), 1);
    assert!(!stage.agent.explain().causes.contains(&Cause::UnresolvedNames { names: 1 }));
}

#[test]
fn answers_without_a_question_are_errors() {
    let mut stage = Stage::new(role(Role::Controlling));
    let id = QueryId(0);
    let unknown = Err(ResolveError::UnknownQuery(id));
    assert_eq!(stage.agent.resolved(stage.now, id, Ok(&[ip("10.0.0.2")])), unknown);
    stage.add_named("peer.local", 1).unwrap();
    // It was not asked yet.
    assert_eq!(stage.agent.resolved(stage.now, id, Ok(&[ip("10.0.0.2")])), unknown);
    stage.poll();
    stage.answer(0, &[ip("10.0.0.2")]);
    assert_eq!(stage.agent.resolved(stage.now, id, Ok(&[ip("10.0.0.3")])), unknown);
    stage.agent.close(stage.now);
    assert_eq!(stage.agent.resolved(stage.now, id, Err(Unresolved)), Err(ResolveError::Ended));
}

#[test]
fn no_name_is_asked_for_in_vain() {
    let filter = CandidateFilter::relay_only();
    let mut stage = Stage::new(AgentConfig { remote_filter: filter, ..role(Role::Controlling) });
    assert_eq!(stage.add_named("peer.local", 1), Err(RemoteError::Filtered));
    let mut stage = Stage::new(role(Role::Controlling));
    for line in [
        "candidate:1 2 UDP 1 peer.local 5 typ host",
        "candidate:1 1 TCP 1 peer.local 5 typ host tcptype so",
        "candidate:1 1 UDP 1 peer.local 0 typ host",
        "candidate:1 1 UDP 1 a.peer.local 5 typ host",
        "candidate:1 1 UDP 1 localhost 5 typ host",
    ] {
        stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap()).unwrap_err();
    }
    // Nobody connects to an active one (RFC 6544 §4.5): browsers signal one for each address.
    let line = "candidate:1 1 TCP 1 peer.local 9 typ host tcptype active";
    stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap()).unwrap();
    // Of credentials that have not come: it waits for these first.
    let line = "candidate:1 1 UDP 1 peer.local 5 typ host ufrag new1";
    stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap()).unwrap();
    stage.wait(Duration::from_secs(1));
    assert!(stage.queries.is_empty());
}

#[test]
fn a_peer_can_make_us_look_up_so_many_names_and_no_more() {
    let mut stage = Stage::new(role(Role::Controlling));
    for number in 0..MAX_QUERIES {
        stage.add_named(&format!("{number}.example.org"), 1).unwrap();
    }
    assert_eq!(stage.add_named("more.example.org", 1), Err(RemoteError::TooMany));
    stage.poll();
    assert_eq!(stage.queries.len(), MAX_QUERIES);
    // An answer makes no room for other names, and so many candidates may wait.
    stage.answer(0, &[]);
    assert_eq!(stage.add_named("more.example.org", 1), Err(RemoteError::TooMany));
    let room = crate::candidate::MAX_REMOTE_CANDIDATES - (MAX_QUERIES - 1);
    for _ in 0..room {
        // The same again takes no room.
        stage.add_named("1.example.org", 1).unwrap();
    }
    for port in 0..room {
        stage.add_named("1.example.org", 100 + port as u16).unwrap();
    }
    assert_eq!(stage.add_named("1.example.org", 99), Err(RemoteError::TooMany));
}

/// What a filter keeps out of addresses it keeps out of answers.
#[test]
fn an_address_that_is_not_let_through_does_not_come_in_by_a_name() {
    let remote_filter = CandidateFilter { except: vec!["10.0.0.2".parse().unwrap()], ..Default::default() };
    let mut stage = Stage::new(AgentConfig { remote_filter, ..role(Role::Controlling) });
    stage.add_named("peer.local", 1).unwrap();
    stage.poll();
    stage.answer(0, &[ip("10.0.0.2"), ip("::ffff:10.0.0.2"), ip("10.0.0.3")]);
    stage.wait(Duration::from_secs(1));
    assert_eq!(stage.checked(), ["10.0.0.3:1".parse().unwrap()]);
    let request = stage.request(crate::wire::RoleClaim::Controlled(1), false);
    assert_eq!(stage.receive(PEER, &request), Outcome::Dropped(DropReason::Filtered));
}
