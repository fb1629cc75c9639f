//! Case 16: errors of the socket.

use floe_core::{ComponentId, SocketId, Tuple};
use floe_sim::scenario::{at, behind, both_selected, for_seeds, millis, open, secs};
use floe_sim::{Attachment, DatagramRefusal, Firewall, NatConfig, RouterConfig, SynRefusal};

use super::story::{assert_calm, assert_talking, times};

/// The peer's first address has no socket any more, and its host says so. The same socket of ours goes on to the second one.
#[test]
fn case_16_port_unreachable_on_one_pair_leaves_the_sockets_other_pairs_alone() {
    for who in 0..2 {
        for_seeds(0..10, |world| {
            world.network().set_ports_answer(true);
            let mut sides = [open(), open()];
            sides[1 - who] = open().with_addresses(2);
            let [left, right] = sides;
            let peers = world.pair(left, right);
            let (host, gone) = (world.host(peers[1 - who]), world.address(peers[1 - who], SocketId(0)));
            world.network().close(host, gone);
            world.run_until(both_selected).within(secs(2));
            assert_eq!(times(world, peers), [[90, 140], [90, 120]]);
            assert_ne!(world.selected(peers[who]).unwrap().remote, gone);
            assert_talking(world, peers);
            assert_calm(world, peers);
        });
    }
}

/// Every datagram of the better interface comes back as an error. That of the other one is not touched.
#[test]
fn case_16_a_socket_that_cannot_send_does_not_stop_the_other_one() {
    for_seeds(0..10, |world| {
        let captive = RouterConfig::default().with_firewall(Firewall::NO_UDP.rejecting());
        let captive = world.network().add_router(Attachment::Public, captive);
        let peers = world.pair(at(Attachment::Behind(captive)), open());
        world.interface_up(peers[0]);
        world.run_until(both_selected).within(secs(2));
        assert_eq!(times(world, peers), [[90, 140], [90, 120]]);
        assert_eq!(world.selected(peers[0]).unwrap().base, world.address(peers[0], SocketId(1)));
        assert_talking(world, peers);
        assert_calm(world, peers);
    });
}

/// Anybody on the way can forge an ICMP error, and one may be of the past.
#[test]
fn case_16_errors_in_mid_call_are_no_end() {
    for_seeds(0..10, |world| {
        let peers @ [alice, _] = world.pair(open(), open());
        world.run_until(both_selected).within(secs(1));
        let path = world.selected(alice).unwrap();
        world.start_traffic(millis(20));
        for _ in 0..200 {
            let now = world.now();
            world.agent(alice).send_failed(now, Tuple { socket: SocketId(0), remote: path.remote });
            world.run_for(millis(100));
        }
        world.stop_traffic();
        for peer in peers {
            assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
        }
        assert_calm(world, peers);
        assert!(world.agent(alice).path(ComponentId::FIRST).is_some());
    });
}

/// Both NATs refuse what is early, and say so by ICMP.
#[test]
fn case_16_nats_that_refuse_the_first_checks_by_icmp_are_no_hindrance() {
    for_seeds(0..10, |world| {
        let nat =
            || NatConfig::port_restricted().with_refusals(DatagramRefusal::Unreachable, SynRefusal::Silent);
        let stun = world.stun_server();
        let home = || behind(nat()).asking(stun);
        let peers = world.pair(home().signalled_after(millis(200)), home());
        world.run_until(both_selected).within(secs(2));
        assert_eq!(times(world, peers), [[310, 360], [290, 340]]);
        assert_talking(world, peers);
        assert_calm(world, peers);
    });
}
