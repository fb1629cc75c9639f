//! What links do to datagrams that depends on those before: bursts of loss, bandwidth; and what they do to large ones.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use core::net::SocketAddr;
use core::time::Duration;

use floe_sim::{
    Attachment, Bursts, DropReason, Happening, HostId, IcmpKind, Instant, LinkConfig, NatConfig, Network,
    Oversize,
};

const MS: Duration = Duration::from_millis(1);
type Socket = (HostId, SocketAddr);

fn two_hosts(link: LinkConfig) -> (Network, Socket, Socket) {
    let mut net = Network::seeded(5);
    net.set_link(link);
    let [one, two] = [(); 2].map(|()| {
        let host = net.add_host(Attachment::Public);
        (host, net.bind(host, None).unwrap())
    });
    (net, one, two)
}

fn arrivals(net: &mut Network) -> Vec<u64> {
    let until = net.now() + Duration::from_secs(3_600);
    core::iter::from_fn(|| net.advance(until)).map(|delivery| delivery.at.as_millis()).collect()
}

#[test]
fn loss_in_bursts_comes_in_bursts_in_each_direction_for_itself() {
    const SENT: usize = 20_000;
    let bursts = Bursts { begin: 0.01, end: 0.1, loss: 0.9 };
    let (mut net, one, two) = two_hosts(LinkConfig::one_way(MS).with_bursts(bursts));
    // For each direction, which datagrams are lost.
    let mut lost = [Vec::new(), Vec::new()];
    for _ in 0..SENT {
        for (lost, (from, to)) in lost.iter_mut().zip([(one, two.1), (two, one.1)]) {
            net.send(from, to, b"x");
            lost.push(net.advance(net.now() + MS).is_none());
        }
    }
    for lost in &lost {
        let count = lost.iter().filter(|lost| **lost).count();
        // It is bad for 1/11 of the time.
        assert!((1_300..=2_000).contains(&count), "{count} of {SENT} lost");
        let follow = lost.windows(2).filter(|pair| pair[0] && pair[1]).count();
        assert!(follow * 10 > count * 7, "{follow} of {count} follow another");
    }
    assert_ne!(lost[0], lost[1]);
    let together = lost[0].iter().zip(&lost[1]).filter(|(a, b)| **a && **b).count();
    assert!(together < 400, "{together} at once");
    assert_eq!(net.counters().dropped_for(DropReason::Loss), net.counters().dropped());
}

#[test]
fn a_narrow_link_makes_datagrams_wait_and_drops_what_finds_no_room() {
    // 1000 bytes take 8 ms.
    let link = LinkConfig::one_way(20 * MS).with_bandwidth(1_000_000, 3_000);
    let (mut net, one, two) = two_hosts(link);
    let payload = [0; 972];
    (0..5).for_each(|_| net.send(one, two.1, &payload));
    net.send(two, one.1, &payload);
    assert_eq!(
        arrivals(&mut net),
        [28, 28, 36, 44],
        "three wait, one of the other direction has its own queue"
    );
    assert_eq!(net.counters().dropped_for(DropReason::QueueFull), 2);
    // What was sent slowly enough never waits.
    let start = net.now();
    for n in 0..10_u32 {
        while net.advance(start + 8 * n * MS).is_some() {}
        net.send(one, two.1, &payload);
    }
    let last = arrivals(&mut net).pop();
    assert_eq!(last, Some((start + (72 + 28) * MS).as_millis()));
    assert_eq!((net.counters().delivered, net.counters().dropped()), (14, 2));
}

#[test]
fn a_narrow_link_carries_the_headers_of_fragments_and_waits_for_nothing_when_it_is_idle() {
    // 1400 bytes of content in three packets of at most 556 and their headers: 1460 bytes take 11.68 ms.
    let link = LinkConfig::one_way(Duration::ZERO)
        .with_mtu(576)
        .with_oversize(Oversize::Fragmented)
        .with_bandwidth(1_000_000, 100);
    let (mut net, one, two) = two_hosts(link);
    net.send(one, two.1, &[0; 1_392]);
    net.send(one, two.1, b"x");
    let at = net.advance(Instant::from_millis(100)).map(|got| got.at.as_nanos());
    assert_eq!(at, Some(11_680_000), "larger than the queue, which it does not need");
    assert_eq!(net.counters().dropped_for(DropReason::QueueFull), 1);
}

#[test]
fn a_link_can_change_while_things_are_under_way() {
    let (mut net, one, two) = two_hosts(LinkConfig::one_way(20 * MS).with_bandwidth(8_000, 10_000));
    net.send(one, two.1, &[0; 972]);
    net.set_link(LinkConfig::one_way(20 * MS));
    net.send(one, two.1, b"x");
    assert_eq!(arrivals(&mut net), [20, 1_020]);
    net.set_link_from(one.0, two.0, LinkConfig::one_way(50 * MS));
    let start = net.now();
    net.send(one, two.1, b"x");
    net.send(two, one.1, b"x");
    assert_eq!(arrivals(&mut net), [20, 50].map(|ms| (start + ms * MS).as_millis()));
}

#[test]
fn a_large_datagram_is_dropped_or_fragmented_or_told_of() {
    let mut told = Vec::new();
    for oversize in [Oversize::Dropped, Oversize::Fragmented, Oversize::Told] {
        let link = LinkConfig::one_way(20 * MS).with_mtu(1_280).with_oversize(oversize);
        let (mut net, one, two) = two_hosts(link);
        let nat = net.add_nat(NatConfig::full_cone());
        let inside = net.add_host(Attachment::Behind(nat));
        let inside = (inside, net.bind(inside, None).unwrap());
        for from in [one, inside] {
            net.send(from, two.1, &[0; 1_253]);
        }
        let end = Instant::from_millis(1_000);
        let happened: Vec<_> = core::iter::from_fn(|| net.advance_all(end)).collect();
        told.push(
            happened
                .iter()
                .map(|happening| match happening {
                    Happening::Datagram(delivery) => delivery.bytes.len(),
                    Happening::Icmp(error) => {
                        assert_eq!((error.kind, error.remote), (IcmpKind::TooBig { mtu: 1_280 }, two.1));
                        assert!(
                            error.at == Instant::from_millis(20)
                                && [one, inside].contains(&(error.host, error.local))
                        );
                        0
                    }
                    Happening::Stream(event) => panic!("{event:?}"),
                })
                .collect::<Vec<_>>(),
        );
        net.send(one, two.1, &[0; 1_252]);
        assert_eq!(net.advance(end + Duration::from_secs(1)).map(|got| got.bytes.len()), Some(1_252));
    }
    assert_eq!(told, [vec![], vec![1_253; 2], vec![0; 2]]);
}

#[test]
fn fragments_are_lost_one_by_one() {
    const SENT: u64 = 5_000;
    let link = LinkConfig::one_way(MS).with_mtu(576).with_oversize(Oversize::Fragmented).with_loss(0.1);
    let (mut net, one, two) = two_hosts(link);
    // Three packets each: 0.9³ come through.
    (0..SENT).for_each(|_| net.send(one, two.1, &[0; 1_400]));
    let lost = net.counters().dropped_for(DropReason::Loss);
    assert!((1_250..=1_460).contains(&lost), "{lost} of {SENT} lost");
}
