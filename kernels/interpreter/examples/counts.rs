//! Prints, for RESULTS.md, what the main loop of each GEMM kernel executes and moves. Its share is that of 512 more values
//! of k: a difference of two launches.

#[path = "../tests/support/mod.rs"]
mod support;

use cuda_interpreter::{Count, Counters, Machine, Module, TensorCore};
use std::collections::BTreeMap;
use support::{Gemm, gradient, ptx_of, tile};

/// Counts by opcode of a launch on whole tiles, over this many values of k.
fn counts(kernel: &str, k: usize) -> BTreeMap<String, Count> {
    let mut machine = Machine::new(TensorCore::Hopper, 0);
    machine.counters = Some(Counters::default());
    let (m, n) = tile(kernel);
    if kernel.starts_with("gradient") {
        gradient(&mut machine, kernel, [m, n, k], 1).expect("no fault");
    } else {
        Gemm { kernel, m, n, k }.run(&mut machine, ptx_of(kernel)).expect("no fault");
    }
    let module = Module::parse(ptx_of(kernel)).expect("PTX");
    machine.counters.expect("set above").by_opcode(module.kernel(kernel).expect("the kernel"), 0..usize::MAX)
}

/// Transfers over the ideal, of opcodes that begin so.
fn over_ideal(counts: &BTreeMap<String, Count>, prefix: &str) -> String {
    let of = counts.iter().filter(|(opcode, _)| opcode.starts_with(prefix)).map(|(_, count)| count);
    let (transfers, ideal) = of.fold((0, 0), |sum, count| (sum.0 + count.transfers, sum.1 + count.ideal));
    if ideal == 0 { "–".into() } else { format!("{:.2}", transfers as f64 / ideal as f64) }
}

fn main() {
    println!(
        "| kernel | instructions for each fma or mma, main loop | st.shared | ld.shared | ld.global | all of ld.shared and st.shared at k = 784 |"
    );
    println!("|---|---|---|---|---|---|");
    for suffix in ["", "_tf32", "_bf16"] {
        for (op, tiles) in [("linear", 0), ("linear_back", 0), ("gradient", 1)] {
            for size in &["small", "medium", "large"][tiles..] {
                let kernel = format!("{op}_{size}{suffix}");
                let (less, mut more) = (counts(&kernel, 512), counts(&kernel, 1024));
                for (opcode, count) in &mut more {
                    let before = less.get(opcode).copied().unwrap_or_default();
                    count.warps -= before.warps;
                    count.transfers -= before.transfers;
                    count.ideal -= before.ideal;
                }
                let product = if suffix.is_empty() { "fma" } else { "mma" };
                let products: u64 =
                    more.iter().filter(|(opcode, _)| opcode.starts_with(product)).map(|(_, count)| count.warps).sum();
                let all: u64 = more.values().map(|count| count.warps).sum();
                let whole = counts(&kernel, 784);
                let [store, load, global] =
                    ["st.shared", "ld.shared", "ld.global"].map(|prefix| over_ideal(&more, prefix));
                let both = format!("{} / {}", over_ideal(&whole, "ld.shared"), over_ideal(&whole, "st.shared"));
                println!("| {kernel} | {:.2} | {store} | {load} | {global} | {both} |", all as f64 / products as f64);
            }
        }
    }
}
