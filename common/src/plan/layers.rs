//! The layers of a network: each allocates its buffers, appends its operations and returns its output.

use super::{
    Activation, Activations, Axis, ConvGeometry, Layout, MAX_TERMS, Op, Param, PixelTransform, PixelType, Plan, Role,
    Table, TermWeight,
};
use crate::model::Term;

impl Plan {
    /// The images of the batch: `[N, width]`.
    pub fn gather(&mut self, from: Table, transform: PixelTransform) -> Activations {
        let y = self.rows(1, from.width);
        self.ops.push(Op::Gather { y, from, transform });
        y
    }
    /// The labels of the batch, bytes of a table `[items, 1]`, in one-hot form: `[N, classes]`.
    pub fn one_hot(&mut self, from: Table, classes: usize) -> Activations {
        let y = self.rows(1, classes);
        self.ops.push(Op::OneHot { y, from });
        y
    }
    /// a `[N, P, A]` and b `[N, B]`, repeated for each row: `[N, P, A + B]`.
    pub fn concat(&mut self, a: Activations, b: Activations) -> Activations {
        let y = self.rows(a.per_image, a.width + b.width);
        self.ops.push(Op::Concat { y, a, b });
        y
    }
    /// The first `width` values of each row of x: `[N, P, width]`.
    pub fn narrow(&mut self, x: Activations, width: usize) -> Activations {
        let y = self.rows(x.per_image, width);
        self.ops.push(Op::Narrow { y, x, add: false });
        y
    }
    /// One layer of `out` units: `[N, P, out]`.
    pub fn linear(&mut self, name: &str, x: Activations, out: usize, act: Activation) -> Activations {
        self.heads(&[name], x, out, act, [Axis::PLAIN; 2])
    }
    /// Linear layers of `out` units each, their outputs concatenated: `[N, P, names · out]`; `axes`: the layouts of inputs and
    /// outputs.
    pub fn heads(
        &mut self,
        names: &[&str],
        x: Activations,
        out: usize,
        act: Activation,
        axes: [Axis; 2],
    ) -> Activations {
        let parts = names.len() * out;
        let role = Role::Weight { fan_in: x.width, fan_out: out };
        let w = self.parameter(&of(names, "weight"), [x.width, parts], role, Layout::linear([x.width, out], axes));
        let b = Some(self.biases(&of(names, "bias"), out, x.width, axes[1]));
        let y = self.rows(x.per_image, parts);
        self.ops.push(Op::Linear { y, x, w, b, act });
        y
    }
    /// The bias `[out]` of the layer of this name.
    pub fn bias(&mut self, name: &str, out: usize, fan_in: usize) -> Param {
        self.biases(&[name.into()], out, fan_in, Axis::PLAIN)
    }
    fn biases(&mut self, names: &[String], out: usize, fan_in: usize, axis: Axis) -> Param {
        self.parameter(names, [1, names.len() * out], Role::Bias { fan_in }, Layout::vector(out, axis))
    }
    /// A convolution of images x `[N, H·W, C]`: `[N, OH·OW, out]`; or of several for each n.
    pub fn conv(&mut self, name: &str, x: Activations, conv: ConvGeometry, out: usize, act: Activation) -> Activations {
        assert!(
            x.per_image.is_multiple_of(conv.input_area()) && x.width == conv.channels,
            "{name} sees images of one size"
        );
        let (output_area, kernel_area) = (x.per_image / conv.input_area() * conv.output_area(), conv.kernel_area());
        let cols = self.patches(output_area, conv);
        self.ops.push(Op::Im2col { y: cols, x, conv });
        let axis = Axis { positions: kernel_area, channels: conv.channels };
        let shape = vec![out, conv.channels, conv.kernel, conv.kernel];
        let layout = Layout { shape, axes: [axis, Axis::PLAIN], in_first: false };
        let role = Role::Weight { fan_in: conv.patch_len(), fan_out: out * kernel_area };
        let w = self.parameter(&of(&[name], "weight"), [conv.patch_len(), out], role, layout);
        let b = Some(self.bias(&format!("{name}.bias"), out, conv.patch_len()));
        let y = self.rows(output_area, out);
        self.ops.push(Op::Linear { y, x: cols, w, b, act });
        y
    }
    /// The transposed convolution of x `[N, OH·OW, C']`: `[N, H·W, C]`.
    pub fn conv_transposed(&mut self, name: &str, x: Activations, conv: ConvGeometry, act: Activation) -> Activations {
        assert!(x.per_image.is_multiple_of(conv.output_area()), "{name} sees images of one size");
        let (input_area, kernel_area) = (x.per_image / conv.output_area() * conv.input_area(), conv.kernel_area());
        let axis = Axis { positions: kernel_area, channels: conv.channels };
        let shape = vec![x.width, conv.channels, conv.kernel, conv.kernel];
        let layout = Layout { shape, axes: [Axis::PLAIN, axis], in_first: true };
        // PyTorch takes the second dimension of any weight for what goes in.
        let role = Role::Weight { fan_in: conv.patch_len(), fan_out: x.width * kernel_area };
        let w = self.parameter(&of(&[name], "weight"), [x.width, conv.patch_len()], role, layout);
        let b = Some(self.bias(&format!("{name}.bias"), conv.channels, conv.patch_len()));
        let y = self.rows(input_area, conv.channels);
        self.ops.push(Op::ConvTranspose { y, x, w, transpose_w: false, b, act, conv, add: false });
        y
    }
    /// Principal components, z = (x - mean) C^T with the tensors `mean` `[D]` and `components` C `[Z, D]`.
    pub fn project(&mut self, x: Activations, latent: usize) -> Activations {
        let (mean, components) = self.components(x.width, latent);
        let (centred, z) = (self.like(x), self.rows(1, latent));
        self.ops.push(Op::Subtract { y: centred, x, b: mean });
        self.ops.push(Op::LinearBack { dx: z, dy: centred, w: components, add: false });
        z
    }
    /// And back, x = mean + z C.
    pub fn restore(&mut self, z: Activations, pixels: usize) -> Activations {
        let (mean, components) = self.components(pixels, z.width);
        let x = self.rows(z.per_image, pixels);
        self.ops.push(Op::Linear { y: x, x: z, w: components, b: Some(mean), act: Activation::None });
        x
    }
    fn components(&mut self, pixels: usize, latent: usize) -> (Param, Param) {
        let mean = self.bias("mean", pixels, latent);
        let layout = Layout { shape: vec![latent, pixels], axes: [Axis::PLAIN; 2], in_first: true };
        let role = Role::Weight { fan_in: latent, fan_out: pixels };
        (mean, self.parameter(&["components".into()], [latent, pixels], role, layout))
    }
    /// (z, eps), each `[N, samples, Z]`, from q `[N, 2Z]`.
    pub fn sample(&mut self, q: Activations, samples: usize) -> (Activations, Activations) {
        let (z, eps) = (self.rows(samples, q.width / 2), self.rows(samples, q.width / 2));
        self.ops.push(Op::Sample { z, eps, q });
        (z, eps)
    }
    /// The KL of each image from q to p, or to N(0, I): `[N, 1]`, nats.
    pub fn kl(&mut self, q: Activations, p: Option<Activations>) -> Activations {
        let kl = self.rows(1, 1);
        self.ops.push(Op::Kl { kl, q, p });
        kl
    }
    /// log q(z) - log p(z) of each draw: `[N, samples, 1]`, nats.
    pub fn sampled_kl(&mut self, [z, eps]: [Activations; 2], q: Activations, p: Option<Activations>) -> Activations {
        let kl = self.rows(z.per_image, 1);
        self.ops.push(Op::SampledKl { kl, z, eps, q, p });
        kl
    }
    /// The means of pixels, sigmoid(logits): `[N, P, width]`.
    pub fn sigmoid(&mut self, logits: Activations, width: usize) -> Activations {
        let mean = self.rows(logits.per_image, width);
        self.ops.push(Op::Sigmoid { mean, logits });
        mean
    }
    /// -log p(target given z) of each row, `[N, P, 1]`, nats; `op` is the likelihood with this buffer for its loss. Overwrites
    /// the logits with their gradient.
    pub fn likelihood(&mut self, logits: Activations, op: impl FnOnce(Activations) -> Op) -> Activations {
        let loss = self.rows(logits.per_image, 1);
        self.ops.push(op(loss));
        loss
    }
    /// The squared error of each row, summed over pixels: `[N, P, 1]`.
    pub fn squared_error(&mut self, mean: Activations, target: Activations) -> Activations {
        let loss = self.rows(mean.per_image, 1);
        self.ops.push(Op::SquaredError { loss, mean, target });
        loss
    }
    /// A table of the rows of each image, by position in the epoch: `[items, P · width]`.
    pub fn store(&mut self, items: usize, x: Activations) -> Table {
        let stored = self.table(items, x.per_image * x.width, PixelType::F32);
        self.ops.push(Op::Store { stored, x });
        stored
    }
    /// The per-image losses of an objective by position in the epoch, `[items, terms]`, nats: the values of each term,
    /// `[N, P, 1]`, or none where it is 0.
    pub fn weighted_sum(&mut self, items: usize, of: &[Term], values: &[Option<Activations>]) -> Table {
        assert_eq!(of.len(), values.len(), "a value for each term");
        let losses = self.table(items, of.len(), PixelType::F32);
        let mut terms = [None; MAX_TERMS];
        let mut weights = [TermWeight::One; MAX_TERMS];
        for (i, (term, value)) in of.iter().zip(values).enumerate() {
            (terms[i], weights[i]) = (*value, term.weight);
        }
        let d_terms = terms.map(|term| term.map(|term| self.like(term)));
        self.ops.push(Op::WeightedSum { losses, d_terms, terms, weights });
        losses
    }
}

fn of(names: &[&str], suffix: &str) -> Vec<String> {
    names.iter().map(|n| format!("{n}.{suffix}")).collect()
}
