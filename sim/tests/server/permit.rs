//! Permissions and channels: RFC 8656 §9, §10.2, §12.2.

use core::time::Duration;

use crate::client::{
    ADDITIONAL_ADDRESS_FAMILY, ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, Lab, REFRESH,
    REQUESTED_ADDRESS_FAMILY, V6, channel, peer, relay_v6, udp,
};

const FIVE_MINUTES: Duration = Duration::from_secs(300);
const TEN_MINUTES: Duration = Duration::from_secs(600);
const NANO: Duration = Duration::from_nanos(1);

#[test]
fn a_permission_is_for_an_address_and_for_five_minutes() {
    let mut lab = Lab::new(|_| {});
    lab.allocate();
    assert_eq!(lab.request(CREATE_PERMISSION, &[peer("192.0.2.9:1"), peer("192.0.2.8:7")]).code(), None);
    let end = lab.now + FIVE_MINUTES;
    let permissions: Vec<_> = lab.allocation().relays()[0].permissions(lab.now).collect();
    assert_eq!(permissions, ["192.0.2.8", "192.0.2.9"].map(|ip| (ip.parse().unwrap(), end)));
    lab.pass(FIVE_MINUTES - NANO);
    assert_eq!(lab.request(CREATE_PERMISSION, &[peer("192.0.2.8:0")]).code(), None);
    lab.pass(NANO);
    let left: Vec<_> = lab.allocation().relays()[0].permissions(lab.now).map(|(ip, _)| ip).collect();
    assert_eq!(left, ["192.0.2.8".parse::<core::net::IpAddr>().unwrap()]);
}

#[test]
fn permissions_are_installed_all_or_none() {
    let mut lab = Lab::new(|config| {
        config.max_permissions = 2;
        config.refused_peers.push("192.0.2.128/25".parse().unwrap());
    });
    lab.allocate();
    let good = || peer("192.0.2.1:1");
    for (code, attributes) in [
        (400, vec![]),
        (443, vec![good(), peer("[2001:db8::9]:1")]),
        (403, vec![good(), peer("192.0.2.200:1")]),
        (403, vec![peer("127.0.0.1:1")]),
        (403, vec![peer("169.254.169.254:80")]),
        (403, vec![peer("224.0.0.251:1")]),
        (508, vec![good(), peer("192.0.2.2:1"), peer("192.0.2.3:1")]),
    ] {
        assert_eq!(lab.request(CREATE_PERMISSION, &attributes).code(), Some(code), "{attributes:?}");
        assert_eq!(lab.allocation().relays()[0].permissions(lab.now).count(), 0);
    }
    let two = [good(), peer("192.0.2.2:1"), peer("192.0.2.2:2")];
    assert_eq!(lab.request(CREATE_PERMISSION, &two).code(), None);
    assert_eq!(lab.request(CREATE_PERMISSION, &two).code(), None, "a refresh takes no room");
    assert_eq!(lab.request(CREATE_PERMISSION, &[peer("192.0.2.3:1")]).code(), Some(508));
    let more = [channel(0x4000), peer("192.0.2.3:1")];
    assert_eq!(lab.request(CHANNEL_BIND, &more).code(), Some(508), "it would need a permission");
    assert_eq!(lab.allocation().relays()[0].channels(lab.now).count(), 0);
}

#[test]
fn an_ipv4_address_in_the_clothes_of_ipv6_is_refused_as_itself() {
    let mut lab = Lab::new(|config| config.relay_addresses = vec![relay_v6()]);
    assert_eq!(lab.request(ALLOCATE, &[udp(), (REQUESTED_ADDRESS_FAMILY, V6.to_vec())]).code(), None);
    let code = lab.request(CREATE_PERMISSION, &[peer("[::ffff:127.0.0.1]:1")]).code();
    assert_eq!(code, Some(403));
    assert_eq!(lab.request(CREATE_PERMISSION, &[peer("[2001:db8::9]:1")]).code(), None);
}

#[test]
fn a_channel_is_bound_for_ten_minutes_and_permits_for_five() {
    let mut lab = Lab::new(|_| {});
    lab.allocate();
    assert_eq!(lab.request(CHANNEL_BIND, &[channel(0x4FFF), peer("192.0.2.9:1")]).code(), None);
    let relay = lab.allocation().relays()[0].clone();
    let bound = relay.channels(lab.now).next().unwrap();
    assert_eq!((bound.number, bound.peer), (0x4FFF, "192.0.2.9:1".parse().unwrap()));
    assert_eq!(bound.expires, lab.now + TEN_MINUTES);
    assert!(relay.permits(lab.now + FIVE_MINUTES - NANO, bound.peer.ip()));
    assert!(!relay.permits(lab.now + FIVE_MINUTES, bound.peer.ip()));
    assert_eq!(relay.peer_of(lab.now + TEN_MINUTES - NANO, 0x4FFF), Some(bound.peer));
    assert_eq!(relay.peer_of(lab.now + TEN_MINUTES, 0x4FFF), None);
}

#[test]
fn a_channel_has_one_peer_and_a_peer_one_channel() {
    let mut lab = Lab::new(|config| config.max_channels = 2);
    lab.allocate();
    let mut bind = |number, address| lab.request(CHANNEL_BIND, &[channel(number), peer(address)]).code();
    assert_eq!(bind(0x4000, "192.0.2.9:1"), None);
    assert_eq!(bind(0x4000, "192.0.2.9:1"), None, "refreshed");
    assert_eq!(bind(0x4000, "192.0.2.9:2"), Some(400), "the number is taken");
    assert_eq!(bind(0x4001, "192.0.2.9:1"), Some(400), "the peer is taken");
    for number in [0x3FFF, 0x5000, 0xFFFF, 0] {
        assert_eq!(bind(number, "192.0.2.9:3"), Some(400), "{number:#x}");
    }
    assert_eq!(bind(0x4001, "[2001:db8::9]:1"), Some(443));
    assert_eq!(bind(0x4001, "127.0.0.1:1"), Some(403));
    assert_eq!(bind(0x4001, "192.0.2.9:2"), None);
    assert_eq!(bind(0x4002, "192.0.2.9:3"), Some(508));
    assert_eq!(bind(0x4001, "192.0.2.9:2"), None, "a refresh takes no room");
    assert_eq!(lab.request(CHANNEL_BIND, &[channel(0x4002)]).code(), Some(400));
    assert_eq!(lab.request(CHANNEL_BIND, &[peer("192.0.2.9:3")]).code(), Some(400));
    lab.request(REFRESH, &[crate::client::lifetime(3600)]);
    lab.pass(TEN_MINUTES);
    let swapped = [channel(0x4000), peer("192.0.2.9:2")];
    assert_eq!(lab.request(CHANNEL_BIND, &swapped).code(), None, "both have ended");
}

#[test]
fn each_family_has_permissions_of_its_own_and_channels_share_their_numbers() {
    let mut lab = Lab::new(|config| config.relay_addresses.push(relay_v6()));
    lab.request(ALLOCATE, &[udp(), (ADDITIONAL_ADDRESS_FAMILY, V6.to_vec())]);
    let both = [peer("192.0.2.9:1"), peer("[2001:db8::9]:1")];
    assert_eq!(lab.request(CREATE_PERMISSION, &both).code(), None);
    let permissions = |n: usize| lab.allocation().relays()[n].permissions(lab.now).count();
    assert_eq!([permissions(0), permissions(1)], [1, 1]);
    assert_eq!(lab.request(CHANNEL_BIND, &[channel(0x4000), peer("192.0.2.9:1")]).code(), None);
    assert_eq!(lab.request(CHANNEL_BIND, &[channel(0x4000), peer("[2001:db8::9]:1")]).code(), Some(400));
    assert_eq!(lab.request(CHANNEL_BIND, &[channel(0x4001), peer("[2001:db8::9]:1")]).code(), None);
}
