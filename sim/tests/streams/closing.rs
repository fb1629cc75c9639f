//! How streams end: through boxes, across cuts, and when one side knows of it before the other.

use core::net::SocketAddr;
use core::time::Duration;

use floe_sim::{
    Attachment, Clock, Firewall, LinkConfig, NatConfig, Network, Refusal, RouterConfig, StreamChange,
    StreamId, StreamKind, TcpLifetimes,
};

use super::lab::{Lab, MS, SECOND, connected, lab, run};

/// What happens within this time, to which end, and after how many milliseconds.
fn told(net: &mut Network, time: Duration) -> Vec<(StreamId, u128, StreamChange)> {
    let start = net.now();
    run(net, time).into_iter().map(|e| (e.stream, e.at.since(start).as_millis(), e.change)).collect()
}

fn bytes(text: &[u8]) -> StreamChange {
    StreamChange::Bytes(text.to_vec())
}

fn boxes() -> [RouterConfig; 3] {
    [
        NatConfig::port_restricted().into(),
        NatConfig::symmetric().with_segment_refusal(Refusal::Reject).into(),
        RouterConfig::default().with_firewall(Firewall::STATEFUL.rejecting()),
    ]
}

/// RFC 5382 §5: a connection is closing when both sides have said so, and is kept for minutes then, so that this comes through.
#[test]
fn last_words_get_through_a_box_after_a_cut() {
    for router in boxes() {
        for closes in 0..2 {
            let mut lab = lab(router.clone());
            let hosts = [lab.client, lab.server];
            let [from, to] = [hosts[closes], hosts[1 - closes]];
            let [ours, theirs] = [[lab.ours, lab.theirs][closes], [lab.theirs, lab.ours][closes]];
            lab.net.block(from, to);
            assert!(lab.net.write(ours, b"bye") && lab.net.close_stream(ours));
            assert_eq!(run(&mut lab.net, 4_500 * MS), []);
            lab.net.unblock(from, to);
            let expected = [(theirs, 520, bytes(b"bye")), (theirs, 520, StreamChange::Ended)];
            assert_eq!(told(&mut lab.net, 120 * SECOND), expected, "{closes}");
        }
    }
}

#[test]
fn what_is_written_to_one_who_has_closed_is_taken_until_that_is_known() {
    for router in boxes() {
        let mut lab = lab(router);
        assert!(lab.net.close_stream(lab.theirs));
        assert_eq!(run(&mut lab.net, 10 * MS), []);
        assert!(lab.net.write(lab.ours, b"x"), "nobody here knows of it");
        assert_eq!(told(&mut lab.net, 120 * SECOND), [(lab.ours, 10, StreamChange::Ended)]);
        assert!(!lab.net.write(lab.ours, b"x"));
    }
}

/// What crosses the end does not take away what came before that.
#[test]
fn what_crosses_the_end_is_lost_and_nothing_else() {
    let mut lab = lab(NatConfig::port_restricted());
    lab.net.set_link_from(lab.server, lab.client, LinkConfig::one_way(300 * MS));
    assert!(lab.net.write(lab.theirs, b"bye") && lab.net.close_stream(lab.theirs));
    // A reset would be there long before.
    lab.net.reset_link_from(lab.server, lab.client);
    assert!(lab.net.write(lab.ours, b"x"));
    let expected = [(lab.ours, 300, bytes(b"bye")), (lab.ours, 300, StreamChange::Ended)];
    assert_eq!(told(&mut lab.net, 120 * SECOND), expected);
}

#[test]
fn who_has_missed_the_end_is_reset_when_it_writes() {
    for router in boxes() {
        let mut lab = lab(router);
        lab.net.block(lab.server, lab.client);
        assert!(lab.net.close_stream(lab.theirs));
        assert_eq!(run(&mut lab.net, 100 * SECOND), []);
        lab.net.unblock(lab.server, lab.client);
        assert_eq!(run(&mut lab.net, SECOND), []);
        assert!(lab.net.write(lab.ours, b"are you there?"));
        assert_eq!(told(&mut lab.net, 120 * SECOND), [(lab.ours, 40, StreamChange::Reset)]);
        // Its port is free, and so is the server's.
        let from = lab.net.stream_address(lab.ours);
        assert_eq!(from, None);
        connected(&mut lab.net, (lab.client, None), (lab.server, lab.at));
    }
}

#[test]
fn what_is_left_of_a_stream_that_both_have_closed_is_nothing() {
    let mut lab = lab(NatConfig::port_restricted());
    lab.net.block(lab.client, lab.server);
    lab.net.block(lab.server, lab.client);
    for end in [lab.ours, lab.theirs] {
        assert!(lab.net.write(end, b"bye") && lab.net.close_stream(end));
    }
    assert_eq!(lab.net.pieces_in_streams(), 0);
    assert_eq!(run(&mut lab.net, 300 * SECOND), []);
    assert_eq!(lab.net.next_event(), None);
}

/// What waits for its link is lost with what is on it.
#[test]
fn a_stream_that_is_over_takes_with_it_what_waits() {
    let narrow = LinkConfig::one_way(20 * MS).with_bandwidth(100_000, 5_000);
    let fill = |lab: &mut Lab| {
        lab.net.set_link(narrow);
        for _ in 0..10 {
            assert!(lab.net.write(lab.ours, &[7; 5_000]));
        }
    };
    // Given up, after a minute in which a part of it has gone for nothing.
    let mut lab = self::lab(RouterConfig::default());
    lab.net.set_link_from(lab.server, lab.client, narrow);
    lab.net.block(lab.client, lab.server);
    fill(&mut lab);
    lab.net.set_link(narrow.with_bandwidth(1_000, 5_000));
    let events = run(&mut lab.net, 120 * SECOND);
    assert_eq!(events.iter().map(|e| &e.change).collect::<Vec<_>>(), [&StreamChange::TimedOut]);
    assert_eq!(lab.net.pieces_in_streams(), 0);
    lab.net.unblock(lab.client, lab.server);
    assert_eq!(run(&mut lab.net, 300 * SECOND), []);
    // Broken off: that waits for what is on the link, which is a packet of 120 ms.
    let mut lab = self::lab(RouterConfig::default());
    fill(&mut lab);
    assert!(lab.net.reset_stream(lab.ours));
    let events = told(&mut lab.net, 300 * SECOND);
    assert!(
        matches!(events[..], [(end, after, StreamChange::Reset)] if end == lab.theirs && after < 300),
        "{events:?}"
    );
}

#[test]
fn what_is_sent_again_goes_the_way_that_there_is_then() {
    let mut net = Network::seeded(1);
    let nat = net.add_nat(NatConfig::port_restricted());
    let [client, server] = [Attachment::Behind(nat), Attachment::Public].map(|place| net.add_host(place));
    let at = SocketAddr::new(net.addresses(server).next().unwrap(), 3478);
    net.listen(server, at, StreamKind::Tcp).unwrap();
    let [ours, _] = connected(&mut net, (client, None), (server, at));
    net.block(client, server);
    assert!(net.write(ours, b"x"));
    assert_eq!(run(&mut net, 4_500 * MS), []);
    // The server does not know the address that it comes from then.
    net.rebind(nat);
    net.unblock(client, server);
    assert_eq!(told(&mut net, 120 * SECOND), [(ours, 540, StreamChange::Reset)]);
}

/// RFC 5382 REQ-5 speaks of connections: one that is idle is not kept by another of the same mapping.
#[test]
fn an_idle_connection_is_forgotten_whatever_else_goes_through_its_mapping() {
    let four = 240 * SECOND;
    let lifetimes = TcpLifetimes { established: four, transitory: 60 * SECOND };
    let mut lab = lab(NatConfig::full_cone().with_tcp_lifetimes(lifetimes));
    let other = SocketAddr::new(lab.at.ip(), 5_349);
    lab.net.listen(lab.server, other, StreamKind::Tcp).unwrap();
    let from = lab.net.stream_address(lab.ours);
    let [busy, _] = connected(&mut lab.net, (lab.client, from), (lab.server, other));
    for _ in 0..5 {
        assert!(lab.net.write(busy, b"x"));
        assert_eq!(run(&mut lab.net, 60 * SECOND).len(), 1);
    }
    assert!(lab.net.write(lab.ours, b"x"));
    assert_eq!(told(&mut lab.net, 120 * SECOND), [(lab.ours, 60_000, StreamChange::TimedOut)]);
    assert!(lab.net.write(busy, b"x"));
    assert_eq!(run(&mut lab.net, SECOND).len(), 1);
}

#[test]
fn hundreds_of_connections_begin_at_once_through_one_mapping() {
    let mut net = Network::seeded(1);
    let nat = net.add_nat(NatConfig::full_cone());
    let client = net.add_host(Attachment::Behind(nat));
    let local = SocketAddr::new(net.addresses(client).next().unwrap(), 5_000);
    for _ in 0..300 {
        let server = net.add_host(Attachment::Public);
        let at = SocketAddr::new(net.addresses(server).next().unwrap(), 3478);
        net.listen(server, at, StreamKind::Tcp).unwrap();
        net.connect(client, Some(local), at, StreamKind::Tcp).unwrap();
    }
    let events = run(&mut net, SECOND);
    assert_eq!(events.iter().filter(|e| e.change == StreamChange::Connected).count(), 300);
}

#[test]
fn whose_firewall_is_silent_says_nothing_for_another() {
    let mut lab = lab(RouterConfig::default());
    // The server's lets streams in, and would tell what it does not; the client's has forgotten this one.
    lab.net.set_firewall(lab.server, Firewall { udp: false, ..Firewall::OPEN }.rejecting());
    lab.net.set_firewall(lab.client, Firewall::STATEFUL);
    assert!(lab.net.write(lab.ours, b"x"));
    assert_eq!(told(&mut lab.net, 120 * SECOND), [(lab.ours, 60_000, StreamChange::TimedOut)]);
}

#[test]
fn an_attempt_that_is_refused_in_a_long_sleep_is_over_when_the_host_wakes() {
    let mut lab = lab(RouterConfig::default());
    let nobody = SocketAddr::new(lab.at.ip(), 9);
    let stream = lab.net.connect(lab.client, None, nobody, StreamKind::Tcp).unwrap();
    assert_eq!(run(&mut lab.net, 30 * MS), []);
    lab.net.sleep(lab.client, lab.net.now() + 300 * SECOND, Clock::Jumps);
    let events = run(&mut lab.net, 600 * SECOND);
    assert_eq!(events.iter().map(|e| e.stream).collect::<Vec<_>>(), [stream]);
    assert_eq!(lab.net.stream_address(stream), None);
}
