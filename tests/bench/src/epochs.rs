//! Programs that train, and the epochs that they report.

use crate::machine;
use crate::peers::Peer;
use crate::setup::Setup;
use common::plan::Precision;
use vae_cli::{Error, Result};
use vae_stream::record::{self, KL, LOSS, MSE};

/// Of MNIST, and of the synthetic digits.
pub const PIXELS: usize = 784;

/// A network and how it is trained.
#[derive(Clone, Copy)]
pub struct Run {
    pub hidden: &'static [usize],
    pub latent: usize,
    pub batch: usize,
    pub threads: usize,
}

impl Run {
    /// 784-400-20 in batches of 128.
    pub fn classic(threads: usize) -> Run {
        Run { hidden: &[400], latent: 20, batch: 128, threads }
    }
    /// `784-400-20`, as it is told.
    pub fn net(&self) -> String {
        format!("{PIXELS}-{}-{}", self.hidden.iter().map(usize::to_string).collect::<Vec<_>>().join("-"), self.latent)
    }
    /// What every program that trains understands.
    pub fn options(&self) -> String {
        let hidden = self.hidden.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let Run { latent, batch, threads, .. } = self;
        format!("--hidden {hidden} --latent {latent} --lr 1e-3 --batch {batch} --threads {threads}")
    }
    /// Floating-point operations of an epoch: two for each weight and image in the product forwards and in the gradient
    /// of the weights, and again in the gradient of a layer's input, which the first layer needs not.
    pub fn operations(&self, images: usize) -> f64 {
        let widths = [&[PIXELS], self.hidden].concat();
        let encoder: usize = widths.windows(2).map(|w| w[0] * w[1]).sum();
        let (first, last) = (PIXELS * self.hidden[0], self.hidden[self.hidden.len() - 1]);
        // The decoder mirrors the encoder; in the middle are mu and logvar, and the way back from z.
        let weights = 2 * encoder + 3 * last * self.latent;
        (2 * (3 * weights - first) * images) as f64
    }
}

/// A program that trains.
pub struct Trainer {
    /// As it is told: `vae-train`, `vae-train bf16`, `JAX 0.10.2`.
    pub name: String,
    /// The number format of its products, for programs of ours.
    pub precision: Option<Precision>,
    command: String,
}

impl Trainer {
    pub fn ours() -> Trainer {
        let command = "vae-train train.vae --test test.vae -o bench.bin".into();
        Trainer { name: "vae-train".into(), precision: Some(Precision::Fp32), command }
    }
    /// Ours, as the neighbour of ours.
    pub fn another() -> Trainer {
        let command = "vae-train train.vae --test test.vae -o another.bin".into();
        Trainer { name: "another vae-train".into(), precision: Some(Precision::Fp32), command }
    }
    /// With products of bf16, where the CPU has them.
    fn ours_bf16() -> Option<Trainer> {
        let Trainer { name, command, .. } = Trainer::ours();
        let (name, command) = (format!("{name} bf16"), format!("{command} --precision bf16"));
        machine::isa().has_bf16().then_some(Trainer { name, precision: Some(Precision::Bf16), command })
    }
    /// In each precision that is fast here.
    pub fn all_ours() -> Vec<Trainer> {
        [Trainer::ours()].into_iter().chain(Trainer::ours_bf16()).collect()
    }
    pub fn peer(peer: &Peer) -> Trainer {
        Trainer { name: peer.version.clone(), precision: None, command: peer.command.clone() }
    }
    /// The line of shell that makes a run.
    pub fn line(&self, options: &str, epochs: usize, seed: usize) -> String {
        format!("exec {} {options} --epochs {epochs} --seed {seed}", self.command)
    }
    /// The last of some epochs.
    pub fn last_epoch(&self, setup: &Setup, options: &str, seed: usize) -> Result<Epoch> {
        const EPOCHS: usize = 2; // the first warms the caches
        let line = self.line(options, EPOCHS, seed);
        let epoch = setup.sh(&line)?.lines().filter_map(Epoch::parse).next_back();
        epoch.ok_or_else(|| Error::Failed(format!("{line}: expected records of epochs, got none")))
    }
}

/// What a program reports of an epoch.
pub struct Epoch {
    pub seconds: f64,
    pub test: Losses,
}

/// Means over the test images; NaN where a program does not tell.
#[derive(Clone, Copy)]
pub struct Losses {
    /// Nats per image, of a Gaussian with its constant or, by peers, without.
    pub loss: f64,
    pub kl: f64,
    /// The squared error per pixel.
    pub mse: f64,
}

impl Epoch {
    /// From a line of JSON, if it is an epoch record.
    pub fn parse(line: &str) -> Option<Epoch> {
        let epoch = record::Epoch::parse(&serde_json::from_str(line).ok()?).ok()??;
        let test = |name: &str| epoch.test.as_ref().and_then(|test| test.finite(name)).unwrap_or(f64::NAN);
        let test = Losses { loss: test(LOSS), kl: test(KL), mse: test(MSE) };
        Some(Epoch { seconds: epoch.seconds?.finite()?, test })
    }
}
