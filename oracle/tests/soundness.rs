//! Thousands of correct executions of random programs against the bound: none may be outside, and the bound may not be
//! vacuous. The long run (`cargo test --release -p halfproof-oracle --test soundness -- --ignored --nocapture`) prints
//! the figures of docs/oracle.md.

use std::collections::BTreeMap;

use halfproof_ir::DType;
use halfproof_oracle::arith::{Accumulator, Arith, Bound, ExecutionModel, Function, Half, Order};
use halfproof_oracle::contract::{Contract, Format};
use halfproof_oracle::half;
use halfproof_oracle::tolerance::Library;

/// A small deterministic generator (splitmix64).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
    fn gaussian(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// One step of a program over vectors that all have the program's width.
#[derive(Clone, Debug)]
enum Step {
    Add(usize, usize),
    Sub(usize, usize),
    Mul(usize, usize),
    Div(usize, usize),
    Pow(usize, f64),
    Max(usize, usize),
    Apply(Function, usize),
    /// A square matrix (row-major) and a bias.
    Dense(usize, Vec<f64>, Option<Vec<f64>>),
    Softmax(usize, f64, bool),
    /// The sum, and then the mean, subtracted from every element.
    CenterBySum(usize),
    CenterByMean(usize),
    /// Layer normalisation with that epsilon, in steps that are not stored.
    Normalise(usize, f64),
    /// Where the first is greater than the second the third, else the first.
    Where(usize, usize, usize),
    Blend(usize),
    CumulativeSum(usize),
}

#[derive(Debug)]
struct Program {
    width: usize,
    dtype: DType,
    inputs: Vec<Vec<f64>>,
    steps: Vec<Step>,
}

const FUNCTIONS: [Function; 25] = [
    Function::Exp,
    Function::Log,
    Function::Sqrt,
    Function::Rsqrt,
    Function::Reciprocal,
    Function::Sin,
    Function::Cos,
    Function::Tanh,
    Function::Logistic,
    Function::Erf,
    Function::Floor,
    Function::Ceil,
    Function::Round,
    Function::Sign,
    Function::Abs,
    Function::Neg,
    Function::Square,
    Function::Relu,
    Function::LeakyRelu { alpha: 0.3 },
    Function::Elu { alpha: 1.25 },
    Function::Gelu,
    Function::GeluTanh,
    Function::HardSwish,
    Function::Softplus,
    Function::Mish,
];

fn program(rng: &mut Rng, dtype: DType) -> Program {
    let width = [1, 2, 3, 5, 8, 17, 40][rng.below(7)];
    let scales = [1e-6, 0.01, 0.3, 1.0, 1.0, 3.0, 30.0, 300.0];
    let lattice = rng.below(4) == 0;
    let draw = |rng: &mut Rng, scale: f64| {
        if lattice { rng.below(9) as f64 - 4.0 } else { half::round(rng.gaussian() * scale) }
    };
    let inputs = (0..2)
        .map(|_| {
            let scale = scales[rng.below(8)];
            (0..width).map(|_| draw(rng, scale)).collect()
        })
        .collect();
    let mut steps = Vec::new();
    for i in 0..1 + rng.below(10) {
        let count = i + 2;
        // Mostly the newest value, so that programs get deep.
        let pick = |rng: &mut Rng| if rng.below(3) == 0 { rng.below(count) } else { count - 1 };
        let (a, b, c) = (pick(rng), rng.below(count), rng.below(count));
        steps.push(match rng.below(18) {
            0 => Step::Add(a, b),
            1 => Step::Sub(a, b),
            2 => Step::Mul(a, b),
            3 => Step::Div(a, b),
            4 => Step::Pow(a, [2.0, 3.0, 0.5, -1.0, 1.7][rng.below(5)]),
            5 => Step::Max(a, b),
            6..=8 => {
                let scale = 1.0 / (width as f64).sqrt();
                let weights = (0..width * width).map(|_| draw(rng, scale)).collect();
                let bias = (rng.below(2) == 0).then(|| (0..width).map(|_| draw(rng, 0.5)).collect());
                Step::Dense(a, weights, bias)
            }
            9 => Step::Softmax(a, [1.0, 1.0, 0.5, 3.0][rng.below(4)], rng.below(3) == 0),
            10 => Step::CenterBySum(a),
            11 => Step::CenterByMean(a),
            12 => Step::Normalise(a, [1e-5, 1e-3, 1e-12][rng.below(3)]),
            13 => Step::Where(a, b, c),
            14 => [Step::Blend(a), Step::CumulativeSum(a)][rng.below(2)].clone(),
            _ => Step::Apply(FUNCTIONS[rng.below(FUNCTIONS.len())], a),
        });
    }
    Program { width, dtype, inputs, steps }
}

/// One step on given operands.
fn step<A: Arith>(arith: &A, program: &Program, step: &Step, values: &[Vec<A::E>]) -> Vec<A::E> {
    let n = program.width;
    let each = |f: &dyn Fn(usize) -> A::E| (0..n).map(f).collect::<Vec<_>>();
    let exact = |x: f64| arith.exact(x);
    let raw = match step {
        Step::Add(a, b) => each(&|i| arith.add(values[*a][i], values[*b][i])),
        Step::Sub(a, b) => each(&|i| arith.sub(values[*a][i], values[*b][i])),
        Step::Mul(a, b) => each(&|i| arith.mul(values[*a][i], values[*b][i])),
        Step::Div(a, b) => each(&|i| arith.div(values[*a][i], values[*b][i])),
        Step::Pow(a, p) => each(&|i| arith.pow(values[*a][i], arith.store(exact(*p), program.dtype))),
        Step::Max(a, b) => each(&|i| arith.max(values[*a][i], values[*b][i])),
        Step::Apply(f, a) => each(&|i| arith.apply(*f, values[*a][i])),
        Step::Dense(a, w, bias) => each(&|i| {
            let row: Vec<A::E> = w[i * n..][..n].iter().map(|&x| exact(x)).collect();
            arith.dot(&values[*a], &row, bias.as_ref().map(|b| exact(b[i])))
        }),
        Step::Softmax(a, beta, log) => arith.softmax(&values[*a], *beta, *log),
        Step::CenterBySum(a) => {
            let sum = arith.sum(&values[*a]);
            each(&|i| arith.sub(values[*a][i], arith.intermediate(sum)))
        }
        Step::CenterByMean(a) => {
            let mean = arith.mean(&values[*a]);
            each(&|i| arith.sub(values[*a][i], arith.intermediate(mean)))
        }
        Step::Normalise(a, epsilon) => {
            let mean = arith.intermediate(arith.mean(&values[*a]));
            let centred = each(&|i| arith.intermediate(arith.sub(values[*a][i], mean)));
            let squares: Vec<A::E> = centred.iter().map(|&d| arith.apply(Function::Square, d)).collect();
            let variance = arith.intermediate(arith.mean(&squares));
            let guarded = arith.intermediate(arith.add(variance, exact(*epsilon)));
            let scale = arith.intermediate(arith.apply(Function::Rsqrt, guarded));
            each(&|i| arith.mul(centred[i], scale))
        }
        Step::Where(a, b, c) => each(&|i| {
            let (order, decided) = arith.compare(values[*a][i], values[*b][i]);
            let greater = order == halfproof_oracle::arith::Comparison::Greater;
            let (yes, no) = (values[*c][i], values[*a][i]);
            let (taken, other) = if greater { (yes, no) } else { (no, yes) };
            if decided { taken } else { arith.either(taken, other) }
        }),
        Step::Blend(a) => each(&|i| {
            let weights: Vec<f64> = (0..n)
                .map(|j| {
                    if j == i {
                        0.625
                    } else if j == (i + 1) % n {
                        0.375
                    } else {
                        0.0
                    }
                })
                .collect();
            arith.blend(&values[*a], &weights)
        }),
        Step::CumulativeSum(a) => each(&|i| arith.sum(&values[*a][..=i])),
    };
    raw.into_iter().map(|x| arith.store(x, program.dtype)).collect()
}

fn run<A: Arith>(arith: &A, program: &Program) -> Vec<Vec<A::E>> {
    let mut values: Vec<Vec<A::E>> =
        program.inputs.iter().map(|v| v.iter().map(|&x| arith.exact(x)).collect()).collect();
    for s in &program.steps {
        let next = step(arith, program, s, &values);
        values.push(next);
    }
    values
}

/// Models and the contract that promises to hold them.
fn pairings(rng: &mut Rng, dtype: DType) -> Vec<(ExecutionModel, Contract)> {
    let orders = [
        Order::Sequential,
        Order::Reverse,
        Order::Pairwise,
        Order::Lanes(2 + rng.below(15) as u8),
        Order::Permuted(rng.next()),
    ];
    let flip = |rng: &mut Rng| rng.below(2) == 0;
    let noise = [0.0, 1.0, 2.0, 3.0][rng.below(4)];
    let order = orders[rng.below(5)];
    if dtype == DType::F32 {
        let model =
            ExecutionModel { order, fma: flip(rng), kernel_noise_ulp: noise, ..ExecutionModel::SINGLE };
        return vec![(model, Contract::single())];
    }
    let narrow = |rng: &mut Rng| if flip(rng) { Accumulator::F16 } else { Accumulator::F32 };
    let model = ExecutionModel {
        accumulator: narrow(rng),
        order,
        fma: flip(rng),
        flush: flip(rng),
        intermediates: narrow(rng),
        kernel_noise_ulp: noise,
        force_f16: false,
    };
    let tight = Contract {
        accumulator: if model.accumulator == Accumulator::F16 { Format::Half } else { Format::Single },
        intermediates: if model.intermediates == Accumulator::F16 { Format::Half } else { Format::Single },
        registers: if model.intermediates == Accumulator::F16 { Format::Half } else { Format::Single },
        flush: model.flush,
        library: match model.intermediates {
            Accumulator::F16 => Library::Noise(Format::Half, (noise * 100.0) as u32),
            Accumulator::F32 => Library::Noise(Format::Single, (noise * 100.0) as u32),
        },
        ..Contract::half()
    };
    vec![(model, tight), (model, Contract::any_half())]
}

#[derive(Default)]
struct Score {
    executions: u64,
    elements: u64,
    excluded: u64,
    outside: u64,
    examples: Vec<String>,
    /// Bound over largest actual error of a tensor: by one operator or whole program, by the execution's own contract
    /// or the one that admits any.
    ratios: BTreeMap<(&'static str, &'static str), Vec<f64>>,
}

impl Score {
    fn take(&mut self, rng: &mut Rng, program: &Program) {
        for (kind, (model, contract)) in
            ["own contract", "any execution"].into_iter().zip(pairings(rng, program.dtype))
        {
            let machine = Half::new(model);
            let bound = Bound::under(contract);
            let actual = run(&machine, program);
            let global = run(&bound, program);
            self.executions += 1;
            for (index, s) in program.steps.iter().enumerate() {
                // The one-operator bound starts from what the execution itself had.
                let own: Vec<Vec<_>> =
                    actual.iter().map(|v| v.iter().map(|&x| bound.exact(f64::from(x))).collect()).collect();
                let local = step(&bound, program, s, &own);
                for (which, enclosures) in [("whole program", &global[index + 2]), ("one operator", &local)] {
                    let (mut worst_error, mut worst_bound) = (0.0f64, 0.0f64);
                    for (e, &x) in enclosures.iter().zip(&actual[index + 2]) {
                        let x = f64::from(x);
                        self.elements += 1;
                        self.excluded += u64::from(!e.is_finite());
                        if !e.contains(x) {
                            self.outside += 1;
                            if self.examples.len() < 4 {
                                self.examples.push(format!(
                                    "{which}, {kind}: step {index} {s:?} gave {x:e}, not {e:?}; {model:?} of {:?}",
                                    &actual[..index + 2]
                                ));
                            }
                        } else if e.is_finite() && e.v.is_finite() {
                            worst_error = worst_error.max((x - e.v).abs());
                            worst_bound = worst_bound.max(e.radius());
                        }
                    }
                    if worst_error > 0.0 && worst_bound.is_finite() {
                        self.ratios.entry((which, kind)).or_default().push(worst_bound / worst_error);
                    }
                }
            }
        }
    }
}

fn simulate(seed: u64, programs: usize) -> Score {
    let mut rng = Rng(seed);
    let mut score = Score::default();
    for i in 0..programs {
        let dtype = if i % 5 == 4 { DType::F32 } else { DType::F16 };
        let p = program(&mut rng, dtype);
        score.take(&mut rng, &p);
    }
    score
}

fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * q) as usize]
}

#[test]
fn no_correct_execution_is_outside_its_bound() {
    let mut score = simulate(1, 20_000);
    assert_eq!(score.outside, 0, "of {} elements: {:#?}", score.elements, score.examples);
    let local = score.ratios.get_mut(&("one operator", "own contract")).expect("some tensor has an error");
    assert!(quantile(local, 0.5) < 1.5, "one-operator bounds are loose");
    assert!(score.excluded * 3 < score.elements, "too much is excluded");
}

#[test]
#[ignore = "minutes; prints the figures of docs/oracle.md"]
fn figures_of_a_long_run() {
    let mut score = simulate(778, 600_000);
    println!(
        "{} executions, {} elements, {} outside, {:.2} % not finite",
        score.executions,
        score.elements,
        score.outside,
        100.0 * score.excluded as f64 / score.elements as f64
    );
    for ((which, kind), values) in &mut score.ratios {
        let (median, p90) = (quantile(values, 0.5), quantile(values, 0.9));
        println!(
            "bound over error, {which}, {kind}: median {median:.2}, p90 {p90:.1} of {} tensors",
            values.len()
        );
    }
    assert_eq!(score.outside, 0, "{:#?}", score.examples);
}
