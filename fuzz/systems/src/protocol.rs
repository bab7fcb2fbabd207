//! Decides what halfproof and a runtime's worker process say to each other.
//!
//! Frames (a `u32` length, then that many bytes; everything little-endian) travel over one Unix socket, which is the
//! worker's standard input. The worker greets with a [`Greeting`]. Then, over and over, it gets one batch of jobs and
//! answers with one frame per job, in order. A batch is read whole before its first job starts, so neither side can
//! wait for the other, and the number of answers says which job a dead worker died of.

use crate::Taps;
use halfproof_ir::{DType, Data, Tensor};
use halfproof_oracle::record::{Execution, Status};
use std::borrow::Cow;
use std::io::{self, Read, Write};

/// One model to load once and to run on several input sets.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// Which of the worker's modes, by its number.
    pub mode: u8,
    /// Name every call into the library on standard error: for the autopsy of a worker.
    pub trace: bool,
    /// Which tensors to make visible.
    pub taps: Taps,
    /// The model file.
    pub model: &'a [u8],
    /// Input sets, each in interface order.
    pub sets: &'a [Vec<Tensor>],
}

/// A [`Job`] as the worker reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedJob<'a> {
    /// As in [`Job`].
    pub mode: u8,
    /// As in [`Job`].
    pub trace: bool,
    /// As in [`Job`].
    pub taps: Taps,
    /// As in [`Job`]; borrowed from the frame, so of any alignment.
    pub model: &'a [u8],
    /// As in [`Job`].
    pub sets: Vec<Vec<Tensor>>,
}

/// The worker's first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// Ready for jobs.
    Ready,
    /// It cannot work, and why.
    Unable(String),
}

/// What a worker reports of one input set: an [`Execution`] without the system's name.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Outputs in interface order.
    pub outputs: Vec<Tensor>,
    /// Visible tensors by index.
    pub taps: Vec<(u32, Tensor)>,
    /// True when the accelerated kernels took every operator.
    pub accelerated: Option<bool>,
}

impl Outcome {
    /// An outcome without results.
    pub fn of(status: Status) -> Outcome {
        Outcome { status, outputs: vec![], taps: vec![], accelerated: None }
    }

    /// The record of that system.
    pub fn into_execution(self, system: &str) -> Execution {
        Execution {
            system: system.to_string(),
            status: self.status,
            outputs: self.outputs,
            taps: self.taps,
            accelerated: self.accelerated,
        }
    }
}

/// Bytes that are not what this protocol writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed message")]
pub struct Malformed;

/// Frames larger than this are refused, so that a corrupted length cannot ask for all memory.
const MAX_FRAME: usize = 1 << 31;

/// Writes one frame.
///
/// # Errors
/// When the other side is gone, or the frame is too large.
pub fn write_frame(to: &mut impl Write, payload: &[u8]) -> io::Result<()> {
    write_parts(to, &[Cow::Borrowed(payload)])
}

/// Reads one frame.
///
/// # Errors
/// When the other side is gone or too slow, or announces an impossible length.
pub fn read_frame(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut len = [0; 4];
    from.read_exact(&mut len)?;
    let len = u32::from_le_bytes(len) as usize;
    if len > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame above 2 GiB"));
    }
    // Memory grows with what really arrives, not with what was announced.
    let mut payload = Vec::with_capacity(len.min(1 << 20));
    let got = from.take(len as u64).read_to_end(&mut payload)?;
    if got == len { Ok(payload) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Writes one frame that is made of parts.
///
/// # Errors
/// As [`write_frame`].
pub fn write_parts(to: &mut impl Write, parts: &[Cow<'_, [u8]>]) -> io::Result<()> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let len = u32::try_from(len).ok().filter(|&n| n as usize <= MAX_FRAME);
    let len = len.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "frame above 2 GiB"))?;
    to.write_all(&len.to_le_bytes())?;
    parts.iter().try_for_each(|part| to.write_all(part))
}

/// Encodes a batch, as parts of a frame: models may be as large as memory allows, so they are not copied.
pub fn encode_jobs<'a>(jobs: &[Job<'a>]) -> Vec<Cow<'a, [u8]>> {
    let mut parts = Vec::with_capacity(2 * jobs.len() + 1);
    let mut out = Vec::with_capacity(256);
    put_len(&mut out, jobs.len());
    for job in jobs {
        out.extend([job.mode, u8::from(job.trace), job.taps as u8]);
        put_len(&mut out, job.model.len());
        parts.push(Cow::Owned(std::mem::take(&mut out)));
        parts.push(Cow::Borrowed(job.model));
        put_len(&mut out, job.sets.len());
        for set in job.sets {
            put_len(&mut out, set.len());
            set.iter().for_each(|t| put_tensor(&mut out, t));
        }
    }
    parts.push(Cow::Owned(out));
    parts
}

/// Decodes a batch.
///
/// # Errors
/// [`Malformed`].
pub fn decode_jobs(bytes: &[u8]) -> Result<Vec<OwnedJob<'_>>, Malformed> {
    let mut from = Reader { rest: bytes };
    let jobs = from.many(|from| {
        let (mode, trace, taps) = (from.byte()?, from.byte()? != 0, from.byte()?);
        let taps = Taps::ALL.into_iter().find(|&t| t as u8 == taps).ok_or(Malformed)?;
        let model = from.bytes()?;
        let sets = from.many(|from| from.many(Reader::tensor))?;
        Ok(OwnedJob { mode, trace, taps, model, sets })
    })?;
    from.end(jobs)
}

/// Encodes the answer to one job.
pub fn encode_outcomes(outcomes: &[Outcome]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    put_len(&mut out, outcomes.len());
    for outcome in outcomes {
        let (tag, texts): (u8, [&str; 2]) = match &outcome.status {
            Status::Ok => (0, ["", ""]),
            Status::Refused { stage, text } => (1, [stage, text]),
            Status::Crashed { how } => (2, [how, ""]),
            Status::TimedOut => (3, ["", ""]),
            Status::Cannot { why } => (4, [why, ""]),
            Status::Undone { text } => (5, [text, ""]),
        };
        out.push(tag);
        texts.iter().for_each(|t| put_bytes(&mut out, t.as_bytes()));
        out.push(match outcome.accelerated {
            None => 0,
            Some(false) => 1,
            Some(true) => 2,
        });
        put_len(&mut out, outcome.outputs.len());
        outcome.outputs.iter().for_each(|t| put_tensor(&mut out, t));
        put_len(&mut out, outcome.taps.len());
        for (index, tensor) in &outcome.taps {
            out.extend(index.to_le_bytes());
            put_tensor(&mut out, tensor);
        }
    }
    out
}

/// Decodes the answer to one job.
///
/// # Errors
/// [`Malformed`]: the worker has lost its mind.
pub fn decode_outcomes(bytes: &[u8]) -> Result<Vec<Outcome>, Malformed> {
    let mut from = Reader { rest: bytes };
    let outcomes = from.many(|from| {
        let (tag, first, second) = (from.byte()?, from.text()?, from.text()?);
        let status = match tag {
            0 => Status::Ok,
            1 => Status::Refused { stage: first, text: second },
            2 => Status::Crashed { how: first },
            3 => Status::TimedOut,
            4 => Status::Cannot { why: first },
            5 => Status::Undone { text: first },
            _ => return Err(Malformed),
        };
        let accelerated = match from.byte()? {
            0 => None,
            1 => Some(false),
            2 => Some(true),
            _ => return Err(Malformed),
        };
        let outputs = from.many(Reader::tensor)?;
        let taps = from.many(|from| Ok((from.word()?, from.tensor()?)))?;
        Ok(Outcome { status, outputs, taps, accelerated })
    })?;
    from.end(outcomes)
}

/// Encodes a greeting.
pub fn encode_greeting(greeting: &Greeting) -> Vec<u8> {
    match greeting {
        Greeting::Ready => vec![0],
        Greeting::Unable(why) => [&[1], why.as_bytes()].concat(),
    }
}

/// Decodes a greeting.
///
/// # Errors
/// [`Malformed`].
pub fn decode_greeting(bytes: &[u8]) -> Result<Greeting, Malformed> {
    match bytes {
        [0] => Ok(Greeting::Ready),
        [1, why @ ..] => Ok(Greeting::Unable(String::from_utf8_lossy(why).into_owned())),
        _ => Err(Malformed),
    }
}

const DTYPES: [DType; 12] = [
    DType::F16,
    DType::F32,
    DType::F64,
    DType::I8,
    DType::I16,
    DType::I32,
    DType::I64,
    DType::U8,
    DType::U16,
    DType::U32,
    DType::U64,
    DType::Bool,
];

#[expect(clippy::cast_possible_truncation, reason = "a frame above 2 GiB is refused when it is sent")]
fn put_len(out: &mut Vec<u8>, len: usize) {
    out.extend((len as u32).to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_tensor(out: &mut Vec<u8>, tensor: &Tensor) {
    let dtype = DTYPES.iter().position(|&d| d == tensor.dtype()).unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, reason = "an index below 12")]
    out.push(dtype as u8);
    put_len(out, tensor.shape.len());
    tensor.shape.iter().for_each(|&d| put_len(out, d));
    match &tensor.data {
        Data::F32(v) => v.iter().for_each(|x| out.extend_from_slice(&x.to_le_bytes())),
        Data::F16(v) => v.iter().for_each(|x| out.extend_from_slice(&x.to_le_bytes())),
        other => out.extend_from_slice(&other.to_le_bytes()),
    }
}

/// A cursor that never reads beyond its end.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    fn word(&mut self) -> Result<u32, Malformed> {
        let (head, rest) = self.rest.split_first_chunk::<4>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*head))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.word()? as usize;
        self.take(len)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Malformed)
    }

    fn many<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.word()? as usize;
        // Every element takes at least one byte, except that an empty rest holds none.
        let mut all = Vec::with_capacity(count.min(self.rest.len()));
        for _ in 0..count {
            all.push(one(self)?);
        }
        Ok(all)
    }

    fn tensor(&mut self) -> Result<Tensor, Malformed> {
        let dtype = *DTYPES.get(self.byte()? as usize).ok_or(Malformed)?;
        let shape = self.many(|from| Ok(from.word()? as usize))?;
        let len = shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d)).ok_or(Malformed)?;
        let bytes = self.take(len.checked_mul(dtype.size()).ok_or(Malformed)?)?;
        let data = Data::from_le_bytes(dtype, bytes).ok_or(Malformed)?;
        Ok(Tensor::new(shape, data))
    }

    fn end<T>(self, value: T) -> Result<T, Malformed> {
        if self.rest.is_empty() { Ok(value) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn tensor() -> impl Strategy<Value = Tensor> {
        (vec(0_usize..4, 0..4), 0..DTYPES.len(), any::<u64>()).prop_map(|(shape, dtype, seed)| {
            let dtype = DTYPES[dtype];
            let len = shape.iter().product::<usize>() * dtype.size();
            let mut state = seed;
            let bytes: Vec<u8> = (0..len)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 56) as u8
                })
                .collect();
            Tensor::new(shape, Data::from_le_bytes(dtype, &bytes).unwrap())
        })
    }

    fn status() -> impl Strategy<Value = Status> {
        prop_oneof![
            Just(Status::Ok),
            (".*", ".*").prop_map(|(stage, text)| Status::Refused { stage, text }),
            ".*".prop_map(|how| Status::Crashed { how }),
            ".*".prop_map(|text| Status::Undone { text }),
            Just(Status::TimedOut),
            ".*".prop_map(|why| Status::Cannot { why }),
        ]
    }

    /// Tensors compare by bits: a NaN is equal to itself here.
    fn bits(tensors: &[Tensor]) -> Vec<(Vec<usize>, DType, Vec<u8>)> {
        tensors.iter().map(|t| (t.shape.clone(), t.dtype(), t.data.to_le_bytes())).collect()
    }

    proptest! {
        #[test]
        fn jobs_survive_the_round_trip(
            model in vec(any::<u8>(), 0..64),
            sets in vec(vec(tensor(), 0..3), 0..3),
            mode in any::<u8>(),
            trace in any::<bool>(),
            taps in 0..Taps::ALL.len(),
        ) {
            let job = Job { mode, trace, taps: Taps::ALL[taps], model: &model, sets: &sets };
            let bytes = encode_jobs(&[job, job]).concat();
            let decoded = decode_jobs(&bytes).unwrap();
            prop_assert_eq!(decoded.len(), 2);
            let back = &decoded[1];
            prop_assert_eq!((back.mode, back.trace, back.taps, back.model), (mode, trace, job.taps, &model[..]));
            prop_assert_eq!(back.sets.len(), sets.len());
            for (a, b) in back.sets.iter().zip(&sets) {
                prop_assert_eq!(bits(a), bits(b));
            }
        }

        #[test]
        fn outcomes_survive_the_round_trip(
            status in status(),
            outputs in vec(tensor(), 0..3),
            taps in vec((any::<u32>(), tensor()), 0..3),
            accelerated in any::<Option<bool>>(),
        ) {
            let outcome = Outcome { status, outputs, taps, accelerated };
            let back = decode_outcomes(&encode_outcomes(std::slice::from_ref(&outcome))).unwrap().remove(0);
            prop_assert_eq!(&back.status, &outcome.status);
            prop_assert_eq!(back.accelerated, outcome.accelerated);
            prop_assert_eq!(bits(&back.outputs), bits(&outcome.outputs));
            for (a, b) in back.taps.iter().zip(&outcome.taps) {
                prop_assert_eq!(a.0, b.0);
            }
        }

        #[test]
        fn arbitrary_bytes_are_decoded_or_refused_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
            let _ = decode_jobs(&bytes);
            let _ = decode_outcomes(&bytes);
            let _ = decode_greeting(&bytes);
            let _ = read_frame(&mut bytes.as_slice());
        }

        #[test]
        fn a_truncated_message_is_refused(sets in vec(vec(tensor(), 1..3), 1..3), cut in any::<proptest::sample::Index>()) {
            let job = Job { mode: 1, trace: false, taps: Taps::None, model: b"x", sets: &sets };
            let bytes = encode_jobs(&[job]).concat();
            prop_assert_eq!(decode_jobs(&bytes[..cut.index(bytes.len())]), Err(Malformed));
        }
    }
}
