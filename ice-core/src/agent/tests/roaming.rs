//! Sockets come and go, paths get better and worse: where the data goes, and how soon.

use super::*;
use crate::base::SocketId;
use crate::check::{Nomination, PathMeasure, Preference};

/// Two agents with any number of sockets each, in one network. Signalling takes no time, and tells of what goes, too.
struct Net {
    now: Instant,
    agents: [Agent; 2],
    sockets: Vec<(usize, SocketId, SocketAddr)>,
    /// Sockets whose datagrams are lost, though nobody knows.
    mute: Vec<SocketAddr>,
    flying: Vec<(Instant, SocketAddr, SocketAddr, Vec<u8>)>,
    events: Vec<(u64, usize, Event)>,
    data: [u32; 2],
    sent: [u32; 2],
    next_id: u32,
}

const RTT: Duration = Duration::from_millis(40);
const TA: Duration = Duration::from_millis(50);

fn at(side: usize, network: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, network, side as u8 + 1], 5000))
}

impl Net {
    /// Both sides renominate and have two sockets.
    fn of_two_networks() -> Self {
        let mut net = Self::new(renominating());
        for side in 0..2 {
            net.up(side, at(side, 1));
            net.up(side, at(side, 2));
        }
        net
    }

    fn new(config: AgentConfig) -> Self {
        let mut seed = 0;
        let agents = [Role::Controlling, Role::Controlled].map(|role| {
            seed += 1;
            Agent::new(AgentConfig { role, ..config.clone() }, [seed; 32]).unwrap()
        });
        let empty = [0; 2];
        let mut net = Self {
            now: Instant::ZERO,
            agents,
            sockets: Vec::new(),
            mute: Vec::new(),
            flying: Vec::new(),
            events: Vec::new(),
            data: empty,
            sent: empty,
            next_id: 0,
        };
        for side in 0..2 {
            net.agents[side].set_remote_renomination(Instant::ZERO, true);
            let theirs = net.agents[1 - side].local_credentials().clone();
            net.agents[side].set_remote_credentials(Instant::ZERO, theirs).unwrap();
        }
        net
    }

    fn up(&mut self, side: usize, local: SocketAddr) -> SocketId {
        let id = SocketId(self.next_id);
        self.next_id += 1;
        self.sockets.push((side, id, local));
        self.agents[side].socket_up(self.now, Socket::udp(id, local)).unwrap();
        id
    }

    fn down(&mut self, side: usize, id: SocketId) {
        self.sockets.retain(|s| (s.0, s.1) != (side, id));
        self.agents[side].socket_down(self.now, id).unwrap();
    }

    /// Runs up to a time; data is sent all the while, one datagram each millisecond.
    fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while self.now < end {
            self.settle();
            self.now = self.now + Duration::from_millis(1);
            let now = self.now;
            let (due, rest) =
                core::mem::take(&mut self.flying).into_iter().partition::<Vec<_>, _>(|f| f.0 <= now);
            self.flying = rest;
            for (_, from, to, mut bytes) in due {
                let Some(&(side, id, _)) = self.sockets.iter().find(|s| s.2 == to) else { continue };
                let received = self.agents[side].receive(now, Datagram::new(id, from, &mut bytes));
                self.data[side] += u32::from(matches!(received, Received::Data { .. }));
                self.settle();
            }
            for side in 0..2 {
                self.send_data(side);
            }
        }
    }

    fn send_data(&mut self, side: usize) {
        let mut scratch = [0; MAX_TRANSMIT];
        let now = self.now;
        let Ok(t) = self.agents[side].send(now, ComponentId::FIRST, b"data of the application", &mut scratch)
        else {
            return;
        };
        let (socket, remote, bytes) = (t.socket, t.remote, t.contents.to_vec());
        self.sent[side] += 1;
        self.transmit(socket, remote, bytes);
    }

    fn transmit(&mut self, socket: SocketId, remote: SocketAddr, bytes: Vec<u8>) {
        let Some(&(.., from)) = self.sockets.iter().find(|s| s.1 == socket) else { return };
        if !self.mute.contains(&from) && !self.mute.contains(&remote) {
            self.flying.push((self.now + RTT / 2, from, remote, bytes));
        }
    }

    fn settle(&mut self) {
        loop {
            let before = self.events.len();
            for side in 0..2 {
                self.poll(side);
            }
            if self.events.len() == before {
                return;
            }
        }
    }

    fn poll(&mut self, side: usize) {
        let mut scratch = [0; MAX_TRANSMIT];
        let now = self.now;
        loop {
            match self.agents[side].poll(now, &mut scratch) {
                Output::Transmit(t) => {
                    let (socket, remote, bytes) = (t.socket, t.remote, t.contents.to_vec());
                    self.transmit(socket, remote, bytes);
                }
                Output::Event(event) => {
                    let peer = &mut self.agents[1 - side];
                    match &event {
                        Event::LocalCandidate { candidate, .. } => {
                            peer.add_remote_candidate(now, candidate).unwrap();
                        }
                        Event::CandidateRemoved { candidate, stream } => {
                            peer.remove_remote_candidate(now, *stream, candidate).unwrap();
                        }
                        Event::Restarted { credentials, answers } => {
                            peer.accept_credentials(now, credentials.clone(), answers.as_deref()).unwrap();
                        }
                        _ => {}
                    }
                    self.events.push((now.as_millis(), side, event));
                }
                Output::Resolve(_) | Output::Socket(_) => {}
                Output::Wait(_) | Output::Closed => return,
            }
        }
    }

    fn selected(&self) -> [Option<(SocketAddr, SocketAddr)>; 2] {
        self.agents.each_ref().map(|a| a.selected_path(ComponentId::FIRST).map(|p| (p.local, p.remote)))
    }

    fn assert_selected(&self, ours: SocketAddr, theirs: SocketAddr) {
        assert_eq!(self.selected(), [Some((ours, theirs)), Some((theirs, ours))], "{:#?}", self.log());
    }

    fn selections(&self, side: usize) -> usize {
        self.events.iter().filter(|(_, s, e)| *s == side && matches!(e, Event::PathSelected(_))).count()
    }

    fn log(&self) -> Vec<String> {
        self.events.iter().map(|(at, side, e)| format!("{at} {side} {}", short(e))).collect()
    }

    /// How long after now data comes in again on both sides.
    fn gap(&mut self) -> [u64; 2] {
        // What is in the air was sent before.
        let start = self.now;
        let mut first = [None; 2];
        self.flying.retain(|f| f.3 != b"data of the application");
        let mut before = self.data;
        while first.iter().any(Option::is_none) && self.now < start + Duration::from_secs(20) {
            self.run(1);
            for side in 0..2 {
                if self.data[side] > before[side] {
                    first[side].get_or_insert(self.now.since(start).as_millis() as u64);
                }
            }
            before = self.data;
        }
        first.map(|f| f.unwrap_or(u64::MAX))
    }
}

fn renominating() -> AgentConfig {
    AgentConfig { nomination: Nomination::Renominate, ..Default::default() }
}

/// FIELD: Wi-Fi to cellular. The other network was there before, so its pairs stand by.
#[test]
fn with_a_standby_data_flows_again_within_a_round_trip_and_ta_whoever_loses_a_socket() {
    for loser in [0, 1] {
        let mut net = Net::new(renominating());
        for side in 0..2 {
            net.up(side, at(side, 1));
            net.up(side, at(side, 2));
        }
        net.run(3_000);
        net.assert_selected(at(0, 1), at(1, 1));
        let lost = net.sockets.iter().find(|s| s.2 == at(loser, 1)).unwrap().1;
        net.down(loser, lost);
        let gap = net.gap();
        let bound = (RTT + TA).as_millis() as u64;
        assert!(gap.iter().all(|g| *g <= bound), "loser {loser}: {gap:?} ms {:#?}", net.log());
        net.run(1_000);
        let [ours, theirs] = net.selected();
        assert!(
            ours.is_some() && ours == theirs.map(|(l, r)| (r, l)),
            "{ours:?} {theirs:?} {:#?}",
            net.log()
        );
        assert!(!net.events.iter().any(|(.., e)| matches!(e, Event::RestartNeeded(_) | Event::Failed(_))));
    }
}

#[test]
fn without_a_standby_data_flows_again_within_three_round_trips_and_ta() {
    for loser in [0, 1] {
        let mut net = Net::new(renominating());
        let first = [net.up(0, at(0, 1)), net.up(1, at(1, 1))];
        net.run(3_000);
        net.assert_selected(at(0, 1), at(1, 1));
        net.down(loser, first[loser]);
        net.up(loser, at(loser, 2));
        let gap = net.gap();
        let bound = (3 * RTT + TA).as_millis() as u64;
        assert!(gap.iter().all(|g| *g <= bound), "loser {loser}: {gap:?} ms {:#?}", net.log());
        net.run(1_000);
        let networks = if loser == 0 { [2, 1] } else { [1, 2] };
        net.assert_selected(at(0, networks[0]), at(1, networks[1]));
    }
}

/// Only what belongs to the socket goes: the selected pair of another one stays.
#[test]
fn a_socket_that_carries_nothing_takes_nothing_with_it() {
    let mut net = Net::new(AgentConfig::default());
    for side in 0..2 {
        net.up(side, at(side, 1));
        net.up(side, at(side, 2));
    }
    net.run(3_000);
    net.assert_selected(at(0, 1), at(1, 1));
    let events = net.events.len();
    let other = net.sockets.iter().find(|s| s.2 == at(0, 2)).unwrap().1;
    net.down(0, other);
    let sent = net.sent;
    net.run(60_000);
    net.assert_selected(at(0, 1), at(1, 1));
    assert_eq!(net.sent, sent.map(|n| n + 60_000));
    let told: Vec<_> = net.events[events..].iter().map(|(_, s, e)| (*s, short(e))).collect();
    assert!(matches!(&net.events[events].2, Event::CandidateRemoved { .. }), "{told:?}");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        net.agents[0].socket_down(net.now, other),
        Err(crate::gather::SocketError::UnknownSocket(other))
    );
}

#[test]
fn towards_a_peer_that_does_not_renominate_a_restart_is_asked_for_or_made() {
    for by_itself in [false, true] {
        let mut net = Net::new(AgentConfig { restart_by_itself: by_itself, ..Default::default() });
        let lost = net.up(0, at(0, 1));
        net.up(1, at(1, 1));
        net.run(3_000);
        net.up(0, at(0, 2));
        net.run(100);
        net.down(0, lost);
        net.run(1_000);
        let asked = net.events.iter().any(|(.., e)| matches!(e, Event::RestartNeeded(Cause::PathRemoved)));
        assert!(asked, "{:#?}", net.log());
        if by_itself {
            net.assert_selected(at(0, 2), at(1, 1));
        } else {
            assert_eq!(net.agents[0].path(ComponentId::FIRST), None);
        }
    }
}

/// A better path appears when another has long been selected: it is taken once, and both sides mean the same.
#[test]
fn a_better_path_that_appears_later_is_taken_once() {
    let link_local = |side: usize| SocketAddr::from(([169, 254, 0, side as u8 + 1], 5000));
    let mut net = Net::new(renominating());
    for side in 0..2 {
        net.up(side, link_local(side));
        // A second address keeps the first from being the only, and so the best.
        net.up(side, SocketAddr::from(([169, 254, 1, side as u8 + 1], 5000)));
    }
    net.run(3_000);
    net.assert_selected(link_local(0), link_local(1));
    let before = [net.selections(0), net.selections(1)];
    let data = [net.sent, net.data];
    for side in 0..2 {
        net.up(side, at(side, 1));
    }
    net.run(60_000);
    net.assert_selected(at(0, 1), at(1, 1));
    assert_eq!([net.selections(0), net.selections(1)], before.map(|n| n + 1), "{:#?}", net.log());
    // Not one datagram was lost on the way from one to the other.
    net.run(RTT.as_millis() as u64);
    for side in 0..2 {
        assert!(net.data[side] - data[1][side] >= net.sent[1 - side] - data[0][1 - side] - 40);
    }
}

/// The engine sees nothing but silence; data moves before consent ends, and does not come back in haste.
#[test]
fn a_path_that_falls_silent_is_left_for_a_standby_and_taken_again_when_it_is_well() {
    let mut net = Net::of_two_networks();
    net.run(3_000);
    net.mute.push(at(0, 1));
    net.run(20_000);
    let [ours, theirs] = net.selected();
    assert_eq!(ours.map(|s| s.0), Some(at(0, 2)), "{:#?}", net.log());
    assert_eq!(ours, theirs.map(|(l, r)| (r, l)));
    let selections = net.selections(0);
    net.mute.clear();
    net.run(15_000);
    assert_eq!(net.selections(0), selections, "{:#?}", net.log());
    net.run(40_000);
    net.assert_selected(at(0, 1), at(1, 1));
}

#[test]
fn the_application_reports_trouble_and_data_moves_at_once() {
    let mut net = Net::of_two_networks();
    net.run(3_000);
    net.assert_selected(at(0, 1), at(1, 1));
    net.agents[0].note_trouble(net.now, ComponentId::FIRST);
    net.run(200);
    assert_ne!(net.selected()[0], Some((at(0, 1), at(1, 1))), "{:#?}", net.log());
    assert!(net.events.iter().any(|(_, side, e)| *side == 0 && matches!(e, Event::PathDegraded(_))));
}

/// Two paths that are much alike, and a measure that says now this one, now the other.
#[test]
fn like_paths_do_not_flap() {
    fn by_rtt(path: &PathMeasure) -> u64 {
        u64::try_from(1_000_000_000_000 / (path.rtt.as_nanos() + 1)).unwrap_or(0)
    }
    let mut net = Net::new(AgentConfig {
        nomination: Nomination::Application(Preference(by_rtt)),
        ..Default::default()
    });
    for side in 0..2 {
        net.up(side, at(side, 1));
        net.up(side, at(side, 2));
    }
    net.run(300_000);
    assert!(net.selections(0) <= 2, "{:#?}", net.log());
    assert!(net.agents[0].renominates());
}

/// A peer may see us at an address that is another socket's. When that one goes, the path of the first is still told.
#[test]
fn a_path_is_told_though_the_socket_of_its_mapped_address_is_gone() {
    let mut stage = puppet::Stage::new(role(Role::Controlling));
    let other = SocketAddr::from(([10, 0, 0, 77], 4000));
    stage.agent.socket_up(stage.now, Socket::udp(crate::base::SocketId(3), other)).unwrap();
    stage.add_candidate(puppet::PEER, 7);
    stage.poll();
    let request = stage.take_request(puppet::PEER).unwrap();
    let response = stage.response(&request, other);
    stage.receive(puppet::PEER, &response);
    stage.agent.socket_down(stage.now, crate::base::SocketId(3)).unwrap();
    let remote = stage.agent.path(ComponentId::FIRST).map(|path| path.remote);
    assert_eq!(remote, Some(puppet::PEER));
}

/// The only path towards a peer that renominates goes, long after patience has passed; the next network comes 300 ms later.
#[test]
fn a_lost_path_towards_a_renominating_peer_is_not_the_end() {
    for loser in [0, 1] {
        let mut net = Net::new(renominating());
        let first = [net.up(0, at(0, 1)), net.up(1, at(1, 1))];
        net.run(60_000);
        net.assert_selected(at(0, 1), at(1, 1));
        net.down(loser, first[loser]);
        net.run(300);
        assert!(
            !net.events.iter().any(|(.., e)| matches!(e, Event::Failed(_))),
            "loser {loser} {:#?}",
            net.log()
        );
        net.up(loser, at(loser, 2));
        net.run(1_000);
        assert!(net.selected().iter().all(Option::is_some), "{:#?}", net.log());
    }
}

/// The same, and the application does what RestartNeeded asks for.
#[test]
fn restart_needed_can_be_followed() {
    let mut net = Net::new(renominating());
    let first = [net.up(0, at(0, 1)), net.up(1, at(1, 1))];
    net.run(60_000);
    net.down(0, first[0]);
    net.run(1);
    assert!(
        net.events.iter().any(|(_, s, e)| *s == 0 && matches!(e, Event::RestartNeeded(_))),
        "{:#?}",
        net.log()
    );
    let now = net.now;
    assert_eq!(net.agents[0].restart(now).map(|_| ()), Ok(()), "{:#?}", net.log());
}

/// A standby is nominated, the selected path goes, and the peer is silent.
#[test]
fn nobody_waits_for_a_moment_that_has_passed() {
    let mut net = Net::of_two_networks();
    net.run(3_000);
    net.assert_selected(at(0, 1), at(1, 1));
    net.mute = vec![at(1, 1), at(1, 2)];
    net.agents[0].note_trouble(net.now, ComponentId::FIRST);
    net.run(100);
    let lost = net.sockets.iter().find(|s| s.2 == at(0, 1)).unwrap().1;
    net.down(0, lost);
    net.run(11_000);
    let mut scratch = [0; MAX_TRANSMIT];
    let next = loop {
        if let Output::Wait(next) = net.agents[0].poll(net.now, &mut scratch) {
            break next;
        }
    };
    assert!(next.is_none_or(|at| at > net.now), "now {} next {next:?} {:#?}", net.now, net.log());
}

/// The path dies while a restart waits for its answer, and a standby is there.
#[test]
fn a_standby_serves_while_a_restart_waits_for_its_answer() {
    for restarts in [false, true] {
        let mut net = Net::new(renominating());
        for side in 0..2 {
            net.up(side, at(side, 1));
            net.up(side, at(side, 2));
        }
        net.run(3_000);
        if restarts {
            let now = net.now;
            net.agents[0].restart(now).unwrap();
            let mut scratch = [0; MAX_TRANSMIT];
            // The news of it is lost.
            while let Output::Event(_) = net.agents[0].poll(now, &mut scratch) {}
        }
        net.mute.push(at(0, 1));
        net.run(20_000);
        let base = net.agents[0].path(ComponentId::FIRST).map(|p| p.base);
        assert_eq!(base, Some(at(0, 2)), "restarts {restarts} {:#?}", net.log());
    }
}

/// Two components lose their paths at once: how often is the application told to restart?
#[test]
fn one_loss_of_the_network_asks_for_one_restart() {
    let mut net = Net::new(AgentConfig { streams: vec![2], ..Default::default() });
    for side in 0..2 {
        net.up(side, at(side, 1));
        let id = SocketId(100 + side as u32);
        let local = SocketAddr::new(at(side, 1).ip(), 5001);
        net.sockets.push((side, id, local));
        let second = ComponentId { stream: 0, component: 2 };
        net.agents[side].socket_up(net.now, Socket::udp(id, local).component(second)).unwrap();
    }
    net.run(3_000);
    net.mute = vec![at(1, 1), SocketAddr::new(at(1, 1).ip(), 5001)];
    net.run(60_000);
    let asked = net.events.iter().filter(|(_, s, e)| *s == 0 && matches!(e, Event::RestartNeeded(_))).count();
    assert_eq!(asked, 1, "{:#?}", net.log());
}

/// The selected path goes, a standby takes over, and then that one goes, too.
#[test]
fn a_restart_is_asked_for_when_the_last_standby_is_lost() {
    let mut net = Net::of_two_networks();
    net.run(60_000);
    net.mute = vec![at(1, 1), at(1, 2)];
    net.run(100);
    let lost = net.sockets.iter().find(|s| s.2 == at(0, 1)).unwrap().1;
    net.down(0, lost);
    net.run(45_000);
    let asked = net.events.iter().any(|(_, s, e)| *s == 0 && matches!(e, Event::RestartNeeded(_)));
    assert!(net.agents[0].path(ComponentId::FIRST).is_none());
    assert!(asked, "{:#?}", net.log());
}
