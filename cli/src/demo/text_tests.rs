//! The text of fixed documents.

use std::time::Duration;

use super::*;
use crate::demo::document::{CandidateLine, tests::view};
use crate::demo::timeline::{self, timeline};
use crate::millis::Millis;
use crate::stats::Percentiles;

fn ms(micros: u64) -> Millis {
    Millis(Duration::from_micros(micros))
}

fn gathered(role: &'static str, address: &str) -> Gathered {
    let candidate =
        CandidateLine { kind: "host", address: address.parse().unwrap(), priority: 2_130_706_431 };
    Gathered { role, candidates: vec![candidate] }
}

fn document() -> Document {
    let told = timeline(&timeline::tests::trace());
    let alice = view("[fd00::1]:1", "[fd00::2]:2");
    let bob = view("[fd00::2]:2", "[fd00::1]:1");
    let way = Direction { sent: 10_000, received: 10_000, lost: 0 };
    Document {
        well: true,
        loopback: false,
        runtime: RuntimeName::Tokio,
        alice: gathered("controlling", "[fd00::1]:1"),
        bob: gathered("controlled", "[fd00::2]:2"),
        selected: Selected::conclude(alice, bob, &told.paths, &told.steps),
        paths: told.paths,
        steps: told.steps,
        moved: Moved {
            bytes_each: 100,
            window: 32,
            alice_to_bob: way,
            bob_to_alice: way,
            unanswered: 0,
            round_trip_ms: Some(Percentiles { p50: ms(40), p90: ms(50), p99: ms(70), max: ms(1_400) }),
            took_ms: ms(312_000),
        },
    }
}

#[test]
fn the_whole_page_reads_like_this() {
    let expected = r#"floe demo: two ICE agents on this machine find a path to each other

Gathered  Each side lists the addresses at which it might be reached: its
          candidates.
  alice, controlling: will choose the path
    host   [fd00::1]:1                       priority 2130706431
  bob, controlled: will follow
    host   [fd00::2]:2                       priority 2130706431

Paired    Each of alice's with each of bob's that it can talk to makes 2 paths,
          numbered by priority.
  path 1   alice [fd00::1]:1 <> bob [fd00::2]:2
  path 2   alice 10.0.0.1:1 <> bob 10.0.0.2:2

Checked   A check (-->) is a signed question: "do you hear me on this path?".
          Its answer (..>) proves that the path works there and back. Each side
          starts a new check every 50 ms at most, so that no network is flooded.
          On the left, ms since the start.
     0.10  alice --> bob   alice checks path 1
     0.21  alice <-- bob   bob checks path 1 too (triggered by alice's)
     0.31  alice <.. bob   bob answers, after 0.21 ms: path 1 works
     0.32  alice ..> bob   alice answers, after 0.11 ms: path 1 works
     0.40  alice --> bob   alice nominates path 1: "let us use it"
     0.46            bob   bob selects path 1 for the data
     0.50  alice <.. bob   bob agrees, after 0.10 ms
     0.51  alice           alice selects path 1 for the data

Selected  Path 1, 0.51 ms after the start. It could carry data from 0.32 ms on.
  alice  is at host [fd00::1]:1  and sends to host [fd00::2]:2
  bob    is at host [fd00::2]:2  and sends to host [fd00::1]:1
  Why: it is the first that was proven to work, and none has a higher priority;
  the other one was not needed.
  Both agree: each one's own address is the address that the other sends to.

Moved     Numbered datagrams of 100 bytes there, and an echo of each back, at
          most 32 under way at once.
  alice --> bob    sent 10,000   received 10,000   lost 0
  bob   --> alice  sent 10,000   received 10,000   lost 0
  round trip       p50 0.04   p90 0.05   p99 0.07   max 1.40   (ms)
  took             312.00 ms

All is well: both sides use the same path and nothing was lost.
"#;
    assert_eq!(text(&document(), Paint::PLAIN), expected);
}

#[test]
fn colours_change_nothing_but_colours() {
    let coloured = text(&document(), Paint::COLOURED);
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, behind)) = rest.split_once('\x1b') {
        stripped.push_str(before);
        rest = behind.split_once('m').unwrap().1;
    }
    stripped.push_str(rest);
    // A coloured blank keeps the line from being trimmed.
    let trimmed = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert_ne!(coloured, stripped);
    assert_eq!(trimmed(&stripped), trimmed(&text(&document(), Paint::PLAIN)));
}

#[test]
fn many_candidates_and_long_addresses_stay_short() {
    let mut document = document();
    let long = |n: u16| format!("[2001:db8:1111:2222:3333:4444:5555:{n:x}]:65535").parse().unwrap();
    document.alice.candidates = (0x1000..0x1020)
        .map(|n| CandidateLine { kind: "srflx", address: long(n), priority: u32::MAX })
        .collect();
    document.paths = (1..=400)
        .map(|number| PathLine { number, alice: long(0x1000), bob: long(0x2000), priority: 1 })
        .collect();
    let step = document.steps[0].clone();
    let learned = What::Learned { whose: Side::Bob, address: long(0x3000) };
    document.steps = (0..90).map(|_| Step { what: learned.clone(), ..step.clone() }).collect();
    document.selected.alice.local = long(0x1000);
    document.selected.alice.remote = long(0x2000);

    let text = text(&document, Paint::PLAIN);
    let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest <= WIDTH, "{longest} columns:\n{text}");
    for expected in ["... 27 more candidates ...", "... 395 more paths ...", "... 67 more steps ..."] {
        assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
    assert!(text.lines().count() < 90, "{text}");
    assert!(text.contains("path 400"), "the last is not elided:\n{text}");
}

#[test]
fn what_is_not_well_is_said() {
    let mut lossy = document();
    lossy.well = false;
    lossy.moved.bob_to_alice = Direction { sent: 10_000, received: 9_997, lost: 3 };
    let mut wrong = document();
    (wrong.well, wrong.moved.unanswered) = (false, 1);
    assert!(text(&wrong, Paint::PLAIN).ends_with("do not add up.\n"));

    lossy.moved.unanswered = 3;
    let red = text(&lossy, Paint::COLOURED);
    assert!(red.contains("\x1b[31mlost 3\x1b[0m") && red.contains("   lost 0\n"), "{red}");
    let lossy = text(&lossy, Paint::PLAIN);
    assert!(lossy.contains("received  9,997   lost 3\n"), "{lossy}");
    assert!(lossy.ends_with("\nNot well: datagrams were lost.\n"), "{lossy}");

    let mut divided = document();
    (divided.well, divided.selected.agreed, divided.loopback) = (false, false, true);
    let divided = text(&divided, Paint::PLAIN);
    assert!(divided.contains("so this is over loopback."), "{divided}");
    assert!(divided.ends_with("\nNot well: the two sides do not use the same path.\n"), "{divided}");
}

#[test]
fn another_runtime_than_the_usual_one_is_told() {
    let told = |runtime| text(&Document { runtime, ..document() }, Paint::PLAIN);
    assert!(!told(RuntimeName::Tokio).contains(" on tokio"));
    assert!(told(RuntimeName::AsyncStd).contains("\nBoth run on async-std.\n"));
    assert!(told(RuntimeName::Smol).contains("\nBoth run on smol.\n"));
    assert!(told(RuntimeName::Mixed).contains("\nAlice runs on tokio, and Bob on async-std.\n"));
}

#[test]
fn numbers_are_grouped_by_thousands() {
    assert_eq!([7, 999, 1_000, 10_000, 1_234_567].map(grouped), ["7", "999", "1,000", "10,000", "1,234,567"]);
}
