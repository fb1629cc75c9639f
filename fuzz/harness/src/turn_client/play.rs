//! What each step does.

use core::net::SocketAddr;
use core::time::Duration;

use floe_core::wire::{ChannelData, ChannelNumber, RoleClaim};
use floe_core::{Candidate, ComponentId, Instant, MAX_TRANSMIT, Role, SocketId, StreamEnd};

use super::Step;
use super::bench::{Bench, Way};
use super::server::{self, ELSEWHERE, TWICE};
use crate::PARTING;
use crate::forge::{NOMINATES, POOR, Variant};
use crate::places::address;
use crate::script::pick;

impl Bench {
    /// How far the agent has come: nowhere, it has relayed addresses, it knows a peer as well, it is connected.
    pub(super) fn begin(&mut self, how_far: u8) {
        if how_far > 0 {
            self.poll();
            self.honest(8);
        }
        if how_far > 1 {
            self.introduce();
            self.candidate(0);
            self.honest(4);
        }
        if how_far > 2 {
            self.honest(8);
        }
        self.poll();
    }

    /// Plays a step. False when the input has been worked on for long enough.
    pub(super) fn play(&mut self, step: &Step) -> bool {
        self.act(step);
        self.poll();
        self.effort > 0
    }

    fn act(&mut self, step: &Step) {
        match *step {
            Step::Wake => self.wake(),
            Step::Sleep { millis } => self.sleep(Duration::from_millis(millis.into())),
            Step::Jump { power } => {
                self.now = (self.now + Duration::from_nanos(1 << (power % LONGEST_JUMP))).min(END_OF_TIME);
            }
            Step::Honest { rounds } => self.honest(rounds % 16),
            Step::Challenge { which, stale, realm, nonce, algorithms, seal } => {
                self.count += 1;
                let count = self.count;
                self.answer(which, seal, |asked, _| {
                    asked.challenge(stale & 1 != 0, [realm, nonce, algorithms, seal], count)
                });
            }
            Step::Grant { which, relayed, second, lifetime, seal } => {
                let lifetime = pick(LIFETIMES, lifetime).map(Duration::from_secs);
                let relayed = [relayed, second].into_iter().filter(|n| *n > 0).map(relayed_address);
                let relayed: Vec<SocketAddr> = relayed.collect();
                self.count += 1;
                self.answer(which, seal, |asked, mapped| asked.grant(&relayed, mapped, lifetime, seal));
            }
            Step::Refuse { which, code, to, seal } => {
                let others = [address(to), address(to ^ 0x55)];
                let others = others.get(..usize::from(to % 3)).unwrap_or_default();
                self.count += 1;
                self.answer(which, seal, |asked, _| asked.refuse(pick(CODES, code), others, seal));
            }
            Step::Data { peer, shape, length } => {
                let bytes = server::data(address(peer), &vec![0x80; usize::from(length % 2_000)], shape);
                self.unasked(&bytes);
            }
            Step::Channel { number, length, told } => {
                let told = if told == 0 { length } else { u16::from(told) << 4 };
                let mut bytes = (0x4000 + u16::from(number)).to_be_bytes().to_vec();
                bytes.extend(told.to_be_bytes());
                bytes.extend(vec![0x80; usize::from(length % 2_000)]);
                self.unasked(&bytes);
            }
            Step::Raw { which, repair, ref bytes } => self.raw(which, repair, bytes.clone()),
            Step::Reflect { which } => {
                if let Some((way, bytes)) = self.sent.get(usize::from(which)).cloned() {
                    self.deliver(way, &bytes);
                }
            }
            Step::PeerAnswers { which, over, shape } => self.peer_answers(which, over, shape),
            Step::PeerAsks { peer, over, shape } => self.peer_asks(address(peer), over, shape),
            Step::Cut { size } => self.cut = if size == 0 { usize::MAX } else { size.into() },
            Step::Fill { first, length } => {
                let mut bytes = pick([&[0x40, 0, 0xFF, 0xFF][..], &[1, 1, 0xFF, 0xFC], &[0]], first).to_vec();
                bytes.resize(bytes.len() + usize::from(length), 0);
                if let Some(id) = self.streams.keys().next_back().copied() {
                    self.effort = self.effort.saturating_sub(20);
                    self.pour(id, &bytes);
                }
            }
            Step::Socket { which, how } => self.socket(which, how),
            Step::Stream { which, how, bytes } => self.stream(which, how, bytes.into()),
            Step::Credentials { whose } => self.name_servers(whose),
            Step::Candidate { address } => {
                self.introduce();
                self.candidate(address);
            }
            Step::HostSocket { which, up } => {
                let id = SocketId(u32::from(which % 4));
                if up & 1 != 0 {
                    self.host_up(which);
                } else if self.agent.socket_down(self.now, id).is_ok() {
                    self.hosts.remove(&id);
                }
            }
            Step::Send { length } => {
                let (payload, mut scratch) = (vec![0x80; usize::from(length % 2_000)], [0; MAX_TRANSMIT]);
                let sent = self.agent.send(self.now, ComponentId::FIRST, &payload, &mut scratch);
                if let Some(stream) = sent.ok().and_then(|transmit| {
                    assert!(transmit.contents.len() >= payload.len());
                    Some((transmit.stream?, transmit.contents.len()))
                }) {
                    self.on_given(stream);
                }
            }
            Step::Restart => {
                let _ = self.agent.restart(self.now);
                self.forge = crate::forge::Forge::new(self.agent.local_credentials().clone());
            }
            Step::RemoveComponent => {
                let second = ComponentId { stream: 0, component: 2 };
                if self.agent.remove_component(self.now, second).is_ok() {
                    let local = self.hosts.remove(&SocketId(1));
                    self.leaving = local.map(|local| (SocketId(1), local, self.now + PARTING));
                }
            }
        }
    }

    /// The server answers what it was asked, and so does the peer behind it.
    fn honest(&mut self, rounds: u8) {
        for _ in 0..rounds {
            self.poll();
            self.open_all();
            self.poll();
            let modern = self.setting[1] & 0x10 != 0;
            while let Some((way, asked)) = self.asked.pop_back() {
                self.count += 1;
                let bytes = asked.honest(self.mapped(way), self.count, modern);
                self.deliver(way, &bytes);
                self.poll();
            }
            for _ in 0..self.checks.len() {
                self.peer_answers(u8::MAX, 0, 0);
            }
            self.wake();
            if self.effort < 300 {
                break;
            }
        }
    }

    fn answer(&mut self, which: u8, seal: u8, write: impl FnOnce(&server::Asked, SocketAddr) -> Vec<u8>) {
        let Some((way, asked)) = self.asked.get(usize::from(which % 64)) else { return };
        let mut way = *way;
        let bytes = write(asked, self.mapped(way));
        if let (true, Way::Datagrams(tuple)) = (seal & ELSEWHERE != 0, &mut way) {
            tuple.remote.set_port(9);
        }
        for _ in 0..if seal & TWICE == 0 { 1 } else { 2 } {
            self.deliver(way, &bytes);
        }
    }

    /// Our address as the server sees it.
    fn mapped(&self, way: Way) -> SocketAddr {
        let local = match way {
            Way::Datagrams(tuple) => self.hosts.get(&tuple.socket).copied(),
            Way::Stream(id) => self.streams.get(&id).map(|stream| stream.local),
        };
        let port = 30_000 + (self.count % 30_000) as u16;
        match local {
            Some(SocketAddr::V6(_)) => SocketAddr::new([0x2001, 0xdb8, 0xB, 0, 0, 0, 0, 1].into(), port),
            _ => SocketAddr::new([203, 0, 113, 99].into(), port),
        }
    }

    /// Something that nobody has asked for comes over the way of the newest request.
    fn unasked(&mut self, bytes: &[u8]) {
        if let Some((way, _)) = self.sent.front() {
            self.deliver(*way, bytes);
        }
    }

    fn raw(&mut self, which: u8, repair: u8, mut bytes: Vec<u8>) {
        if repair & 1 != 0 {
            crate::forge::repair(&mut bytes);
        }
        let Some((way, asked)) = self.asked.get(usize::from(which % 64)) else { return };
        let (way, message) = (*way, asked.message());
        if repair & 2 != 0 {
            bytes.iter_mut().skip(8).zip(message.transaction_id().0).for_each(|(to, from)| *to = from);
        }
        if repair & 4 != 0
            && let Some(head) = bytes.first_chunk_mut()
        {
            let class = if repair & 8 == 0 { 0x100 } else { 0x110 };
            // What methods we have are below sixteen.
            *head = (message.method().number() & 0xF | class).to_be_bytes();
        }
        if repair & 16 != 0 {
            crate::forge::add_fingerprint(&mut bytes);
        }
        self.deliver(way, &bytes);
    }

    /// The server relays something of the peer's: in a Data indication or over a channel.
    fn relay(&mut self, way: Way, peer: SocketAddr, payload: &[u8], over: u8) {
        let bytes = if over == 0 {
            server::data(peer, payload, 0)
        } else {
            let channel = ChannelNumber::new(0x4000 + u16::from(over - 1)).unwrap_or(ChannelNumber::MIN);
            let mut buffer = vec![0; 4_096];
            let length = ChannelData { channel, data: payload }.write(&mut buffer).unwrap_or_default();
            buffer.truncate(length);
            buffer
        };
        self.deliver(way, &bytes);
    }

    fn peer_answers(&mut self, which: u8, over: u8, shape: u8) {
        let index = usize::from(which).min(self.checks.len().saturating_sub(1));
        let Some((way, peer, id)) = self.checks.remove(index) else { return };
        self.proven |= shape & POOR == 0;
        let mapped = SocketAddr::new([198, 51, 100, 1].into(), 49_152);
        let bytes = self.forge.success(id, 0, shape, mapped);
        self.relay(way, peer, &bytes, over);
    }

    fn peer_asks(&mut self, peer: SocketAddr, over: u8, shape: u8) {
        let Some((way, _)) = self.sent.front().cloned() else { return };
        let claim = match self.agent.role() {
            Role::Controlling => RoleClaim::Controlled(1),
            Role::Controlled => RoleClaim::Controlling(1),
        };
        self.proven = true;
        let bytes = self.forge.request(shape | NOMINATES, claim, 1 << 24, Variant::default());
        self.relay(way, peer, &bytes, over);
    }

    /// Signalling brings the peer's credentials.
    fn introduce(&mut self) {
        let peer = self.forge.peer(0).credentials.clone();
        let _ = self.agent.set_remote_credentials(self.now, peer);
    }

    fn candidate(&mut self, number: u8) {
        let at = address(number);
        let line = format!("candidate:{number} 1 UDP 2130706431 {} {} typ host", at.ip(), at.port());
        let candidate: Candidate = line.parse().expect("a good line");
        let _ = self.agent.add_remote_candidate(self.now, &candidate);
    }

    fn socket(&mut self, which: u8, how: u8) {
        let Some((&id, &(local, open))) = self.binds.iter().nth(usize::from(which % 8)) else {
            // Nobody has asked for it.
            let unknown = SocketId(u32::MAX - u32::from(which));
            return assert!(self.agent.socket_refused(self.now, unknown).is_err());
        };
        match how % 4 {
            0..=1 if !open => {
                let opened = self.agent.socket_opened(self.now, id, local);
                if opened.is_ok() {
                    self.binds.insert(id, (local, true));
                }
            }
            2 => {
                if self.agent.socket_refused(self.now, id).is_ok() {
                    self.binds.remove(&id);
                }
            }
            _ => {
                let wrong = SocketAddr::new([192, 0, 2, 200].into(), 1);
                assert!(self.agent.socket_opened(self.now, id, wrong).is_err());
            }
        }
    }

    fn stream(&mut self, which: u8, how: u8, bytes: usize) {
        let Some((&id, &known)) = self.streams.iter().nth(usize::from(which % 8)) else { return };
        match how % 4 {
            0 if !known.open => {
                if self.agent.stream_opened(self.now, id, known.local).is_ok()
                    && let Some(stream) = self.streams.get_mut(&id)
                {
                    stream.open = true;
                }
            }
            0 => assert!(self.agent.stream_opened(self.now, id, known.local).is_err()),
            1 => {
                let ends = [
                    StreamEnd::Refused,
                    StreamEnd::TimedOut,
                    StreamEnd::Ended,
                    StreamEnd::Reset,
                    StreamEnd::Certificate,
                    StreamEnd::Tls,
                ];
                self.close_stream(id, pick(ends, how / 4));
            }
            _ => {
                // A driver that says more than it wrote hurts nobody but itself.
                self.agent.stream_written(self.now, id, bytes);
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.backlog = stream.backlog.saturating_sub(bytes);
                }
            }
        }
    }
}

/// One that is no server's as a rule.
fn relayed_address(number: u8) -> SocketAddr {
    match number {
        1..8 => SocketAddr::new([198, 51, 100, 1].into(), 50_000 + u16::from(number)),
        8..16 => SocketAddr::new([0x2001, 0xdb8, 0xA, 0, 0, 0, 0, 1].into(), 50_000 + u16::from(number)),
        // Our own, or the server's.
        16 => crate::places::own(0),
        17 => SocketAddr::new([192, 0, 2, 1].into(), 3_478),
        other => address(other),
    }
}

const LIFETIMES: [Option<u64>; 10] = [
    Some(600),
    None,
    Some(0),
    Some(1),
    Some(2),
    Some(30),
    Some(121),
    Some(3_600),
    Some(100_000),
    Some(u32::MAX as u64),
];
const CODES: [u16; 18] =
    [300, 400, 401, 403, 420, 437, 438, 440, 441, 442, 443, 486, 487, 500, 508, 599, 600, 699];
/// Two hundred years: behind it, deadlines run into the end of what an `Instant` can tell.
const END_OF_TIME: Instant = Instant::from_nanos(6_000_000_000_000_000_000);
/// 2^54 ns are two hundred days.
const LONGEST_JUMP: u8 = 55;
