//! Testing your own protocol.
//!
//! The simulator moves datagrams and time, and calls nobody. What it needs of your protocol is that somebody else can hold its
//! clock and its socket, that is, three functions:
//!
//! | what | when it is called |
//! |---|---|
//! | *what do you want to send?* | after everything else, until there is nothing more |
//! | *this has come, from there, now* | for each [`Delivery`](crate::Delivery) |
//! | *when do you want to be asked again?* | before time is let pass |
//!
//! If yours has them by whatever names, the loop at the end of this example is all that you need. If it does not, because it
//! awaits sockets and timers, see [`from_tokio`](super::from_tokio).
//!
//! # A complete example
//!
//! Two peers want to reach each other through their NATs. They ask a rendezvous server where the other one is, and knock there until
//! they are heard. Nothing here knows of this crate until the last function.
//!
//! ```
//! use std::net::SocketAddr;
//! use std::time::Duration;
//!
//! /// Time since the beginning: the protocol does not know what a clock is.
//! type Time = Duration;
//! type Datagram = (SocketAddr, Vec<u8>);
//!
//! #[derive(Default)]
//! struct Machine {
//!     /// The server's address; none: this is the server.
//!     server: Option<SocketAddr>,
//!     other: Option<SocketAddr>,
//!     met: Option<Time>,
//!     next: Time,
//!     answers: Vec<Datagram>,
//! }
//!
//! impl Machine {
//!     fn poll(&mut self, now: Time) -> Option<Datagram> {
//!         let due = self.deadline().is_some_and(|next| next <= now);
//!         let (Some(server), true) = (self.server, due) else { return self.answers.pop() };
//!         self.next = now + Duration::from_millis(200);
//!         Some(self.other.map_or((server, b"where?".to_vec()), |other| (other, b"knock".to_vec())))
//!     }
//!
//!     fn receive(&mut self, now: Time, from: SocketAddr, bytes: &[u8]) {
//!         match (bytes, self.other) {
//!             (b"where?", Some(other)) if other != from => self.answers.extend([
//!                 (from, other.to_string().into()),
//!                 (other, from.to_string().into()),
//!             ]),
//!             (b"where?", _) => self.other = Some(from),
//!             (b"heard", _) => self.met = self.met.or(Some(now)),
//!             (b"knock", _) => {
//!                 // Where it comes from is where it can be reached, whatever the server has said.
//!                 self.other = Some(from);
//!                 self.answers.push((from, b"heard".to_vec()));
//!             }
//!             (told, _) => {
//!                 self.other = std::str::from_utf8(told).ok().and_then(|told| told.parse().ok());
//!                 self.next = now;
//!             }
//!         }
//!     }
//!
//!     fn deadline(&self) -> Option<Time> {
//!         (self.server.is_some() && self.met.is_none()).then_some(self.next)
//!     }
//! }
//!
//! use floe_sim::{Attachment, Instant, LinkConfig, NatConfig, Network};
//!
//! /// When each of two peers behind such NATs has heard that the other one hears it.
//! fn meet(seed: u64, loss: f64, nats: [NatConfig; 2]) -> Result<[Option<Time>; 2], floe_sim::BindError> {
//!     let mut net = Network::seeded(seed);
//!     net.set_link(LinkConfig::rtt(Duration::from_millis(40)).with_loss(loss));
//!     let server = net.add_host(Attachment::Public);
//!     let server = (server, net.bind(server, None)?);
//!     let mut all = vec![(server, Machine::default())];
//!     for nat in nats {
//!         let nat = net.add_nat(nat);
//!         let host = net.add_host(Attachment::Behind(nat));
//!         let peer = Machine { server: Some(server.1), ..Machine::default() };
//!         all.push(((host, net.bind(host, None)?), peer));
//!     }
//!     let end = Instant::from_millis(10_000);
//!     while net.now() < end {
//!         let now = net.now().since(Instant::ZERO);
//!         for (socket, machine) in &mut all {
//!             while let Some((to, bytes)) = machine.poll(now) {
//!                 net.send(*socket, to, &bytes);
//!             }
//!         }
//!         let deadlines = all.iter().filter_map(|(_, machine)| machine.deadline());
//!         let until = deadlines.min().map_or(end, |next| (Instant::ZERO + next).min(end));
//!         if let Some(got) = net.advance(until) {
//!             let receiver = all.iter_mut().find(|((host, _), _)| *host == got.host);
//!             let (_, machine) = receiver.expect("a host of ours");
//!             machine.receive(got.at.since(Instant::ZERO), got.remote, &got.bytes);
//!         }
//!     }
//!     Ok([all[1].1.met, all[2].1.met])
//! }
//!
//! // Two to learn where the other is, two to be heard: each 20 ms one way.
//! let easy = [NatConfig::port_restricted(), NatConfig::address_restricted()];
//! assert_eq!(meet(1, 0.0, easy.clone())?, [Some(Duration::from_millis(80)); 2]);
//!
//! // What is lost is sent again; the same seed loses the same, always.
//! let lossy = meet(2, 0.3, easy.clone())?;
//! assert!(lossy.iter().all(Option::is_some));
//! assert_eq!(lossy, meet(2, 0.3, easy)?);
//!
//! // Nobody can foresee a symmetric NAT's next port, so two of them do not meet.
//! assert_eq!(meet(1, 0.0, [NatConfig::symmetric(), NatConfig::symmetric()])?, [None; 2]);
//! // But one of them and a NAT that does not look at ports do: here the rule about knocking pays.
//! let mixed = meet(1, 0.0, [NatConfig::symmetric(), NatConfig::address_restricted()])?;
//! assert!(mixed.iter().all(Option::is_some));
//! # Ok::<(), floe_sim::BindError>(())
//! ```
//!
//! # What to try next
//!
//! * All boxes against each other: [`Preset::ALL`](crate::Preset::ALL) twice, and a table of what you expect.
//! * What happens in mid-flow: [`reboot`](crate::Network::reboot) and [`rebind`](crate::Network::rebind) a NAT,
//!   [`block`](crate::Network::block) a direction, [`remove_address`](crate::Network::remove_address), and change the link;
//!   let a host [`sleep`](crate::Network::sleep) or [die](crate::Network::kill); and all of it [`at`](crate::Network::at) its time.
//! * Silence: let more time pass than [`NatConfig::lifetime`](crate::NatConfig), and see whether your keepalives were enough.
//! * One datagram: [`set_rule`](crate::Network::set_rule) sees each and can lose, delay or forge it.
//! * Why something did not arrive: [`counters`](crate::Network::counters) by reason, and the [`log`](crate::Network::log).
//! * Seeds: a test that uses chance runs over a few hundred of them, and prints the one that failed.
