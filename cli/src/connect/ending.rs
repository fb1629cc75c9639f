//! When an agent in a terminal has done its work, and when it gives up: a pure function of what has happened.

use std::time::Duration;

use tokio::time::Instant;

/// How long at least data is waited for once there is a path, whatever the deadline.
const DATA_PATIENCE: Duration = Duration::from_secs(5);

/// What has happened so far, as far as the end depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    deadline: Instant,
    /// How long the agent stays when all is done: at least until the peer has got there too.
    stay: Duration,
    connected: Option<Instant>,
    data: Option<Instant>,
    /// The peer is a whole WebRTC stack, which sends no text.
    silent_peer: bool,
}

impl Ending {
    pub(super) fn new(deadline: Instant, stay: Duration) -> Self {
        Self { deadline, stay, connected: None, data: None, silent_peer: false }
    }

    /// A path was selected. The first time counts.
    pub(super) fn on_connected(&mut self, now: Instant) {
        self.connected.get_or_insert(now);
    }

    /// A datagram came in. The first one counts.
    pub(super) fn on_data(&mut self, now: Instant) {
        self.data.get_or_insert(now);
    }

    pub(super) fn on_silent_peer(&mut self) {
        self.silent_peer = true;
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected.is_some()
    }

    /// When the agent ends, and whether well.
    pub(super) fn at(&self) -> (Instant, bool) {
        match (self.connected, self.data) {
            (Some(connected), Some(data)) => (connected.max(data) + self.stay, true),
            (Some(connected), None) if self.silent_peer => (connected + self.stay, true),
            (Some(connected), None) => (self.deadline.max(connected + DATA_PATIENCE), false),
            (None, _) => (self.deadline, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_well_so_long_after_the_last_thing_that_is_needed() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        // stay, connected, data, silent peer, end, well
        let table = [
            (1, None, None, false, 30, false),
            (1, None, Some(4), false, 30, false),
            (1, Some(5), None, false, 30, false),
            (1, Some(28), None, false, 33, false),
            (1, Some(5), Some(4), false, 6, true),
            (1, Some(5), Some(7), false, 8, true),
            (1, None, None, true, 30, false),
            (1, Some(5), None, true, 6, true),
            (60, None, None, false, 30, false),
            (60, Some(5), None, false, 30, false),
            (60, Some(5), Some(7), false, 67, true),
            (60, Some(5), None, true, 65, true),
        ];
        for (stay, connected, data, silent, end, well) in table {
            let mut ending = Ending::new(at(30), Duration::from_secs(stay));
            connected.into_iter().for_each(|seconds| ending.on_connected(at(seconds)));
            data.into_iter().for_each(|seconds| ending.on_data(at(seconds)));
            if silent {
                ending.on_silent_peer();
            }
            assert_eq!(
                ending.at(),
                (at(end), well),
                "stay {stay}, connected {connected:?}, data {data:?}, silent {silent}"
            );
        }
    }

    #[test]
    fn what_comes_again_does_not_put_off_the_end() {
        let start = Instant::now();
        let mut ending = Ending::new(start, Duration::ZERO);
        for seconds in 0..9 {
            ending.on_connected(start + Duration::from_secs(seconds));
            ending.on_data(start + Duration::from_secs(seconds));
        }
        assert_eq!(ending.at(), (start, true));
    }
}
