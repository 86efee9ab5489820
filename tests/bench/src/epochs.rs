//! Programs that train, and the epochs that they report.

use crate::case::{Case, Net};
use crate::machine;
use crate::peak::Instruction;
use crate::peers::Peer;
use crate::setup::Setup;
use vae_cli::{Error, Result};
use vae_stream::record::{self, KL, LOSS, MSE, Record};

/// A program that trains, in one precision.
pub struct Trainer {
    /// A column of the tables: `vae-train fp32`, `JAX bf16`.
    pub name: String,
    pub precision: &'static str,
    /// What multiplies, where it is known; none of a peer.
    pub instruction: Option<Instruction>,
    pub ours: bool,
    presets: bool,
    /// In which `{train}` stands for the training images, without a suffix.
    command: String,
}

/// Of vae-train, whatever the CPU.
const PRECISIONS: [&str; 3] = ["fp32", "bf16", "bf16x3"];

impl Trainer {
    pub const OURS: &'static str = "vae-train";

    fn own(precision: &'static str, model: &str) -> Trainer {
        let command =
            format!("vae-train --device cpu {{train}}.vae --test test.vae -o {model} --precision {precision}");
        let name = format!("{} {precision}", Trainer::OURS);
        let instruction = Instruction::of(machine::isa().name(), precision, machine::isa().has_bf16());
        Trainer { name, precision, instruction, ours: true, presets: true, command }
    }
    /// In fp32.
    pub fn ours() -> Trainer {
        Trainer::own("fp32", "bench.bin")
    }
    /// Ours, as the neighbour of ours.
    pub fn another() -> Trainer {
        Trainer { name: "another vae-train".into(), ..Trainer::own("fp32", "another.bin") }
    }
    /// In each precision that this CPU has a path for, by the record of a short run; says which it has not.
    pub fn all_ours(setup: &Setup) -> Result<Vec<Trainer>> {
        setup.sh("vae-cat --take 128 test.vae -o few.vae")?;
        let mut all = vec![];
        for precision in PRECISIONS {
            let line = format!("vae-train --device cpu few.vae --epochs 1 -o few.bin --precision {precision} 2>&1");
            let run = setup.output(&line)?.lines().find_map(Used::parse);
            match run {
                Some(used) if used.precision == precision => {
                    let instruction = Instruction::of(&used.instructions, precision, machine::isa().has_bf16());
                    all.push(Trainer { instruction, ..Trainer::own(precision, "bench.bin") });
                }
                Some(used) => setup.note(&format!("vae-train takes {} for {precision} here: no rows", used.precision)),
                None => setup.note(&format!("vae-train has no {precision} here: no rows")),
            }
        }
        Ok(all)
    }
    pub fn peer(peer: &Peer) -> Trainer {
        let Peer { column, precision, command, presets, .. } = peer;
        let name = format!("{column} {precision}");
        Trainer { name, precision, instruction: None, ours: false, presets: *presets, command: command.clone() }
    }
    /// Ours and those of the peers, of which the name holds one of `--programs`.
    pub fn all(setup: &Setup) -> Result<Vec<Trainer>> {
        let mut all = Trainer::all_ours(setup)?;
        all.extend(setup.peers.iter().map(Trainer::peer));
        all.retain(|trainer| setup.wants_program(&trainer.name));
        Ok(all)
    }
    /// All names that there can be, in the order of columns.
    pub fn names() -> Vec<String> {
        let ours = PRECISIONS.iter().map(|precision| format!("{} {precision}", Trainer::OURS));
        ours.chain(Peer::names()).collect()
    }
    pub fn knows(&self, case: &Case) -> bool {
        self.presets || matches!(case.net, Net::Mlp(_))
    }
    /// The line of shell that makes a run.
    pub fn line(&self, case: &Case, train: &str, epochs: usize, seed: usize) -> String {
        let command = self.command.replace("{train}", train);
        format!("exec {command} {} --epochs {epochs} --seed {seed}", case.options())
    }
    /// So many epochs.
    pub fn epochs(&self, setup: &Setup, case: &Case, epochs: usize, seed: usize) -> Result<Vec<Epoch>> {
        let line = self.line(case, &setup.train(case.images)?, epochs, seed);
        let all: Vec<Epoch> = setup.sh(&line)?.lines().filter_map(Epoch::parse).collect();
        if all.len() != epochs {
            return Err(Error::Failed(format!("{line}: expected records of {epochs} epochs, got {}", all.len())));
        }
        setup.progress(&format!("{}: {}: {:.3} s", case.name(), self.name, all[epochs - 1].seconds));
        Ok(all)
    }
    /// The second epoch: the first warms the caches.
    pub fn second_epoch(&self, setup: &Setup, case: &Case, seed: usize) -> Result<Epoch> {
        Ok(self.epochs(setup, case, 2, seed)?.swap_remove(1))
    }
}

/// What a run of vae-train computed with.
struct Used {
    precision: String,
    instructions: String,
}

impl Used {
    /// From a line of JSON, if it is a `run` record.
    fn parse(line: &str) -> Option<Used> {
        let Some(Record::Run(run)) = Record::parse(&serde_json::from_str(line).ok()?).ok()? else { return None };
        // A run may have taken another precision than it was asked for, and says so beside the training.
        let own = run.rest.get("precision").or_else(|| run.training.get("precision"))?;
        Some(Used { precision: own.as_str()?.to_owned(), instructions: run.instructions? })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_of_a_program_or_a_peer_is_read_and_other_lines_are_not() {
        let ours =
            r#"{"kind":"epoch","epoch":2,"epochs":2,"train":{"loss":1},"test":{"loss":115.5,"kl":23.5},"seconds":0.5}"#;
        let peer = r#"{"kind": "epoch", "peer": "JAX 0.10.2", "epoch": 2, "seconds": 1.5, "train": {"loss": 1}, "test": {"loss": 116}}"#;
        let ours = Epoch::parse(ours).expect("an epoch");
        assert_eq!((ours.seconds, ours.test.loss, ours.test.kl), (0.5, 115.5, 23.5));
        assert!(ours.test.mse.is_nan());
        assert_eq!(Epoch::parse(peer).map(|epoch| epoch.seconds), Some(1.5));
        for other in ["", "W0000 a warning of XLA", r#"{"kind":"done","epochs":2}"#, r#"{"kind":"epoch","epoch":1}"#] {
            assert!(Epoch::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_run_record_says_what_was_computed_with() {
        let run =
            r#"{"kind":"run","training":{"precision":"bf16"},"device":"cpu","threads":2,"instructions":"avx512"}"#;
        let used = Used::parse(run).expect("a run");
        assert_eq!((&used.precision[..], &used.instructions[..]), ("bf16", "avx512"));
        assert!(Used::parse("vae-train: invalid value 'bf16x3'").is_none());
    }
}
