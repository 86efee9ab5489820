//! A checked list of operations: one step of training, of evaluation, of encoding or of decoding.

use super::op::{Activations, Buf, Gradient, Op};

/// An operation with the buffers that it may access.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedOp {
    /// The operation.
    pub op: Op,
    /// Outputs; for an operation that accumulates or works in place also inputs.
    pub written: Vec<Buf>,
    /// Inputs.
    pub read: Vec<Buf>,
}

/// A step in two phases: the operations, in order, on each image by itself; then the gradient of each parameter, a sum over
/// images, with the optimizer's update fused to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    ops: Vec<CheckedOp>,
    gradients: Vec<Gradient>,
}

impl Program {
    /// Panics on what would make two views of one memory: an operation that reads what it writes, a table that is both
    /// read, whole, and written, or a parameter updated twice.
    pub fn new(ops: Vec<Op>, gradients: Vec<Gradient>) -> Program {
        let ops = ops.into_iter().map(|op| {
            let (written, read) = op.touches();
            for (i, w) in written.iter().enumerate() {
                assert!(!read.contains(w) && !written[..i].contains(w), "{op:?} overlaps itself");
            }
            CheckedOp { op, written, read }
        });
        let ops: Vec<CheckedOp> = ops.collect();
        let written_tables = ops.iter().filter_map(|call| call.op.table_written());
        for table in written_tables {
            assert!(ops.iter().all(|call| !call.read.contains(&table)), "{table:?} is both read and written");
        }
        let mut updated: Vec<Buf> = gradients.iter().map(|l| l.param().buf).collect();
        updated.sort();
        assert!(updated.windows(2).all(|p| p[0] != p[1]), "a parameter is updated twice");
        Program { ops, gradients }
    }
    /// Multiplications and additions of its products, for each image, as if none were zero.
    pub fn flops(&self) -> usize {
        let ops: usize = self.ops.iter().map(|call| call.op.flops()).sum();
        ops + self.gradients.iter().map(Gradient::flops).sum::<usize>()
    }
    /// The activations that weight gradients are products of, each once.
    pub fn operands(&self) -> Vec<Activations> {
        let mut operands = vec![];
        for gradient in &self.gradients {
            if let Gradient::Weight { x, dy, .. } = *gradient {
                for rows in [x, dy] {
                    match operands.iter().find(|known: &&Activations| known.buf == rows.buf) {
                        Some(known) => assert!(*known == rows, "{rows:?} is an operand in two shapes"),
                        None => operands.push(rows),
                    }
                }
            }
        }
        operands
    }
    /// Whether r is raw input, possibly with labels concatenated, and so likely sparse.
    pub fn is_input(&self, r: Activations) -> bool {
        self.ops.iter().any(|call| match call.op {
            Op::Gather { y, .. } => y == r,
            Op::Concat { y, a, .. } => y == r && self.is_input(a),
            _ => false,
        })
    }
    /// The first phase: operations on each image by itself.
    pub fn ops(&self) -> &[CheckedOp] {
        &self.ops
    }
    /// The second phase: gradients, each with its update.
    pub fn gradients(&self) -> &[Gradient] {
        &self.gradients
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Binarize;
    use crate::plan::{Activation, PixelTransform, Plan};

    #[test]
    #[should_panic(expected = "overlaps itself")]
    fn an_operation_that_reads_what_it_writes_is_refused() {
        let mut plan = Plan::new(4);
        let y = plan.rows(1, 3);
        Program::new(vec![Op::ActivationBack { dy: y, y, act: Activation::Relu }], vec![]);
    }

    #[test]
    #[should_panic(expected = "both read and written")]
    fn a_table_that_is_both_read_and_written_is_refused() {
        let mut plan = Plan::new(4);
        let (recon, kl) = (plan.rows(1, 1), plan.rows(1, 1));
        let terms = plan.elbo(4, recon, Some(kl));
        plan.gather(terms, PixelTransform { white: 1.0, binarize: Binarize::None, range: [0.0, 1.0] });
        Program::new(plan.take(), vec![]);
    }

    #[test]
    #[should_panic(expected = "updated twice")]
    fn a_parameter_learnt_twice_is_refused() {
        let mut plan = Plan::new(4);
        let (dy, b) = (plan.rows(1, 3), plan.bias("b", 3, 1));
        Program::new(vec![], vec![Gradient::Bias { b, dy }, Gradient::Bias { b, dy }]);
    }
}
