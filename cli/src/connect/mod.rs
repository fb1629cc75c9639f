//! `floe connect`: one agent whose signalling is the terminal. This file moves lines, events and datagrams between the
//! session and the terminal until the work is done or the deadline has passed.

mod ending;
mod input;
mod lines;

use std::fmt;
use std::io::Write;
use std::ops::Deref;
use std::time::Duration;

use floe_core::CandidateFilter;
use floe_tokio::{
    AgentConfig, Candidate, Config, ConnectError, Connection, Credentials, Event, InterfacePolicy, RecvError,
    Report, Session,
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::args;
use crate::error::{Error, causes};
use ending::Ending;
use input::Line;
use lines::{Description, Incoming, Outgoing};

/// What is sent once connected, and how often.
const HELLO: &[u8] = b"hello from floe";
const HELLO_EVERY: Duration = Duration::from_millis(200);

/// Runs one agent until its work is done.
pub(crate) async fn run(args: &args::Connect) -> Result<(), Error> {
    let start = Instant::now();
    let interfaces =
        if args.loopback { InterfacePolicy::loopback_only() } else { InterfacePolicy::default() };
    let session = floe_tokio::bind(Config {
        agent: AgentConfig {
            role: args.role.into(),
            lite: args.lite,
            deadline: Some(args.deadline),
            local_filter: if args.relay_only {
                CandidateFilter::relay_only()
            } else {
                CandidateFilter::default()
            },
            ..Default::default()
        },
        interfaces,
        tcp: args.tcp,
        servers: args.servers.all(),
        tls: args.servers.roots()?,
        ..Default::default()
    })
    .await?;
    let ending = Ending::new(start + args.deadline, args.stay);
    let mut terminal =
        Terminal { session, start, trickle: args.trickle, lite: args.lite, described: false, ending };
    let result = terminal.run().await;
    terminal.session.close().await;
    result
}

/// One agent and the terminal that it signals through.
struct Terminal {
    session: Session,
    start: Instant,
    trickle: bool,
    lite: bool,
    /// Whether our description was printed.
    described: bool,
    ending: Ending,
}

impl Terminal {
    async fn run(&mut self) -> Result<(), Error> {
        let session = self.session.clone();
        let mut input = Some(input::from_stdin());
        let mut connection: Option<Connection> = None;
        let mut receiving = true;
        let mut hello = interval(HELLO_EVERY);
        hello.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if self.trickle {
            self.describe(false)?;
            state("gathering", None)?;
        }
        loop {
            let (end, well) = self.ending.at();
            // Everything that is waited for here may be dropped and waited for again. What has happened is told before
            // the data that came by it.
            tokio::select! {
                biased;
                () = sleep_until(end) => return if well { Ok(()) } else { self.give_up() },
                event = session.next_event() => match event {
                    Some(event) => self.on_event(event)?,
                    None => return self.fail("the session has ended", None),
                },
                connected = session.connect(), if connection.is_none() => match connected {
                    Ok(connected) => connection = Some(connected),
                    Err(ConnectError::Failed(report)) => return self.fail(&causes(&report), Some(&report)),
                    Err(error) => return self.fail(&error.to_string(), None),
                },
                line = next_line(&mut input) => match line {
                    Some(line) => self.on_line(line)?,
                    // The peer may close its signalling after its last line.
                    None => input = None,
                },
                _ = hello.tick(), if self.ending.is_connected() => {
                    if let Some(Err(error)) = connection.as_ref().map(|connection| connection.try_send(HELLO)) {
                        warn(format_args!("a datagram was not sent: {error}"));
                    }
                }
                payload = receive(connection.as_ref()), if receiving => match payload {
                    Ok(payload) => self.on_data(&payload)?,
                    // Why the session ends is told by an event.
                    Err(_) => receiving = false,
                },
            }
        }
    }

    fn on_line(&mut self, Line { number, content }: Line) -> Result<(), Error> {
        match content {
            Ok(Incoming::Desc(description)) => self.on_description(number, &description)?,
            Ok(Incoming::Cand(candidate)) => self.on_candidate(number, &candidate),
            Ok(Incoming::Eoc) => self.session.end_of_remote_candidates(),
            Ok(Incoming::Unknown(kind)) => warn(format_args!("line {number} skipped: unknown kind `{kind}`")),
            Err(error) => eprintln!("floe: line {number} {error}"),
        }
        Ok(())
    }

    fn on_description(&mut self, number: usize, description: &Description) -> Result<(), Error> {
        let credentials = match Credentials::new(description.ufrag.as_str(), description.pwd.as_str()) {
            Ok(credentials) => credentials,
            Err(error) => {
                eprintln!("floe: line {number} has a description that cannot be used: {error}");
                return Ok(());
            }
        };
        let taken = self.session.set_remote_credentials(credentials);
        if let Err(error) = taken.and_then(|()| self.session.set_remote_lite(description.lite)) {
            eprintln!("floe: line {number} has a description that cannot be used: {error}");
            return Ok(());
        }
        if description.fp.is_some() {
            self.ending.on_silent_peer();
        }
        for candidate in &description.cands {
            self.on_candidate(number, candidate);
        }
        if description.eoc {
            self.session.end_of_remote_candidates();
        }
        state("checking", None)
    }

    /// What cannot be used is skipped: peers signal TCP candidates too (RFC 8839 §5.1).
    fn on_candidate(&mut self, number: usize, line: &str) {
        let candidate: Candidate = match line.parse() {
            Ok(candidate) => candidate,
            Err(error) => return warn(format_args!("line {number}: candidate skipped: {error}")),
        };
        if let Err(error) = self.session.add_remote_candidate(&candidate) {
            warn(format_args!("line {number}: candidate skipped: {error} (`{candidate}`)"));
        }
    }

    fn on_event(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::LocalCandidate { candidate, .. } if self.trickle => {
                print(&Outgoing::Cand { cand: candidate.to_string() })
            }
            // Sockets are bound once.
            Event::GatheringDone => {
                self.session.end_of_local_candidates();
                if self.described { Ok(()) } else { self.describe(true) }
            }
            Event::EndOfCandidates { .. } if self.trickle => print(&Outgoing::Eoc),
            Event::ServerError { server, fault, .. } => {
                warn(format_args!("server {server}: {fault}"));
                Ok(())
            }
            Event::ServerUnresolved { name } => {
                warn(format_args!("server {name}: it has no address"));
                Ok(())
            }
            Event::PathUsable(path) => state("usable", Some(path.to_string())),
            Event::PathSelected(path) => {
                state("selected", Some(path.to_string()))?;
                if self.ending.is_connected() {
                    return Ok(());
                }
                self.ending.on_connected(Instant::now());
                let ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
                print(&Outgoing::Connected { ms, pair: path.to_string() })
            }
            Event::PathDegraded(path) => state("degraded", Some(path.to_string())),
            Event::PathRecovered(path) => state("recovered", Some(path.to_string())),
            Event::PathLost { path, cause } => state("lost", Some(format!("{path}: {cause}"))),
            Event::Trouble(cause) => state("trouble", Some(cause.to_string())),
            Event::RoleSwitched(role) => state("role-switched", Some(role.to_string())),
            Event::RestartNeeded(cause) => self.fail(&format!("a restart is needed: {cause}"), None),
            Event::Failed(report) => self.fail(&causes(&report), Some(&report)),
            _ => Ok(()),
        }
    }

    fn on_data(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.ending.on_data(Instant::now());
        print(&Outgoing::Data { text: String::from_utf8_lossy(payload).into_owned() })
    }

    /// Prints our description; with all candidates, or before them.
    fn describe(&mut self, complete: bool) -> Result<(), Error> {
        self.described = true;
        let description = self.session.local_description();
        let cands = description.candidates.iter().filter(|_| complete).map(ToString::to_string).collect();
        print(&Outgoing::Desc {
            ufrag: description.credentials.ufrag().to_owned(),
            pwd: description.credentials.password().to_owned(),
            cands,
            eoc: complete,
            lite: self.lite,
        })
    }

    /// The deadline has passed.
    fn give_up(&self) -> Result<(), Error> {
        if self.ending.is_connected() {
            return self.fail("a path was selected, but no datagram came over it", None);
        }
        let report = self.session.explain();
        self.fail(&causes(&report), Some(&report))
    }

    fn fail(&self, why: &str, report: Option<&Report>) -> Result<(), Error> {
        let pairs = report.map(|report| report.pairs.iter().map(ToString::to_string).collect());
        print(&Outgoing::Fail { why: why.to_owned(), pairs: pairs.unwrap_or_default() })?;
        Err(Error::NoConnection(why.to_owned()))
    }
}

/// The peer's next line; never, once the input has ended.
async fn next_line(input: &mut Option<tokio::sync::mpsc::Receiver<Line>>) -> Option<Line> {
    match input {
        Some(input) => input.recv().await,
        None => std::future::pending().await,
    }
}

/// The next datagram; never, while there is no connection.
async fn receive(connection: Option<&Connection>) -> Result<impl Deref<Target = [u8]> + use<>, RecvError> {
    match connection {
        Some(connection) => connection.recv().await,
        None => std::future::pending().await,
    }
}

fn state(state: &'static str, why: Option<String>) -> Result<(), Error> {
    print(&Outgoing::State { state, why })
}

/// One line on standard output, at once.
fn print(line: &Outgoing) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", line.to_line()?)?;
    Ok(stdout.flush()?)
}

fn warn(what: fmt::Arguments<'_>) {
    eprintln!("floe: warning: {what}");
}
