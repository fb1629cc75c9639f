//! What happens to an agent, step by step, as bytes. Every string of bytes is a script, and every script has its bytes,
//! so that stories that were observed elsewhere can be written down as seeds.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::places::Place;

/// One step, and how the application behaves around it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// What happens.
    pub action: Action,
    /// The application does not poll after it.
    pub unpolled: bool,
    /// The application's clock is behind what it has told before.
    pub late: bool,
}

impl From<Action> for Step {
    fn from(action: Action) -> Self {
        Self { action, unpolled: false, late: false }
    }
}

/// Declares the actions with the number that each has in a script, and how they are written and read.
macro_rules! actions {
    ($($(#[$doc:meta])* $number:literal $name:ident { $($field:ident: $type:ty),* })*) => {
        /// What can happen.
        #[derive(Clone, PartialEq, Eq, Debug)]
        #[expect(missing_docs, reason = "the fields are named after what they are, and explained with the variant")]
        pub enum Action {
            $($(#[$doc])* $name { $($field: $type),* },)*
        }

        impl Action {
            /// The number of kinds.
            const KINDS: u8 = [$($number),*].len() as u8;

            fn read(kind: u8, u: &mut Unstructured<'_>) -> Result<Self> {
                Ok(match kind % Self::KINDS {
                    $($number => Self::$name { $($field: Field::read(u)?),* },)*
                    _ => Self::Wake {},
                })
            }

            fn write(&self, out: &mut Vec<u8>) -> u8 {
                match self {
                    $(Self::$name { $($field),* } => { $($field.write(out);)* $number })*
                }
            }
        }
    };
}

actions! {
    /// Time goes on to when the agent wants to be woken.
    0 Wake {}
    /// Time goes on by so many milliseconds; the agent is polled whenever it wants to be.
    1 Sleep { millis: u16 }
    /// Time jumps by a power of two of nanoseconds; nobody polls in between.
    2 Jump { power: u8 }
    /// A check of the peer, rightly signed. The bits of `shape` are in `forge.rs`.
    3 Request { place: Place, shape: u8, tie_breaker: u8, priority: u8 }
    /// Many checks, each from the next remote address.
    4 Requests { place: Place, shape: u8, count: u8 }
    /// The peer answers a request of the agent, counted from the newest, with success.
    5 Answer { which: u8, place: Place, shape: u8, mapped: u8 }
    /// The peer answers a request of the agent with an error.
    6 Refuse { which: u8, place: Place, shape: u8, code: u8 }
    /// A keepalive.
    7 Indication { place: Place }
    /// Any bytes; `repair` puts right what needs no password, and may borrow the id of a request of the agent.
    8 Raw { place: Place, repair: u8, bytes: Vec<u8> }
    /// Not STUN.
    9 Data { place: Place, first: u8, length: u8 }
    /// What the agent has sent comes back to it, perhaps with one bit changed.
    10 Reflect { which: u8, place: Place, flip: u16 }
    // From here on it is the application that acts.
    /// A socket comes up.
    11 SocketUp { socket: u8, bound: u8, component: u8 }
    /// Signalling tells credentials: the peer's, our own, or others.
    12 Credentials { whose: u8 }
    /// Signalling tells a candidate.
    13 Candidate { address: u8, kind: u8, priority: u8, foundation: u8 }
    /// Signalling tells many candidates, each of the next address.
    14 Candidates { address: u8, count: u8 }
    /// Signalling tells a line.
    15 Line { text: Vec<u8> }
    /// Signalling tells that there are no more.
    16 EndOfCandidates {}
    /// A server has shown a mapped address.
    17 Reflexive { socket: u8, mapped: u8, server: u8 }
    /// Data is sent.
    18 Send { component: u8, first: u8, length: u8 }
    /// The driver could not send.
    19 SendFailed { place: Place }
    /// The end.
    20 Close {}
    // Again the peer.
    /// A check for one of our generations (0 the current, 1 the staged, then the old ones) from one of the peer's, with
    /// NOMINATION.
    21 Stray { place: Place, shape: u8, ours: u8, theirs: u8, number: u8 }
    // What signalling brings of the peer, and the application answers as it should.
    /// The peer's credentials of some generation, whether we have restarted or not.
    22 Accept { theirs: u8 }
    /// A restart: prepared, applied, taken back, or all at once.
    23 Restart { how: u8 }
    /// Whether the peer renominates.
    24 Renomination { understood: u8 }
    // And the application.
    /// A socket comes up for a component of a stream.
    25 StreamSocket { socket: u8, bound: u8, of: u8 }
    /// A socket is gone.
    26 SocketDown { socket: u8 }
    /// Signalling tells a candidate of a component of a stream, and perhaps of which credentials it is.
    27 StreamCandidate { of: u8, address: u8, priority: u8, ufrag: u8 }
    /// Signalling tells that a candidate is gone.
    28 CandidateGone { of: u8, address: u8, ufrag: u8 }
    /// A component is not used any more.
    29 RemoveComponent { of: u8 }
    /// The application has seen its path working, or not working.
    30 Note { of: u8, trouble: u8 }
    /// Credentials of some generation of the peer, to an agent that was told to restart first.
    31 SetCredentials { theirs: u8 }
    /// Data of a component of a stream.
    32 StreamSend { of: u8 }
    /// Paths are watched more closely, or less.
    33 Profile { idle: u8 }
    /// A socket comes up in a network that costs something.
    34 CostlySocket { socket: u8, bound: u8, cost: u16 }
    /// A STUN or TURN server is given, by its address or its name.
    35 Server { which: u8, how: u8 }
    /// A socket that was asked for is opened or refused, or one that was not.
    36 SocketAnswer { which: u8, how: u8 }
    /// A stream is opened, closed, written or read from, or one that was never asked for.
    37 StreamAnswer { which: u8, how: u8, bytes: Vec<u8> }
}

impl Action {
    /// Whether it is the application that acts, and not the peer (which restarts by signalling) or time.
    pub fn is_command(&self) -> bool {
        !matches!(self.write(&mut Vec::new()), 0..=10 | 21..=24)
    }
}

/// How an agent is set up, and how far it has come when the script begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Setting {
    /// Its configuration, two bits for each choice; see [`crate::stage`].
    pub config: u8,
    /// More of it.
    pub limits: u8,
}

/// A setting, and steps until the bytes end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Script {
    /// The beginning.
    pub setting: Setting,
    /// What follows.
    pub steps: Vec<Step>,
}

impl Script {
    /// Reads a script. There is no wrong one.
    pub fn read(data: &[u8]) -> Self {
        let mut u = Unstructured::new(data);
        let setting =
            Setting { config: u.arbitrary().unwrap_or_default(), limits: u.arbitrary().unwrap_or_default() };
        Self { setting, steps: steps(&mut u, Step::arbitrary) }
    }

    /// The bytes of it.
    pub fn write(&self) -> Vec<u8> {
        let mut out = vec![self.setting.config, self.setting.limits];
        for step in &self.steps {
            let place = out.len();
            out.push(0);
            let kind = step.action.write(&mut out);
            let byte = kind | if step.unpolled { UNPOLLED } else { 0 } | if step.late { LATE } else { 0 };
            if let Some(head) = out.get_mut(place) {
                *head = byte;
            }
        }
        out
    }
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let head: u8 = u.arbitrary()?;
        let action = Action::read(head & !(UNPOLLED | LATE), u)?;
        Ok(Self { action, unpolled: head & UNPOLLED != 0, late: head & LATE != 0 })
    }
}

/// The steps of a story, until the bytes end: what cannot be read is left out.
pub(crate) fn steps<'a, S>(
    u: &mut Unstructured<'a>,
    read: impl Fn(&mut Unstructured<'a>) -> Result<S>,
) -> Vec<S> {
    let mut steps = Vec::new();
    while !u.is_empty() && steps.len() < MAX_STEPS {
        steps.extend(read(u));
    }
    steps
}

/// The next number of a step.
pub(crate) fn next<'a, T: Arbitrary<'a>>(u: &mut Unstructured<'a>) -> Result<T> {
    u.arbitrary()
}

/// A fuzzer makes long inputs out of boredom.
const MAX_STEPS: usize = 200;
const UNPOLLED: u8 = 0x80;
const LATE: u8 = 0x40;

/// The choice that a byte means.
#[expect(clippy::indexing_slicing, reason = "a remainder is within")]
pub(crate) fn pick<T: Copy, const N: usize>(choices: [T; N], byte: u8) -> T {
    choices[usize::from(byte) % N]
}

trait Field: Sized {
    fn read(u: &mut Unstructured<'_>) -> Result<Self>;
    fn write(&self, out: &mut Vec<u8>);
}

impl Field for u8 {
    fn read(u: &mut Unstructured<'_>) -> Result<Self> {
        u.arbitrary()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }
}

impl Field for u16 {
    fn read(u: &mut Unstructured<'_>) -> Result<Self> {
        u.arbitrary()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }
}

impl Field for Place {
    fn read(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(Self { socket: u.arbitrary()?, remote: u.arbitrary()? })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend([self.socket, self.remote]);
    }
}

/// With its length in front; what the input has not got is left out.
impl Field for Vec<u8> {
    fn read(u: &mut Unstructured<'_>) -> Result<Self> {
        let length = usize::from(u.arbitrary::<u8>()?);
        u.bytes(length.min(u.len())).map(<[u8]>::to_vec)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let length = self.len().min(u8::MAX.into());
        out.push(length as u8);
        out.extend(self.iter().take(length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut setting = Setting { config: 3, limits: 0x55 };
        let place = Place { socket: 1, remote: 200 };
        // Every kind, by reading all of them from bytes that differ.
        let steps: Vec<Step> = (0..Action::KINDS)
            .map(|kind| {
                let bytes = [4, 3, 2, 1, 9, 8, 7, 6];
                Action::read(kind, &mut Unstructured::new(&bytes)).unwrap().into()
            })
            .chain([Step { action: Action::Indication { place }, unpolled: true, late: true }])
            .collect();
        for steps in [steps, Vec::new()] {
            setting.config ^= 0xFF;
            let script = Script { setting, steps };
            assert_eq!(Script::read(&script.write()), script);
        }
    }

    #[test]
    fn no_bytes_are_a_script_too() {
        assert_eq!(Script::read(&[]), Script::default());
    }
}
