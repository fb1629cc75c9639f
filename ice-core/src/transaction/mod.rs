//! STUN client transactions: what was asked, when it is asked again, when we stop asking. The check
//! room keeps its requests here; consent checks go once each, and path keeps those itself. This room neither writes
//! messages nor knows what they are for.

mod schedule;
mod table;

pub(crate) use schedule::{PATIENCE, RTO};
pub(crate) use table::{Due, Transaction, Transactions};

use crate::base::{PairId, Tuple};
use crate::wire::{RoleClaim, TransactionId};

/// A Binding request to be written and sent, as an intent. The agent turns it into bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BindingRequest {
    pub(crate) pair: PairId,
    pub(crate) tuple: Tuple,
    pub(crate) id: TransactionId,
    /// What our end of the pair would be worth as a peer-reflexive candidate (RFC 8445 §7.1.1).
    pub(crate) priority: u32,
    pub(crate) claim: RoleClaim,
    pub(crate) use_candidate: bool,
    /// The NOMINATION attribute.
    pub(crate) nomination: Option<u32>,
}
