//! Elementary functions without branches, tables or calls (given FMA), so that loops over them vectorise, with the same bits
//! for every vector width: each step is one IEEE operation or one fused multiply-add.

/// exp(x), with a relative error of 3e-7; x is clamped to [-87, 88].
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer that the low bits then hold
    const LN_2_HIGH: f32 = 0.693_359_4; // few bits, so that n times it is exact
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let t = x.mul_add(std::f32::consts::LOG2_E, MAGIC);
    let n = t - MAGIC;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
    let p = polynomial(r, [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0]);
    p * f32::from_bits(t.to_bits().wrapping_add(127) << 23)
}

/// ln(x) of a positive normal number, with an error of 5e-7.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    let bits = x.to_bits();
    let above_sqrt_2 = ((bits & 0x7f_ffff) > 0x35_04f3) as u32;
    let m = f32::from_bits((bits & 0x7f_ffff) | (127 - above_sqrt_2) << 23); // in [sqrt 1/2, sqrt 2)
    let e = ((bits >> 23) as i32 - 127 + above_sqrt_2 as i32) as f32;
    let s = (m - 1.0) / (m + 1.0); // ln m = 2 atanh s
    e.mul_add(std::f32::consts::LN_2, s * polynomial(s * s, [2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0]))
}

/// (sin, cos) of `turns` full turns, for turns in [-0.5, 0.5].
#[inline(always)]
pub fn sin_cos_turns(turns: f32) -> (f32, f32) {
    let half = (turns + turns).round_ties_even();
    let x = half.mul_add(-0.5, turns) * std::f32::consts::TAU; // in [-pi/2, pi/2]
    let q = x * x;
    let sin = x * polynomial(q, [-2.505_210_8e-8, 2.755_731_9e-6, -1.984_127e-4, 8.333_333e-3, -1.666_666_7e-1, 1.0]);
    let cos =
        polynomial(q, [2.087_675_6e-9, -2.755_732e-7, 2.480_158_7e-5, -1.388_888_9e-3, 4.166_666_7e-2, -0.5, 1.0]);
    let sign = (half * -2.0).mul_add(half, 1.0);
    (sin * sign, cos * sign)
}

/// 1 / (1 + exp(-l)).
#[inline(always)]
pub fn sigmoid(l: f32) -> f32 {
    bernoulli(l, 0.0).1
}

/// (-log Bernoulli(t; l), sigmoid(l)) from a logit l: `max(l, 0) - l·t + ln(1 + exp(-|l|))`, which no logit makes
/// infinite. Both share one exponential and one division.
#[inline(always)]
pub fn bernoulli(l: f32, t: f32) -> (f32, f32) {
    let e = exp(-l.abs());
    let (a, b) = (1.0 + e, 2.0 + e);
    let r = 1.0 / (a * b);
    let s = e * r * a; // e / (2 + e); ln(1 + e) = 2 atanh(s)
    let coefficients = [2.0 / 13.0, 2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0];
    let inverse = r * b; // 1 / (1 + e)
    let loss = l.mul_add(-t, l.max(0.0)) + s * polynomial(s * s, coefficients);
    (loss, if l < 0.0 { e * inverse } else { inverse })
}

/// tanh(x), with an absolute error of 3e-7.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let e = exp(-2.0 * x.abs());
    ((1.0 - e) / (1.0 + e)).copysign(x)
}

/// ln(1 + exp(x)), with a relative error of 5e-7, and an absolute one of 2e-38 below -87.
#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    bernoulli(x, 0.0).0
}

/// 2 KL(N(mu, exp logvar) || N(mu_p, exp logvar_p)), in one dimension.
#[inline(always)]
pub fn twice_kl([mu, logvar]: [f32; 2], [mu_p, logvar_p]: [f32; 2]) -> f32 {
    let (d, ratio) = (mu - mu_p, logvar - logvar_p);
    (d * d).mul_add(exp(-logvar_p), exp(ratio) - 1.0 - ratio)
}

/// A polynomial by Horner's rule, the highest power first.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    coefficients[1..].iter().fold(coefficients[0], |p, c| x.mul_add(p, *c))
}

/// The sum of `f(a[i], b[i])`, in an order that depends on the length alone: 16 lanes, then a tree.
#[inline(always)]
pub fn sum2(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let (a16, a_rest) = a.as_chunks::<16>();
    let (b16, b_rest) = b.as_chunks::<16>();
    let mut lanes = [0.0f32; 16];
    for (a, b) in a16.iter().zip(b16) {
        for i in 0..16 {
            lanes[i] += f(a[i], b[i]);
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane += f(*a, *b);
    }
    tree(lanes)
}

/// The sum of `f(i)` for i below n, in the order of [`sum2`].
#[inline(always)]
pub fn sum(n: usize, mut f: impl FnMut(usize) -> f32) -> f32 {
    let mut lanes = [0.0f32; 16];
    for i in 0..n {
        lanes[i % 16] += f(i);
    }
    tree(lanes)
}

/// The sum of the first results of `f(a[i], b[i])`, in the order of [`sum2`]; the second ones replace `a[i]`.
#[inline(always)]
pub fn sum_and_map(a: &mut [f32], b: &[f32], f: impl Fn(f32, f32) -> (f32, f32)) -> f32 {
    let (a16, a_rest) = a.as_chunks_mut::<16>();
    let (b16, b_rest) = b.as_chunks::<16>();
    let mut lanes = [0.0f32; 16];
    for (a, b) in a16.iter_mut().zip(b16) {
        for i in 0..16 {
            let (term, value) = f(a[i], b[i]);
            lanes[i] += term;
            a[i] = value;
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        let (term, value) = f(*a, *b);
        *lane += term;
        *a = value;
    }
    tree(lanes)
}

#[inline(always)]
fn tree(mut lanes: [f32; 16]) -> f32 {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
    }
    lanes[0]
}

/// Pairwise summation: the order depends on the length alone, and the error grows with its logarithm.
pub fn tree_sum(values: &[f64]) -> f64 {
    match values {
        [] => 0.0,
        [one] => *one,
        _ => {
            let (a, b) = values.split_at(values.len().div_ceil(2));
            tree_sum(a) + tree_sum(b)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relative(got: f32, expected: f64) -> f64 {
        (got as f64 - expected).abs() / expected.abs().max(1e-30)
    }

    #[test]
    fn exp_agrees_with_the_standard_library() {
        for i in -8700..=8800 {
            let x = i as f32 / 100.0;
            assert!(relative(exp(x), (x as f64).exp()) < 3e-7, "exp({x}) = {}", exp(x));
        }
    }

    #[test]
    fn ln_agrees_with_the_standard_library() {
        for i in 1..=100_000u32 {
            let x = i as f32 / 997.0;
            assert!(
                (ln(x) as f64 - (x as f64).ln()).abs() < 5e-7 * (x as f64).ln().abs().max(1.0),
                "ln({x}) = {}",
                ln(x)
            );
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn sin_and_cos_agree_with_the_standard_library() {
        for i in -5000..=5000 {
            let turns = i as f32 / 10_000.0;
            let (sin, cos) = (turns as f64 * std::f64::consts::TAU).sin_cos();
            let got = sin_cos_turns(turns);
            assert!((got.0 as f64 - sin).abs() < 3e-7 && (got.1 as f64 - cos).abs() < 3e-7, "{turns} turns: {got:?}");
        }
    }

    #[test]
    fn tanh_and_softplus_agree_with_the_standard_library() {
        for i in -3000..=3000 {
            let x = i as f32 / 100.0;
            assert!((tanh(x) as f64 - (x as f64).tanh()).abs() < 3e-7, "tanh({x}) = {}", tanh(x));
            let expected = (x as f64).max(0.0) + (-(x as f64).abs()).exp().ln_1p();
            assert!(relative(softplus(x), expected) < 5e-7, "softplus({x}) = {}", softplus(x));
        }
    }

    #[test]
    fn bernoulli_is_finite_and_right_at_every_logit() {
        for l in [-1e30f32, -200.0, -20.0, -1.0, -1e-8, 0.0, 0.3, 5.0, 88.0, 1e4] {
            for t in [0.0f32, 0.25, 1.0] {
                let (loss, sigmoid) = bernoulli(l, t);
                let (l, t) = (l as f64, t as f64);
                let expected = l.max(0.0) - l * t + (-l.abs()).exp().ln_1p();
                assert!((loss as f64 - expected).abs() <= 3e-7 * expected.abs().max(1.0), "{l} {t}: {loss} {expected}");
                assert!((sigmoid as f64 - 1.0 / (1.0 + (-l).exp())).abs() < 2e-7, "{l}: {sigmoid}");
            }
        }
    }

    #[test]
    fn sums_add_every_value() {
        let ones = vec![1.0; 100];
        for n in [0, 1, 15, 16, 17, 100] {
            assert_eq!(sum2(&ones[..n], &ones[..n], |a, b| a + b), 2.0 * n as f32);
            assert_eq!(sum(n, |i| 2.0 * ones[i]), 2.0 * n as f32);
            let mut a = ones[..n].to_vec();
            assert_eq!(sum_and_map(&mut a, &ones[..n], |a, b| (a + b, a - 2.0 * b)), 2.0 * n as f32);
            assert_eq!(a, vec![-1.0; n]);
        }
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!(tree_sum(&values), 499_500.0);
    }
}
