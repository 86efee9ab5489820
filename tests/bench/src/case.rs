//! Networks, how they are trained, and by which loss programs that train them are compared.

use crate::epochs::Losses;
use crate::machine;
use common::model::{Likelihood, Preset};

/// Of MNIST, and of the synthetic digits.
pub const PIXELS: usize = 784;

/// A network and how it is trained.
#[derive(Clone)]
pub struct Case {
    /// The name in `--rows`.
    pub id: &'static str,
    pub net: Net,
    pub batch: usize,
    pub threads: usize,
    /// The first of the training images, where all would take too long.
    pub images: Option<usize>,
}

#[derive(Clone)]
pub enum Net {
    Mlp(Mlp),
    Preset(&'static str),
}

#[derive(Clone, Copy)]
pub struct Mlp {
    pub hidden: &'static [usize],
    pub latent: usize,
    pub activation: &'static str,
    /// L, draws of z for each image.
    pub samples: usize,
}

impl Mlp {
    pub const CLASSIC: Mlp = Mlp::relu(&[400], 20);
    /// The two layers of the IWAE paper.
    pub const IWAE: Mlp = Mlp::relu(&[200, 200], 50);

    pub const fn relu(hidden: &'static [usize], latent: usize) -> Mlp {
        Mlp { hidden, latent, activation: "relu", samples: 1 }
    }
    fn joined(&self, by: &str) -> String {
        self.hidden.iter().map(usize::to_string).collect::<Vec<_>>().join(by)
    }
    /// Floating-point operations for an image: two for each weight in the product forwards and in the gradient of the
    /// weights, and again in the gradient of a layer's input, which the first layer needs not. The decoder takes L rows.
    fn operations(&self) -> usize {
        let widths = [&[PIXELS], self.hidden].concat();
        let stack: usize = widths.windows(2).map(|w| w[0] * w[1]).sum();
        let (first, last) = (PIXELS * self.hidden[0], self.hidden[self.hidden.len() - 1]);
        let (encoder, decoder) = (stack + 2 * last * self.latent, stack + last * self.latent);
        2 * (3 * (encoder + self.samples * decoder) - first)
    }
}

impl Case {
    pub fn mlp(id: &'static str, net: Mlp, batch: usize) -> Case {
        Case { id, net: Net::Mlp(net), batch, threads: machine::threads(), images: None }
    }
    /// As the preset is trained.
    pub fn preset(name: &'static str) -> Case {
        let batch = Preset::named(name).expect("a preset").batch;
        Case { id: name, net: Net::Preset(name), batch, threads: machine::threads(), images: None }
    }
    /// 784-400-20 in batches of 128.
    pub fn classic() -> Case {
        Case::mlp("classic-128", Mlp::CLASSIC, 128)
    }
    /// `784-400-20, N = 128`, and what else is not as usual.
    pub fn name(&self) -> String {
        let mut name = match &self.net {
            Net::Mlp(net) => format!("{PIXELS}-{}-{}, N = {}", net.joined("-"), net.latent, self.batch),
            Net::Preset(name) => format!("{name}, N = {}", self.batch),
        };
        if let Net::Mlp(Mlp { activation, samples, .. }) = self.net {
            let activation = Some(format!(", {activation}")).filter(|_| activation != "relu");
            let samples = Some(format!(", L = {samples}")).filter(|_| samples != 1);
            name.extend(activation.into_iter().chain(samples));
        }
        if self.threads != machine::threads() {
            name += &format!(", {} thread{}", self.threads, if self.threads == 1 { "" } else { "s" });
        }
        name.extend(self.images.map(|images| format!(", {images} images")));
        name
    }
    /// What every program that trains understands.
    pub fn options(&self) -> String {
        let Case { batch, threads, .. } = self;
        let (net, lr) = match &self.net {
            Net::Mlp(net) => {
                let Mlp { latent, activation, samples, .. } = net;
                let hidden = net.joined(",");
                (format!("--hidden {hidden} --latent {latent} --activation {activation} --samples {samples}"), 1e-3)
            }
            Net::Preset(name) => (format!("--preset {name}"), Preset::named(name).expect("a preset").lr),
        };
        format!("{net} --lr {lr} --batch {batch} --threads {threads}")
    }
    /// GFLOP of an epoch over that many images; of a preset it is not counted.
    pub fn gflop(&self, images: usize) -> Option<f64> {
        match &self.net {
            Net::Mlp(net) => Some((net.operations() * images) as f64 / 1e9),
            Net::Preset(_) => None,
        }
    }
    pub fn compared(&self) -> &'static Compared {
        let Net::Preset(name) = self.net else { return if self.images.is_some() { &NATS_EARLY } else { &NATS } };
        let preset = Preset::named(name).expect("a preset");
        match preset.objective.likelihood {
            Likelihood::Bernoulli => &NATS,
            _ if preset.network.bottleneck.is_distribution() => &SQUARED_ERROR,
            _ => &PIXEL_ERROR,
        }
    }
}

/// A loss by which programs are compared.
pub struct Compared {
    pub name: &'static str,
    /// As it is printed.
    pub digits: usize,
    pub of: fn(&Losses) -> f64,
    /// Means over five seeds that differ by more were not trained alike.
    pub apart: f64,
}

impl Compared {
    /// The same for means over so many seeds.
    pub fn tolerance(&self, seeds: usize) -> f64 {
        self.apart * (5.0 / seeds as f64).sqrt()
    }
}

// Each tolerance is at least six standard errors of a mean over five seeds, where the range of eight programs is three on
// average: after two epochs the losses of seeds have standard deviations of 0.5 nats, 0.3 and 0.001, ours as PyTorch's.

/// Nats.
const NATS: Compared = Compared { name: "test loss", digits: 1, of: |test| test.loss, apart: 1.5 };
/// After few steps, when losses still fall by tens of nats an epoch.
const NATS_EARLY: Compared = Compared { apart: 5.0, ..NATS };
/// What is left of a Gaussian's loss without its constant.
const SQUARED_ERROR: Compared =
    Compared { name: "test squared error + KL", digits: 2, of: |test| test.mse * PIXELS as f64 + test.kl, apart: 1.0 };
/// Per pixel, of an autoencoder.
const PIXEL_ERROR: Compared = Compared { name: "test mse", digits: 4, of: |test| test.mse, apart: 0.003 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_count_every_product_of_every_draw() {
        let weights = 784 * 400;
        // Forwards, gradient of weights and of inputs: but not of the images.
        let classic = 2 * (3 * (2 * weights + 3 * 400 * 20) - weights);
        assert_eq!(Mlp::CLASSIC.operations(), classic);
        let two = Mlp { samples: 2, ..Mlp::CLASSIC };
        assert_eq!(two.operations() - classic, 6 * (weights + 400 * 20), "another pass of the decoder alone");
    }

    #[test]
    fn fewer_seeds_may_lie_farther_apart() {
        assert_eq!(NATS.tolerance(5), 1.5);
        assert_eq!(NATS.tolerance(20), 0.75);
        assert!((3.3..3.4).contains(&NATS.tolerance(1)));
    }

    #[test]
    fn a_case_is_named_by_what_is_not_as_usual() {
        assert_eq!(Case::classic().name(), "784-400-20, N = 128");
        let tanh = Mlp { activation: "tanh", samples: 5, ..Mlp::IWAE };
        let case = Case { images: Some(6000), ..Case::mlp("iwae", tanh, 20) };
        assert_eq!(case.name(), "784-200-200-50, N = 20, tanh, L = 5, 6000 images");
        assert!(
            case.options().contains("--hidden 200,200 --latent 50 --activation tanh --samples 5"),
            "{}",
            case.options()
        );
    }
}
