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
    let data = data(forward);
    let mut g = Gradients { plan, of: vec![] };
    for op in forward.iter().rev() {
        match *op {
            Elbo { wr, recon, kl, .. } => {
                g.of.push((recon.buf, wr));
                g.of.extend(kl.map(|k| (k.kl.buf, k.wk)));
            }
            Bernoulli { loss, v, .. } | Gaussian { loss, v, .. } | GaussianLearned { loss, v, .. } => {
                let weight = g.of(loss);
                assert!(g.known(v).is_none(), "one likelihood judges what a decoder puts out");
                g.of.push((v.buf, v));
                rows.push(Weigh { d: v, weight });
            }
            Kl { kl, q, p } => {
                let dkl = g.of(kl);
                let (dq, add) = g.toward(q);
                rows.push(KlBack { dq, dkl, q, p, add });
                if let Some(p) = p {
                    let (dp, add) = g.toward(p);
                    rows.push(KlPriorBack { dp, dkl, q, p, add });
                }
            }
            Sample { z, eps, q } => {
                let dz = g.of(z);
                let (dq, add) = g.toward(q);
                rows.push(SampleBack { dq, dz, eps, q, add });
            }
            Concat { y, a, .. } if !data.contains(&y.buf) => {
                // What is beside a comes from the data.
                let dy = g.of(y);
                let (da, add) = g.toward(a);
                rows.push(First { y: da, x: dy, add });
            }
            Linear { y, x, w, b, act } => {
                let dy = g.of(y);
                if act != Act::Id {
                    rows.push(ActBack { dy, y, act });
                }
                weights.push(Learn::Weight { w, x, dy });
                weights.extend(b.map(|b| Learn::Bias { b, dy }));
                if !data.contains(&x.buf) {
                    let (dx, add) = g.toward(x);
                    rows.push(LinearBack { dx, dy, w, add });
                }
            }
            Im2col { y, x, window } if !data.contains(&x.buf) => {
                let dy = g.of(y);
                let (dx, add) = g.toward(x);
                rows.push(Col2im { y: dx, x: dy, b: None, act: Act::Id, window, add });
            }
            Col2im { y, x, b, act, window, .. } => {
                let dy = g.of(y);
                if act != Act::Id {
                    rows.push(ActBack { dy, y, act });
                }
                weights.extend(b.map(|b| Learn::Bias { b, dy }));
                let (dx, add) = g.toward(x);
                assert!(!add, "one layer lays these rows under its windows");
                rows.push(Im2col { y: dx, x: dy, window });
            }
            Gather { .. } | OneHot { .. } | Concat { .. } | Im2col { .. } => {}
            _ => unreachable!("{op:?} is no part of an objective"),
        }
    }
    Program::new(rows, weights)
}

/// The buffers that follow from the data alone, which need no gradient.
fn data(forward: &[Op]) -> Vec<Buf> {
    let mut data = vec![];
    for op in forward {
        match op {
            Op::Gather { y, .. } | Op::OneHot { y, .. } => data.push(y.buf),
            Op::Concat { y, a, .. } if data.contains(&a.buf) => data.push(y.buf),
            Op::Im2col { y, x, .. } if data.contains(&x.buf) => data.push(y.buf),
            _ => {}
        }
    }
    data
}
