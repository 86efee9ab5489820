//! The pace of the interpreter.

mod support;

use cuda_interpreter::{Machine, TensorCore};
use std::time::Instant;
use support::{Gemm, ptx_of};

/// Warp instructions a second, the best of three runs: neighbours on the machine only slow it down.
fn pace(kernel: &str, m: usize, n: usize, k: usize) -> f64 {
    let module = cuda_interpreter::Module::parse(ptx_of(kernel)).expect("PTX");
    let kernel_of = module.kernel(kernel).expect("the kernel");
    let mut machine = Machine::new(TensorCore::Hopper, 0);
    let mut one = || {
        let (before, began) = (machine.executed, Instant::now());
        Gemm { kernel, m, n, k }.launch(&mut machine, kernel_of).expect("no fault");
        (machine.executed - before) as f64 / began.elapsed().as_secs_f64()
    };
    (0..3).map(|_| one()).fold(0.0, f64::max)
}

#[test]
fn it_interprets_millions_of_warp_instructions_a_second() {
    // On tensor cores an instruction is 2,048 or 1,024 products to the bit: the pace is printed, for RESULTS.md.
    for (kernel, expected) in
        [("linear_large", 4e6), ("linear_small", 4e6), ("linear_large_tf32", 0.0), ("linear_large_bf16", 0.0)]
    {
        let got = pace(kernel, 256, 256, 200);
        println!("{kernel}: {:.1} million warp instructions a second", got / 1e6);
        assert!(got > expected, "{kernel}: expected {expected:e} warp instructions a second, got {got:e}");
    }
}
