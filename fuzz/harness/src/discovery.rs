//! A STUN server, a NAT and strangers who answer a discovery (RFC 5780) as they like.
//!
//! The discovery is asked after every step whether it is still sound: it sends to addresses that one may send to, keeps its pace,
//! waits for something that is yet to come, believes nothing that it calls dropped, and is over when it said it would be.

mod bench;
mod nat;

use arbitrary::{Result, Unstructured};

use crate::script::{next, steps};
use bench::Bench;

/// What is to be found out, and what happens meanwhile.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Story {
    /// Bit 0: a second socket; bit 1: the lifetime as well; bit 2: IPv6.
    pub setting: u8,
    /// What happens.
    pub steps: Vec<Step>,
}

/// One thing that happens. `which` counts questions from the newest; places are those of [`bench`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are named after what they are, and explained with the variant")]
pub enum Step {
    /// Time goes on to when the discovery wants to be woken.
    Wake,
    /// Time goes on; the discovery is polled whenever it wants to be.
    Sleep { millis: u16 },
    /// Time jumps by a power of two of nanoseconds.
    Jump { power: u8 },
    /// For some rounds an honest server answers through a NAT of this kind; after each, time goes on as in `Wake`.
    Honest { rounds: u8, kind: u8 },
    /// A success: of the mapped address, with or without another form of it, OTHER-ADDRESS and more.
    Answer { which: u8, socket: u8, from: u8, mapped: u8, other: u8, shape: u8 },
    /// An error.
    Refuse { which: u8, code: u8 },
    /// A question comes back to one of the sockets.
    Loop { which: u8, socket: u8, from: u8 },
    /// Any bytes, perhaps with the id of a question.
    Raw { which: u8, socket: u8, from: u8, repair: u8, bytes: Vec<u8> },
    /// Sending is said to have failed.
    SendFailed { socket: u8, to: u8 },
    /// The application has enough.
    Stop,
}

/// Plays the story that the bytes tell.
pub fn run(data: &[u8]) {
    let Story { setting, steps } = Story::read(data);
    let discovery = crate::memory::weighed(|| {
        let mut bench = Bench::new(setting);
        for step in &steps {
            if !bench.play(step) {
                break;
            }
        }
        (bench.into_discovery(), MOST_BYTES)
    });
    bench::finish(discovery);
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
        Ok(match next::<u8>(u)? % 10 {
            0 => Self::Wake,
            1 => Self::Sleep { millis: next(u)? },
            2 => Self::Jump { power: next(u)? },
            3 => Self::Honest { rounds: next(u)?, kind: next(u)? },
            4 => Self::Answer {
                which: next(u)?,
                socket: next(u)?,
                from: next(u)?,
                mapped: next(u)?,
                other: next(u)?,
                shape: next(u)?,
            },
            5 => Self::Refuse { which: next(u)?, code: next(u)? },
            6 => Self::Loop { which: next(u)?, socket: next(u)?, from: next(u)? },
            7 => {
                let (which, socket, from, repair) = (next(u)?, next(u)?, next(u)?, next(u)?);
                let length = usize::from(next::<u8>(u)?).min(u.len());
                Self::Raw { which, socket, from, repair, bytes: u.bytes(length)?.to_vec() }
            }
            8 => Self::SendFailed { socket: next(u)?, to: next(u)? },
            _ => Self::Stop,
        })
    }
}

/// What a discovery may hold, in bytes: sixteen questions, and as many that wait.
const MOST_BYTES: i64 = 8 * 1024;

#[cfg(test)]
mod tests {
    use floe_core::nat::{FilteringBehaviour, Finding, MappingBehaviour};

    use super::nat::{FILTERS, MAPPINGS};
    use super::*;

    #[test]
    fn an_honest_server_shows_the_nat_that_there_is() {
        for setting in [1, 5] {
            for (kind, mapping, filtering) in (0..9).map(|n| (n, n % 3, n / 3)) {
                let mut bench = Bench::new(setting);
                while bench.play(&Step::Honest { rounds: 15, kind }) && !bench.discovery.is_over() {}
                let found = bench.discovery.behaviour().traits;
                let mappings = [
                    MappingBehaviour::EndpointIndependent,
                    MappingBehaviour::AddressDependent,
                    MappingBehaviour::AddressAndPortDependent,
                ];
                let filters = [
                    FilteringBehaviour::EndpointIndependent,
                    FilteringBehaviour::AddressDependent,
                    FilteringBehaviour::AddressAndPortDependent,
                ];
                assert_eq!((MAPPINGS, FILTERS), (3, 3));
                assert_eq!(found.mapping, Finding::Known(mappings[usize::from(mapping)]), "{kind}");
                assert_eq!(found.filtering, Finding::Known(filters[usize::from(filtering)]), "{kind}");
            }
        }
    }
}
