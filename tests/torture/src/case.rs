//! The command lines that are tried, and what they write undisturbed.

use crate::bench::{Bench, Files};
use vae_cli::{Error, Result};

/// All command lines. `<` names standard input; a checkpoint `ckpt` is put in place first where one is resumed.
const LINES: [&str; 28] = [
    "mnist-dump --synthetic=40 --batch 4 -o out",
    "mnist-dump --data ../images-idx3-ubyte --labels ../labels-idx1-ubyte --batch 4 -o out",
    "vae-train --hidden 8 --latent 2 --epochs 3 --threads 2 ../images.vae -o out",
    "vae-train --hidden 8 --latent 2 --epochs 3 --preview 2 --checkpoint ckpt --resume -o out < ../images.vae",
    "vae-train --preset pca-20 --latent 2 ../images.vae -o out",
    "vae-encode -m ../model.bin ../images.vae -o out",
    "vae-encode -m ../model.bin < ../images.vae",
    "vae-decode ../latents.vae -o out",
    "vae-decode ../embedded.vae --npy x_hat -o out",
    "vae-decode -m ../model.bin --jsonl < ../latents.vae",
    "vae-sample -m ../model.bin -n 6 -o out",
    "vae-eval -m ../model.bin -k 5 ../images.vae -o out",
    "vae-model info ../model.bin -o out",
    "vae-model verify ../model.bin",
    "vae-model export ../model.bin -o out",
    "vae-model import ../state.safetensors -o out",
    "vae-model page -m ../digits.bin -o out",
    "vae-plot loss ../losses.jsonl -o out.png",
    "vae-plot latent ../latents.vae -o out.svg",
    "vae-cat ../images.vae ../images.vae -o out",
    "vae-cat --npy x ../images.vae -o out",
    "vae-cat --jsonl < ../images.vae",
    "vae-cat --check ../images.vae",
    "vae-cat x=../images.npy -o out",
    "grid-png ../images.vae -o out",
    "grid-png < ../images.vae",
    "grid-png -o {group}-{epoch}.png < ../run.vae",
    "vae-watch --port 0 ../run.vae -o out",
];

/// A command line.
pub struct Case {
    pub line: String,
    pub words: Vec<String>,
    /// The file at standard input.
    pub stdin: Option<String>,
    /// The files of -o.
    pub outputs: Vec<String>,
    /// Files in the working folder, and the inputs that they are copies of.
    pub before: Vec<(&'static str, &'static str)>,
    pub good: Good,
}

/// What an undisturbed run writes.
#[derive(Clone, Default)]
pub struct Good {
    pub files: Files,
    pub stdout: Vec<u8>,
    /// Two runs write the same bytes to standard output: there are no seconds in it.
    pub repeats: bool,
    /// Lines on standard error.
    pub lines: usize,
}

impl Case {
    /// A command line without what it writes.
    pub fn new(line: &str) -> Case {
        let (command, stdin) = line.split_once(" < ").map_or((line, None), |(command, file)| (command, Some(file)));
        let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        let named = words.iter().position(|word| word == "-o").map(|at| words[at + 1].clone());
        let outputs = named.filter(|name| !name.contains('{')).into_iter().collect();
        let before = if line.contains("--checkpoint ckpt") { vec![("ckpt", "model.ckpt")] } else { vec![] };
        let (line, stdin) = (line.to_owned(), stdin.map(str::to_owned));
        Case { line, words, stdin, outputs, before, good: Good::default() }
    }

    /// A command line, run twice undisturbed.
    ///
    /// # Errors
    /// [`Error::Failed`] where a run fails, or where two write different files.
    pub fn measured(bench: &Bench, line: &str) -> Result<Case> {
        let mut case = Case::new(line);
        let [first, second] = [bench.run(&case, &[])?, bench.run(&case, &[])?];
        if (first.code, second.code) != (0, 0) || first.files != second.files {
            let said = first.stderr.trim();
            return Err(Error::Failed(format!("{line}: expected success and the same files twice; {said}")));
        }
        let repeats = first.stdout == second.stdout;
        case.good = Good { files: first.files, stdout: first.stdout, repeats, lines: first.stderr.lines().count() };
        Ok(case)
    }

    /// The name of the program.
    pub fn tool(&self) -> &str {
        &self.words[0]
    }

    /// Whether it writes to a file.
    pub fn writes_files(&self) -> bool {
        self.words.iter().any(|word| word == "-o")
    }

    /// The inputs that it reads, by name: the file at standard input, and the operands.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        let words = self.stdin.iter().chain(&self.words);
        words.filter_map(|word| word.rsplit_once("../").map(|(_, name)| name))
    }
}

/// All command lines that begin like this.
///
/// # Errors
/// As [`Case::measured`].
pub fn all(bench: &Bench, beginning: &str) -> Result<Vec<Case>> {
    let lines = LINES.iter().filter(|line| line.starts_with(beginning));
    lines.map(|line| Case::measured(bench, line)).collect()
}
