//! Relays that are gone without a word: when the agent asks for them, and how often.

use super::puppet::{PEER, Stage};
use super::relay_bench::*;
use super::*;
use crate::base::StreamEnd;
use crate::wire::{Class, ErrorCode, Message, Method, is_stun};

impl Stage {
    /// The peer's checks over the relay are answered, and its own nomination has come.
    fn over_relay(mut self) -> Self {
        self.add_candidate(PEER, 2_130_706_431);
        for _ in 0..20 {
            self.relay_for(100, |asked| Some(granted(asked)), true);
        }
        assert!(self.events.iter().any(|e| matches!(e, Event::PathSelected(_))), "{:?}", self.events);
        self.relay_for(1_000, |asked| Some(granted(asked)), true);
        self
    }

    /// So many milliseconds with such a server. The peer answers, or not. When what was asked of the server.
    fn relay_for(
        &mut self,
        millis: u64,
        server_says: impl Fn(&[u8]) -> Option<Vec<u8>>,
        peer_answers: bool,
    ) -> Vec<(u64, Method)> {
        let mut all = Vec::new();
        for _ in 0..millis / 10 {
            let asked = self.serve_with(&server_says);
            all.extend(asked.iter().filter_map(|bytes| Some((self.now.as_millis(), method(bytes)?))));
            for (_, bytes) in core::mem::take(&mut self.sent) {
                let Some((peer, check)) = through(&bytes).filter(|(_, data)| is_stun(data)) else { continue };
                if peer_answers && Message::parse(&check).unwrap().class() == Class::Request {
                    let response = self.response(&check, at(RELAYED));
                    self.receive(server(), &relayed_from(peer, &response));
                }
            }
            self.now = self.now + Duration::from_millis(10);
        }
        all
    }
}

/// What goes to the peer, in an indication or over the one channel that there is.
fn through(bytes: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
    if !is_stun(bytes) {
        return Some((PEER, bytes.get(4..)?.to_vec()));
    }
    sent_on(bytes)
}

/// The allocation lives for ten minutes. Its server is asked when the first answer is missing, for the allocation and the permission, and
/// no more often than consent checks are asked.
#[test]
fn a_path_that_misses_an_answer_has_the_allocation_asked_for_at_once_and_not_too_often() {
    let mut stage = Stage::with_relay(hidden(Role::Controlling)).over_relay();
    let calm = stage.relay_for(30_000, |asked| Some(granted(asked)), true);
    assert_eq!(calm, []);
    let start = stage.now.as_millis();
    let asked = stage.relay_for(23_000, |asked| Some(granted(asked)), false);
    let times = |wanted: Method| -> Vec<u64> {
        asked.iter().filter(|(_, method)| *method == wanted).map(|(at, _)| at - start).collect()
    };
    let refreshed = times(Method::REFRESH);
    assert!(refreshed[0] <= 12_000, "{asked:?}");
    assert!(refreshed.len() >= 2 && refreshed.windows(2).all(|two| two[1] - two[0] >= 5_000), "{asked:?}");
    let permitted = times(Method::CREATE_PERMISSION);
    assert_eq!(permitted.len(), refreshed.len(), "{asked:?}");
    assert!(stage.agent.path(ComponentId::FIRST).is_some(), "it is the peer that is silent");
}

/// A restart tells the relayed candidates again, so they should be there. Many in a row make nobody ask much.
#[test]
fn restarts_ask_for_the_allocation_every_five_seconds_at_the_most() {
    let mut stage = Stage::with_relay(hidden(Role::Controlling)).over_relay();
    let start = stage.now.as_millis();
    let mut asked = Vec::new();
    for _ in 0..60 {
        stage.agent.restart(stage.now).unwrap();
        asked.extend(stage.relay_for(100, |asked| Some(granted(asked)), true));
    }
    let refreshed = asked.iter().filter(|(_, method)| *method == Method::REFRESH);
    let times: Vec<u64> = refreshed.map(|(at, _)| (at - start) / 100).collect();
    assert_eq!(times, [0, 50], "{asked:?}");
}

#[test]
fn a_server_that_was_started_anew_is_known_within_two_consent_checks() {
    let mut stage = Stage::with_relay(hidden(Role::Controlling)).over_relay();
    let start = stage.now;
    let lost = |stage: &Stage| {
        let is_it = |e: &Event| matches!(e, Event::ServerError { fault: ServerFault::Forgotten, .. });
        stage.events.iter().any(is_it)
    };
    while !lost(&stage) {
        stage.relay_for(10, |asked| Some(refused(asked, ErrorCode::ALLOCATION_MISMATCH, false)), false);
        assert!(stage.now.since(start) <= secs(12), "{:?}", stage.events);
    }
    assert!(stage.events.iter().any(|e| matches!(e, Event::RestartNeeded(_))));
}

/// The connection does not say that it is gone: nothing comes, and nobody closes it.
#[test]
fn a_connection_that_is_silent_when_a_path_is_gives_way_to_another() {
    let (mut stage, stream) = Stage::with_tcp_relay(hidden(Role::Controlling));
    stage.add_candidate(PEER, 2_130_706_431);
    for _ in 0..300 {
        stage.serve_stream(stream, true);
        stage.wait(Duration::from_millis(10));
    }
    assert!(stage.events.iter().any(|e| matches!(e, Event::PathSelected(_))));
    stage.connects();
    let (start, mut asked) = (stage.now, None);
    let again = loop {
        stage.wait(Duration::from_millis(10));
        for (of, bytes) in core::mem::take(&mut stage.streamed) {
            stage.agent.stream_written(stage.now, of, bytes.len());
            if method(&bytes) == Some(Method::REFRESH) {
                asked.get_or_insert(stage.now);
            }
        }
        let again = stage.connects();
        if !again.is_empty() {
            break again;
        }
        assert!(stage.now.since(start) <= secs(18), "{:?}", stage.events);
    };
    let waited = stage.now.since(asked.unwrap());
    assert!(waited >= Duration::from_millis(4_900) && waited <= secs(6), "{waited:?}");
    let fault = ServerFault::Stream(StreamEnd::TimedOut);
    assert!(
        stage.events.iter().any(|e| matches!(e, Event::ServerError { fault: told, .. } if *told == fault))
    );
    assert_eq!(again.len(), 1);
    // One that answers is kept, even if it does not say what was asked.
    let (mut stage, stream) = Stage::with_tcp_relay(hidden(Role::Controlling));
    stage.add_candidate(PEER, 2_130_706_431);
    for _ in 0..300 {
        stage.serve_stream(stream, true);
        stage.wait(Duration::from_millis(10));
    }
    stage.connects();
    for _ in 0..250 {
        stage.wait(Duration::from_millis(100));
        for (of, bytes) in core::mem::take(&mut stage.streamed) {
            stage.agent.stream_written(stage.now, of, bytes.len());
            if matches!(method(&bytes), Some(Method::REFRESH | Method::CREATE_PERMISSION)) {
                let busy = ErrorCode::SERVER_ERROR;
                stage.over_stream(of, &refused(&bytes, busy, false));
            }
        }
    }
    assert_eq!(stage.connects(), []);
}
