//! Every input that is kept in `fuzz/corpus` plays without a finding, on stable too.
#![allow(clippy::unwrap_used, reason = "a test may end with a panic")]

use std::fs;
use std::path::PathBuf;

use floe_fuzz_harness::{
    agent_raw, agent_signed, candidate, commands, description, discovery, framing, turn_client, wire,
};

fn replay(target: &str, run: fn(&[u8])) {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "corpus", target].iter().collect();
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{} has {} inputs", folder.display(), files.len());
    for file in files {
        let data = fs::read(&file).unwrap();
        if let Err(panic) = std::panic::catch_unwind(|| run(&data)) {
            eprintln!("the input was {}", file.display());
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn wire_messages_replay() {
    replay("wire", wire::run);
}

#[test]
fn streams_of_frames_replay() {
    replay("framing", framing::run);
}

#[test]
fn candidate_lines_replay() {
    replay("candidate", candidate::run);
}

#[test]
fn descriptions_replay() {
    replay("description", description::run);
}

#[test]
fn strangers_replay() {
    replay("agent_raw", agent_raw::run);
}

#[test]
fn peers_that_know_the_password_replay() {
    replay("agent_signed", agent_signed::run);
}

#[test]
fn whole_lives_replay() {
    replay("commands", commands::run);
}

#[test]
fn servers_that_mean_no_good_replay() {
    replay("turn_client", turn_client::run);
}

#[test]
fn nats_that_are_measured_replay() {
    replay("discovery", discovery::run);
}
