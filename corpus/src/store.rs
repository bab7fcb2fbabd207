//! Cases as folders: `graph.txt`, `weights.npz`, `inputs.npz` and `case.toml`, in a fixed order whatever the disk says.

use crate::{About, Case, CorpusError, InputSet, KnownIssue};
use halfproof_ir::{Tensor, text, validate};
use halfproof_wire::file::{self, write_atomically};
use halfproof_wire::npz;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Constants of more elements than this go to `weights.npz`; shorter ones are readable in `graph.txt`.
pub const INLINE_ELEMENTS: usize = 32;

/// The name of the one input set of a graph without inputs.
pub const NO_INPUTS: &str = "none";

const GRAPH: &str = "graph.txt";
const WEIGHTS: &str = "weights.npz";
const INPUTS: &str = "inputs.npz";
const ABOUT: &str = "case.toml";

/// A stored case that has not been loaded yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its folder below the root, with `/` between the parts: `regressions/softmax/equal-row`.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
}

/// All cases below a folder, sorted by name. A folder is a case when it holds a `case.toml`, which is written last:
/// what an interrupted [`save`] leaves behind is not listed.
///
/// # Errors
/// When a folder cannot be listed.
pub fn list(root: &Path) -> Result<Vec<Entry>, CorpusError> {
    let mut entries = vec![];
    collect(root, "", &mut entries)?;
    entries.sort();
    Ok(entries)
}

fn collect(folder: &Path, name: &str, entries: &mut Vec<Entry>) -> Result<(), CorpusError> {
    for (child, path) in children(folder)? {
        if !path.is_dir() || child.starts_with('.') {
            continue;
        }
        let name = if name.is_empty() { child } else { format!("{name}/{child}") };
        if path.join(ABOUT).is_file() {
            entries.push(Entry { name, folder: path });
        } else {
            collect(&path, &name, entries)?;
        }
    }
    Ok(())
}

fn children(folder: &Path) -> Result<Vec<(String, PathBuf)>, CorpusError> {
    let fail = |source| CorpusError::Folder { path: folder.into(), action: "list", source };
    let mut children = vec![];
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        children.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    children.sort();
    Ok(children)
}

/// Loads the case in a folder.
///
/// # Errors
/// When a file is missing or damaged, or the parts do not fit each other; the error names the file.
pub fn load(folder: &Path) -> Result<Case, CorpusError> {
    let about: About = read_toml(&folder.join(ABOUT))?;
    let weights = read_npz(&folder.join(WEIGHTS))?;
    let weights: Vec<_> = weights.into_iter().map(|(name, t)| (name, Arc::new(t))).collect();
    let path = folder.join(GRAPH);
    let graph = text::parse_with(&read_text(&path)?, &weights)
        .map_err(|source| CorpusError::Text { path: path.clone(), source })?;
    validate::validate(&graph).map_err(|source| CorpusError::Graph { path, source })?;

    let path = folder.join(INPUTS);
    let mismatch = |reason| CorpusError::Mismatch { path: path.clone(), reason };
    let mut inputs: Vec<InputSet> = vec![];
    let mut arrays = read_npz(&path)?;
    let mut sets: Vec<String> = vec![];
    for (name, _) in &arrays {
        let set = name.split_once('/').map_or("", |(set, _)| set);
        if !sets.iter().any(|s| s == set) {
            sets.push(set.to_string());
        }
    }
    for set in sets {
        let mut tensors = vec![];
        for &id in &graph.inputs {
            let name = &graph.value(id).name;
            let full = format!("{set}/{name}");
            let Some(at) = arrays.iter().position(|(n, _)| *n == full) else {
                return Err(mismatch(format!("set \"{set}\" lacks the input \"{name}\"")));
            };
            tensors.push(arrays.remove(at).1);
        }
        inputs.push(InputSet { name: set, tensors });
    }
    if let Some((name, _)) = arrays.first() {
        return Err(mismatch(format!("array \"{name}\" is not SET/INPUT of an input of the graph")));
    }
    // There is one way to run a graph without inputs, and no array that could say so.
    if graph.inputs.is_empty() {
        inputs = vec![InputSet { name: NO_INPUTS.to_string(), tensors: vec![] }];
    }
    let case = Case { graph, inputs, about };
    case.check_inputs().map_err(mismatch)?;
    case.check_expectations().map_err(|reason| CorpusError::Mismatch { path: folder.join(ABOUT), reason })?;
    Ok(case)
}

/// Saves a case to a folder, which is made where it does not exist; an older case there is replaced.
///
/// # Errors
/// When the parts of the case do not fit each other, or a file cannot be written.
pub fn save(folder: &Path, case: &Case) -> Result<(), CorpusError> {
    case.check_inputs().map_err(|reason| CorpusError::Mismatch { path: folder.join(INPUTS), reason })?;
    case.check_expectations().map_err(|reason| CorpusError::Mismatch { path: folder.join(ABOUT), reason })?;
    std::fs::create_dir_all(folder).map_err(|source| CorpusError::Folder {
        path: folder.into(),
        action: "make",
        source,
    })?;
    // Without its case.toml the folder is no case, so that nobody reads old and new parts together.
    remove(&folder.join(ABOUT))?;
    let printed = text::print_with(&case.graph, INLINE_ELEMENTS);
    let weights: Vec<_> = printed.weights.into_iter().map(|(n, t)| (n, Arc::unwrap_or_clone(t))).collect();
    write_npz(&folder.join(WEIGHTS), &weights)?;
    let mut arrays = vec![];
    for set in &case.inputs {
        for (&id, tensor) in case.graph.inputs.iter().zip(&set.tensors) {
            arrays.push((format!("{}/{}", set.name, case.graph.value(id).name), tensor.clone()));
        }
    }
    write_npz(&folder.join(INPUTS), &arrays)?;
    write_atomically(&folder.join(GRAPH), printed.text.as_bytes())?;
    write_toml(&folder.join(ABOUT), &case.about)
}

/// All known issues below a folder (`known-issues/SYSTEM/SLUG.toml`), sorted by their names (`SYSTEM/SLUG`).
///
/// # Errors
/// When a folder cannot be listed or a file does not have the documented form.
pub fn known_issues(root: &Path) -> Result<Vec<(String, KnownIssue)>, CorpusError> {
    let mut issues = vec![];
    for (system, folder) in children(root)? {
        if !folder.is_dir() {
            continue;
        }
        for (file, path) in children(&folder)? {
            if let Some(slug) = file.strip_suffix(".toml") {
                let issue: KnownIssue = read_toml(&path)?;
                issue.check().map_err(|reason| CorpusError::Mismatch { path: path.clone(), reason })?;
                issues.push((format!("{system}/{slug}"), issue));
            }
        }
    }
    Ok(issues)
}

/// Saves a known issue as `SYSTEM/SLUG.toml` below a folder.
///
/// # Errors
/// When it contradicts itself, or the file cannot be written.
pub fn save_known_issue(root: &Path, name: &str, issue: &KnownIssue) -> Result<(), CorpusError> {
    let path = root.join(format!("{name}.toml"));
    issue.check().map_err(|reason| CorpusError::Mismatch { path: path.clone(), reason })?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|source| CorpusError::Folder {
            path: folder.into(),
            action: "make",
            source,
        })?;
    }
    write_toml(&path, issue)
}

/// A title as the name of a folder: lower-case words joined by hyphens, at most 60 characters.
pub fn slug(title: &str) -> String {
    let mut slug = String::new();
    for word in title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()) {
        if slug.len() + word.len() + 1 > 60 {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&word.to_ascii_lowercase());
    }
    if slug.is_empty() { "case".to_string() } else { slug }
}

fn read_text(path: &Path) -> Result<String, CorpusError> {
    String::from_utf8(file::read(path)?)
        .map_err(|_| CorpusError::Mismatch { path: path.into(), reason: "is no UTF-8 text".to_string() })
}

fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, CorpusError> {
    toml::from_str(&read_text(path)?)
        .map_err(|e| CorpusError::Toml { path: path.into(), text: e.to_string().trim_end().to_string() })
}

fn write_toml<T: serde::Serialize>(path: &Path, value: &T) -> Result<(), CorpusError> {
    let text = toml::to_string_pretty(value)
        .map_err(|e| CorpusError::Toml { path: path.into(), text: e.to_string() })?;
    Ok(write_atomically(path, text.as_bytes())?)
}

/// The arrays of a file; none where there is no file.
fn read_npz(path: &Path) -> Result<Vec<(String, Tensor)>, CorpusError> {
    if !path.exists() {
        return Ok(vec![]);
    }
    npz::read(&file::read(path)?).map_err(|source| CorpusError::Npz { path: path.into(), source })
}

/// Writes arrays; where there are none, there is no file.
fn write_npz(path: &Path, arrays: &[(String, Tensor)]) -> Result<(), CorpusError> {
    if arrays.is_empty() {
        return remove(path);
    }
    let bytes = npz::write(arrays).map_err(|source| CorpusError::Npz { path: path.into(), source })?;
    Ok(write_atomically(path, &bytes)?)
}

fn remove(path: &Path) -> Result<(), CorpusError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(CorpusError::Folder { path: path.into(), action: "clear", source })
        }
        _ => Ok(()),
    }
}
