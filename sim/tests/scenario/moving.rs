//! From the relay to the direct path, under traffic: nothing is lost on the way, and nothing comes in another order than the two
//! paths' latencies explain.

use core::time::Duration;

use floe_core::{AgentConfig, CandidateType, ComponentId, Nomination, Role};
use floe_sim::LinkConfig;
use floe_sim::scenario::{PeerId, World, both_usable, for_seeds, millis, open, secs};

/// How long a datagram takes by itself, of what was sent when: what a reference reading of the network says.
struct Model {
    direct: Duration,
    /// Both legs.
    relayed: Duration,
    /// When each was sent, and whether over the relay.
    sent: Vec<(u64, bool)>,
}

impl Model {
    /// The numbers in the order in which they have to arrive.
    fn arrivals(&self) -> Vec<usize> {
        let takes = |relayed: bool| if relayed { self.relayed } else { self.direct }.as_nanos() as u64;
        let mut order: Vec<(u64, usize)> =
            self.sent.iter().enumerate().map(|(n, (at, relayed))| (at + takes(*relayed), n)).collect();
        order.sort_unstable();
        order.into_iter().map(|(_, n)| n).collect()
    }
}

/// Some latency of up to 60 ms that is like no other one.
fn latency(seed: u64, which: u64) -> Duration {
    let mixed = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(13 * which as u32 + 7) ^ which;
    Duration::from_micros(3_000 + mixed % 57_000) + Duration::from_nanos(10 * which + 1)
}

fn sends_over_relay(world: &mut World, peer: PeerId) -> bool {
    let path = world.agent(peer).path(ComponentId::FIRST).unwrap();
    [path.local_type, path.remote_type].contains(&CandidateType::Relayed)
}

/// Two peers with a relay, whose direct path is closed, in a network of latencies of the seed's own.
fn relayed_pair(world: &mut World, loss: f64) -> ([PeerId; 2], [Duration; 3]) {
    let seed = world.seed();
    let relay = world.turn_server();
    // Whoever prefers direct paths moves to one whenever it is proven.
    let peer =
        |role| open().with(AgentConfig { role, nomination: Nomination::Renominate, ..Default::default() });
    let [alice, bob] = world.pair(peer(Role::Controlling).using(relay), peer(Role::Controlled));
    let [a, b, s] = [world.host(alice), world.host(bob), world.turn_host(relay)];
    let [ab, asrv, srvb] = [0, 1, 2].map(|which| latency(seed, which));
    for (from, to, takes) in [(a, b, ab), (a, s, asrv), (s, b, srvb)] {
        let link = LinkConfig::one_way(takes).with_loss(loss);
        world.network().set_link_from(from, to, link);
        world.network().set_link_from(to, from, link);
    }
    world.block(alice, bob);
    world.block(bob, alice);
    world.run_until(both_usable).within(secs(20));
    ([alice, bob], [ab, asrv, srvb])
}

fn open_direct_path(world: &mut World, [alice, bob]: [PeerId; 2]) {
    world.unblock(alice, bob);
    world.unblock(bob, alice);
}

#[test]
fn moving_from_the_relay_to_the_direct_path_loses_nothing_and_keeps_the_order() {
    for_seeds(0..200, |world| {
        let (sides, [direct, to_server, from_server]) = relayed_pair(world, 0.0);
        let model = || Model { direct, relayed: to_server + from_server, sent: Vec::new() };
        let mut models = [model(), model()];
        for tick in 0..3_000_u32 {
            if tick == 400 {
                open_direct_path(world, sides);
            }
            let now = world.now().as_nanos();
            for (peer, model) in sides.into_iter().zip(&mut models) {
                let relayed = sends_over_relay(world, peer);
                world.send(peer, &(0x8000_0000 | tick).to_be_bytes()).unwrap();
                model.sent.push((now, relayed));
            }
            world.run_for(millis(1));
        }
        world.run_for(millis(300));
        for (side, model) in models.iter().enumerate() {
            assert!(model.sent[0].1 && !model.sent[2_999].1, "it moves\n{}", world.timeline());
            let number =
                |d: &Vec<u8>| (u32::from_be_bytes(d.as_slice().try_into().unwrap()) & 0xFFFF) as usize;
            let came: Vec<usize> = world.inbox(sides[1 - side]).iter().map(number).collect();
            assert_eq!(came, model.arrivals(), "{}", world.timeline());
            assert_eq!(world.agent(sides[side]).stats().transports[0].packets_sent, 3_000);
        }
    });
}

#[test]
fn under_loss_what_does_not_come_was_lost_by_the_network() {
    for_seeds(200..300, |world| {
        let (sides, _) = relayed_pair(world, 0.05);
        // Its end reconciles the books: nothing was refused by an agent's or a server's fault, nothing went astray.
        world.start_traffic(millis(1));
        world.run_for(millis(400));
        open_direct_path(world, sides);
        world.run_for(secs(5));
        world.stop_traffic();
        for side in sides {
            let tally = world.traffic(side);
            assert!(tally.refusals.is_empty() && tally.received > 4_000, "{tally}\n{}", world.timeline());
            assert!(!sends_over_relay(world, side), "{}", world.timeline());
        }
    });
}
