//! No result depends on the order of blocks and warps; and that of f32 on no tensor core.

mod support;

use cuda_interpreter::{Machine, TensorCore};
use support::{Gemm, gradient, ptx_of};

const GENERATIONS: [TensorCore; 2] = [TensorCore::Ampere, TensorCore::Hopper];

/// The bits of a result in several orders, which must be the same; for each generation.
fn in_any_order(what: &str, run: impl Fn(&mut Machine) -> Vec<u32>) -> [Vec<u32>; 2] {
    GENERATIONS.map(|generation| {
        let expected = run(&mut Machine::new(generation, 0));
        for seed in 1..6 {
            assert!(run(&mut Machine::new(generation, seed)) == expected, "{what}, order {seed}");
        }
        expected
    })
}

fn check(kernel: &str, what: &str, [ampere, hopper]: [Vec<u32>; 2]) {
    let on_tensor_cores = kernel.ends_with("tf32") || kernel.ends_with("bf16");
    assert_eq!(ampere != hopper, on_tensor_cores, "{what}");
}

#[test]
fn layers() {
    for op in ["linear", "linear_back"] {
        for (size, [m, n, k]) in [("small", [20, 40, 200]), ("medium", [130, 70, 90]), ("large", [140, 130, 50])] {
            for suffix in ["", "_tf32", "_bf16"] {
                let kernel = format!("{op}_{size}{suffix}");
                let gemm = Gemm { kernel: &kernel, m, n, k };
                let got = in_any_order(&kernel, |machine| gemm.run(machine, ptx_of(&kernel)).expect("no fault"));
                check(&kernel, &kernel, got);
            }
        }
    }
}

#[test]
fn gradients() {
    for (size, shape) in [("medium", [70, 90, 130]), ("large", [140, 130, 130])] {
        for (suffix, splits) in ["", "_tf32", "_bf16"].into_iter().flat_map(|suffix| [(suffix, 1), (suffix, 3)]) {
            let kernel = format!("gradient_{size}{suffix}");
            let got = in_any_order(&kernel, |machine| gradient(machine, &kernel, shape, splits).expect("no fault"));
            check(&kernel, &format!("{kernel}, {splits} splits"), got);
        }
    }
}
