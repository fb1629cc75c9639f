//! The command line: what can be asked for, and the help that explains it.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use floe_core::Role;
use serde::Serialize;

/// Finds a working path between two peers (ICE, RFC 8445) and shows how.
///
/// ICE lets two machines that may both sit behind NATs find a way to send datagrams to each other: each side lists the
/// addresses at which it might be reached, the two lists are exchanged, every combination is tried with a signed
/// question and answer, and the best one that works is used.
#[derive(Parser, Debug)]
#[command(name = "floe", version, max_term_width = 80)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Demo(Demo),
    Connect(Connect),
}

/// Connects two agents on this machine and tells what happened.
///
/// "alice" and "bob" are two complete agents with sockets of their own on this machine's real network interfaces. They
/// gather candidates, exchange descriptions in memory, check every pair, agree on one and move 10,000 datagrams each
/// way over it. Then a short timeline and the statistics are printed.
///
/// The exit status is 0 if both sides agree on the path and no datagram was lost, and 1 otherwise.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Print one JSON document with the same content; all times are in milliseconds
    #[arg(long)]
    pub(crate) json: bool,

    /// What drives the agents' sockets and timers
    #[arg(long, value_name = "NAME", default_value = "tokio")]
    pub(crate) runtime: RuntimeName,
}

#[derive(ValueEnum, Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RuntimeName {
    /// Both on tokio (floe-tokio)
    Tokio,
    /// Both on async-std (floe-async-std)
    AsyncStd,
    /// Both on smol (floe-async-std, with its feature smol)
    Smol,
    /// Alice on tokio, and Bob on async-std
    Mixed,
}

/// Runs one agent whose signalling is this terminal.
///
/// Everything is JSON, one object a line. The agent first prints its own description, {"t":"desc",...}, and waits for
/// the peer's on standard input. Start a second agent of the other role, on any machine, and carry the lines across, by
/// hand or by a program. Then come {"t":"state",...} lines as it makes progress and {"t":"connected",...} when a path is
/// selected. From then on it sends "hello from floe" five times a second, prints each datagram that arrives as
/// {"t":"data",...}, and ends one second after the first; towards a peer whose description has a DTLS fingerprint
/// ("fp"), which sends no text, one second after "connected". What is wrong with the input is told on standard error
/// and ends nothing.
///
/// The exit status is 0 if all that came about, and 1 if the deadline passed first; then a last line
/// {"t":"fail",...} says why.
#[derive(Args, Debug)]
pub(crate) struct Connect {
    /// The part to play: one side must be controlling, the other controlled
    pub(crate) role: RoleName,

    /// Give up after this long without a path
    ///
    /// Once there is a path, a datagram is waited for until then, and for 5 seconds at least.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) deadline: Duration,

    /// Print the description at once, without candidates, and each candidate when it is found (RFC 8838)
    #[arg(long)]
    pub(crate) trickle: bool,

    /// Be a lite agent: answer checks and send none (RFC 8445 §2.5)
    #[arg(long)]
    pub(crate) lite: bool,

    /// Use only the loopback interface, for peers on this machine
    #[arg(long)]
    pub(crate) loopback: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RoleName {
    /// Chooses among the paths that work; by custom the one who calls
    Controlling,
    /// Follows the other side's choice
    Controlled,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Controlling => Self::Controlling,
            RoleName::Controlled => Self::Controlled,
        }
    }
}

/// A deadline: a number of seconds, with or without decimals, over 0 and at most a day.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if seconds > 0.0 && seconds <= 86_400.0 {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("must be over 0 and at most 86400 seconds (a day)".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, String> {
        Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn connect_has_a_role_and_a_deadline_of_half_a_minute() {
        let Command::Connect(connect) = parse("floe connect controlled --trickle").unwrap().command else {
            panic!("not connect");
        };
        assert_eq!(Role::from(connect.role), Role::Controlled);
        assert_eq!(connect.deadline, Duration::from_secs(30));
        assert!(connect.trickle && !connect.loopback && !connect.lite);
    }

    #[test]
    fn a_deadline_may_have_decimals() {
        let Command::Connect(connect) = parse("floe connect controlling --deadline 2.5").unwrap().command
        else {
            panic!("not connect");
        };
        assert_eq!(connect.deadline, Duration::from_millis(2_500));
    }

    #[test]
    fn errors_say_what_is_allowed() {
        let table = [
            ("floe connect", "<ROLE>"),
            ("floe connect leading", "[possible values: controlling, controlled]"),
            ("floe connect controlling --deadline soon", "not a number of seconds"),
            ("floe connect controlling --deadline 0", "must be over 0 and at most 86400 seconds"),
            ("floe connect controlling --deadline NaN", "must be over 0 and at most 86400 seconds"),
            ("floe connect controlling --deadline inf", "must be over 0 and at most 86400 seconds"),
            ("floe demo --runtime glommio", "[possible values: tokio, async-std, smol, mixed]"),
            ("floe demo --xml", "unexpected argument '--xml'"),
            ("floe demmo", "unrecognized subcommand 'demmo'"),
        ];
        for (line, expected) in table {
            let error = parse(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
