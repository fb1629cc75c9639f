//! Data over a path: one side sends numbered datagrams with the time of sending, the other echoes each. What does not
//! come back in time is counted and never waited for again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use floe_driver::{Connection, Runtime};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::document::{Direction, Moved};
use crate::error::Error;
use crate::millis::Millis;
use crate::stats::Percentiles;

/// How many datagrams are sent each way.
const COUNT: u32 = 10_000;
/// How many are under way at most: few enough for the smallest socket buffer.
const WINDOW: usize = 32;
/// UDP payload of each datagram.
const BYTES: usize = 100;
/// An echo that takes longer is lost.
const PATIENCE: Duration = Duration::from_millis(300);

/// After so many losses the path is bad enough: no more are sent, so that the demo ends soon.
const MOST_LOSSES: usize = 30;

/// What the asking side has counted.
#[derive(Debug)]
pub(crate) struct Asked {
    sent: u32,
    /// Echoes.
    received: u32,
    /// Datagrams without an echo.
    unanswered: u32,
    round_trips: Vec<Duration>,
    took: Duration,
}

/// What the echoing side has counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echoed {
    received: u32,
    sent: u32,
}

/// Sends all datagrams and waits for their echoes.
pub(crate) async fn ask<R: Runtime>(connection: &Connection<R>) -> Result<Asked, Error> {
    let start = Instant::now();
    let mut book = Book::default();
    loop {
        while let Some(number) = book.next_to_send() {
            let now = start.elapsed();
            book.on_sent(number, now);
            connection.send(&Datagram { kind: Kind::Ask, number, sent_at: now }.to_bytes()).await?;
        }
        let Some(oldest) = book.oldest() else { break };
        match timeout_at(start + oldest + PATIENCE, connection.recv()).await {
            Ok(payload) => {
                if let Some(Datagram { kind: Kind::Echo, number, sent_at }) = Datagram::parse(&payload?) {
                    book.on_echo(number, start.elapsed().saturating_sub(sent_at));
                }
            }
            Err(_) => book.on_patience_lost(),
        }
    }
    Ok(book.close(start.elapsed()))
}

/// Echoes each datagram once, until the other side has finished.
pub(crate) async fn echo<R: Runtime>(
    connection: &Connection<R>,
    mut finished: oneshot::Receiver<()>,
) -> Result<Echoed, Error> {
    let mut seen = BTreeSet::new();
    let mut sent = 0;
    loop {
        let payload = tokio::select! {
            biased;
            payload = connection.recv() => payload?,
            _ = &mut finished => break,
        };
        if let Some(Datagram { kind: Kind::Ask, number, sent_at }) = Datagram::parse(&payload)
            && number < COUNT
            && seen.insert(number)
        {
            connection.send(&Datagram { kind: Kind::Echo, number, sent_at }.to_bytes()).await?;
            sent += 1;
        }
    }
    Ok(Echoed { received: u32::try_from(seen.len()).unwrap_or(u32::MAX), sent })
}

impl Moved {
    /// Puts both sides' counts together.
    pub(crate) fn from_both(asked: Asked, echoed: Echoed) -> Self {
        let way =
            |sent: u32, received: u32| Direction { sent, received, lost: sent.saturating_sub(received) };
        Self {
            bytes_each: BYTES,
            window: WINDOW,
            alice_to_bob: way(asked.sent, echoed.received),
            bob_to_alice: way(echoed.sent, asked.received),
            unanswered: asked.unanswered,
            round_trip_ms: Percentiles::of(asked.round_trips),
            took_ms: Millis(asked.took),
        }
    }
}

/// Which datagrams are to be sent, under way, answered and given up.
#[derive(Default)]
struct Book {
    next: u32,
    /// When each was sent. The lowest number is the oldest.
    under_way: BTreeMap<u32, Duration>,
    given_up: BTreeSet<u32>,
    round_trips: Vec<Duration>,
}

impl Book {
    fn next_to_send(&self) -> Option<u32> {
        let goes_on = self.next < COUNT && self.given_up.len() < MOST_LOSSES;
        (goes_on && self.under_way.len() < WINDOW).then_some(self.next)
    }

    fn on_sent(&mut self, number: u32, now: Duration) {
        self.next = number + 1;
        self.under_way.insert(number, now);
    }

    /// When the oldest that is under way was sent.
    fn oldest(&self) -> Option<Duration> {
        self.under_way.values().next().copied()
    }

    /// An echo that comes late still counts as one; a second echo does not.
    fn on_echo(&mut self, number: u32, round_trip: Duration) {
        if self.under_way.remove(&number).is_some() || self.given_up.remove(&number) {
            self.round_trips.push(round_trip);
        }
    }

    fn on_patience_lost(&mut self) {
        if let Some((number, _)) = self.under_way.pop_first() {
            self.given_up.insert(number);
        }
    }

    fn close(self, took: Duration) -> Asked {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Asked {
            sent: self.next,
            received: count(self.round_trips.len()),
            unanswered: count(self.given_up.len()),
            round_trips: self.round_trips,
            took,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Ask,
    Echo,
}

/// Kind, number and time of sending; the rest is padding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Datagram {
    kind: Kind,
    number: u32,
    /// On the asking side's clock.
    sent_at: Duration,
}

impl Datagram {
    fn to_bytes(self) -> [u8; BYTES] {
        // Letters: a first byte of 0 to 3 would be taken for STUN (RFC 7983 §7).
        let kind = match self.kind {
            Kind::Ask => b'a',
            Kind::Echo => b'e',
        };
        let nanos = u64::try_from(self.sent_at.as_nanos()).unwrap_or(u64::MAX);
        let fields = [kind].into_iter().chain(self.number.to_be_bytes()).chain(nanos.to_be_bytes());
        let mut bytes = [0; BYTES];
        for (slot, byte) in bytes.iter_mut().zip(fields) {
            *slot = byte;
        }
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        let (&number, rest) = rest.split_first_chunk()?;
        let (&nanos, _) = rest.split_first_chunk()?;
        let kind = match kind {
            b'a' => Kind::Ask,
            b'e' => Kind::Echo,
            _ => return None,
        };
        let sent_at = Duration::from_nanos(u64::from_be_bytes(nanos));
        Some(Self { kind, number: u32::from_be_bytes(number), sent_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_datagram_comes_back_as_it_went() {
        let datagram = Datagram { kind: Kind::Echo, number: 0x0102_0304, sent_at: ms(77) };
        assert_eq!(Datagram::parse(&datagram.to_bytes()), Some(datagram));
        assert_eq!(Datagram::parse(b"e123"), None);
        assert_eq!(Datagram::parse(&[b'x'; BYTES]), None);
    }

    #[test]
    fn the_window_limits_what_is_under_way() {
        let mut book = Book::default();
        while let Some(number) = book.next_to_send() {
            book.on_sent(number, ms(1));
        }
        assert_eq!(book.under_way.len(), WINDOW);
        book.on_echo(5, ms(1));
        assert_eq!(book.next_to_send(), Some(32));
    }

    #[test]
    fn every_datagram_is_answered_or_given_up() {
        let mut book = Book::default();
        let mut time = 0;
        while book.oldest().is_some() || book.next_to_send().is_some() {
            while let Some(number) = book.next_to_send() {
                time += 1;
                book.on_sent(number, ms(time));
            }
            // Every thousandth is lost; the others come back twice.
            let answered: Vec<u32> =
                book.under_way.keys().copied().filter(|number| number % 1_000 != 0).collect();
            for number in answered {
                book.on_echo(number, ms(1));
                book.on_echo(number, ms(1));
            }
            while book.oldest().is_some() {
                book.on_patience_lost();
            }
        }
        // One of the lost comes late.
        book.on_echo(0, ms(900));
        let asked = book.close(ms(0));
        assert_eq!((asked.sent, asked.received, asked.unanswered), (10_000, 9_991, 9));
        assert_eq!(asked.round_trips.len(), 9_991);
    }

    #[test]
    fn a_path_that_loses_all_is_given_up_soon() {
        let mut book = Book::default();
        for _ in 0..1_000 {
            while let Some(number) = book.next_to_send() {
                book.on_sent(number, ms(1));
            }
            book.on_patience_lost();
        }
        let asked = book.close(ms(0));
        assert_eq!(asked.unanswered, asked.sent);
        assert!((30..70).contains(&asked.sent), "{} sent", asked.sent);
    }

    #[test]
    fn losses_of_either_way_are_told_apart() {
        let asked = Asked { sent: 10, received: 6, unanswered: 4, round_trips: vec![ms(1)], took: ms(9) };
        let moved = Moved::from_both(asked, Echoed { received: 9, sent: 9 });
        assert_eq!(moved.alice_to_bob, Direction { sent: 10, received: 9, lost: 1 });
        assert_eq!(moved.bob_to_alice, Direction { sent: 9, received: 6, lost: 3 });
        assert!(moved.adds_up());
        assert!(!Moved { unanswered: 3, ..moved }.adds_up());
    }
}
