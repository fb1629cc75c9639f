//! Growth is a finding: what an agent has on the heap is counted.

use floe_core::Agent;

/// The most that one agent may hold, in bytes, whatever its peer and its application do. The fullest that the seeds
/// make, with 64 sockets, 2,500 pairs and 160 remote candidates, holds 88 kB.
const MOST_BYTES: i64 = 160 * 1024;

/// Plays a story, and weighs the agent that is left of it.
pub(crate) fn bounded(story: impl FnOnce() -> Agent) {
    let mut left = None;
    let heap = allocation_counter::measure(|| left = Some(story()));
    assert!(heap.bytes_current <= MOST_BYTES, "the agent holds {} bytes", heap.bytes_current);
    drop(left);
}
