//! The command line: what can be asked for, and the help that explains it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use floe_core::Role;
use serde::Serialize;

use crate::nat::Nat;
use crate::servers::Servers;

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
    Gather(Gather),
    Nat(Box<Nat>),
    #[command(subcommand)]
    Serve(Serve),
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

    /// Start on a relay, and go direct while data flows
    ///
    /// A TURN server runs within the demo, on the loopback interface. Both agents tell each other of relayed addresses only, and
    /// data flows over these, a datagram each millisecond. Then each may tell of its own addresses, and the timeline shows the move.
    #[arg(long, conflicts_with = "runtime")]
    pub(crate) relay: bool,
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
/// {"t":"data",...}, and ends one second (--stay) after the first; towards a peer whose description has a DTLS fingerprint
/// ("fp"), which sends no text, as long after "connected". What is wrong with the input is told on standard error
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

    /// Go on for this long after the first datagram, to see whether the path holds
    ///
    /// Under a second, the peer may not get its datagram.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(crate) stay: Duration,

    /// Print the description at once, without candidates, and each candidate when it is found (RFC 8838)
    #[arg(long)]
    pub(crate) trickle: bool,

    /// Be a lite agent: answer checks and send none (RFC 8445 §2.5)
    #[arg(long)]
    pub(crate) lite: bool,

    /// Use only the loopback interface, for peers on this machine
    #[arg(long)]
    pub(crate) loopback: bool,

    /// Offer TCP candidates as well (RFC 6544): datagrams are preferred where they get through
    #[arg(long, conflicts_with = "lite")]
    pub(crate) tcp: bool,

    #[command(flatten)]
    pub(crate) servers: Servers,

    /// Tell the peer of relayed candidates only, and use no other path
    #[arg(long, requires = "turn")]
    pub(crate) relay_only: bool,
}

/// Shows the candidates that this machine has: its own addresses, how servers see it, and what relays give.
///
/// Each is shown with whom it came from and when. What a server said when it gave nothing is told. Then the NAT in between is
/// measured at a STUN server that answered, best one with another address, then one of IPv4 (RFC 5780): how it maps, whom it lets in, whether two hosts behind it meet
/// through it, and what that means for connections. A server without another address shows less; where a NAT filters, it takes some 15 seconds.
#[derive(Args, Debug)]
pub(crate) struct Gather {
    #[command(flatten)]
    pub(crate) servers: Servers,

    /// Wait no longer than this
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) patience: Duration,

    /// Use only the loopback interface
    #[arg(long)]
    pub(crate) loopback: bool,

    /// Find out how long the NAT keeps a mapping without traffic, too
    ///
    /// This takes many minutes, and a server that answers to another port when it is asked to (RESPONSE-PORT, RFC 5780).
    #[arg(long, requires = "stun")]
    pub(crate) lifetime: bool,
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

/// Runs a STUN or a TURN server on this machine until it is interrupted.
///
/// These are the servers that floe is tested against. They print a line for whatever they decide.
#[derive(Subcommand, Debug)]
pub(crate) enum Serve {
    Stun(ServeStun),
    Turn(ServeTurn),
}

/// Tells everybody who asks over UDP what their address is (STUN, RFC 8489).
#[derive(Args, Debug)]
pub(crate) struct ServeStun {
    /// Where to listen; port 0 takes any. May be repeated
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:3478", value_parser = place)]
    pub(crate) listen: Vec<SocketAddr>,

    /// Another address and port of this machine, so that clients can find out what NAT they are behind (RFC 5780)
    ///
    /// The first address that is listened on is asked at this port too, and this one at the first's port.
    #[arg(long, value_name = "IP:PORT", value_parser = place)]
    pub(crate) other: Option<SocketAddr>,

    /// Answer to another port of the client if it asks for that, so that it can find out how long a mapping lives (RFC 5780)
    #[arg(long)]
    pub(crate) response_port: bool,
}

/// Relays for users who have no direct path (TURN, RFC 8656), over UDP, TCP and TLS.
///
/// Data is relayed as UDP. It is refused towards loopback, link-local and multicast addresses; only a server that relays from
/// the loopback interface itself does so towards there.
#[derive(Args, Debug)]
pub(crate) struct ServeTurn {
    /// Where to listen, over UDP and TCP; port 0 takes any. May be repeated
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:3478", value_parser = place)]
    pub(crate) listen: Vec<SocketAddr>,

    /// Who may use it. May be repeated
    #[arg(long, value_name = "NAME:PASSWORD", required = true, value_parser = user)]
    pub(crate) user: Vec<(String, String)>,

    /// What users belong to: part of what their keys are made of
    #[arg(long, default_value = "floe")]
    pub(crate) realm: String,

    /// The address to relay from, one of each family at the most; by default those that are listened on
    #[arg(long, value_name = "IP", value_parser = address)]
    pub(crate) relay_ip: Vec<IpAddr>,

    /// How many relayed addresses there may be
    #[arg(long, value_name = "N", default_value = "1000")]
    pub(crate) max_allocations: usize,

    /// How many allocations a user may have
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) quota: usize,

    /// Where to listen over TLS; port 0 takes any. May be repeated
    #[arg(long, value_name = "IP:PORT", requires = "tls_cert", value_parser = place)]
    pub(crate) tls_listen: Vec<SocketAddr>,

    /// The certificate for TLS and those that it depends on, as PEM
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "tls_listen"])]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The certificate's private key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

impl ServeTurn {
    /// For one user, on the loopback interface and at any port.
    pub(crate) fn on_loopback((name, password): (&str, &str)) -> Self {
        Self {
            listen: vec![(std::net::Ipv4Addr::LOCALHOST, 0).into()],
            user: vec![(name.to_owned(), password.to_owned())],
            realm: "floe".to_owned(),
            relay_ip: Vec::new(),
            max_allocations: 10,
            quota: 10,
            tls_listen: Vec::new(),
            tls_cert: None,
            tls_key: None,
        }
    }
}

/// One address and a port. An answer has to leave the address that was asked, so that none that stands for several will do.
fn place(text: &str) -> Result<SocketAddr, String> {
    let place: SocketAddr = text.parse().map_err(|_| "not an IP address and a port".to_owned())?;
    address(&place.ip().to_string()).map(|_| place)
}

fn address(text: &str) -> Result<IpAddr, String> {
    let ip: IpAddr = text.parse().map_err(|_| "not an IP address".to_owned())?;
    if ip.is_unspecified() || ip.is_multicast() {
        return Err("must be one address of this machine".to_owned());
    }
    Ok(ip)
}

fn user(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, password)) if !name.is_empty() && !password.is_empty() => {
            Ok((name.to_owned(), password.to_owned()))
        }
        _ => Err("must be a name and a password with a colon between".to_owned()),
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
        assert_eq!((connect.deadline, connect.stay), (Duration::from_secs(30), Duration::from_secs(1)));
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
            ("floe serve stun --listen 0.0.0.0:3478", "must be one address of this machine"),
            ("floe serve stun --listen 127.0.0.1", "not an IP address and a port"),
            ("floe serve turn", "--user <NAME:PASSWORD>"),
            ("floe serve turn --user alice", "must be a name and a password with a colon between"),
            ("floe serve turn --user a:b --relay-ip ::", "must be one address of this machine"),
            ("floe serve turn --user a:b --tls-listen 127.0.0.1:0", "--tls-cert <FILE>"),
            ("floe serve turn --user a:b --tls-cert c.pem --tls-listen 127.0.0.1:0", "--tls-key <FILE>"),
            ("floe demmo", "unrecognized subcommand 'demmo'"),
        ];
        for (line, expected) in table {
            let error = parse(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
