//! Counts allocations: a helper of `benches/run`. It is a binary of its own because the allocator that counts is not
//! to slow down what is timed.

use std::error::Error;

use floe_benches::measure::{Order, helper_order};

fn main() -> Result<(), Box<dyn Error>> {
    let Order { contender, tasks } = helper_order()?;
    for task in tasks {
        let mut work = contender.work(task.row, task.until);
        // The harness has its buffers from here on.
        work();
        let iterations = if task.row.scenario().is_some() { 1 } else { 1_000_u32 };
        let counted = allocation_counter::measure(|| {
            for _ in 0..iterations {
                work();
            }
        });
        println!("{}", counted.count_total as f64 / f64::from(iterations));
    }
    Ok(())
}
