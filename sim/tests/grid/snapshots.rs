//! The grid as text. `FLOE_UPDATE=1` writes the files anew; then read what has changed.

use floe_core::Nomination;
use floe_sim::grid::{Grid, GridSpec};

#[test]
fn the_grid_with_fast_nomination() {
    compare("fast.txt", &Grid::run(&GridSpec::new(Nomination::Fast, 2)));
}

/// The lines that begin with `#` are for people, and stay when the others are written anew.
#[expect(clippy::unwrap_used, reason = "a snapshot that cannot be read ends the test")]
pub(crate) fn compare(file: &str, grid: &Grid) {
    let path = format!("{}/tests/grid/{file}", env!("CARGO_MANIFEST_DIR"));
    let text: String = grid.cells.iter().map(|cell| format!("{cell}\n")).collect();
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let head: String =
        before.lines().filter(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    if std::env::var_os("FLOE_UPDATE").is_some() {
        std::fs::write(&path, head + &text).unwrap();
    }
    let after = std::fs::read_to_string(&path).unwrap();
    let expected: Vec<&str> = after.lines().filter(|line| !line.starts_with('#')).collect();
    for (is, should) in text.lines().zip(&expected) {
        assert_eq!(is, *should, "set FLOE_UPDATE to write {file} anew, and read what has changed");
    }
    assert_eq!(text.lines().count(), expected.len());
}
