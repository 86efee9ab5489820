//! Tables, as they are printed and as they stand in docs/BENCHMARKS.md: Markdown.

use crate::machine::Machine;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Table {
    pub title: String,
    /// How its figures were made.
    pub about: String,
    /// In order, all that there can be; one without a cell is left out.
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
}

/// One thing that was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    /// Its place among all rows that the table can have.
    pub rank: usize,
    /// By column.
    pub cells: BTreeMap<String, String>,
    /// All rounds.
    pub numbers: Value,
    #[serde(default)]
    pub measured: Measured,
}

/// When, and with what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// `2026-11-28`.
    pub date: String,
    /// Of the programs.
    pub version: String,
    pub rounds: usize,
    /// `JAX 0.10.2`.
    pub peers: Vec<String>,
    /// The command that wrote the images.
    pub images: String,
    /// The most of the CPU that other programs took meanwhile, percent, where it was seen.
    #[serde(default)]
    pub others: Option<f64>,
}

impl Table {
    pub fn new(title: &str, about: impl Into<String>, columns: impl IntoIterator<Item = impl Into<String>>) -> Table {
        let columns = columns.into_iter().map(Into::into).collect();
        Table { title: title.into(), about: about.into(), columns, rows: vec![] }
    }

    /// A row without a cell is left out.
    pub fn push(&mut self, rank: usize, name: &str, cells: impl IntoIterator<Item = (String, String)>, numbers: Value) {
        let cells: BTreeMap<_, _> = cells.into_iter().collect();
        if cells.is_empty() {
            return;
        }
        self.rows.push(Row { name: name.into(), rank, cells, numbers, measured: Measured::default() });
    }

    /// A row with a cell for each column.
    pub fn push_all(&mut self, name: &str, cells: impl IntoIterator<Item = String>, numbers: Value) {
        let cells: Vec<_> = self.columns.iter().cloned().zip(cells).collect();
        self.push(self.rows.len(), name, cells, numbers);
    }

    /// Rows of a newer table take the place of those with the same name.
    pub fn merge(&mut self, newer: Table) {
        let Table { about, columns, rows, .. } = newer;
        (self.about, self.columns) = (about, columns);
        for row in rows {
            self.rows.retain(|old| old.name != row.name);
            self.rows.push(row);
        }
        self.rows.sort_by_key(|row| row.rank);
    }

    pub fn markdown(&self, machine: &Machine) -> String {
        let used = |column: &&String| self.rows.iter().any(|row| row.cells.contains_key(*column));
        let columns: Vec<&String> = self.columns.iter().filter(used).collect();
        let head: Vec<String> = [String::new()].into_iter().chain(columns.iter().map(|c| (*c).clone())).collect();
        let line = |row: &Row| {
            let cells = columns.iter().map(|column| row.cells.get(*column).map_or("–", String::as_str).to_owned());
            // A bar would end the cell.
            [row.name.clone()].into_iter().chain(cells).map(|cell| cell.replace('|', "\\|")).collect()
        };
        let lines: Vec<Vec<String>> = [head].into_iter().chain(self.rows.iter().map(line)).collect();
        let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..=columns.len()).map(width).collect();
        let row = |line: &Vec<String>| {
            let cells: Vec<String> =
                line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
            format!("| {} |", cells.join(" | "))
        };
        let mut text: Vec<String> = lines.iter().map(row).collect();
        text.insert(1, format!("|{}", "---|".repeat(widths.len())));
        let (about, source) = (wrap(&self.about), wrap(&self.source(machine)));
        format!("### {}\n\n{about}\n\n{}\n\n{source}\n", self.title, text.join("\n"))
    }

    /// Machine, days, rounds and peers of the rows.
    fn source(&self, machine: &Machine) -> String {
        let all = |value: fn(&Measured) -> Vec<String>| {
            let mut values: Vec<String> = vec![];
            for value in self.rows.iter().flat_map(|row| value(&row.measured)) {
                if !value.is_empty() && !values.contains(&value) {
                    values.push(value);
                }
            }
            values
        };
        let mut parts = vec![machine.to_string(), all(|m| vec![m.date.clone()]).join(", ")];
        let rounds = all(|m| vec![m.rounds.to_string()]);
        parts.push(format!("rounds: {}", rounds.join(" or ")));
        parts.extend(Some(all(|m| m.peers.clone()).join(", ")).filter(|peers| !peers.is_empty()));
        parts.push(all(|m| vec![m.images.clone()]).join(", "));
        let others = self.rows.iter().filter_map(|row| row.measured.others).reduce(f64::max);
        parts.extend(others.map(|percent| format!("other programs took up to {percent:.0} % of the CPU")));
        format!("*{}.*", parts.join("; "))
    }
}

/// Lines of up to 120 characters.
fn wrap(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("one at least");
        match line.is_empty() {
            true => line.push_str(word),
            false if line.chars().count() + 1 + word.chars().count() <= 120 => line.extend([" ", word]),
            false => lines.push(word.into()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        let extensions = vec!["avx2".into()];
        Machine { cpu: "A CPU".into(), cores: 2, threads: 4, extensions, instructions: "avx2".into() }
    }

    fn table(rows: &[(usize, &str, &str)], rounds: usize) -> Table {
        let mut table = Table::new("Speed", "Seconds.", ["fp32", "bf16"]);
        for (rank, name, cell) in rows {
            table.push(*rank, name, [("fp32".to_owned(), (*cell).to_owned())], Value::Null);
            let measured =
                Measured { date: "2026-11-28".into(), rounds, images: "mnist-dump".into(), ..Measured::default() };
            table.rows.last_mut().expect("a row").measured = measured;
        }
        table
    }

    #[test]
    fn a_table_names_its_machine_and_leaves_out_empty_columns() {
        assert_eq!(
            table(&[(0, "small", "1.0"), (1, "large", "–")], 3).markdown(&machine()),
            "### Speed\n\nSeconds.\n\n|       | fp32 |\n|---|---|\n| small | 1.0  |\n| large | –    |\n\n\
             *A CPU, 2 cores, 4 threads; avx2; vae-train takes avx2; 2026-11-28; rounds: 3; mnist-dump.*\n"
        );
    }

    #[test]
    fn a_busy_machine_is_told() {
        let mut table = table(&[(0, "small", "1.0"), (1, "large", "2.0")], 3);
        table.rows[1].measured.others = Some(47.9);
        let text = table.markdown(&machine()).replace('\n', " ");
        assert!(text.contains("other programs took up to 48 % of the CPU"), "{text}");
    }

    #[test]
    fn a_pipe_in_a_cell_does_not_end_it() {
        let text = table(&[(0, "a | b", "1.0")], 3).markdown(&machine());
        assert!(text.contains("| a \\| b | 1.0  |"), "{text}");
    }

    #[test]
    fn text_is_wrapped_between_words() {
        let text = "word ".repeat(30);
        let lines: Vec<_> = wrap(&text).lines().map(str::len).collect();
        assert_eq!(lines, [119, 29]);
    }

    #[test]
    fn a_newer_row_replaces_its_like_and_keeps_the_order() {
        let mut all = table(&[(0, "small", "1.0"), (2, "large", "9.0")], 5);
        all.merge(table(&[(1, "middle", "4.0"), (0, "small", "0.5")], 3));
        let rows: Vec<_> = all.rows.iter().map(|row| (&row.name[..], &row.cells["fp32"][..])).collect();
        assert_eq!(rows, [("small", "0.5"), ("middle", "4.0"), ("large", "9.0")]);
        assert!(all.markdown(&machine()).contains("rounds: 3 or 5;"));
    }
}
