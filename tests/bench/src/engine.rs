//! The training step of each preset, in this process: how much of the CPU it uses, and where its time goes.

use crate::machine;
use crate::setup::Setup;
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

pub fn measure(setup: &Setup) -> Result<Value> {
    let data = Dataset::read(
        &mut vae_cli::input::reader(&setup.folder.join("train.vae"), "x")?,
        "x",
        ImageShape::grey(28, 28),
        Some(10),
    )?;
    let threads = machine::cores();
    println!("\nthe step of each preset on {threads} threads, median of {} epochs (range)", setup.rounds);
    let mut numbers = vec![];
    for preset in Preset::all().iter().filter(|preset| preset.network.bottleneck != Bottleneck::Components) {
        let bf16 = machine::isa().has_bf16().then_some(Precision::Bf16);
        for precision in [Some(Precision::Fp32), bf16].into_iter().flatten() {
            numbers.push(epochs(setup, &data, preset, threads, precision)?);
        }
    }
    Ok(numbers.into())
}

fn epochs(setup: &Setup, data: &Dataset, preset: &Preset, threads: usize, precision: Precision) -> Result<Value> {
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
    let peak = machine::peak(threads, precision);
    let name = match precision {
        Precision::Fp32 => preset.name.to_owned(),
        other => format!("{} {}", preset.name, other.name()),
    };
    println!(
        "  {name:<22} {times:<22.3} {speed:.0} GFLOP/s as if no pixel were black, {:.0} % of the peak, {peak:.0}",
        100.0 * speed / peak
    );
    let parts = shares(cpu.profile());
    for (part, share) in parts.iter().filter(|(_, share)| *share >= 1.0) {
        println!("    {share:5.1} %  {part}");
    }
    let parts: Map<String, Value> = parts.into_iter().map(|(part, share)| (part, share.into())).collect();
    Ok(json!({"preset": name, "seconds": times.json(), "gflops": speed, "peak_gflops": peak, "percent": parts}))
}

/// Percent of the whole, the greatest first.
fn shares(profile: Profile) -> Vec<(String, f64)> {
    let whole: f64 = profile.iter().map(|(_, time)| time.as_secs_f64()).sum();
    let mut shares: Vec<_> =
        profile.into_iter().map(|(part, time)| (part, 100.0 * time.as_secs_f64() / whole)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}
