//! Adam, over slices of a parameter and of its moments.

use crate::backend::State;

/// Adam (Kingma and Ba 2015, algorithm 1) at one step, its bias correction folded into `rate` and `root`.
#[derive(Clone, Copy)]
pub(super) struct Rates {
    betas: [f32; 2],
    rate: f32,
    root: f32,
    eps: f32,
}

impl Rates {
    pub(super) fn of(state: &State) -> Rates {
        let step = (state.steps + 1).min(i32::MAX as u64) as i32;
        let correction = |beta: f32| 1.0 - (beta as f64).powi(step);
        let [b1, b2] = state.adam.betas;
        Rates {
            betas: [b1, b2],
            rate: (state.adam.lr as f64 / correction(b1)) as f32,
            root: (1.0 / correction(b2).sqrt()) as f32,
            eps: state.adam.eps,
        }
    }

    /// m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g², w -= rate m / (sqrt(v) root + eps)
    #[inline(always)]
    pub(super) fn apply(&self, w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]) {
        let Rates { betas: [b1, b2], rate, root, eps } = *self;
        let one = |w: &mut f32, m: &mut f32, v: &mut f32, g: f32| {
            *m = b1 * *m + (1.0 - b1) * g;
            *v = b2 * *v + (1.0 - b2) * g * g;
            *w -= rate * *m / (v.sqrt() * root + eps);
        };
        let ((w, w_rest), (m, m_rest)) = (w.as_chunks_mut::<16>(), m.as_chunks_mut::<16>());
        let ((v, v_rest), (g, g_rest)) = (v.as_chunks_mut::<16>(), g.as_chunks::<16>());
        for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(g) {
            (0..16).for_each(|i| one(&mut w[i], &mut m[i], &mut v[i], g[i]));
        }
        for (((w, m), v), g) in w_rest.iter_mut().zip(m_rest).zip(v_rest).zip(g_rest) {
            one(w, m, v, *g);
        }
    }
}
