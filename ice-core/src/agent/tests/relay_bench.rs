//! One agent with a TURN server that asks no questions: what the server is asked, and what it answers.

use super::puppet::Stage;
use super::*;
use crate::base::StreamId;
use crate::candidate::CandidateFilter;
use crate::gather::TurnServer;
use crate::wire::{
    Class, ErrorCode, Message, MessageWriter, Method, ServerAttributes, TransactionId, is_stun,
};

pub(super) const MAPPED: &str = "203.0.113.9:6000";
pub(super) const RELAYED: &str = "192.0.2.9:50000";

pub(super) fn server() -> SocketAddr {
    "192.0.2.9:3478".parse().unwrap()
}

pub(super) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn hidden(which: Role) -> AgentConfig {
    AgentConfig { local_filter: CandidateFilter::relay_only(), ..role(which) }
}

pub(super) fn method(bytes: &[u8]) -> Option<Method> {
    is_stun(bytes).then(|| Message::parse(bytes).unwrap().method())
}

pub(super) fn lifetime_of(bytes: &[u8]) -> Option<Duration> {
    let message = Message::parse(bytes).unwrap();
    ServerAttributes::read(&message).unwrap().lifetime()
}

pub(super) fn granted(request: &[u8]) -> Vec<u8> {
    let message = Message::parse(request).unwrap();
    let mut buffer = [0; 256];
    let writer = MessageWriter::new(&mut buffer, Class::Success, message.method(), message.transaction_id());
    let lifetime = lifetime_of(request).unwrap_or_default();
    let length = match message.method() {
        Method::ALLOCATE => {
            writer.xor_relayed_address(at(RELAYED)).lifetime(lifetime).xor_mapped_address(at(MAPPED)).finish()
        }
        Method::REFRESH => writer.lifetime(lifetime).finish(),
        _ => writer.finish(),
    };
    buffer[..length.unwrap()].to_vec()
}

pub(super) fn refused(request: &[u8], error: ErrorCode<'_>, challenge: bool) -> Vec<u8> {
    let message = Message::parse(request).unwrap();
    let mut buffer = [0; 256];
    let writer = MessageWriter::new(&mut buffer, Class::Error, message.method(), message.transaction_id());
    let writer = writer.error_code(error);
    let writer = if challenge { writer.realm("example.org").nonce(b"nonce") } else { writer };
    let length = writer.finish();
    buffer[..length.unwrap()].to_vec()
}

/// What a peer has sent to the relayed address, as the client gets it.
pub(super) fn relayed_from(peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 600];
    let message = MessageWriter::new(&mut buffer, Class::Indication, Method::DATA, TransactionId([9; 12]));
    let length = message.xor_peer_address(peer).data(data).finish().unwrap();
    buffer[..length].to_vec()
}

/// What goes to which peer in a Send indication.
pub(super) fn sent_on(bytes: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
    let message = Message::parse(bytes).ok().filter(|m| m.method() == Method::SEND)?;
    let attributes = ServerAttributes::read(&message).unwrap();
    let peer = attributes.xor_peer_addresses().next()?;
    Some((peer, attributes.data()?.to_vec()))
}

impl Stage {
    /// The requests that went to the server, over datagrams.
    pub(super) fn asked(&mut self) -> Vec<Vec<u8>> {
        let is_request = |bytes: &[u8]| {
            is_stun(bytes) && {
                let message = Message::parse(bytes).unwrap();
                message.class() == Class::Request && message.method() != Method::BINDING
            }
        };
        let all = core::mem::take(&mut self.sent);
        let (asked, rest) = all.into_iter().partition(|(to, bytes)| *to == server() && is_request(bytes));
        self.sent = rest;
        let asked: Vec<(SocketAddr, Vec<u8>)> = asked;
        asked.into_iter().map(|(_, bytes)| bytes).collect()
    }

    /// Answers what was asked, until nothing is. What was asked.
    pub(super) fn serve_with(&mut self, answer: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            self.poll();
            let asked = self.asked();
            if asked.is_empty() {
                return all;
            }
            for request in &asked {
                if let Some(answer) = answer(request) {
                    self.receive(server(), &answer);
                }
            }
            all.extend(asked);
        }
    }

    pub(super) fn serve(&mut self) -> Vec<Vec<u8>> {
        self.serve_with(|request| Some(granted(request)))
    }

    /// So long, with a server that answers.
    pub(super) fn serve_for(
        &mut self,
        time: Duration,
        answer: impl Fn(&[u8]) -> Option<Vec<u8>>,
    ) -> Vec<Vec<u8>> {
        let (end, mut all) = (self.now + time, Vec::new());
        while self.now < end {
            all.extend(self.serve_with(&answer));
            self.wait(Duration::from_millis(100).min(end.since(self.now)));
        }
        all.extend(self.serve_with(&answer));
        all
    }

    pub(super) fn over_stream(&mut self, stream: StreamId, bytes: &[u8]) {
        let (mut input, mut scratch) = (bytes, vec![0; 70_000]);
        while !input.is_empty() {
            let _ = self.agent.stream_input(self.now, stream, &mut input, &mut scratch);
        }
    }

    /// The connections that were asked for since.
    pub(super) fn connects(&mut self) -> Vec<StreamId> {
        let all = core::mem::take(&mut self.requests);
        let connect = |request: &SocketRequest| match request {
            SocketRequest::Connect { stream, .. } => Some(*stream),
            _ => None,
        };
        all.iter().filter_map(connect).collect()
    }

    /// Answers what was asked over the stream.
    pub(super) fn serve_stream(&mut self, stream: StreamId, written: bool) {
        loop {
            self.poll();
            let all = core::mem::take(&mut self.streamed);
            if all.is_empty() {
                return;
            }
            for (of, bytes) in all {
                assert_eq!(of, stream);
                if written {
                    self.agent.stream_written(self.now, stream, bytes.len());
                }
                let is_request = is_stun(&bytes) && Message::parse(&bytes).unwrap().class() == Class::Request;
                if is_request {
                    self.over_stream(stream, &granted(&bytes));
                } else if let Some((peer, check)) = sent_on(&bytes).filter(|(_, data)| is_stun(data))
                    && Message::parse(&check).unwrap().class() == Class::Request
                {
                    let response = self.response(&check, at(RELAYED));
                    self.over_stream(stream, &relayed_from(peer, &response));
                }
            }
        }
    }

    /// Opens the connection that was asked for, and allocates.
    pub(super) fn open(&mut self, stream: StreamId) {
        self.agent.stream_opened(self.now, stream, at("10.0.0.1:40000")).unwrap();
        self.serve_stream(stream, true);
    }

    pub(super) fn with_relay(config: AgentConfig) -> Self {
        Self::allocated(Self::new(config))
    }

    pub(super) fn allocated(mut stage: Self) -> Self {
        stage.agent.add_turn_server(stage.now, TurnServer::udp(server(), "user", "secret")).unwrap();
        stage.serve();
        stage.wait(secs(1));
        assert!(stage.told().iter().any(|line| line.contains("typ relay")), "{:?}", stage.events);
        stage
    }

    pub(super) fn with_tcp_relay(config: AgentConfig) -> (Self, StreamId) {
        Self::allocated_over_tcp(Self::new(config))
    }

    pub(super) fn allocated_over_tcp(mut stage: Self) -> (Self, StreamId) {
        stage.agent.add_turn_server(stage.now, TurnServer::tcp(server(), "user", "secret")).unwrap();
        stage.poll();
        let stream = stage.connects()[0];
        stage.open(stream);
        stage.wait(secs(1));
        stage.serve_stream(stream, true);
        assert!(stage.told().iter().any(|line| line.contains("typ relay")), "{:?}", stage.events);
        (stage, stream)
    }

    /// Polls a closed agent until it says that it is; what it has asked for meanwhile.
    pub(super) fn until_closed(&mut self) -> Vec<SocketRequest> {
        let (start, mut scratch, mut requests) = (self.now, [0; MAX_TRANSMIT], Vec::new());
        for _ in 0..10_000 {
            assert!(self.now.since(start) <= secs(2), "two seconds have passed: {requests:?}");
            match self.agent.poll(self.now, &mut scratch) {
                Output::Closed => return requests,
                Output::Wait(Some(next)) => self.now = self.now.max(next),
                Output::Wait(None) => panic!("it waits for nothing, and is not closed: {requests:?}"),
                Output::Socket(request) => requests.push(request),
                _ => {}
            }
        }
        panic!("it does not come to an end: {requests:?}");
    }
}
