//! Once connected, relayed data costs no allocation either: in channels and in indications, over datagrams and streams.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end with a panic"
)]

use std::net::SocketAddr;
use std::time::Duration;

use floe_core::wire::{
    ChannelData, ChannelNumber, Class, Message, MessageWriter, Method, ServerAttributes, is_stun,
};
use floe_core::{
    Agent, AgentConfig, CandidateFilter, ComponentId, Datagram, Event, Instant, MAX_TRANSMIT, Output,
    Received, Role, Socket, SocketId, SocketRequest, StreamId, TurnServer,
};

const SERVER: &str = "192.0.2.9:3478";
const RELAYED: &str = "192.0.2.9:50000";
const CLIENT: &str = "192.0.2.1:4000";
const PEER: &str = "192.0.2.2:4000";
const ROOM: usize = 2_048;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A client that relays through a server that asks no questions, and its peer.
struct Trio {
    now: Instant,
    client: Agent,
    peer: Agent,
    channel: Option<ChannelNumber>,
    stream: Option<StreamId>,
    binds: bool,
}

/// Bytes that are on their way.
struct Parcel {
    bytes: [u8; ROOM],
    length: usize,
}

impl Parcel {
    fn of(bytes: &[u8]) -> Self {
        let mut parcel = Self { bytes: [0; ROOM], length: bytes.len() };
        parcel.bytes[..bytes.len()].copy_from_slice(bytes);
        parcel
    }

    fn get(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }
}

impl Trio {
    fn connected(server: TurnServer, binds: bool) -> Self {
        let config = |role| AgentConfig { role, ..Default::default() };
        let local_filter = CandidateFilter::relay_only();
        let mut client =
            Agent::new(AgentConfig { local_filter, ..config(Role::Controlling) }, [1; 32]).unwrap();
        let mut peer = Agent::new(config(Role::Controlled), [2; 32]).unwrap();
        client.set_remote_credentials(Instant::ZERO, peer.local_credentials().clone()).unwrap();
        peer.set_remote_credentials(Instant::ZERO, client.local_credentials().clone()).unwrap();
        client.socket_up(Instant::ZERO, Socket::udp(SocketId(0), at(CLIENT))).unwrap();
        peer.socket_up(Instant::ZERO, Socket::udp(SocketId(0), at(PEER))).unwrap();
        client.add_turn_server(Instant::ZERO, server).unwrap();
        let mut trio = Self { now: Instant::ZERO, client, peer, channel: None, stream: None, binds };
        for _ in 0..300 {
            while trio.poll_client() || trio.poll_peer() {}
            trio.now = trio.now + Duration::from_millis(10);
        }
        assert!(trio.client.selected_path(ComponentId::FIRST).unwrap().relay.is_some());
        assert!(trio.peer.selected_path(ComponentId::FIRST).is_some());
        assert_eq!(trio.channel.is_some(), binds);
        trio
    }

    fn poll_client(&mut self) -> bool {
        let mut scratch = [0; MAX_TRANSMIT];
        match self.client.poll(self.now, &mut scratch) {
            Output::Transmit(t) => {
                assert_eq!((t.remote, t.stream), (at(SERVER), self.stream));
                if let Some(stream) = t.stream {
                    let length = t.contents.len();
                    self.client.stream_written(self.now, stream, length);
                    let mut parcel = Parcel::of(&scratch[..length]);
                    self.at_server(parcel.get());
                } else {
                    let mut parcel = Parcel::of(t.contents);
                    self.at_server(parcel.get());
                }
            }
            Output::Event(Event::LocalCandidate { candidate, .. }) => {
                self.peer.add_remote_candidate(self.now, &candidate).unwrap();
            }
            Output::Event(_) => {}
            Output::Socket(SocketRequest::Connect { stream, .. }) => {
                self.stream = Some(stream);
                self.client.stream_opened(self.now, stream, at(CLIENT)).unwrap();
            }
            _ => return false,
        }
        true
    }

    fn poll_peer(&mut self) -> bool {
        let mut scratch = [0; MAX_TRANSMIT];
        match self.peer.poll(self.now, &mut scratch) {
            Output::Transmit(t) if t.remote == at(RELAYED) => {
                let mut parcel = Parcel::of(t.contents);
                self.relay_back(parcel.get());
            }
            Output::Event(Event::LocalCandidate { candidate, .. }) => {
                self.client.add_remote_candidate(self.now, &candidate).unwrap();
            }
            Output::Transmit(_) | Output::Event(_) => {}
            _ => return false,
        }
        true
    }

    /// A message has come to the server. What was received by the peer, if it was data.
    fn at_server(&mut self, bytes: &mut [u8]) -> usize {
        if !is_stun(bytes) {
            let mut parcel = Parcel::of(ChannelData::parse(bytes).unwrap().data);
            return self.deliver_to_peer(parcel.get());
        }
        let message = Message::parse(bytes).unwrap();
        let attributes = ServerAttributes::read(&message).unwrap();
        if message.method() == Method::SEND {
            let mut parcel = Parcel::of(attributes.data().unwrap());
            return self.deliver_to_peer(parcel.get());
        }
        if message.method() == Method::CHANNEL_BIND && !self.binds {
            return 0;
        }
        let mut answer = [0; 256];
        let writer =
            MessageWriter::new(&mut answer, Class::Success, message.method(), message.transaction_id());
        let length = match message.method() {
            Method::ALLOCATE => writer
                .xor_relayed_address(at(RELAYED))
                .lifetime(Duration::from_secs(600))
                .xor_mapped_address(at(CLIENT))
                .finish(),
            Method::REFRESH => writer.lifetime(Duration::from_secs(600)).finish(),
            _ => {
                self.channel = attributes.channel_number().or(self.channel);
                writer.finish()
            }
        };
        let mut parcel = Parcel::of(&answer[..length.unwrap()]);
        self.deliver_to_client(parcel.get());
        0
    }

    fn deliver_to_peer(&mut self, bytes: &mut [u8]) -> usize {
        match self.peer.receive(self.now, Datagram::new(SocketId(0), at(RELAYED), bytes)) {
            Received::Data { payload, .. } => payload.len(),
            _ => 0,
        }
    }

    /// The peer's datagram is at the relayed address. What was received by the client, if it was data.
    fn relay_back(&mut self, bytes: &mut [u8]) -> usize {
        let mut frame = [0; ROOM];
        let length = match self.channel {
            Some(channel) if self.stream.is_some() => {
                ChannelData { channel, data: bytes }.write_padded(&mut frame).unwrap()
            }
            Some(channel) => ChannelData { channel, data: bytes }.write(&mut frame).unwrap(),
            None => {
                let id = floe_core::wire::TransactionId([9; 12]);
                MessageWriter::new(&mut frame, Class::Indication, Method::DATA, id)
                    .xor_peer_address(at(PEER))
                    .data(bytes)
                    .finish()
                    .unwrap()
            }
        };
        self.deliver_to_client(&mut frame[..length])
    }

    fn deliver_to_client(&mut self, bytes: &mut [u8]) -> usize {
        let received = match self.stream {
            None => self.client.receive(self.now, Datagram::new(SocketId(0), at(SERVER), bytes)),
            Some(stream) => {
                // In two pieces, so that they have to be put together.
                let mut scratch = [0; ROOM];
                let (mut one, mut other) = bytes.split_at(bytes.len() / 2);
                let (one, other): (&mut &[u8], &mut &[u8]) = (&mut one, &mut other);
                let first = self.client.stream_input(self.now, stream, one, &mut scratch);
                assert!(one.is_empty() && first == Received::Consumed);
                return match self.client.stream_input(self.now, stream, other, &mut scratch) {
                    Received::Data { payload, .. } => payload.len(),
                    _ => 0,
                };
            }
        };
        match received {
            Received::Data { payload, .. } => payload.len(),
            _ => 0,
        }
    }

    fn exchange(&mut self) -> usize {
        let mut received = 0;
        let payload = [0x80; 1_000];
        for _ in 0..500 {
            let mut scratch = [0; MAX_TRANSMIT];
            let sent = self.client.send(self.now, ComponentId::FIRST, &payload, &mut scratch).unwrap();
            let stream = sent.stream;
            let mut parcel = Parcel::of(sent.contents);
            if let Some(stream) = stream {
                self.client.stream_written(self.now, stream, parcel.length);
            }
            received += self.at_server(parcel.get());
            let back = self.peer.send(self.now, ComponentId::FIRST, &payload, &mut scratch).unwrap();
            let mut parcel = Parcel::of(back.contents);
            received += self.relay_back(parcel.get());
        }
        received
    }
}

#[test]
fn relayed_data_costs_no_allocation() {
    for server in
        [TurnServer::udp(at(SERVER), "user", "secret"), TurnServer::tcp(at(SERVER), "user", "secret")]
    {
        for binds in [true, false] {
            let mut trio = Trio::connected(server.clone(), binds);
            // A stream's buffer has its size after the first of the largest frames.
            trio.exchange();
            let mut received = 0;
            let cost = allocation_counter::measure(|| received = trio.exchange());
            assert_eq!(received, 1_000_000, "{server:?}, channel: {binds}");
            assert_eq!(cost.count_total, 0, "{server:?}, channel: {binds}: {cost:?}");
        }
    }
}
