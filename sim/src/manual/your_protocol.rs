//! Testing your own protocol.
//!
//! The simulator moves datagrams and time. What it needs of your protocol is that somebody else can hold its clock and its socket, that is,
//! the three functions of [`Protocol`](crate::Protocol):
//!
//! | what | when it is called |
//! |---|---|
//! | *what do you want to send?* | after everything else, until there is nothing more |
//! | *this has come, from there, now* | for each datagram |
//! | *when do you want to be asked again?* | before time is let pass |
//!
//! If yours has them by whatever names, a few lines make one of it. If it does not, because it awaits sockets and timers, see
//! [`from_tokio`](super::from_tokio).
//!
//! # A complete example
//!
//! Two peers want to reach each other through their NATs. A server tells each how the other one looks from outside, and they knock there
//! until they are heard.
//!
//! ```
//! use std::{net::SocketAddr, time::Duration};
//! use floe_sim::{Attachment, Instant, LinkConfig, NatConfig, Network, Protocol, Restless};
//!
//! /// Knocks every 200 ms: at the server's door first, then at the other peer's.
//! struct Peer { door: SocketAddr, next: Instant, says: &'static [u8], met: Option<Instant> }
//!
//! impl Protocol for Peer {
//!     fn poll_transmit(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
//!         if self.next > now { return None }
//!         self.next = now + Duration::from_millis(200);
//!         Some((self.door, self.says.to_vec()))
//!     }
//!     fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
//!         match (bytes, std::str::from_utf8(bytes).unwrap_or("").parse()) {
//!             // Where it comes from is where it can be reached, whatever the server has said.
//!             (b"knock", _) => (self.door, self.next, self.says) = (from, now, b"heard"),
//!             (b"heard", _) => (self.door, self.says, self.met) = (from, b"heard", self.met.or(Some(now))),
//!             (_, Ok(told)) if self.says == b"knock" => (self.door, self.next) = (told, now),
//!             _ => {}
//!         }
//!     }
//!     fn deadline(&self) -> Option<Instant> { Some(self.next) }
//! }
//!
//! /// When each of two peers behind such NATs has heard that the other one hears it.
//! fn meet(seed: u64, loss: f64, nats: [NatConfig; 2]) -> Result<[Option<Instant>; 2], Restless> {
//!     let mut net = Network::seeded(seed);
//!     net.set_link(LinkConfig::rtt(Duration::from_millis(40)).with_loss(loss));
//!     let mut last = None;
//!     let (_, door) = net.add_server(Attachment::Public, move |from, _| match last.replace(from) {
//!         Some(other) if other != from => vec![(from, other.to_string().into()), (other, from.to_string().into())],
//!         _ => vec![],
//!     });
//!     let mut peers = nats.map(|nat| net.add_nat(nat)).map(|nat| {
//!         let peer = Peer { door, next: Instant::ZERO, says: b"knock", met: None };
//!         (net.add_socket(Attachment::Behind(nat)), peer)
//!     });
//!     net.play(&mut peers, Instant::from_millis(10_000))?;
//!     Ok(peers.map(|(_, peer)| peer.met))
//! }
//!
//! // Two to learn where the other is, two to be heard: each 20 ms one way.
//! let easy = [NatConfig::port_restricted(), NatConfig::address_restricted()];
//! assert_eq!(meet(1, 0.0, easy.clone())?, [Some(Instant::from_millis(80)); 2]);
//! // What is lost is sent again; the same seed loses the same, always.
//! let lossy = meet(2, 0.3, easy.clone())?;
//! assert!(lossy.iter().all(Option::is_some) && lossy == meet(2, 0.3, easy)?);
//! // Nobody can foresee a symmetric NAT's next port. Where the other NAT does not look at ports, the rule about knocking pays.
//! assert_eq!(meet(1, 0.0, [NatConfig::symmetric(), NatConfig::symmetric()])?, [None; 2]);
//! assert!(meet(1, 0.0, [NatConfig::symmetric(), NatConfig::address_restricted()])?.iter().all(Option::is_some));
//! # Ok::<(), Restless>(())
//! ```
//!
//! # What to try next
//!
//! * Until something is the case, and no longer: [`play_until`](crate::Network::play_until).
//! * All boxes against each other: [`Preset::ALL`](crate::Preset::ALL) twice, and a table of what you expect.
//! * What happens in mid-flow: [`reboot`](crate::Network::reboot) and [`rebind`](crate::Network::rebind) a NAT,
//!   [`block`](crate::Network::block) a direction, [`remove_address`](crate::Network::remove_address), and change the link;
//!   let a host [`sleep`](crate::Network::sleep) or [die](crate::Network::kill); and all of it [`at`](crate::Network::at) its time.
//! * Silence: let more time pass than [`NatConfig::lifetime`](crate::NatConfig), and see whether your keepalives were enough.
//! * One datagram: [`set_rule`](crate::Network::set_rule) sees each and can lose, delay or forge it.
//! * Why something did not arrive: [`counters`](crate::Network::counters) by reason, and the [`log`](crate::Network::log).
//! * Seeds: a test that uses chance runs over a few hundred of them, and prints the one that failed.
