//! How many packets the simulator moves in a second of one core, through two NATs: `packets`, or `packets --gate` to fail below a
//! million. It runs itself under callgrind too, as `packets --instrumented`.

use std::cell::Cell;
use std::error::Error;
use std::process::Command;
use std::rc::Rc;

use floe_benches::measure::{self, Effort, instrumented_region};
use floe_benches::packets::{PACKETS, PAYLOAD, Path};
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
    if argument.as_deref() == Some("--gate") && slowest < ENOUGH {
        return Err(format!("{slowest:.0} packets/s are too few").into());
    }
    Ok(())
}
