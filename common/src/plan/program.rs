//! A checked list of operations: one step of training, of evaluation, of encoding or of decoding.

use super::{Activations, Buf, ConvGeometry, Gradient, Op, Param, Update};

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

/// The side of an operand in a weight gradient, x^T dy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// x.
    Left,
    /// dy.
    Right,
}

/// A step in two phases. First the operations, in order, on each image by itself; then the gradient of each parameter, a sum
/// over images, and its update.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    ops: Vec<CheckedOp>,
    gradients: Vec<Gradient>,
    updates: Vec<Update>,
}

impl Program {
    /// A program of the first phase alone: encoding, decoding, evaluation.
    ///
    /// # Panics
    /// As [`new`](Program::new).
    pub fn forward(ops: Vec<Op>) -> Program {
        Program::new(ops, vec![], vec![])
    }
    /// A step of training. A gradient is fused with its update: backends keep none in memory, so that each has one.
    ///
    /// # Panics
    /// On operands whose shapes do not agree, and on what would make two views of one memory: an operation that reads what
    /// it writes, a table that is both read, whole, and written, a parameter updated twice.
    pub fn new(ops: Vec<Op>, gradients: Vec<Gradient>, updates: Vec<Update>) -> Program {
        let ops = ops.into_iter().map(|op| {
            assert!(op.shapes_agree(), "shapes do not agree: {op:?}");
            let (written, read) = op.accesses();
            for (i, w) in written.iter().enumerate() {
                assert!(!read.contains(w) && !written[..i].contains(w), "{op:?} overlaps itself");
            }
            CheckedOp { op, written, read }
        });
        let ops: Vec<CheckedOp> = ops.collect();
        for table in ops.iter().filter_map(|op| op.op.table_written()) {
            assert!(ops.iter().all(|op| !op.read.contains(&table)), "{table:?} is both read and written");
        }
        for gradient in &gradients {
            assert!(gradient.shapes_agree(), "shapes do not agree: {gradient:?}");
        }
        let params = |params: &mut dyn Iterator<Item = Param>| {
            let mut bufs: Vec<Buf> = params.map(|param| param.buf).collect();
            bufs.sort();
            bufs
        };
        let updated = params(&mut updates.iter().map(Update::param));
        assert!(updated.windows(2).all(|pair| pair[0] != pair[1]), "a parameter is updated twice");
        let with_gradient = params(&mut gradients.iter().map(Gradient::param));
        assert_eq!(updated, with_gradient, "each gradient has one update");
        Program { ops, gradients, updates }
    }
    /// Floating-point operations of its products, for each image, as if no input were zero.
    pub fn flops(&self) -> usize {
        let ops: usize = self.ops.iter().map(|op| op.op.flops()).sum();
        ops + self.gradients.iter().map(Gradient::flops).sum::<usize>()
    }
    /// The activations that weight gradients are products of, each once, with their side.
    pub fn operands(&self) -> Vec<(Activations, Side)> {
        let mut operands = vec![];
        for gradient in &self.gradients {
            if let Gradient::Weight { x, dy, .. } = *gradient {
                for operand in [(x, Side::Left), (dy, Side::Right)] {
                    match operands.iter().find(|known: &&(Activations, Side)| known.0.buf == operand.0.buf) {
                        Some(known) => {
                            assert!(*known == operand, "{operand:?} is an operand of gradients in two shapes")
                        }
                        None => operands.push(operand),
                    }
                }
            }
        }
        operands
    }
    /// Whether r is raw input, possibly with labels concatenated, and so likely sparse.
    pub fn is_input(&self, r: Activations) -> bool {
        self.ops.iter().any(|op| match op.op {
            Op::Gather { y, .. } => y == r,
            Op::Concat { y, a, .. } => y == r && self.is_input(a),
            _ => false,
        })
    }
    /// The convolution of which these rows are the patches, if they are.
    pub fn patches(&self, rows: Activations) -> Option<ConvGeometry> {
        self.ops.iter().find_map(|op| match op.op {
            Op::Im2col { y, conv, .. } if y.buf == rows.buf => Some(conv),
            _ => None,
        })
    }
    /// The first phase: operations on each image by itself.
    pub fn ops(&self) -> &[CheckedOp] {
        &self.ops
    }
    /// The second phase: the gradient of each parameter.
    pub fn gradients(&self) -> &[Gradient] {
        &self.gradients
    }
    /// The update of each parameter that has a gradient.
    pub fn updates(&self) -> &[Update] {
        &self.updates
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Binarize, Likelihood, Objective};
    use crate::plan::{Activation, PixelTransform, Plan};

    #[test]
    #[should_panic(expected = "overlaps itself")]
    fn an_operation_that_reads_what_it_writes_is_refused() {
        let mut plan = Plan::new(4);
        let y = plan.rows(1, 3);
        Program::forward(vec![Op::ActivationBack { dy: y, y, act: Activation::Relu }]);
    }

    #[test]
    #[should_panic(expected = "both read and written")]
    fn a_table_that_is_both_read_and_written_is_refused() {
        let mut plan = Plan::new(4);
        let (recon, kl) = (plan.rows(1, 1), plan.rows(1, 1));
        let losses = plan.weighted_sum(4, Objective::new(Likelihood::Bernoulli).terms(), &[Some(recon), Some(kl)]);
        plan.gather(losses, PixelTransform { white: 1.0, binarize: Binarize::None, range: [0.0, 1.0] });
        Program::forward(plan.take());
    }

    #[test]
    #[should_panic(expected = "updated twice")]
    fn a_parameter_updated_twice_is_refused() {
        let mut plan = Plan::new(4);
        let (dy, b) = (plan.rows(1, 3), plan.bias("b", 3, 1));
        Program::new(vec![], vec![Gradient::Bias { b, dy }; 2], vec![Update::Adam(b); 2]);
    }

    #[test]
    #[should_panic(expected = "each gradient has one update")]
    fn a_gradient_without_an_update_is_refused() {
        let mut plan = Plan::new(4);
        let (dy, b) = (plan.rows(1, 3), plan.bias("b", 3, 1));
        Program::new(vec![], vec![Gradient::Bias { b, dy }], vec![]);
    }

    #[test]
    #[should_panic(expected = "shapes do not agree")]
    fn operands_of_other_shapes_are_refused() {
        let mut plan = Plan::new(4);
        let (y, x) = (plan.rows(1, 3), plan.rows(1, 4));
        Program::forward(vec![Op::ActivationBack { dy: y, y: x, act: Activation::Relu }]);
    }
}
