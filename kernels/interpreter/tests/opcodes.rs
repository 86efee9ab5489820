//! Every opcode of the kernels, on values at the edges.
#![allow(clippy::needless_range_loop, clippy::type_complexity)] // a lane is an index of several arrays

mod support;

use cuda_interpreter::{Machine, Module};
use std::collections::BTreeSet;

/// A kernel of one warp that loads a, b and c of its lane, runs a body, and stores %r9.
fn ptx(body: &str) -> String {
    let lines: String =
        body.replace(":;", ":\n").split_inclusive(';').map(|line| format!("{}\n", line.trim())).collect();
    format!(
        ".version 8.0\n.target sm_80\n.address_size 64\n\
         .shared .align 16 .b8 shared_array[1024];\n\
         .visible .entry test(\n.param .u64 test_param_0\n)\n.maxntid 32, 1, 1\n{{\n\
         .reg .pred %p<9>;\n.reg .b16 %rs<9>;\n.reg .b32 %r<49>;\n.reg .f32 %f<29>;\n.reg .b64 %rd<29>;\n\
         ld.param.u64 %rd1, [test_param_0];\nmov.u32 %r1, %tid.x;\nmul.wide.u32 %rd2, %r1, 4;\nadd.s64 %rd3, %rd1, %rd2;\n\
         ld.global.u32 %r2, [%rd3];\nld.global.u32 %r3, [%rd3+128];\nld.global.u32 %r4, [%rd3+256];\n\
         mov.b32 %f2, %r2;\nmov.b32 %f3, %r3;\nmov.b32 %f4, %r4;\n{lines}\
         st.global.u32 [%rd3+384], %r9;\nret;\n}}\n"
    )
}

/// What a body makes of a, b and c in each lane.
fn run(body: &str, inputs: [[u32; 32]; 3]) -> [u32; 32] {
    let module = Module::parse(&ptx(body)).unwrap_or_else(|e| panic!("{body}: {e}"));
    let mut machine = Machine::default();
    let words: Vec<f32> = inputs.iter().flatten().map(|word| f32::from_bits(*word)).collect();
    let memory = support::upload(&mut machine, &[words, vec![0.0; 32]].concat());
    let kernel = module.kernel("test").expect("the kernel");
    machine.launch(kernel, [1, 1], 32, &memory.to_le_bytes()).unwrap_or_else(|fault| panic!("{body}: {fault}"));
    support::download(&mut machine, memory + 384, 32).try_into().expect("32 words")
}

const EDGES: [u32; 16] = [
    0,
    1,
    2,
    7,
    31,
    32,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x3f80_0000,
    0xbf80_0001,
    0x4b00_0001,
    0x7f80_0000,
    0x7fc0_0000,
    0x3f80_1000,
    0x0000_8000,
];

fn f(bits: u32) -> f32 {
    f32::from_bits(bits)
}

/// The bits of a result, where every NaN is the one of a GPU.
fn bits(x: f32) -> u32 {
    if x.is_nan() { 0x7fff_ffff } else { x.to_bits() }
}

type Case = (&'static str, fn(u32, u32, u32) -> u32);

const INTEGERS: [Case; 34] = [
    ("mov.u32 %r9, %r2;", |a, _, _| a),
    ("mov.b32 %r9, %r2;", |a, _, _| a),
    ("neg.s32 %r9, %r2;", |a, _, _| a.wrapping_neg()),
    ("not.b32 %r9, %r2;", |a, _, _| !a),
    ("add.s32 %r9, %r2, %r3;", |a, b, _| a.wrapping_add(b)),
    ("sub.s32 %r9, %r2, %r3;", |a, b, _| a.wrapping_sub(b)),
    ("mul.lo.s32 %r9, %r2, %r3;", |a, b, _| a.wrapping_mul(b)),
    ("mad.lo.s32 %r9, %r2, %r3, %r4;", |a, b, c| a.wrapping_mul(b).wrapping_add(c)),
    ("and.b32 %r9, %r2, %r3;", |a, b, _| a & b),
    ("or.b32 %r9, %r2, %r3;", |a, b, _| a | b),
    ("xor.b32 %r9, %r2, %r3;", |a, b, _| a ^ b),
    ("shl.b32 %r9, %r2, %r3;", |a, b, _| if b < 32 { a << b } else { 0 }),
    ("shr.u32 %r9, %r2, %r3;", |a, b, _| if b < 32 { a >> b } else { 0 }),
    ("shr.s32 %r9, %r2, %r3;", |a, b, _| ((a as i32) >> b.min(31)) as u32),
    ("min.s32 %r9, %r2, %r3;", |a, b, _| (a as i32).min(b as i32) as u32),
    ("max.s32 %r9, %r2, %r3;", |a, b, _| (a as i32).max(b as i32) as u32),
    ("or.b32 %r5, %r3, 1; div.u32 %r9, %r2, %r5;", |a, b, _| a / (b | 1)),
    ("or.b32 %r5, %r3, 2; div.s32 %r9, %r2, %r5;", |a, b, _| (a as i32).wrapping_div((b | 2) as i32) as u32),
    ("or.b32 %r5, %r3, 2; rem.s32 %r9, %r2, %r5;", |a, b, _| (a as i32).wrapping_rem((b | 2) as i32) as u32),
    ("bfi.b32 %r9, %r2, %r3, 5, 27;", |a, b, _| b & 31 | a << 5),
    ("bfi.b32 %r9, %r2, %r3, 4, 8;", |a, b, _| b & !0xff0 | (a & 0xff) << 4),
    // Through 64 bits.
    (
        "cvt.u64.u32 %rd4, %r2; mov.b64 %rd5, %rd4; shl.b64 %rd6, %rd5, 7; shr.u64 %rd7, %rd6, 9; cvt.u32.u64 %r9, %rd7;",
        |a, _, _| (u64::from(a) << 7 >> 9) as u32,
    ),
    ("cvt.s64.s32 %rd4, %r2; shr.u64 %rd5, %rd4, 32; cvt.u32.u64 %r9, %rd5;", |a, _, _| {
        (i64::from(a as i32) >> 32) as u32
    }),
    ("mul.wide.s32 %rd4, %r2, %r3; shr.u64 %rd5, %rd4, 32; cvt.u32.u64 %r9, %rd5;", |a, b, _| {
        ((i64::from(a as i32) * i64::from(b as i32)) >> 32) as u32
    }),
    ("mul.wide.u32 %rd4, %r2, %r3; shr.u64 %rd5, %rd4, 32; cvt.u32.u64 %r9, %rd5;", |a, b, _| {
        ((u64::from(a) * u64::from(b)) >> 32) as u32
    }),
    (
        "cvt.u64.u32 %rd4, %r2; cvt.s64.s32 %rd5, %r3; mul.lo.s64 %rd6, %rd4, %rd5; neg.s64 %rd7, %rd6; shr.u64 %rd8, %rd7, 31; \
      cvt.u32.u64 %r9, %rd8;",
        |a, b, _| (i64::from(a).wrapping_mul(i64::from(b as i32)).wrapping_neg() as u64 >> 31) as u32,
    ),
    (
        "cvt.u64.u32 %rd4, %r2; cvt.s64.s32 %rd5, %r3; sub.s64 %rd6, %rd4, %rd5; xor.b64 %rd7, %rd6, %rd4; or.b64 %rd8, %rd7, 64; and.b64 %rd9, %rd8, 255; cvt.u32.u64 %r9, %rd9;",
        |a, b, _| ((a.wrapping_sub(b) ^ a) | 64) & 255,
    ),
    ("cvt.s64.s32 %rd4, %r2; mov.u64 %rd5, 1000003; div.u64 %rd6, %rd4, %rd5; cvt.u32.u64 %r9, %rd6;", |a, _, _| {
        (i64::from(a as i32) as u64 / 1_000_003) as u32
    }),
    ("cvta.to.global.u64 %rd4, %rd3; ld.global.u32 %r9, [%rd4+128];", |_, b, _| b),
    ("setp.lt.u32 %p1, %r2, %r3; selp.b32 %r9, %r4, 5, %p1;", |a, b, c| if a < b { c } else { 5 }),
    (
        "mov.pred %p1, 0; not.pred %p2, %p1; setp.eq.s32 %p3, %r2, %r3; and.pred %p4, %p2, %p3; or.pred %p5, %p4, %p1; \
      selp.u32 %r9, 1, 0, %p5;",
        |a, b, _| u32::from(a == b),
    ),
    ("mov.u32 %r9, 3; setp.ne.s32 %p1, %r2, 0; @%p1 mov.u32 %r9, 4; @!%p1 add.s32 %r9, %r9, %r3;", |a, b, _| {
        if a != 0 { 4 } else { b.wrapping_add(3) }
    }),
    (
        "mov.u32 %r5, %ctaid.x; mov.u32 %r6, %nctaid.x; mov.u32 %r7, %ctaid.y; mov.u32 %r8, %nctaid.y; sub.s32 %r10, %r6, %r5; \
      shl.b32 %r11, %r8, 4; sub.s32 %r12, %r11, %r7; or.b32 %r9, %r10, %r12;",
        |_, _, _| 17,
    ),
    ("bar.warp.sync -1; mov.u32 %r9, %r2;", |a, _, _| a),
];

const FLOATS: [Case; 18] = [
    ("mov.f32 %f9, %f2; mov.b32 %r9, %f9;", |a, _, _| a),
    ("neg.f32 %f9, %f2; mov.b32 %r9, %f9;", |a, _, _| a ^ 0x8000_0000),
    ("abs.f32 %f9, %f2; mov.b32 %r9, %f9;", |a, _, _| a & 0x7fff_ffff),
    ("rcp.rn.f32 %f9, %f2; mov.b32 %r9, %f9;", |a, _, _| bits(1.0 / f(a))),
    ("sqrt.rn.f32 %f9, %f2; mov.b32 %r9, %f9;", |a, _, _| bits(f(a).sqrt())),
    ("add.rn.f32 %f9, %f2, %f3; mov.b32 %r9, %f9;", |a, b, _| bits(f(a) + f(b))),
    ("sub.rn.f32 %f9, %f2, %f3; mov.b32 %r9, %f9;", |a, b, _| bits(f(a) - f(b))),
    ("mul.rn.f32 %f9, %f2, %f3; mov.b32 %r9, %f9;", |a, b, _| bits(f(a) * f(b))),
    ("div.rn.f32 %f9, %f2, %f3; mov.b32 %r9, %f9;", |a, b, _| bits(f(a) / f(b))),
    ("fma.rn.f32 %f9, %f2, %f3, %f4; mov.b32 %r9, %f9;", |a, b, c| bits(f(a).mul_add(f(b), f(c)))),
    ("cvt.rn.f32.u32 %f9, %r2; mov.b32 %r9, %f9;", |a, _, _| bits(a as f32)),
    ("cvt.rn.f32.s32 %f9, %r2; mov.b32 %r9, %f9;", |a, _, _| bits(a as i32 as f32)),
    ("cvt.rni.f32.f32 %f9, %f2; mov.b32 %r9, %f9;", |a, _, _| bits(f(a).round_ties_even())),
    ("setp.gt.f32 %p1, %f2, %f3; selp.f32 %f9, %f2, 0f3F800000, %p1; mov.b32 %r9, %f9;", |a, b, _| {
        if f(a) > f(b) { a } else { 0x3f80_0000 }
    }),
    ("setp.neu.f32 %p1, %f2, %f3; selp.u32 %r9, 1, 0, %p1;", |a, b, _| u32::from(f(a) != f(b))),
    ("setp.ne.f32 %p1, %f2, %f3; selp.u32 %r9, 1, 0, %p1;", |a, b, _| u32::from(f(a) < f(b) || f(a) > f(b))),
    // A number rather than a NaN, +0 rather than -0.
    ("max.f32 %f9, %f2, %f3; mov.b32 %r9, %f9;", |a, b, _| match (f(a), f(b)) {
        (x, y) if x.is_nan() => bits(y),
        (_, y) if y.is_nan() => a,
        (x, y) if x == 0.0 && y == 0.0 => a & b,
        (x, y) => bits(if x > y { x } else { y }),
    }),
    ("ld.global.u8 %rs1, [%rd3+1]; cvt.rn.f32.u16 %f9, %rs1; mov.b32 %r9, %f9;", |a, _, _| {
        bits((a >> 8 & 0xff) as f32)
    }),
];

/// Every pair of edges, with each edge as c.
fn on_edges(cases: &[Case]) {
    for (body, expected) in cases {
        for first in (0..256).step_by(32) {
            let pair =
                |lane: usize| (EDGES[(first + lane) / 16], EDGES[(first + lane) % 16], EDGES[(first / 32 + lane) % 16]);
            let inputs = [
                std::array::from_fn(|lane| pair(lane).0),
                std::array::from_fn(|lane| pair(lane).1),
                std::array::from_fn(|lane| pair(lane).2),
            ];
            let got = run(body, inputs);
            for lane in 0..32 {
                let (a, b, c) = pair(lane);
                let expected = expected(a, b, c);
                assert!(
                    got[lane] == expected,
                    "{body} {a:#x} {b:#x} {c:#x}: expected {expected:#x}, got {:#x}",
                    got[lane]
                );
            }
        }
    }
}

#[test]
fn integers() {
    on_edges(&INTEGERS);
}

#[test]
fn floats() {
    on_edges(&FLOATS);
}

#[test]
fn comparisons() {
    let int: [(&str, fn(i64, i64) -> bool); 6] = [
        ("eq", |a, b| a == b),
        ("ne", |a, b| a != b),
        ("lt", |a, b| a < b),
        ("le", |a, b| a <= b),
        ("gt", |a, b| a > b),
        ("ge", |a, b| a >= b),
    ];
    let inputs = |first: usize| {
        let a = std::array::from_fn(|lane| EDGES[(first + lane) / 16]);
        [a, std::array::from_fn(|lane| EDGES[(first + lane) % 16]), [0; 32]]
    };
    for (name, holds) in int {
        for kind in ["s32", "u32", "s64", "u64", "f32"] {
            let convert = match kind {
                "s64" => "cvt.s64.s32 %rd4, %r2; cvt.s64.s32 %rd5, %r3;",
                "u64" => "cvt.u64.u32 %rd4, %r2; cvt.u64.u32 %rd5, %r3;",
                _ => "",
            };
            let operands = match kind {
                "s64" | "u64" => "%rd4, %rd5",
                "f32" => "%f2, %f3",
                _ => "%r2, %r3",
            };
            let body = format!("{convert}setp.{name}.{kind} %p1, {operands}; selp.u32 %r9, 1, 0, %p1;");
            for first in (0..256).step_by(32) {
                let [a, b, c] = inputs(first);
                let got = run(&body, [a, b, c]);
                for lane in 0..32 {
                    let (x, y) = (a[lane], b[lane]);
                    let order = f(x).partial_cmp(&f(y));
                    let expected = match kind {
                        "f32" => order.is_some_and(|order| holds(order as i64, 0)),
                        "s32" | "s64" => holds(i64::from(x as i32), i64::from(y as i32)),
                        _ => holds(i64::from(x), i64::from(y)),
                    };
                    assert_eq!(got[lane] == 1, expected, "{body} {x:#x} {y:#x}");
                }
            }
        }
    }
}

/// Rounding to fewer bits: tf32 away from zero on a tie, bf16 to even.
#[test]
fn roundings_of_tensor_cores() {
    let mut inputs = [[0; 32]; 3];
    inputs[0][..6].copy_from_slice(&[0x3f80_0fff, 0x3f80_1000, 0x3f80_3000, 0xbf80_1000, 0x7f80_0000, 0x7fc0_0000]);
    let got = run("cvt.rna.tf32.f32 %r9, %f2;", inputs);
    assert_eq!(got[..6], [0x3f80_0000, 0x3f80_2000, 0x3f80_4000, 0xbf80_2000, 0x7f80_0000, 0x7fff_e000 | 0x1fff]);
    let (high, low) =
        ([0x3f80_7fff, 0x3f80_8000, 0x3f81_8000, 0xff80_0000], [0x3f80_8001, 0xbf81_8000, 0x7fc0_0000, 0]);
    inputs[0][..4].copy_from_slice(&high);
    inputs[1][..4].copy_from_slice(&low);
    let got = run("cvt.rn.bf16x2.f32 %r9, %f2, %f3;", inputs);
    assert_eq!(got[..4], [0x3f80_3f81, 0x3f80_bf82, 0x3f82_7fff, 0xff80_0000]);
}

#[test]
fn loads_and_stores_of_every_width() {
    let a: [u32; 32] = std::array::from_fn(|lane| 0x9000_0000 + 0x0101 * lane as u32);
    let inputs = [a, a.map(|v| !v), a.map(|v| v ^ 5)];
    for (body, expected) in [
        // Pairs and fours, of words and of floats, by the first lanes.
        (
            "mov.u32 %r9, 0; mul.wide.u32 %rd4, %r1, 16; add.s64 %rd5, %rd1, %rd4; setp.lt.s32 %p1, %r1, 8; \
          @%p1 ld.global.v4.f32 {%f5, %f6, %f7, %f8}, [%rd5]; @%p1 mov.b32 %r9, %f8;",
            (|lane, a| if lane < 8 { a[4 * lane + 3] } else { 0 }) as fn(usize, [u32; 32]) -> u32,
        ),
        (
            "mov.u32 %r9, 0; mul.wide.u32 %rd4, %r1, 8; add.s64 %rd5, %rd1, %rd4; setp.lt.s32 %p1, %r1, 16; \
          @%p1 ld.global.v2.u32 {%r5, %r9}, [%rd5];",
            |lane, a| if lane < 16 { a[2 * lane + 1] } else { 0 },
        ),
        (
            "mov.u32 %r9, 0; mul.wide.u32 %rd4, %r1, 8; add.s64 %rd5, %rd1, %rd4; setp.lt.s32 %p1, %r1, 16; \
          @%p1 ld.global.v2.f32 {%f5, %f6}, [%rd5]; @%p1 mov.b32 %r9, %f5;",
            |lane, a| if lane < 16 { a[2 * lane] } else { 0 },
        ),
        (
            "mul.wide.u32 %rd4, %r1, 8; and.b32 %r5, %r1, 15; mul.wide.u32 %rd6, %r5, 8; add.s64 %rd5, %rd1, %rd6; ld.global.u64 %rd7, [%rd5]; \
          shr.u64 %rd8, %rd7, 32; cvt.u32.u64 %r9, %rd8;",
            |lane, a| a[lane % 16 * 2 + 1],
        ),
        // Zeros and signs fill a double.
        ("ld.global.u32 %rd7, [%rd3]; shr.u64 %rd8, %rd7, 32; cvt.u32.u64 %r9, %rd8;", |_, _| 0),
        ("ld.global.f32 %f5, [%rd3]; mov.b32 %r9, %f5;", |lane, a| a[lane]),
        ("ld.f32 %f5, [%rd3]; mov.b32 %r9, %f5;", |lane, a| a[lane]),
        ("ld.global.u8 %r9, [%rd3+3];", |lane, a| a[lane] >> 24),
        ("st.global.f32 [%rd3], %f3; ld.global.u32 %r9, [%rd3];", |lane, a| !a[lane]),
        ("ld.param.v2.u32 {%r9, %r6}, [test_param_0];", |_, _| 0),
        ("ld.param.v2.f32 {%f5, %f6}, [test_param_0]; mov.b32 %r9, %f5;", |_, _| 0),
        ("ld.param.u32 %r9, [test_param_0];", |_, _| 0),
        ("ld.param.f32 %f5, [test_param_0+4]; mov.b32 %r9, %f5;", |_, _| 0x7f00),
        ("mov.b64 %rd6, test_param_0; ld.param.s32 %rd7, [%rd6+4]; cvt.u32.u64 %r9, %rd7;", |_, _| 0x7f00),
        // Through shared memory: each lane reads what its neighbour wrote.
        (
            "mov.u64 %rd6, shared_array; add.s64 %rd7, %rd6, %rd2; st.shared.f32 [%rd7], %f2; bar.sync 0; xor.b32 %r5, %r1, 1; \
          mul.wide.u32 %rd8, %r5, 4; add.s64 %rd9, %rd6, %rd8; ld.shared.f32 %f5, [%rd9]; mov.b32 %r9, %f5;",
            |lane, a| a[lane ^ 1],
        ),
        (
            "mov.u64 %rd6, shared_array; mul.wide.u32 %rd7, %r1, 8; add.s64 %rd8, %rd6, %rd7; st.shared.v2.u32 [%rd8], {%r2, %r3}; bar.sync 0; \
          ld.shared.u32 %r9, [%rd8+4];",
            |lane, a| !a[lane],
        ),
        (
            "mov.u64 %rd6, shared_array; mul.wide.u32 %rd7, %r1, 8; add.s64 %rd8, %rd6, %rd7; st.shared.v2.f32 [%rd8], {%f2, %f3}; \
          ld.shared.u32 %r9, [%rd8];",
            |lane, a| a[lane],
        ),
        (
            "mov.u64 %rd6, shared_array; mul.wide.u32 %rd7, %r1, 16; add.s64 %rd8, %rd6, %rd7; st.shared.v4.u32 [%rd8], {%r2, %r3, %r4, %r2}; \
          ld.shared.v4.f32 {%f5, %f6, %f7, %f8}, [%rd8]; mov.b32 %r9, %f7;",
            |lane, a| a[lane] ^ 5,
        ),
        (
            "mov.u64 %rd6, shared_array; mul.wide.u32 %rd7, %r1, 16; add.s64 %rd8, %rd6, %rd7; st.shared.v4.f32 [%rd8], {%f2, %f3, %f4, %f2}; \
          ld.shared.u32 %r9, [%rd8+12];",
            |lane, a| a[lane],
        ),
        (
            "mov.u32 %r9, 0; mul.wide.u32 %rd4, %r1, 16; add.s64 %rd5, %rd1, %rd4; setp.lt.s32 %p1, %r1, 8; mov.f32 %f5, 0f3F800000; \
          bar.sync 0; @%p1 st.global.v4.f32 [%rd5], {%f5, %f5, %f5, %f2}; bar.sync 0; ld.global.u32 %r9, [%rd3+0];",
            |lane, a| if lane % 4 == 3 { a[lane / 4] } else { 0x3f80_0000 },
        ),
    ] {
        let got = run(body, inputs);
        for lane in 0..32 {
            assert_eq!(got[lane], expected(lane, a), "{body}, lane {lane}");
        }
    }
}

#[test]
fn shuffles_within_segments() {
    let a: [u32; 32] = std::array::from_fn(|lane| 100 + lane as u32);
    let got = run(
        "mov.u32 %r5, 16; mov.u32 %r6, 31; mov.u32 %r7, -1; shfl.sync.bfly.b32 %r9|%p1, %r2, %r5, %r6, %r7;",
        [a; 3],
    );
    assert!((0..32).all(|lane| got[lane] == a[lane ^ 16]));
    // Segments of eight lanes: a lane of another segment is out of reach.
    let body = "mov.u32 %r5, 8; mov.u32 %r6, 6175; mov.u32 %r7, -1; shfl.sync.bfly.b32 %r8|%p1, %r2, %r5, %r6, %r7; \
                selp.u32 %r9, %r8, 0, %p1;";
    let got = run(body, [a; 3]);
    assert!((0..32).all(|lane| got[lane] == if lane & 8 == 0 { 0 } else { a[lane ^ 8] }), "{got:?}");
}

#[test]
fn branches_and_loops_that_diverge() {
    // Each lane counts down from its own number, through a branch by its lowest bit.
    let body = "mov.u32 %r9, 0; mov.u32 %r5, %r2; bra.uni $TEST; $LOOP: and.b32 %r6, %r5, 1; setp.eq.s32 %p1, %r6, 0; @%p1 bra $EVEN; \
                add.s32 %r9, %r9, 3; bra $NEXT; $EVEN: add.s32 %r9, %r9, 5; $NEXT: add.s32 %r5, %r5, -1; $TEST: setp.gt.s32 %p2, %r5, 0; \
                @%p2 bra $LOOP; bar.warp.sync -1;";
    let body: String = body.replace(": ", ":;");
    let got = run(&body, [std::array::from_fn(|lane| lane as u32), [0; 32], [0; 32]]);
    for (lane, got) in got.iter().enumerate() {
        assert_eq!(*got as usize, lane.div_ceil(2) * 3 + lane / 2 * 5, "lane {lane}");
    }
}

/// The opcodes of a PTX text.
fn opcodes(text: &str) -> BTreeSet<&str> {
    let words = text.lines().filter_map(|line| {
        let line = line.split("//").next().unwrap_or_default().trim();
        let line = if line.starts_with('@') { line.split_once(char::is_whitespace)?.1.trim() } else { line };
        line.ends_with(';').then(|| line.trim_end_matches(';').split_whitespace().next().unwrap_or_default())
    });
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

#[test]
fn every_opcode_of_the_kernels_is_tested() {
    let source = include_str!("opcodes.rs").replace(';', ";\n").replace('"', "\n");
    let mut tested: BTreeSet<String> = opcodes(&source).into_iter().map(str::to_owned).collect();
    // Of a matrix product, tensor_cores.rs.
    tested.extend(opcodes(&ptx("")).into_iter().map(str::to_owned));
    for text in kernels::ALL {
        for opcode in opcodes(text) {
            let is_known = tested.contains(opcode) || opcode.starts_with("mma.sync") || opcode.starts_with("setp.");
            assert!(is_known, "no test of {opcode}");
        }
    }
}
