//! The GPU backend, on the emulator of `kernels/interpreter`; with `VAE_CUDA_TEST=device`, on the installed GPU.

mod copies;
mod op_codes;
mod operations;
mod reference;
mod runs;

use std::collections::BTreeSet;
use std::ffi::CString;
use std::process::Command;
use std::sync::OnceLock;

/// The ordinal of the GPU under test.
fn gpu() -> u32 {
    static LOADED: OnceLock<()> = OnceLock::new();
    LOADED.get_or_init(|| {
        if !is_real() {
            cuda_emulator::load();
        }
    });
    0
}

/// Whether the GPU under test is one, and not the emulator.
fn is_real() -> bool {
    std::env::var("VAE_CUDA_TEST").is_ok_and(|v| v == "device")
}

/// The GEMM kernels of a precision, which `operations::gemms_at` launches.
fn gemm_kernels(suffix: &str) -> Vec<String> {
    let tiles = |op: &str, tiles: &[&str]| tiles.iter().map(|tile| format!("{op}_{tile}{suffix}")).collect::<Vec<_>>();
    let all = ["small", "medium", "large"];
    [tiles("linear", &all), tiles("linear_back", &all), tiles("gradient", &all[1..])].concat()
}

/// The kernels of any precision, which `runs::twenty_steps_have_the_losses_of_the_cpu` launches, and the copies' tests.
const OTHER_KERNELS: [&str; 3] = ["run_ops", "advance", "reduce_splits"];
const CHECK_KERNELS: [&str; 1] = ["count_nonfinite"];

/// Expects that this process has launched these kernels.
fn expect_launched<S: AsRef<str>>(kernels: impl IntoIterator<Item = S>) {
    for kernel in kernels.into_iter().filter(|_| !is_real()) {
        let name = CString::new(kernel.as_ref()).expect("a name");
        assert!(cuda_emulator::launches(&name) > 0, "expected a launch of {}, got none", kernel.as_ref());
    }
}

#[test]
fn every_kernel_is_one_that_a_test_launches() {
    let entries = kernels::ALL.into_iter().flat_map(|ptx| ptx.lines()).filter_map(|line| line.split_once(".entry "));
    let entries: BTreeSet<String> = entries.map(|(_, name)| name.trim_end_matches('(').to_owned()).collect();
    let tested = ["", "_tf32", "_bf16"].into_iter().flat_map(gemm_kernels);
    let tested: BTreeSet<String> =
        tested.chain(OTHER_KERNELS.map(str::to_owned)).chain(CHECK_KERNELS.map(str::to_owned)).collect();
    assert_eq!(entries, tested);
}

/// The emulator has the tensor cores of Hopper; here again those of Ampere.
#[test]
fn tests_of_tensor_cores_pass_with_those_of_ampere_too() {
    if is_real() || std::env::var_os("EMULATOR_CAPABILITY").is_some() {
        return;
    }
    let tests = std::env::current_exe().expect("this program");
    let names = ["gemms_in_tf32", "gemms_in_bf16", "training_converges", "bit_identical_for_any_split"];
    let output = Command::new(tests).args(names).env("EMULATOR_CAPABILITY", "80").output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && told.contains("4 passed"), "{told}");
}
