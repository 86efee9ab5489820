//! A checked list of operations: one step of training, of evaluation, of encoding or of decoding.

use super::op::{Buf, Learn, Op, Rows};

/// An operation with the buffers it may touch.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The operation.
    pub op: Op,
    /// What it writes; for an operation that adds to its output, or changes it, also what it reads.
    pub written: Vec<Buf>,
    /// What else it reads.
    pub read: Vec<Buf>,
}

/// A step: `rows`, which treat each image by itself, in order; then `weights`, each by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    rows: Vec<Call>,
    weights: Vec<Learn>,
}

impl Program {
    /// Panics on what would make two views of one memory: an operation that reads what it writes, a table that is both
    /// read, whole, and written, or a parameter learnt twice.
    pub fn new(rows: Vec<Op>, weights: Vec<Learn>) -> Program {
        let rows = rows.into_iter().map(|op| {
            let (written, read) = op.touches();
            for (i, w) in written.iter().enumerate() {
                assert!(!read.contains(w) && !written[..i].contains(w), "{op:?} overlaps itself");
            }
            Call { op, written, read }
        });
        let rows: Vec<Call> = rows.collect();
        let written_tables = rows.iter().filter_map(|call| call.op.table_written());
        for table in written_tables {
            assert!(rows.iter().all(|call| !call.read.contains(&table)), "{table:?} is both read and written");
        }
        let mut learnt: Vec<Buf> = weights.iter().map(|l| l.param().buf).collect();
        learnt.sort();
        assert!(learnt.windows(2).all(|p| p[0] != p[1]), "a parameter is learnt twice");
        Program { rows, weights }
    }
    /// Multiplications and additions of its products, for each image, as if none were zero.
    pub fn flops(&self) -> usize {
        let rows: usize = self.rows.iter().map(|call| call.op.flops()).sum();
        rows + self.weights.iter().map(Learn::flops).sum::<usize>()
    }
    /// The rows that weights learn from, each once: the operands of their gradients.
    pub fn operands(&self) -> Vec<Rows> {
        let mut operands = vec![];
        for learn in &self.weights {
            if let Learn::Weight { x, dy, .. } = *learn {
                for rows in [x, dy] {
                    match operands.iter().find(|known: &&Rows| known.buf == rows.buf) {
                        Some(known) => assert!(*known == rows, "{rows:?} is learnt from in two shapes"),
                        None => operands.push(rows),
                    }
                }
            }
        }
        operands
    }
    /// Whether these rows come from the data as they are, so that most of their values may be zero.
    pub fn gathers(&self, r: Rows) -> bool {
        self.rows.iter().any(|call| match call.op {
            Op::Gather { y, .. } => y == r,
            Op::Concat { y, a, .. } => y == r && self.gathers(a),
            _ => false,
        })
    }
    /// What is done to each image.
    pub fn rows(&self) -> &[Call] {
        &self.rows
    }
    /// What is done to each parameter.
    pub fn weights(&self) -> &[Learn] {
        &self.weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Act, Ink, Plan, Reading};

    #[test]
    #[should_panic(expected = "overlaps itself")]
    fn an_operation_that_reads_what_it_writes_is_refused() {
        let mut plan = Plan::new(4);
        let y = plan.rows(1, 3);
        Program::new(vec![Op::ActBack { dy: y, y, act: Act::Relu }], vec![]);
    }

    #[test]
    #[should_panic(expected = "both read and written")]
    fn a_table_that_is_both_read_and_written_is_refused() {
        let mut plan = Plan::new(4);
        let (recon, kl) = (plan.rows(1, 1), plan.rows(1, 1));
        let terms = plan.elbo(4, recon, Some(kl));
        plan.gather(terms, Reading { unit: 1.0, ink: Ink::Grey, range: [0.0, 1.0] });
        Program::new(plan.take(), vec![]);
    }

    #[test]
    #[should_panic(expected = "learnt twice")]
    fn a_parameter_learnt_twice_is_refused() {
        let mut plan = Plan::new(4);
        let (dy, b) = (plan.rows(1, 3), plan.bias("b", 3, 1));
        Program::new(vec![], vec![Learn::Bias { b, dy }, Learn::Bias { b, dy }]);
    }
}
