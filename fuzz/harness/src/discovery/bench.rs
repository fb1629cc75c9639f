//! A discovery on a bench: what each step does, and what must hold after it.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use floe_core::nat::{
    Discovery, DiscoveryConfig, DiscoveryOutput, DiscoveryReceived, LifetimeSearch, MAX_PROBE, Probe, Spot,
};
use floe_core::wire::{Class, ErrorCode, HEADER_SIZE, Message, MessageWriter, Method, TransactionId};
use floe_core::{Instant, SocketId};

use super::Step;
use super::nat::Nat;
use crate::places::address;
use crate::script::pick;

/// Who is where.
pub(super) struct Addresses {
    /// The server's two addresses with two ports each; the second pair is at the other address.
    pub(super) servers: [SocketAddr; 4],
    /// The NAT's.
    pub(super) outer: IpAddr,
    own: [SocketAddr; 2],
}

pub(super) struct Bench {
    pub(super) discovery: Discovery,
    at: Addresses,
    nat: Nat,
    now: Instant,
    wake: Instant,
    /// By when it is over: what it says, and how far time has jumped over what it wanted.
    end: Instant,
    is_over: bool,
    /// The newest questions, the last one first.
    asked: VecDeque<Question>,
    /// When the newest transactions began; each is sent several times.
    begun: BTreeMap<TransactionId, Instant>,
    effort: u32,
}

/// A question as it went out, and whether the honest server has had it.
struct Question {
    socket: SocketId,
    to: SocketAddr,
    bytes: Vec<u8>,
    is_new: bool,
}

impl Bench {
    pub(super) fn new(setting: u8) -> Self {
        let at = Addresses::of(setting & 4 != 0);
        let spot = |n: u8| Spot { socket: SocketId(n.into()), local: pick(at.own, n) };
        let config = DiscoveryConfig {
            second: (setting & 1 != 0).then(|| spot(1)),
            lifetime: (setting & 2 != 0).then(LifetimeSearch::default),
            ..DiscoveryConfig::new(at.servers[0], spot(0))
        };
        let end = BEGINNING + config.longest_run();
        let mut bench = Self {
            discovery: Discovery::new(config, [7; 32]).expect("a sound configuration"),
            at,
            nat: Nat::default(),
            now: BEGINNING,
            wake: BEGINNING,
            end,
            is_over: false,
            asked: VecDeque::new(),
            begun: BTreeMap::new(),
            effort: MOST_EFFORT,
        };
        bench.poll();
        bench
    }

    /// Plays a step. False when the input has been worked on for long enough.
    pub(super) fn play(&mut self, step: &Step) -> bool {
        self.act(step);
        self.poll();
        self.effort > 0
    }

    /// The discovery alone, to be weighed, and when it has to be over.
    pub(super) fn into_discovery(self) -> (Discovery, Instant, Instant) {
        (self.discovery, self.now, self.end)
    }

    fn act(&mut self, step: &Step) {
        match *step {
            Step::Wake => self.now = self.wake.max(self.now),
            Step::Sleep { millis } => self.sleep(Duration::from_millis(millis.into())),
            Step::Jump { power } => self.jump(Duration::from_nanos(1 << (power % LONGEST_JUMP))),
            Step::Honest { rounds, kind } => {
                for _ in 0..rounds % 16 {
                    self.honest(kind);
                    self.poll();
                    self.now = self.wake.max(self.now);
                    self.poll();
                }
            }
            Step::Answer { which, socket, from, mapped, other, shape } => {
                let Some(question) = self.question(which) else { return };
                let id = id_of(&question.bytes);
                let place = |n| self.at.place(n);
                let mut buffer = [0; 256];
                let mut message = MessageWriter::new(&mut buffer, Class::Success, Method::BINDING, id);
                if shape & 1 == 0 {
                    message = message.xor_mapped_address(place(mapped));
                }
                if shape & 2 != 0 {
                    message = message.mapped_address(place(mapped ^ shape >> 4));
                }
                if shape & 4 == 0 {
                    message = message.other_address(place(other));
                }
                if shape & 8 != 0 {
                    message = message.response_origin(place(other ^ shape >> 4));
                }
                let length = message.finish().unwrap_or_default();
                let to = self.socket(socket, question.socket);
                let from = if from == 0 { question.to } else { self.at.place(from) };
                self.deliver(to, from, buffer.get(..length).unwrap_or_default());
            }
            Step::Refuse { which, code } => {
                let Some(question) = self.question(which) else { return };
                let (socket, to, id) = (question.socket, question.to, id_of(&question.bytes));
                let mut buffer = [0; 256];
                let error = ErrorCode::new(pick(CODES, code), "no").expect("a code");
                let message =
                    MessageWriter::new(&mut buffer, Class::Error, Method::BINDING, id).error_code(error);
                let length = message.finish().unwrap_or_default();
                self.deliver(socket, to, buffer.get(..length).unwrap_or_default());
            }
            Step::Loop { which, socket, from } => {
                let Some(question) = self.question(which) else { return };
                let (to, bytes) = (self.socket(socket, question.socket), question.bytes.clone());
                self.deliver(to, self.at.place(from), &bytes);
            }
            Step::Raw { which, socket, from, repair, ref bytes } => {
                let mut bytes = bytes.clone();
                let question = self.question(which);
                let (own, to) = question.map_or((SocketId(0), self.at.servers[0]), |q| (q.socket, q.to));
                if let Some(question) = question.filter(|_| repair & 2 != 0) {
                    let id = id_of(&question.bytes).0;
                    bytes.iter_mut().skip(8).zip(id).for_each(|(to, from)| *to = from);
                }
                if repair & 1 != 0 {
                    crate::forge::repair(&mut bytes);
                }
                let from = if from == 0 { to } else { self.at.place(from) };
                self.deliver(self.socket(socket, own), from, &bytes);
            }
            Step::SendFailed { socket, to } => {
                let socket = self.socket(socket, SocketId(0));
                let before = self.discovery.send_failures();
                let taken = self.discovery.send_failed(self.now, socket, self.at.place(to)).is_ok();
                assert_eq!(self.discovery.send_failures() > before, taken);
            }
            Step::Stop => self.discovery.stop(self.now),
        }
    }

    fn sleep(&mut self, time: Duration) {
        let until = self.now + time;
        while self.wake < until && !self.is_over && self.effort > 0 {
            self.now = self.wake.max(self.now);
            self.poll();
        }
        self.now = self.now.max(until);
    }

    /// Nobody polls in between, so all may come later by that.
    fn jump(&mut self, time: Duration) {
        self.now = self.now + time;
        self.end = self.end + time;
    }

    /// An honest server has all that is new.
    fn honest(&mut self, kind: u8) {
        let mut replies = Vec::new();
        for Question { socket, to, bytes, is_new } in self.asked.iter_mut().rev() {
            if core::mem::take(is_new) {
                replies.extend(self.nat.reply(kind, &self.at, (*socket, *to), bytes));
            }
        }
        for (socket, from, bytes) in replies {
            self.deliver(socket, from, &bytes);
        }
    }

    fn question(&self, which: u8) -> Option<&Question> {
        self.asked.get(usize::from(which) % REMEMBERED)
    }

    /// The named socket: mostly the one that has asked.
    fn socket(&self, number: u8, own: SocketId) -> SocketId {
        match number {
            0 => own,
            1..200 => SocketId(u32::from(number) % 2),
            _ => SocketId(number.into()),
        }
    }

    fn deliver(&mut self, socket: SocketId, from: SocketAddr, bytes: &[u8]) {
        let before = self.discovery.behaviour();
        let received = self.discovery.receive(self.now, socket, from, bytes);
        if received != DiscoveryReceived::Consumed {
            assert_eq!(self.discovery.behaviour(), before, "{received:?} changes what is known");
        }
    }

    /// Polls until the discovery waits.
    fn poll(&mut self) {
        let mut scratch = [0; MAX_PROBE];
        for _ in 0..MOST_OUTPUTS {
            match self.discovery.poll(self.now, &mut scratch) {
                DiscoveryOutput::Transmit(probe) => {
                    assert!(!self.is_over, "it is over and sends");
                    self.effort = self.effort.saturating_sub(1);
                    let question = read(&probe, &self.at);
                    self.pace(id_of(&question.bytes));
                    self.nat.on_sent(question.socket, question.to);
                    self.asked.push_front(question);
                    self.asked.truncate(REMEMBERED);
                }
                DiscoveryOutput::Wait(until) => {
                    assert!(!self.is_over && !self.discovery.is_over(), "it is over and waits");
                    assert!(until > self.now, "{until} is not after {}", self.now);
                    self.wake = until;
                    return;
                }
                DiscoveryOutput::Done(found) => {
                    assert!(self.discovery.is_over() && found == self.discovery.behaviour());
                    assert!(found.to_string().len() < 1_024);
                    self.is_over = true;
                    return;
                }
            }
        }
        panic!("{MOST_OUTPUTS} outputs at {} and no end", self.now);
    }

    /// RFC 5780 §5: at most ten new transactions a second.
    fn pace(&mut self, id: TransactionId) {
        let now = self.now;
        self.begun.retain(|_, at| now.since(*at) < KNOWN_FOR);
        if self.begun.contains_key(&id) {
            return;
        }
        let recent = self.begun.values().filter(|at| now.since(**at) < Duration::from_secs(1)).count();
        assert!(recent < 10, "{recent} new transactions in the second before {now}");
        self.begun.insert(id, now);
    }
}

/// Lets a discovery come to its end by itself, which it has to in time.
pub(super) fn finish((mut discovery, mut now, end): (Discovery, Instant, Instant)) {
    let mut scratch = [0; MAX_PROBE];
    loop {
        match discovery.poll(now, &mut scratch) {
            DiscoveryOutput::Transmit(_) => {}
            DiscoveryOutput::Wait(until) => now = until,
            DiscoveryOutput::Done(_) => return,
        }
        assert!(now <= end, "it goes on at {now}, after {end}");
    }
}

impl Addresses {
    fn of(v6: bool) -> Self {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let [inner, outer, one, other] = if v6 {
            ["fd00::2", "2001:db8:5::1", "2001:db8:1::1", "2001:db8:2::1"]
        } else {
            ["10.0.0.2", "203.0.113.5", "198.51.100.1", "198.51.100.2"]
        }
        .map(ip);
        let ports = [3_478, 3_479];
        let [servers_one, servers_other] = [one, other].map(|ip| ports.map(|port| SocketAddr::new(ip, port)));
        Self {
            servers: [servers_one[0], servers_one[1], servers_other[0], servers_other[1]],
            outer,
            own: [50_000, 50_001].map(|port| SocketAddr::new(inner, port)),
        }
    }

    /// By number: the server's, the NAT's, our own, and any others.
    fn place(&self, number: u8) -> SocketAddr {
        match number {
            0..4 => pick(self.servers, number),
            4..24 => {
                SocketAddr::new(self.outer, 6_000 + u16::from(number - 4) % 10 + u16::from(number / 14) * 100)
            }
            24..26 => pick(self.own, number),
            _ => address(number),
        }
    }
}

/// A question, as a server may expect it.
fn read(probe: &Probe<'_>, at: &Addresses) -> Question {
    let to = probe.remote;
    assert!(probe.socket.0 < 2, "no socket of ours");
    assert_eq!(to.is_ipv4(), at.own[0].is_ipv4(), "one address family");
    assert!(to.port() != 0 && !to.ip().is_multicast() && !to.ip().is_unspecified(), "a question to {to}");
    let message = Message::parse(probe.contents).expect("a question is well-formed");
    assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING));
    Question { socket: probe.socket, to, bytes: probe.contents.to_vec(), is_new: true }
}

fn id_of(bytes: &[u8]) -> TransactionId {
    let id = bytes.get(8..HEADER_SIZE).and_then(|id| id.try_into().ok());
    TransactionId(id.expect("a header"))
}

const BEGINNING: Instant = Instant::from_millis(1_000);
/// How many outputs there can be at one moment.
const MOST_OUTPUTS: usize = 200;
/// How many datagrams a story may cost.
const MOST_EFFORT: u32 = 2_000;
/// How many questions can be answered by number.
const REMEMBERED: usize = 64;
/// For how long the id of a transaction is remembered: longer than it is retransmitted.
const KNOWN_FOR: Duration = Duration::from_secs(60);
/// 2^44 ns are five hours.
const LONGEST_JUMP: u8 = 45;
const CODES: [u16; 7] = [300, 400, 401, 420, 438, 500, 699];
