//! The rows of the table, and the work that one iteration of each is.

use std::hint::black_box;
use std::net::SocketAddr;

use crate::contender::{Agent, Codec, Fields, Limits, News, Outbox};
use crate::judge;
use crate::network::{CREDENTIALS, Nobody, Reachable, Scenario, Session, address};

/// What is done to which message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageWork {
    /// Parse and verify the request.
    ReadRequest,
    /// Build and sign it.
    WriteRequest,
    /// Parse and verify the response.
    ReadResponse,
    /// Build and sign it.
    WriteResponse,
}

/// What one iteration of a row is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// One message.
    Codec(MessageWork),
    /// A check at rest: an agent gets a request and answers it.
    Answer,
    /// A whole session of two agents.
    Connect(Scenario),
}

/// One thing that all contenders do.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name on command lines and in file names.
    pub key: &'static str,
    /// Its name in the table.
    pub title: &'static str,
    /// What it is.
    pub work: Work,
    /// How often it is done under callgrind, where it takes some fifty times as long.
    pub instrumented: u32,
}

impl Row {
    /// Whether the first contender must not lose here.
    pub fn is_gated(&self) -> bool {
        !matches!(self.work, Work::Connect(_))
    }

    /// Whether it takes too long under callgrind for a quick run.
    pub fn is_long(&self) -> bool {
        self.scenario().is_some_and(|s| s.limits == Raised || s.reachable == LastOnly && s.candidates > 5)
    }

    /// Its session, if it is one.
    pub fn scenario(&self) -> Option<&Scenario> {
        match &self.work {
            Work::Connect(scenario) => Some(scenario),
            _ => None,
        }
    }
}

const fn codec(key: &'static str, title: &'static str, message: MessageWork) -> Row {
    Row { key, title, work: Work::Codec(message), instrumented: 1_000 }
}

const fn connect(
    key: &'static str,
    title: &'static str,
    candidates: u32,
    reachable: Reachable,
    limits: Limits,
) -> Row {
    let instrumented = if candidates == 1 { 20 } else { 1 };
    Row { key, title, work: Work::Connect(Scenario { candidates, reachable, limits }), instrumented }
}

use Limits::{Raised, Shipped};
use Reachable::{Every, LastOnly};

/// All rows, in the order of the table.
pub const ROWS: [Row; 15] = [
    codec("read-request", "parse + verify a 100-byte request", MessageWork::ReadRequest),
    codec("write-request", "build + sign a 100-byte request", MessageWork::WriteRequest),
    codec("read-response", "parse + verify a 64-byte response", MessageWork::ReadResponse),
    codec("write-response", "build + sign a 64-byte response", MessageWork::WriteResponse),
    Row { key: "answer", title: "incoming check at rest", work: Work::Answer, instrumented: 1_000 },
    connect("connect-1", "connect, 1 × 1", 1, Every, Shipped),
    connect("connect-5", "connect, 5 × 5", 5, Every, Shipped),
    connect("connect-20", "connect, 20 × 20", 20, Every, Shipped),
    connect("connect-50", "connect, 50 × 50", 50, Every, Shipped),
    connect("last-5", "only the last pair, 5 × 5", 5, LastOnly, Shipped),
    connect("last-20-shipped", "only the last pair, 20 × 20, limits as shipped", 20, LastOnly, Shipped),
    connect("last-50-shipped", "only the last pair, 50 × 50, limits as shipped", 50, LastOnly, Shipped),
    connect("last-20", "only the last pair, 20 × 20, limits raised", 20, LastOnly, Raised),
    connect("last-50", "only the last pair, 50 × 50, limits raised", 50, LastOnly, Raised),
    connect("connect-50-raised", "connect, 50 × 50, limits raised", 50, Every, Raised),
];

/// The row that is called `key`.
pub fn find(key: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.key == key)
}

/// One message after the other.
pub(crate) fn codec_work<C: Codec + 'static>(message: MessageWork) -> Box<dyn FnMut()> {
    let fields = judge::fields();
    let request = judge::request(&fields).unwrap_or_default();
    let response = judge::response(&fields).unwrap_or_default();
    let codec = C::new(&fields, &request);
    match message {
        MessageWork::ReadRequest => Box::new(move || {
            black_box(codec.verify(black_box(&request)));
        }),
        MessageWork::ReadResponse => Box::new(move || {
            black_box(codec.verify(black_box(&response)));
        }),
        MessageWork::WriteRequest => {
            let mut buffer = [0; 128];
            Box::new(move || {
                black_box(codec.write_request(black_box(&mut buffer)));
            })
        }
        MessageWork::WriteResponse => {
            let mut buffer = [0; 128];
            Box::new(move || {
                black_box(codec.write_response(black_box(&mut buffer)));
            })
        }
    }
}

/// The controlled agent of a session of one candidate each, ten seconds after its start.
struct AtRest<A> {
    agent: A,
    now: u64,
    requests: Vec<Vec<u8>>,
    next: usize,
    answer: Answer,
}

/// Takes the last answer, and nothing else.
#[derive(Default)]
struct Answer {
    bytes: [u8; 32],
    sent: usize,
    to: Option<SocketAddr>,
    whole: Option<Vec<u8>>,
}

impl Outbox for Answer {
    fn send(&mut self, _from: SocketAddr, to: SocketAddr, contents: &[u8]) {
        self.sent += 1;
        self.to = Some(to);
        if let Some((start, _)) = contents.split_first_chunk() {
            self.bytes = *start;
        }
        if let Some(whole) = &mut self.whole {
            *whole = contents.to_vec();
        }
    }

    fn tell(&mut self, _news: News) {}
}

/// Many transactions, in case that an engine knows a request again.
const REQUESTS: u8 = 64;
/// When a session has come to rest.
const AT_REST: u64 = 10_000_000_000;

impl<A: Agent> AtRest<A> {
    fn new() -> Self {
        let scenario = Scenario { candidates: 1, reachable: Every, limits: Shipped };
        let outcome = Session::<A>::new(scenario).watch(AT_REST, &mut Nobody);
        let [_, agent] = outcome.agents;
        Self {
            agent,
            now: outcome.now,
            requests: (0..REQUESTS).filter_map(|n| judge::request(&request_fields(n))).collect(),
            next: 0,
            answer: Answer::default(),
        }
    }

    fn step(&mut self) {
        let mut bytes = [0; judge::REQUEST_SIZE];
        if let Some(Ok(request)) = self.requests.get(self.next).map(|request| request.as_slice().try_into()) {
            bytes = request;
        }
        self.next = (self.next + 1) % usize::from(REQUESTS);
        self.agent.receive(self.now, address(0, 0), address(1, 0), &mut bytes);
        black_box(self.agent.drive(self.now, &mut self.answer));
        black_box(&self.answer);
    }
}

/// A consent check of the controlling side: it has no USE-CANDIDATE.
fn request_fields(number: u8) -> Fields {
    let [sender, receiver] = CREDENTIALS;
    Fields {
        id: [number; 12],
        receiver: receiver.ufrag,
        sender: sender.ufrag,
        password: receiver.password,
        ..judge::fields()
    }
}

/// A check comes in, its answer goes out.
pub(crate) fn answer_work<A: Agent + 'static>() -> Box<dyn FnMut()> {
    let mut at_rest = AtRest::<A>::new();
    Box::new(move || at_rest.step())
}

/// Whether every request gets one answer and each is right.
pub(crate) fn examine_answer<A: Agent>() -> Result<(), String> {
    let mut at_rest = AtRest::<A>::new();
    at_rest.answer.whole = Some(Vec::new());
    let [_, receiver] = CREDENTIALS;
    for number in 0..REQUESTS {
        at_rest.step();
        let bytes = at_rest.answer.whole.as_deref().unwrap_or_default();
        let seen = judge::read(bytes, receiver.password)?;
        let is_right = seen.id == [number; 12]
            && !seen.is_request
            && seen.mapped == Some(address(0, 0))
            && at_rest.answer.to == Some(address(0, 0))
            && bytes.len() == judge::RESPONSE_SIZE
            && at_rest.answer.sent == usize::from(number) + 1;
        if !is_right {
            return Err(format!("answers with {seen:?}, {} datagrams so far", at_rest.answer.sent));
        }
    }
    Ok(())
}
