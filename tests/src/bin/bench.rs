//! `make bench`: speed, memory and size of the programs, measured on this machine as a user meets them.
//!
//! Training is timed in turn with PyTorch, where `$PYTHON` (python3) has it: five rounds each, medians and ranges, since
//! the speed of a machine drifts. Uses MNIST if mnist-dump finds it, and else the synthetic digits.

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 5;

fn main() {
    let tools = std::env::current_exe().expect("a path").parent().expect("a folder").to_path_buf();
    // Called by itself to measure the memory of one program: the peak over all its children is then that of one.
    if let [flag, command] = &std::env::args().skip(1).collect::<Vec<_>>()[..]
        && flag == "--peak"
    {
        let status = Command::new("sh").args(["-c", &format!("exec {command}")]).status().expect("sh runs");
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage of children");
        eprintln!("{}", usage.max_rss());
        std::process::exit(status.code().unwrap_or(1));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bench = Bench::new(&tools, folder.path());
    bench.training();
    bench.pipes();
    bench.digits();
    bench.memory();
    bench.sizes(&tools);
}

struct Bench {
    folder: PathBuf,
    path: String,
    /// The command that writes images.
    dump: &'static str,
    repo: PathBuf,
}

impl Bench {
    fn new(tools: &Path, folder: &Path) -> Bench {
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
        let repo = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf();
        let mut bench = Bench { folder: folder.to_path_buf(), path, dump: "mnist-dump", repo };
        if !bench.command("mnist-dump -n 1").stderr(Stdio::null()).status().expect("sh runs").success() {
            bench.dump = "mnist-dump --synthetic";
        }
        println!("{} · {} cores · {}", cpu(), std::thread::available_parallelism().map_or(1, usize::from), bench.dump);
        let dump = bench.dump;
        bench.sh(&format!("{dump} -o train.vae && {dump} --split test -o test.vae"));
        bench.sh("vae-cat train.vae --npy x > train.npy && vae-cat test.vae --npy x > test.npy");
        bench.sh(&format!("cp {}/examples/mlp-400-20.bin model.bin", bench.repo.display()));
        bench
    }
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(&self.folder).env("PATH", &self.path).stdout(Stdio::null());
        command
    }
    /// Runs a line of shell and gives what it wrote.
    fn sh(&self, line: &str) -> String {
        let output = self.command(line).stdout(Stdio::piped()).stderr(Stdio::inherit()).output().expect("sh runs");
        assert!(output.status.success(), "{line}: {}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
    /// Milliseconds of a line of shell, start to end.
    fn time(&self, line: &str) -> f64 {
        let begun = Instant::now();
        self.sh(line);
        begun.elapsed().as_secs_f64() * 1e3
    }
    fn times(&self, rounds: usize, line: &str) -> Times {
        self.sh(line); // into the page cache
        Times::new((0..rounds).map(|_| self.time(line)).collect())
    }

    /// Seconds per epoch of the classic nets, in turn with PyTorch.
    fn training(&self) {
        let python = std::env::var("PYTHON").unwrap_or("python3".into());
        let torch = self
            .command(&format!("{python} -c 'import torch'"))
            .stderr(Stdio::null())
            .status()
            .expect("sh runs")
            .success();
        if !torch {
            println!(
                "PyTorch is not installed for {python}: pip install torch numpy, or set PYTHON; training is timed alone"
            );
        }
        println!("\ntraining, seconds per epoch of 60,000 images, N = 128, median of {ROUNDS} (range)");
        for (hidden, latent) in [("400", 20), ("512,256", 2)] {
            // Both compute with as many threads: where a core has two, PyTorch alone would take one of each.
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let net =
                format!("--hidden {hidden} --latent {latent} --lr 1e-3 --batch 128 --epochs 2 --threads {threads}");
            // The second epoch is timed: the first warms the caches.
            let ours = format!("vae-train train.vae --test test.vae -o bench.bin {net}");
            let theirs = format!("{python} {}/tests/peers/torch_vae.py train.npy test.npy {net}", self.repo.display());
            let (mut a, mut b, mut losses) = (vec![], vec![], [0.0; 2]);
            for _ in 0..ROUNDS {
                let (seconds, loss) = last_epoch(&self.sh(&ours));
                a.push(seconds);
                losses[0] = loss;
                if torch {
                    let (seconds, loss) = last_epoch(&self.sh(&theirs));
                    b.push(seconds);
                    losses[1] = loss;
                }
            }
            let ratios = Times::new(a.iter().zip(&b).map(|(a, b)| b / a).collect());
            print!("  784-{hidden}-{latent}: vae-train {:.2}", Times::new(a));
            match torch {
                true => println!(
                    "  PyTorch {:.2}  ratio {ratios:.2}  test loss {:.1}, {:.1}",
                    Times::new(b),
                    losses[0],
                    losses[1]
                ),
                false => println!("  test loss {:.1}", losses[0]),
            }
        }
    }

    fn pipes(&self) {
        println!("\npipes, ms, median of 20 (range)");
        let (dump, show) = (self.dump, |name: &str, times: Times| println!("  {name}: {times:.1}"));
        show(
            "mnist-dump | vae-encode | vae-decode | grid-png",
            self.times(20, &format!("{dump} | vae-encode -m model.bin | vae-decode | grid-png > out.png")),
        );
        let all = "vae-encode -m model.bin test.vae | vae-decode | vae-cat --check";
        show("10,000 images, encode | decode | vae-cat --check", self.times(20, all));
        self.sh("vae-cat --take 1 test.vae -o one.vae && vae-encode -m model.bin one.vae -o z.vae");
        for filter in ["vae-cat one.vae", "vae-encode -m model.bin one.vae", "vae-decode z.vae", "grid-png one.vae"] {
            show(&format!("one image: {filter}"), self.times(20, &format!("exec {filter}")));
        }
        show("an empty program, for comparison", self.times(20, "exec true"));
        show("70,000 synthetic digits", self.times(5, "mnist-dump --synthetic --split all"));
    }

    /// How much the built-in digits have in common with real ones.
    fn digits(&self) {
        self.sh("mnist-dump --synthetic=10000 -o digits.vae");
        print!(
            "\n1-nearest-neighbour on 10,000 synthetic digits, over test.vae: {}",
            self.sh("nearest digits.vae test.vae")
        );
    }

    /// Peak memory of each filter over a short and a long stream.
    fn memory(&self) {
        println!("\npeak memory, MiB, over 10,000 and over 300,000 images");
        self.sh("for i in $(seq 30); do cat test.vae; done > long.vae");
        self.sh("vae-encode -m model.bin test.vae -o latents.vae && for i in $(seq 30); do cat latents.vae; done > long-latents.vae");
        for (filter, short, long) in [
            ("vae-cat", "test.vae", "long.vae"),
            ("vae-encode -m model.bin", "test.vae", "long.vae"),
            ("vae-decode", "latents.vae", "long-latents.vae"),
            ("grid-png -o grid.png", "test.vae", "long.vae"),
            ("vae-sample -m model.bin -n", "10000", "300000"),
        ] {
            println!(
                "  {filter}: {:.1} {:.1}",
                self.peak(&format!("{filter} {short}")),
                self.peak(&format!("{filter} {long}"))
            );
        }
        println!("  {}: {:.1}", self.dump, self.peak(self.dump));
    }
    fn peak(&self, line: &str) -> f64 {
        let itself = std::env::current_exe().expect("a path");
        let mut command = Command::new(itself);
        command.args(["--peak", line]).current_dir(&self.folder).env("PATH", &self.path);
        let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().expect("it runs itself");
        let text = String::from_utf8_lossy(&output.stderr);
        text.trim().parse::<f64>().unwrap_or_else(|_| panic!("{line}: {text}")) / 1024.0
    }

    fn sizes(&self, tools: &Path) {
        println!("\nprograms, MB");
        for tool in ["mnist-dump", "vae-train", "vae-encode", "vae-decode", "vae-sample", "vae-cat", "grid-png"] {
            let bytes = std::fs::metadata(tools.join(tool)).expect("`make bench` builds every program").len();
            println!("  {tool}: {:.1}", bytes as f64 / 1e6);
        }
    }
}

/// (seconds, test loss) of the last epoch in newline JSON.
fn last_epoch(lines: &str) -> (f64, f64) {
    let mut epochs =
        lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(|r| r["kind"] == "epoch");
    let last = epochs.next_back().expect("an epoch");
    let loss = last["test"]["loss"].as_f64().or(last["test"].as_f64());
    (last["seconds"].as_f64().expect("seconds"), loss.expect("a test loss"))
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown CPU");
    model.trim_start_matches([' ', '\t', ':']).to_string()
}

/// Several measurements of one thing.
struct Times(Vec<f64>);

impl Times {
    fn new(mut times: Vec<f64>) -> Times {
        times.sort_by(f64::total_cmp);
        Times(times)
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let (Some(least), Some(most)) = (self.0.first(), self.0.last()) else { return f.write_str("-") };
        let digits = f.precision().unwrap_or(1);
        write!(f, "{:.digits$} ({least:.digits$} to {most:.digits$})", self.0[self.0.len() / 2])
    }
}
