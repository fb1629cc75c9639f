//! Growth is a finding: what an agent has on the heap is counted.

use floe_core::Agent;

/// The most that one generation of an agent may hold, in bytes, whatever its peer and its application do. The fullest that the seeds
/// make, with 64 sockets, 2,500 pairs and 160 remote candidates, holds 88 kB.
const MOST_BYTES: i64 = 160 * 1024;

/// Plays a story, and weighs the agent that is left of it, with so many generations.
pub(crate) fn bounded(story: impl FnOnce() -> (Agent, usize)) {
    let mut left = None;
    let heap = allocation_counter::measure(|| left = Some(story()));
    let generations = left.as_ref().map_or(1, |(_, generations)| *generations) as i64;
    let bytes = heap.bytes_current;
    assert!(bytes <= generations * MOST_BYTES, "the agent holds {bytes} bytes in {generations} generations");
    drop(left);
}
