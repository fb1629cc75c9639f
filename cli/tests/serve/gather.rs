//! `floe gather` against servers on this machine.

use std::process::Command;

use super::TURN;
use super::client::Server;

fn gather(arguments: &[&str]) -> (String, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_floe"));
    let output = command.args(["gather", "--loopback"]).args(arguments).output().expect("it runs");
    (String::from_utf8(output.stdout).expect("text"), output.status.success())
}

/// Elsewhere, the loopback interface has one address only.
#[cfg(target_os = "linux")]
#[test]
fn each_candidate_is_shown_with_whom_it_came_from_and_what_the_nat_does() {
    let stun = Server::start(&["stun", "--listen", "127.0.0.1:0", "--other", "127.0.0.2:0"], 4);
    let turn = Server::start(&TURN, 2);
    let asked = stun.at[0].to_string();
    let relay = format!("{},alice,secret", turn.at[0]);
    let (text, well) = gather(&["--stun", &asked, "--turn", &relay]);
    let row = |kind: &str| text.lines().find(|line| line.starts_with(kind)).unwrap_or_default().to_owned();
    assert!(well && row("host").contains("this machine"), "{text}");
    assert!(row("relay").contains(&turn.at[0].to_string()) && row("relay").ends_with("ms"), "{text}");
    assert!(text.contains("There is no NAT between this machine and the servers"), "{text}");
    let measured =
        format!("Measured at {asked}:\n  there is no NAT on the way to the server\n  it lets in anyone\n");
    assert!(text.contains(&measured), "{text}");
}

/// Without another address the server shows less, and that is said.
#[test]
fn a_server_with_one_address_leaves_the_filter_unknown() {
    let stun = Server::start(&["stun", "--listen", "127.0.0.1:0"], 1);
    let (text, well) = gather(&["--stun", &stun.at[0].to_string()]);
    assert!(well && text.contains("whom it lets in is unknown: the server has one address only"), "{text}");
}

#[test]
fn what_a_server_said_when_it_refused_is_told() {
    let turn = Server::start(&TURN, 2);
    let relay = format!("{},alice,wrong", turn.at[0]);
    let (text, _) = gather(&["--turn", &relay]);
    assert!(text.contains("it does not take our username and password"), "{text}");
    assert!(!text.lines().any(|line| line.starts_with("relay")), "{text}");
    assert!(text.contains("Nothing is known of a NAT"), "{text}");
}
