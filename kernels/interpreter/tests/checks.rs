//! Each check finds its fault: mutations of the kernels' own PTX, which without them runs clean.

mod support;

use cuda_interpreter::{Fault, FaultKind, Machine, Module};
use support::{Gemm, ptx_of};

const SMALL: Gemm = Gemm { kernel: "linear_small", m: 20, n: 40, k: 200 };
const MEDIUM: Gemm = Gemm { kernel: "linear_back_medium", m: 70, n: 65, k: 70 };
const LARGE: Gemm = Gemm { kernel: "linear_large", m: 130, n: 129, k: 40 };
const TENSOR: Gemm = Gemm { kernel: "linear_medium_bf16", m: 70, n: 66, k: 70 };

/// The lines of an entry, as a range of bytes of its PTX.
fn body(ptx: &str, kernel: &str) -> std::ops::Range<usize> {
    let start = ptx.find(&format!(".entry {kernel}(")).expect("the entry");
    start..start + ptx[start..].find("\n}").expect("its end")
}

/// The PTX of a kernel with each place of a text in its turn replaced.
fn mutants(gemm: Gemm, from: &str, to: &str) -> Vec<String> {
    let ptx = ptx_of(gemm.kernel);
    let body = body(ptx, gemm.kernel);
    let places = ptx[body.clone()].match_indices(from).map(|(at, _)| body.start + at);
    places.map(|at| format!("{}{to}{}", &ptx[..at], &ptx[at + from.len()..])).collect()
}

fn fault(gemm: Gemm, ptx: &str) -> Option<Fault> {
    gemm.run(&mut Machine::default(), ptx).err()
}

#[track_caller]
fn expect(gemm: Gemm, ptx: &str, kind: FaultKind) {
    let fault = fault(gemm, ptx).unwrap_or_else(|| panic!("expected {kind:?}, got no fault"));
    assert_eq!(fault.kind, kind, "{fault}");
    assert!(fault.to_string().contains(gemm.kernel), "{fault}");
}

#[test]
fn the_kernels_as_they_are_run_clean_and_compute_what_f64_says() {
    for gemm in [SMALL, MEDIUM, LARGE, TENSOR] {
        let got = gemm.run(&mut Machine::default(), ptx_of(gemm.kernel)).unwrap_or_else(|fault| panic!("{fault}"));
        let bound = if gemm.kernel.ends_with("bf16") { 0.2 } else { 1e-4 };
        for (got, expected) in got.iter().zip(gemm.expected()) {
            assert!((f64::from(f32::from_bits(*got)) - expected).abs() < bound, "{}", gemm.kernel);
        }
    }
}

#[test]
fn a_barrier_that_is_missing_is_a_race() {
    for gemm in [SMALL, MEDIUM, LARGE, TENSOR] {
        let mutants = mutants(gemm, "bar.sync \t0;", "");
        assert!(mutants.len() >= 3, "{}", gemm.kernel);
        for (n, ptx) in mutants.iter().enumerate() {
            let fault = fault(gemm, ptx).unwrap_or_else(|| panic!("barrier {n} of {}: no fault", gemm.kernel));
            let kinds = [FaultKind::SharedRace, FaultKind::UninitializedShared];
            assert!(kinds.contains(&fault.kind), "barrier {n} of {}: {fault}", gemm.kernel);
        }
    }
}

#[test]
fn a_race_within_a_warp_is_found() {
    // All threads of the first warp write the same word: the address without the index of the thread.
    let text = ptx_of(LARGE.kernel);
    let range = body(text, LARGE.kernel);
    let line = text[range.clone()].lines().find(|line| line.contains("%tid.x")).expect("the index of the thread");
    let mutant =
        text.replacen(&text[range.start..range.end], &text[range].replace(line, &line.replace("%tid.x", "0")), 1);
    expect(LARGE, &mutant, FaultKind::SharedRace);
}

#[test]
fn blocks_that_write_the_same_words_race() {
    let ptx = mutants(LARGE, "%ctaid.x;", "0;");
    assert!(!ptx.is_empty());
    for ptx in ptx {
        expect(LARGE, &ptx, FaultKind::GlobalRace);
    }
}

#[test]
fn shared_memory_that_was_not_written_is_found() {
    let stores = mutants(SMALL, "st.shared.v4.f32", "// st.shared.v4.f32");
    assert!(!stores.is_empty());
    for ptx in stores {
        expect(SMALL, &ptx, FaultKind::UninitializedShared);
    }
}

#[test]
fn global_memory_that_was_not_written_is_found() {
    let module = Module::parse(ptx_of("count_nonfinite")).expect("PTX");
    let mut machine = Machine::default();
    let (values, counts) = (machine.allocate(4000), machine.allocate(4));
    let args = support::Structure::default().address(values).address(1000).address(counts).0;
    let kernel = module.kernel("count_nonfinite").expect("it");
    machine.write(values, 3996).expect("allocated").fill(0);
    let fault = machine.launch(kernel, [1, 1], 256, &args).expect_err("a fault");
    assert_eq!(fault.kind, FaultKind::UninitializedGlobal, "{fault}");
    machine.write(values + 3996, 4).expect("allocated").fill(0);
    machine.launch(kernel, [1, 1], 256, &args).expect("no fault");
    // One more than there are; memory that was freed; and floats from an odd address on.
    for (at, count, kind) in [
        (values, 1001, FaultKind::OutOfBounds),
        (values + (1 << 30), 1, FaultKind::OutOfBounds),
        (values + 2, 10, FaultKind::Misaligned),
    ] {
        let args = support::Structure::default().address(at).address(count).address(counts).0;
        assert_eq!(machine.launch(kernel, [1, 1], 256, &args).expect_err("a fault").kind, kind);
    }
    machine.free(values);
    assert_eq!(machine.launch(kernel, [1, 1], 256, &args).expect_err("a fault").kind, FaultKind::OutOfBounds);
}

#[test]
fn an_index_past_the_end_of_shared_memory_is_found() {
    let ptx = ptx_of(LARGE.kernel);
    let array =
        ptx.lines().find(|line| line.contains(".shared .align 16") && line.contains("[37888]")).expect("the array");
    expect(LARGE, &ptx.replace(array, &array.replace("37888", "30000")), FaultKind::OutOfBounds);
}

#[test]
fn a_barrier_that_not_every_thread_reaches_is_found() {
    // The last barrier, for the threads only that have something to write: %p1 is made of the index of the thread.
    let (ptx, range) = (ptx_of(LARGE.kernel), body(ptx_of(LARGE.kernel), LARGE.kernel));
    let at = range.start + ptx[range].find("bar.sync").expect("a barrier");
    let guarded = "mov.u32 %r1, %tid.x;\nsetp.lt.s32 %p1, %r1, 100;\n@%p1 ";
    expect(LARGE, &format!("{}{guarded}{}", &ptx[..at], &ptx[at..]), FaultKind::DivergentBarrier);
    // Two barriers that warps wait at.
    let two =
        "mov.u32 %r1, %tid.x;\nsetp.lt.s32 %p1, %r1, 128;\n@%p1 bra $OTHER;\nbar.sync \t0;\nbra.uni $BOTH;\n$OTHER:\n";
    let (before, after) = (&ptx[..at], &ptx[at..]);
    let (barrier, rest) = after.split_once('\n').expect("lines");
    expect(LARGE, &format!("{before}{two}{barrier}\n$BOTH:\n{rest}"), FaultKind::DivergentBarrier);
}

#[test]
fn a_matrix_product_without_all_of_its_lanes_is_found() {
    let (ptx, range) = (ptx_of(TENSOR.kernel), body(ptx_of(TENSOR.kernel), TENSOR.kernel));
    let at = range.start + ptx[range].find("mma.sync").expect("a product");
    let guarded = "mov.u32 %r1, %tid.x;\nsetp.ne.s32 %p1, %r1, 3;\n@%p1 ";
    expect(TENSOR, &format!("{}{guarded}{}", &ptx[..at], &ptx[at..]), FaultKind::MissingLanes);
}

#[test]
fn a_register_that_was_not_written_is_found() {
    let (ptx, range) = (ptx_of(LARGE.kernel), body(ptx_of(LARGE.kernel), LARGE.kernel));
    // The accumulators begin as zeros.
    let zero = ptx[range.clone()]
        .lines()
        .find(|line| line.contains("mov.f32") && line.contains("0f00000000"))
        .expect("a zero");
    let at = range.start + ptx[range].find(zero).expect("found above");
    expect(LARGE, &format!("{}{}", &ptx[..at], &ptx[at + zero.len()..]), FaultKind::UndefinedRegister);
}

#[test]
fn what_the_interpreter_does_not_know_is_refused() {
    let ptx = ptx_of(SMALL.kernel);
    let refused = |from: &str, to: &str| Module::parse(&ptx.replacen(from, to, 1)).expect_err("refused").to_string();
    for (from, to, told) in [
        ("fma.rn.f32", "fma.rz.f32", "fma.rz.f32"),
        ("ld.global.f32", "ld.global.nc.f32", "global.nc.f32"),
        ("bar.sync \t0", "bar.sync \t1", "bar.sync"),
        ("setp.ge.s32", "setp.geu.s32", "setp.geu.s32"),
        ("%tid.x", "%tid.z", "%tid.z"),
        (".maxntid 256", ".maxntid 2048", "at most 1024 threads"),
        ("[28928]", "[50000]", "at most 49152 bytes of shared memory"),
    ] {
        let error = refused(from, to);
        assert!(error.contains(told) && error.starts_with("line "), "{error}");
    }
    assert!(Module::parse("").is_err() && Module::parse(&ptx[..ptx.len() / 2]).is_err());
}

#[test]
fn a_load_that_is_larger_than_what_it_loads_from_is_found() {
    let ptx = ".target sm_75\n.visible .entry wide(\n.param .u64 p\n)\n{\n.reg .b32 %r<5>;\n\
               ld.param.v4.u32 {%r1, %r2, %r3, %r4}, [p];\nret;\n}\n";
    let module = Module::parse(ptx).expect("PTX");
    let fault = Machine::default().launch(&module.kernels[0], [1, 1], 32, &[0; 8]).expect_err("a fault");
    assert_eq!(fault.kind, FaultKind::OutOfBounds, "{fault}");
}
