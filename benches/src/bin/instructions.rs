//! What runs under callgrind: a helper of `benches/run`.

use std::error::Error;

use floe_benches::measure::{Order, helper_order, instrumented_region};

fn main() -> Result<(), Box<dyn Error>> {
    let Order { contender, tasks } = helper_order()?;
    for task in tasks {
        let mut work = contender.work(task.row, task.until);
        // The harness has its buffers from here on; in a long session they do not show.
        if !task.row.is_long() {
            work();
        }
        instrumented_region(&mut *work, task.row.instrumented);
    }
    Ok(())
}
