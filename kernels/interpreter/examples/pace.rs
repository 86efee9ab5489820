//! Prints how fast the interpreter is.

#[path = "../tests/support/mod.rs"]
mod support;

use cuda_interpreter::{Machine, Module, TensorCore};
use std::time::Instant;
use support::{Gemm, ptx_of};

/// Warp instructions a second, the best of three runs: neighbours on the machine only slow it down.
fn pace(kernel: &str, m: usize, n: usize, k: usize) -> f64 {
    let module = Module::parse(ptx_of(kernel)).expect("PTX");
    let kernel_of = module.kernel(kernel).expect("the kernel");
    let mut machine = Machine::new(TensorCore::Hopper, 0);
    let mut one = || {
        let (before, began) = (machine.executed, Instant::now());
        Gemm { kernel, m, n, k }.launch(&mut machine, kernel_of).expect("no fault");
        (machine.executed - before) as f64 / began.elapsed().as_secs_f64()
    };
    (0..3).map(|_| one()).fold(0.0, f64::max)
}

fn main() {
    // On tensor cores an instruction is 2,048 or 1,024 products to the bit.
    for kernel in ["linear_large", "linear_small", "linear_large_tf32", "linear_large_bf16"] {
        println!("{kernel}: {:.1} million warp instructions a second", pace(kernel, 256, 256, 200) / 1e6);
    }
}
