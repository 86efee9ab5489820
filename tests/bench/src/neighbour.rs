//! What training costs beside another busy program, which may take its share of the cores and no more, and with more
//! threads than there are cores.

use crate::epochs::{Epoch, Run, Trainer};
use crate::machine;
use crate::setup::Setup;
use crate::times::Times;
use serde_json::{Value, json};
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

pub fn measure(setup: &Setup) -> Result<Value> {
    let (run, ours) = (Run::classic(machine::cores()), Trainer::ours());
    println!(
        "\nbusy neighbours: seconds per epoch of {}, N = {}, {} threads each, median of {} (range); a fair share is a \
         slowdown of 2",
        run.net(),
        run.batch,
        run.threads,
        setup.rounds
    );
    let neighbours: Result<Vec<Value>> = [Trainer::another()]
        .into_iter()
        .chain(setup.peers.iter().map(Trainer::peer))
        .map(|other| beside(setup, &run, [&ours, &other]))
        .collect();
    Ok(json!({"neighbours": neighbours?, "threads": threads(setup, &run, &ours)?}))
}

/// Each of two programs alone, and both at once.
fn beside(setup: &Setup, run: &Run, pair: [&Trainer; 2]) -> Result<Value> {
    let mut alone = [Times::default(), Times::default()];
    let mut both = alone.clone();
    for _ in 0..setup.rounds {
        for (trainer, times) in pair.iter().zip(&mut alone) {
            times.0.extend(at_once(setup, run, &[trainer])?);
        }
        for (seconds, times) in at_once(setup, run, &pair)?.into_iter().zip(&mut both) {
            times.0.push(seconds);
        }
    }
    let rows: Vec<Value> = pair
        .iter()
        .zip(alone.iter().zip(&both))
        .map(|(trainer, (alone, both))| {
            let (name, slowdown) = (&trainer.name, both.over(alone));
            println!("    {name:<22} alone {alone:<22.3} beside the other {both:<22.3} slowdown {slowdown:.2}");
            json!({"program": name, "alone": alone.json(), "both": both.json(), "slowdown": slowdown.json()})
        })
        .collect();
    println!();
    Ok(rows.into())
}

/// More threads than cores.
fn threads(setup: &Setup, run: &Run, ours: &Trainer) -> Result<Value> {
    let runs = [1, 2, 4].map(|times| Run { threads: times * run.threads, ..*run });
    let mut all = [const { Times(vec![]) }; 3];
    for _ in 0..setup.rounds {
        for (run, times) in runs.iter().zip(&mut all) {
            times.0.push(ours.last_epoch(setup, &run.options(), 0)?.seconds);
        }
    }
    let rows = runs.iter().zip(&all).map(|(run, times)| {
        let (threads, slowdown) = (run.threads, times.over(&all[0]));
        println!("    {:<22} {times:<28.3} slowdown {slowdown:.2}", format!("vae-train --threads {threads}"));
        json!({"threads": threads, "seconds": times.json(), "slowdown": slowdown.json()})
    });
    Ok(rows.collect())
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
fn at_once(setup: &Setup, run: &Run, trainers: &[&Trainer]) -> Result<Vec<f64>> {
    let (to, epochs) = channel();
    let lines: Vec<String> = trainers.iter().map(|trainer| trainer.line(&run.options(), 1 << 20, 0)).collect();
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
