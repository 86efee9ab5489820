//! The GEMM kernels of this project, launched on the interpreter, with the structures of kernels/args.h as bytes.
#![allow(dead_code)] // each test uses some of it

use cuda_interpreter::{Fault, Kernel, Machine, Module};

/// A GEMM c [m, n] = a [m, k] · b, by a kernel of a tile size: `linear_small_tf32`, or `linear_back_…` with b [n, k].
#[derive(Clone, Copy)]
pub struct Gemm<'a> {
    pub kernel: &'a str,
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

/// The PTX of a kernel.
pub fn ptx_of(kernel: &str) -> &'static str {
    let entry = format!(".entry {kernel}(");
    kernels::ALL.into_iter().find(|text| text.contains(&entry)).expect("the PTX of this kernel")
}

/// Numbers in [-1, 1], with a fixed generator.
pub fn random(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(next).collect()
}

pub fn upload(machine: &mut Machine, values: &[f32]) -> u64 {
    let address = machine.allocate(values.len() * 4);
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    machine.write(address, bytes.len()).expect("just allocated").copy_from_slice(&bytes);
    address
}

pub fn download(machine: &mut Machine, address: u64, count: usize) -> Vec<u32> {
    let bytes = machine.read(address, count * 4).expect("allocated");
    bytes.chunks(4).map(|b| u32::from_le_bytes(b.try_into().expect("four bytes"))).collect()
}

/// Integers and addresses, as they follow each other in a structure of C.
#[derive(Default)]
pub struct Structure(pub Vec<u8>);

impl Structure {
    pub fn int(mut self, value: i32) -> Structure {
        self.0.extend(value.to_le_bytes());
        self
    }
    pub fn float(mut self, value: f32) -> Structure {
        self.0.extend(value.to_le_bytes());
        self
    }
    pub fn address(mut self, value: u64) -> Structure {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        self.0.extend(value.to_le_bytes());
        self
    }
    /// The bytes that a kernel takes.
    pub fn of_size(mut self, bytes: usize) -> Vec<u8> {
        assert!(self.0.len() <= bytes);
        self.0.resize(bytes, 0);
        self.0
    }
}

/// Rows and columns of a tile of kernels/tile.h, by the name of a kernel.
pub fn tile(kernel: &str) -> (usize, usize) {
    match kernel {
        _ if kernel.contains("small") => (16, 32),
        _ if kernel.contains("medium") => (64, 64),
        _ => (128, 128),
    }
}

impl Gemm<'_> {
    /// Runs it as the entry of some PTX; the bits of c.
    pub fn run(self, machine: &mut Machine, ptx: &str) -> Result<Vec<u32>, Fault> {
        let module = Module::parse(ptx).expect("PTX");
        self.launch(machine, module.kernel(self.kernel).expect("the kernel"))
    }
    pub fn launch(self, machine: &mut Machine, kernel: &Kernel) -> Result<Vec<u32>, Fault> {
        let Gemm { m, n, k, .. } = self;
        let (a, b) = (upload(machine, &random(m * k, 1)), upload(machine, &random(k * n, 2)));
        let (c, bias) = (machine.allocate(4 * m * n), upload(machine, &random(n, 3)));
        let ldb = if self.kernel.contains("back") { k } else { n };
        let (rows, columns) = tile(self.kernel);
        let args = Structure::default().address(a).address(b).address(c).int(m as i32).int(n as i32).int(k as i32);
        let args = args.int(k as i32).int(ldb as i32).address(bias).address(0).int(0).int(0).float(0.0);
        let blocks = m.div_ceil(rows) * n.div_ceil(columns);
        machine.launch(kernel, [blocks as u32, 1], 256, &args.of_size(kernel.param_bytes()))?;
        let got = download(machine, c, m * n);
        [a, b, c, bias].into_iter().for_each(|address| machine.free(address));
        Ok(got)
    }
    /// c in f64.
    pub fn expected(self) -> Vec<f64> {
        let Gemm { m, n, k, .. } = self;
        let (a, b, bias) = (random(m * k, 1), random(k * n, 2), random(n, 3));
        let back = self.kernel.contains("back");
        let product = |i: usize, j: usize, l: usize| {
            f64::from(a[i * k + l]) * f64::from(if back { b[j * k + l] } else { b[l * n + j] })
        };
        let one = |i: usize, j: usize| f64::from(bias[j]) + (0..k).map(|l| product(i, j, l)).sum::<f64>();
        (0..m * n).map(|at| one(at / n, at % n)).collect()
    }
}

/// A weight gradient [m, n] over k rows, in so many splits, with Adam where there is one split; the bits of the first
/// moment, or of the partial sums.
pub fn gradient(machine: &mut Machine, name: &str, [m, n, k]: [usize; 3], splits: usize) -> Result<Vec<u32>, Fault> {
    let module = Module::parse(ptx_of(name)).expect("PTX");
    let kernel = module.kernel(name).expect("the kernel");
    let (x, dy) = (upload(machine, &random(k * m, 1)), upload(machine, &random(k * n, 2)));
    let zeros = vec![0.0; m * n];
    let [w, moment1, moment2] = [(); 3].map(|()| upload(machine, &zeros));
    let partials = machine.allocate(4 * m * n * splits);
    let step = Structure::default().int(0).int(k as i32).float(1.0).float(1e-3).float(1.0);
    let steps = upload_bytes(machine, &step.0);
    let run = Structure::default().address(steps).address(0).int(0).int(0).int(0).int(0);
    let run = upload_bytes(machine, &run.float(0.9).float(0.999).float(1e-8).0);
    let split_k = k.div_ceil(splits).next_multiple_of(32);
    let args = Structure::default().address(run).int(0).address(0); // the list begins at a multiple of 8
    let mut bytes = args.0;
    bytes.truncate(16);
    let list = Structure::default().int(1).address(x).address(dy).address(w).address(moment1).address(moment2);
    let list = list.address(partials).int(m as i32).int(n as i32).int(k as i32).int(splits as i32).int(split_k as i32);
    bytes.extend(list.int(0).0);
    bytes.resize(kernel.param_bytes(), 0);
    let (rows, columns) = tile(name);
    let blocks = m.div_ceil(rows) * n.div_ceil(columns) * splits;
    machine.launch(kernel, [blocks as u32, 1], 256, &bytes)?;
    let (from, count) = if splits == 1 { (moment1, m * n) } else { (partials, m * n * splits) };
    Ok(download(machine, from, count))
}

fn upload_bytes(machine: &mut Machine, bytes: &[u8]) -> u64 {
    let address = machine.allocate(bytes.len());
    machine.write(address, bytes.len()).expect("just allocated").copy_from_slice(bytes);
    address
}
