//! The presets do what their names promise, seen from outside.

use core::net::SocketAddr;

use floe_sim::{DropReason, Filtering, Mapping, Preset, StreamKind};

use crate::lab::{FILTERINGS, Lab, MAPPINGS, bind};

use Filtering as F;
use Mapping as M;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ports {
    Preserved,
    StepOf(u16),
    Other,
}

#[test]
fn a_preset_behaves_as_the_table_says() {
    let (ei, ad, apd) = (F::EndpointIndependent, F::AddressDependent, F::AddressAndPortDependent);
    let table = [
        ("full_cone", M::EndpointIndependent, ei, Ports::Preserved, false),
        ("address_restricted", M::EndpointIndependent, ad, Ports::Preserved, false),
        ("port_restricted", M::EndpointIndependent, apd, Ports::Preserved, false),
        ("symmetric", M::AddressAndPortDependent, apd, Ports::Other, false),
        ("carrier_grade", M::EndpointIndependent, ei, Ports::Other, true),
        ("easy", M::EndpointIndependent, apd, Ports::Preserved, true),
        ("hard", M::AddressAndPortDependent, apd, Ports::StepOf(2), false),
    ];
    for (name, mapping, filtering, ports, hairpins) in table {
        let router = Preset::named(name).unwrap().router();
        let mut lab = Lab::new(router.clone());
        let seen = [0, 1, 2].map(|to| lab.out(to));
        let shared = [[true, true], [true, false], [false, false]];
        let shared = MAPPINGS.into_iter().zip(shared).find(|(row, _)| *row == mapping).unwrap().1;
        assert_eq!([seen[1] == seen[0], seen[2] == seen[0]], shared, "{name}");
        let assigned = match seen.map(|seen| seen.port()) {
            [5000, ..] => Ports::Preserved,
            [a, b, c] if a != b && b.wrapping_sub(a) == c.wrapping_sub(b) => Ports::StepOf(b - a),
            _ => Ports::Other,
        };
        assert_eq!(assigned, ports, "{name}: {seen:?}");

        let mut lab = Lab::new(router.clone());
        let mapped = lab.out(0);
        let admitted = [[true, true, true], [true, true, false], [true, false, false]];
        let admitted = FILTERINGS.into_iter().zip(admitted).find(|(row, _)| *row == filtering).unwrap().1;
        assert_eq!([0, 1, 2].map(|from| lab.comes_in(from, mapped)), admitted, "{name}");

        let mut lab = Lab::new(router);
        let neighbour = lab.neighbour(6000);
        let mapped = [lab.out(0), lab.send(neighbour, lab.outside[0].1).unwrap()];
        lab.send(neighbour, mapped[0]);
        let shown = hairpins.then_some(mapped[0]);
        assert_eq!(lab.send(lab.inside, mapped[1]), shown, "{name}");
    }
}

#[test]
fn behind_the_corporate_ones_only_streams_get_out() {
    for (name, tcp, https) in [("corporate_udp_blocked", true, true), ("https_only", false, true)] {
        let mut lab = Lab::new(Preset::named(name).unwrap().router());
        assert_eq!(lab.send(lab.inside, lab.outside[0].1), None, "{name}");
        assert_eq!(lab.dropped(DropReason::RouterFirewall), 1, "{name}");
        for (port, kind, passes) in [
            (3478, StreamKind::Tcp, tcp),
            (5349, StreamKind::Tls, tcp),
            (443, StreamKind::Tcp, tcp),
            (443, StreamKind::Tls, https),
        ] {
            let (server, at) = lab.outside[0];
            lab.net.unlisten(server, (at.ip(), port).into());
            let at = lab.net.listen(server, (at.ip(), port).into(), kind).unwrap();
            let (host, local) = lab.inside;
            lab.net.connect(host, Some((local.ip(), 0).into()), at, kind).unwrap();
            let until = lab.net.now() + crate::lab::SECOND;
            assert_eq!(lab.net.advance_all(until).is_some(), passes, "{name}, {kind:?} to {port}");
        }
    }
}

#[test]
fn a_carrier_gives_each_subscriber_a_block_of_one_of_its_addresses() {
    let mut lab = Lab::new(Preset::named("carrier_grade").unwrap().router());
    let external: Vec<_> = lab.net.external_addresses(lab.nat).collect();
    assert_eq!(external.len(), 2);
    let mut blocks = Vec::new();
    for _ in 0..4 {
        let neighbour = lab.neighbour(6000);
        let second = bind(&mut lab.net, neighbour.0, 6001);
        let [seen, other] = [neighbour, second].map(|socket| lab.send(socket, lab.outside[0].1).unwrap());
        let block_of = |seen: SocketAddr| (seen.ip(), (seen.port() - 1024) / 512);
        assert_eq!(block_of(seen), block_of(other));
        blocks.push(block_of(seen));
    }
    assert!(external.iter().all(|address| blocks.iter().any(|(used, _)| used == address)));
    blocks.sort_unstable();
    blocks.dedup();
    assert_eq!(blocks.len(), 4);
}
