//! `floe demo` on this machine, as a whole.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use std::process::{Command, Output};

use serde_json::Value;

fn floe(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_floe")).args(arguments).output().expect("floe runs")
}

#[test]
fn as_json_it_tells_of_two_ends_that_agree_and_lose_nothing() {
    let output = floe(&["demo", "--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert!(output.status.success(), "{document:#}");
    assert_eq!(document["well"], true);
    assert_eq!(document["selected"]["agreed"], true);
    assert_eq!(document["selected"]["alice"]["local"], document["selected"]["bob"]["remote"]);
    assert_eq!(document["selected"]["alice"]["remote"], document["selected"]["bob"]["local"]);
    for way in ["alice_to_bob", "bob_to_alice"] {
        let way = &document["moved"][way];
        assert_eq!(
            (&way["sent"], &way["received"], &way["lost"]),
            (&10_000.into(), &10_000.into(), &0.into())
        );
    }
    for side in ["alice", "bob"] {
        assert!(!document[side]["candidates"].as_array().expect("candidates").is_empty());
    }
    let steps = document["steps"].as_array().expect("steps");
    assert!(steps.iter().any(|step| step["what"] == "check" && step["nominates"] == true), "{document:#}");
    assert!(steps.iter().all(|step| step["ms"].is_number()), "{document:#}");
}

#[test]
fn it_connects_on_every_runtime() {
    for runtime in ["tokio", "async-std", "smol", "mixed"] {
        let output = floe(&["demo", "--runtime", runtime, "--json"]);
        let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        assert!(output.status.success(), "{runtime}: {document:#}");
        assert_eq!((&document["runtime"], &document["well"]), (&runtime.into(), &true.into()));
    }
}

#[test]
fn with_a_relay_it_starts_there_goes_direct_under_traffic_and_loses_nothing() {
    let output = floe(&["demo", "--relay", "--json"]);
    let story: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert!(output.status.success(), "{story:#}");
    for way in ["alice_to_bob", "bob_to_alice"] {
        let count = |what: &str| story[way][what].as_u64().unwrap_or_default();
        assert!(count("relayed") > 0 && count("direct") > 0, "{story:#}");
        assert_eq!((count("relayed") + count("direct"), 0), (count("received"), count("lost")));
    }
    let steps = story["steps"].as_array().expect("steps");
    let place = |text: &str| {
        let is_it = |step: &Value| step["what"].as_str().is_some_and(|what| what.starts_with(text));
        steps.iter().position(is_it).unwrap_or_else(|| panic!("no {text}: {story:#}"))
    };
    let moments = ["selects relay", "both may tell", "selects host"].map(place);
    assert!(moments.is_sorted(), "{story:#}");
}

#[test]
fn as_text_it_fits_a_terminal_and_has_no_colours_in_a_pipe() {
    let output = floe(&["demo"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{text}");
    for section in ["Gathered", "Paired", "Checked", "Selected", "Moved", "All is well"] {
        assert!(text.lines().any(|line| line.starts_with(section)), "no {section}:\n{text}");
    }
    let longest = text.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(80), "{longest:?} columns:\n{text}");
    assert!(!text.contains('\x1b'), "{text:?}");
}

#[test]
fn help_is_there_and_a_wrong_word_is_told() {
    let help = floe(&["--help"]);
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("Finds a working path between two peers"));
    let wrong = floe(&["dance"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("unrecognized subcommand 'dance'"));
}
