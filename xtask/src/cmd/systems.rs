//! Opens converters and runtimes by the names of the command line.

use crate::exit::Failure;
use halfproof_ir::Precision;
use halfproof_reports::schema::{Skipped, System, SystemKind};
use halfproof_systems::converters;
use halfproof_systems::runtimes::{self, interp::Interpreter};
use halfproof_systems::worker::{Limits, Program};
use halfproof_systems::{Converter, Runtime};

/// Runtimes that a campaign uses when none are named: ours on every test, LiteRT's on a share.
pub(crate) const DEFAULT_RUNTIMES: [&str; 6] = [
    "interp-f16",
    "interp-f32",
    "litert-reference",
    "litert-builtin",
    "litert-xnnpack",
    "litert-xnnpack-fp16",
];

/// The converter of that name.
pub(crate) fn converter(name: &str) -> Result<Box<dyn Converter>, Failure> {
    if !converters::is_known(name) {
        let all = converters::names().join(", ");
        return Err(Failure::bad_input(format!(
            "no converter is called \"{name}\"; there are: {all}, cmd:PROGRAM"
        )));
    }
    converters::open(name).map_err(Failure::harness)
}

/// Those of the strategies that a converter follows.
pub(crate) fn followed(
    converter: &dyn Converter,
    mut precisions: Vec<Precision>,
) -> Result<Vec<Precision>, Failure> {
    precisions.retain(|p| converter.precisions().contains(p));
    if precisions.is_empty() {
        let all: Vec<&str> = converter.precisions().iter().map(|p| p.name()).collect();
        let name = converter.name();
        return Err(Failure::bad_input(format!(
            "{name} does not follow that strategy, only {}",
            all.join(", ")
        )));
    }
    Ok(precisions)
}

/// Runtimes of one pipeline.
pub(crate) struct Opened {
    /// Ours, in this process.
    pub(crate) interpreters: Vec<Interpreter>,
    /// Those in workers.
    pub(crate) outside: Vec<Box<dyn Runtime>>,
    /// Those that could not be opened.
    pub(crate) skipped: Vec<Skipped>,
}

/// Checks the names, so that a typo is bad input and not a skipped system.
pub(crate) fn check_runtimes(names: &[String]) -> Result<(), Failure> {
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            return Err(Failure::bad_input(format!(
                "--runtime names {name} twice; its runs would count twice"
            )));
        }
        if !runtimes::NAMES.contains(&name.as_str()) {
            let all = runtimes::NAMES.join(", ");
            return Err(Failure::bad_input(format!("no runtime is called \"{name}\"; there are: {all}")));
        }
    }
    Ok(())
}

/// Opens runtimes.
pub(crate) fn open(names: &[String]) -> Opened {
    open_within(names, Limits::default())
}

/// Opens runtimes whose workers may use that much.
pub(crate) fn open_within(names: &[String], limits: Limits) -> Opened {
    let mut opened = Opened { interpreters: vec![], outside: vec![], skipped: vec![] };
    let mut outside: Vec<&str> = vec![];
    for name in names {
        match name.as_str() {
            "interp-f16" => opened.interpreters.push(Interpreter::f16()),
            "interp-f32" => opened.interpreters.push(Interpreter::f32()),
            other => outside.push(other),
        }
    }
    if outside.is_empty() {
        return opened;
    }
    let skip = |system: &str, reason: String| Skipped {
        system: system.to_string(),
        reason,
        remedy: Some(format!("cargo xtask setup {}", family(system))),
    };
    match Program::find() {
        Ok(program) => {
            for (name, answer) in outside.iter().zip(runtimes::open(&outside, &program, limits)) {
                match answer {
                    Ok(runtime) => opened.outside.push(runtime),
                    Err(e) => opened.skipped.push(skip(name, e.why)),
                }
            }
        }
        Err(e) => opened.skipped.extend(outside.iter().map(|name| skip(name, e.why.clone()))),
    }
    opened
}

/// What `setup` calls the system that a runtime belongs to.
fn family(runtime: &str) -> &str {
    match runtime.strip_suffix("-fp16").unwrap_or(runtime) {
        "litert-gpu" => "litert-gpu",
        front if front.ends_with("-interpreter") => "litert-interpreter",
        other => other.split('-').next().unwrap_or(other),
    }
}

impl Opened {
    /// What took part, for the run's record.
    pub(crate) fn systems(&self) -> Vec<System> {
        let system = |name: &str, version: &str| System {
            name: name.to_string(),
            kind: SystemKind::Runtime,
            version: version.to_string(),
        };
        let ours = self.interpreters.iter().map(|r| system(r.name(), r.version()));
        ours.chain(self.outside.iter().map(|r| system(r.name(), r.version()))).collect()
    }

    /// Says loudly what is missing.
    pub(crate) fn warn(&self) {
        for s in &self.skipped {
            let remedy = s.remedy.as_deref().map(|r| format!(" (run `{r}`)")).unwrap_or_default();
            anstream::eprintln!("SKIPPED {}: {}{remedy}", s.system, s.reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{check_runtimes, family};

    #[test]
    fn each_runtime_names_the_setup_that_brings_it() {
        let families =
            ["litert-xnnpack-fp16", "litert-xnnpack-interpreter", "litert-gpu", "litert-gpu-fp16", "tract"]
                .map(family);
        assert_eq!(families, ["litert", "litert-interpreter", "litert-gpu", "litert-gpu", "tract"]);
    }

    #[test]
    fn a_runtime_is_named_once() {
        let names = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(check_runtimes(&names(&["interp-f16", "interp-f32"])).is_ok());
        let failure = check_runtimes(&names(&["interp-f16", "interp-f32", "interp-f16"]));
        assert!(failure.is_err_and(|f| f.message.contains("names interp-f16 twice")));
    }
}
