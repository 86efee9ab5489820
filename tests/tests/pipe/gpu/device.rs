//! `--device`, with the GPU emulator (kernels/interpreter) and without a GPU.

use std::path::Path;

use crate::harness::{MODEL, TestDir};

const RUN: &str = "--batch 20 --epochs 2 digits.vae --test test.vae";

/// A folder with digits, and the GPU emulator.
pub fn with_gpu() -> TestDir {
    let driver = cuda_emulator::folder(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let mut dir = TestDir::new();
    dir.set("LD_LIBRARY_PATH", driver);
    let digits = "mnist-dump --synthetic=150 -o digits.vae; mnist-dump --synthetic=50 --split test -o test.vae";
    dir.run(digits).succeeds();
    dir
}

/// A folder with digits and no GPU: the file with the name of the driver is empty.
fn without_gpu() -> TestDir {
    let mut dir = TestDir::new();
    dir.write("libcuda.so.1", "");
    dir.set("LD_LIBRARY_PATH", dir.path(""));
    dir.run("mnist-dump --synthetic=150 -o digits.vae; mnist-dump --synthetic=50 --split test -o test.vae").succeeds();
    dir
}

#[test]
fn a_gpu_that_is_not_there_is_refused() {
    let mut dir = without_gpu();
    let line = format!("vae-train {MODEL} {RUN} --device cuda -o model.bin");
    dir.run(&line).fails(69, "vae-train", &["no CUDA driver", "libcuda.so.1", "--device cpu"]);
    dir.set("VAE_DEVICE", "cuda");
    let line = format!("vae-train {MODEL} {RUN} -o model.bin");
    dir.run(&line).fails(69, "vae-train", &["no CUDA driver", "--device cpu"]);
    assert!(!dir.path("model.bin").exists());
}

#[test]
fn auto_takes_the_cpu_where_there_is_no_gpu_and_says_nothing() {
    let dir = without_gpu();
    let output = dir.run(&format!("vae-train {MODEL} {RUN} --device auto -o model.bin")).succeeds();
    assert_eq!(output.records()[0]["device"], "cpu");
}

#[test]
fn a_device_of_another_name_is_refused() {
    for device in ["gpu", "cuda:", "cuda:x", "cuda:-1", ""] {
        let line = format!("vae-train digits.vae --device '{device}' -o model.bin");
        let output = TestDir::new().run(&line);
        assert_eq!(output.codes, [2], "{output}");
        assert!(output.stderr.contains("expected auto, cpu, cuda or cuda:N"), "{output}");
    }
}

#[test]
fn programs_agree_on_either_device() {
    let dir = with_gpu();
    let on = |device: &str| {
        let train = format!("vae-train {MODEL} {RUN} --device {device} -o {device}.bin");
        let test = dir.run(&train).succeeds().records()[2]["test"]["loss"].as_f64().expect("a loss");
        let line = format!(
            "vae-encode test.vae -m {device}.bin --device {device} | vae-decode --device {device} --npy x_hat > {device}.npy"
        );
        dir.pipe(&line).succeeds();
        let line = format!("vae-eval -m {device}.bin -k 5 test.vae --device {device}");
        let nll = dir.run(&line).succeeds().records()[0]["nll"].as_f64().expect("an estimate");
        (test, nll, dir.npy::<f32>(&format!("{device}.npy")))
    };
    let (cpu, cuda) = (on("cpu"), on("cuda"));
    // Sixteen steps of Adam on gradients that differ by their rounding.
    assert!((cpu.0 - cuda.0).abs() < 1e-4 * cpu.0, "{} {}", cpu.0, cuda.0);
    assert!((cpu.1 - cuda.1).abs() < 1e-4 * cpu.1, "{} {}", cpu.1, cuda.1);
    assert!(cpu.2.iter().zip(&cuda.2).all(|(a, b)| (a - b).abs() < 1e-4));
}

#[test]
fn auto_takes_a_gpu_for_work_and_says_so_and_stages_take_the_cpu() {
    let mut dir = with_gpu();
    let output = dir.run(&format!("vae-train {MODEL} {RUN} --device auto -o model.bin"));
    assert_eq!(output.codes, [0], "{output}");
    assert_eq!(output.stderr, "vae-train: computing on the GPU; --device cpu keeps to the CPU\n");
    assert_eq!(output.records()[0]["device"], "cuda");
    // A stage that asked for the GPU would be refused.
    dir.set("EMULATOR_DRIVER", "11040");
    dir.run("unset VAE_DEVICE; vae-encode -m model.bin test.vae > z.vae").succeeds();
}

#[test]
fn a_driver_or_a_gpu_that_is_too_old_is_told() {
    let mut dir = with_gpu();
    let line = |device: &str| format!("vae-train {MODEL} {RUN} --device {device} -o model.bin");
    for (variable, value, what) in [
        ("EMULATOR_DRIVER", "11040", ["driver is too old", "expected one of CUDA 12.0", "got 11.4"]),
        ("EMULATOR_CAPABILITY", "70", ["GPU is too old", "capability 7.5", "got 7.0"]),
    ] {
        dir.set("EMULATOR_DRIVER", "12000");
        dir.set(variable, value);
        dir.run(&line("cuda")).fails(69, "vae-train", &what);
        let output = dir.run(&line("auto"));
        assert_eq!(output.codes, [0], "{output}");
        assert!(output.stderr.starts_with("vae-train: computing on the CPU, since the "), "{output}");
        assert_eq!(output.records()[0]["device"], "cpu");
    }
    let output = dir.run(&line("cuda:3"));
    output.fails(69, "vae-train", &["there is no CUDA device 3", "expected one of the 1"]);
}

#[test]
fn tensor_cores_that_a_gpu_has_not_are_told() {
    let mut dir = with_gpu();
    dir.set("EMULATOR_CAPABILITY", "75");
    for precision in ["tf32", "bf16"] {
        let line = format!("vae-train {MODEL} {RUN} --device cuda --precision {precision} -o model.bin");
        dir.run(&line).fails(69, "vae-train", &["no tensor cores for", precision, "8.0", "7.5"]);
    }
    let line = format!("vae-train {MODEL} {RUN} --device cuda --precision bf16x3 -o model.bin");
    dir.run(&line).fails(69, "vae-train", &["--precision bf16x3 needs a CPU with AMX", "got a GPU", "tf32 on a GPU"]);
    dir.run(&format!("vae-train {MODEL} {RUN} --device cuda -o model.bin")).succeeds();
}

#[test]
fn memory_that_the_gpu_has_not_is_told_before_the_run() {
    let mut dir = with_gpu();
    dir.set("EMULATOR_MEMORY", "1000000");
    let output = dir.run(&format!("vae-train {MODEL} {RUN} --device cuda -o model.bin"));
    output.fails(69, "vae-train", &["of the GPU's memory", "0 MB that are free", "--batch"]);
}

#[test]
fn a_gpu_that_fails_ends_a_run_without_a_model() {
    let mut dir = with_gpu();
    let line = format!("vae-train {MODEL} {RUN} --device cuda -o model.bin");
    for fail in ["alloc:1", "alloc:9", "alloc:40", "launch:1", "launch:30", "launch:100"] {
        dir.set("EMULATOR_FAIL", fail);
        let output = dir.run(&line);
        let what = if fail.starts_with("alloc") { "memory" } else { "launch failure" };
        output.fails(69, "vae-train", &["the GPU", what, "--device cpu"]);
        assert!(!dir.path("model.bin").exists(), "{fail}");
    }
}

#[test]
fn a_lost_gpu_leaves_the_last_checkpoint_from_which_another_device_goes_on() {
    let mut dir = with_gpu();
    let line =
        |device: &str| format!("vae-train {MODEL} {RUN} --device {device} --resume --checkpoint c.bin -o model.bin");
    dir.set("EMULATOR_FAIL", "launch:150");
    let output = dir.run(&line("cuda"));
    assert_eq!(output.codes, [69], "{output}");
    assert!(dir.path("c.bin").exists(), "{output}");
    dir.run(&line("cpu")).succeeds();
}

#[test]
fn no_result_depends_on_the_order_of_warps_and_blocks_nor_that_of_fp32_on_the_gpu() {
    let mut dir = with_gpu();
    let mut trained = |seed: &str, capability: &str, precision: &str| {
        dir.set("EMULATOR_SEED", seed);
        dir.set("EMULATOR_CAPABILITY", capability);
        let options = format!("--hidden 150 --latent 4 --batch 50 --epochs 1 --device cuda --precision {precision}");
        dir.run(&format!("vae-train {options} digits.vae -o model.bin")).succeeds();
        dir.read("model.bin")
    };
    let expected = trained("0", "90", "fp32");
    for (seed, capability) in [("1", "75"), ("2", "80"), ("3", "90")] {
        assert!(trained(seed, capability, "fp32") == expected, "{seed}, {capability}");
    }
    // On tensor cores a generation has its own bytes.
    for precision in ["tf32", "bf16"] {
        let [ampere, hopper] = ["80", "90"].map(|capability| trained("0", capability, precision));
        assert!(trained("5", "80", precision) == ampere && trained("5", "90", precision) == hopper, "{precision}");
        assert!(ampere != hopper && ampere != expected, "{precision}");
    }
}
