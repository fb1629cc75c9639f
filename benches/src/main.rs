//! Runs all rows with all contenders and prints the table. `--quick` measures less often; `--gate` ends with an error
//! if floe is not better where it has to be; `--only TEXT` takes the rows whose key starts with it.

use std::error::Error;

use floe_benches::measure::{self, Effort, Task};
use floe_benches::network::CUT_OFF;
use floe_benches::report::{Line, Measure, Value, losses, passes_the_gate, table};
use floe_benches::rows::{ROWS, Row};
use floe_benches::survey::Survey;
use floe_benches::{Contender, contenders};

struct Options {
    quick: bool,
    gate: bool,
    only: String,
}

impl Options {
    fn read() -> Result<Self, Box<dyn Error>> {
        let mut options = Self { quick: false, gate: false, only: String::new() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--gate" => options.gate = true,
                "--only" => options.only = arguments.next().ok_or("--only TEXT")?,
                _ => return Err("usage: benches/run [--quick] [--gate] [--only TEXT]".into()),
            }
        }
        Ok(options)
    }

    fn effort(&self) -> Effort {
        if self.quick {
            Effort { rounds: 7, round: 2_000_000 }
        } else {
            Effort { rounds: 31, round: 10_000_000 }
        }
    }
}

/// All that is known of one row.
struct Measured {
    row: &'static Row,
    surveys: Vec<Option<Survey>>,
    cpu_time: Vec<f64>,
    allocations: Vec<Value>,
    instructions: Vec<Value>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::read()?;
    let contenders = contenders::all();
    let mut measured: Vec<Measured> = ROWS
        .iter()
        .filter(|row| row.key.starts_with(&options.only))
        .map(|row| Measured {
            row,
            surveys: Vec::new(),
            cpu_time: Vec::new(),
            allocations: Vec::new(),
            instructions: Vec::new(),
        })
        .collect();

    println!("{}\n", conditions(&contenders));
    for contender in &contenders {
        examine(&**contender)?;
    }
    for of_row in &mut measured {
        eprintln!("{} ...", of_row.row.title);
        survey(of_row, &contenders)?;
        let mut works: Vec<_> = (contenders.iter().zip(&of_row.surveys))
            .map(|(contender, survey)| contender.work(of_row.row, until(survey.as_ref())))
            .collect();
        of_row.cpu_time = measure::cpu_time(&mut works, options.effort());
    }
    eprintln!("allocations ...");
    for (number, contender) in contenders.iter().enumerate() {
        let tasks = tasks(&measured, number);
        let counts = measure::allocations(&**contender, &tasks)?;
        for (of_row, count) in measured.iter_mut().zip(counts) {
            of_row.allocations.push(Value::Number(count));
        }
    }
    count_instructions(&mut measured, &contenders, options.quick)?;

    let lines: Vec<Line> = measured.iter().flat_map(lines_of).collect();
    let names: Vec<&str> = contenders.iter().map(|contender| contender.name()).collect();
    println!("\n{}", table(&names, &lines));
    print!("{}", losses(&names, &lines));
    match (passes_the_gate(&lines), options.gate) {
        (true, _) => println!("\nThe rows about one message are as they have to be."),
        (false, false) => println!("\nA row about one message is lost in instructions or allocations."),
        (false, true) => return Err("a row about one message is lost in instructions or allocations".into()),
    }
    Ok(())
}

/// Before anything is measured: everyone does all that there is to do.
fn examine(contender: &dyn Contender) -> Result<(), Box<dyn Error>> {
    let name = contender.name();
    let refusals = contender.examine_codec().map_err(|fault| format!("{name}'s codec {fault}"))?;
    contender.examine_answer().map_err(|fault| format!("{name}'s agent: {fault}"))?;
    let checks_crc = if refusals.fingerprint { "and" } else { "but not" };
    println!("* {name}'s codec refuses a wrong MESSAGE-INTEGRITY {checks_crc} a wrong FINGERPRINT.");
    for note in contender.notes() {
        println!("* {name}: {note}.");
    }
    Ok(())
}

fn survey(of_row: &mut Measured, contenders: &[Box<dyn Contender>]) -> Result<(), Box<dyn Error>> {
    for contender in contenders {
        let survey = match of_row.row.scenario() {
            Some(scenario) => {
                let survey = contender.survey(scenario);
                Some(survey.map_err(|fault| format!("{}, {}: {fault}", of_row.row.title, contender.name()))?)
            }
            None => None,
        };
        of_row.surveys.push(survey);
    }
    Ok(())
}

/// When a measured session ends.
fn until(survey: Option<&Survey>) -> u64 {
    survey.and_then(|survey| survey.connected).map_or(CUT_OFF, |connected| connected.selected)
}

fn tasks(measured: &[Measured], contender: usize) -> Vec<Task> {
    let task = |of_row: &Measured| {
        let survey = of_row.surveys.get(contender).and_then(Option::as_ref);
        Task { row: of_row.row, until: until(survey) }
    };
    measured.iter().map(task).collect()
}

fn count_instructions(
    measured: &mut [Measured],
    contenders: &[Box<dyn Contender>],
    quick: bool,
) -> Result<(), Box<dyn Error>> {
    let Some(version) = measure::valgrind_version() else {
        println!("* valgrind is not installed: instructions are not counted.");
        for of_row in measured {
            of_row.instructions = vec![Value::Missing; contenders.len()];
        }
        return Ok(());
    };
    eprintln!("instructions ...");
    let folder = measure::profile_folder()?;
    for (number, contender) in contenders.iter().enumerate() {
        let tasks = tasks(measured, number);
        for (of_row, task) in measured.iter_mut().zip(tasks) {
            of_row.instructions.push(if quick && task.row.is_long() {
                Value::Missing
            } else {
                Value::Number(measure::instructions(&**contender, task, &folder)?)
            });
        }
    }
    println!("* Instructions are {version}'s, which has no SHA-NI: everyone hashes in software there.");
    println!("* The profiles are in {}.", folder.display());
    Ok(())
}

fn lines_of(of_row: &Measured) -> Vec<Line> {
    let row = of_row.row;
    let line = |measure, values| Line { title: row.title, measure, is_gated: row.is_gated(), values };
    let numbers = of_row.cpu_time.iter().copied().map(Value::Number).collect();
    let mut lines = vec![
        line(Measure::CpuTime, numbers),
        line(Measure::Instructions, of_row.instructions.clone()),
        line(Measure::Allocations, of_row.allocations.clone()),
    ];
    if row.scenario().is_some() {
        let of_surveys = |value: fn(&Survey) -> Value| -> Vec<Value> {
            of_row.surveys.iter().map(|survey| survey.as_ref().map_or(Value::Missing, value)).collect()
        };
        lines.push(line(Measure::Packets, of_surveys(|survey| Value::Number(survey.packets as f64))));
        lines.push(line(
            Measure::Usable,
            of_surveys(|s| s.connected.map_or(Value::Never, |c| Value::Number(c.usable as f64))),
        ));
        lines.push(line(
            Measure::Selected,
            of_surveys(|s| s.connected.map_or(Value::Never, |c| Value::Number(c.selected as f64))),
        ));
    }
    lines
}

/// The machine and the versions.
fn conditions(contenders: &[Box<dyn Contender>]) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim())
    };
    let model = field("model name").unwrap_or("an unknown processor");
    let has_sha = field("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "sha_ni"));
    let versions: Vec<String> = contenders
        .iter()
        .map(|contender| format!("{} {}", contender.name(), locked_version(contender.package())))
        .collect();
    format!("{} on {model}, {} SHA-NI.", versions.join(", "), if has_sha { "with" } else { "without" })
}

/// The version of a package in the lock file.
fn locked_version(package: &str) -> &'static str {
    let name = format!("name = \"{package}\"");
    let mut lines = include_str!("../Cargo.lock").lines().skip_while(|line| *line != name);
    lines.nth(1).and_then(|line| line.split('"').nth(1)).unwrap_or("of unknown version")
}
