//! Growth is a finding: what an agent has on the heap is counted.

/// The most that one generation of an agent may hold, in bytes, whatever its peer and its application do. The fullest that the seeds
/// make, with 64 sockets, 2,500 pairs and 160 remote candidates, holds 88 kB.
pub(crate) const MOST_BYTES: i64 = 160 * 1024;

/// Plays a story, and weighs what is left of it, which may hold so many bytes.
pub(crate) fn weighed<T>(story: impl FnOnce() -> (T, i64)) -> T {
    let mut left = None;
    let heap = allocation_counter::measure(|| left = Some(story()));
    let (left, most) = left.expect("the story was told");
    let bytes = heap.bytes_current;
    assert!(bytes <= most, "the agent holds {bytes} bytes of {most}");
    left
}
