//! Plays one input of a fuzz target, and shows the story that it tells.
//! `cargo run -p floe-fuzz-harness --example replay TARGET FILE`.

use floe_fuzz_harness::script::Script;
use floe_fuzz_harness::{
    agent_raw, agent_signed, candidate, commands, description, discovery, framing, turn_client, wire,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(target), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("usage: replay TARGET FILE".into());
    };
    let data = std::fs::read(file)?;
    let run: fn(&[u8]) = match target.as_str() {
        "wire" => wire::run,
        "framing" => framing::run,
        "candidate" => candidate::run,
        "description" => description::run,
        "discovery" => discovery::run,
        "agent_raw" => agent_raw::run,
        "agent_signed" => agent_signed::run,
        "commands" => commands::run,
        "turn_client" => turn_client::run,
        _ => return Err(format!("no target is called {target}").into()),
    };
    if matches!(target.as_str(), "agent_signed" | "commands") {
        let script = Script::read(&data);
        println!("{:?}", script.setting);
        for step in &script.steps {
            let clock = if step.late { " late" } else { "" };
            println!("{:?}{}{clock}", step.action, if step.unpolled { " unpolled" } else { "" });
        }
    }
    if target == "turn_client" {
        println!("{:#?}", turn_client::Story::read(&data));
    }
    if target == "discovery" {
        println!("{:#?}", discovery::Story::read(&data));
    }
    run(&data);
    Ok(())
}
