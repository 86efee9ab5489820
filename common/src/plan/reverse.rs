//! Reverse-mode differentiation: forward operations to a training step.

use super::{Activation, Activations, Buf, ConvGeometry, Gradient, Op, Plan, Program, Update};

/// The gradient buffer of each buffer that has one.
struct GradientBuffers<'a> {
    plan: &'a mut Plan,
    of: Vec<(Buf, Activations)>,
}

impl GradientBuffers<'_> {
    /// The gradient of y in the shape of y, if it exists.
    fn existing(&self, y: Activations) -> Option<Activations> {
        let (_, d) = self.of.iter().find(|(b, _)| *b == y.buf)?;
        Some(Activations { per_image: y.per_image, width: y.width, ..*d })
    }
    /// The gradient of y. Panics if no later operation uses y.
    fn get(&self, y: Activations) -> Activations {
        self.existing(y).unwrap_or_else(|| panic!("no loss depends on {y:?}"))
    }
    /// The gradient buffer of x, and whether to accumulate into it.
    fn get_or_create(&mut self, x: Activations) -> (Activations, bool) {
        if let Some(d) = self.existing(x) {
            return (d, true);
        }
        let d = self.plan.like(x);
        self.of.push((x.buf, d));
        (d, false)
    }
}

/// The training step of forward operations that end in an objective.
pub fn training(plan: &mut Plan, forward: &[Op]) -> Program {
    use Op::*;
    let mut ops = forward.to_vec();
    let mut gradients = vec![];
    let data = data(forward);
    let mut g = GradientBuffers { plan, of: vec![] };
    for op in forward.iter().rev() {
        if let Some([loss, d]) = op.in_place_gradient() {
            let weight = g.get(loss);
            assert!(g.existing(d).is_none(), "one likelihood per decoder output");
            g.of.push((d.buf, d));
            ops.push(ScaleRows { d, weight });
            continue;
        }
        match *op {
            WeightedSum { terms, d_terms, .. } => {
                g.of.extend(terms.iter().flatten().zip(d_terms.iter().flatten()).map(|(term, d)| (term.buf, *d)));
            }
            Kl { kl, q, p } => {
                let dkl = g.get(kl);
                let (dq, add) = g.get_or_create(q);
                ops.push(KlBack { dq, dkl, q, p, add });
                if let Some(p) = p {
                    let (dp, add) = g.get_or_create(p);
                    ops.push(KlPriorBack { dp, dkl, q, p, add });
                }
            }
            Sample { z, eps, q } => {
                let dz = g.get(z);
                let (dq, add) = g.get_or_create(q);
                ops.push(SampleBack { dq, dz, eps, q, add });
            }
            Concat { y, a, .. } if !data.contains(&y.buf) => {
                // b is input data.
                let dy = g.get(y);
                let (da, add) = g.get_or_create(a);
                ops.push(Narrow { y: da, x: dy, add });
            }
            Linear { y, x, w, b, act } => {
                let dy = g.get(y);
                if act != Activation::None {
                    ops.push(ActivationBack { dy, y, act });
                }
                gradients.push(Gradient::Weight { w, x, dy });
                gradients.extend(b.map(|b| Gradient::Bias { b, dy }));
                match im2col_input(forward, x) {
                    _ if data.contains(&x.buf) => {}
                    Some((image, conv)) => {
                        let (y, add) = g.get_or_create(image);
                        ops.push(ConvTranspose {
                            y,
                            x: dy,
                            w,
                            transpose_w: true,
                            b: None,
                            act: Activation::None,
                            conv,
                            add,
                        });
                    }
                    None => {
                        let (dx, add) = g.get_or_create(x);
                        ops.push(LinearBack { dx, dy, w, add });
                    }
                }
            }
            ConvTranspose { y, x, w, b, act, conv, .. } => {
                let dy = g.get(y);
                if act != Activation::None {
                    ops.push(ActivationBack { dy, y, act });
                }
                gradients.extend(b.map(|b| Gradient::Bias { b, dy }));
                let patches = g.plan.patches(x.per_image, conv);
                ops.push(Im2col { y: patches, x: dy, conv });
                gradients.push(Gradient::Weight { w, x, dy: patches });
                let (dx, add) = g.get_or_create(x);
                ops.push(LinearBack { dx, dy: patches, w, add });
            }
            Gather { .. } | OneHot { .. } | Concat { .. } | Im2col { .. } => {}
            _ => panic!("{op:?} has no derivative"),
        }
    }
    let updates = gradients.iter().map(|gradient| Update::Adam(gradient.param())).collect();
    Program::new(ops, gradients, updates)
}

/// The input and the geometry of the im2col that made these rows.
fn im2col_input(forward: &[Op], rows: Activations) -> Option<(Activations, ConvGeometry)> {
    forward.iter().find_map(|op| match *op {
        Op::Im2col { y, x, conv } if y == rows => Some((x, conv)),
        _ => None,
    })
}

/// Buffers that depend on input data alone, which need no gradient.
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
