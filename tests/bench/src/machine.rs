//! The machine that the numbers are of: it stands in every table and in `target/bench.json`.

use common::backend::InstructionSet;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt::{Display, Formatter};

/// CPU model, cores, threads and instruction sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// `AMD EPYC (family 26, model 2)`: virtual machines often hide the rest of the name.
    pub cpu: String,
    /// Physical cores.
    pub cores: usize,
    /// Hardware threads, those that this process may use.
    pub threads: usize,
    /// The vector and matrix extensions of the CPU, as Linux names them.
    pub extensions: Vec<String>,
    /// The instruction set that the engine takes, by itself or by `VAE_CPU`.
    pub instructions: String,
}

/// What decides how fast a matrix product is, the widest last.
const EXTENSIONS: [&str; 9] =
    ["sse2", "avx2", "fma", "avx_vnni", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16"];

impl Machine {
    /// This one.
    pub fn here() -> Machine {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Machine::parse(&cpuinfo, threads(), isa().name())
    }

    /// From the text of `/proc/cpuinfo`.
    fn parse(cpuinfo: &str, threads: usize, instructions: &str) -> Machine {
        let fields = |text: &'static str| {
            let lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
            lines.filter(move |(name, _)| name.trim() == text).map(|(_, value)| value.trim())
        };
        let first = |name| fields(name).next();
        let name = first("model name").unwrap_or("unknown CPU");
        let cpu = match (first("cpu family"), first("model")) {
            (Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
            _ => name.to_owned(),
        };
        let cores: HashSet<_> = fields("physical id").zip(fields("core id")).collect();
        let flags: HashSet<&str> = first("flags").unwrap_or_default().split(' ').collect();
        let extensions = EXTENSIONS.into_iter().filter(|name| flags.contains(name)).map(str::to_owned).collect();
        let cores = if cores.is_empty() { threads } else { cores.len() };
        Machine { cpu, cores, threads, extensions, instructions: instructions.into() }
    }
}

impl Display for Machine {
    fn fmt(&self, f: &mut Formatter) -> std::fmt::Result {
        let Machine { cpu, cores, threads, instructions, .. } = self;
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let extensions = self.extensions.join(" ");
        write!(
            f,
            "{cpu}, {cores} core{}, {threads} thread{}; {extensions}; vae-train takes {instructions}",
            plural(*cores),
            plural(*threads)
        )
    }
}

/// Hardware threads that this process may use.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The instruction set of the programs.
pub fn isa() -> InstructionSet {
    InstructionSet::from_env().unwrap_or_else(|e| panic!("{e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_THREADS_OF_ONE_CORE: &str = "processor\t: 0\ncpu family\t: 6\nmodel\t\t: 173\nmodel name\t: Intel(R) Xeon(R)\n\
        physical id\t: 0\ncore id\t\t: 0\nflags\t\t: fpu sse2 avx2 fma avx512f amx_bf16 amx_tile\n\n\
        processor\t: 1\ncpu family\t: 6\nmodel\t\t: 173\nmodel name\t: Intel(R) Xeon(R)\n\
        physical id\t: 0\ncore id\t\t: 0\nflags\t\t: fpu sse2 avx2 fma avx512f amx_bf16 amx_tile\n";

    #[test]
    fn a_machine_is_read_from_cpuinfo() {
        let machine = Machine::parse(TWO_THREADS_OF_ONE_CORE, 2, "avx512");
        assert_eq!(
            machine.to_string(),
            "Intel(R) Xeon(R) (family 6, model 173), 1 core, 2 threads; sse2 avx2 fma avx512f amx_tile amx_bf16; \
             vae-train takes avx512"
        );
    }

    #[test]
    fn a_machine_without_cpuinfo_is_unknown() {
        let machine = Machine::parse("", 4, "portable");
        assert_eq!((machine.cpu.as_str(), machine.cores, machine.threads), ("unknown CPU", 4, 4));
    }
}
