//! What came of the trials: a row for each condition, and each kind of fault with an example.

use std::collections::BTreeMap;
use vae_cli::{Error, Result};

/// Trials and faults of one condition.
struct Row {
    condition: String,
    trials: usize,
    faults: usize,
}

/// All rows, in the order in which conditions were first met.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    /// By condition, command line and complaint: how many, and the first.
    faults: BTreeMap<(String, String, String), (usize, String)>,
}

impl Report {
    /// Counts a trial of a command line under a condition. `example`: the command line and what it said.
    pub fn count(&mut self, condition: &str, line: &str, verdict: Result<(), String>, example: impl Fn() -> String) {
        let at = self.rows.iter().position(|row| row.condition == condition).unwrap_or_else(|| {
            self.rows.push(Row { condition: condition.to_owned(), trials: 0, faults: 0 });
            self.rows.len() - 1
        });
        self.rows[at].trials += 1;
        let Err(complaint) = verdict else { return };
        self.rows[at].faults += 1;
        let fault = (condition.to_owned(), line.to_owned(), complaint);
        let known = self.faults.entry(fault.clone()).or_insert_with(|| {
            let (example, (condition, line, complaint)) = (example(), fault);
            println!("!!! {condition}: {line}: {complaint}\n    {}", example.replace('\n', "\n    "));
            (0, example)
        });
        known.0 += 1;
    }

    /// Says that a condition could not be made here.
    pub fn skip(&self, condition: &str, why: &str) {
        println!("SKIPPED {condition}: {why}");
    }

    /// Prints the table, in Markdown.
    pub fn print(&self) {
        for ((condition, line, complaint), (count, _)) in &self.faults {
            println!("!!! {count} x {condition}: {line}: {complaint}");
        }
        println!("\n| condition | trials | faults |\n|---|---|---|");
        for Row { condition, trials, faults } in &self.rows {
            println!("| {condition} | {trials} | {faults} |");
        }
    }

    /// # Errors
    /// The number of faults, if there are any.
    pub fn verdict(&self) -> Result<()> {
        match self.faults() {
            0 => Ok(()),
            faults => Err(Error::Failed(format!("{faults} faults: expected none; each kind stands above, with !!!"))),
        }
    }

    /// How many trials went wrong.
    pub fn faults(&self) -> usize {
        self.rows.iter().map(|row| row.faults).sum()
    }
}
