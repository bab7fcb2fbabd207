//! Tensors of elements that an arithmetic computes with.

use halfproof_ir::DType;

/// A dense row-major tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Array<T> {
    /// Extent of every axis; empty for a scalar.
    pub shape: Vec<usize>,
    /// The elements; their number is the product of `shape`.
    pub data: Vec<T>,
}

/// An integer or boolean element. Undecided when it follows from a float comparison that rounding could turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The value; the one of the exact computation when undecided.
    pub value: i64,
    /// True when no rounding could make it another value.
    pub decided: bool,
}

impl Whole {
    /// A value that is certain.
    pub fn known(value: i64) -> Whole {
        Whole { value, decided: true }
    }
}

/// A tensor of one of the two kinds of elements, with its storage type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<E> {
    /// FLOAT16, FLOAT32 or FLOAT64.
    Float(DType, Array<E>),
    /// Integers and booleans.
    Whole(DType, Array<Whole>),
}

impl<E> Value<E> {
    /// The storage type.
    pub fn dtype(&self) -> DType {
        match self {
            Value::Float(d, _) | Value::Whole(d, _) => *d,
        }
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        match self {
            Value::Float(_, a) => &a.shape,
            Value::Whole(_, a) => &a.shape,
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Value::Float(_, a) => a.data.len(),
            Value::Whole(_, a) => a.data.len(),
        }
    }

    /// True when there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Array<T> {
    /// An array from its parts.
    ///
    /// # Panics
    /// When the number of elements is not the product of `shape`: a bug of the caller.
    pub fn new(shape: impl Into<Vec<usize>>, data: Vec<T>) -> Array<T> {
        let shape = shape.into();
        assert_eq!(shape.iter().product::<usize>(), data.len(), "array of shape {shape:?}");
        Array { shape, data }
    }
}
