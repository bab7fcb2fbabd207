//! Softmax of one row under a contract. Shift-invariant, so only differences of elements matter.
//!
//! With z = beta x, the exact result is exp(z_i) / (exp(z_i) + sum over j != i of exp(z_j)): it grows with z_i and falls
//! with every other, so its extremes are at ends of the intervals. Element i has to be excluded from the other terms
//! without subtracting it (that cancels): sums of what is before and behind it do. The kernel then errs by the rounding
//! of x - max (an absolute error of the exponent), of exp, of the sum, of the quotient, and by what it cuts to zero.

use super::Bound;
use super::enclosure::{Enclosure, Nan};
use crate::arith::ideal::Powers;
use crate::arith::{Arith, Function};
use crate::contract::Format;
use crate::function;
use crate::tolerance::Library;

/// Errors of a softmax kernel over a row of one length.
struct KernelErrors {
    /// Of an exponent, relative.
    exponent: f64,
    /// Of a power, relative.
    power: f64,
    /// Of a power, absolute.
    cut: f64,
    /// Of the sum of all powers, relative.
    sum: f64,
    /// Of what follows, relative to the result.
    last: f64,
}

impl Bound {
    /// Of a row of that many elements, which lie so far apart.
    fn softmax_errors(&self, length: usize, beta: f64, spread: f64) -> KernelErrors {
        let c = &self.contract;
        let unit = c.unit(c.intermediates);
        let exp = c.library.allowance(Function::Exp);
        // Where a power is no normal number any more, `cut` holds what it may be.
        let exponents = spread.min(-c.intermediates.min_normal().ln());
        let n = length as f64;
        let mut cut = exp.floor + c.intermediates.underflow();
        if c.flush || exp.flush {
            cut += c.intermediates.min_normal();
        }
        if c.intermediates == Format::Half && !exp.flush && c.library != Library::Exact {
            // binary16 kernels cut arguments whose power would be subnormal.
            cut += c.intermediates.min_normal();
        }
        let slack = 32.0 * f64::EPSILON;
        KernelErrors {
            exponent: if beta == 1.0 { unit } else { 2.0 * unit + Format::Single.unit().min(unit) } + slack,
            power: (exp.relative + exp.growth * exponents) * c.library.unit() + unit + slack,
            cut,
            // A sum of rounded powers, or of the powers before they were rounded.
            sum: n * (c.unit(c.accumulator) + cut + f64::EPSILON) + unit + slack,
            // The rounded reciprocal or logarithm of a rounded sum, the product or difference.
            last: 3.0 * unit + slack,
        }
    }

    /// exp(beta (x - max)) / sum, or its logarithm.
    pub(super) fn softmax_row(&self, row: &[Enclosure], beta: f64, log: bool) -> Vec<Enclosure> {
        let centres: Vec<f64> = row.iter().map(|x| x.v).collect();
        let centre = Powers::new(&centres, beta);
        let exact = centre.softmax(log);
        let top = row.iter().map(|x| x.hi * beta).fold(f64::NEG_INFINITY, f64::max);
        let regular = beta > 0.0 && row.iter().all(|x| x.nan == Nan::Impossible) && top.is_finite();
        // A row that may be all -inf has no largest element: -inf - -inf.
        if !regular || row.iter().all(|x| x.lo == f64::NEG_INFINITY) {
            return self.irregular_softmax(row, &exact, log);
        }
        let least = row.iter().map(|x| x.lo * beta).fold(f64::INFINITY, f64::min);
        let errors = self.softmax_errors(row.len(), beta, top - least);
        let kept = || self.kept_softmax(row, &centre, &exact, beta, log, top, &errors);
        // The steps of our own interpreter are known one by one; from single numbers they lead to a narrower interval.
        if self.contract.library != Library::Exact || !row.iter().all(|x| x.is_point() && x.lo.is_finite()) {
            return kept();
        }
        let steps = self.stepwise_softmax(row, beta, log);
        // Where they lead to less than the other bound leaves at least, they alone are the bound.
        let reach = 1.0 + errors.sum + errors.last;
        let is_narrower =
            |(s, v): (&Enclosure, &f64)| s.nan == Nan::Impossible && s.lo * reach >= *v && s.hi <= v * reach;
        if !log && steps.iter().zip(&exact).all(is_narrower) {
            return steps.into_iter().zip(exact).map(|(s, v)| Enclosure { v, ..s }).collect();
        }
        let both = |(k, s): (Enclosure, Enclosure)| {
            let met = s.is_finite() && s.lo.max(k.lo) <= s.hi.min(k.hi);
            if met { Enclosure { lo: s.lo.max(k.lo), hi: s.hi.min(k.hi), ..k } } else { k }
        };
        kept().into_iter().zip(steps).map(both).collect()
    }

    /// x - max, its multiple, its power, their sum, the quotient or the difference: each rounded by itself.
    fn stepwise_softmax(&self, row: &[Enclosure], beta: f64, log: bool) -> Vec<Enclosure> {
        let max = row.iter().copied().fold(Enclosure::point(f64::NEG_INFINITY), |m, x| self.max(m, x));
        let shifted: Vec<Enclosure> = row
            .iter()
            .map(|&x| {
                let d = self.sub(x, max);
                if beta == 1.0 { d } else { self.mul(d, Enclosure::point(beta)) }
            })
            .collect();
        let powers: Vec<Enclosure> = shifted.iter().map(|&d| self.apply(Function::Exp, d)).collect();
        let total = self.sum(&powers);
        if log {
            let total = self.apply(Function::Log, total);
            return shifted.into_iter().map(|d| self.sub(d, total)).collect();
        }
        powers.into_iter().map(|p| self.div(p, total)).collect()
    }

    /// The bound of any kernel that errs as `errors` says.
    fn kept_softmax(
        &self,
        row: &[Enclosure],
        centre: &Powers,
        exact: &[f64],
        beta: f64,
        log: bool,
        top: f64,
        errors: &KernelErrors,
    ) -> Vec<Enclosure> {
        // Exponents relative to the largest end, with the rounding of the shifted argument.
        let shifted = |x: f64, sign: f64| {
            let d = x * beta - top;
            if d.is_finite() {
                d + sign * (errors.exponent * d.abs() + 4.0 * f64::EPSILON * (x * beta).abs())
            } else {
                d
            }
        };
        // x - max is not positive, rounded or not.
        let high: Vec<f64> = row.iter().map(|x| shifted(x.hi, 1.0).min(0.0)).collect();
        let low: Vec<f64> = row.iter().map(|x| shifted(x.lo, -1.0)).collect();
        let above = |power: f64| power * (1.0 + errors.power) + errors.cut;
        let below = |power: f64| (power * (1.0 - errors.power) - errors.cut).max(0.0);
        let exp = |ends: &[f64]| -> Vec<f64> {
            let known = centre.exponents.iter().copied().zip(centre.powers.iter().copied());
            ends.iter().zip(known).map(|(&d, known)| function::exp_beside(d, known)).collect()
        };
        let (exp_high, exp_low) = (exp(&high), exp(&low));
        let powers_high: Vec<f64> = exp_high.iter().map(|&p| above(p)).collect();
        let powers_low: Vec<f64> = exp_low.iter().map(|&p| below(p)).collect();
        let others_high = sums_without_each(&powers_high);
        let others_low = sums_without_each(&powers_low);
        (0..row.len())
            .map(|i| {
                if log {
                    // The element and its own power move together, but the power errs by itself.
                    let (own_low, own_high) = (below(exp_high[i]), above(exp_low[i]));
                    let total_low = (own_low + others_low[i]) * (1.0 - errors.sum);
                    let total_high = (own_high + others_high[i]) * (1.0 + errors.sum);
                    self.log_result(exact[i], (low[i], high[i]), (total_low, total_high), errors)
                } else {
                    let share = |own: f64, others: f64| if own == 0.0 { 0.0 } else { own / (own + others) };
                    let reach = 1.0 + errors.sum + errors.last;
                    let lo = share(powers_low[i], others_high[i]) / reach;
                    let hi = share(powers_high[i], others_low[i]) * reach;
                    let tiny = self.contract.intermediates.underflow();
                    let kept = Enclosure::of(exact[i], (lo - tiny).max(0.0), hi + tiny);
                    if self.contract.flush || errors.cut >= Format::Half.min_normal() {
                        super::flushed(kept)
                    } else {
                        kept
                    }
                }
            })
            .collect()
    }

    /// d - log(total), with the absolute error that a relative error of the total is worth.
    fn log_result(
        &self,
        v: f64,
        (low, high): (f64, f64),
        total: (f64, f64),
        errors: &KernelErrors,
    ) -> Enclosure {
        let unit = self.contract.unit(self.contract.intermediates);
        let log = self.contract.library.allowance(Function::Log);
        // What may be 0 counts no further down than this.
        let logs = (libm::log(total.0), libm::log(total.1));
        let least = if total.0 >= 1e-300 { logs.0 } else { libm::log(1e-300) };
        let widest = logs.1.abs().max(least.abs());
        let of_log = (log.relative * self.contract.library.unit() + unit) * widest + log.floor;
        let steps = errors.last * (low.abs().min(1e300) + widest) + self.contract.intermediates.underflow();
        let reach = of_log + if steps.is_finite() { steps } else { 0.0 };
        let lo = low - logs.1 - reach;
        // The logarithm of a probability is not positive, up to the kernel's own error.
        let hi = if total.0 > 0.0 { high - logs.0 + reach } else { f64::INFINITY };
        let hi = hi.min(reach + errors.sum + errors.power);
        Enclosure::of(v, lo, hi)
    }

    /// Rows with NaN, +inf or nothing finite at all.
    fn irregular_softmax(&self, row: &[Enclosure], exact: &[f64], log: bool) -> Vec<Enclosure> {
        let all_low = row.iter().all(|x| x.nan == Nan::Impossible && x.hi == f64::NEG_INFINITY);
        let certain = all_low
            || row.iter().any(|x| x.nan == Nan::Certain || x.nan == Nan::Impossible && x.lo == f64::INFINITY);
        exact
            .iter()
            .map(|&v| match (certain, log) {
                (true, _) => Enclosure::certain_nan(v),
                (false, true) => Enclosure::anything(v),
                (false, false) => Enclosure { v, lo: 0.0, hi: 1.0 + 0.125, nan: Nan::Possible },
            })
            .collect()
    }
}

/// For each element the sum of all others, by sums from both sides.
fn sums_without_each(values: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; values.len()];
    let mut before = 0.0;
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum = before;
        before += value;
    }
    let mut behind = 0.0;
    for (sum, value) in sums.iter_mut().zip(values).rev() {
        *sum += behind;
        behind += value;
    }
    sums
}
