//! The training step of a model: its operations forwards, their derivatives backwards, one [`Learn`] for each parameter.

use super::{Act, Buf, Learn, Op, Plan, Program, Rows};

/// The gradient buffer of each buffer that has one.
struct Gradients<'a> {
    plan: &'a mut Plan,
    of: Vec<(Buf, Rows)>,
}

impl Gradients<'_> {
    /// The gradient of y, cut into the rows that y is cut into, whoever made it.
    fn known(&self, y: Rows) -> Option<Rows> {
        let (_, d) = self.of.iter().find(|(b, _)| *b == y.buf)?;
        Some(Rows { per: y.per, width: y.width, ..*d })
    }
    /// The gradient of what a later operation has used. Panics where none has: the model computes it in vain.
    fn of(&self, y: Rows) -> Rows {
        self.known(y).unwrap_or_else(|| panic!("nothing that is learnt uses {y:?}"))
    }
    /// The gradient buffer of x, and whether something has written it already.
    fn toward(&mut self, x: Rows) -> (Rows, bool) {
        if let Some(d) = self.known(x) {
            return (d, true);
        }
        let d = self.plan.like(x);
        self.of.push((x.buf, d));
        (d, false)
    }
}

/// Derives the training program of a list of forward operations that ends in the objective.
pub fn training(plan: &mut Plan, forward: &[Op]) -> Program {
    use Op::*;
    let mut rows = forward.to_vec();
    let mut weights = vec![];
    // What is gathered from the data needs no gradient.
    let data: Vec<Buf> =
        forward.iter().filter_map(|op| if let Gather { y, .. } = op { Some(y.buf) } else { None }).collect();
    let mut g = Gradients { plan, of: vec![] };
    for op in forward.iter().rev() {
        match *op {
            Elbo { wr, wk, recon, kl, .. } => g.of.extend([(recon.buf, wr), (kl.buf, wk)]),
            Bernoulli { loss, logits, .. } => {
                let weight = g.of(loss);
                assert!(g.known(logits).is_none(), "one likelihood judges the logits");
                g.of.push((logits.buf, logits));
                rows.push(Weigh { d: logits, weight });
            }
            Kl { kl, q } => {
                let dkl = g.of(kl);
                let (dq, add) = g.toward(q);
                rows.push(KlBack { dq, dkl, q, add });
            }
            Sample { z, eps, q } => {
                let dz = g.of(z);
                let (dq, add) = g.toward(q);
                rows.push(SampleBack { dq, dz, eps, q, add });
            }
            Linear { y, x, w, b, act } => {
                let dy = g.of(y);
                if act != Act::Id {
                    rows.push(ActBack { dy, y, act });
                }
                weights.push(Learn::Weight { w, x, dy });
                weights.push(Learn::Bias { b, dy });
                if !data.contains(&x.buf) {
                    let (dx, add) = g.toward(x);
                    rows.push(LinearBack { dx, dy, w, add });
                }
            }
            Gather { .. } => {}
            Sigmoid { .. } | ActBack { .. } | LinearBack { .. } | SampleBack { .. } | KlBack { .. } | Weigh { .. } => {
                unreachable!("{op:?} is no part of an objective")
            }
        }
    }
    Program::new(rows, weights)
}
