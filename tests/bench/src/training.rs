//! Seconds per epoch of networks, in turn with the peers, and whether all reach the same losses.

use crate::case::{Case, Mlp};
use crate::epochs::Trainer;
use crate::machine;
use crate::setup::Setup;
use crate::table::Table;
use crate::turns::Turns;
use vae_cli::Result;

/// The perceptrons.
fn perceptrons() -> Vec<Case> {
    let wide = Mlp::relu(&[2048], 20);
    let tanh = |net: Mlp| Mlp { activation: "tanh", ..net };
    let draws = |samples| Mlp { samples, ..Mlp::IWAE };
    let mut cases = vec![
        Case::classic(),
        Case::mlp("classic-512", Mlp::CLASSIC, 512),
        Case::mlp("classic-4096", Mlp::CLASSIC, 4096),
        Case::mlp("classic-tanh", tanh(Mlp::CLASSIC), 128),
        Case::mlp("plane", Mlp::relu(&[512, 256], 2), 128),
        Case::mlp("wide", wide, 1024),
        Case::mlp("deep", Mlp::relu(&[1024, 1024], 32), 128),
        Case::mlp("iwae-1", draws(1), 20),
        Case::mlp("iwae-tanh", tanh(draws(1)), 20),
        // A tenth of the images: an epoch of all takes a minute.
        Case { images: Some(6000), ..Case::mlp("iwae-5", draws(5), 20) },
        Case { images: Some(6000), ..Case::mlp("iwae-50", draws(50), 20) },
    ];
    if machine::threads() > 1 {
        cases.push(Case { id: "classic-one", threads: 1, ..Case::classic() });
    }
    cases
}

/// The presets beyond those.
fn presets() -> Vec<Case> {
    ["conv-20", "cvae-prior", "ae-20", "vae-64-10"].map(Case::preset).into()
}

/// Networks of one kind, which have tables of their own.
pub struct Group {
    pub seconds: &'static str,
    pub ratios: &'static str,
    pub shares: &'static str,
    cases: fn() -> Vec<Case>,
}

pub const PERCEPTRONS: Group = Group {
    seconds: "Training",
    ratios: "Training beside the peers",
    shares: "Training, share of the peak",
    cases: perceptrons,
};
pub const PRESETS: Group = Group {
    seconds: "Presets",
    ratios: "Presets beside the peers",
    shares: "Presets, share of the peak",
    cases: presets,
};

const ABOUT_SECONDS: &str = "Seconds per epoch of 60,000 images unless a row says otherwise, the second epoch of each run, \
    without evaluation. JAX runs a whole epoch compiled by XLA, its compilation not counted; PyTorch an eager loop without a \
    loader, with its fused Adam, or the same with its loss under torch.compile, compiled before. bf16 is `--precision bf16` of \
    vae-train, operands cast to bf16 in JAX, and autocast in PyTorch. All reach the same test losses, or `make bench` fails.";
const ABOUT_RATIOS: &str = "How many times as long as vae-train the peers take, in the same precision: the ratio of two \
    programs in one round. Below 1 the peer is faster.";
const ABOUT_SHARES: &str = "GFLOP/s of vae-train, every product counted as if no pixel were black (those with black pixels \
    are skipped, so this flatters), as a share of the GFLOP/s that as many threads reach in registers with the instruction \
    that this run used.";

impl Group {
    /// Names for `--rows`.
    pub fn ids(&self) -> Vec<&'static str> {
        (self.cases)().iter().map(|case| case.id).collect()
    }

    pub fn measure(&self, setup: &Setup) -> Result<Vec<Table>> {
        let all = Trainer::all(setup)?;
        let (ours, peers): (Vec<_>, Vec<_>) =
            Trainer::names().into_iter().partition(|name| name.starts_with(Trainer::OURS));
        let mut seconds = Table::new(self.seconds, ABOUT_SECONDS, ours.iter().chain(&peers));
        let mut ratios = Table::new(self.ratios, ABOUT_RATIOS, &peers);
        let mut shares = Table::new(self.shares, ABOUT_SHARES, &ours);
        for (rank, case) in (self.cases)().iter().enumerate().filter(|(_, case)| setup.wants_row(case.id)) {
            let turns = Turns::take(setup, &all, case)?;
            let (name, numbers) = (case.name(), turns.numbers());
            ratios.push(rank, &name, turns.ratios(), numbers["times_vae_train"].clone());
            shares.push(rank, &name, turns.shares(), numbers["peak_gflops"].clone());
            seconds.push(rank, &name, turns.seconds(), numbers);
            turns.expect_alike(setup);
            setup.keep([&mut seconds, &mut ratios, &mut shares])?;
        }
        Ok(vec![seconds, ratios, shares])
    }
}
