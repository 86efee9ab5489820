//! The Adam update, elementwise over a parameter and its moments.

use crate::backend::State;
use crate::backend::cpu::simd::Simd;

/// The coefficients of one step of Adam (Kingma and Ba 2015, algorithm 1): the bias corrections are folded into `rate`,
/// the step size, and `root`, the factor of sqrt(v).
#[derive(Clone, Copy)]
pub(crate) struct AdamStep {
    betas: [f32; 2],
    rate: f32,
    root: f32,
    eps: f32,
}

impl AdamStep {
    pub(crate) fn new(state: &State) -> AdamStep {
        let [rate, root] = state.adam.corrected(state.steps);
        AdamStep { betas: state.adam.betas, rate, root, eps: state.adam.eps }
    }

    /// m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g², w -= rate m / (sqrt(v) root + eps), elementwise; w[n] m[n] v[n]
    /// g[n], n a multiple of the vector length. Denormals become zero: a moment without gradients decays to the least of
    /// them and no further, and each costs many cycles at every later step.
    #[inline(always)]
    pub(crate) fn apply<S: Simd>(&self, simd: S, w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]) {
        let AdamStep { betas: [b1, b2], rate, root, eps } = *self;
        let all = [b1, 1.0 - b1, b2, 1.0 - b2, -rate, root, eps, 1e-35].map(|value| simd.splat(value));
        let [b1, a1, b2, a2, rate, root, eps, least] = all;
        assert!(w.len().is_multiple_of(S::LANES) && [m.len(), v.len(), g.len()] == [w.len(); 3]);
        for at in (0..w.len()).step_by(S::LANES) {
            let at = at..at + S::LANES;
            let (w, m, v, g) = (&mut w[at.clone()], &mut m[at.clone()], &mut v[at.clone()], &g[at]);
            let g = simd.read(g);
            let first = simd.flush_denormals(simd.mul_add(b1, simd.read(m), simd.mul(a1, g)));
            let second = simd.flush_denormals(simd.mul_add(b2, simd.read(v), simd.mul(a2, simd.mul(g, g))));
            let deviation = simd.mul(second, simd.rsqrt(simd.max(second, least)));
            let step = simd.mul(first, simd.recip(simd.mul_add(deviation, root, eps)));
            simd.write(m, first);
            simd.write(v, second);
            simd.write(w, simd.flush_denormals(simd.mul_add(rate, step, simd.read(w))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Adam;
    use crate::backend::cpu::simd::{InstructionSet, WithSimd};
    use crate::plan::Plan;

    /// Twenty steps of Adam on 48 weights, against the paper's algorithm in f64.
    struct Check;

    impl WithSimd for Check {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            const N: usize = 48;
            let mut state = State::new(&Plan::new(1));
            state.adam = Adam::new(0.01);
            let (mut w, mut m, mut v) = ([0.5f32; N], [0.0f32; N], [0.0f32; N]);
            let (mut ew, mut em, mut ev) = ([0.5f64; N], [0.0f64; N], [0.0f64; N]);
            for step in 1..=20 {
                // Gradients of every size, zero among them.
                let g: [f32; N] = std::array::from_fn(|i| {
                    ((i * 7 + step * 3) % 11) as f32
                        * 10f32.powi(i as i32 % 12 - 8)
                        * if i % 5 == 0 { 0.0 } else { 1.0 }
                });
                AdamStep::new(&state).apply(simd, &mut w, &mut m, &mut v, &g);
                state.steps += 1;
                for i in 0..N {
                    let g = g[i] as f64;
                    em[i] = 0.9 * em[i] + 0.1 * g;
                    ev[i] = 0.999 * ev[i] + 0.001 * g * g;
                    let (m_hat, v_hat) =
                        (em[i] / (1.0 - 0.9f64.powi(step as i32)), ev[i] / (1.0 - 0.999f64.powi(step as i32)));
                    ew[i] -= 0.01 * m_hat / (v_hat.sqrt() + 1e-8);
                    // Twenty roundings of a weight of about 1; betas are rounded to f32.
                    assert!(
                        (w[i] as f64 - ew[i]).abs() < 2e-6,
                        "step {step}, weight {i}: expected {}, got {}",
                        ew[i],
                        w[i]
                    );
                }
            }
        }
    }

    /// Moments and weights that decay for a thousand steps without a gradient.
    struct Decay;

    impl WithSimd for Decay {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            const N: usize = 48;
            let mut state = State::new(&Plan::new(1));
            (state.adam, state.steps) = (Adam::new(0.01), 1_000_000); // no bias to correct
            let sign = |i: usize| if i.is_multiple_of(2) { 1.0f32 } else { -1.0 };
            let mut w: [f32; N] = std::array::from_fn(|i| sign(i) * 1.5e-38 / (1 + i) as f32);
            let mut m: [f32; N] = std::array::from_fn(|i| sign(i) * 10f32.powi(-(i as i32)));
            let mut v: [f32; N] = std::array::from_fn(|i| f32::MIN_POSITIVE * (1.0 + i as f32 / 30.0));
            let adam = AdamStep::new(&state);
            for step in 0..1000 {
                let before = (m, v);
                adam.apply(simd, &mut w, &mut m, &mut v, &[0.0; N]);
                for i in 0..N {
                    for (what, value) in [("weight", w[i]), ("first moment", m[i]), ("second moment", v[i])] {
                        assert!(!value.is_subnormal(), "step {step}, {what} {i}: {value:e}");
                    }
                    let kept = |v: f32| if v.abs() < f32::MIN_POSITIVE { 0.0 } else { v };
                    // The same bits as without: only what is below the least normal number changes.
                    assert_eq!((m[i], v[i]), (kept(0.9 * before.0[i]), kept(0.999 * before.1[i])), "step {step}, {i}");
                }
            }
            assert_eq!((m, v), ([0.0; N], [0.0; N]));
            let [mut w, mut m, mut v] = [[f32::NAN; N], [f32::INFINITY; N], [f32::INFINITY; N]];
            adam.apply(simd, &mut w, &mut m, &mut v, &[1.0; N]);
            assert!([w, m, v].as_flattened().iter().all(|v| !v.is_finite()), "what is not finite stays so");
        }
    }

    #[test]
    fn no_denormal_stays_in_a_weight_or_a_moment_on_any_instruction_set() {
        InstructionSet::available().into_iter().for_each(|isa| isa.dispatch(Decay));
    }

    #[test]
    fn adam_is_that_of_the_paper_on_every_instruction_set() {
        InstructionSet::available().into_iter().for_each(|isa| isa.dispatch(Check));
    }
}
