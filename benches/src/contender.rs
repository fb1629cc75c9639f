//! What a contender has to offer, and the object that the harness handles it as.

use std::marker::PhantomData;
use std::net::SocketAddr;

use crate::judge;
use crate::network::{Scenario, Session};
use crate::rows::{self, Row, Work};
use crate::survey::{self, Survey};

/// One ICE engine. Only types: the harness makes the values.
pub trait Engine: 'static {
    /// Its column in the table.
    const NAME: &'static str;
    /// Its package in `Cargo.lock`.
    const PACKAGE: &'static str;
    /// What a reader of the table has to know about it.
    const NOTES: &'static [&'static str] = &[];
    /// Its STUN messages.
    type Codec: Codec + 'static;
    /// Its ICE agent.
    type Agent: Agent + 'static;
}

/// The contents of the messages in the codec rows.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    /// Of the request and of its response.
    pub id: [u8; 12],
    /// The username fragment of the request's receiver, whose password signs both.
    pub receiver: &'static str,
    /// That of its sender.
    pub sender: &'static str,
    /// The receiver's.
    pub password: &'static str,
    /// PRIORITY.
    pub priority: u32,
    /// ICE-CONTROLLING.
    pub tie_breaker: u64,
    /// XOR-MAPPED-ADDRESS of the response.
    pub mapped: SocketAddr,
}

/// STUN messages as an engine reads and writes them. What can be prepared once for each password or peer goes into
/// `new`; what each message needs goes into the other calls.
pub trait Codec {
    /// `request` is a whole message with `fields` in it, for an engine that takes a transaction id from nowhere else.
    fn new(fields: &Fields, request: &[u8]) -> Self;
    /// Parses `message`, and checks its MESSAGE-INTEGRITY. Whether it is good.
    fn verify(&self, message: &[u8]) -> bool;
    /// Writes the Binding request with USERNAME, PRIORITY, ICE-CONTROLLING, both seals. Its length.
    fn write_request(&self, buffer: &mut [u8]) -> usize;
    /// Writes its success response with XOR-MAPPED-ADDRESS and both seals. Its length.
    fn write_response(&self, buffer: &mut [u8]) -> usize;
}

/// How many pairs an agent may try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limits {
    /// What the engine does if it is not told.
    Shipped,
    /// 2,500 pairs, by whatever option the engine has for it.
    Raised,
}

/// A username fragment and a password.
#[derive(Clone, Copy, Debug)]
pub struct Credentials {
    /// The fragment.
    pub ufrag: &'static str,
    /// The password.
    pub password: &'static str,
}

/// How an agent is made. All that is not here stays at the engine's default.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The initial role.
    pub controlling: bool,
    /// For all that the engine draws.
    pub seed: u8,
    /// Its own: its requests are signed with the peer's password, the peer's with this one.
    pub local: Credentials,
    /// The peer's.
    pub remote: Credentials,
    /// How many pairs it may try.
    pub limits: Limits,
}

/// What an agent says to the application.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// Data may be sent from now on.
    Usable,
    /// This is the pair that was nominated; the last one said counts.
    Selected {
        /// Its own end: the address of the socket.
        local: SocketAddr,
        /// The peer's end.
        remote: SocketAddr,
    },
}

/// Where an agent's output goes.
pub trait Outbox {
    /// A datagram.
    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]);
    /// An event.
    fn tell(&mut self, news: News);
}

/// An ICE agent, driven as the engine's own documentation asks for. Times are nanoseconds since the session's start.
pub trait Agent: Sized {
    /// A candidate on its way to the peer.
    type Signal;

    /// An agent without candidates.
    fn new(setup: &Setup) -> Self;
    /// Opens a socket at each of `bases`, which have one host candidate each, the first of the highest priority. They
    /// go into `signals`.
    fn start(&mut self, bases: &[SocketAddr], signals: &mut Vec<Self::Signal>);
    /// A candidate of the peer.
    fn add_remote(&mut self, signal: Self::Signal);
    /// A datagram came in on the socket at `to`. [`Self::drive`] follows.
    fn receive(&mut self, now: u64, from: SocketAddr, to: SocketAddr, bytes: &mut [u8]);
    /// Lets the agent do all that is due, and drains it. When it wants to be called next; after `now`.
    fn drive(&mut self, now: u64, out: &mut impl Outbox) -> Option<u64>;
}

/// Which broken messages a codec refuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusals {
    /// One bit of the HMAC is wrong.
    pub integrity: bool,
    /// One bit of FINGERPRINT is wrong.
    pub fingerprint: bool,
}

/// An [`Engine`] as a value: what the harness works with.
pub trait Contender {
    /// [`Engine::NAME`].
    fn name(&self) -> &'static str;
    /// [`Engine::PACKAGE`].
    fn package(&self) -> &'static str;
    /// [`Engine::NOTES`].
    fn notes(&self) -> &'static [&'static str];
    /// Has the judge look at all that the codec reads and writes.
    ///
    /// # Errors
    /// What it does wrong.
    fn examine_codec(&self) -> Result<Refusals, String>;
    /// Has the judge look at the answer of an agent at rest.
    ///
    /// # Errors
    /// What is wrong with it.
    fn examine_answer(&self) -> Result<(), String>;
    /// Runs a session under the judge's eyes.
    ///
    /// # Errors
    /// What is wrong with a message.
    fn survey(&self, scenario: &Scenario) -> Result<Survey, String>;
    /// The work of one row, once for each call. A session lasts until `until`.
    fn work(&self, row: &Row, until: u64) -> Box<dyn FnMut()>;
}

/// Makes a contender of an engine.
pub fn register<E: Engine>() -> Box<dyn Contender> {
    Box::new(Registered::<E>(PhantomData))
}

struct Registered<E>(PhantomData<E>);

impl<E: Engine> Contender for Registered<E> {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn package(&self) -> &'static str {
        E::PACKAGE
    }

    fn notes(&self) -> &'static [&'static str] {
        E::NOTES
    }

    fn examine_codec(&self) -> Result<Refusals, String> {
        judge::examine_codec::<E::Codec>()
    }

    fn examine_answer(&self) -> Result<(), String> {
        rows::examine_answer::<E::Agent>()
    }

    fn survey(&self, scenario: &Scenario) -> Result<Survey, String> {
        survey::survey::<E::Agent>(scenario)
    }

    fn work(&self, row: &Row, until: u64) -> Box<dyn FnMut()> {
        match row.work {
            Work::Codec(message) => rows::codec_work::<E::Codec>(message),
            Work::Answer => rows::answer_work::<E::Agent>(),
            Work::Connect(scenario) => {
                let mut session = Session::<E::Agent>::new(scenario);
                Box::new(move || session.run(until))
            }
        }
    }
}
