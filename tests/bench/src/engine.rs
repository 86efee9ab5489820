//! The training step of each preset, in this process: how much of the CPU it uses, and where its time goes.

use crate::machine;
use crate::peak::Instruction;
use crate::setup::Setup;
use crate::table::Table;
use crate::times::Times;
use common::backend::{Adam, Backend, Cpu, Profile, SampleIndex};
use common::dataset::Dataset;
use common::model::{Bottleneck, DataSpec, Init, Network, Preset};
use common::network::loss_graph;
use common::parameters;
use common::plan::{PixelType, Plan, Precision};
use serde_json::{Map, Value, json};
use std::time::Instant;
use vae_cli::{Error, Result};
use vae_numerics::rng::{Purpose, permutation};
use vae_stream::images::{ImageShape, Pixels};

pub const TITLE: &str = "The training step inside";
const ABOUT: &str = "The step of each preset in one process: seconds per epoch, without what a program does around it; GFLOP/s \
    as if no pixel were black, and their share of the peak of the instruction used; the operations that take most of the time.";

/// Presets that are trained in steps.
fn presets() -> Vec<Preset> {
    Preset::all().into_iter().filter(|preset| preset.network.bottleneck != Bottleneck::Components).collect()
}

/// Names for `--rows`.
pub fn ids() -> Vec<&'static str> {
    presets().iter().map(|preset| preset.name).collect()
}

pub fn measure(setup: &Setup) -> Result<Vec<Table>> {
    let data = Dataset::read(
        &mut vae_cli::input::reader(&setup.folder.join("train.vae"), "x")?,
        "x",
        ImageShape::grey(28, 28),
        Some(10),
    )?;
    let mut table = Table::new(TITLE, ABOUT, ["seconds", "GFLOP/s", "of the peak", "of the time"]);
    for preset in presets().iter().filter(|preset| setup.wants_row(preset.name)) {
        let bf16 = machine::isa().has_bf16().then_some(Precision::Bf16);
        for precision in [Some(Precision::Fp32), bf16].into_iter().flatten() {
            epochs(setup, &data, preset, precision, &mut table)?;
            setup.keep([&mut table])?;
        }
    }
    Ok(vec![table])
}

fn epochs(setup: &Setup, data: &Dataset, preset: &Preset, precision: Precision, table: &mut Table) -> Result<()> {
    let threads = machine::threads();
    let items = data.items();
    let network = Network { image: data.image(), ..preset.network.clone() };
    let mut plan = Plan::new(preset.batch);
    let model = loss_graph(&mut plan, &network, &preset.objective, &DataSpec::default(), items, data.pixel_type());
    let step = model.training(&mut plan);
    let mut cpu = Cpu::new(&plan, threads, precision, machine::isa())?;
    parameters::upload(&mut cpu, &plan, &parameters::initial(&plan, 0, Init::Pytorch), false)?;
    match (data.pixel_type(), data.pixels()) {
        (PixelType::U8, Pixels::U8(pixels)) => cpu.move_bytes(model.images.buf, pixels.iter().copied().collect())?,
        _ => return Err(Error::Failed("expected images of bytes".into())),
    }
    if let Some((to, labels)) = model.labels.zip(data.labels()) {
        cpu.upload_bytes(to.buf, labels)?;
    }
    let compiled = cpu.compile(&step)?;
    let mut times = Times::default();
    // The first epoch warms the caches; the last is the one whose parts are timed, which costs some of it.
    for epoch in 0..setup.rounds + 2 {
        let order = permutation(items, 0, Purpose::Order, epoch as u32);
        let indices: Vec<SampleIndex> = order.into_iter().map(|row| SampleIndex { row, id: row }).collect();
        cpu.upload_indices(&indices)?;
        let state = cpu.state();
        (state.at, state.items, state.epoch, state.adam) = (0, items, epoch as u32, Adam::new(preset.lr as f32));
        state.beta = preset.objective.beta as f32;
        let steps = state.steps_left();
        if epoch == setup.rounds + 1 {
            cpu.profile();
        }
        let begun = Instant::now();
        cpu.run(compiled, steps)?;
        if (1..=setup.rounds).contains(&epoch) {
            times.0.push(begun.elapsed().as_secs_f64());
        }
    }
    let speed = (step.flops() * items) as f64 / times.median() / 1e9;
    let isa = machine::isa();
    let used = Instruction::of(isa.name(), precision.name(), isa.has_bf16());
    let peak = used.map(|instruction| (instruction.name(), instruction.peak(threads, isa)));
    let share = peak
        .map_or("not measured".into(), |(name, peak)| format!("{:.0} % of {peak:.0}, {name}", 100.0 * speed / peak));
    let parts = shares(cpu.profile());
    let most: Vec<String> = parts.iter().take(4).map(|(part, share)| format!("{part} {share:.0} %")).collect();
    let parts: Map<String, Value> = parts.into_iter().map(|(part, share)| (part, share.into())).collect();
    let cells = [format!("{times:.3}"), format!("{speed:.0}"), share, most.join("; ")];
    let peak = peak.map(|(_, peak)| peak);
    let numbers = json!({"seconds": times.json(), "gflops": speed, "peak_gflops": peak, "percent": parts});
    table.push_all(&format!("{} {}", preset.name, precision.name()), cells, numbers);
    Ok(())
}

/// Percent of the whole, the greatest first.
fn shares(profile: Profile) -> Vec<(String, f64)> {
    let whole: f64 = profile.iter().map(|(_, time)| time.as_secs_f64()).sum();
    let mut shares: Vec<_> =
        profile.into_iter().map(|(part, time)| (part, 100.0 * time.as_secs_f64() / whole)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}
