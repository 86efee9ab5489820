//! Each network, written once, forwards. What trains, evaluates, encodes and decodes follows from it.

use crate::model::{Likelihood, Network, Objective};
use crate::plan::{Act::*, Cell, Op, Plan, Program, Rows, Table, reverse};

/// The images of the batch as the network sees them, x `[N, D]` in [0, 1]: bytes are divided by 255.
pub fn images(p: &mut Plan, from: Table) -> Rows {
    p.gather(from, if from.cell == Cell::Byte { 255.0 } else { 1.0 })
}

/// x `[N, D]` to q `[N, 2Z]`: mu, then logvar.
pub fn encoder(p: &mut Plan, network: &Network, x: Rows) -> Rows {
    match network {
        Network::Mlp { hidden, latent, .. } => {
            let h = stack(p, "encoder", x, hidden.iter());
            p.heads(&["mu", "logvar"], h, *latent, Id)
        }
    }
}

/// z `[N, L, Z]` to logits `[N, L, D]`.
pub fn decoder(p: &mut Plan, network: &Network, z: Rows) -> Rows {
    match network {
        Network::Mlp { hidden, .. } => {
            let h = stack(p, "decoder", z, hidden.iter().rev());
            p.linear(&format!("decoder.{}", 2 * hidden.len()), h, network.pixels(), Id)
        }
    }
}

/// Logits `[N, L, D]` to the means of pixels, the same shape.
pub fn means(p: &mut Plan, objective: &Objective, logits: Rows) -> Rows {
    match objective.likelihood {
        Likelihood::Bernoulli => p.sigmoid(logits),
    }
}

/// Layers numbered as in `nn.Sequential`, where an activation counts.
fn stack<'a>(p: &mut Plan, name: &str, x: Rows, widths: impl Iterator<Item = &'a usize>) -> Rows {
    widths.enumerate().fold(x, |x, (i, width)| p.linear(&format!("{name}.{}", 2 * i), x, *width, Relu))
}

/// A set of images and the objective over them.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The data, `[items, D]`.
    pub images: Table,
    /// By position in the epoch, `[items, 2]`: reconstruction and KL, nats.
    pub terms: Table,
    /// The noise that was drawn, `[N, L, Z]`.
    pub eps: Rows,
    ops: Vec<Op>,
}

impl Judged {
    /// A step of training: loss, gradients, optimizer.
    pub fn training(&self, plan: &mut Plan) -> Program {
        reverse::training(plan, &self.ops)
    }
    /// The loss alone, by sampling.
    pub fn evaluation(&self) -> Program {
        Program::new(self.ops.clone(), vec![])
    }
}

/// Writes a model and its objective over so many images, held as bytes or floats, into a plan. Written twice, for
/// training and for test images, it has one set of parameters.
pub fn judged(p: &mut Plan, network: &Network, objective: &Objective, items: usize, cell: Cell) -> Judged {
    let images = p.table(items, network.pixels(), cell);
    let x = self::images(p, images);
    let q = encoder(p, network, x);
    let (z, eps) = p.sample(q, objective.samples);
    let logits = decoder(p, network, z);
    let recon = match objective.likelihood {
        Likelihood::Bernoulli => p.bernoulli(logits, x),
    };
    let kl = p.kl(q);
    let terms = p.elbo(items, recon, kl);
    Judged { images, terms, eps, ops: p.take() }
}
