//! `floe demo --relay`: two agents who know of relayed addresses only, and then of all. Data flows meanwhile, each datagram is
//! accounted for, and the timeline shows the move.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use floe_core::CandidateFilter;
use floe_tokio::{
    AgentConfig, CandidateType, Config, Event, IceServer, InterfacePolicy, Nomination, Role, Session,
};
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::timeline::Side;
use crate::args::ServeTurn;
use crate::error::Error;
use crate::millis::Millis;
use crate::paint::Paint;
use crate::serve::Turn;

/// How long data flows over the relay before the agents may go direct, and after they have.
const LEG: Duration = Duration::from_millis(500);
/// What takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(15);
const EVERY: Duration = Duration::from_millis(1);
const USER: (&str, &str) = ("demo", "the relay of the demo");

/// What there is to tell; the JSON document of `floe demo --relay --json`.
#[derive(Serialize)]
struct Story {
    /// Both sides went over to the direct path, and no datagram was lost.
    well: bool,
    relay: SocketAddr,
    steps: Vec<Step>,
    alice_to_bob: Way,
    bob_to_alice: Way,
}

#[derive(Serialize)]
struct Step {
    /// Since the start.
    ms: Millis,
    who: Option<Side>,
    what: String,
}

/// What one side has sent.
#[derive(Serialize, Default)]
struct Way {
    /// Over the relay, by the sender's path at that moment.
    relayed: u32,
    direct: u32,
    received: u32,
    lost: u32,
}

/// Runs it and prints it. It is an error if it did not go well.
pub(super) async fn run(json: bool) -> Result<(), Error> {
    let mut turn = Turn::bind(&ServeTurn::on_loopback(USER))?;
    let relay = turn.address().unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        turn.serve(async {
            let _ = stopped.await;
        })
        .await
    });
    let story = play(relay).await;
    let _ = stop.send(());
    server.await??;
    let story = story?;
    let mut stdout = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut stdout, &story)?;
        writeln!(stdout)?;
    } else {
        write!(stdout, "{}", story.text(Paint::for_stdout()))?;
    }
    stdout.flush()?;
    if story.well { Ok(()) } else { Err(Error::NotWell) }
}

/// One side: its agent, what it has sent, and what it has received.
struct Party {
    side: Side,
    session: Session,
    way: Way,
    sent: u32,
    seen: BTreeSet<u32>,
}

async fn play(relay: SocketAddr) -> Result<Story, Error> {
    let start = Instant::now();
    let mut parties = [party(Side::Alice, relay)?, party(Side::Bob, relay)?];
    let [alice, bob] = &parties;
    for (Party { session: one, .. }, Party { session: other, .. }) in [(alice, bob), (bob, alice)] {
        one.set_remote_credentials(other.local_credentials()).map_err(no_connection)?;
        one.set_remote_renomination(true);
    }
    let mut steps = vec![step(start, None, format!("a TURN server runs at {relay}"))];
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // When the next thing is done to them: they are let go direct, and then it is over.
    let mut next = start + PATIENCE;
    let mut stage = Stage::Connecting;
    while stage != Stage::Over {
        let [alice, bob] = &mut parties;
        tokio::select! {
            biased;
            event = alice.session.next_event() => on_event(alice, bob, event, start, &mut steps)?,
            event = bob.session.next_event() => on_event(bob, alice, event, start, &mut steps)?,
            () = sleep_until(next) => (stage, next) = on_time(stage, &parties, start, &mut steps)?,
            _ = ticks.tick() => {}
        }
        for party in &mut parties {
            party.receive();
        }
        let direct = parties.iter().map(Party::is_direct).collect::<Option<Vec<bool>>>();
        match (stage, direct) {
            (Stage::Connecting, Some(_)) => (stage, next) = (Stage::Relayed, Instant::now() + LEG),
            (Stage::Moving, Some(direct)) if direct == [true, true] => {
                (stage, next) = (Stage::Direct, Instant::now() + LEG);
            }
            _ => {}
        }
        if matches!(stage, Stage::Relayed | Stage::Moving | Stage::Direct) {
            for party in &mut parties {
                party.send();
            }
        }
    }
    let [alice, bob] = &mut parties;
    alice.close(bob);
    bob.close(alice);
    let is_well = |party: &Party| party.way.lost == 0 && party.way.relayed > 0 && party.way.direct > 0;
    let well = is_well(alice) && is_well(bob);
    let ways = [core::mem::take(&mut alice.way), core::mem::take(&mut bob.way)];
    for party in &parties {
        party.session.close().await;
    }
    let [alice_to_bob, bob_to_alice] = ways;
    Ok(Story { well, relay, steps, alice_to_bob, bob_to_alice })
}

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    /// Data flows over the relay.
    Relayed,
    /// The direct path is allowed.
    Moving,
    /// And used.
    Direct,
    /// What is under way may arrive.
    Draining,
    Over,
}

/// The time of a stage has passed.
fn on_time(
    stage: Stage,
    parties: &[Party; 2],
    start: Instant,
    steps: &mut Vec<Step>,
) -> Result<(Stage, Instant), Error> {
    let now = Instant::now();
    match stage {
        Stage::Relayed => {
            steps.push(step(start, None, "both may tell of their own addresses from now on".to_owned()));
            for party in parties {
                party.session.set_local_filter(CandidateFilter::default()).map_err(no_connection)?;
            }
            Ok((Stage::Moving, now + PATIENCE))
        }
        Stage::Direct => Ok((Stage::Draining, now + LEG)),
        Stage::Draining | Stage::Over => Ok((Stage::Over, now)),
        Stage::Connecting | Stage::Moving => {
            let why: Vec<String> =
                parties.iter().map(|party| crate::error::causes(&party.session.explain())).collect();
            Err(Error::NoConnection(why.join("; ")))
        }
    }
}

fn party(side: Side, relay: SocketAddr) -> Result<Party, Error> {
    let role = if side == Side::Alice { Role::Controlling } else { Role::Controlled };
    let uri = format!("turn:{relay}").parse().map_err(no_connection)?;
    let server = IceServer::with_credentials(vec![uri], USER.0, USER.1).map_err(no_connection)?;
    let agent = AgentConfig {
        role,
        nomination: Nomination::Renominate,
        local_filter: CandidateFilter::relay_only(),
        deadline: Some(PATIENCE),
        ..Default::default()
    };
    let interfaces = InterfacePolicy::loopback_only();
    let runtime = floe_tokio::Tokio::current().map_err(Error::Runtime)?;
    let config = Config { agent, interfaces, servers: vec![server], ..Default::default() };
    let session = Session::bind(&runtime, config)?;
    Ok(Party { side, session, way: Way::default(), sent: 0, seen: BTreeSet::new() })
}

/// What an agent tells is carried to the other one, and what a reader wants to know is noted.
fn on_event(
    party: &Party,
    other: &Party,
    event: Option<Event>,
    start: Instant,
    steps: &mut Vec<Step>,
) -> Result<(), Error> {
    let what = match event {
        Some(Event::LocalCandidate { candidate, .. }) => {
            // What is of no use, such as the other family, is passed over.
            let _ = other.session.add_remote_candidate(&candidate);
            let address = candidate.address.socket_addr().map_or_else(String::new, |a| a.to_string());
            format!("tells of {address} ({})", candidate.kind.sdp_name())
        }
        Some(Event::PathUsable(path)) => format!("has a path: {path}"),
        Some(Event::PathSelected(path)) => format!("selects {path}"),
        Some(Event::ServerError { server, fault, .. }) => format!("hears of {server}: {fault}"),
        Some(Event::Failed(report)) => return Err(Error::NoConnection(crate::error::causes(&report))),
        Some(_) => return Ok(()),
        None => return Err(Error::NoConnection("a session has ended".to_owned())),
    };
    steps.push(step(start, Some(party.side), what));
    Ok(())
}

impl Party {
    /// Whether its data goes direct; `None`: nowhere.
    fn is_direct(&self) -> Option<bool> {
        let path = self.session.path()?;
        Some(![path.local_type, path.remote_type].contains(&CandidateType::Relayed))
    }

    fn send(&mut self) {
        let Some(direct) = self.is_direct() else { return };
        let number = self.sent.to_be_bytes();
        // A letter first: 0 to 3 would be taken for STUN (RFC 7983 §7).
        let mut payload = [b'd'; 100];
        payload[1..5].copy_from_slice(&number);
        if self.session.connection().try_send(&payload).is_ok() {
            self.sent += 1;
            *(if direct { &mut self.way.direct } else { &mut self.way.relayed }) += 1;
        }
    }

    fn receive(&mut self) {
        while let Ok(Some(payload)) = self.session.connection().try_recv() {
            if let Some(number) = payload.get(1..5).and_then(|n| n.try_into().ok()) {
                self.seen.insert(u32::from_be_bytes(number));
            }
        }
    }

    /// Settles its accounts with what the other one has received.
    fn close(&mut self, other: &Self) {
        self.way.received = u32::try_from(other.seen.len()).unwrap_or(u32::MAX);
        self.way.lost = self.sent.saturating_sub(self.way.received);
    }
}

fn step(start: Instant, who: Option<Side>, what: String) -> Step {
    Step { ms: Millis(start.elapsed()), who, what }
}

fn no_connection(error: impl std::fmt::Display) -> Error {
    Error::NoConnection(error.to_string())
}

impl Story {
    fn text(&self, paint: Paint) -> String {
        let mut text =
            "floe demo --relay: two ICE agents start on a relay and go direct under traffic\n\n".to_owned();
        for Step { ms, who, what } in &self.steps {
            let name = who.map_or_else(String::new, |side| paint.side(side, &format!("{side:<5}")));
            let name = if who.is_none() { "     ".to_owned() } else { name };
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{ms:>9}  {name}  {what}");
        }
        text.push('\n');
        for (from, to, way) in [("alice", "bob", &self.alice_to_bob), ("bob", "alice", &self.bob_to_alice)] {
            let Way { relayed, direct, received, lost } = way;
            let _ = writeln!(
                text,
                "{from} to {to}: {relayed} datagrams over the relay, then {direct} direct; {received} arrived, {lost} lost"
            );
        }
        let verdict = if self.well {
            paint.good("The move cost no datagram.")
        } else {
            paint.bad("It did not go well.")
        };
        text + &verdict + "\n"
    }
}
