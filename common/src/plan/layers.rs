//! The layers that a network is written in: each makes its buffers, writes its operations and returns its output.

use super::{Act, Axis, Cell, Latent, Layout, Op, Param, Plan, Reading, Role, Rows, Table, Window};

impl Plan {
    /// The images of the batch: `[N, width]`.
    pub fn gather(&mut self, from: Table, how: Reading) -> Rows {
        let y = self.rows(1, from.width);
        self.ops.push(Op::Gather { y, from, how });
        y
    }
    /// The labels of the batch, bytes of a table `[items, 1]`, in one-hot form: `[N, classes]`.
    pub fn one_hot(&mut self, from: Table, classes: usize) -> Rows {
        let y = self.rows(1, classes);
        self.ops.push(Op::OneHot { y, from });
        y
    }
    /// a `[N, P, A]` with b `[N, B]` beside each row: `[N, P, A + B]`.
    pub fn concat(&mut self, a: Rows, b: Rows) -> Rows {
        let y = self.rows(a.per, a.width + b.width);
        self.ops.push(Op::Concat { y, a, b });
        y
    }
    /// The first values of each row of x: `[N, P, width]`.
    pub fn first(&mut self, x: Rows, width: usize) -> Rows {
        let y = self.rows(x.per, width);
        self.ops.push(Op::First { y, x, add: false });
        y
    }
    /// One layer of `out` units: `[N, P, out]`.
    pub fn linear(&mut self, name: &str, x: Rows, out: usize, act: Act) -> Rows {
        self.heads(&[name], x, out, act, [Axis::PLAIN; 2])
    }
    /// Layers of `out` units each, side by side: `[N, P, names · out]`; `axes`: how their inputs and outputs are cut.
    pub fn heads(&mut self, names: &[&str], x: Rows, out: usize, act: Act, axes: [Axis; 2]) -> Rows {
        let parts = names.len() * out;
        let role = Role::Weight { fan_in: x.width, fan_out: out };
        let w = self.parameter(&of(names, "weight"), [x.width, parts], role, Layout::linear([x.width, out], axes));
        let b = Some(self.biases(&of(names, "bias"), out, x.width, axes[1]));
        let y = self.rows(x.per, parts);
        self.ops.push(Op::Linear { y, x, w, b, act });
        y
    }
    /// The bias of this name, `[out]`, beside a weight.
    pub fn bias(&mut self, name: &str, out: usize, fan_in: usize) -> Param {
        self.biases(&[name.into()], out, fan_in, Axis::PLAIN)
    }
    fn biases(&mut self, names: &[String], out: usize, fan_in: usize, axis: Axis) -> Param {
        self.parameter(names, [1, names.len() * out], Role::Bias { fan_in }, Layout::vector(out, axis))
    }
    /// A convolution of images x `[N, H·W, C]`: `[N, OH·OW, out]`; or of several for each n.
    pub fn conv(&mut self, name: &str, x: Rows, window: Window, out: usize, act: Act) -> Rows {
        assert!(x.per.is_multiple_of(window.places()) && x.width == window.channels, "{name} sees images of one size");
        let (positions, taps) = (x.per / window.places() * window.positions(), window.taps());
        let cols = self.rows(positions, window.values());
        self.ops.push(Op::Im2col { y: cols, x, window });
        let axis = Axis { positions: taps, channels: window.channels };
        let shape = vec![out, window.channels, window.size, window.size];
        let layout = Layout { shape, axes: [axis, Axis::PLAIN], in_first: false };
        let role = Role::Weight { fan_in: window.values(), fan_out: out * taps };
        let w = self.parameter(&of(&[name], "weight"), [window.values(), out], role, layout);
        let b = Some(self.bias(&format!("{name}.bias"), out, window.values()));
        let y = self.rows(positions, out);
        self.ops.push(Op::Linear { y, x: cols, w, b, act });
        y
    }
    /// The transposed convolution of x `[N, OH·OW, C']`: `[N, H·W, C]`, what each row of x makes laid under the window.
    pub fn conv_transposed(&mut self, name: &str, x: Rows, window: Window, act: Act) -> Rows {
        assert!(x.per.is_multiple_of(window.positions()), "{name} sees images of one size");
        let (places, taps) = (x.per / window.positions() * window.places(), window.taps());
        let cols = self.rows(x.per, window.values());
        let axis = Axis { positions: taps, channels: window.channels };
        let shape = vec![x.width, window.channels, window.size, window.size];
        let layout = Layout { shape, axes: [Axis::PLAIN, axis], in_first: true };
        // PyTorch takes the second dimension of any weight for what goes in.
        let role = Role::Weight { fan_in: window.values(), fan_out: x.width * taps };
        let w = self.parameter(&of(&[name], "weight"), [x.width, window.values()], role, layout);
        self.ops.push(Op::Linear { y: cols, x, w, b: None, act: Act::Id });
        let b = Some(self.bias(&format!("{name}.bias"), window.channels, window.values()));
        let y = self.rows(places, window.channels);
        self.ops.push(Op::Col2im { y, x: cols, b, act, window, add: false });
        y
    }
    /// Principal components, z = (x - mean) C^T with the tensors `mean` `[D]` and `components` C `[Z, D]`.
    pub fn project(&mut self, x: Rows, latent: usize) -> Rows {
        let (mean, components) = self.components(x.width, latent);
        let (centred, z) = (self.like(x), self.rows(1, latent));
        self.ops.push(Op::Centre { y: centred, x, b: mean });
        self.ops.push(Op::LinearBack { dx: z, dy: centred, w: components, add: false });
        z
    }
    /// And back, x = mean + z C.
    pub fn restore(&mut self, z: Rows, pixels: usize) -> Rows {
        let (mean, components) = self.components(pixels, z.width);
        let x = self.rows(z.per, pixels);
        self.ops.push(Op::Linear { y: x, x: z, w: components, b: Some(mean), act: Act::Id });
        x
    }
    fn components(&mut self, pixels: usize, latent: usize) -> (Param, Param) {
        let mean = self.bias("mean", pixels, latent);
        let layout = Layout { shape: vec![latent, pixels], axes: [Axis::PLAIN; 2], in_first: true };
        let role = Role::Weight { fan_in: latent, fan_out: pixels };
        (mean, self.parameter(&["components".into()], [latent, pixels], role, layout))
    }
    /// (z, eps), each `[N, samples, Z]`, from q `[N, 2Z]`.
    pub fn sample(&mut self, q: Rows, samples: usize) -> (Rows, Rows) {
        let (z, eps) = (self.rows(samples, q.width / 2), self.rows(samples, q.width / 2));
        self.ops.push(Op::Sample { z, eps, q });
        (z, eps)
    }
    /// The KL of each image from q to p, or to N(0, I): `[N, 1]`, nats.
    pub fn kl(&mut self, q: Rows, p: Option<Rows>) -> Rows {
        let kl = self.rows(1, 1);
        self.ops.push(Op::Kl { kl, q, p });
        kl
    }
    /// log q(z) - log p(z) of each draw: `[N, samples, 1]`, nats.
    pub fn sampled_kl(&mut self, [z, eps]: [Rows; 2], q: Rows, p: Option<Rows>) -> Rows {
        let kl = self.rows(z.per, 1);
        self.ops.push(Op::SampledKl { kl, z, eps, q, p });
        kl
    }
    /// The means of pixels, from what the decoder puts out: `[N, P, width]`.
    pub fn sigmoid(&mut self, v: Rows, width: usize) -> Rows {
        let mean = self.rows(v.per, width);
        self.ops.push(Op::Sigmoid { mean, v });
        mean
    }
    /// -log p(target given z) of each row: `[N, P, 1]`, nats. Uses up what the decoder put out.
    pub fn bernoulli(&mut self, v: Rows, target: Rows) -> Rows {
        let loss = self.rows(v.per, 1);
        self.ops.push(Op::Bernoulli { loss, v, target });
        loss
    }
    /// The same, with Gaussian pixels of this standard deviation.
    pub fn gaussian(&mut self, v: Rows, target: Rows, sigma: f32) -> Rows {
        let loss = self.rows(v.per, 1);
        self.ops.push(Op::Gaussian { loss, v, target, sigma });
        loss
    }
    /// The same, where the decoder says the variance, which is above `least`².
    pub fn gaussian_learned(&mut self, v: Rows, target: Rows, least: f32) -> Rows {
        let loss = self.rows(v.per, 1);
        self.ops.push(Op::GaussianLearned { loss, v, target, least });
        loss
    }
    /// The squared error of each row, summed over pixels: `[N, P, 1]`.
    pub fn squared_error(&mut self, mean: Rows, target: Rows) -> Rows {
        let loss = self.rows(mean.per, 1);
        self.ops.push(Op::SquaredError { loss, mean, target });
        loss
    }
    /// The rows of each image by its position in the epoch: `[items, P · width]`.
    pub fn keep(&mut self, items: usize, x: Rows) -> Table {
        let kept = self.table(items, x.per * x.width, Cell::Float);
        self.ops.push(Op::Keep { kept, x });
        kept
    }
    /// The terms of the ELBO by position in the epoch: `[items, 2]`, reconstruction and KL, nats.
    pub fn elbo(&mut self, items: usize, recon: Rows, kl: Option<Rows>) -> Table {
        let (terms, wr) = (self.table(items, 2, Cell::Float), self.like(recon));
        let kl = kl.map(|kl| Latent { kl, wk: self.like(kl) });
        self.ops.push(Op::Elbo { terms, wr, recon, kl });
        terms
    }
}

fn of(names: &[&str], suffix: &str) -> Vec<String> {
    names.iter().map(|n| format!("{n}.{suffix}")).collect()
}
