//! `floe demo`: two agents on this machine connect and move data, and what happened is told. This file runs it; the
//! rooms below turn what was seen into a story.

mod document;
mod exchange;
mod record;
mod relayed;
mod text;
pub(crate) mod timeline;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use floe_async_std::{AsyncStd, Smol};
use floe_driver::{Connection, Runtime, Session};
use floe_tokio::{AgentConfig, BindError, Config, Description, InterfacePolicy, Path, Role, Tokio};
use tokio::sync::{Barrier, oneshot};
use tokio::time::timeout;

use crate::args::{self, RuntimeName};
use crate::error::Error;
use crate::millis::Millis;
use crate::paint::Paint;
use document::{Document, Gathered, Moved, Selected, View};
use exchange::{Asked, Echoed};
use record::Recorder;
use timeline::{Side, Timeline};

/// On one machine a path takes milliseconds; this is for one that is very busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the demo and prints it. It is an error if it did not go well.
pub(crate) async fn run(args: &args::Demo) -> Result<(), Error> {
    if args.relay {
        return relayed::run(args.json).await;
    }
    let document = connect_both(args.runtime).await?;
    let mut stdout = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut stdout, &document)?;
        writeln!(stdout)?;
    } else {
        write!(stdout, "{}", text::text(&document, Paint::for_stdout()))?;
    }
    stdout.flush()?;
    if document.well { Ok(()) } else { Err(Error::NotWell) }
}

/// Each agent's task, sockets and timer are those of its runtime. What waits for them is on tokio in any case.
async fn connect_both(name: RuntimeName) -> Result<Document, Error> {
    let tokio = Tokio::current().map_err(Error::Runtime)?;
    match name {
        RuntimeName::Tokio => connect(name, &tokio, &tokio).await,
        RuntimeName::AsyncStd => connect(name, &AsyncStd, &AsyncStd).await,
        RuntimeName::Smol => connect(name, &Smol, &Smol).await,
        RuntimeName::Mixed => connect(name, &tokio, &AsyncStd).await,
    }
}

async fn connect<A: Runtime, B: Runtime>(name: RuntimeName, alices: &A, bobs: &B) -> Result<Document, Error> {
    let recorder = Recorder::new();
    let (alice, loopback) = match bind(alices, Side::Alice, InterfacePolicy::default(), &recorder) {
        Err(BindError::NoUsableAddress(_)) => {
            (bind(alices, Side::Alice, InterfacePolicy::loopback_only(), &recorder)?, true)
        }
        bound => (bound?, false),
    };
    let policy = if loopback { InterfacePolicy::loopback_only() } else { InterfacePolicy::default() };
    let bob = bind(bobs, Side::Bob, policy, &recorder)?;

    // Signalling, in memory. A web server, a chat or a QR code does the same.
    let (to_bob, from_alice) = oneshot::channel();
    let (to_alice, from_bob) = oneshot::channel();
    let both_ready = Arc::new(Barrier::new(2));
    let (finished, until_finished) = oneshot::channel();

    let ready = Arc::clone(&both_ready);
    let alice = tokio::spawn(async move {
        let connection = reach_peer(&alice, to_bob, from_bob).await?;
        timeout(PATIENCE, ready.wait()).await.map_err(|_| peer_missing())?;
        let asked = exchange::ask(&connection).await?;
        let path = selected_path(&connection).await?;
        let _ = finished.send(());
        Ok::<(Path, Asked), Error>((path, asked))
    });
    let bob = tokio::spawn(async move {
        let connection = reach_peer(&bob, to_alice, from_alice).await?;
        timeout(PATIENCE, both_ready.wait()).await.map_err(|_| peer_missing())?;
        let echoed = exchange::echo(&connection, until_finished).await?;
        let path = selected_path(&connection).await?;
        Ok::<(Path, Echoed), Error>((path, echoed))
    });
    let ((alice_path, asked), (bob_path, echoed)) =
        tokio::try_join!(async { alice.await? }, async { bob.await? })?;

    let moments = recorder.moments();
    let Timeline { paths, steps } = timeline::timeline(&moments);
    let selected = Selected::conclude(View::from(alice_path), View::from(bob_path), &paths, &steps);
    let moved = Moved::from_both(asked, echoed);
    Ok(Document {
        well: selected.agreed && moved.is_complete(),
        loopback,
        runtime: name,
        alice: Gathered::of(Side::Alice, "controlling", &moments),
        bob: Gathered::of(Side::Bob, "controlled", &moments),
        paths,
        steps,
        selected,
        moved,
    })
}

fn bind<R: Runtime>(
    runtime: &R,
    side: Side,
    interfaces: InterfacePolicy,
    recorder: &Recorder,
) -> Result<Session<R>, BindError> {
    let role = match side {
        Side::Alice => Role::Controlling,
        Side::Bob => Role::Controlled,
    };
    let agent = AgentConfig { role, deadline: Some(PATIENCE), ..Default::default() };
    Session::bind(
        runtime,
        Config { agent, interfaces, observer: Some(recorder.observer(side)), ..Default::default() },
    )
}

/// Exchanges descriptions and waits until the two sides have agreed on a path.
async fn reach_peer<R: Runtime>(
    session: &Session<R>,
    to_peer: oneshot::Sender<Description>,
    from_peer: oneshot::Receiver<Description>,
) -> Result<Connection<R>, Error> {
    let _ = to_peer.send(session.local_description());
    let remote = from_peer.await.map_err(|_| peer_missing())?;
    session.set_remote_description(&remote).map_err(|error| Error::NoConnection(error.to_string()))?;
    let connection = session.connect().await?;
    selected_path(&connection).await?;
    Ok(connection)
}

async fn selected_path<R: Runtime>(connection: &Connection<R>) -> Result<Path, Error> {
    let waited = timeout(PATIENCE, connection.selected()).await;
    let path = waited.map_err(|_| Error::NoConnection("a path works, but none was selected".to_owned()))?;
    Ok(path?)
}

fn peer_missing() -> Error {
    Error::NoConnection("the other agent has given up".to_owned())
}

impl From<Path> for View {
    fn from(path: Path) -> Self {
        Self {
            local: path.local,
            local_type: path.local_type.sdp_name(),
            remote: path.remote,
            remote_type: path.remote_type.sdp_name(),
            rtt_ms: Millis(path.rtt),
        }
    }
}
