//! vae-train beside itself: one thread and all, tanh and relu, a late epoch and an early one.

use crate::case::{Case, Mlp};
use crate::epochs::Trainer;
use crate::machine;
use crate::setup::Setup;
use crate::table::Table;
use crate::times::Times;
use serde_json::{Map, Value, json};
use vae_cli::Result;

pub const TITLE: &str = "vae-train beside itself";
const ABOUT: &str = "How many times as long the first takes as the second, run in turn; epochs of 60,000 images. Epoch 8 over \
    epoch 2 is of one run: a training that slows down, as where numbers decay to denormal ones, shows there.";

struct Pair {
    id: &'static str,
    what: &'static str,
    of: Of,
}

enum Of {
    Runs(Box<[Case; 2]>),
    /// The later epoch and the earlier, from 1.
    Epochs(Case, [usize; 2]),
}

fn pairs() -> Vec<Pair> {
    let pair = |id, what, first: Case, second: Case| Pair { id, what, of: Of::Runs(Box::new([first, second])) };
    let late = |id, case| Pair { id, what: "epoch 8 over epoch 2", of: Of::Epochs(case, [8, 2]) };
    let tanh = |net: Mlp| Mlp { activation: "tanh", ..net };
    let (wide, iwae) = (Case::mlp("wide", Mlp::relu(&[2048], 20), 1024), Case::mlp("iwae", Mlp::IWAE, 20));
    let mut pairs = vec![
        pair("tanh-classic", "tanh over relu", Case::mlp("tanh", tanh(Mlp::CLASSIC), 128), Case::classic()),
        pair("tanh-iwae", "tanh over relu", Case::mlp("tanh", tanh(Mlp::IWAE), 20), iwae.clone()),
        late("late-classic", Case::classic()),
        late("late-iwae", iwae),
        late("late-ae", Case::preset("ae-20")),
    ];
    if machine::threads() > 1 {
        for (id, case) in [("threads-classic", Case::classic()), ("threads-wide", wide)] {
            pairs.push(pair(id, "1 thread over all", Case { threads: 1, ..case.clone() }, case));
        }
    }
    pairs
}

/// Names for `--rows`.
pub fn ids() -> Vec<&'static str> {
    pairs().iter().map(|pair| pair.id).collect()
}

pub fn measure(setup: &Setup) -> Result<Vec<Table>> {
    let mut trainers = Trainer::all_ours(setup)?;
    trainers.retain(|trainer| setup.wants_program(&trainer.name));
    let names = Trainer::names().into_iter().filter(|name| name.starts_with(Trainer::OURS));
    let mut table = Table::new(TITLE, ABOUT, names);
    for (rank, pair) in pairs().iter().enumerate().filter(|(_, pair)| setup.wants_row(pair.id)) {
        let mut times = vec![[Times::default(), Times::default()]; trainers.len()];
        for seed in 0..setup.rounds {
            for (trainer, [first, second]) in trainers.iter().zip(&mut times) {
                let seconds = pair.of.seconds(setup, trainer, seed)?;
                first.0.push(seconds[0]);
                second.0.push(seconds[1]);
            }
        }
        let mut numbers = Map::new();
        let cells: Vec<_> = trainers
            .iter()
            .zip(&times)
            .map(|(trainer, [first, second])| {
                let ratio = first.over(second);
                let value: Value = json!({"first": first.json(), "second": second.json(), "ratio": ratio.json()});
                numbers.insert(trainer.name.clone(), value);
                (trainer.name.clone(), format!("{ratio:.2}"))
            })
            .collect();
        table.push(rank, &format!("{}: {}", pair.what, pair.of.case().name()), cells, numbers.into());
        setup.keep([&mut table])?;
    }
    Ok(vec![table])
}

impl Of {
    fn case(&self) -> &Case {
        match self {
            Of::Runs(cases) => &cases[1],
            Of::Epochs(case, _) => case,
        }
    }
    /// Of the first and of the second.
    fn seconds(&self, setup: &Setup, trainer: &Trainer, seed: usize) -> Result<[f64; 2]> {
        match self {
            Of::Runs(cases) => {
                let [first, second] = cases.each_ref().map(|case| trainer.second_epoch(setup, case, seed));
                Ok([first?.seconds, second?.seconds])
            }
            Of::Epochs(case, [late, early]) => {
                let epochs = trainer.epochs(setup, case, *late, seed)?;
                Ok([epochs[late - 1].seconds, epochs[early - 1].seconds])
            }
        }
    }
}
