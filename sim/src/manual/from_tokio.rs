//! From tokio to a state machine that runs under tokio and in the simulator.
//!
//! A protocol that awaits its socket and its timers cannot be told what time it is. Cut both out, and what is left is a plain type,
//! the *core*; what was cut out becomes a loop of a few lines, the *driver*. Tokio's own test clock does not replace this: it stops time, but
//! not the network, and has no NATs.
//!
//! # Before
//!
//! ```no_run
//! use std::time::Duration;
//! use tokio::net::UdpSocket;
//! use tokio::time::{Instant, timeout};
//!
//! /// Asks every second until there is an answer; tells how long it took since the first time.
//! async fn ping(socket: &UdpSocket) -> std::io::Result<Duration> {
//!     let (start, mut buffer) = (Instant::now(), [0; 64]);
//!     loop {
//!         socket.send(b"ping").await?;
//!         if let Ok(received) = timeout(Duration::from_secs(1), socket.recv(&mut buffer)).await {
//!             received?;
//!             return Ok(start.elapsed());
//!         }
//!     }
//! }
//! ```
//!
//! # The cut
//!
//! | in the old code | in the core |
//! |---|---|
//! | `socket.send(…).await` | `poll` returns the datagram |
//! | `socket.recv(…).await` | `receive` gets it |
//! | `Instant::now()`, `elapsed()` | each call is told the time |
//! | `timeout`, `sleep`, `interval` | `deadline`: a time, kept in a field |
//! | `select!` of the above | nothing: any of them may be called next |
//! | a local variable across `.await` | a field; the place in the code, an enum |
//! | `spawn` | a value in a collection, asked like the others |
//! | `rand::rng()` | a generator that is seeded from outside |
//! | a channel to another task | an event that `poll` returns, or a method |
//!
//! Time is a `Duration` since the driver's start here. A core that takes `std::time::Instant` will do as well: whoever calls it from the
//! simulator takes one at the beginning and adds what has passed.
//!
//! # After
//!
//! ```
//! use std::net::SocketAddr;
//! use std::time::Duration;
//!
//! /// The core: neither tokio nor the simulator is in it.
//! #[derive(Default)]
//! struct Pinger {
//!     next: Duration,
//!     first: Option<Duration>,
//!     answered: Option<Duration>,
//! }
//!
//! impl Pinger {
//!     /// What is to be sent now. Call it until it says nothing.
//!     fn poll(&mut self, now: Duration) -> Option<&'static [u8]> {
//!         if self.deadline()? > now {
//!             return None;
//!         }
//!         self.first.get_or_insert(now);
//!         self.next = now + Duration::from_secs(1);
//!         Some(b"ping")
//!     }
//!
//!     fn receive(&mut self, now: Duration, _bytes: &[u8]) {
//!         self.answered = self.first.map(|first| now - first);
//!     }
//!
//!     /// When to poll again, if nothing comes. None: it is done.
//!     fn deadline(&self) -> Option<Duration> {
//!         self.answered.is_none().then_some(self.next)
//!     }
//! }
//!
//! /// The driver for tokio: all of its sockets and clocks are here.
//! async fn ping(socket: &tokio::net::UdpSocket) -> std::io::Result<Duration> {
//!     let start = tokio::time::Instant::now();
//!     let (mut core, mut buffer) = (Pinger::default(), [0; 64]);
//!     loop {
//!         while let Some(bytes) = core.poll(start.elapsed()) {
//!             socket.send(bytes).await?;
//!         }
//!         let Some(deadline) = core.deadline() else {
//!             return Ok(core.answered.unwrap_or_default());
//!         };
//!         tokio::select! {
//!             received = socket.recv(&mut buffer) => core.receive(start.elapsed(), &buffer[..received?]),
//!             () = tokio::time::sleep_until(start + deadline) => {}
//!         }
//!     }
//! }
//!
//! use floe_sim::{Attachment, Instant, LinkConfig, NatConfig, Network, Protocol, Restless};
//!
//! /// The core as the simulator wants it, in the tests: its names, its clock, and where the answering side is.
//! struct Simulated(Pinger, SocketAddr);
//!
//! impl Protocol for Simulated {
//!     fn poll_transmit(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
//!         self.0.poll(now.since(Instant::ZERO)).map(|bytes| (self.1, bytes.to_vec()))
//!     }
//!
//!     fn receive(&mut self, now: Instant, _from: SocketAddr, bytes: &[u8]) {
//!         self.0.receive(now.since(Instant::ZERO), bytes);
//!     }
//!
//!     fn deadline(&self) -> Option<Instant> {
//!         self.0.deadline().map(|deadline| Instant::ZERO + deadline)
//!     }
//! }
//!
//! // An hour of silence, and the answer to the first that gets through: to the nanosecond, and at once.
//! let mut net = Network::seeded(1);
//! net.set_link(LinkConfig::rtt(Duration::from_millis(40)));
//! let server = net.add_server(Attachment::Public, |from, _| vec![(from, b"pong".to_vec())]);
//! let nat = net.add_nat(NatConfig::port_restricted());
//! let client = net.add_socket(Attachment::Behind(nat));
//! let hour = Duration::from_secs(3_600);
//! net.block(client.0, server.0);
//! net.at(Instant::ZERO + hour, move |net| net.unblock(client.0, server.0));
//! let mut players = [(client, Simulated(Pinger::default(), server.1))];
//! net.play_until(&mut players, Instant::MAX, |all| all[0].1.0.answered.is_some())?;
//! assert_eq!(players[0].1.0.answered, Some(hour + Duration::from_millis(40)));
//! # Ok::<(), Restless>(())
//! ```
//!
//! # What goes wrong at first
//!
//! * **The clock is read in the core.** Search for `Instant::now`, `SystemTime` and `elapsed`; what is left makes runs differ.
//! * **A hash map is iterated over.** The standard one has a new order in each run. Sort, or use a `BTreeMap`.
//! * **`deadline` says a time that has passed, and `poll` has nothing to say.** Then a driver's loop turns for ever and time stands still;
//!   the simulator's ends with [`Restless::Waits`](crate::Restless::Waits). Whatever made the deadline due has to be taken away when it is
//!   dealt with.
//! * **`receive` sends.** It cannot: it puts the answer into a queue, and `poll` takes it out.
