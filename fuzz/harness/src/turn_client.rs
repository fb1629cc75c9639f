//! A TURN server that knows the password and means no good: it answers whatever it likes, to whichever request, over
//! datagrams and streams that break at any moment.
//!
//! The agent is asked after every step whether it is still sound: it waits for something that is yet to come, says nothing
//! new when it is asked twice, asks no faster than its pacing, and keeps to the connections and permissions that it has.

mod bench;
mod play;
mod server;

use arbitrary::{Result, Unstructured};

use crate::script::{next, steps};
use bench::Bench;

/// How the story begins, and what follows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Story {
    /// The agent, its servers, and how far it has come; the bits are in [`bench`].
    pub setting: [u8; 2],
    /// What happens then.
    pub steps: Vec<Step>,
}

/// One thing that happens. `which` counts requests from the newest; the bits of `seal` are those of the server's module.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are named after what they are, and explained with the variant")]
pub enum Step {
    /// Time goes on to when the agent wants to be woken.
    Wake,
    /// Time goes on; the agent is polled whenever it wants to be.
    Sleep { millis: u16 },
    /// Time jumps by a power of two of nanoseconds.
    Jump { power: u8 },
    /// The server is honest for some rounds, and so is the peer behind it.
    Honest { rounds: u8 },
    /// 401 or 438.
    Challenge { which: u8, stale: u8, realm: u8, nonce: u8, algorithms: u8, seal: u8 },
    /// Success, with relayed addresses and a lifetime.
    Grant { which: u8, relayed: u8, second: u8, lifetime: u8, seal: u8 },
    /// An error, perhaps with other servers.
    Refuse { which: u8, code: u8, to: u8, seal: u8 },
    /// A Data indication: of data, of an ICMP error, or less.
    Data { peer: u8, shape: u8, length: u16 },
    /// ChannelData, with a length that may not be true.
    Channel { number: u8, length: u16, told: u8 },
    /// Any bytes, perhaps with the id of a request.
    Raw { which: u8, repair: u8, bytes: Vec<u8> },
    /// What the agent has sent comes back to it.
    Reflect { which: u8 },
    /// The peer answers a check that came through the relay.
    PeerAnswers { which: u8, over: u8, shape: u8 },
    /// The peer checks us through the relay.
    PeerAsks { peer: u8, over: u8, shape: u8 },
    /// From here on streams come in pieces of this size.
    Cut { size: u8 },
    /// Many bytes of one frame.
    Fill { first: u8, length: u16 },
    /// A socket that was asked for is opened, refused, or none.
    Socket { which: u8, how: u8 },
    /// A stream is opened, closed, or written.
    Stream { which: u8, how: u8, bytes: u16 },
    /// The application has other credentials.
    Credentials { whose: u8 },
    /// Signalling tells a candidate.
    Candidate { address: u8 },
    /// A socket of the application comes or goes.
    HostSocket { which: u8, up: u8 },
    /// Data is sent.
    Send { length: u16 },
    /// New credentials for ICE.
    Restart,
    /// A component is not used any more.
    RemoveComponent,
}

/// Plays the story that the bytes tell.
pub fn run(data: &[u8]) {
    let Story { setting, steps } = Story::read(data);
    let (agent, now) = crate::memory::weighed(|| {
        let mut bench = Bench::new(setting);
        for step in &steps {
            if !bench.play(step) {
                break;
            }
        }
        bench.finish()
    });
    bench::close(agent, now);
}

impl Story {
    /// Reads a story. There is no wrong one.
    pub fn read(data: &[u8]) -> Self {
        let mut u = Unstructured::new(data);
        let setting = u.arbitrary().unwrap_or_default();
        Self { setting, steps: steps(&mut u, Step::read) }
    }
}

impl Step {
    fn read(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match next::<u8>(u)? % 23 {
            0 => Self::Wake,
            1 => Self::Sleep { millis: next(u)? },
            2 => Self::Jump { power: next(u)? },
            3 => Self::Honest { rounds: next(u)? },
            4 => Self::Challenge {
                which: next(u)?,
                stale: next(u)?,
                realm: next(u)?,
                nonce: next(u)?,
                algorithms: next(u)?,
                seal: next(u)?,
            },
            5 => Self::Grant {
                which: next(u)?,
                relayed: next(u)?,
                second: next(u)?,
                lifetime: next(u)?,
                seal: next(u)?,
            },
            6 => Self::Refuse { which: next(u)?, code: next(u)?, to: next(u)?, seal: next(u)? },
            7 => Self::Data { peer: next(u)?, shape: next(u)?, length: next(u)? },
            8 => Self::Channel { number: next(u)?, length: next(u)?, told: next(u)? },
            9 => {
                let (which, repair) = (next(u)?, next(u)?);
                let length = usize::from(next::<u8>(u)?).min(u.len());
                Self::Raw { which, repair, bytes: u.bytes(length)?.to_vec() }
            }
            10 => Self::Reflect { which: next(u)? },
            11 => Self::PeerAnswers { which: next(u)?, over: next(u)?, shape: next(u)? },
            12 => Self::PeerAsks { peer: next(u)?, over: next(u)?, shape: next(u)? },
            13 => Self::Cut { size: next(u)? },
            14 => Self::Fill { first: next(u)?, length: next(u)? },
            15 => Self::Socket { which: next(u)?, how: next(u)? },
            16 => Self::Stream { which: next(u)?, how: next(u)?, bytes: next(u)? },
            17 => Self::Credentials { whose: next(u)? },
            18 => Self::Candidate { address: next(u)? },
            19 => Self::HostSocket { which: next(u)?, up: next(u)? },
            20 => Self::Send { length: next(u)? },
            21 => Self::Restart,
            _ => Self::RemoveComponent,
        })
    }
}

#[cfg(test)]
mod tests {
    use floe_core::ComponentId;
    use floe_core::wire::{Message, Method};

    use super::*;

    #[test]
    fn the_honest_beginning_connects_over_every_transport() {
        for transports in 0..4 {
            for second in [0, 0x10] {
                let setting = [0xC0 | transports, second | 4];
                let mut bench = Bench::new(setting);
                bench.play(&Step::Sleep { millis: 2_000 });
                bench.play(&Step::Honest { rounds: 8 });
                let path = bench.agent.selected_path(ComponentId::FIRST);
                assert!(path.is_some_and(|path| path.relay.is_some()), "{setting:02x?}: {path:?}");
            }
        }
    }

    #[test]
    fn a_channel_waits_until_a_pair_is_selected_even_if_data_does_not() {
        // The peer nominates, and takes its time.
        let mut bench = Bench::new([0x80, 4 | 8]);
        let asks_for_channel = |bench: &Bench| {
            let method = |bytes: &[u8]| Message::parse(bytes).map(|message| message.method());
            bench.sent.iter().any(|(_, bytes)| method(bytes) == Ok(Method::CHANNEL_BIND))
        };
        bench.play(&Step::Honest { rounds: 8 });
        assert!(bench.agent.path(ComponentId::FIRST).is_some());
        bench.play(&Step::Send { length: 100 });
        bench.play(&Step::Honest { rounds: 4 });
        assert!(!asks_for_channel(&bench), "ICE is not over");
        bench.play(&Step::PeerAsks { peer: 0, over: 0, shape: 0 });
        bench.play(&Step::Honest { rounds: 4 });
        assert!(bench.agent.selected_path(ComponentId::FIRST).is_some());
        assert!(asks_for_channel(&bench));
    }
}
