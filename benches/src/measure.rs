//! The measures: thread CPU time here, allocations and instructions in processes of their own. The allocator that
//! counts must not slow down what is timed, and callgrind follows a whole process.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::time::{ClockId, clock_gettime};

use crate::contender::Contender;
use crate::contenders;
use crate::rows::{self, Row};

/// How long one round of a row is to take, and how many there are.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds; the median counts.
    pub rounds: usize,
    /// Nanoseconds of each. A row whose iteration takes longer is done once a round.
    pub round: u64,
}

/// Nanoseconds of this thread's CPU time for one iteration of each of `works`: the median of the rounds, which take
/// turns, so that whatever the machine does meets all alike.
pub fn cpu_time(works: &mut [Box<dyn FnMut()>], effort: Effort) -> Vec<f64> {
    let iterations: Vec<u32> = works
        .iter_mut()
        .map(|work| {
            work();
            let once = timed(work, 1).max(1);
            u32::try_from((effort.round / once).clamp(1, 1_000_000)).unwrap_or(1)
        })
        .collect();
    let mut rounds = vec![Vec::new(); works.len()];
    for _ in 0..effort.rounds {
        for ((work, &iterations), times) in works.iter_mut().zip(&iterations).zip(&mut rounds) {
            times.push(timed(work, iterations) as f64 / f64::from(iterations));
        }
    }
    rounds.into_iter().map(median).collect()
}

fn timed(work: &mut Box<dyn FnMut()>, iterations: u32) -> u64 {
    let start = thread_time();
    for _ in 0..iterations {
        work();
    }
    thread_time().saturating_sub(start)
}

fn thread_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or_default() * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or_default()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One row of one contender, as a helper process is told of it: `KEY=UNTIL`.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// Which row.
    pub row: &'static Row,
    /// When its session ends.
    pub until: u64,
}

/// What a helper process is to do.
pub struct Order {
    /// With whom.
    pub contender: Box<dyn Contender>,
    /// What, in this order.
    pub tasks: Vec<Task>,
}

/// What this helper process was asked to do.
///
/// # Errors
/// If the command line is not one that this module writes.
pub fn helper_order() -> Result<Order, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("CONTENDER KEY=UNTIL...")?;
    let contender =
        contenders::all().into_iter().find(|c| c.name() == name).ok_or("there is no such contender")?;
    let tasks = arguments.map(|argument| {
        let (key, until) = argument.split_once('=').ok_or("KEY=UNTIL")?;
        Ok(Task { row: rows::find(key).ok_or("there is no such row")?, until: until.parse()? })
    });
    let tasks = tasks.collect::<Result<_, Box<dyn Error>>>()?;
    Ok(Order { contender, tasks })
}

fn helper_command(mut command: Command, contender: &dyn Contender, tasks: &[Task]) -> Command {
    command.arg(contender.name());
    command.args(tasks.iter().map(|task| format!("{}={}", task.row.key, task.until)));
    command
}

fn run_helper(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output = command.output()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{:?} failed: {}", command.get_program(), stderr.trim()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A binary beside this one.
fn sibling(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() { Ok(path) } else { Err(format!("{name} is not built: use benches/run").into()) }
}

/// Allocations in one iteration of each task.
///
/// # Errors
/// If the helper is missing or fails.
pub fn allocations(contender: &dyn Contender, tasks: &[Task]) -> Result<Vec<f64>, Box<dyn Error>> {
    let command = Command::new(sibling("allocations")?);
    let stdout = run_helper(&mut helper_command(command, contender, tasks))?;
    stdout.lines().map(|line| Ok(line.parse()?)).collect()
}

/// Where callgrind's profiles go: `callgrind` in the target directory.
///
/// # Errors
/// If the system does not tell where this binary is.
pub fn profile_folder() -> Result<PathBuf, Box<dyn Error>> {
    let exe = std::env::current_exe()?;
    Ok(exe.ancestors().nth(2).ok_or("this binary is not in a target directory")?.join("callgrind"))
}

/// Which valgrind there is, if there is one.
pub fn valgrind_version() -> Option<String> {
    let output = Command::new("valgrind").arg("--version").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Instructions in one iteration of `task`, counted by callgrind. The profile is left in `folder`, as
/// `CONTENDER-KEY.callgrind`.
///
/// # Errors
/// If valgrind or the helper fails, or says something unexpected.
pub fn instructions(contender: &dyn Contender, task: Task, folder: &Path) -> Result<f64, Box<dyn Error>> {
    let profile = folder.join(format!("{}-{}.callgrind", contender.name(), task.row.key));
    let program = |command: &mut Command| {
        command.arg(sibling("instructions")?).arg(contender.name());
        command.arg(format!("{}={}", task.row.key, task.until));
        Ok(())
    };
    Ok(under_callgrind(&profile, program)? / f64::from(task.row.instrumented))
}

/// All instructions that a program spends in [`instrumented_region`], by callgrind. The profile is left at `profile`.
///
/// # Errors
/// If valgrind or the program fails, or says something unexpected.
pub fn under_callgrind(
    profile: &Path,
    program: impl FnOnce(&mut Command) -> Result<(), Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    std::fs::create_dir_all(profile.parent().unwrap_or(profile))?;
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={REGION}"))
        .arg(format!("--callgrind-out-file={}", profile.display()));
    program(&mut command)?;
    run_helper(&mut command)?;
    Ok(total(&std::fs::read_to_string(profile)?).ok_or("callgrind gave no total")?)
}

fn total(profile: &str) -> Option<f64> {
    let line = profile.lines().find_map(|line| line.strip_prefix("totals: "))?;
    line.trim().parse().ok().filter(|total| *total > 0.0)
}

/// The name of [`instrumented_region`] to callgrind, which counts in it and in what it calls.
const REGION: &str = "*instrumented_region*";

/// Where the instructions are counted.
#[inline(never)]
pub fn instrumented_region(work: &mut dyn FnMut(), iterations: u32) {
    for _ in 0..iterations {
        work();
    }
}
