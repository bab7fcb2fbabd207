//! The runtimes under test, one file each, and how they are opened by name.

pub mod interp;
pub mod litert;
pub mod tract;

use crate::worker::{Limits, Program};
use crate::{Runtime, Unavailable};
use interp::Interpreter;
use litert::interpreter::PythonInterpreter;
use litert::{LiteRt, Mode};
use tract::Tract;

/// Every name that [`open`] knows, in the order of tables and reports.
pub const NAMES: [&str; 12] = [
    "interp-f16",
    "interp-f32",
    "litert-reference",
    "litert-builtin",
    "litert-xnnpack",
    "litert-xnnpack-fp16",
    "litert-reference-interpreter",
    "litert-builtin-interpreter",
    "litert-xnnpack-interpreter",
    "litert-gpu",
    "litert-gpu-fp16",
    "tract",
];

/// Opens runtimes by name; those of one library share its worker processes, which are started with `worker`. One answer
/// per name: a runtime, or why it is not there.
pub fn open(names: &[&str], worker: &Program, limits: Limits) -> Vec<Result<Box<dyn Runtime>, Unavailable>> {
    let litert = LiteRt::all(worker.clone(), limits);
    let gpu = LiteRt::gpu(worker.clone(), limits);
    let fronts = PythonInterpreter::all(limits);
    let one = |&name: &&str| -> Result<Box<dyn Runtime>, Unavailable> {
        match name {
            "interp-f16" => Ok(Box::new(Interpreter::f16())),
            "interp-f32" => Ok(Box::new(Interpreter::f32())),
            "tract" => Ok(Box::new(Tract::new(limits)?)),
            _ => {
                let unknown = || Unavailable {
                    system: name.to_string(),
                    why: format!("no such runtime; there are: {}", NAMES.join(", ")),
                };
                if name.ends_with("-interpreter") {
                    let found = fronts.clone()?.into_iter().find(|r| r.name() == name);
                    return found.map(|r| Box::new(r) as Box<dyn Runtime>).ok_or_else(unknown);
                }
                let mode = Mode::from_name(name).ok_or_else(unknown)?;
                let modes = if mode.is_gpu() { &gpu } else { &litert }.clone()?;
                let found = modes.into_iter().find(|r| r.mode() == mode);
                found.map(|r| Box::new(r) as Box<dyn Runtime>).ok_or_else(unknown)
            }
        }
    };
    names.iter().map(one).collect()
}
