//! Every axis counts: a box that differs from a preset in one of them makes some cell differ from what is predicted for the preset.
//! Where none can, it is said why, and shown that the prediction is the same in every cell.
//!
//! How long a mapping lives and what refreshes it are not among the axes: two that meet talk at least every six seconds (RFC 7675 §5.1), and two
//! that do not have said so after five. `tests/nat` has them.

use floe_core::Nomination;
use floe_sim::grid::{Cell, CellSpec, GridSpec, Setting};

use super::axes::{Axes, Case, Dependence, Firewall, Hairpin, PRESETS, Pooling, Ports};
use super::predictor::{Outcome, predict};
use super::translation::{case, home, outcome};

type Change = (&'static str, fn(&mut Axes));

/// Each axis with each of its values.
const VALUES: [Change; 20] = [
    ("mapping", |axes| axes.mapping = Dependence::Independent),
    ("mapping", |axes| axes.mapping = Dependence::Address),
    ("mapping", |axes| axes.mapping = Dependence::AddressAndPort),
    ("filtering", |axes| axes.filtering = Dependence::Independent),
    ("filtering", |axes| axes.filtering = Dependence::Address),
    ("filtering", |axes| axes.filtering = Dependence::AddressAndPort),
    ("ports", |axes| axes.ports = Ports::Preserving),
    ("ports", |axes| axes.ports = Ports::Sequential(2)),
    ("ports", |axes| axes.ports = Ports::Sequential(3)),
    ("ports", |axes| axes.ports = Ports::Random),
    ("ports", |axes| axes.ports = Ports::Block),
    ("ports", |axes| axes.ports = Ports::Overloading),
    ("addresses", |axes| axes.addresses = 3 - axes.addresses),
    ("pooling", |axes| axes.pooling = Pooling::Arbitrary),
    ("hairpin", |axes| axes.hairpin = Hairpin::None),
    ("hairpin", |axes| axes.hairpin = Hairpin::InternalSource),
    ("hairpin", |axes| axes.hairpin = Hairpin::ExternalSource),
    ("firewall", |axes| axes.firewall = Firewall::Open),
    ("firewall", |axes| axes.firewall = Firewall::TcpOnly),
    ("firewall", |axes| axes.firewall = Firewall::WebOnly),
];

/// What nobody can see from outside, whatever they send.
fn is_moot(of: &Axes, with: &Axes, axis: &str) -> bool {
    let udp_blocked = of.firewall != Firewall::Open;
    match axis {
        // No datagram comes to the NAT behind this firewall, and each host has one connection, to the relay.
        "mapping" | "filtering" | "hairpin" if udp_blocked => true,
        // Those two have different ports, so whether one may be had twice does not matter.
        "ports" if udp_blocked => with.ports == Ports::Overloading && of.ports == Ports::Preserving,
        // What is sent to a mapping of a neighbour's comes from one that it has never sent to, and the filter drops it.
        "hairpin" => of.mapping == Dependence::AddressAndPort && of.filtering == Dependence::AddressAndPort,
        // There is one to choose from.
        "pooling" => of.addresses <= 1,
        _ => false,
    }
}

#[test]
fn flipping_any_axis_of_any_preset_makes_a_cell_differ() {
    let cells = GridSpec::new(Nomination::Regular, 1).cells();
    let mut flipped = 0;
    for (name, of) in PRESETS {
        for (axis, change) in VALUES {
            let mut with = of;
            change(&mut with);
            if with == of {
                continue;
            }
            flipped += 1;
            let predictions = cells.iter().filter_map(|cell| changed(cell, name, &with));
            let differing: Vec<(CellSpec, Outcome, Outcome)> =
                predictions.filter(|(_, nominal, expected)| nominal != expected).collect();
            let context = format!("{name} with another {axis}: {with:?}");
            if is_moot(&of, &with, axis) {
                assert!(differing.is_empty(), "{context}");
                continue;
            }
            assert!(!differing.is_empty(), "{context} would not be noticed");
            // Where chance decides, some cells differ and others do not; else the first one does, as predicted.
            let by_chance = with.pooling == Pooling::Arbitrary;
            let mut differs =
                differing.iter().take(if by_chance { 20 } else { 1 }).map(|(spec, nominal, expected)| {
                    let cell = Cell::run(spec);
                    let is = outcome(&cell, nominal);
                    let as_predicted = by_chance || outcome(&cell, expected) == *expected;
                    assert!(as_predicted, "{context}\n{cell}\n  is        {is:?}\n  should be {expected:?}");
                    is != *nominal
                });
            assert!(differs.any(|differs| differs), "{context} was not noticed");
        }
    }
    assert!(flipped > 100, "{flipped}");
}

/// The cell with the other box in the place of the preset, what is predicted for the preset, and what for the other.
fn changed(cell: &CellSpec, name: &'static str, with: &Axes) -> Option<(CellSpec, Outcome, Outcome)> {
    let (is_left, is_right) = (cell.left.name == name, cell.right.name == name);
    // A way to hairpin that the cell lays down is none of the box's.
    let own = !matches!(cell.setting, Setting::SameBox { hairpin: Some(_), .. });
    if !own || !is_left && !is_right {
        return None;
    }
    let nominal = case(cell);
    let left = if is_left { *with } else { nominal.left };
    let right = if is_right { *with } else { nominal.right };
    let changed = Case { left, right, ..nominal };
    let spec =
        CellSpec { left: home(cell.left.name, &left), right: home(cell.right.name, &right), ..cell.clone() };
    Some((spec, predict(&nominal), predict(&changed)))
}
