//! What is printed and written, for a small grid and for single cells.

use clap::Parser;
use floe_core::Nomination;
use floe_sim::Preset;
use floe_sim::grid::{Cell, CellSpec, Grid, GridSpec, NamedRouter};

use super::{cell, html, spec, table};
use crate::args::{Cli, Command};
use crate::paint::Paint;

fn preset(name: &str) -> Preset {
    Preset::named(name).unwrap()
}

fn small_grid() -> Grid {
    let routers = ["port_restricted", "symmetric"].map(|name| NamedRouter::from(&preset(name)));
    Grid::run(&GridSpec { routers: routers.to_vec(), nomination: Nomination::Regular, threads: 2 })
}

fn asked(line: &str) -> Result<CellSpec, String> {
    let words = ["floe", "nat"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words).map_err(|error| error.to_string())?.command {
        Command::Nat(args) => Ok(spec(&args, args.left.unwrap())),
        _ => unreachable!("it begins with nat"),
    }
}

#[test]
fn the_table_fits_and_tells_types_and_times() {
    let text = table::text(&small_grid(), Paint::PLAIN);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("ss 2090") && text.contains("--"), "{text}");
    // When data could flow, and how many checks both sent.
    assert!(text.contains("   140 9"), "{text}");
    let coloured = table::text(&small_grid(), Paint::COLOURED);
    assert!(coloured.contains("\x1b[32m") && coloured.contains("\x1b[31m"));
}

#[test]
fn a_cell_says_why_it_has_no_path_and_why_that_path() {
    let of = |line| cell::text(&Cell::run(&asked(line).unwrap()), Paint::PLAIN);
    let text = of("--left symmetric --right port_restricted").replace("\n  ", " ");
    assert!(text.contains("They do not meet."), "{text}");
    assert!(text.contains("The left's NAT shows another address and port to each remote."), "{text}");
    let text = of("--left symmetric --right port-restricted --turn tls").replace("\n  ", " ");
    assert!(
        text.contains("They meet") && text.contains("peer-reflexive") && text.contains("selected:"),
        "{text}"
    );
    let text = of("--left https_only --turn tcp").replace("\n  ", " ");
    assert!(text.contains("firewall lets no datagram out"), "{text}");
}

#[test]
fn a_box_of_its_own_is_the_same_cell_as_in_the_grid() {
    let own = asked("--left easy --same-box isolated").unwrap();
    assert_eq!(asked("--left easy --same-box isolated --hairpin external").unwrap(), own);
    assert_ne!(asked("--left easy --same-box isolated --hairpin none").unwrap(), own);
    assert_eq!(asked("--left easy").unwrap().right.name, "easy");
}

#[test]
fn unknown_names_are_answered_with_the_known_ones() {
    let error = asked("--left cubic").unwrap_err();
    for preset in Preset::ALL {
        assert!(error.contains(preset.name), "{error}");
    }
    assert!(asked("--grid --left easy").is_err() && asked("").is_err());
}

/// What belongs to one question is not swallowed by another.
#[test]
fn options_that_do_not_belong_to_what_is_asked_are_refused() {
    let of_a_cell = [
        "--right easy",
        "--same-box shared",
        "--same-box shared --hairpin none",
        "--right easy --late",
        "--turn",
        "--trace t",
    ];
    let of_a_population = [
        "--sessions 5",
        "--seed 2",
        "--setting ta=20ms",
        "--against ta=20ms",
        "--threads 2",
        "--json",
        "--svg f",
    ];
    let is_taken = |line: &str| {
        let words = ["floe", "nat"].into_iter().chain(line.split_whitespace());
        Cli::try_parse_from(words).is_ok()
    };
    for (of, options) in [
        ("--left easy", &of_a_cell[..]),
        ("--grid", &["--html f"]),
        ("--population m", &of_a_population),
        ("--list", &[]),
    ] {
        assert!(is_taken(of), "{of}");
        for option in of_a_cell.iter().chain(&["--html f"]).chain(&of_a_population) {
            assert_eq!(is_taken(&format!("{of} {option}")), options.contains(option), "{of} {option}");
        }
    }
    assert!(
        !is_taken("--left easy --right easy --hairpin none")
            && !is_taken("--left easy --same-box shared --late")
    );
    for (of, is_chosen) in
        [("--left easy", true), ("--grid", true), ("--population m", false), ("--list", false)]
    {
        assert_eq!(is_taken(&format!("{of} --nomination fast")), is_chosen, "{of}");
    }
}

#[test]
fn numbers_that_no_machine_has_room_for_are_refused() {
    for option in ["--sessions 0", "--sessions 18446744073709551615", "--threads 0", "--threads 200000"] {
        let line = format!("floe nat --population m {option}");
        let error = Cli::try_parse_from(line.split_whitespace()).unwrap_err().to_string();
        assert!(error.contains("is not in 1..="), "{error}");
    }
}

#[test]
fn a_trace_is_lines_of_json_in_the_order_of_time() {
    let (_, decisions) = Cell::run_traced(&asked("--left full_cone --right easy").unwrap());
    let trace = cell::trace(&decisions).unwrap();
    let lines: Vec<serde_json::Value> =
        trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let times: Vec<f64> = lines.iter().map(|line| line["at"].as_f64().unwrap()).collect();
    assert!(lines.len() > 20 && times.is_sorted());
    for side in ["left", "right"] {
        assert!(lines.iter().any(|line| line["side"] == side && line["event"] == "CheckSent"));
    }
}

#[test]
fn the_page_has_every_cell_and_nothing_from_elsewhere() {
    let grid = small_grid();
    let page = html::page(&grid).unwrap();
    assert_eq!(page.matches("data-cell=").count(), grid.cells.len());
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="));
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let first = &data["cells"][0];
    assert_eq!(first["name"], grid.cells[0].spec.to_string());
    let timeline = first["timeline"].as_array().unwrap().iter();
    let lines: Vec<&str> =
        timeline.map(|at| data["lines"][at.as_u64().unwrap() as usize].as_str().unwrap()).collect();
    assert_eq!(lines.join("\n"), grid.cells[0].timeline.trim_end_matches('\n'));
}
