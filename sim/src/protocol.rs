//! Playing somebody's protocol: what a state machine without sockets and clocks has to answer, and the loop that lets several of them
//! speak over a network.

use core::fmt;
use core::net::SocketAddr;

use floe_core::base::Instant;

use crate::address::{Attachment, HostId};
use crate::network::{Delivery, Network};
use crate::record::DropReason;

/// A protocol that somebody else holds the socket and the clock of. A few lines make one of any state machine: see
/// [`from_tokio`](crate::manual::from_tokio).
///
/// The time is that of its host's [clock](Network::clock): simulated time, less what it slept with a clock that pauses.
pub trait Protocol {
    /// What it wants to send now, and where to. It is asked until there is nothing more.
    fn poll_transmit(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)>;

    /// This has come, from there.
    fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]);

    /// When it wants to be asked again if nothing comes; none: not before something comes.
    fn deadline(&self) -> Option<Instant>;
}

impl<P: Protocol + ?Sized> Protocol for &mut P {
    fn poll_transmit(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        (**self).poll_transmit(now)
    }

    fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        (**self).receive(now, from, bytes);
    }

    fn deadline(&self) -> Option<Instant> {
        (**self).deadline()
    }
}

impl<P: Protocol + ?Sized> Protocol for Box<P> {
    fn poll_transmit(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        (**self).poll_transmit(now)
    }

    fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        (**self).receive(now, from, bytes);
    }

    fn deadline(&self) -> Option<Instant> {
        (**self).deadline()
    }
}

/// How often a protocol may say something, or ask to be asked again at once, at one moment.
pub const MOST_AT_ONCE: u32 = 10_000;

/// A protocol does not let time pass. That is a mistake of its own, and nothing that a network can do to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restless {
    /// It has sent [`MOST_AT_ONCE`] datagrams at one moment, and has more.
    Sends {
        /// Its host.
        host: HostId,
        /// Its socket.
        local: SocketAddr,
        /// The moment, by its host's clock.
        at: Instant,
    },
    /// It has nothing to send, and wants to be asked again at a time that has come, [`MOST_AT_ONCE`] times.
    Waits {
        /// Its host.
        host: HostId,
        /// Its socket.
        local: SocketAddr,
        /// The moment, by its host's clock.
        at: Instant,
        /// When it wants to be asked.
        deadline: Instant,
    },
}

impl fmt::Display for Restless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sends { local, at, .. } => {
                write!(f, "the protocol at {local} has sent {MOST_AT_ONCE} datagrams at {at} ms and has more")
            }
            Self::Waits { local, at, deadline, .. } => write!(
                f,
                "the protocol at {local} has nothing to send at {at} ms and wants to be asked again at {deadline} ms"
            ),
        }
    }
}

impl core::error::Error for Restless {}

impl Network {
    /// Adds a host at this place with a socket at its first address, at an ephemeral port.
    #[expect(clippy::expect_used, reason = "a new host has an address, and all of its ports")]
    pub fn add_socket(&mut self, place: Attachment) -> (HostId, SocketAddr) {
        let host = self.add_host(place);
        (host, self.bind(host, None).expect("a free port"))
    }

    /// Adds a host at this place with a socket that answers by itself, whoever advances the network: it is told who has sent what, and says what
    /// is sent where. What comes to it is not told otherwise. Two that answer each other without end need a link that takes time.
    ///
    /// ```
    /// # use floe_sim::{Attachment, Instant, Network};
    /// let mut net = Network::seeded(1);
    /// let (_, echo) = net.add_server(Attachment::Public, |from, bytes| vec![(from, bytes.to_vec())]);
    /// let alice = net.add_socket(Attachment::Public);
    /// net.send(alice, echo, b"hello");
    /// let got = net.advance(Instant::from_millis(40));
    /// assert_eq!(got.map(|got| got.bytes), Some(b"hello".to_vec()));
    /// ```
    pub fn add_server(
        &mut self,
        place: Attachment,
        answer: impl FnMut(SocketAddr, &[u8]) -> Vec<(SocketAddr, Vec<u8>)> + Send + 'static,
    ) -> (HostId, SocketAddr) {
        let socket = self.add_socket(place);
        self.servers.insert(socket, Box::new(answer));
        socket
    }

    /// Lets a server answer what has come to it. What has come to somebody else is given back.
    pub(crate) fn answered(&mut self, got: Delivery) -> Option<Delivery> {
        let socket = (got.host, got.local);
        let Some(answer) = self.servers.get_mut(&socket) else { return Some(got) };
        for (to, bytes) in answer(got.remote, &got.bytes) {
            self.send(socket, to, &bytes);
        }
        None
    }

    /// Lets protocols speak from their sockets until then, and the time be `end`.
    ///
    /// After whatever has happened each is asked what it wants to send, in the order in which they stand here. Things that arrive
    /// together come in the order in which they were sent, and the first of them before what waits for that very time. Scripts run as ever. One whose host
    /// sleeps is asked when that wakes, one whose host is dead when it is revived. What comes to other sockets, and to streams, is lost, and
    /// ICMP errors are not told.
    ///
    /// Protocols of several types stand in one list as `&mut dyn Protocol` or `Box<dyn Protocol>`.
    ///
    /// # Errors
    /// One of them does not let time pass.
    pub fn play<P: Protocol>(
        &mut self,
        players: &mut [((HostId, SocketAddr), P)],
        end: Instant,
    ) -> Result<(), Restless> {
        self.play_until(players, end, |_| false).map(|_| ())
    }

    /// The same, until this is the case, if it is before `end`. It is looked at after each thing that has happened. Tells whether it was; the
    /// network's [`now`](Self::now) is when.
    ///
    /// # Errors
    /// One of the protocols does not let time pass.
    pub fn play_until<P: Protocol>(
        &mut self,
        players: &mut [((HostId, SocketAddr), P)],
        end: Instant,
        mut condition: impl FnMut(&[((HostId, SocketAddr), P)]) -> bool,
    ) -> Result<bool, Restless> {
        let mut moment = Moment { at: self.now(), turns: vec![0; players.len()] };
        loop {
            let deadline = self.ask(players, &mut moment)?;
            if condition(players) {
                return Ok(true);
            }
            let was_end = self.now() >= end;
            // A script may wake a host, so that its protocol has to be asked then.
            let next = deadline.into_iter().chain(self.scripts.next_at()).min().unwrap_or(end);
            match self.advance(next.min(end)) {
                Some(got) => {
                    let now = self.clock(got.host);
                    let to = players.iter_mut().find(|(socket, _)| *socket == (got.host, got.local));
                    if let Some((_, protocol)) = to {
                        protocol.receive(now, got.remote, &got.bytes);
                    }
                }
                None if was_end => return Ok(false),
                None => {}
            }
        }
    }

    /// Asks each what it wants to send, and tells when the first wants to be asked again.
    fn ask<P: Protocol>(
        &mut self,
        players: &mut [((HostId, SocketAddr), P)],
        moment: &mut Moment,
    ) -> Result<Option<Instant>, Restless> {
        moment.begin(self.now());
        let mut first = None::<Instant>;
        for ((socket, protocol), turns) in players.iter_mut().zip(&mut moment.turns) {
            let (host, local) = *socket;
            let now = self.clock(host);
            let away = self.topology.hosts.is_away(self.now(), host);
            let deadline = loop {
                if away.is_none() {
                    while let Some((to, bytes)) = protocol.poll_transmit(now) {
                        if *turns == MOST_AT_ONCE {
                            return Err(Restless::Sends { host, local, at: now });
                        }
                        *turns += 1;
                        self.send((host, local), to, &bytes);
                    }
                }
                match protocol.deadline() {
                    Some(deadline) if deadline <= now && away.is_none() => {
                        if *turns == MOST_AT_ONCE {
                            return Err(Restless::Waits { host, local, at: now, deadline });
                        }
                        *turns += 1;
                    }
                    deadline => break deadline,
                }
            };
            let due = match away {
                None => deadline.map(|deadline| self.when(host, deadline)),
                // What was said to it before may have to go out then, whatever it waits for.
                Some(DropReason::Asleep) => self.sleeps_until(host),
                Some(_) => None,
            };
            first = first.into_iter().chain(due).min();
        }
        Ok(first)
    }
}

/// What a server says to what has come from somebody.
pub(crate) type Answer = Box<dyn FnMut(SocketAddr, &[u8]) -> Vec<(SocketAddr, Vec<u8>)> + Send>;

/// How often each has had its turn since the time has last changed.
struct Moment {
    at: Instant,
    turns: Vec<u32>,
}

impl Moment {
    fn begin(&mut self, now: Instant) {
        if now != self.at {
            self.at = now;
            self.turns.fill(0);
        }
    }
}
