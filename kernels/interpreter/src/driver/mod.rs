//! The device behind the functions of libcuda (api.rs): one for each process, and serial.
//!
//! Environment variables, `EMULATOR_...`:
//!
//! ```text
//! DRIVER=11040, CAPABILITY=75, MEMORY=bytes   what the device reports; from 90 on its tensor cores are those of Hopper
//! SEED=N                                      another order of blocks and warps
//! FAIL=alloc:N                                the N-th allocation fails
//! FAIL=launch:N | pinned:N                    the N-th launch, or page-locked allocation, and all later ones fail
//! COUNTS=file                                 there, whenever the host has waited: what each kernel has executed and moved
//! FAIL=pageable:N                             the N-th asynchronous copy from or to pageable memory fails
//! ```

mod api;
mod page_locked;
mod queue;
#[cfg(test)]
mod tests;

use crate::counters::{Count, Counters};
use crate::execute::Machine;
use crate::ptx::{Kernel, Module};
use crate::tensor_core::TensorCore;
use page_locked::PageLocked;
use queue::Queues;
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

/// Result codes of the driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Code {
    InvalidValue = 1,
    OutOfMemory = 2,
    InvalidDevice = 101,
    InvalidContext = 201,
    NoBinary = 209,
    InvalidPtx = 218,
    InvalidHandle = 400,
    NotFound = 500,
    LaunchFailed = 719,
    CaptureUnsupported = 900,
    CaptureWrongThread = 908,
}

/// A launch with a copy of its arguments.
#[derive(Clone)]
struct Launch {
    module: Arc<Module>,
    kernel: usize,
    grid: [u32; 2],
    threads: u32,
    params: Vec<u8>,
}

/// A range of host memory. Its address is only used while the copy runs for which the caller keeps it.
#[derive(Clone, Copy)]
struct Host {
    address: usize,
    /// The page-locked allocation that it is in, if in one.
    allocation: Option<usize>,
}

enum Work {
    Upload { to: u64, from: Host, bytes: usize },
    Download { to: Host, from: u64, bytes: usize },
    Fill { to: u64, value: u8, bytes: usize },
    Launch(Launch),
    Graph(Arc<Vec<Launch>>),
}

/// What a variable of the environment says, or else the usual.
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(format!("EMULATOR_{name}")).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Ends the process: the program under test is wrong.
fn die(why: &str) -> ! {
    eprintln!("emulator: {why}");
    std::process::abort()
}

/// Calls of a kind that fail on demand.
#[derive(Default)]
struct Failing {
    at: Option<u64>,
    calls: u64,
}

impl Failing {
    fn new(what: &str) -> Failing {
        let text = std::env::var("EMULATOR_FAIL").ok();
        let call = text.as_deref().and_then(|text| text.strip_prefix(what)?.strip_prefix(':')?.parse().ok());
        Failing { at: call, calls: 0 }
    }
    /// Counts a call; whether it fails.
    fn next(&mut self) -> bool {
        self.calls += 1;
        self.at == Some(self.calls)
    }
    fn next_or_later(&mut self) -> bool {
        self.calls += 1;
        self.at.is_some_and(|at| at <= self.calls)
    }
}

struct Device {
    machine: Machine,
    queues: Queues,
    page_locked: PageLocked,
    /// Bytes of each allocation that the program has not freed.
    allocations: HashMap<u64, usize>,
    modules: HashMap<usize, Arc<Module>>,
    functions: HashMap<usize, (Arc<Module>, usize)>,
    graphs: HashMap<usize, Arc<Vec<Launch>>>,
    handles: usize,
    /// A launch has failed: a sticky error.
    lost: bool,
    failing_allocation: Failing,
    failing_launch: Failing,
    failing_page_lock: Failing,
    failing_pageable: Failing,
    /// Launches by kernel, and their blocks.
    launches: HashMap<String, [u64; 2]>,
    counts_to: Option<OsString>,
}

thread_local! {
    static HAS_CONTEXT: Cell<bool> = const { Cell::new(false) };
}

fn device() -> MutexGuard<'static, Device> {
    static DEVICE: OnceLock<Mutex<Device>> = OnceLock::new();
    DEVICE.get_or_init(|| Mutex::new(Device::new())).lock().unwrap_or_else(PoisonError::into_inner)
}

impl Device {
    fn new() -> Device {
        let tensor_core = if setting("CAPABILITY", 90) >= 90 { TensorCore::Hopper } else { TensorCore::Ampere };
        let seed = setting("SEED", 0) as u32;
        let counts_to = std::env::var_os("EMULATOR_COUNTS");
        let mut machine = Machine::new(tensor_core, seed);
        machine.counters = counts_to.is_some().then(Counters::without_banks);
        Device {
            machine,
            queues: Queues::default(),
            page_locked: PageLocked::default(),
            allocations: HashMap::new(),
            modules: HashMap::new(),
            functions: HashMap::new(),
            graphs: HashMap::new(),
            handles: 0,
            lost: false,
            failing_allocation: Failing::new("alloc"),
            failing_launch: Failing::new("launch"),
            failing_page_lock: Failing::new("pinned"),
            failing_pageable: Failing::new("pageable"),
            launches: HashMap::new(),
            counts_to,
        }
    }
    fn handle(&mut self) -> usize {
        self.handles += 1;
        self.handles
    }
    fn healthy(&self) -> Result<(), Code> {
        if self.lost { Err(Code::LaunchFailed) } else { Ok(()) }
    }
    fn free_memory(&self) -> (usize, usize) {
        let total = setting("MEMORY", 4 << 30) as usize;
        (total.saturating_sub(self.allocations.values().sum()), total)
    }

    fn allocate(&mut self, bytes: usize) -> Result<u64, Code> {
        self.queues.safe_call(this_thread())?;
        self.healthy()?;
        if self.failing_allocation.next() {
            return Err(Code::OutOfMemory);
        }
        if bytes == 0 {
            return Err(Code::InvalidValue);
        }
        let address = self.machine.allocate(bytes);
        self.allocations.insert(address, bytes);
        Ok(address)
    }
    /// The driver synchronizes first. Here the memory goes later instead, so that no queued work runs early.
    fn free(&mut self, address: u64) -> Result<(), Code> {
        self.queues.safe_call(this_thread())?;
        self.allocations.remove(&address).ok_or(Code::InvalidValue)?;
        self.queues.frees.push_back((self.queues.issued, address));
        self.free_unused();
        Ok(())
    }
    /// Frees what no queued work can use any more.
    fn free_unused(&mut self) {
        let oldest = self.queues.oldest();
        while let Some((issued, address)) = self.queues.frees.front().copied()
            && issued < oldest
        {
            self.queues.frees.pop_front();
            self.machine.free(address);
        }
    }
    fn page_lock(&mut self, bytes: usize) -> Result<usize, Code> {
        self.queues.safe_call(this_thread())?;
        self.healthy()?;
        if self.failing_page_lock.next_or_later() {
            return Err(Code::OutOfMemory);
        }
        if bytes == 0 {
            return Err(Code::InvalidValue);
        }
        self.page_locked.allocate(bytes).ok_or(Code::OutOfMemory)
    }
    /// It is not documented to synchronize: a queued copy is a fault.
    fn free_page_locked(&mut self, address: usize) -> Result<(), Code> {
        self.queues.safe_call(this_thread())?;
        if self.page_locked.free(address) { Ok(()) } else { Err(Code::InvalidValue) }
    }
    /// Copies of pageable memory, too, may be pending until the stream is synchronized.
    fn host(&mut self, address: usize, bytes: usize) -> Result<Host, Code> {
        let allocation = self.page_locked.find(address, bytes);
        if allocation.is_none() && self.failing_pageable.next() {
            return Err(Code::InvalidValue);
        }
        Ok(Host { address, allocation })
    }
    /// Queues work on device memory that a capture cannot record.
    fn enqueue(&mut self, stream: usize, range: Option<(u64, usize)>, work: Work) -> Result<(), Code> {
        self.queues.find(stream)?;
        if self.queues.is_capturing(stream) {
            die("a capture records launches only");
        }
        self.healthy()?;
        if range.is_some_and(|(address, bytes)| self.machine.read(address, bytes).is_none()) {
            return Err(Code::InvalidValue);
        }
        self.queues.push(stream, work)
    }

    /// # Errors
    /// The code, and the log of the compiler.
    fn load(&mut self, ptx: &str) -> Result<usize, (Code, String)> {
        let module = Module::parse(ptx).map_err(|e| (Code::InvalidPtx, e.to_string()))?;
        let capability = setting("CAPABILITY", 90);
        if u64::from(module.target) > capability {
            return Err((
                Code::NoBinary,
                format!("expected a target of at most sm_{capability}, got sm_{}", module.target),
            ));
        }
        let handle = self.handle();
        self.modules.insert(handle, Arc::new(module));
        Ok(handle)
    }
    fn function(&mut self, module: usize, name: &str) -> Result<usize, Code> {
        let module = self.modules.get(&module).ok_or(Code::InvalidHandle)?.clone();
        let kernel = module.kernels.iter().position(|kernel| kernel.name == name).ok_or(Code::NotFound)?;
        let handle = self.handle();
        self.functions.insert(handle, (module, kernel));
        Ok(handle)
    }
    fn kernel(&self, function: usize) -> Result<&Kernel, Code> {
        self.functions.get(&function).map(|(module, kernel)| &module.kernels[*kernel]).ok_or(Code::InvalidHandle)
    }
    fn launch(
        &mut self,
        function: usize,
        grid: [u32; 2],
        threads: u32,
        params: Vec<u8>,
        stream: usize,
    ) -> Result<(), Code> {
        let (module, kernel) = self.functions.get(&function).ok_or(Code::InvalidHandle)?;
        let launch = Launch { module: module.clone(), kernel: *kernel, grid, threads, params };
        self.queues.find(stream)?;
        match self.queues.graph(stream) {
            Some(graph) => graph.push(launch),
            None => self.enqueue(stream, None, Work::Launch(launch))?,
        }
        Ok(())
    }

    /// Runs all work queued on a stream, and on destroyed ones.
    fn synchronize(&mut self, stream: usize) -> Result<(), Code> {
        while let Some(work) = self.queues.pop(stream) {
            if !self.lost {
                self.run(work);
            }
        }
        self.free_unused();
        self.write_counts();
        self.healthy()
    }
    fn run(&mut self, work: Work) {
        match work {
            Work::Upload { to, from, bytes } => {
                self.expect_locked(from);
                let to = self.machine.write(to, bytes).expect("freed after all work that was queued before");
                page_locked::copy_from_host(to, from.address);
            }
            Work::Download { to, from, bytes } => {
                self.expect_locked(to);
                let from = self.machine.read(from, bytes).expect("freed after all work that was queued before");
                page_locked::copy_to_host(to.address, from);
            }
            Work::Fill { to, value, bytes } => {
                self.machine.write(to, bytes).expect("freed after all work that was queued before").fill(value);
            }
            Work::Launch(launch) => self.run_launch(&launch),
            Work::Graph(graph) => graph.iter().for_each(|launch| self.run_launch(launch)),
        }
    }
    fn run_launch(&mut self, launch: &Launch) {
        if self.lost || self.failing_launch.next() {
            self.lost = true;
            return;
        }
        let kernel = &launch.module.kernels[launch.kernel];
        let [launches, blocks] = self.launches.entry(kernel.name.clone()).or_default();
        *launches += 1;
        *blocks += u64::from(launch.grid[0]) * u64::from(launch.grid[1]);
        if let Err(fault) = self.machine.launch(kernel, launch.grid, launch.threads, &launch.params) {
            die(&fault.to_string());
        }
    }
    /// A line for each kernel: launches, their blocks, warp instructions, of those fma and mma, and sectors of global memory.
    fn write_counts(&self) {
        let (Some(file), Some(counters)) = (&self.counts_to, &self.machine.counters) else { return };
        let mut text = String::new();
        for kernel in self.modules.values().flat_map(|module| &module.kernels) {
            let Some([launches, blocks]) = self.launches.get(&kernel.name) else { continue };
            let counts = counters.by_opcode(kernel, 0..usize::MAX);
            let sum = |prefixes: &[&str], of: fn(&Count) -> u64| -> u64 {
                let has = |opcode: &str| prefixes.iter().any(|prefix| opcode.starts_with(prefix));
                counts.iter().filter(|(opcode, _)| has(opcode)).map(|(_, count)| of(count)).sum()
            };
            let [all, fma, mma] = [&[""][..], &["fma"], &["mma"]].map(|prefixes| sum(prefixes, |count| count.warps));
            let sectors = sum(&["ld.global", "st.global"], |count| count.transfers);
            let _ = writeln!(text, "{} {launches} {blocks} {all} {fma} {mma} {sectors}", kernel.name);
        }
        if let Err(e) = std::fs::write(file, text) {
            die(&format!("EMULATOR_COUNTS: {e}"));
        }
    }
    fn expect_locked(&self, host: Host) {
        if host.allocation.is_some_and(|allocation| !self.page_locked.is_allocated(allocation)) {
            die("a queued copy finds its page-locked memory freed");
        }
    }
}

fn has_context() -> bool {
    HAS_CONTEXT.get()
}

fn this_thread() -> ThreadId {
    thread::current().id()
}
