//! From the simulator's words to the predictor's, and back. Nothing is decided here.

use floe_core::{CandidateType, Cause};
use floe_sim::grid::{Cell, CellSpec, NamedRouter, Setting, SideOutcome};
use floe_sim::scenario::TurnReach;
use floe_sim::{Filtering, Mapping, NatConfig, PortAssignment, RouterConfig};

use super::axes::{Axes, Case, Dependence, Firewall, Hairpin, Place, Pooling, Ports, Relay, axes};
use super::predictor::{Gap, Kind, Outcome, SideOutcome as Side, Trouble};

/// The case that a cell is, by the documented axes of its presets.
pub(crate) fn case(spec: &CellSpec) -> Case {
    let (mut left, right) = (axes(spec.left.name), axes(spec.right.name));
    let place = match spec.setting {
        Setting::Apart => Place::Apart,
        Setting::ApartLate => Place::ApartLate,
        Setting::SameBox { isolated, hairpin } => {
            left.hairpin = match hairpin {
                None => left.hairpin,
                Some(floe_sim::Hairpin::None) => Hairpin::None,
                Some(floe_sim::Hairpin::InternalSource) => Hairpin::InternalSource,
                Some(floe_sim::Hairpin::ExternalSource) => Hairpin::ExternalSource,
            };
            Place::Same { isolated }
        }
    };
    let relay = match spec.relay {
        None => Relay::None,
        Some(TurnReach::Udp) => Relay::Udp,
        Some(TurnReach::Tcp) => Relay::Tcp,
        Some(TurnReach::Tls) => Relay::Tls,
    };
    Case { left, right, place, relay }
}

/// A box of these axes.
pub(crate) fn home(name: &'static str, axes: &Axes) -> NamedRouter {
    let mapping = match axes.mapping {
        Dependence::Independent => Mapping::EndpointIndependent,
        Dependence::Address => Mapping::AddressDependent,
        Dependence::AddressAndPort => Mapping::AddressAndPortDependent,
    };
    let filtering = match axes.filtering {
        Dependence::Independent => Filtering::EndpointIndependent,
        Dependence::Address => Filtering::AddressDependent,
        Dependence::AddressAndPort => Filtering::AddressAndPortDependent,
    };
    let ports = match axes.ports {
        Ports::Preserving => PortAssignment::Preserving,
        Ports::Sequential(step) => PortAssignment::Sequential { step },
        Ports::Random => PortAssignment::Random,
        Ports::Block => PortAssignment::Block { size: 512 },
        Ports::Overloading => PortAssignment::Overloading,
    };
    let pooling = match axes.pooling {
        Pooling::Paired => floe_sim::Pooling::Paired,
        Pooling::Arbitrary => floe_sim::Pooling::Arbitrary,
    };
    let hairpin = match axes.hairpin {
        Hairpin::None => floe_sim::Hairpin::None,
        Hairpin::InternalSource => floe_sim::Hairpin::InternalSource,
        Hairpin::ExternalSource => floe_sim::Hairpin::ExternalSource,
    };
    let nat = NatConfig::new(mapping, filtering)
        .with_port_assignment(ports)
        .with_addresses(axes.addresses, pooling)
        .with_hairpin(hairpin);
    let firewall = match axes.firewall {
        Firewall::Open => floe_sim::Firewall::OPEN,
        Firewall::TcpOnly => floe_sim::Firewall::NO_UDP,
        Firewall::WebOnly => floe_sim::Firewall::WEB_ONLY,
    };
    NamedRouter::new(name, RouterConfig::from(nat).with_firewall(firewall))
}

/// What a cell came to, in the words of the prediction. Where the axes do not say whether neighbours have the same external
/// address, neither does this.
pub(crate) fn outcome(cell: &Cell, predicted: &Outcome) -> Outcome {
    let relay = cell.spec.relay.is_some();
    Outcome {
        left: side(&cell.left, relay),
        right: side(&cell.right, relay),
        heard_early: cell.heard_early(),
        neighbours: neighbours(cell).map(|(same, gap)| match predicted.neighbours {
            Some((None, _)) => (None, gap),
            _ => (Some(same), gap),
        }),
    }
}

fn side(seen: &SideOutcome, relay: bool) -> Side {
    Side {
        candidates: seen.candidates.iter().copied().map(kind).collect(),
        selected: seen.selected.as_ref().map(|(_, path)| (kind(path.local_type), kind(path.remote_type))),
        port_kept: seen.seen.map(|(seen, own)| seen.port() == own),
        troubles: if seen.selected.is_some() { Vec::new() } else { troubles(seen, relay) },
    }
}

fn kind(kind: CandidateType) -> Kind {
    match kind {
        CandidateType::Host => Kind::Host,
        CandidateType::ServerReflexive => Kind::ServerReflexive,
        CandidateType::PeerReflexive => Kind::PeerReflexive,
        CandidateType::Relayed => Kind::Relayed,
    }
}

/// The engine says whether a relay is configured; whether it was reached is said by another cause.
fn troubles(seen: &SideOutcome, relay: bool) -> Vec<Trouble> {
    let unreached =
        seen.troubles.iter().any(|(_, cause)| matches!(cause, Cause::RelayFailed { code: None, .. }));
    let mut all: Vec<Trouble> = seen
        .troubles
        .iter()
        .map(|(_, cause)| match cause {
            Cause::NoServerAnswered { servers: 1, .. } => Trouble::ServerSilent,
            Cause::RelayFailed { code: None, .. } => Trouble::NoRelay,
            Cause::Asymmetric { .. } => Trouble::Asymmetric,
            Cause::OneWay { .. } => Trouble::OneWay,
            Cause::NothingThrough { relay: configured, .. } if *configured == relay => {
                Trouble::NothingThrough { relay: relay && !unreached }
            }
            other => unreachable!("a trouble that no cell should have: {other}"),
        })
        .collect();
    all.sort_unstable();
    all
}

fn neighbours(cell: &Cell) -> Option<(bool, Option<Gap>)> {
    let Setting::SameBox { .. } = cell.spec.setting else { return None };
    let ((left, left_own), (right, right_own)) = (cell.left.seen?, cell.right.seen?);
    let kept = left.port() == left_own && right.port() == right_own;
    let ports = [left.port(), right.port()];
    let gap = match ports[1].wrapping_sub(ports[0]) {
        _ if kept => None,
        step @ 1..=8 if left.ip() == right.ip() => Some(Gap::Step(step)),
        _ if ports.iter().all(|port| *port < 1024 + 2 * 512) => Some(Gap::Low),
        _ => Some(Gap::Far),
    };
    Some((left.ip() == right.ip(), gap))
}
