//! Stateful firewalls, in a router or on a host: which flows may begin from which side. An answer to what was let through is let
//! through, as long as it is remembered. They judge addresses as the side behind them sees them, IPv4 and IPv6 alike.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use floe_core::base::Instant;

use crate::nat::TcpLifetimes;
use crate::stream::StreamKind;

/// What a firewall lets out, and whether it lets anything in that comes from outside first. The default lets everything through.
///
/// ```
/// # use floe_sim::{Firewall, StreamPolicy};
/// let office = Firewall { streams: StreamPolicy::Ports(&[80, 443]), ..Firewall::NO_UDP };
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Firewall {
    /// Whether datagrams may go out.
    pub udp: bool,
    /// Which streams may begin from inside.
    pub streams: StreamPolicy,
    /// Whether datagrams and streams may come in that nobody inside has asked for.
    pub unsolicited: bool,
    /// What becomes of what it does not let through.
    pub refusal: Refusal,
    /// How long a flow is remembered after the last datagram of it, from either side (RFC 4787 §4.3 has two minutes as the least).
    pub memory: Duration,
    /// How long a stream is, after the last piece of it.
    pub stream_memory: TcpLifetimes,
}

/// Which streams a firewall lets out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamPolicy {
    /// All.
    All,
    /// Those to these ports.
    Ports(&'static [u16]),
    /// Those to these ports that speak TLS, by deep inspection.
    Tls(&'static [u16]),
    /// None.
    Nothing,
}

/// What a box does with what it does not let through.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Refusal {
    /// It is silent.
    #[default]
    Drop,
    /// It says so: to a datagram by an ICMP error, to a stream, or a piece of one, by a reset.
    Reject,
}

impl Firewall {
    /// Lets everything out and in, and remembers nothing.
    pub const OPEN: Self = Self {
        udp: true,
        streams: StreamPolicy::All,
        unsolicited: true,
        refusal: Refusal::Drop,
        memory: Duration::from_secs(120),
        stream_memory: TcpLifetimes::REQUIRED,
    };

    /// Lets everything out, and answers in.
    pub const STATEFUL: Self = Self { unsolicited: false, ..Self::OPEN };

    /// Lets streams out, and no datagrams.
    pub const NO_UDP: Self = Self { udp: false, ..Self::STATEFUL };

    /// Lets TLS streams out to port 443, and nothing else.
    pub const WEB_ONLY: Self = Self { streams: StreamPolicy::Tls(&[443]), ..Self::NO_UDP };

    /// The same that says what it does not let through.
    pub const fn rejecting(self) -> Self {
        Self { refusal: Refusal::Reject, ..self }
    }

    /// Whether it has nothing to judge.
    pub(crate) fn is_open(self) -> bool {
        self.udp && self.unsolicited && self.streams == StreamPolicy::All
    }

    fn lets_begin(self, cargo: Cargo, to: SocketAddr) -> bool {
        match (cargo, self.streams) {
            (Cargo::Datagram, _) => self.udp,
            (Cargo::Stream(_), StreamPolicy::All) => true,
            (Cargo::Stream(_), StreamPolicy::Ports(ports)) => ports.contains(&to.port()),
            (Cargo::Stream(kind), StreamPolicy::Tls(ports)) => {
                kind == StreamKind::Tls && ports.contains(&to.port())
            }
            (Cargo::Stream(_), StreamPolicy::Nothing) | (Cargo::Segment { .. }, _) => false,
        }
    }
}

impl Default for Firewall {
    fn default() -> Self {
        Self::OPEN
    }
}

/// What is on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cargo {
    Datagram,
    /// What begins a stream of this kind.
    Stream(StreamKind),
    /// What belongs to a stream that has begun, and may end it.
    Segment {
        ends: bool,
    },
}

/// A firewall that stands somewhere, with the flows that it remembers.
pub(crate) struct Wall {
    pub(crate) config: Firewall,
    flows: BTreeMap<Flow, Instant>,
}

/// Whether it is a stream, who is inside, and who is outside.
type Flow = (bool, SocketAddr, SocketAddr);

impl Wall {
    /// None where there is nothing to judge.
    pub(crate) fn new(config: Firewall) -> Option<Self> {
        (!config.is_open()).then(|| Self { config, flows: BTreeMap::new() })
    }

    /// Whether this may go out.
    pub(crate) fn lets_out(
        &mut self,
        now: Instant,
        cargo: Cargo,
        inside: SocketAddr,
        outside: SocketAddr,
    ) -> bool {
        let flow = (cargo != Cargo::Datagram, inside, outside);
        self.passes(now, cargo, flow, self.config.lets_begin(cargo, outside))
    }

    /// Whether this may come in.
    pub(crate) fn lets_in(
        &mut self,
        now: Instant,
        cargo: Cargo,
        inside: SocketAddr,
        outside: SocketAddr,
    ) -> bool {
        let flow = (cargo != Cargo::Datagram, inside, outside);
        let may_begin = self.config.unsolicited && !matches!(cargo, Cargo::Segment { .. });
        self.passes(now, cargo, flow, may_begin)
    }

    /// Forgets every flow, as after a power cut.
    pub(crate) fn forget(&mut self) {
        self.flows.clear();
    }

    fn passes(&mut self, now: Instant, cargo: Cargo, flow: Flow, may_begin: bool) -> bool {
        let until = now
            + match cargo {
                Cargo::Datagram => self.config.memory,
                Cargo::Segment { ends: false } => self.config.stream_memory.established,
                Cargo::Stream(_) | Cargo::Segment { ends: true } => self.config.stream_memory.transitory,
            };
        if let Some(known) = self.flows.get_mut(&flow).filter(|known| now < **known) {
            // A request to connect that is repeated, and comes late, does not make a stream forgotten sooner.
            *known = if matches!(cargo, Cargo::Stream(_)) { until.max(*known) } else { until };
            return true;
        }
        if may_begin {
            // It holds at most twice what lives.
            if self.flows.len() >= 64 && self.flows.len().is_power_of_two() {
                self.flows.retain(|_, until| now < *until);
            }
            self.flows.insert(flow, until);
        }
        may_begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_to_connect_that_comes_late_does_not_shorten_what_is_remembered() {
        let mut wall = Wall::new(Firewall::STATEFUL).unwrap();
        let [inside, outside] = [2, 3].map(|last| SocketAddr::from(([10, 0, 0, last], 5_000)));
        let begins = Cargo::Stream(StreamKind::Tcp);
        let [goes, ends] = [false, true].map(|ends| Cargo::Segment { ends });
        let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        assert!(wall.lets_out(at(0), begins, inside, outside) && wall.lets_in(at(1), goes, inside, outside));
        assert!(
            wall.lets_out(at(2), begins, inside, outside) && wall.lets_in(at(7_000), goes, inside, outside)
        );
        assert!(wall.lets_out(at(7_000), ends, inside, outside));
        assert!(
            !wall.lets_out(at(7_240), goes, inside, outside),
            "four minutes after its end it is forgotten"
        );
    }

    #[test]
    fn flows_that_are_over_do_not_pile_up() {
        let mut wall = Wall::new(Firewall::STATEFUL).unwrap();
        let inside = SocketAddr::from(([10, 0, 0, 2], 5000));
        for n in 0..10_000_u64 {
            let outside = SocketAddr::from((core::net::Ipv4Addr::from(n as u32), 9));
            assert!(wall.lets_out(Instant::from_millis(n * 2_000), Cargo::Datagram, inside, outside));
            assert!(wall.flows.len() <= 128);
        }
    }
}
