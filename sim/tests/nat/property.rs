//! Whatever happens to a NAT, with whatever settings, it does what RFC 4787 says: see `model`.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;

use floe_sim::{
    Attachment, DropReason, Hairpin, Instant, LinkConfig, LogEvent, NatConfig, Network, Pooling,
    PortAssignment, Refresh, RouterId,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::lab::{FILTERINGS, MAPPINGS, Socket, bind};
use crate::model::{Arrival, Model, Verdict};

const CASES: u32 = 10_000;
const LIFETIME: Duration = Duration::from_secs(30);
const JITTER: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_nanos(1);
const WAITS: [Duration; 8] = [
    TICK,
    Duration::from_secs(10),
    Duration::from_secs(15),
    LIFETIME.saturating_sub(TICK),
    LIFETIME,
    LIFETIME.saturating_add(TICK),
    Duration::from_secs(35),
    Duration::from_secs(40),
];
/// Internal ports: two hosts of three have them, so that they collide; the last cannot be preserved in a small range.
const PORTS: [u16; 3] = [5000, 5001, 4000];

#[derive(Clone, Debug)]
enum Op {
    /// Someone inside sends to someone outside.
    Out {
        from: usize,
        to: usize,
    },
    /// Someone outside sends to an external address.
    In {
        from: usize,
        to: Target,
    },
    /// Someone inside sends to an external address.
    Around {
        from: usize,
        to: Target,
    },
    Wait(Duration),
    Reboot,
    Rebind,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    /// One that was seen before, the latest first.
    Seen(usize),
    /// Any.
    Port { address: usize, offset: u16 },
}

struct Bench {
    net: Network,
    nat: RouterId,
    config: NatConfig,
    inside: Vec<Socket>,
    outside: Vec<Socket>,
    externals: Vec<Ipv4Addr>,
    seen: Vec<SocketAddrV4>,
    model: Model,
}

impl Bench {
    fn new(config: NatConfig) -> Self {
        let mut net = Network::seeded(3);
        net.record(true);
        net.set_link(LinkConfig::one_way(Duration::ZERO));
        let outside = [(); 2].map(|()| net.add_host(Attachment::Public));
        let outside =
            outside.iter().flat_map(|host| [7000, 7001].map(|port| bind(&mut net, *host, port))).collect();
        let nat = net.add_nat(config.clone());
        let inside = [(); 3].map(|()| net.add_host(Attachment::Behind(nat)));
        let inside = inside.iter().flat_map(|host| PORTS.map(|port| bind(&mut net, *host, port))).collect();
        let externals: Vec<Ipv4Addr> = net.external_addresses(nat).collect();
        assert_eq!(externals.len(), usize::from(config.addresses.max(1)));
        let model = Model::new(config.clone(), externals.clone());
        Self { net, nat, config, inside, outside, externals, seen: Vec::new(), model }
    }

    fn now(&self) -> Duration {
        self.net.now().since(Instant::ZERO)
    }

    /// Sends, and tells who got it and what source that one sees; or why nobody did, and how far it came.
    fn send(
        &mut self,
        from: Socket,
        to: SocketAddr,
    ) -> Result<(SocketAddrV4, SocketAddrV4), (DropReason, SocketAddrV4)> {
        self.net.send(from, to, b"x");
        let delivery = self.net.advance(self.net.now());
        let last = *self.net.log().last().unwrap();
        match (delivery, last.event) {
            (Some(delivery), LogEvent::Delivered(_)) => Ok((v4(delivery.local), v4(delivery.remote))),
            (None, LogEvent::Dropped(reason)) => Err((reason, v4(last.source))),
            other => panic!("{other:?}"),
        }
    }

    /// What a datagram looks like when it has left the NAT. It is lost there, so that the NAT sees it twice in a moment.
    fn mapped(&mut self, from: Socket, to: SocketAddr) -> Result<SocketAddrV4, DropReason> {
        self.net.set_link(LinkConfig::one_way(Duration::ZERO).with_loss(1.0));
        let (reason, source) = self.send(from, to).unwrap_err();
        self.net.set_link(LinkConfig::one_way(Duration::ZERO));
        if reason == DropReason::Loss { Ok(source) } else { Err(reason) }
    }

    fn target(&self, target: Target) -> SocketAddrV4 {
        match target {
            Target::Seen(back) if !self.seen.is_empty() => {
                self.seen[self.seen.len() - 1 - back % self.seen.len()]
            }
            Target::Seen(back) => self.target(Target::Port { address: back, offset: 0 }),
            Target::Port { address, offset } => {
                let count = u32::from(*self.config.ports.end()) + 1 - u32::from(*self.config.ports.start());
                let port = u32::from(*self.config.ports.start()) + u32::from(offset) % count;
                SocketAddrV4::new(self.externals[address % self.externals.len()], port as u16)
            }
        }
    }

    fn step(&mut self, op: &Op) -> Verdict {
        match *op {
            Op::Out { from, to } => {
                let (from, to) = (self.inside[from], self.outside[to].1);
                let mapped = self.goes_out(from, to)?;
                match (mapped, self.send(from, to)) {
                    (Some(source), Ok(got)) if got == (v4(to), source) => Ok(()),
                    (None, Err((DropReason::PortsExhausted(_), _))) => Ok(()),
                    other => Err(format!("out: {other:?}")),
                }
            }
            Op::In { from, to } => {
                let (from, to) = (self.outside[from], self.target(to));
                let got = self.send(from, to.into());
                self.comes_in(v4(from.1), to, v4(from.1), got)
            }
            Op::Around { from, to } => {
                let (from, to) = (self.inside[from], self.target(to));
                if self.config.hairpin == Hairpin::None {
                    let got = self.send(from, to.into());
                    let dropped = matches!(got, Err((DropReason::NoHairpin(_), _)));
                    return dropped.then_some(()).ok_or(format!("hairpin: {got:?}"));
                }
                let Some(mapped) = self.goes_out(from, to.into())? else { return Ok(()) };
                let shown = self.model.hairpinned(v4(from.1), mapped).unwrap();
                let got = self.send(from, to.into());
                self.comes_in(mapped, to, shown, got)
            }
            Op::Wait(time) => {
                let until = self.net.now() + time;
                assert_eq!(self.net.advance(until), None);
                Ok(())
            }
            Op::Reboot => {
                self.net.reboot(self.nat);
                self.model.rebooted();
                Ok(())
            }
            Op::Rebind => {
                let now = self.now();
                if !self.model.is_certain(now) {
                    return Ok(());
                }
                self.net.rebind(self.nat);
                let mut seen = Vec::new();
                for (internal, remote) in self.model.flows() {
                    let from = *self.inside.iter().find(|(_, at)| v4(*at) == internal).unwrap();
                    seen.push(self.mapped(from, remote.into()).ok());
                }
                self.seen.extend(seen.iter().flatten());
                self.model.rebound(now, &seen)
            }
        }
    }

    fn goes_out(&mut self, from: Socket, to: SocketAddr) -> Result<Option<SocketAddrV4>, String> {
        let mapped = match self.mapped(from, to) {
            Ok(source) => Some(source),
            Err(DropReason::PortsExhausted(_)) => None,
            Err(other) => return Err(format!("out: {other:?}")),
        };
        self.seen.extend(mapped);
        self.model.went_out(self.now(), v4(from.1), v4(to), mapped)?;
        Ok(mapped)
    }

    fn comes_in(
        &mut self,
        source: SocketAddrV4,
        to: SocketAddrV4,
        shown: SocketAddrV4,
        got: Result<(SocketAddrV4, SocketAddrV4), (DropReason, SocketAddrV4)>,
    ) -> Verdict {
        let arrival = match got {
            Ok((local, remote)) if remote == shown => Arrival::DeliveredTo(local),
            Err((DropReason::Filtered(_), _)) => Arrival::Filtered,
            Err((DropReason::NoMapping(_), _)) => Arrival::NoMapping,
            other => return Err(format!("in, to be shown as from {shown}: {other:?}")),
        };
        self.model.came_in(self.now(), to, source, arrival)
    }
}

fn v4(address: SocketAddr) -> SocketAddrV4 {
    match address {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(_) => panic!("{address} in a world of IPv4"),
    }
}

fn config() -> impl Strategy<Value = NatConfig> {
    let assignment = prop_oneof![
        Just(PortAssignment::Preserving),
        (0..4_u16).prop_map(|step| PortAssignment::Sequential { step }),
        Just(PortAssignment::Random),
        (0..5_u16).prop_map(|size| PortAssignment::Block { size }),
        Just(PortAssignment::Overloading),
    ];
    let ports = prop_oneof![Just(5000..=5002), Just(4998..=5009), Just(1024..=u16::MAX)];
    let hairpin = prop::sample::select(&[Hairpin::None, Hairpin::InternalSource, Hairpin::ExternalSource]);
    let refresh = prop::sample::select(&[Refresh::Outbound, Refresh::Inbound, Refresh::Both]);
    let pooling = prop::sample::select(&[Pooling::Paired, Pooling::Arbitrary]);
    let axes = (prop::sample::select(&MAPPINGS), prop::sample::select(&FILTERINGS), assignment, ports);
    let manners = (1..4_u16, pooling, hairpin, refresh, any::<bool>());
    (axes, manners).prop_map(|((mapping, filtering, assignment, ports), manners)| {
        let (addresses, pooling, hairpin, refresh, jitter) = manners;
        // Who is meant where ports are overloaded depends on who lives, and that is to be known.
        let jitter =
            if jitter && assignment != PortAssignment::Overloading { JITTER } else { Duration::ZERO };
        NatConfig::new(mapping, filtering)
            .with_port_assignment(assignment)
            .with_ports(ports)
            .with_addresses(addresses, pooling)
            .with_hairpin(hairpin)
            .with_lifetime(LIFETIME)
            .with_lifetime_jitter(jitter)
            .with_refresh(refresh)
    })
}

fn op() -> impl Strategy<Value = Op> {
    let target = || {
        prop_oneof![
            8 => (0..6_usize).prop_map(Target::Seen),
            1 => (0..3_usize, any::<u16>()).prop_map(|(address, offset)| Target::Port { address, offset }),
        ]
    };
    prop_oneof![
        12 => (0..9_usize, 0..4_usize).prop_map(|(from, to)| Op::Out { from, to }),
        12 => (0..4_usize, target()).prop_map(|(from, to)| Op::In { from, to }),
        5 => (0..9_usize, target()).prop_map(|(from, to)| Op::Around { from, to }),
        6 => prop::sample::select(&WAITS).prop_map(Op::Wait),
        1 => Just(Op::Reboot),
        2 => Just(Op::Rebind),
    ]
}

/// The same ones each time, so that a change is judged by what it changed. `PROPTEST_RNG_SEED` and `PROPTEST_CASES` draw others.
fn cases() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let rng_seed = match asked.rng_seed {
        RngSeed::Random => RngSeed::Fixed(4787),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    ProptestConfig { cases: asked.cases.max(CASES), rng_seed, failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(cases())]

    /// Whoever tests against a NAT of the simulator tests against one that there could be.
    #[test]
    fn a_nat_does_what_rfc_4787_says(config in config(), ops in prop::collection::vec(op(), 1..60)) {
        let mut bench = Bench::new(config);
        for (number, op) in ops.iter().enumerate() {
            if let Err(fault) = bench.step(op) {
                return Err(TestCaseError::fail(format!("{number}, {op:?}: {fault}")));
            }
        }
    }
}
