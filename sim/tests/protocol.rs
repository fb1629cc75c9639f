//! Somebody's protocol over a network: who is asked when, and what a protocol that does not let time pass comes to.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use core::net::SocketAddr;
use core::time::Duration;

use floe_sim::{
    Attachment, Clock, Instant, LinkConfig, MOST_AT_ONCE, NatConfig, Network, Protocol, Restless,
};

const SECOND: Duration = Duration::from_secs(1);

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Says its name to somebody every second, and keeps what it hears, and when.
struct Ticker {
    name: u8,
    to: SocketAddr,
    next: Option<Instant>,
    heard: Vec<(Instant, Vec<u8>)>,
}

impl Ticker {
    fn new(name: u8, to: SocketAddr) -> Self {
        Self { name, to, next: Some(Instant::ZERO), heard: Vec::new() }
    }

    fn silent() -> Self {
        Self { next: None, ..Self::new(b'-', SocketAddr::from(([192, 0, 2, 1], 1))) }
    }
}

impl Protocol for Ticker {
    fn poll_transmit(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        self.next = Some(self.next.filter(|next| *next <= now)? + SECOND);
        Some((self.to, vec![self.name]))
    }

    fn receive(&mut self, now: Instant, _from: SocketAddr, bytes: &[u8]) {
        self.heard.push((now, bytes.to_vec()));
    }

    fn deadline(&self) -> Option<Instant> {
        self.next
    }
}

fn world(one_way: Duration) -> Network {
    let mut net = Network::seeded(1);
    net.set_link(LinkConfig::one_way(one_way));
    net
}

#[test]
fn what_arrives_together_comes_in_the_order_of_the_players_and_before_timers() {
    let mut net = world(SECOND);
    let [one, two, all] = [(); 3].map(|()| net.add_socket(Attachment::Public));
    let mut players =
        [(all, Ticker::silent()), (two, Ticker::new(b'2', all.1)), (one, Ticker::new(b'1', all.1))];
    // It hears twice at one second, when its own timer rings too, and says what it has heard by then.
    players[0].1.next = Some(Instant::ZERO + SECOND);
    players[0].1.to = one.1;
    net.play(&mut players, at(2_500)).unwrap();
    assert_eq!(net.now(), at(2_500));
    let heard = |ms, name: u8| (at(ms), vec![name]);
    assert_eq!(
        players[0].1.heard,
        [heard(1_000, b'2'), heard(1_000, b'1'), heard(2_000, b'2'), heard(2_000, b'1')]
    );
    assert_eq!(players[2].1.heard, [heard(2_000, b'-')]);
}

#[test]
fn an_answer_to_what_comes_at_the_time_of_a_timer_is_sent_before_it() {
    /// Sends what it heard last, at one second.
    struct Late(SocketAddr, Vec<u8>, Option<Instant>);
    impl Protocol for Late {
        fn poll_transmit(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
            self.2.take_if(|due| *due <= now).map(|_| (self.0, self.1.clone()))
        }
        fn receive(&mut self, _now: Instant, _from: SocketAddr, bytes: &[u8]) {
            self.1 = bytes.to_vec();
        }
        fn deadline(&self) -> Option<Instant> {
            self.2
        }
    }
    let mut net = world(SECOND);
    let [one, late] = [(); 2].map(|()| net.add_socket(Attachment::Public));
    let mut ticker = Ticker::new(b'1', late.1);
    let mut answers = Late(one.1, Vec::new(), Some(at(1_000)));
    net.play(&mut [(one, &mut ticker as &mut dyn Protocol), (late, &mut answers)], at(2_000)).unwrap();
    assert_eq!(ticker.heard, [(at(2_000), b"1".to_vec())], "what comes at a time comes before its timers");
}

#[test]
fn it_ends_when_the_condition_holds_and_goes_on_from_there() {
    let mut net = world(Duration::from_millis(20));
    let [one, two] = [(); 2].map(|()| net.add_socket(Attachment::Public));
    let mut players = [(one, Ticker::new(b'1', two.1)), (two, Ticker::silent())];
    let heard = |count| move |all: &[(_, Ticker)]| all[1].1.heard.len() == count;
    assert_eq!(net.play_until(&mut players, at(10_000), heard(3)), Ok(true));
    assert_eq!(net.now(), at(2_020));
    assert_eq!(net.play_until(&mut players, at(10_000), heard(4)), Ok(true));
    assert_eq!(net.now(), at(3_020));
    assert_eq!(net.play_until(&mut players, at(5_000), heard(99)), Ok(false));
    // What is due at the very end is sent.
    assert_eq!((net.now(), net.counters().sent), (at(5_000), 6));
    assert_eq!(net.play(&mut players, at(1)), Ok(()), "time never goes back");
    assert_eq!((net.now(), net.counters().sent), (at(5_000), 6));
}

#[test]
fn one_that_wants_to_be_asked_in_the_past_for_ever_is_named() {
    struct Stuck;
    impl Protocol for Stuck {
        fn poll_transmit(&mut self, _now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
            None
        }
        fn receive(&mut self, _now: Instant, _from: SocketAddr, _bytes: &[u8]) {}
        fn deadline(&self) -> Option<Instant> {
            Some(at(1_500))
        }
    }
    let mut net = world(SECOND);
    let [well, ill] = [(); 2].map(|()| net.add_socket(Attachment::Public));
    let mut ticker = Ticker::new(b'1', ill.1);
    let got = net.play(&mut [(well, &mut ticker as &mut dyn Protocol), (ill, &mut Stuck)], at(10_000));
    let (host, local) = ill;
    assert_eq!(got, Err(Restless::Waits { host, local, at: at(1_500), deadline: at(1_500) }));
    let text = got.unwrap_err().to_string();
    assert!(text.contains(&local.to_string()) && text.contains("1500"), "{text}");
}

#[test]
fn a_machine_that_deals_with_one_timer_at_a_time_is_asked_again() {
    struct Timers(Vec<u64>);
    impl Protocol for Timers {
        fn poll_transmit(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
            self.0.pop_if(|due| at(*due) <= now);
            None
        }
        fn receive(&mut self, _now: Instant, _from: SocketAddr, _bytes: &[u8]) {}
        fn deadline(&self) -> Option<Instant> {
            self.0.last().map(|due| at(*due))
        }
    }
    let mut net = world(SECOND);
    let socket = net.add_socket(Attachment::Public);
    let mut players = [(socket, Timers(vec![9_000, 500, 500, 500]))];
    net.play(&mut players, at(5_000)).unwrap();
    assert_eq!(players[0].1.0, [9_000]);
}

#[test]
fn one_that_always_has_something_to_send_is_named() {
    struct Chatty(SocketAddr);
    impl Protocol for Chatty {
        fn poll_transmit(&mut self, _now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
            Some((self.0, b"and then".to_vec()))
        }
        fn receive(&mut self, _now: Instant, _from: SocketAddr, _bytes: &[u8]) {}
        fn deadline(&self) -> Option<Instant> {
            None
        }
    }
    let mut net = world(SECOND);
    let [(host, local), other] = [(); 2].map(|()| net.add_socket(Attachment::Public));
    let got = net.play(&mut [((host, local), Chatty(other.1))], at(10_000));
    assert_eq!(got, Err(Restless::Sends { host, local, at: Instant::ZERO }));
    assert_eq!(net.counters().sent, u64::from(MOST_AT_ONCE));
    assert!(got.unwrap_err().to_string().contains(&local.to_string()));
}

#[test]
fn two_that_answer_each_other_without_end_on_a_link_that_takes_no_time_are_named() {
    let mut net = world(Duration::ZERO);
    let [one, two] = [(); 2].map(|()| net.add_socket(Attachment::Public));
    let mut players = [(one, Echo(None)), (two, Echo(None))];
    net.send(one, two.1, b"ping");
    let got = net.play(&mut players, at(10_000));
    assert!(matches!(got, Err(Restless::Sends { at: Instant::ZERO, .. })), "{got:?}");
    // Over a link that takes time they may do so for ever.
    net.set_link(LinkConfig::one_way(Duration::from_millis(1)));
    let mut players = [(one, Echo(None)), (two, Echo(None))];
    let before = net.counters().delivered;
    net.send(one, two.1, b"ping");
    assert_eq!(net.play(&mut players, net.now() + 60 * SECOND), Ok(()));
    assert!(net.counters().delivered - before > 59_000);
}

/// Sends back what has come.
struct Echo(Option<(SocketAddr, Vec<u8>)>);

impl Protocol for Echo {
    fn poll_transmit(&mut self, _now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        self.0.take()
    }

    fn receive(&mut self, _now: Instant, from: SocketAddr, bytes: &[u8]) {
        self.0 = Some((from, bytes.to_vec()));
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }
}

#[test]
fn a_server_answers_by_itself_and_is_not_told_of() {
    let mut net = world(Duration::from_millis(20));
    let one = net.add_socket(Attachment::Public);
    let mut count = 0;
    let server = net.add_server(Attachment::Public, move |from, bytes| {
        count += 1;
        vec![(from, bytes.to_vec()); count]
    });
    for (said, then) in [("a", 1), ("b", 2)] {
        net.send(one, server.1, said.as_bytes());
        let soon = net.now() + SECOND;
        let got: Vec<_> = core::iter::from_fn(|| net.advance(soon)).collect();
        assert_eq!(got.len(), then);
        assert!(
            got.iter()
                .all(|got| (got.host, got.remote, &got.bytes[..]) == (one.0, server.1, said.as_bytes()))
        );
    }
    net.kill(server.0);
    net.send(one, server.1, b"c");
    assert_eq!(net.advance(net.now() + SECOND), None);
}

#[test]
fn scripts_run_at_their_time_and_what_they_change_is_seen() {
    let mut net = world(Duration::from_millis(20));
    let nat = net.add_nat(NatConfig::port_restricted());
    let inside = net.add_socket(Attachment::Behind(nat));
    // It tells how it sees who has asked.
    let server = net.add_server(Attachment::Public, |from, _| vec![(from, from.to_string().into())]);
    let mut players = [(inside, Ticker::new(b'1', server.1))];
    net.at(at(1_500), move |net| net.rebind(nat));
    net.play(&mut players, at(2_500)).unwrap();
    let seen: Vec<&Vec<u8>> = players[0].1.heard.iter().map(|(_, seen)| seen).collect();
    assert_eq!(seen.len(), 3);
    assert!(seen[0] == seen[1] && seen[1] != seen[2], "{seen:?}");
}

#[test]
fn one_whose_host_sleeps_or_is_dead_is_not_asked_until_it_is_back() {
    for (clock, told_at) in [(Clock::Jumps, 9_000), (Clock::Pauses, 1_500)] {
        let mut net = world(Duration::from_millis(20));
        let [one, two] = [(); 2].map(|()| net.add_socket(Attachment::Public));
        let mut players = [(one, Ticker::new(b'1', two.1)), (two, Ticker::new(b'2', one.1))];
        net.at(at(1_500), move |net| net.sleep(one.0, at(60_000), clock));
        // It is woken before its time.
        net.at(at(9_000), move |net| net.sleep(one.0, at(9_000), clock));
        net.play(&mut players, at(8_999)).unwrap();
        assert_eq!(net.counters().sent, 2 + 9, "one has said nothing in its sleep");
        net.play_until(&mut players, at(20_000), |all| all[0].1.heard.len() > 2).unwrap();
        let first = players[0].1.heard[2].0;
        assert_eq!(first, at(told_at + 20), "{clock:?}");
        let said: Vec<u64> = players[1].1.heard.iter().map(|(at, _)| at.as_millis()).collect();
        let woken = if clock == Clock::Jumps { 9_020 } else { 9_520 };
        net.play(&mut players, at(9_600)).unwrap();
        assert_eq!(said[..2], [20, 1_020]);
        assert_eq!(players[1].1.heard[2].0, at(woken), "{clock:?}");
    }
    // Nothing but the end of its sleep wakes this one.
    let mut net = world(Duration::from_millis(20));
    let [one, two] = [(); 2].map(|()| net.add_socket(Attachment::Public));
    let mut players = [(one, Ticker::new(b'1', two.1)), (two, Ticker::silent())];
    net.sleep(one.0, at(7_700), Clock::Pauses);
    net.play(&mut players, at(8_000)).unwrap();
    assert_eq!(players[1].1.heard, [(at(7_720), b"1".to_vec())]);

    let mut net = world(Duration::from_millis(20));
    let [one, two] = [(); 2].map(|()| net.add_socket(Attachment::Public));
    let mut players = [(one, Ticker::new(b'1', two.1)), (two, Ticker::silent())];
    net.at(at(500), move |net| net.kill(one.0));
    net.at(at(7_300), move |net| net.revive(one.0));
    net.play(&mut players, at(7_500)).unwrap();
    let said: Vec<u64> = players[1].1.heard.iter().map(|(at, _)| at.as_millis()).collect();
    // A timer for each second is late by then; it is asked for each at once.
    assert_eq!(said, [20, 7_320, 7_320, 7_320, 7_320, 7_320, 7_320, 7_320]);
}

#[test]
fn one_that_has_something_to_say_and_no_timer_says_it_when_its_host_wakes() {
    for clock in [Clock::Jumps, Clock::Pauses] {
        let mut net = world(Duration::from_millis(20));
        let [one, two] = [(); 2].map(|()| net.add_socket(Attachment::Public));
        net.sleep(one.0, at(5_000), clock);
        let mut ticker = Ticker::silent();
        let echo = Box::new(Echo(Some((two.1, b"awake".to_vec()))));
        net.play::<Box<dyn Protocol + '_>>(&mut [(one, echo), (two, Box::new(&mut ticker))], at(10_000))
            .unwrap();
        assert_eq!(ticker.heard, [(at(5_020), b"awake".to_vec())]);
    }
}

#[test]
fn a_server_that_is_closed_answers_no_more_even_if_somebody_else_is_there_then() {
    let mut net = world(Duration::from_millis(20));
    let one = net.add_socket(Attachment::Public);
    for removed in [false, true] {
        let server = net.add_server(Attachment::Public, |from, bytes| vec![(from, bytes.to_vec())]);
        if removed {
            assert!(net.remove_address(server.0, server.1.ip()));
            net.assign(server.0, Attachment::Public, server.1.ip()).unwrap();
        } else {
            assert!(net.close(server.0, server.1));
        }
        assert_eq!(net.bind(server.0, Some(server.1)), Ok(server.1));
        net.send(one, server.1, b"hello");
        let got = net.advance(net.now() + SECOND);
        assert_eq!(got.map(|got| (got.host, got.local)), Some(server));
    }
}
