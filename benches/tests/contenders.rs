//! Every contender does all of the work, and a session repeats itself.

use floe_benches::contenders;
use floe_benches::rows::{ROWS, Row};

fn sessions() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(|row| row.scenario().is_some_and(|scenario| scenario.candidates <= 5))
}

#[test]
fn everyone_passes_the_judge() {
    for contender in contenders::all() {
        assert!(contender.examine_codec().unwrap().integrity, "{}", contender.name());
        contender.examine_answer().unwrap();
    }
}

#[test]
fn everyone_connects_and_a_session_repeats_itself() {
    for contender in contenders::all() {
        for row in sessions() {
            let survey = contender.survey(row.scenario().unwrap()).unwrap();
            let connected = survey.connected.expect("a path");
            assert!(connected.usable <= connected.selected, "{}, {}", contender.name(), row.title);
            assert_eq!(contender.survey(row.scenario().unwrap()).unwrap(), survey, "{}", contender.name());
        }
    }
}

#[test]
fn names_and_keys_are_unique() {
    let contenders = contenders::all();
    let mut names: Vec<_> = contenders.iter().map(|contender| contender.name()).collect();
    names.extend(ROWS.iter().map(|row| row.key));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
