//! Damage: a flipped bit or a truncation in each input that has a checksum.

use crate::bench::Bench;
use crate::case::Case;
use crate::report::Report;
use crate::verdict::Rules;
use vae_cli::Result;

/// What has a checksum: streams, models and checkpoints.
const SUFFIXES: [&str; 3] = [".vae", ".bin", ".ckpt"];

/// Damages each input of each command line so often.
///
/// # Errors
/// Those of the bench.
pub fn run(bench: &Bench, cases: &[Case], samples: usize, report: &mut Report) -> Result<()> {
    for case in cases {
        let mut inputs: Vec<String> = case.inputs().map(|name| format!("../{name}")).collect();
        inputs.dedup();
        for input in inputs.iter().filter(|name| SUFFIXES.iter().any(|suffix| name.ends_with(suffix))) {
            input_of(bench, case, input, samples, report)?;
        }
        if let Some((name, source)) = case.before.first() {
            input_of(bench, &Case { before: vec![(*name, "damaged")], ..again(case) }, source, samples, report)?;
        }
    }
    Ok(())
}

/// The command line with the damaged file in place of an input.
fn damaged(case: &Case, input: &str) -> Case {
    let replace = |word: &String| if word == input { "../damaged".to_owned() } else { word.clone() };
    let words = case.words.iter().map(replace).collect();
    Case { words, stdin: case.stdin.as_ref().map(replace), ..again(case) }
}

fn again(case: &Case) -> Case {
    Case { before: case.before.clone(), good: case.good.clone(), ..Case::new(&case.line) }
}

/// Flips bits and truncates, at random or, of a small file, everywhere.
fn input_of(bench: &Bench, case: &Case, input: &str, samples: usize, report: &mut Report) -> Result<()> {
    let good = bench.read(input.trim_start_matches("../"))?;
    let case = damaged(case, input);
    for at in some(bench, good.len(), samples) {
        let mut bytes = good.clone();
        let bit = bench.below(8);
        bytes[at] ^= 1 << bit;
        let what = format!("bit {bit} of byte {at} of {input} is flipped");
        refused(bench, &case, &bytes, "a flipped bit", &what, report)?;
    }
    for at in some(bench, good.len(), samples) {
        let what = format!("{input} ends after {at} bytes");
        refused(bench, &case, &good[..at], "a truncation", &what, report)?;
    }
    Ok(())
}

/// At most `most` numbers below `length`.
fn some(bench: &Bench, length: usize, most: usize) -> Vec<usize> {
    if length <= most { (0..length).collect() } else { (0..most).map(|_| bench.below(length)).collect() }
}

fn refused(bench: &Bench, case: &Case, bytes: &[u8], condition: &str, what: &str, report: &mut Report) -> Result<()> {
    bench.write("damaged", bytes)?;
    let got = bench.run(case, &[])?;
    let verdict = Rules { codes: &[65], says: true }.judge(bench, case, &got);
    let example = || format!("{what}\n{}", got.stderr.trim_end());
    report.count(condition, &case.line, verdict, example);
    Ok(())
}
