//! Bad networks: what was granted is kept through them.

use super::server::Ask;
use super::*;

fn ip(n: u8) -> core::net::IpAddr {
    core::net::IpAddr::from([192, 0, 2, n])
}

fn channel(n: u8) -> SocketAddr {
    SocketAddr::new(ip(n), 5000)
}

/// 50 permissions and, to the first 20 of them, channels.
fn busy(manner: Manner, families: Families) -> Stage {
    let mut stage = Stage::allocated(AllocationConfig { families, ..config() }, manner);
    for n in 1..=20 {
        stage.allocation.bind_channel(stage.now, channel(n)).unwrap();
    }
    for n in 1..=50 {
        stage.allocation.permit(stage.now, ip(n)).unwrap();
    }
    stage.run(secs(5));
    assert_eq!(stage.events.len(), 70);
    stage.events.clear();
    stage
}

/// Here and at the server.
fn assert_whole(stage: &Stage) {
    for n in 1..=50 {
        assert!(stage.allocation.may_send(stage.now, ip(n)), "{n} at {}", stage.now);
        assert!(stage.server.permissions.get(&ip(n)).is_some_and(|until| *until > stage.now));
    }
    for n in 1..=20 {
        assert_eq!(stage.allocation.overhead(stage.now, channel(n)), 4, "{n} at {}", stage.now);
        let is_bound = |(peer, until): &(SocketAddr, Instant)| *peer == channel(n) && *until > stage.now;
        assert!(stage.server.channels.values().any(is_bound));
    }
}

#[test]
fn fifty_permissions_and_twenty_channels_live_for_three_days_with_a_fifth_lost_each_way() {
    for manner in [Manner::Classic, Manner::Modern] {
        let mut stage = busy(manner, Families::V4);
        stage.loss = 20;
        let end = stage.now + secs(72 * 3600);
        while stage.step(end) {
            assert_whole(&stage);
        }
        assert_eq!(stage.events, []);
        // Not by asking all the time: four times an hour the allocation, 20 times 7 batches, 9 times 20 channels.
        let counts = [Ask::Refresh, Ask::Permit, Ask::Bind].map(|ask| stage.server.count(ask));
        let most = [72 * 8, 72 * 20 * 8, 72 * 9 * 20 * 11 / 10];
        assert!(
            counts.iter().zip(most).all(|(is, most)| (most * 8 / 10..=most).contains(is)),
            "{counts:?} {most:?}"
        );
    }
}

#[test]
fn an_outage_of_a_minute_and_a_half_ends_nothing_whenever_it_comes() {
    for start in (0..600).step_by(30) {
        let mut stage = busy(Manner::Modern, Families::V4);
        stage.run(secs(start));
        stage.loss = 100;
        stage.run(secs(90));
        stage.loss = 0;
        stage.run(secs(40));
        assert_whole(&stage);
        assert_eq!(stage.events, [], "from {start} s on");
    }
}

#[test]
fn what_ends_in_an_outage_is_told_and_comes_back_after_it() {
    let mut stage = busy(Manner::Modern, Families::V4);
    stage.run(secs(10));
    stage.loss = 100;
    stage.run(secs(400));
    let lapsed = stage.events.iter().filter(|(_, e)| matches!(e, RelayEvent::PermissionLapsed(_))).count();
    assert_eq!((lapsed, stage.events.len()), (50, 50));
    assert!(!stage.allocation.may_send(stage.now, ip(1)));
    stage.events.clear();
    stage.loss = 0;
    stage.run(secs(60));
    let granted = stage.events.iter().filter(|(_, e)| matches!(e, RelayEvent::PermissionGranted(_))).count();
    assert_eq!((granted, stage.events.len()), (50, 50));
    assert_whole(&stage);
}

#[test]
fn a_silent_server_is_asked_sixteen_things_at_a_time() {
    let mut stage = busy(Manner::Modern, Families::V4);
    stage.loss = 100;
    let start = stage.now;
    stage.run(secs(590));
    let sent = stage.sent.iter().filter(|(at, ..)| *at > start).count();
    // 16 and a Refresh, each 7 times in 39.5 s, and the reminders.
    assert!(sent < 590 / 39 * 17 * 7 + 80, "{sent}");
}

#[test]
fn a_late_answer_is_nobodys() {
    let mut stage = Stage::new(config(), Server::new(Manner::Open));
    stage.run(Duration::from_millis(1));
    let (_, _, request) = stage.link.remove(0);
    let answer = stage.server.on_message(stage.now, &request).unwrap();
    stage.loss = 100;
    stage.run(secs(60));
    assert_eq!(stage.allocation.on_message(stage.now, &answer), FromServer::NotMine);
    assert!(!stage.allocation.is_alive());
}
