//! What can be done: handles to buffers, and operations over them.
//!
//! N images in a batch; P rows for each image (1, or L samples); r a row of N·P, and n its image. A buffer of [`Rows`] is
//! `[N, P, width]`. A weight is `[in, out]`; the model file turns it round.

/// The number of a buffer in its plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct Buf(pub(crate) u32);

/// `[N·per, width]`: `per` rows for each image of the batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rows {
    /// The buffer.
    pub buf: Buf,
    /// Rows for each image.
    pub per: usize,
    /// Values in a row.
    pub width: usize,
}

/// `[inp, out]`, followed by its two moments of Adam in the next two buffers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param {
    /// The buffer.
    pub buf: Buf,
    /// Values that go in; 1 for a bias.
    pub inp: usize,
    /// Values that come out.
    pub out: usize,
}

impl Param {
    /// Values in all.
    pub fn values(self) -> usize {
        self.inp * self.out
    }
    /// The running mean of the gradient.
    pub fn first_moment(self) -> Buf {
        Buf(self.buf.0 + 1)
    }
    /// The running mean of its square.
    pub fn second_moment(self) -> Buf {
        Buf(self.buf.0 + 2)
    }
}

/// What the values of a table are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cell {
    /// u8, as most images come.
    Byte,
    /// f32.
    Float,
}

/// `[items, width]` of the data, read through the order of the epoch or written by position in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Table {
    /// The buffer.
    pub buf: Buf,
    /// Rows.
    pub items: usize,
    /// Values in a row.
    pub width: usize,
    /// Their type.
    pub cell: Cell,
}

/// What a layer does to the values that it puts out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Act {
    /// Nothing.
    Id,
    /// max(v, 0).
    Relu,
}

/// What is done to the rows of an image. Outputs come first, then inputs. `add`: add to the output instead of writing it.
#[allow(missing_docs)] // the formula of a variant says what its fields are
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Op {
    /// `y[n] = from[row of image n] / unit`; an image past the end of the epoch is zero
    Gather { y: Rows, from: Table, unit: f32 },
    /// `y[r] = act(x[r] W + b)`
    Linear { y: Rows, x: Rows, w: Param, b: Param, act: Act },
    /// `dy[r] *= act'(y[r])`
    ActBack { dy: Rows, y: Rows, act: Act },
    /// `dx[r] = dy[r] W^T`
    LinearBack { dx: Rows, dy: Rows, w: Param, add: bool },
    /// The reparameterised draw (Kingma and Welling 2014, eq. 10): `z[r] = mu[n] + exp(logvar[n] / 2) eps[r]`, with
    /// `q = [mu, logvar]` and eps from N(0, I) by (seed, epoch, image, sample, lane)
    Sample { z: Rows, eps: Rows, q: Rows },
    /// `dmu[n]` = sum of `dz[r]`, `dlogvar[n]` = sum of `dz[r] eps[r] exp(logvar[n] / 2) / 2`, over the samples of n
    SampleBack { dq: Rows, dz: Rows, eps: Rows, q: Rows, add: bool },
    /// `kl[n]` = KL(N(mu, exp logvar) to N(0, I)) = 1/2 sum of exp(logvar) + mu² - 1 - logvar (ibid., appendix B)
    Kl { kl: Rows, q: Rows },
    /// dmu = dkl mu, dlogvar = dkl (exp(logvar) - 1) / 2
    KlBack { dq: Rows, dkl: Rows, q: Rows, add: bool },
    /// `p[r] = 1 / (1 + exp(-logits[r]))`
    Sigmoid { p: Rows, logits: Rows },
    /// `loss[r] = -log Bernoulli(target[n]; logits[r])`, summed over pixels. Then the derivative takes the place of the
    /// logits: `logits[r] = sigmoid(logits[r]) - target[n]`
    Bernoulli { loss: Rows, logits: Rows, target: Rows },
    /// `d[r] *= weight[r]`, one weight for each row
    Weigh { d: Rows, weight: Rows },
    /// `terms[position of n]` = mean over samples of recon, and of kl. The gradient of the batch mean of recon + beta kl with
    /// respect to each row goes to wr and wk: 1 / (images · samples), and beta times that; 0 for an image that is absent
    Elbo { terms: Table, wr: Rows, wk: Rows, recon: Rows, kl: Rows },
}

/// What is done to a parameter, each followed by the optimizer.
#[allow(missing_docs)] // as above
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Learn {
    /// dW = sum over r of `x[r] ⊗ dy[r]`
    Weight { w: Param, x: Rows, dy: Rows },
    /// db = sum over r of `dy[r]`
    Bias { b: Param, dy: Rows },
}

impl Op {
    /// The buffers (written, read), without parameters, which no operation writes.
    pub fn touches(&self) -> (Vec<Buf>, Vec<Buf>) {
        use Op::*;
        let of = |written: &[Rows], read: &[Rows]| {
            (written.iter().map(|r| r.buf).collect::<Vec<_>>(), read.iter().map(|r| r.buf).collect::<Vec<_>>())
        };
        match *self {
            Gather { y, from, .. } => (vec![y.buf], vec![from.buf]),
            Linear { y, x, .. } => of(&[y], &[x]),
            ActBack { dy, y, .. } => of(&[dy], &[y]),
            LinearBack { dx, dy, .. } => of(&[dx], &[dy]),
            Sample { z, eps, q } => of(&[z, eps], &[q]),
            SampleBack { dq, dz, eps, q, .. } => of(&[dq], &[dz, eps, q]),
            Kl { kl, q } => of(&[kl], &[q]),
            KlBack { dq, dkl, q, .. } => of(&[dq], &[dkl, q]),
            Sigmoid { p, logits } => of(&[p], &[logits]),
            Bernoulli { loss, logits, target } => of(&[loss, logits], &[target]),
            Weigh { d, weight } => of(&[d], &[weight]),
            Elbo { terms, wr, wk, recon, kl } => (vec![terms.buf, wr.buf, wk.buf], vec![recon.buf, kl.buf]),
        }
    }
}

impl Op {
    /// What it is, in a word, with its shape if it is a product: for a table of where time goes.
    pub fn label(&self) -> String {
        match self {
            Op::Linear { w, .. } => format!("forward {} x {}", w.inp, w.out),
            Op::LinearBack { w, .. } => format!("input gradient {} x {}", w.inp, w.out),
            other => {
                let text = format!("{other:?}");
                text.split(' ').next().unwrap_or_default().to_lowercase()
            }
        }
    }
    /// Multiplications and additions of its products, for each image.
    pub fn flops(&self) -> usize {
        match self {
            Op::Linear { y: rows, w, .. } | Op::LinearBack { dx: rows, w, .. } => 2 * rows.per * w.values(),
            _ => 0,
        }
    }
    /// The table that it writes, by the positions of its images.
    pub fn table_written(&self) -> Option<Buf> {
        match self {
            Op::Elbo { terms, .. } => Some(terms.buf),
            _ => None,
        }
    }
}

impl Learn {
    /// As [`Op::label`].
    pub fn label(&self) -> String {
        match self {
            Learn::Weight { w, .. } => format!("weight gradient {} x {}, optimizer", w.inp, w.out),
            Learn::Bias { .. } => "biases".into(),
        }
    }
    /// As [`Op::flops`].
    pub fn flops(&self) -> usize {
        match self {
            Learn::Weight { w, x, .. } => 2 * x.per * w.values(),
            Learn::Bias { .. } => 0,
        }
    }
    /// The parameter that learns.
    pub fn param(&self) -> Param {
        match *self {
            Learn::Weight { w, .. } => w,
            Learn::Bias { b, .. } => b,
        }
    }
}
