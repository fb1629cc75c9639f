//! `floe connect`, two processes wired to each other or one alone.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests fail by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};

use floe_tokio::{AgentConfig, Config, Credentials, InterfacePolicy, Role};
use serde_json::Value;

/// A running agent. Its lines go to `to_peer` as they come.
struct Agent {
    child: Child,
    stdout: JoinHandle<Vec<Value>>,
    stderr: JoinHandle<String>,
}

/// What has become of an agent.
struct Ended {
    status: ExitStatus,
    lines: Vec<Value>,
    stderr: String,
}

fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_floe"))
        .arg("connect")
        .args(arguments)
        .arg("--loopback")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("floe starts")
}

impl Agent {
    /// Carries what `child` says for its peer to `to_peer`, and hangs up after its last candidate.
    fn watch(child: Child, to_peer: Option<ChildStdin>) -> Self {
        Self::watch_over(child, to_peer, "")
    }

    /// As [`watch`](Self::watch), but the peer is told of those candidates only whose lines name this transport.
    fn watch_over(mut child: Child, to_peer: Option<ChildStdin>, transport: &'static str) -> Self {
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut stderr = child.stderr.take().expect("piped");
        let stdout = thread::spawn(move || {
            let mut to_peer = to_peer;
            let mut seen = Vec::new();
            for line in stdout.lines() {
                let line = line.expect("a line");
                let mut value: Value = serde_json::from_str(&line).expect("JSON on each line");
                if let Some(candidates) = value["cands"].as_array_mut() {
                    candidates.retain(|line| {
                        line.as_str().is_some_and(|line| line.to_lowercase().contains(transport))
                    });
                }
                let kind = value["t"].as_str().expect("a kind").to_owned();
                if ["desc", "cand", "eoc"].contains(&kind.as_str())
                    && let Some(to_peer) = &mut to_peer
                {
                    writeln!(to_peer, "{value}").expect("the peer reads");
                }
                if kind == "eoc" || value["eoc"] == true {
                    to_peer = None;
                }
                seen.push(value);
            }
            seen
        });
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).expect("UTF-8");
            text
        });
        Self { child, stdout, stderr }
    }

    fn end(mut self) -> Ended {
        let status = self.child.wait().expect("it ends");
        let lines = self.stdout.join().expect("stdout is read");
        Ended { status, lines, stderr: self.stderr.join().expect("stderr is read") }
    }
}

/// Two agents, each other's peer. `first` is said to the controlled one before anything else.
fn pair(controlling: &[&str], controlled: &[&str], first: &str) -> [Ended; 2] {
    let mut alice = start(&[&["controlling"], controlling].concat());
    let mut bob = start(&[&["controlled"], controlled].concat());
    let to_alice = alice.stdin.take().expect("piped");
    let mut to_bob = bob.stdin.take().expect("piped");
    to_bob.write_all(first.as_bytes()).expect("bob reads");
    let alice = Agent::watch(alice, Some(to_bob));
    let bob = Agent::watch(bob, Some(to_alice));
    [alice.end(), bob.end()]
}

impl Ended {
    fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.lines.iter().filter(|line| line["t"] == kind).collect()
    }

    fn assert_connected(&self) {
        assert!(self.status.success(), "{}\n{:#?}", self.stderr, self.lines);
        assert_eq!(self.lines[0]["t"], "desc", "the description comes first");
        assert_eq!(self.of_kind("connected").len(), 1);
        let data = self.of_kind("data");
        assert!(!data.is_empty());
        assert!(data.iter().all(|line| line["text"] == "hello from floe"), "{data:?}");
        let states: Vec<&Value> = self.of_kind("state").iter().map(|line| &line["state"]).collect();
        for state in ["checking", "usable", "selected"] {
            assert!(states.iter().any(|seen| *seen == state), "no {state} in {states:?}");
        }
    }
}

#[test]
fn two_of_them_connect_and_hear_each_other() {
    for agent in pair(&[], &[], "") {
        agent.assert_connected();
        assert_eq!(agent.stderr, "");
    }
}

/// Between the two, no candidate of UDP comes through.
#[test]
fn with_tcp_they_connect_without_datagrams() {
    let mut alice = start(&["controlling", "--tcp"]);
    let mut bob = start(&["controlled", "--tcp"]);
    let to_alice = alice.stdin.take().expect("piped");
    let to_bob = bob.stdin.take().expect("piped");
    let alice = Agent::watch_over(alice, Some(to_bob), "tcp");
    let bob = Agent::watch_over(bob, Some(to_alice), "tcp");
    for agent in [alice.end(), bob.end()] {
        agent.assert_connected();
        assert_eq!(agent.stderr, "");
    }
}

#[test]
fn trickling_and_not_trickling_agents_connect() {
    for agent in pair(&["--trickle"], &[], "") {
        agent.assert_connected();
    }

    let [alice, bob] = pair(&["--trickle"], &["--trickle"], "");
    alice.assert_connected();
    bob.assert_connected();
    assert_eq!(alice.lines[0]["cands"], Value::Array(Vec::new()));
    assert_eq!(alice.lines[0]["eoc"], false);
    assert!(!alice.of_kind("cand").is_empty());
    assert_eq!(alice.of_kind("eoc").len(), 1);
}

#[test]
fn what_is_wrong_on_the_way_is_told_and_ends_nothing() {
    let first = concat!(
        "this is not JSON\n",
        "\n",
        r#"{"t":"desc","ufrag":"abcd"}"#,
        "\n",
        r#"{"t":"desc","ufrag":"abcd","pwd":"short"}"#,
        "\n",
        r#"{"t":"weather","sun":1}"#,
        "\n",
        r#"{"t":"cand","cand":"candidate:1 1 QUIC 1 127.0.0.1 9 typ host"}"#,
        "\n",
        r#"{"t":"cand","cand":"a=candidate:1 1 UDP 1 a.peer.local 9 typ host"}"#,
        "\n",
    );
    let [alice, bob] = pair(&[], &[], first);
    alice.assert_connected();
    bob.assert_connected();
    let told: Vec<&str> = bob.stderr.lines().collect();
    let expected = [
        "floe: line 1 is not JSON: expected ident at line 1 column 2",
        "floe: line 3 is of kind `desc`, but missing field `pwd`",
        "floe: line 4 has a description that cannot be used: ice-pwd has 5 characters, not 22 to 256 (RFC 8839 \
         section 5.4)",
        "floe: warning: line 5 skipped: unknown kind `weather`",
        "floe: warning: line 6: candidate skipped: unknown candidate transport \"QUIC\"",
        "floe: warning: line 7: candidate skipped: the candidate's address is a name that cannot be resolved \
         (`candidate:1 1 UDP 1 a.peer.local 9 typ host`)",
    ];
    assert_eq!(told, expected);
}

#[test]
fn without_a_peer_the_deadline_ends_it_and_says_why() {
    let mut child = start(&["controlling", "--deadline", "1"]);
    drop(child.stdin.take());
    let ended = Agent::watch(child, None).end();
    assert_eq!(ended.status.code(), Some(1));
    let last = ended.lines.last().expect("a line");
    assert_eq!(last["t"], "fail");
    assert_eq!(last["why"], "nothing came from the peer by signalling");
    assert_eq!(ended.stderr, "floe: no connection: nothing came from the peer by signalling\n");
}

#[test]
fn with_a_peer_that_does_not_answer_the_failure_names_the_pairs() {
    // Bound and never read: nobody answers there.
    let deaf = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
    let port = deaf.local_addr().expect("an address").port();
    let mut child = start(&["controlled", "--deadline", "1"]);
    let mut stdin = child.stdin.take().expect("piped");
    let candidate = format!("candidate:1 1 UDP 2130706431 127.0.0.1 {port} typ host");
    writeln!(
        stdin,
        r#"{{"t":"desc","ufrag":"abcd","pwd":"0123456789012345678901","cands":["{candidate}"],"eoc":true}}"#
    )
    .expect("it reads");
    let ended = Agent::watch(child, None).end();
    assert_eq!(ended.status.code(), Some(1));
    let last = ended.lines.last().expect("a line");
    assert_eq!(last["t"], "fail");
    let why = last["why"].as_str().expect("a reason");
    assert!(why.contains("was answered and none of the peer's arrived"), "{why}");
    let pairs = last["pairs"].as_array().expect("pairs");
    assert!(
        pairs.iter().any(|pair| pair.as_str().is_some_and(|pair| pair.contains(&port.to_string()))),
        "{pairs:?}"
    );
    drop(deaf);
}

#[tokio::test]
async fn a_peer_with_a_fingerprint_need_not_send_text() {
    let agent = AgentConfig { role: Role::Controlling, ..Default::default() };
    let interfaces = InterfacePolicy::loopback_only();
    let silent = floe_tokio::bind(Config { agent, interfaces, ..Default::default() }).await.expect("bound");
    let description = silent.local_description();
    let candidates: Vec<String> = description.candidates.iter().map(ToString::to_string).collect();
    let described = serde_json::json!({
        "t": "desc",
        "ufrag": description.credentials.ufrag(),
        "pwd": description.credentials.password(),
        "cands": candidates,
        "eoc": true,
        "fp": "sha-256 00:11",
    });
    let mut child = start(&["controlled"]);
    writeln!(child.stdin.take().expect("piped"), "{described}").expect("it reads");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    let theirs: Value = serde_json::from_str(&line).expect("JSON");
    let text = |field: &str| theirs[field].as_str().expect("text").to_owned();
    silent
        .set_remote_credentials(Credentials::new(text("ufrag"), text("pwd")).expect("credentials"))
        .expect("credentials are taken");
    for candidate in theirs["cands"].as_array().expect("candidates") {
        let candidate = candidate.as_str().expect("text").parse().expect("a candidate");
        silent.add_remote_candidate(&candidate).expect("it is of use");
    }
    let (status, rest) = tokio::task::spawn_blocking(move || {
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).expect("UTF-8");
        (child.wait().expect("it ends"), rest)
    })
    .await
    .expect("it is watched");
    assert!(status.success(), "{rest}");
    assert!(rest.contains(r#""t":"connected""#) && !rest.contains(r#""t":"data""#), "{rest}");
}
