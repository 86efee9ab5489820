//! `target/bench.json`: the tables of each machine with the numbers of every round, kept from run to run; and the part of
//! docs/BENCHMARKS.md that is written from it.

use crate::machine::Machine;
use crate::table::Table;
use serde::{Deserialize, Serialize};
use std::path::Path;
use vae_cli::{Error, Result};

#[derive(Default, Serialize, Deserialize)]
pub struct Results {
    machines: Vec<OfMachine>,
}

#[derive(Serialize, Deserialize)]
struct OfMachine {
    machine: Machine,
    tables: Vec<Table>,
}

impl Results {
    /// Those of earlier runs, or none.
    pub fn read(path: &Path) -> Results {
        let text = std::fs::read(path).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Adds a table; of an earlier one the rows that were not measured again stay.
    pub fn add(&mut self, machine: &Machine, table: Table) {
        let at = self.machines.iter().position(|known| known.machine == *machine).unwrap_or_else(|| {
            self.machines.push(OfMachine { machine: machine.clone(), tables: vec![] });
            self.machines.len() - 1
        });
        let tables = &mut self.machines[at].tables;
        match tables.iter_mut().find(|known| known.title == table.title) {
            Some(known) => known.merge(table),
            None => tables.push(table),
        }
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).expect("plain data") + "\n";
        std::fs::write(path, text).map_err(|e| Error::io(format!("cannot write {}", path.display()), e))
    }

    /// A document in which the tables of each machine, in this order, are those of these results.
    pub fn document(&self, text: &str, order: &[&str]) -> String {
        self.machines.iter().fold(text.to_owned(), |text, of| {
            let mut tables: Vec<&Table> = of.tables.iter().collect();
            tables.sort_by_key(|table| order.iter().position(|title| table.title == *title));
            let tables: Vec<String> = tables.iter().map(|table| table.markdown(&of.machine)).collect();
            replace(&text, &of.machine, &tables.join("\n"))
        })
    }
}

/// Puts the tables of a machine between its marks, or after all else.
fn replace(text: &str, machine: &Machine, tables: &str) -> String {
    let Machine { cpu, cores, threads, instructions, .. } = machine;
    let name = format!("{cpu}, {cores} cores, {threads} threads, {instructions}");
    let (begin, end) = (format!("<!-- begin: {name} -->\n"), format!("<!-- end: {name} -->\n"));
    let section = format!("{begin}\n## {name}\n\n{tables}\n{end}");
    match text.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1))) {
        Some((before, after)) => format!("{before}{section}{after}"),
        None => format!("{}\n\n{section}", text.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn machine(cpu: &str) -> Machine {
        Machine { cpu: cpu.into(), cores: 2, threads: 2, extensions: vec![], instructions: "avx2".into() }
    }

    fn table(title: &str, row: &str, cell: &str) -> Table {
        let mut table = Table::new(title, "Seconds.", ["fp32"]);
        table.push_all(row, [cell.to_owned()], Value::Null);
        table
    }

    #[test]
    fn a_later_run_replaces_the_tables_of_its_machine_alone() {
        let mut results = Results::default();
        results.add(&machine("Old"), table("Speed", "small", "2.0"));
        let first = results.document("# Benchmarks\n\nHow.\n", &["Speed"]);
        assert!(first.starts_with("# Benchmarks\n\nHow.\n\n<!-- begin: Old,"), "{first}");

        let mut later = Results::default();
        later.add(&machine("New"), table("Speed", "small", "1.0"));
        let both = later.document(&first, &["Speed"]);
        assert!(both.starts_with(&first), "the old machine's table stays: {both}");
        later.add(&machine("New"), table("Speed", "small", "0.5"));
        let again = later.document(&both, &["Speed"]);
        assert_eq!(again, both.replace("| small | 1.0  |", "| small | 0.5  |"));
        assert_eq!(later.document(&again, &["Speed"]), again, "the same numbers give the same document");
    }

    #[test]
    fn tables_stand_in_the_order_of_the_sections() {
        let mut results = Results::default();
        results.add(&machine("A"), table("Pipes", "one", "1"));
        results.add(&machine("A"), table("Speed", "small", "2"));
        let text = results.document("", &["Speed", "Pipes"]);
        assert!(text.find("### Speed") < text.find("### Pipes"), "{text}");
    }

    #[test]
    fn results_are_read_back_and_others_are_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bench.json");
        assert!(Results::read(&path).machines.is_empty());
        let mut results = Results::default();
        results.add(&machine("A"), table("Speed", "small", "2"));
        results.write(&path).expect("written");
        assert_eq!(Results::read(&path).document("", &[]), results.document("", &[]));
        std::fs::write(&path, "{\"training\": {}}").expect("written");
        assert!(Results::read(&path).machines.is_empty(), "the file of an earlier release");
    }
}
