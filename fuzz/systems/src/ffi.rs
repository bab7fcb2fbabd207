//! Decides how libLiteRt.so 2.3.0 is called: the only unsafe code of the workspace.
//!
//! Thirty-two C functions are declared by hand and wrapped in owners that destroy what they own and borrow what must
//! outlive them. Nothing is bound before the library's hash has been compared with the one whose headers these
//! signatures were written from: the symbol version does not change when a signature does.
//!
//! C++ exceptions may leave these functions (a signature without a name is enough). They are declared `C-unwind` and
//! called on a thread without any handler ([`on_bare_thread`]), so that `std::terminate` prints the exception and
//! raises SIGABRT. This file therefore belongs in a worker process that may die.
//!
//! Source: the public headers `litert/c/*.h` of LiteRT 2.2 and 2.3; layouts are asserted below.
#![expect(unsafe_code, reason = "a C API; every block says why it is sound")]

use halfproof_ir::DType;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

type Raw = *mut c_void;
type Code = c_int;

/// Extents that a LiteRT layout can hold.
const MAX_RANK: usize = 8;

/// `LiteRtAny` with an integer or a string in it.
#[repr(C)]
struct Any {
    kind: i32,
    value: Value,
}

#[repr(C)]
union Value {
    int: i64,
    text: *const c_char,
}

#[repr(C)]
struct EnvOption {
    tag: i32,
    value: Any,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Layout {
    /// Bits 0 to 6: rank; bit 7: has strides.
    bits: u32,
    dimensions: [i32; MAX_RANK],
    strides: [u32; MAX_RANK],
}

/// `LiteRtRankedTensorType`: element type and shape.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct TensorType {
    element: i32,
    layout: Layout,
}

const _: () = {
    assert!(size_of::<Any>() == 16 && size_of::<EnvOption>() == 24);
    assert!(size_of::<Layout>() == 68 && size_of::<TensorType>() == 72);
    assert!(std::mem::offset_of!(EnvOption, value) == 8 && std::mem::offset_of!(TensorType, layout) == 4);
};

/// Set to name every function on standard error before it is called, so that a dead worker leaves its last call behind.
static TRACE: AtomicBool = AtomicBool::new(false);

/// Turns the naming of calls on or off; see [`TRACE_MARK`].
pub(crate) fn trace(on: bool) {
    TRACE.store(on, Ordering::Relaxed);
}

/// What precedes the name of a function in a trace.
pub(crate) const TRACE_MARK: &str = "halfproof-call ";

macro_rules! functions {
    ($( fn $name:ident ( $($arg:ident : $ty:ty),* $(,)? ) $(-> $ret:ty)?; )*) => {
        /// The functions of the library that halfproof calls.
        #[allow(non_snake_case, reason = "the C names")]
        struct Functions { $( $name: unsafe extern "C-unwind" fn($($ty),*) $(-> $ret)?, )* }

        #[allow(non_snake_case, reason = "the C names")]
        impl Functions {
            /// Safety: `library` must be the one whose headers these signatures were written from.
            unsafe fn bind(library: &libloading::Library) -> Result<Functions, libloading::Error> {
                // SAFETY: the caller vouches for the signatures.
                Ok(Functions { $( $name: unsafe { *library.get(concat!(stringify!($name), "\0").as_bytes())? }, )* })
            }

            $(
                /// Safety: as the C function of that name.
                unsafe fn $name(&self, $($arg: $ty),*) $(-> $ret)? {
                    if TRACE.load(Ordering::Relaxed) {
                        announce(stringify!($name));
                    }
                    // SAFETY: the caller's.
                    unsafe { (self.$name)($($arg),*) }
                }
            )*
        }
    };
}

functions! {
    fn LiteRtCreateEnvironment(count: c_int, options: *const EnvOption, out: *mut Raw) -> Code;
    fn LiteRtDestroyEnvironment(environment: Raw);
    fn LiteRtCreateModelFromBuffer(environment: Raw, bytes: *const c_void, len: usize, out: *mut Raw) -> Code;
    fn LiteRtDestroyModel(model: Raw);
    fn LiteRtCreateOptions(out: *mut Raw) -> Code;
    fn LiteRtDestroyOptions(options: Raw);
    fn LiteRtSetOptionsHardwareAccelerators(options: Raw, set: c_int) -> Code;
    fn LiteRtCreateOpaqueOptions(
        identifier: *const c_char,
        payload: *mut c_void,
        free: unsafe extern "C" fn(*mut c_void),
        out: *mut Raw,
    ) -> Code;
    fn LiteRtAddOpaqueOptions(options: Raw, opaque: Raw) -> Code;
    fn LiteRtDestroyOpaqueOptions(opaque: Raw);
    fn LiteRtCreateCompiledModel(environment: Raw, model: Raw, options: Raw, out: *mut Raw) -> Code;
    fn LiteRtDestroyCompiledModel(compiled: Raw);
    fn LiteRtGetNumModelSignatures(model: Raw, out: *mut usize) -> Code;
    fn LiteRtGetModelSignature(model: Raw, index: usize, out: *mut Raw) -> Code;
    fn LiteRtGetNumSignatureInputs(signature: Raw, out: *mut usize) -> Code;
    fn LiteRtGetNumSignatureOutputs(signature: Raw, out: *mut usize) -> Code;
    fn LiteRtGetSignatureInputTensorByIndex(signature: Raw, index: usize, out: *mut Raw) -> Code;
    fn LiteRtGetSignatureOutputTensorByIndex(signature: Raw, index: usize, out: *mut Raw) -> Code;
    fn LiteRtGetTensorIndex(tensor: Raw, out: *mut u32) -> Code;
    fn LiteRtGetTensorTypeId(tensor: Raw, out: *mut i32) -> Code;
    fn LiteRtGetRankedTensorType(tensor: Raw, out: *mut TensorType) -> Code;
    fn LiteRtGetCompiledModelInputBufferRequirements(compiled: Raw, signature: usize, index: usize, out: *mut Raw) -> Code;
    fn LiteRtGetCompiledModelOutputBufferRequirements(compiled: Raw, signature: usize, index: usize, out: *mut Raw) -> Code;
    fn LiteRtGetCompiledModelOutputTensorLayouts(
        compiled: Raw,
        signature: usize,
        count: usize,
        layouts: *mut Layout,
        update_allocation: bool,
    ) -> Code;
    fn LiteRtCreateManagedTensorBufferFromRequirements(
        environment: Raw,
        tensor_type: *const TensorType,
        requirements: Raw,
        out: *mut Raw,
    ) -> Code;
    fn LiteRtDestroyTensorBuffer(buffer: Raw);
    fn LiteRtGetTensorBufferPackedSize(buffer: Raw, out: *mut usize) -> Code;
    fn LiteRtGetTensorBufferSize(buffer: Raw, out: *mut usize) -> Code;
    fn LiteRtLockTensorBuffer(buffer: Raw, address: *mut *mut c_void, mode: c_int) -> Code;
    fn LiteRtUnlockTensorBuffer(buffer: Raw) -> Code;
    fn LiteRtRunCompiledModel(
        compiled: Raw,
        signature: usize,
        inputs: usize,
        input_buffers: *mut Raw,
        outputs: usize,
        output_buffers: *mut Raw,
    ) -> Code;
    fn LiteRtCompiledModelIsFullyAccelerated(compiled: Raw, out: *mut bool) -> Code;
}

unsafe extern "C" {
    fn pthread_create(
        thread: *mut usize,
        attributes: *const c_void,
        start: extern "C-unwind" fn(*mut c_void) -> *mut c_void,
        argument: *mut c_void,
    ) -> c_int;
    fn pthread_join(thread: usize, result: *mut *mut c_void) -> c_int;
}

fn announce(name: &str) {
    use std::io::Write;
    // Standard error of a worker is a file; when it cannot be written, the trace is lost and nothing else.
    let _ = std::io::stderr().write_all(format!("{TRACE_MARK}{name}\n").as_bytes());
}

/// A call that did not return `kLiteRtStatusOk`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{call} answered {}", status_name(*.code))]
pub(crate) struct CallError {
    /// The C function.
    pub(crate) call: &'static str,
    /// Its `LiteRtStatus`.
    pub(crate) code: i32,
}

/// The name of a `LiteRtStatus`, which the library itself does not export.
pub(crate) fn status_name(code: i32) -> String {
    let name = match code {
        0 => "Ok",
        1 => "InvalidArgument",
        2 => "MemoryAllocationFailure",
        3 => "RuntimeFailure",
        4 => "MissingInputTensor",
        5 => "Unsupported",
        6 => "NotFound",
        7 => "TimeoutExpired",
        8 => "WrongVersion",
        9 => "Unknown",
        10 => "AlreadyExists",
        100 => "Cancelled",
        500 => "FileIO",
        501 => "InvalidFlatbuffer",
        502 => "DynamicLoading",
        503 => "Serialization",
        504 => "Compilation",
        1000 => "IndexOOB",
        1001 => "InvalidIrType",
        1002 => "InvalidGraphInvariant",
        1003 => "GraphModification",
        5000 => "UnsupportedOpShapeInferer",
        5001 => "ShapeInferenceFailed",
        other => return format!("status {other}"),
    };
    name.to_string()
}

fn check(call: &'static str, code: Code) -> Result<(), CallError> {
    if code == 0 { Ok(()) } else { Err(CallError { call, code }) }
}

/// Calls `$api.$name(…)` and turns its status into a `Result`.
macro_rules! call {
    ($api:expr, $name:ident ( $($arg:expr),* )) => {
        check(stringify!($name), unsafe { $api.$name($($arg),*) })
    };
}

/// Why a library could not be bound.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    /// The file is not the library that these signatures belong to.
    #[error(
        "{path} is not libLiteRt.so 2.3.0 (sha256 {found}, expected {expected}); run `cargo xtask setup litert`"
    )]
    WrongLibrary {
        /// The file.
        path: String,
        /// Its hash.
        found: String,
        /// The hash that is bound to.
        expected: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The dynamic loader refuses it.
    #[error("cannot load {path}: {source}")]
    Unloadable {
        /// The file.
        path: String,
        /// Why.
        source: libloading::Error,
    },
}

/// The loaded library.
pub(crate) struct Library {
    functions: Functions,
    _library: libloading::Library,
}

impl Library {
    /// Loads and binds the library at `path` if its SHA-256 is `sha256`.
    ///
    /// # Errors
    /// [`BindError`] when the file is another one, or cannot be loaded.
    pub(crate) fn open(path: &Path, sha256: &'static str) -> Result<Library, BindError> {
        let shown = path.display().to_string();
        let found = crate::setup::sha256_of(path)
            .map_err(|source| BindError::Unreadable { path: shown.clone(), source })?;
        if found != sha256 {
            return Err(BindError::WrongLibrary { path: shown, found, expected: sha256 });
        }
        let unloadable = |source| BindError::Unloadable { path: shown.clone(), source };
        // SAFETY: the file is the one published build that was examined; its initialisers only register things.
        let library = unsafe { libloading::Library::new(path) }.map_err(unloadable)?;
        // SAFETY: the hash says that the signatures are this library's.
        let functions = unsafe { Functions::bind(&library) }.map_err(unloadable)?;
        Ok(Library { functions, _library: library })
    }
}

/// What runs the operators of a compiled model: bits of `LiteRtHwAccelerators`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hardware {
    Cpu = 1,
    Gpu = 2,
}

/// `LiteRtEnvironment` with one kind of accelerator and a logger of errors.
pub(crate) struct Environment<'l> {
    api: &'l Functions,
    raw: Raw,
    hardware: Hardware,
    /// The library may go on reading it.
    _accelerators: CString,
}

impl<'l> Environment<'l> {
    /// Creates one. `accelerators` is the folder of the GPU accelerator's library, which is loaded from there; without
    /// it everything runs on the CPU and no such library is looked for.
    ///
    /// # Errors
    /// The library's status.
    pub(crate) fn new(
        library: &'l Library,
        accelerators: Option<CString>,
    ) -> Result<Environment<'l>, CallError> {
        const RUNTIME_LIBRARY_DIR: i32 = 22;
        const AUTO_REGISTER_ACCELERATORS: i32 = 24;
        const MIN_LOGGER_SEVERITY: i32 = 25;
        const INT: i32 = 2;
        const STRING: i32 = 8;
        // Errors are how kernels say why they refuse.
        const ERRORS: i64 = 3;
        let hardware = if accelerators.is_some() { Hardware::Gpu } else { Hardware::Cpu };
        let accelerators = accelerators.unwrap_or_default();
        let int = |tag, int| EnvOption { tag, value: Any { kind: INT, value: Value { int } } };
        let folder = Any { kind: STRING, value: Value { text: accelerators.as_ptr() } };
        let options = [
            int(AUTO_REGISTER_ACCELERATORS, hardware as i64),
            int(MIN_LOGGER_SEVERITY, ERRORS),
            EnvOption { tag: RUNTIME_LIBRARY_DIR, value: folder },
        ];
        let count = if hardware == Hardware::Gpu { 3 } else { 2 };
        let api = &library.functions;
        let mut raw = ptr::null_mut();
        // SAFETY: no more options are announced than are passed; the string lives as long as the environment; the
        // result goes to a live pointer.
        call!(api, LiteRtCreateEnvironment(count, options.as_ptr(), &raw mut raw))?;
        Ok(Environment { api, raw, hardware, _accelerators: accelerators })
    }
}

impl Drop for Environment<'_> {
    fn drop(&mut self) {
        // SAFETY: owned, and everything made from it borrows it.
        unsafe { self.api.LiteRtDestroyEnvironment(self.raw) }
    }
}

/// `LiteRtModel`: a verified flatbuffer that stays borrowed.
pub(crate) struct Model<'e> {
    environment: &'e Environment<'e>,
    raw: Raw,
    bytes: PhantomData<&'e [u8]>,
}

/// One input or output of a signature.
#[derive(Clone, Copy)]
pub(crate) struct Port {
    /// Index of the tensor in its subgraph.
    pub(crate) tensor: u32,
    /// Element type and declared shape; `None` for a tensor without a rank.
    pub(crate) tensor_type: Option<TensorType>,
}

impl<'e> Model<'e> {
    /// Reads a model; `bytes` are not copied, and should be aligned to 64 bytes.
    ///
    /// # Errors
    /// The library's status; `InvalidFlatbuffer` for bytes that its verifier refuses.
    pub(crate) fn from_buffer(
        environment: &'e Environment<'e>,
        bytes: &'e [u8],
    ) -> Result<Model<'e>, CallError> {
        let mut raw = ptr::null_mut();
        // SAFETY: pointer and length are of one slice, borrowed for as long as the model lives.
        call!(
            environment.api,
            LiteRtCreateModelFromBuffer(environment.raw, bytes.as_ptr().cast(), bytes.len(), &raw mut raw)
        )?;
        Ok(Model { environment, raw, bytes: PhantomData })
    }

    /// The inputs and outputs of the first signature, in its order.
    ///
    /// # Errors
    /// The library's status; `NotFound` when there is no signature.
    pub(crate) fn ports(&self) -> Result<(Vec<Port>, Vec<Port>), CallError> {
        let api = self.environment.api;
        let mut signatures = 0;
        // SAFETY: in every call below the handles are live and the results go to live locals.
        call!(api, LiteRtGetNumModelSignatures(self.raw, &raw mut signatures))?;
        if signatures == 0 {
            return Err(CallError { call: "LiteRtGetNumModelSignatures", code: 6 });
        }
        let mut signature = ptr::null_mut();
        call!(api, LiteRtGetModelSignature(self.raw, 0, &raw mut signature))?;
        let (mut inputs, mut outputs) = (0, 0);
        call!(api, LiteRtGetNumSignatureInputs(signature, &raw mut inputs))?;
        call!(api, LiteRtGetNumSignatureOutputs(signature, &raw mut outputs))?;
        let input = |i| {
            let mut tensor = ptr::null_mut();
            call!(api, LiteRtGetSignatureInputTensorByIndex(signature, i, &raw mut tensor))?;
            self.port(tensor)
        };
        let output = |i| {
            let mut tensor = ptr::null_mut();
            call!(api, LiteRtGetSignatureOutputTensorByIndex(signature, i, &raw mut tensor))?;
            self.port(tensor)
        };
        Ok((
            (0..inputs).map(input).collect::<Result<_, _>>()?,
            (0..outputs).map(output).collect::<Result<_, _>>()?,
        ))
    }

    fn port(&self, tensor: Raw) -> Result<Port, CallError> {
        let api = self.environment.api;
        let (mut index, mut kind) = (0, 0);
        // SAFETY: the tensor belongs to this live model; results go to live locals.
        call!(api, LiteRtGetTensorIndex(tensor, &raw mut index))?;
        call!(api, LiteRtGetTensorTypeId(tensor, &raw mut kind))?;
        if kind != 0 {
            return Ok(Port { tensor: index, tensor_type: None });
        }
        let mut tensor_type = TensorType::EMPTY;
        call!(api, LiteRtGetRankedTensorType(tensor, &raw mut tensor_type))?;
        Ok(Port { tensor: index, tensor_type: Some(tensor_type) })
    }
}

impl Drop for Model<'_> {
    fn drop(&mut self) {
        // SAFETY: owned, and a compiled model borrows it.
        unsafe { self.environment.api.LiteRtDestroyModel(self.raw) }
    }
}

impl TensorType {
    const EMPTY: TensorType = TensorType {
        element: 0,
        layout: Layout { bits: 0, dimensions: [0; MAX_RANK], strides: [0; MAX_RANK] },
    };

    /// The element type, when halfproof holds it.
    pub(crate) fn dtype(&self) -> Option<DType> {
        Some(match self.element {
            1 => DType::F32,
            2 => DType::I32,
            3 => DType::U8,
            4 => DType::I64,
            6 => DType::Bool,
            7 => DType::I16,
            9 => DType::I8,
            10 => DType::F16,
            11 => DType::F64,
            13 => DType::U64,
            16 => DType::U32,
            17 => DType::U16,
            _ => return None,
        })
    }

    /// The shape; `None` while an axis is dynamic.
    pub(crate) fn shape(&self) -> Option<Vec<usize>> {
        let rank = (self.layout.bits & 0x7f) as usize;
        self.layout.dimensions.get(..rank)?.iter().map(|&d| usize::try_from(d).ok()).collect()
    }
}

/// `LiteRtOptions` for one kind of accelerator.
pub(crate) struct Options<'l> {
    api: &'l Functions,
    raw: Raw,
}

unsafe extern "C" fn free_payload(payload: *mut c_void) {
    // SAFETY: every payload is made by `CString::into_raw` in `Options::attach`.
    drop(unsafe { CString::from_raw(payload.cast()) });
}

impl<'l> Options<'l> {
    /// Options that run everything on the environment's hardware, and refuse what it does not take.
    ///
    /// # Errors
    /// The library's status.
    pub(crate) fn new(environment: &Environment<'l>) -> Result<Options<'l>, CallError> {
        let api = environment.api;
        let mut raw = ptr::null_mut();
        // SAFETY: the result goes to a live pointer.
        call!(api, LiteRtCreateOptions(&raw mut raw))?;
        let options = Options { api, raw };
        // SAFETY: a live handle.
        call!(api, LiteRtSetOptionsHardwareAccelerators(raw, environment.hardware as c_int))?;
        Ok(options)
    }

    /// Attaches a TOML payload under an identifier.
    ///
    /// # Errors
    /// The library's status.
    pub(crate) fn attach(&mut self, identifier: &'static CStr, toml: &'static CStr) -> Result<(), CallError> {
        let payload = toml.to_owned().into_raw();
        let mut opaque = ptr::null_mut();
        // SAFETY: both strings end in NUL; the payload is owned by the library from here on, which frees it with the
        // function given.
        call!(
            self.api,
            LiteRtCreateOpaqueOptions(identifier.as_ptr(), payload.cast(), free_payload, &raw mut opaque)
        )?;
        // SAFETY: live handles; ownership of `opaque` moves on success only.
        let added = call!(self.api, LiteRtAddOpaqueOptions(self.raw, opaque));
        if added.is_err() {
            // SAFETY: still ours.
            unsafe { self.api.LiteRtDestroyOpaqueOptions(opaque) }
        }
        added
    }
}

impl Drop for Options<'_> {
    fn drop(&mut self) {
        // SAFETY: owned; compiled models copy what they need (they borrow it here all the same).
        unsafe { self.api.LiteRtDestroyOptions(self.raw) }
    }
}

/// `LiteRtCompiledModel`: the first signature of a model, ready to run.
pub(crate) struct Compiled<'m> {
    environment: &'m Environment<'m>,
    raw: Raw,
    model: PhantomData<(&'m Model<'m>, &'m Options<'m>)>,
}

impl<'m> Compiled<'m> {
    /// Compiles a model.
    ///
    /// # Errors
    /// The library's status; its words are on standard error, because there is no handle to ask.
    pub(crate) fn new(model: &'m Model<'m>, options: &'m Options<'m>) -> Result<Compiled<'m>, CallError> {
        let environment = model.environment;
        let mut raw = ptr::null_mut();
        // SAFETY: live handles, all of which outlive the result.
        call!(
            environment.api,
            LiteRtCreateCompiledModel(environment.raw, model.raw, options.raw, &raw mut raw)
        )?;
        Ok(Compiled { environment, raw, model: PhantomData })
    }

    /// Creates the buffer of an input.
    ///
    /// # Errors
    /// The library's status.
    pub(crate) fn input_buffer(
        &self,
        index: usize,
        tensor_type: TensorType,
    ) -> Result<Buffer<'m>, CallError> {
        let mut requirements = ptr::null_mut();
        // SAFETY: live handle; an index out of range is answered by a status.
        call!(
            self.environment.api,
            LiteRtGetCompiledModelInputBufferRequirements(self.raw, 0, index, &raw mut requirements)
        )?;
        self.buffer(requirements, tensor_type)
    }

    /// Allocates the tensors and says the types of the outputs with their final shapes.
    ///
    /// # Errors
    /// The library's status; this is where kernels check their operands.
    pub(crate) fn allocate(&self, mut outputs: Vec<TensorType>) -> Result<Vec<TensorType>, CallError> {
        let mut layouts = vec![TensorType::EMPTY.layout; outputs.len()];
        // SAFETY: as many layouts are announced as there is room for.
        call!(
            self.environment.api,
            LiteRtGetCompiledModelOutputTensorLayouts(self.raw, 0, layouts.len(), layouts.as_mut_ptr(), true)
        )?;
        for (output, layout) in outputs.iter_mut().zip(layouts) {
            output.layout = layout;
        }
        Ok(outputs)
    }

    /// Creates the buffer of an output.
    ///
    /// # Errors
    /// The library's status.
    pub(crate) fn output_buffer(
        &self,
        index: usize,
        tensor_type: TensorType,
    ) -> Result<Buffer<'m>, CallError> {
        let mut requirements = ptr::null_mut();
        // SAFETY: as for inputs.
        call!(
            self.environment.api,
            LiteRtGetCompiledModelOutputBufferRequirements(self.raw, 0, index, &raw mut requirements)
        )?;
        self.buffer(requirements, tensor_type)
    }

    fn buffer(&self, requirements: Raw, tensor_type: TensorType) -> Result<Buffer<'m>, CallError> {
        let api = self.environment.api;
        let mut raw = ptr::null_mut();
        // SAFETY: the requirements belong to the live compiled model; the type is read during the call only.
        call!(
            api,
            LiteRtCreateManagedTensorBufferFromRequirements(
                self.environment.raw,
                &raw const tensor_type,
                requirements,
                &raw mut raw
            )
        )?;
        Ok(Buffer { api, raw, environment: PhantomData })
    }

    /// Runs the model once.
    ///
    /// # Errors
    /// The library's status.
    pub(crate) fn run(&mut self, inputs: &[&Buffer<'m>], outputs: &[&Buffer<'m>]) -> Result<(), CallError> {
        let mut inputs: Vec<Raw> = inputs.iter().map(|b| b.raw).collect();
        let mut outputs: Vec<Raw> = outputs.iter().map(|b| b.raw).collect();
        // SAFETY: live handles, as many as announced, none of them locked.
        call!(
            self.environment.api,
            LiteRtRunCompiledModel(
                self.raw,
                0,
                inputs.len(),
                inputs.as_mut_ptr(),
                outputs.len(),
                outputs.as_mut_ptr()
            )
        )
    }

    /// True when the accelerator (XNNPACK) took every operator.
    ///
    /// # Errors
    /// The library's status.
    pub(crate) fn is_fully_accelerated(&self) -> Result<bool, CallError> {
        let mut answer = false;
        // SAFETY: a live handle; `bool` is one byte on both sides and the library writes 0 or 1.
        call!(self.environment.api, LiteRtCompiledModelIsFullyAccelerated(self.raw, &raw mut answer))?;
        Ok(answer)
    }
}

impl Drop for Compiled<'_> {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { self.environment.api.LiteRtDestroyCompiledModel(self.raw) }
    }
}

/// `LiteRtTensorBuffer` in host memory.
pub(crate) struct Buffer<'e> {
    api: &'e Functions,
    raw: Raw,
    environment: PhantomData<&'e Environment<'e>>,
}

impl Buffer<'_> {
    /// Bytes of the elements, without padding.
    ///
    /// # Errors
    /// The library's status.
    pub(crate) fn len(&self) -> Result<usize, CallError> {
        let (mut packed, mut whole) = (0, 0);
        // SAFETY: a live handle.
        call!(self.api, LiteRtGetTensorBufferPackedSize(self.raw, &raw mut packed))?;
        call!(self.api, LiteRtGetTensorBufferSize(self.raw, &raw mut whole))?;
        Ok(packed.min(whole))
    }

    /// Overwrites the elements; `bytes` beyond the buffer are not written.
    ///
    /// # Errors
    /// The library's status.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), CallError> {
        let len = self.len()?.min(bytes.len());
        let address = self.lock(1)?;
        if len > 0 && !address.is_null() {
            // SAFETY: locked for writing; both sides hold at least `len` bytes and cannot overlap.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), address, len) };
        }
        self.unlock()
    }

    /// Copies the elements out.
    ///
    /// # Errors
    /// The library's status.
    pub(crate) fn read(&self) -> Result<Vec<u8>, CallError> {
        let mut bytes = vec![0; self.len()?];
        let address = self.lock(0)?;
        if !bytes.is_empty() && !address.is_null() {
            // SAFETY: locked for reading; both sides hold that many bytes and cannot overlap.
            unsafe { ptr::copy_nonoverlapping(address.cast_const(), bytes.as_mut_ptr(), bytes.len()) };
        }
        self.unlock()?;
        Ok(bytes)
    }

    fn lock(&self, mode: c_int) -> Result<*mut u8, CallError> {
        let mut address = ptr::null_mut();
        // SAFETY: a live handle; 0 reads and 1 writes.
        call!(self.api, LiteRtLockTensorBuffer(self.raw, &raw mut address, mode))?;
        Ok(address.cast())
    }

    fn unlock(&self) -> Result<(), CallError> {
        // SAFETY: locked just before.
        call!(self.api, LiteRtUnlockTensorBuffer(self.raw))
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        // SAFETY: owned and not locked.
        unsafe { self.api.LiteRtDestroyTensorBuffer(self.raw) }
    }
}

/// Runs `body` to its end on a thread of its own whose stack holds no exception handler, so that a C++ exception (or a
/// Rust panic) ends the process with its message instead of being caught as something it is not.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn on_bare_thread(body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    type Body = Box<dyn FnOnce() + Send>;
    extern "C-unwind" fn start(argument: *mut c_void) -> *mut c_void {
        // SAFETY: the box made below, handed to this thread alone.
        let body = unsafe { Box::from_raw(argument.cast::<Body>()) };
        (*body)();
        ptr::null_mut()
    }
    let argument = Box::into_raw(Box::new(Box::new(body) as Body));
    let mut thread = 0;
    // SAFETY: default attributes; `start` takes back the box that `argument` is. pthread_t is an unsigned long here.
    let code = unsafe { pthread_create(&raw mut thread, ptr::null(), start, argument.cast()) };
    if code != 0 {
        // SAFETY: no thread took it.
        drop(unsafe { Box::from_raw(argument) });
        return Err(std::io::Error::from_raw_os_error(code));
    }
    // SAFETY: a thread that exists and that nobody else joins.
    unsafe { pthread_join(thread, ptr::null_mut()) };
    Ok(())
}
