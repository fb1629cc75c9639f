//! The agent with its sockets and streams, and what must hold of it at every moment.
//!
//! The first byte of a setting: transports (two bits), families (two bits), sockets and streams are opened at once, the server
//! is a STUN server too, how far the agent has come (two bits). The second: a socket of IPv6 and a server for it, two
//! components, relayed candidates only, the role, the server has SHA-256 and user hashes, one more host socket.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use floe_core::wire::{
    ChannelData, ChannelNumber, Class, Kind, Message, Method, ServerAttributes, TransactionId, classify,
};
use floe_core::{
    Agent, AgentConfig, CandidateFilter, ComponentId, Datagram, Event, Instant, MAX_STREAM_BACKLOG,
    MAX_TRANSMIT, Output, Received, RelayFamilies, Role, Socket, SocketId, SocketRequest, StreamEnd,
    StreamId, Transmit, Tuple, TurnServer, TurnTransport, Unresolved,
};

use super::server::{self, Asked};
use crate::PARTING;
use crate::forge::Forge;
use crate::places::own;
use crate::script::pick;

/// The agent and what is around it.
pub(super) struct Bench {
    pub(super) agent: Agent,
    pub(super) now: Instant,
    pub(super) forge: Forge,
    pub(super) setting: [u8; 2],
    wake: Option<Instant>,
    pub(super) hosts: BTreeMap<SocketId, SocketAddr>,
    /// Those that the agent has asked for, and whether they are open.
    pub(super) binds: BTreeMap<SocketId, (SocketAddr, bool)>,
    pub(super) streams: BTreeMap<StreamId, Stream>,
    /// The newest requests to servers first, with the way that they came.
    pub(super) asked: VecDeque<(Way, Asked)>,
    /// The same of checks that came through a relay, with the address that they are for.
    pub(super) checks: VecDeque<(Way, SocketAddr, TransactionId)>,
    pub(super) sent: VecDeque<(Way, Vec<u8>)>,
    channels: BTreeMap<ChannelNumber, SocketAddr>,
    seen: BTreeSet<TransactionId>,
    /// Of this second: new requests to servers, all of them, wakings.
    pace: (u64, [u32; 3]),
    pub(super) cut: usize,
    pub(super) count: u32,
    /// Whether the peer has shown that it knows the password.
    pub(super) proven: bool,
    pub(super) failed: bool,
    /// Until when one that has failed may still give back what servers keep for it.
    parting: Instant,
    /// The same of a socket whose component was removed.
    pub(super) leaving: Option<(SocketId, SocketAddr, Instant)>,
    pub(super) effort: u32,
}

/// How a message goes between agent and server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Datagrams(Tuple),
    Stream(StreamId),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) local: SocketAddr,
    pub(super) open: bool,
    /// What was given for it and not said to be written.
    pub(super) backlog: usize,
}

impl Bench {
    pub(super) fn new(setting: [u8; 2]) -> Self {
        let [first, second] = setting;
        let config = AgentConfig {
            role: if second & 8 == 0 { Role::Controlling } else { Role::Controlled },
            streams: if second & 2 == 0 { vec![1] } else { vec![2] },
            local_filter: if second & 4 == 0 {
                CandidateFilter::default()
            } else {
                CandidateFilter::relay_only()
            },
            ..Default::default()
        };
        let agent = Agent::new(config, crate::stage::SEED).expect("a good configuration");
        let mut bench = Self {
            forge: Forge::new(agent.local_credentials().clone()),
            agent,
            now: Instant::ZERO,
            setting,
            wake: None,
            hosts: BTreeMap::new(),
            binds: BTreeMap::new(),
            streams: BTreeMap::new(),
            asked: VecDeque::new(),
            checks: VecDeque::new(),
            sent: VecDeque::new(),
            channels: BTreeMap::new(),
            seen: BTreeSet::new(),
            pace: (0, [0; 3]),
            cut: usize::MAX,
            count: 0,
            proven: false,
            failed: false,
            parting: Instant::ZERO,
            leaving: None,
            effort: MOST_EFFORT,
        };
        let components: &[u16] = if second & 2 == 0 { &[1] } else { &[1, 2] };
        for component in components {
            bench.host_up(*component as u8 - 1);
        }
        if second & 0x20 != 0 {
            bench.host_up(2);
        }
        if second & 1 != 0 {
            bench.host_up(3);
        }
        bench.name_servers(0);
        bench.begin(first >> 6);
        bench
    }

    /// A socket of the application's comes up.
    pub(super) fn host_up(&mut self, number: u8) {
        let (bound, component) = pick([(0, 1), (2, 2), (4, 1), (1, 1)], number);
        let id = SocketId(u32::from(number % 4));
        let of = ComponentId { stream: 0, component };
        if self.agent.socket_up(self.now, Socket::udp(id, own(bound)).component(of)).is_ok() {
            self.hosts.insert(id, own(bound));
        }
    }

    /// The application's servers, with one of the passwords. Known ones have it from now on.
    pub(super) fn name_servers(&mut self, whose: u8) {
        let [first, second] = self.setting;
        let password = pick(server::PASSWORDS, whose);
        let families = pick(
            [RelayFamilies::Both, RelayFamilies::Ipv4, RelayFamilies::Ipv6, RelayFamilies::Apart],
            first >> 2,
        );
        let with_tls = [TurnTransport::Udp, TurnTransport::Tls { name: "turn.example".into() }];
        let transports = pick(
            [
                &[TurnTransport::Udp][..],
                &[TurnTransport::Tcp],
                &[TurnTransport::Udp, TurnTransport::Tcp],
                &with_tls,
            ],
            first,
        );
        let addresses = if second & 1 == 0 { &[SERVER][..] } else { &[SERVER, SERVER_V6] };
        for address in addresses.iter().map(|text| text.parse().expect("an address")) {
            if first & 0x20 != 0 {
                let _ = self.agent.add_stun_server(self.now, address);
            }
            for transport in transports {
                let server = TurnServer::new(address, transport.clone(), server::USERNAME, password);
                // It may have ended.
                let _ = self.agent.add_turn_server(self.now, server.with_families(families));
            }
        }
    }

    /// Polls until the agent waits, and checks it.
    pub(super) fn poll(&mut self) {
        let mut scratch = [0; MAX_TRANSMIT];
        let mut waited = None;
        for _ in 0..MOST_OUTPUTS {
            match self.agent.poll(self.now, &mut scratch) {
                Output::Transmit(transmit) => self.on_transmit(&transmit),
                Output::Event(event) => self.on_event(&event),
                Output::Resolve(query) => {
                    let _ = self.agent.resolved(self.now, query.id, Err(Unresolved));
                }
                Output::Socket(request) => self.on_socket_request(request),
                Output::Wait(until) => {
                    assert!(until.is_none_or(|at| at > self.now), "{until:?} is not after {:?}", self.now);
                    if self.setting[0] & 0x10 == 0 && self.open_all() {
                        waited = None;
                        continue;
                    }
                    self.wake = until;
                    // Whoever waits has said all that there was to say.
                    if waited.replace(until).is_some_and(|before| before == until) {
                        return;
                    }
                    continue;
                }
                Output::Closed => panic!("nobody has closed it"),
            }
            assert!(waited.is_none(), "it waited for {waited:?}, and had more to say");
        }
        panic!("{MOST_OUTPUTS} outputs at {:?} and no end", self.now);
    }

    /// Lets time pass, and polls whenever the agent wants to be.
    pub(super) fn sleep(&mut self, time: Duration) {
        let end = self.now + time;
        self.poll();
        while let Some(next) = self.wake.filter(|at| *at <= end) {
            if self.effort == 0 {
                break;
            }
            self.effort -= 1;
            self.now = self.now.max(next);
            self.keep_pace([0, 0, 1]);
            self.poll();
        }
        self.now = end.max(self.now);
    }

    /// Time goes on to when the agent wants to be woken.
    pub(super) fn wake(&mut self) {
        self.now = self.now.max(self.wake.unwrap_or(self.now));
    }

    /// The end of the story: the agent alone and the time, with how many bytes it may hold.
    pub(super) fn finish(mut self) -> ((Agent, Instant), i64) {
        self.poll();
        assert!(self.agent.explain().to_string().len() < 64 * 1_024);
        let frames = self.streams.len() as i64 * MOST_IN_STREAM;
        // Each socket asks each server; two generations, since there may have been a restart.
        let relays = 4 * 4 * MOST_IN_RELAY;
        ((self.agent, self.now), 2 * crate::memory::MOST_BYTES + frames + relays)
    }

    fn on_transmit(&mut self, transmit: &Transmit<'_>) {
        assert!(!self.failed || self.now <= self.parting, "it has ended and sends");
        let way = match transmit.stream {
            Some(id) => {
                let stream = self.streams.get_mut(&id).expect("a stream that there is");
                assert!(stream.open, "it is not open");
                stream.backlog += transmit.contents.len();
                assert!(stream.backlog <= MAX_STREAM_BACKLOG, "{} bytes wait", stream.backlog);
                assert!(transmit.contents.len().is_multiple_of(4), "RFC 8656 section 12.5 wants whole words");
                Way::Stream(id)
            }
            None => {
                let bound = self.hosts.get(&transmit.socket).copied();
                let leaving =
                    self.leaving.filter(|(id, _, until)| *id == transmit.socket && self.now <= *until);
                let bound = bound.or_else(|| leaving.map(|(_, local, _)| local));
                let bound = bound.or_else(|| self.binds.get(&transmit.socket).filter(|b| b.1).map(|b| b.0));
                let local = bound.expect("a socket that is open");
                assert_eq!(local.is_ipv4(), transmit.remote.is_ipv4(), "one address family");
                Way::Datagrams(Tuple { socket: transmit.socket, remote: transmit.remote })
            }
        };
        remember(&mut self.sent, (way, transmit.contents.to_vec()));
        if classify(transmit.contents) == Kind::TurnChannel {
            let message = ChannelData::parse(transmit.contents).expect("whole");
            let peer = *self.channels.get(&message.channel).expect("it was asked for");
            return self.on_relayed(way, peer, message.data);
        }
        let message = Message::parse(transmit.contents).expect("a message of the engine is well-formed");
        let attributes = ServerAttributes::read(&message).expect("and so are its attributes");
        match (message.class(), message.method()) {
            (Class::Indication, Method::SEND) => {
                let peer = attributes.xor_peer_addresses().next().expect("it is for somebody");
                self.on_relayed(way, peer, attributes.data().expect("something"));
            }
            // A check, or an answer to one, on the direct way.
            (_, Method::BINDING) if message.has_fingerprint() && message.username().is_some() => {}
            (Class::Success | Class::Error | Class::Indication, Method::BINDING) => {}
            (Class::Request, _) => {
                if let Some(number) = attributes.channel_number() {
                    let peer = attributes.xor_peer_addresses().next().expect("a channel to somebody");
                    let before = self.channels.insert(number, peer);
                    // RFC 8656 §12: not before its time is up. Several allocations have numbers of their own.
                    assert!(
                        before.is_none_or(|known| known == peer) || self.may_reuse(),
                        "{number} is taken"
                    );
                }
                let is_new = self.seen.insert(message.transaction_id());
                self.keep_pace([u32::from(is_new), 1, 0]);
                remember(&mut self.asked, (way, Asked::read(&message)));
            }
            what => panic!("no business of a client's: {what:?}"),
        }
    }

    /// Only where one allocation has been alone can numbers be told apart.
    fn may_reuse(&self) -> bool {
        self.setting[1] & 0x23 != 0 || self.setting[0] & 3 >= 2 || self.count > 0
    }

    /// What goes to a peer through the server.
    fn on_relayed(&mut self, way: Way, peer: SocketAddr, payload: &[u8]) {
        if let Ok(message) = Message::parse(payload)
            && (message.class(), message.method()) == (Class::Request, Method::BINDING)
        {
            remember(&mut self.checks, (way, peer, message.transaction_id()));
        }
    }

    fn on_event(&mut self, event: &Event) {
        assert!(!self.failed, "it has ended and tells {event:?}");
        match event {
            Event::Failed(_) => (self.failed, self.parting) = (true, self.now + PARTING),
            Event::ServerError { fault, .. } => assert!(fault.to_string().len() < 600),
            Event::LocalCandidate { candidate, .. } => {
                assert_eq!(candidate.to_string().parse().as_ref(), Ok(candidate));
            }
            _ => {}
        }
    }

    fn on_socket_request(&mut self, request: SocketRequest) {
        match request {
            SocketRequest::Bind { socket, local } => {
                let port = 20_000 + (socket.0 % 40_000) as u16;
                let known = self.binds.insert(socket, (SocketAddr::new(local, port), false));
                assert!(known.is_none(), "asked for twice");
            }
            SocketRequest::Connect { stream, local, remote, .. } => {
                assert_eq!(local.is_ipv4(), remote.is_ipv4(), "one address family");
                let port = 20_000 + (stream.0 % 40_000) as u16;
                let new = Stream { local: SocketAddr::new(local, port), open: false, backlog: 0 };
                assert!(self.streams.insert(stream, new).is_none(), "asked for twice");
            }
            SocketRequest::CloseStream(stream) => {
                assert!(self.streams.remove(&stream).is_some(), "no such stream to close");
            }
            SocketRequest::Close(socket) => {
                assert!(self.binds.remove(&socket).is_some(), "no such socket to close");
            }
            other => panic!("asked for {other:?}"),
        }
    }

    /// Opens what was asked for, and writes what waits. Whether there was something.
    pub(super) fn open_all(&mut self) -> bool {
        let mut did = false;
        for (socket, (local, open)) in &mut self.binds {
            if !*open {
                (*open, did) = (true, true);
                self.agent.socket_opened(self.now, *socket, *local).expect("it was asked for");
            }
        }
        for (id, stream) in &mut self.streams {
            if !stream.open {
                (stream.open, did) = (true, true);
                self.agent.stream_opened(self.now, *id, stream.local).expect("it was asked for");
            }
            if stream.backlog > 0 {
                did = true;
                self.agent.stream_written(self.now, *id, core::mem::take(&mut stream.backlog));
            }
        }
        did
    }

    /// The application has data to write to a stream.
    pub(super) fn on_given(&mut self, (id, bytes): (StreamId, usize)) {
        let stream = self.streams.get_mut(&id).expect("a stream that there is");
        stream.backlog += bytes;
        assert!(stream.open && stream.backlog <= MAX_STREAM_BACKLOG);
    }

    pub(super) fn close_stream(&mut self, id: StreamId, end: StreamEnd) {
        if self.streams.remove(&id).is_some() {
            // Perhaps the agent has closed it at the same time.
            let _ = self.agent.stream_closed(self.now, id, end);
        }
    }

    /// Something comes from the server, or from whoever says so.
    pub(super) fn deliver(&mut self, way: Way, bytes: &[u8]) {
        self.effort = self.effort.saturating_sub(1);
        match way {
            Way::Datagrams(Tuple { socket, remote }) => {
                let mut bytes = bytes.to_vec();
                let received = self.agent.receive(self.now, Datagram::new(socket, remote, &mut bytes));
                Self::judge(&received, self.proven, self.failed);
            }
            Way::Stream(id) => {
                let mut bytes = bytes.to_vec();
                if classify(&bytes) == Kind::TurnChannel {
                    bytes.resize(bytes.len().next_multiple_of(4), 0);
                }
                self.pour(id, &bytes);
            }
        }
    }

    /// Bytes come out of a stream, cut into pieces.
    pub(super) fn pour(&mut self, id: StreamId, bytes: &[u8]) {
        let mut scratch = vec![0; 65_552];
        for mut piece in bytes.chunks(self.cut.clamp(1, bytes.len().max(1))) {
            let mut calls = 0;
            while !piece.is_empty() {
                let received = self.agent.stream_input(self.now, id, &mut piece, &mut scratch);
                Self::judge(&received, self.proven, self.failed);
                calls += 1;
                assert!(calls <= bytes.len() + 1, "it takes nothing of the input");
            }
        }
    }

    fn judge(received: &Received<'_>, proven: bool, failed: bool) {
        if let Received::Data { payload, .. } = received {
            assert!(proven && !failed, "data from a stranger: {payload:02x?}");
        }
    }

    fn keep_pace(&mut self, more: [u32; 3]) {
        let second = self.now.as_nanos() / 1_000_000_000;
        if self.pace.0 != second {
            self.pace = (second, [0; 3]);
        }
        self.pace.1.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        let [new, all, wakings] = self.pace.1;
        // One in each Ta of 50 ms, and the keepalives and first questions that are none. Each that is out goes again at
        // most once a second after the first two, and twenty of an allocation are out.
        assert!(
            new <= 21 && all <= 400 && wakings <= 400,
            "{new} new requests, {all} in all, {wakings} wakings"
        );
    }
}

/// The agent is closed: it has a second to delete what it has, and then it has nothing more to say.
pub(super) fn close(mut agent: Agent, now: Instant) {
    agent.close(now);
    let (mut at, mut scratch) = (now, [0; MAX_TRANSMIT]);
    for _ in 0..MOST_OUTPUTS {
        match agent.poll(at, &mut scratch) {
            Output::Wait(until) => {
                let until = until.expect("it knows when it is done");
                assert!(until > at && until <= now + Duration::from_secs(1), "{until} after {now}");
                at = until;
            }
            Output::Closed => return,
            Output::Transmit(_) | Output::Socket(_) => {}
            other => panic!("a closed agent says {other:?}"),
        }
    }
    panic!("it does not end");
}

/// The newest first.
fn remember<T>(of: &mut VecDeque<T>, new: T) {
    of.push_front(new);
    of.truncate(MEMORY);
}

const SERVER: &str = "192.0.2.1:3478";
const SERVER_V6: &str = "[2001:db8:5::1]:3478";
/// More outputs at one moment are a loop.
const MOST_OUTPUTS: u32 = 10_000;
/// Datagrams and wakings in one story.
const MOST_EFFORT: u32 = 600;
/// How much of what the agent has sent is kept.
const MEMORY: usize = 64;
/// The longest frame that there is, and that its buffer may have grown by doubling.
const MOST_IN_STREAM: i64 = 2 * 65_560;
/// 128 permissions, 256 channel numbers, 20 requests that are out, 128 held messages.
const MOST_IN_RELAY: i64 = 16 * 1024;
