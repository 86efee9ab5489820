//! What training costs beside another busy program, which may take its share of the cores and no more, and with more
//! threads than there are cores.

use crate::case::Case;
use crate::epochs::{Epoch, Trainer};
use crate::setup::Setup;
use crate::table::Table;
use crate::times::Times;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use vae_cli::{Error, Result};

/// Epochs of each program that are counted, and seconds after which one must do: there are programs that come almost to
/// a halt beside a busy neighbour.
const EPOCHS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

pub const TITLE: &str = "Beside a busy neighbour";
const ABOUT: &str = "Slowdown of two programs that train 784-400-20 at N = 128 at once, each with a thread for every hardware \
    thread: a fair share is 2. Then vae-train alone with more threads than the machine has.";

pub fn measure(setup: &Setup) -> Result<Vec<Table>> {
    let (case, ours) = (Case::classic(), Trainer::ours());
    let mut table = Table::new(TITLE, ABOUT, ["vae-train is slowed", "its neighbour is slowed"]);
    let peers = setup.peers.iter().map(Trainer::peer).filter(|peer| peer.precision == ours.precision);
    for other in [Trainer::another()].into_iter().chain(peers) {
        beside(setup, &case, [&ours, &other], &mut table)?;
    }
    threads(setup, &case, &ours, &mut table)?;
    Ok(vec![table])
}

/// Each of two programs alone, and both at once.
fn beside(setup: &Setup, case: &Case, pair: [&Trainer; 2], table: &mut Table) -> Result<()> {
    let mut alone = [Times::default(), Times::default()];
    let mut both = alone.clone();
    for _ in 0..setup.rounds {
        for (trainer, times) in pair.iter().zip(&mut alone) {
            times.0.extend(at_once(setup, case, &[trainer])?);
        }
        for (seconds, times) in at_once(setup, case, &pair)?.into_iter().zip(&mut both) {
            times.0.push(seconds);
        }
    }
    let slowdown = [0, 1].map(|at| both[at].over(&alone[at]));
    let numbers = |at: usize| json!({"program": pair[at].name, "alone": alone[at].json(), "both": both[at].json(), "slowdown": slowdown[at].json()});
    let cells = slowdown.each_ref().map(|slowdown| format!("{slowdown:.2}"));
    table.push_all(&pair[1].name, cells, [numbers(0), numbers(1)].into_iter().collect());
    Ok(())
}

/// More threads than cores.
fn threads(setup: &Setup, case: &Case, ours: &Trainer, table: &mut Table) -> Result<()> {
    let cases = [1, 2, 4].map(|times| Case { threads: times * case.threads, ..case.clone() });
    let mut all = [const { Times(vec![]) }; 3];
    for _ in 0..setup.rounds {
        for (case, times) in cases.iter().zip(&mut all) {
            times.0.push(ours.second_epoch(setup, case, 0)?.seconds);
        }
    }
    for (case, times) in cases.iter().zip(&all).skip(1) {
        let slowdown = times.over(&all[0]);
        let numbers = json!({"threads": case.threads, "seconds": times.json(), "slowdown": slowdown.json()});
        table.push_all(&format!("none, but {} threads", case.threads), [format!("{slowdown:.2}")], numbers);
    }
    Ok(())
}

/// A program that trains until it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait();
    }
}

impl Running {
    /// Sends `of` and the seconds of each epoch, and none when there will be no more.
    fn start(setup: &Setup, line: &str, of: usize, to: Sender<(usize, Option<f64>)>) -> Result<Running> {
        let child = setup.command(line).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|e| Error::io(format!("cannot run {line}"), e))?;
        let lines = BufReader::new(child.stdout.take().expect("a pipe was asked for")).lines();
        thread::spawn(move || {
            let epochs = lines.map_while(|line| line.ok()).filter_map(|line| Epoch::parse(&line));
            let _ = epochs.map(|e| Some(e.seconds)).chain([None]).try_for_each(|seconds| to.send((of, seconds)));
        });
        Ok(Running(child))
    }
}

/// Seconds per epoch of each of these programs while all of them train: the median of the epochs that began when all
/// had done one.
fn at_once(setup: &Setup, case: &Case, trainers: &[&Trainer]) -> Result<Vec<f64>> {
    let (to, epochs) = channel();
    let lines: Vec<String> = trainers.iter().map(|trainer| trainer.line(case, "train", 1 << 20, 0)).collect();
    let running: Vec<Running> =
        (0..lines.len()).map(|of| Running::start(setup, &lines[of], of, to.clone())).collect::<Result<_>>()?;
    let mut seen = vec![0; trainers.len()];
    let mut times = vec![Times::default(); trainers.len()];
    let mut all_busy = None;
    let begun = Instant::now();
    let enough = |times: &Times| times.0.len() >= if begun.elapsed() < PATIENCE { EPOCHS } else { 1 };
    while !times.iter().all(enough) {
        let (of, seconds) = epochs.recv().expect("the sender is kept here");
        let ended = || Error::Failed(format!("{}: expected it to go on, but it ended", lines[of]));
        let seconds = seconds.ok_or_else(ended)?;
        seen[of] += 1;
        if all_busy.is_some_and(|since: Instant| since.elapsed().as_secs_f64() >= seconds) {
            times[of].0.push(seconds);
        }
        if all_busy.is_none() && seen.iter().all(|seen| *seen > 0) {
            all_busy = Some(Instant::now());
        }
    }
    drop(running);
    setup.sh("rm -f *.ckpt")?; // of what was stopped
    Ok(times.iter().map(Times::median).collect())
}
