//! The prediction, cell by cell, and what everybody may expect of a cell.

use floe_core::Nomination;
use floe_sim::grid::{Cell, Grid, GridSpec, LATE, Setting};
use floe_sim::scenario::{TurnReach, secs};
use floe_sim::{Instant, Preset};

use super::axes::{Firewall, PRESETS, axes};
use super::predictor::predict;
use super::translation::{case, home, outcome};

#[test]
fn every_cell_agrees_with_the_prediction() {
    let grid = Grid::run(&GridSpec::new(Nomination::Regular, 2));
    let mut wrong = Vec::new();
    for cell in &grid.cells {
        let predicted = predict(&case(&cell.spec));
        let is = outcome(cell, &predicted);
        if is != predicted {
            wrong.push(format!("{cell}\n  is        {is:?}\n  should be {predicted:?}"));
        }
    }
    let all = grid.cells.len();
    assert!(wrong.is_empty(), "{} of {all} cells differ:\n{}", wrong.len(), wrong.join("\n"));
    grid.cells.iter().for_each(is_in_time);
    grid.cells.iter().for_each(is_helped_by_a_relay);
    super::snapshots::compare("regular.txt", &grid);
}

/// A path within three seconds since both sides know of each other, or a trouble that is told within five.
fn is_in_time(cell: &Cell) {
    let late = if cell.spec.setting == Setting::ApartLate { LATE } else { secs(0) };
    for side in [&cell.left, &cell.right] {
        match &side.selected {
            Some((at, _)) => {
                assert!(cell.agrees, "{cell}\n{}", cell.timeline);
                assert!(*at <= Instant::ZERO + late + secs(3), "{cell}\n{}", cell.timeline);
            }
            None => {
                let told = side.troubles.first().map(|(at, _)| *at);
                assert!(told.is_some_and(|at| at <= Instant::ZERO + secs(5)), "{cell}\n{}", cell.timeline);
            }
        }
    }
}

/// Where the firewalls of both boxes let the way to the relay through, there is a path.
fn is_helped_by_a_relay(cell: &Cell) {
    let Some(relay) = cell.spec.relay else { return };
    let passes = |name| match (axes(name).firewall, relay) {
        (Firewall::Open, _) | (_, TurnReach::Tls) => true,
        (Firewall::TcpOnly, reach) => reach == TurnReach::Tcp,
        (Firewall::WebOnly, _) => false,
    };
    if passes(cell.spec.left.name) && passes(cell.spec.right.name) {
        assert!(cell.left.selected.is_some() && cell.right.selected.is_some(), "{cell}\n{}", cell.timeline);
    }
}

#[test]
fn presets_have_the_axes_that_are_documented() {
    assert_eq!(Preset::ALL.len(), PRESETS.len());
    for (preset, (name, axes)) in Preset::ALL.iter().zip(PRESETS) {
        assert_eq!(preset.name, name);
        let (mut is, should) = (preset.router(), home(name, &axes).router);
        // How long it remembers is no matter of who meets whom.
        if let (Some(is), Some(should)) = (&mut is.nat, &should.nat) {
            (is.lifetime, is.refresh) = (should.lifetime, should.refresh);
        }
        assert_eq!(is, should, "{name}");
    }
}

#[test]
fn threads_change_nothing() {
    let mut spec = GridSpec::new(Nomination::Fast, 1);
    spec.routers.truncate(3);
    let text = |spec: &GridSpec| {
        let cells = Grid::run(spec).cells;
        cells.iter().map(|cell| format!("{cell}\n{}", cell.timeline)).collect::<String>()
    };
    let one = text(&spec);
    spec.threads = 3;
    assert_eq!(one, text(&spec));
}
