//! How often consent expires on a network that loses datagrams at random, though nothing is wrong with the path: two
//! agents in simulated time, and beside it what arithmetic expects. The table is in the manual of floe-core.
//!
//! ```text
//! cargo run --release -p floe-sim --example consent_cost          # 30 simulated days for each row, in about a minute
//! cargo run --release -p floe-sim --example consent_cost -- 500   # as many days as you like
//! ```
#![expect(clippy::indexing_slicing, reason = "a measurement that is wrong ends")]

use core::time::Duration;
use std::error::Error;
use std::net::SocketAddr;

use floe_core::{
    Agent, AgentConfig, Cause, Datagram, Event, Instant, MAX_TRANSMIT, Output, Role, Socket, SocketId,
};
use floe_sim::{Attachment, HostId, LinkConfig, Network};

const DAY: Duration = Duration::from_secs(24 * 3600);
const RTT: Duration = Duration::from_millis(40);
const LOSSES: [u32; 6] = [0, 1, 5, 10, 20, 30];

fn main() -> Result<(), Box<dyn Error>> {
    let days: u32 = std::env::args().nth(1).map_or(Ok(30), |days| days.parse())?;
    println!("{days} days of two agents, round trip {} ms", RTT.as_millis());
    println!(
        "| loss each way | checks answered | expiries a day, expected | measured | of so many | data pauses for | degraded a day |"
    );
    println!("|---|---|---|---|---|---|---|");
    for percent in LOSSES {
        let loss = f64::from(percent) / 100.0;
        let books = simulate(u64::from(percent), loss, days)?;
        let a_day = |count: u32| f64::from(count) / f64::from(2 * days);
        let expected = expected_a_day(loss);
        println!(
            "| {percent} % | {:.0} % | {} | {:.3} | {} | {} | {:.0} |",
            100.0 * (1.0 - loss) * (1.0 - loss),
            if expected > 0.0 && expected < 1e-3 {
                format!("{expected:.1e}")
            } else {
                format!("{expected:.3}")
            },
            a_day(books.expiries),
            books.expiries,
            books
                .paused
                .checked_div(books.pauses)
                .map_or("-".into(), |mean| format!("{} ms", mean.as_millis())),
            a_day(books.degraded),
        );
    }
    Ok(())
}

/// What the two agents have told in all.
#[derive(Default)]
struct Books {
    expiries: u32,
    degraded: u32,
    /// From the loss of a path to the next one that carries data.
    paused: Duration,
    pauses: u32,
}

/// One side.
struct Side {
    agent: Agent,
    host: HostId,
    address: SocketAddr,
    wake: Option<Instant>,
    lost_at: Option<Instant>,
}

struct Call {
    network: Network,
    sides: [Side; 2],
    books: Books,
}

/// Two agents that restart by themselves whenever consent has expired, with signalling that takes no time.
fn simulate(seed: u64, loss: f64, days: u32) -> Result<Books, Box<dyn Error>> {
    let mut network = Network::seeded(seed);
    network.set_link(LinkConfig::rtt(RTT).with_loss(loss));
    let mut side = |role, number: u8| -> Result<Side, Box<dyn Error>> {
        let host = network.add_host(Attachment::Public);
        let address = network.bind(host, None)?;
        let config = AgentConfig { role, restart_by_itself: true, ..Default::default() };
        let mut random = [number; 32];
        random[..8].copy_from_slice(&seed.to_be_bytes());
        let mut agent = Agent::new(config, random)?;
        agent.socket_up(Instant::ZERO, Socket::udp(SocketId(0), address))?;
        Ok(Side { agent, host, address, wake: Some(Instant::ZERO), lost_at: None })
    };
    let sides = [side(Role::Controlling, 1)?, side(Role::Controlled, 2)?];
    let mut call = Call { network, sides, books: Books::default() };
    for (one, other) in [(0, 1), (1, 0)] {
        let credentials = call.sides[one].agent.local_credentials().clone();
        call.sides[other].agent.set_remote_credentials(Instant::ZERO, credentials)?;
    }
    call.run(Instant::ZERO + DAY * days)?;
    Ok(call.books)
}

impl Call {
    fn run(&mut self, end: Instant) -> Result<(), Box<dyn Error>> {
        while self.network.now() < end {
            let now = self.network.now();
            while let Some(due) = self.sides.iter().position(|s| s.wake.is_some_and(|at| at <= now)) {
                self.poll(now, due)?;
            }
            let until = self.sides.iter().filter_map(|s| s.wake).min().unwrap_or(end).min(end);
            if let Some(mut delivery) = self.network.advance(until) {
                let now = self.network.now();
                let Some(side) = self.sides.iter_mut().find(|s| s.host == delivery.host) else { continue };
                side.agent.receive(now, Datagram::new(SocketId(0), delivery.remote, &mut delivery.bytes));
                side.wake = Some(now);
            }
        }
        Ok(())
    }

    /// The loop of every driver. What is to be signalled reaches the other side at once.
    fn poll(&mut self, now: Instant, index: usize) -> Result<(), Box<dyn Error>> {
        let [alice, bob] = &mut self.sides;
        let (side, other) = if index == 0 { (alice, bob) } else { (bob, alice) };
        let mut scratch = [0; MAX_TRANSMIT];
        loop {
            match side.agent.poll(now, &mut scratch) {
                Output::Transmit(t) => {
                    self.network.send((side.host, side.address), t.remote, t.contents);
                }
                Output::Event(Event::LocalCandidate { candidate, .. }) => {
                    other.agent.add_remote_candidate(now, &candidate)?;
                    other.wake = Some(now);
                }
                Output::Event(Event::Restarted { credentials, answers }) => {
                    other.agent.accept_credentials(now, credentials, answers.as_deref())?;
                    other.wake = Some(now);
                }
                Output::Event(Event::PathLost { cause: Cause::ConsentExpired, .. }) => {
                    self.books.expiries += 1;
                    side.lost_at = Some(now);
                }
                Output::Event(Event::PathUsable(_)) => {
                    if let Some(lost_at) = side.lost_at.take() {
                        self.books.paused += now.since(lost_at);
                        self.books.pauses += 1;
                    }
                }
                Output::Event(Event::PathDegraded(_)) => self.books.degraded += 1,
                Output::Event(Event::Failed(report)) => return Err(report.to_string().into()),
                // Nobody signals names.
                Output::Event(_) | Output::Resolve(_) | Output::Socket(_) => {}
                Output::Wait(until) => {
                    side.wake = until;
                    return Ok(());
                }
                Output::Closed => return Ok(()),
            }
        }
    }
}

/// How often an agent's consent is expected to expire in a day, exactly: a walk over the milliseconds since an answered
/// check, with checks 4 to 6 s apart of which `(1 - loss)²` are answered. What a restart takes is left out.
fn expected_a_day(loss: f64) -> f64 {
    const LIFETIME: usize = 30_000;
    const INTERVAL: std::ops::Range<usize> = 4_000..6_000;
    let answered = (1.0 - loss) * (1.0 - loss);
    // The chance that a check goes at this millisecond and all before it were unanswered; and its running sum.
    let mut sums = vec![0.0; LIFETIME + 1];
    let (mut renewed, mut age) = (0.0, 0.0);
    for at in 0..LIFETIME {
        let before = |distance: usize| sums[(at + 1).saturating_sub(distance)];
        let check = (before(INTERVAL.start) - before(INTERVAL.end)) / INTERVAL.len() as f64;
        renewed += check * answered;
        age += check * answered * at as f64;
        let alive = if at == 0 { 1.0 } else { check * (1.0 - answered) };
        sums[at + 1] = sums[at] + alive;
    }
    let expires = unanswered_throughout(loss);
    let millis = age + (1.0 - renewed) * LIFETIME as f64;
    86_400_000.0 * expires / millis
}

/// The chance that after an answered check no other is answered for 30 s: five or six checks fit in, or once in 5,040
/// times seven (seven intervals of 4 to 6 s are under 30 s with a chance of 1 / 7!).
fn unanswered_throughout(loss: f64) -> f64 {
    let unanswered = 1.0 - (1.0 - loss) * (1.0 - loss);
    let seven = 1.0 / 5040.0;
    unanswered.powi(5) * 0.5 + unanswered.powi(6) * (0.5 - seven) + unanswered.powi(7) * seven
}
