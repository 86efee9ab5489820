//! Tensor cores to the bit: what an A100 and an H100 computed, 1,000 sums of each of bf16 and tf32. The records, in
//! tests/records, are of the public data set north-numerical-computing/MATLAB-tensor-core; see tests/records/README.md.

use cuda_interpreter::{Machine, Module, TensorCore};
use flate2::read::GzDecoder;
use std::io::Read;

const RECORDS: [(&str, &[u8]); 4] = [
    ("A100, bf16", include_bytes!("records/A100-bf16.txt.gz")),
    ("A100, tf32", include_bytes!("records/A100-tf32.txt.gz")),
    ("H100, bf16", include_bytes!("records/H100-bf16.txt.gz")),
    ("H100, tf32", include_bytes!("records/H100-tf32.txt.gz")),
];

/// `a|b|c|d` of a line: d = c + sum a b, as bits of f32.
struct Record {
    a: Vec<u32>,
    b: Vec<u32>,
    c: u32,
    d: u32,
}

fn records(compressed: &[u8]) -> Vec<Record> {
    let mut text = String::new();
    GzDecoder::new(compressed).read_to_string(&mut text).expect("text");
    let record = |line: &str| {
        let parts: Vec<&str> = line.split('|').collect();
        let factors = |text: &str| text.split(' ').map(|bits| u32::from_str_radix(bits, 16).expect("bits")).collect();
        let sum = |text: &str| u32::from_str_radix(text, 2).expect("bits");
        Record { a: factors(parts[0]), b: factors(parts[1]), c: sum(parts[2]), d: sum(parts[3]) }
    };
    text.lines().map(record).collect()
}

/// A kernel of one warp that multiplies the fragments in memory: of each lane a, b and c, 10 words, to d.
fn ptx(bf16: bool) -> String {
    let opcode = match bf16 {
        true => "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
        false => "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32",
    };
    let loads: String = (0..10).map(|i| format!("ld.global.u32 %r{}, [%rd3+{}];\n", 2 + i, 4 * i)).collect();
    let stores: String = (0..4).map(|i| format!("st.global.u32 [%rd3+{}], %r{};\n", 40 + 4 * i, 12 + i)).collect();
    format!(
        ".target sm_80\n.visible .entry product(\n.param .u64 product_param_0\n)\n{{\n.reg .b32 %r<16>;\n.reg .b64 %rd<4>;\n\
         ld.param.u64 %rd1, [product_param_0];\nmov.u32 %r1, %tid.x;\nmul.wide.u32 %rd2, %r1, 56;\nadd.s64 %rd3, %rd1, %rd2;\n\
         {loads}{opcode} {{%r12, %r13, %r14, %r15}}, {{%r2, %r3, %r4, %r5}}, {{%r6, %r7}}, {{%r8, %r9, %r10, %r11}};\n\
         {stores}ret;\n}}\n"
    )
}

/// d [16, 8] = a [16, K] · b [K, 8] + c [16, 8], in fragments: see mma.m16n8k8 and mma.m16n8k16 of the PTX ISA.
fn multiply(machine: &mut Machine, bf16: bool, a: &[Vec<u32>], b: &[Vec<u32>], c: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let module = Module::parse(&ptx(bf16)).expect("PTX");
    let memory = machine.allocate(32 * 56);
    let mut words = vec![0u32; 32 * 14];
    for lane in 0..32 {
        let (group, place) = (lane / 4, lane % 4);
        // Of a register, the element of tf32 or the pair of bf16 at these k.
        let packed = |row: &[u32], half: usize| match bf16 {
            true => row[half * 8 + place * 2] >> 16 | row[half * 8 + place * 2 + 1] & 0xffff_0000,
            false => row[half * 4 + place],
        };
        for i in 0..4 {
            words[lane * 14 + i] = packed(&a[group + i % 2 * 8], i / 2);
            words[lane * 14 + 6 + i] = c[group + i / 2 * 8][place * 2 + i % 2];
        }
        for i in 0..2 {
            let column: Vec<u32> = b.iter().map(|row| row[group]).collect();
            words[lane * 14 + 4 + i] = packed(&column, i);
        }
    }
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    machine.write(memory, bytes.len()).expect("allocated").copy_from_slice(&bytes);
    machine.launch(module.kernel("product").expect("it"), [1, 1], 32, &memory.to_le_bytes()).expect("no fault");
    let bytes = machine.read(memory, bytes.len()).expect("allocated");
    let word = |at: usize| u32::from_le_bytes(bytes[4 * at..4 * at + 4].try_into().expect("four bytes"));
    let element = |row: usize, column: usize| {
        let (lane, i) = (row % 8 * 4 + column / 2, row / 8 * 2 + column % 2);
        word(lane * 14 + 10 + i)
    };
    (0..16).map(|row| (0..8).map(|column| element(row, column)).collect()).collect()
}

#[test]
fn what_gpus_computed_comes_out_to_the_bit() {
    let mut found = 0;
    for (of, compressed) in RECORDS {
        let (bf16, generation) =
            (of.ends_with("bf16"), if of.starts_with('A') { TensorCore::Ampere } else { TensorCore::Hopper });
        let depth = if bf16 { 16 } else { 8 };
        let mut machine = Machine::new(generation, 0);
        let records = records(compressed);
        assert_eq!(records.len(), 1000);
        // Eight records at a time, on the diagonal. One of a step of Ampere is half an instruction: the rest is zero.
        for (n, eight) in records.chunks(8).enumerate() {
            let (mut a, mut b, mut c) = (vec![vec![0; depth]; 16], vec![vec![0; 8]; depth], vec![vec![0; 8]; 16]);
            for (i, record) in eight.iter().enumerate() {
                let row = i + n % 2 * 8;
                a[row][..record.a.len()].copy_from_slice(&record.a);
                record.b.iter().enumerate().for_each(|(k, value)| b[k][i] = *value);
                c[row][i] = record.c;
            }
            let d = multiply(&mut machine, bf16, &a, &b, &c);
            for (i, record) in eight.iter().enumerate() {
                let got = d[i + n % 2 * 8][i];
                assert!(got == record.d, "{of}, record {}: expected {:08x}, got {got:08x}", 8 * n + i, record.d);
                found += 1;
            }
        }
    }
    assert_eq!(found, 4000);
}

#[test]
fn infinities_and_nan_are_those_of_ieee_754() {
    const INFINITY: u32 = 0x7f80_0000;
    for generation in [TensorCore::Ampere, TensorCore::Hopper] {
        for bf16 in [false, true] {
            let depth = if bf16 { 16 } else { 8 };
            let (mut a, mut b, mut c) = (vec![vec![0; depth]; 16], vec![vec![0; 8]; depth], vec![vec![0; 8]; 16]);
            (a[0][1], b[1][0], b[1][1], b[1][2]) = (INFINITY, 0x3f80_0000, 0, 0xbf80_0000);
            (c[1][1], c[2][2], c[3][3]) = (0xff80_0000, 0x7fc0_1234, 0x3f80_0001);
            (a[4][0], b[0][4]) = (0x7f00_0000, 0x7f00_0000);
            let d = multiply(&mut Machine::new(generation, 0), bf16, &a, &b, &c);
            let got = [d[0][0], d[0][1], d[0][2], d[1][1], d[2][2], d[3][3], d[4][4]];
            let expected = [INFINITY, 0x7fff_ffff, 0xff80_0000, 0xff80_0000, 0x7fff_ffff, 0x3f80_0001, INFINITY];
            assert_eq!(got, expected, "{generation:?} {bf16}");
        }
    }
}
