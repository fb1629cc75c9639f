//! `floe serve` as a process, and a client that says what a test wants said.

use std::fmt::Debug;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use floe_core::wire::{Class, IntegrityKey, Message, MessageWriter, Method, ServerAttributes, TransactionId};

/// After so long without an answer, a test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// `floe serve`, killed when it is dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    lines: Receiver<String>,
    /// Where it listens, in the order in which it says so.
    pub(crate) at: Vec<SocketAddr>,
}

impl Server {
    /// Started, and listening at so many places.
    pub(crate) fn start(arguments: &[&str], places: usize) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_floe"))
            .arg("serve")
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("floe starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line).map_err(drop))
        });
        let place = |_| {
            let line = lines.recv_timeout(PATIENCE).expect("a line");
            let at = line.strip_prefix("listening on ").and_then(|place| place.split_once(' '));
            at.expect("a place").1.parse().expect("an address")
        };
        let at = (0..places).map(place).collect();
        Self { child, lines, at }
    }

    /// The next line of its log.
    pub(crate) fn line(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// A socket of this machine, at any port.
pub(crate) fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket
}

/// What carries a client's messages.
pub(crate) trait Wire {
    fn send(&mut self, frame: &[u8]);
    /// One whole message.
    fn receive(&mut self) -> Vec<u8>;
}

impl Wire for UdpSocket {
    fn send(&mut self, frame: &[u8]) {
        UdpSocket::send(self, frame).expect("sent");
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut buffer = [0; 2048];
        let length = self.recv(&mut buffer).expect("an answer");
        buffer[..length].to_vec()
    }
}

/// A byte stream, TCP or TLS.
pub(crate) struct Stream<S>(pub(crate) S);

impl<S: Read + Write> Wire for Stream<S> {
    fn send(&mut self, frame: &[u8]) {
        let mut frame = frame.to_vec();
        frame.resize(frame.len().next_multiple_of(4), 0);
        self.0.write_all(&frame).expect("written");
        self.0.flush().expect("written");
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut frame = vec![0; 4];
        self.0.read_exact(&mut frame).expect("an answer");
        let length = usize::from(u16::from_be_bytes([frame[2], frame[3]]));
        let whole = if frame[0] < 0x40 { 20 + length } else { 4 + length };
        frame.resize(whole.next_multiple_of(4), 0);
        self.0.read_exact(&mut frame[4..]).expect("the rest of it");
        frame.truncate(whole);
        frame
    }
}

/// Says what a test wants said, as the user `alice`.
pub(crate) struct Client<W> {
    pub(crate) wire: W,
    password: &'static str,
    challenge: Option<(String, Vec<u8>)>,
    ids: u8,
}

pub(crate) type Add<'a> = &'a dyn for<'b> Fn(MessageWriter<'b>) -> MessageWriter<'b>;

impl<W: Wire> Client<W> {
    pub(crate) fn new(wire: W, password: &'static str) -> Self {
        Self { wire, password, challenge: None, ids: 0 }
    }

    /// Asks, the first time without credentials to get a challenge, and has `read` read the answer.
    ///
    /// # Errors
    /// The code of a refusal.
    pub(crate) fn ask<T: Debug>(
        &mut self,
        method: Method,
        add: Add<'_>,
        read: impl Fn(&ServerAttributes<'_>) -> T,
    ) -> Result<T, u16> {
        let answer = self.exchange(method, add);
        let message = Message::parse(&answer).expect("a message");
        if let (Some(error), None) = (message.error_code(), &self.challenge) {
            assert_eq!(error.code(), 401);
            let realm = message.realm().expect("a realm").to_owned();
            self.challenge = Some((realm, message.nonce().expect("a nonce").to_vec()));
            return self.ask(method, add, read);
        }
        match message.error_code() {
            Some(error) => Err(error.code()),
            None => Ok(read(&ServerAttributes::read(&message).expect("attributes"))),
        }
    }

    fn exchange(&mut self, method: Method, add: Add<'_>) -> Vec<u8> {
        self.ids += 1;
        let mut buffer = [0; 1500];
        let id = TransactionId([self.ids; 12]);
        let writer = add(MessageWriter::new(&mut buffer, Class::Request, method, id));
        let length = match &self.challenge {
            None => writer.finish(),
            Some((realm, nonce)) => {
                let key = IntegrityKey::long_term("alice", realm, self.password);
                writer.username_str("alice").realm(realm).nonce(nonce).sign(&key)
            }
        };
        self.wire.send(&buffer[..length.expect("room")]);
        let answer = self.wire.receive();
        assert_eq!(Message::parse(&answer).expect("a message").transaction_id(), id);
        answer
    }

    /// A Send indication.
    pub(crate) fn send_to(&mut self, peer: SocketAddr, data: &[u8]) {
        let mut buffer = [0; 1500];
        let writer = MessageWriter::new(&mut buffer, Class::Indication, Method::SEND, TransactionId([0; 12]));
        let length = writer.xor_peer_address(peer).data(data).finish().expect("room");
        self.wire.send(&buffer[..length]);
    }
}
