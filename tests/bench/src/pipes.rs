//! Whole pipes as they are typed, and how long a program takes to start and end.

use crate::setup::Setup;
use crate::table::Table;
use crate::throughput;
use vae_cli::Result;

pub const TITLE: &str = "Pipes";
const ABOUT: &str = "Milliseconds from start to end. They are short: each counted round is four.";

pub fn measure(setup: &Setup) -> Result<Vec<Table>> {
    let rounds = 4 * setup.rounds; // they are short
    let mut table = Table::new(TITLE, ABOUT, ["ms"]);
    setup.sh("vae-cat --take 1 test.vae -o one.vae && vae-encode -m model.bin one.vae -o z.vae")?;
    let typed = format!("{} | vae-encode -m model.bin | vae-decode | grid-png > out.png", setup.dump);
    let whole = [
        ("mnist-dump | vae-encode | vae-decode | grid-png", &typed[..]),
        (
            "10,000 images: vae-encode | vae-decode | vae-cat --check",
            "vae-encode -m model.bin test.vae | vae-decode | vae-cat --check",
        ),
    ];
    let starts = [
        ("one image: vae-cat", "exec vae-cat one.vae"),
        ("one image: vae-encode", "exec vae-encode -m model.bin one.vae"),
        ("one image: vae-decode", "exec vae-decode z.vae"),
        ("one image: vae-sample", "exec vae-sample -m model.bin -n 1"),
        ("one image: grid-png", "exec grid-png one.vae"),
        ("one image: mnist-dump", "exec mnist-dump --synthetic=1"),
        ("an empty program, for comparison", "exec true"),
    ];
    let digits = [("70,000 synthetic digits", "mnist-dump --synthetic --split all")];
    for group in [&whole[..], &starts, &digits] {
        let (names, lines): (Vec<&str>, Vec<&str>) = group.iter().copied().unzip();
        for (name, times) in names.iter().zip(setup.times(rounds, &lines)?) {
            let times = times.map(|seconds| seconds * 1e3);
            table.push_all(name, [format!("{times:.1}")], times.json());
        }
    }
    Ok(vec![table, throughput::measure(setup)?])
}
