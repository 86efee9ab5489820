//! The presets beyond the classic nets: seconds per epoch, in turn with the peers that know them, and whether all reach
//! the same losses; and how fast a likelihood is estimated.

use crate::epochs::{PIXELS, Trainer};
use crate::machine;
use crate::setup::Setup;
use crate::turns::{Compared, Turns};
use common::model::{Likelihood, Preset};
use serde_json::{Value, json};
use vae_cli::Result;

const PRESETS: [&str; 4] = ["conv-20", "cvae-prior", "ae-20", "vae-64-10"];

// Each tolerance is at least four standard errors of a difference of means over five seeds, and about two over one
// seed: after two epochs the losses of seeds have standard deviations of 0.5 nats, 0.3 and 0.001, ours as PyTorch's.

/// Nats.
const LOSS: Compared = Compared { name: "test loss", digits: 1, of: |test| test.loss, apart: 1.5 };
/// What is left of a Gaussian's loss without its constant.
const SQUARED: Compared =
    Compared { name: "test squared error + KL", digits: 2, of: |test| test.mse * PIXELS as f64 + test.kl, apart: 1.0 };
/// Per pixel, of an autoencoder.
const MSE: Compared = Compared { name: "test mse", digits: 4, of: |test| test.mse, apart: 0.003 };

pub fn measure(setup: &Setup) -> Result<Value> {
    let threads = machine::cores();
    let mut trainers = Trainer::all_ours();
    trainers.extend(setup.peers.iter().filter(|peer| peer.presets).map(Trainer::peer));
    println!(
        "\nmodels on {threads} threads, seconds per epoch of {} images, second epoch, median of {} in turn (range)",
        setup.images, setup.rounds
    );
    let presets = PRESETS.map(|name| Preset::named(name).expect("a preset"));
    let presets: Result<Vec<Value>> = presets.iter().map(|preset| compare(setup, preset, threads, &trainers)).collect();
    Ok(json!({"presets": presets?, "likelihood": likelihood(setup)?}))
}

fn compare(setup: &Setup, preset: &Preset, threads: usize, trainers: &[Trainer]) -> Result<Value> {
    let Preset { name, lr, batch, .. } = preset;
    let by = match preset.objective.likelihood {
        Likelihood::Bernoulli => LOSS,
        _ if preset.network.bottleneck.is_distribution() => SQUARED,
        _ => MSE,
    };
    let options = format!("--preset {name} --lr {lr} --batch {batch} --threads {threads}");
    let turns = Turns::take(setup, trainers, &options, &by)?;
    println!("  {name}, N = {batch}");
    let rows = turns.rows(|_, _, _| String::new());
    turns.expect_alike(setup, name);
    Ok(json!({"preset": name, "batch": batch, "threads": threads, "compared": by.name, "rows": rows}))
}

/// The log-likelihood of the test images by importance sampling: the whole of the program, with all else that it tells.
fn likelihood(setup: &Setup) -> Result<Value> {
    const K: usize = 128;
    const PAPERS: usize = 5000; // as many as are usually published
    let line = format!("vae-eval -m model.bin -k {K} test.vae");
    let seconds = setup.times(setup.rounds, &[&line])?.swap_remove(0);
    let images = setup.test_images as f64;
    let speed = seconds.map(|seconds| images * K as f64 / seconds);
    let minutes = speed.map(|speed| images * PAPERS as f64 / speed / 60.0);
    println!(
        "  {line}, 784-400-20: {:.0} thousand draws per second over {images} images; -k {PAPERS} would take {minutes:.1} \
         minutes",
        speed.map(|speed| speed / 1e3)
    );
    Ok(json!({
        "line": line,
        "seconds": seconds.json(),
        "images_x_draws_per_second": speed.json(),
        "k": PAPERS,
        "minutes": minutes.json(),
    }))
}
