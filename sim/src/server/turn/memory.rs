//! Responses that are remembered, so that a request that comes again is answered alike and not carried out twice
//! (RFC 8489 §6.3.1).

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest, Sha256};

use crate::Instant;
use crate::server::FiveTuple;

/// How long the client may still send the same request.
const LIFETIME: Duration = Duration::from_secs(40);
/// The oldest are forgotten when there are more: only authenticated requests get here.
const MAX_REMEMBERED: usize = 4096;

/// A request, byte for byte, and who sent it.
pub(super) type Key = [u8; 32];

/// The responses of the last 40 seconds.
#[derive(Default)]
pub(super) struct Memory {
    replies: BTreeMap<Key, Vec<u8>>,
    order: VecDeque<(Instant, Key)>,
}

impl Memory {
    pub(super) fn key(client: FiveTuple, request: &[u8]) -> Key {
        let mut hash = Sha256::new();
        hash.update(format!("{client:?}"));
        hash.update(request);
        hash.finalize().into()
    }

    pub(super) fn recall(&mut self, now: Instant, key: &Key) -> Option<Vec<u8>> {
        self.forget(now);
        self.replies.get(key).cloned()
    }

    pub(super) fn remember(&mut self, now: Instant, key: Key, reply: Vec<u8>) {
        self.forget(now);
        if self.order.len() >= MAX_REMEMBERED {
            self.forget_oldest();
        }
        if self.replies.insert(key, reply).is_none() {
            self.order.push_back((now, key));
        }
    }

    fn forget(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(at, _)| now.since(*at) >= LIFETIME) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.replies.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_kept_for_forty_seconds_and_never_more_than_the_limit() {
        let mut memory = Memory::default();
        let at = |ms| Instant::from_millis(ms);
        memory.remember(at(0), [0xFF; 32], vec![1]);
        assert_eq!(memory.recall(at(39_999), &[0xFF; 32]), Some(vec![1]));
        assert_eq!(memory.recall(at(40_000), &[0xFF; 32]), None);
        let key = |n: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&n.to_be_bytes());
            key
        };
        for n in 0..MAX_REMEMBERED + 10 {
            memory.remember(at(50_000), key(n), Vec::new());
        }
        assert_eq!((memory.replies.len(), memory.order.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
        assert!(memory.recall(at(50_000), &key(9)).is_none());
        assert!(memory.recall(at(50_000), &key(10)).is_some());
    }
}
