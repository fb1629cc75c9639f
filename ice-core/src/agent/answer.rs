//! Answers to the peer's requests that wait to be polled. An answer is an intent of a few bytes; the message is
//! written when it is sent. Not polling is back-pressure: the queue is bounded, and a request that finds it full
//! is dropped before it has any effect.

use alloc::collections::VecDeque;

use crate::base::{SocketId, Tuple};
use crate::wire::{TransactionId, UnknownAttributes};

/// How many answers may wait for a poll. A peer's checks come at most one each Ta, a flood of them is not worth
/// more memory (RFC 8445 §19.5).
pub const MAX_PENDING_ANSWERS: usize = 64;

/// No answer to an unauthenticated request is queued behind as many others (RFC 8445 §19.5).
pub(super) const MAX_STRANGERS_ANSWERS: usize = 16;

#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) tuple: Tuple,
    pub(super) id: TransactionId,
    /// Whose password signs it.
    pub(super) generation: u16,
    pub(super) kind: AnswerKind,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum AnswerKind {
    /// With the source of the request as XOR-MAPPED-ADDRESS.
    Success,
    /// 400 that cannot be signed, because the request had no credentials (RFC 8489 §9.1.3).
    NoCredentials,
    /// 401, unsigned: the request's credentials were wrong (RFC 8489 §9.1.3).
    Unauthenticated,
    /// 400 to an authenticated request that lacks something.
    BadRequest,
    /// 420 (RFC 8489 §6.3.1).
    UnknownAttributes(UnknownAttributes),
    /// 487 (RFC 8445 §7.3.1.1).
    RoleConflict,
}

#[derive(Debug, Default)]
pub(super) struct Answers(VecDeque<Answer>);

impl Answers {
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MAX_PENDING_ANSWERS
    }

    /// Those who have not proven who they are share a part of the queue, so that they cannot keep the peer out.
    pub(super) fn is_full_for_strangers(&self) -> bool {
        self.0.len() >= MAX_STRANGERS_ANSWERS
    }

    /// Callers have asked [`Self::is_full`] before they let the request take effect.
    pub(super) fn push(&mut self, answer: Answer) {
        self.0.push_back(answer);
    }

    pub(super) fn pop(&mut self) -> Option<Answer> {
        self.0.pop_front()
    }

    /// The socket is gone.
    pub(super) fn forget(&mut self, socket: SocketId) {
        self.0.retain(|answer| answer.tuple.socket != socket);
    }

    /// The flow is gone.
    pub(super) fn forget_flow(&mut self, tuple: Tuple) {
        self.0.retain(|answer| answer.tuple != tuple);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
