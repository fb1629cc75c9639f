//! `floe nat --population`, run as a user runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end with a panic")]

use std::process::{Command, Output};

use serde_json::Value;

const MIX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/mixes/internet.toml");

fn floe(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_floe")).arg("nat").args(args).output().unwrap()
}

fn json(args: &[&str]) -> Value {
    let output = floe(&[&["--population", MIX, "--json"], args].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_document_whatever_the_number_of_threads() {
    let run = |threads, seed| json(&["--sessions", "300", "--seed", seed, "--threads", threads]);
    let one = run("1", "7");
    assert_eq!(one, run("2", "7"));
    assert_eq!(one, run("5", "7"));
    assert_ne!(one, run("2", "8"));
    let setting = &one["settings"][0];
    let count = |of: &str| setting[of]["sessions"].as_u64().unwrap();
    assert_eq!(count("direct") + count("relayed") + setting["failed"].as_u64().unwrap(), 300);
    // Of these 300 sessions, whose shares are far from certain.
    assert!((200..=260).contains(&count("direct")), "{setting}");
    assert!(setting["connected"]["selected_ms"]["p50"].as_f64().unwrap() > 20.0);
}

#[test]
fn two_settings_are_compared_over_the_same_sessions() {
    let both = json(&["--sessions", "100", "--against", "nomination=regular"]);
    let selected = |n: usize| both["settings"][n]["direct"]["selected_ms"]["p50"].as_f64().unwrap();
    assert!(selected(1) > selected(0) + 500.0, "regular nomination waits: {both}");
    assert_eq!(both["settings"][1]["setting"], "nomination=regular");

    for (more, says) in
        [(&[][..], "Who did not connect directly"), (&["--against", "ta=20ms"], "default against ta=20ms")]
    {
        let output = floe(&[&["--population", MIX, "--sessions", "50"], more].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(says), "{text}");
        // But for the first line, which has the file's name.
        assert!(text.lines().skip(1).all(|line| line.chars().count() <= 80), "{text}");
    }
}

#[test]
fn a_plot_is_written_and_a_wrong_mix_is_told_with_its_place() {
    let folder = std::env::temp_dir().join(format!("floe-population-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let plot = file("plot.svg");
    assert!(floe(&["--population", MIX, "--sessions", "50", "--svg", &plot]).status.success());
    let svg = std::fs::read_to_string(&plot).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("selected, default"));

    let wrong = file("wrong.toml");
    std::fs::write(&wrong, "[[home]]\nname = 'x'\nshare = 1\nrouters = ['soft']\n").unwrap();
    let output = floe(&["--population", &wrong]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(told.contains("\"soft\", which is not known; there are full_cone, "), "{told}");
    std::fs::remove_dir_all(&folder).unwrap();
}
