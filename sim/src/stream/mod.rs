//! Byte streams between hosts: TCP as an application sees it. Bytes come whole and in order, however late and in whatever
//! pieces; what a link loses costs time. `table` knows the streams, `segments` what goes over them, this file is what a test does with them.
//!
//! Streams have NAT mappings of their own (RFC 5382), made by those that connect, and every piece of them passes the boxes on its way: it refreshes what
//! they remember, and is stopped by those that have forgotten. Two that connect to each other at the same time from bound ports meet without a
//! listener (RFC 6544 §3).

mod segments;
mod table;

use core::net::SocketAddr;

pub use segments::STREAM_BUFFER;
pub(crate) use table::Streams;

use crate::{BindError, Delivery, Firewall, HostId, IcmpError, Instant, Network};

/// One end of a stream, at one host. The other end has another id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamId(pub(crate) u64);

/// What a stream looks like to those on its way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StreamKind {
    /// Plain TCP.
    Tcp,
    /// TCP with TLS on it. The bytes are those inside, and handshakes take no time.
    Tls,
}

/// How streams are cut into the pieces in which they are read.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Pieces {
    /// As they were written.
    #[default]
    Whole,
    /// Into so many bytes at most.
    Of(usize),
    /// At random, and what was written apart may come together.
    Random,
}

/// Something has happened to a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamEvent {
    /// When.
    pub at: Instant,
    /// At which host.
    pub host: HostId,
    /// The host's end of the stream.
    pub stream: StreamId,
    /// Its own address.
    pub local: SocketAddr,
    /// That of the other end, as this host sees it.
    pub remote: SocketAddr,
    /// What.
    pub change: StreamChange,
}

/// What can happen to a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StreamChange {
    /// Somebody has connected to a listener.
    Accepted(StreamKind),
    /// [`connect`](Network::connect) has succeeded.
    Connected,
    /// It has not: nobody listens there. The stream is no more.
    Refused,
    /// It has not within half a minute, or what was sent has not got through for a minute. The stream is no more; the other end does not
    /// know, and finds out when it sends.
    TimedOut,
    /// Bytes have come.
    Bytes(Vec<u8>),
    /// The other side has closed it, and all bytes have come. The stream is no more.
    Ended,
    /// The other side has broken it off, or something on the way that does not know it any more, or the other side's host, which knows it by
    /// another address. The stream is no more.
    Reset,
}

/// What comes to a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Happening {
    /// A datagram.
    Datagram(Delivery),
    /// Something of a stream.
    Stream(StreamEvent),
    /// Word of a datagram that did not arrive.
    Icmp(IcmpError),
}

impl Network {
    /// Lets others connect to an address of this host; port 0 is an ephemeral one.
    ///
    /// # Errors
    /// The address is not the host's, or something listens there already.
    pub fn listen(
        &mut self,
        host: HostId,
        at: SocketAddr,
        kind: StreamKind,
    ) -> Result<SocketAddr, BindError> {
        self.streams.listen(&mut self.topology, host, at, kind)
    }

    /// Ends that. Streams that have been accepted go on. False if nothing listened there.
    pub fn unlisten(&mut self, host: HostId, at: SocketAddr) -> bool {
        self.streams.unlisten(&mut self.topology, host, at)
    }

    /// Begins to connect to an address, from the host's first address of that family or from a given one. A port that is used by
    /// a listener or by other streams may be given.
    ///
    /// # Errors
    /// The host has no such address, or has such a stream already.
    pub fn connect(
        &mut self,
        host: HostId,
        from: Option<SocketAddr>,
        to: SocketAddr,
        kind: StreamKind,
    ) -> Result<StreamId, BindError> {
        let now = self.now();
        let first = self.addresses(host).find(|ip| ip.is_ipv4() == to.is_ipv4());
        let from = from.or(first.map(|ip| SocketAddr::new(ip, 0))).ok_or(BindError::NotAnAddress)?;
        let id = self.streams.begin(&mut self.topology, (host, from), to, kind)?;
        self.streams.send_syn(&mut self.topology, &mut self.links, now, id, 0);
        Ok(id)
    }

    /// Writes into a stream. False if it is not open, or if [`STREAM_BUFFER`] bytes or more wait in it for a link's
    /// [bandwidth](crate::Bandwidth); then nothing is taken. An open stream takes bytes whether they can get through or not, as one does that is
    /// open on one side only.
    pub fn write(&mut self, stream: StreamId, bytes: &[u8]) -> bool {
        let now = self.now();
        self.streams.write(&mut self.topology, &mut self.links, now, stream, bytes)
    }

    /// How many bytes that were written into a stream wait for their link.
    pub fn unsent(&self, stream: StreamId) -> usize {
        self.streams.unsent(stream)
    }

    /// Closes a stream, both ways: the other side gets what is under way, and then its end. What that writes meanwhile is lost. False if there is no
    /// such stream.
    pub fn close_stream(&mut self, stream: StreamId) -> bool {
        let now = self.now();
        self.streams.close(&mut self.topology, &mut self.links, now, stream, false)
    }

    /// Breaks a stream off: what is under way is lost. False if there is no such stream.
    pub fn reset_stream(&mut self, stream: StreamId) -> bool {
        let now = self.now();
        self.streams.close(&mut self.topology, &mut self.links, now, stream, true)
    }

    /// The address that a stream has at its own host. None if it is no more.
    pub fn stream_address(&self, stream: StreamId) -> Option<SocketAddr> {
        self.streams.local(stream)
    }

    /// How many pieces are under way in all streams.
    pub fn pieces_in_streams(&self) -> u64 {
        self.streams.pieces_under_way()
    }

    /// How bytes that are written from now on are cut.
    pub fn set_pieces(&mut self, pieces: Pieces) {
        self.streams.pieces = pieces;
    }

    /// Puts a firewall in front of a host, for what is sent from now on. It knows of no flow and of no stream.
    pub fn set_firewall(&mut self, host: HostId, firewall: Firewall) {
        self.topology.set_wall(host, firewall);
    }

    /// Lets time pass up to the next thing that comes to a host, as [`advance`](Self::advance) does for datagrams only.
    pub fn advance_all(&mut self, until: Instant) -> Option<Happening> {
        loop {
            let datagram = self.next_datagram().filter(|at| *at <= until);
            let stream = self.streams.next_event().filter(|at| *at <= until);
            let others = datagram.into_iter().chain(stream).min().unwrap_or(until);
            if let Some((at, script)) =
                self.scripts.pop_until(others.min(self.next_error().unwrap_or(others)))
            {
                self.pass(at);
                script(self);
                continue;
            }
            if self.next_error().is_some_and(|at| at <= others) {
                if let Some(error) = self.error_until(others) {
                    return Some(Happening::Icmp(error));
                }
                continue;
            }
            match (datagram, stream) {
                (None, None) => {
                    self.pass(until);
                    return None;
                }
                (Some(at), other) if other.is_none_or(|other| at <= other) => {
                    if let Some(delivery) = self.datagram_until(at) {
                        return Some(Happening::Datagram(delivery));
                    }
                }
                (_, Some(at)) => {
                    self.pass(at);
                    let now = self.now();
                    if let Some(event) = self.streams.advance(&mut self.topology, &mut self.links, now) {
                        return Some(Happening::Stream(event));
                    }
                }
                (Some(_), None) => {}
            }
        }
    }
}
