//! How many packets the simulator moves in a second of one core, through two NATs, and how many simulated seconds pass in one where
//! little is said: `packets`, or `packets --gate` to fail below a million of either. It runs itself under callgrind too, as
//! `packets --instrumented`.

use std::cell::Cell;
use std::error::Error;
use std::process::Command;
use std::rc::Rc;

use floe_benches::measure::{self, Effort, instrumented_region};
use floe_benches::packets::{PACKETS, PAYLOAD, Path};
use floe_benches::quiet::{Quiet, SECONDS};
use floe_core::Profile;
use floe_sim::NatConfig;

/// What is promised.
const ENOUGH: f64 = 1e6;
const INSTRUMENTED: u32 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("--instrumented") {
        let mut path = Path::through(&NatConfig::port_restricted())?;
        instrumented_region(&mut || path.step(), INSTRUMENTED);
        return Ok(());
    }
    println!("{PAYLOAD} bytes, host - NAT - NAT - host, both ways, one core:");
    let mut slowest = f64::INFINITY;
    for (name, config) in
        [("port-restricted", NatConfig::port_restricted()), ("full cone", NatConfig::full_cone())]
    {
        let mut path = Path::through(&config)?;
        let lost = Rc::new(Cell::new(0));
        let told = lost.clone();
        let work: Box<dyn FnMut()> = Box::new(move || {
            let before = path.received();
            path.step();
            told.set(told.get() + before + u64::from(PACKETS) - path.received());
        });
        let time = measure::cpu_time(&mut [work], Effort { rounds: 31, round: 10_000_000 });
        if lost.get() > 0 {
            return Err(format!("{name}: {} packets did not arrive", lost.get()).into());
        }
        let time = time.first().copied().unwrap_or(f64::NAN) / f64::from(PACKETS);
        slowest = slowest.min(1e9 / time);
        println!("{name:16} {:>10.0} packets/s, {time:.0} ns each", 1e9 / time);
    }
    if measure::valgrind_version().is_some() {
        let profile = measure::profile_folder()?.join("packets.callgrind");
        let own = std::env::current_exe()?;
        let total = measure::under_callgrind(&profile, |command: &mut Command| {
            command.arg(own).arg("--instrumented");
            Ok(())
        })?;
        let each = total / f64::from(INSTRUMENTED * PACKETS);
        println!("instructions     {each:>10.0} each; the profile is {}", profile.display());
    } else {
        println!("valgrind is not installed: instructions are not counted.");
    }
    let quiet = quiet()?;
    if argument.as_deref() == Some("--gate") && slowest < ENOUGH {
        return Err(format!("{slowest:.0} packets/s are too few").into());
    }
    if argument.as_deref() == Some("--gate") && quiet < ENOUGH {
        return Err(format!("{quiet:.0} simulated seconds of keepalives in one are too few").into());
    }
    Ok(())
}

/// How many simulated seconds of keepalives a real second holds.
fn quiet() -> Result<f64, Box<dyn Error>> {
    println!("{SECONDS} simulated seconds, host - NAT - NAT - host, one core:");
    let mut toy = Quiet::keepalives()?;
    let before = toy.heard();
    toy.step()?;
    if toy.heard() - before < 2 * u64::from(SECONDS / 15) - 2 {
        return Err(format!("{} keepalives came", toy.heard() - before).into());
    }
    let slowest = pace("a byte each way every 15 s", move || Ok(toy.step()?))?;
    for (name, profile) in
        [("floe, Profile::Idle", Profile::Idle), ("floe, Profile::Active", Profile::Active)]
    {
        let mut agents = Quiet::agents(profile)?;
        pace(name, move || {
            agents.step()?;
            if agents.are_connected() { Ok(()) } else { Err("a path was lost".into()) }
        })?;
    }
    Ok(slowest)
}

fn pace(
    name: &str,
    mut step: impl FnMut() -> Result<(), Box<dyn Error>> + 'static,
) -> Result<f64, Box<dyn Error>> {
    let failed = Rc::new(Cell::new(None));
    let told = failed.clone();
    let work: Box<dyn FnMut()> = Box::new(move || {
        if let Err(error) = step() {
            told.set(Some(error));
        }
    });
    let time = measure::cpu_time(&mut [work], Effort { rounds: 5, round: 1 });
    if let Some(error) = failed.take() {
        return Err(error);
    }
    let time = time.first().copied().unwrap_or(f64::NAN) / 1e9;
    let pace = f64::from(SECONDS) / time;
    println!("{name:27} {pace:>12.0} simulated seconds in one, {:.0} ms for all", time * 1e3);
    Ok(pace)
}
