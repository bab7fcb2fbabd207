//! Reads the fields of one flatbuffer table, every access checked.
//!
//! The bytes have passed the verifier before, so the errors here are not met in practice; they are what makes this
//! reader safe by itself.

use super::ReadError;
use flatbuffers::Verifiable;

/// A number stored in a table or in a vector.
pub(super) trait Scalar: Copy + Verifiable {
    /// Bytes of one.
    const SIZE: usize;
    /// The number in the first `SIZE` bytes, little-endian.
    fn get(bytes: &[u8]) -> Option<Self>;
    /// The number as little-endian bits, zero-extended.
    fn bits(self) -> u64;
}

macro_rules! scalars {
    ($( $ty:ty as $bits:ty, )*) => { $(
        impl Scalar for $ty {
            const SIZE: usize = size_of::<$ty>();
            fn get(bytes: &[u8]) -> Option<$ty> {
                Some(<$ty>::from_le_bytes(*bytes.first_chunk()?))
            }
            fn bits(self) -> u64 {
                u64::from(<$bits>::from_le_bytes(self.to_le_bytes()))
            }
        }
    )* };
}

scalars! { i8 as u8, u8 as u8, u16 as u16, i32 as u32, u32 as u32, i64 as u64, u64 as u64, f32 as u32, }

impl Scalar for bool {
    const SIZE: usize = 1;
    fn get(bytes: &[u8]) -> Option<bool> {
        bytes.first().map(|b| *b != 0)
    }
    fn bits(self) -> u64 {
        u64::from(self)
    }
}

/// One table of a file.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    vtable: &'a [u8],
}

fn outside(at: usize) -> ReadError {
    ReadError::damaged("model", format!("byte {at} lies outside of the file"))
}

/// The number at a byte.
fn number<T: Scalar>(bytes: &[u8], at: usize) -> Result<T, ReadError> {
    bytes.get(at..).and_then(T::get).ok_or_else(|| outside(at))
}

/// What the offset at a byte points to.
fn follow(bytes: &[u8], at: usize) -> Result<usize, ReadError> {
    Ok(at.saturating_add(number::<u32>(bytes, at)? as usize))
}

impl<'a> Table<'a> {
    /// The root table of a file.
    pub(super) fn root(bytes: &'a [u8]) -> Result<Table<'a>, ReadError> {
        Table::new(bytes, follow(bytes, 0)?)
    }

    fn new(bytes: &'a [u8], at: usize) -> Result<Table<'a>, ReadError> {
        let back = i64::from(number::<i32>(bytes, at)?);
        let start = usize::try_from(at as i64 - back).map_err(|_| outside(at))?;
        let length = number::<u16>(bytes, start)? as usize;
        let vtable = bytes.get(start..start + length).ok_or_else(|| outside(start))?;
        Ok(Table { bytes, at, vtable })
    }

    /// Where a field is stored; `None` when it is absent.
    fn field(&self, slot: u16) -> Option<usize> {
        let offset = self.vtable.get(4 + 2 * slot as usize..).and_then(u16::get)?;
        (offset != 0).then(|| self.at + offset as usize)
    }

    /// True when the field is stored.
    pub(super) fn has(&self, slot: u16) -> bool {
        self.field(slot).is_some()
    }

    /// The first field stored at or after a slot: one that the schema did not have when this was written.
    pub(super) fn beyond(&self, slot: u16) -> Option<u16> {
        (slot..(self.vtable.len() / 2) as u16).find(|slot| self.has(*slot))
    }

    /// A number, or its default when it is absent.
    pub(super) fn scalar<T: Scalar>(&self, slot: u16, default: T) -> Result<T, ReadError> {
        self.field(slot).map_or(Ok(default), |at| number(self.bytes, at))
    }

    /// A table; `None` when it is absent.
    pub(super) fn table(&self, slot: u16) -> Result<Option<Table<'a>>, ReadError> {
        self.field(slot).map(|at| Table::new(self.bytes, follow(self.bytes, at)?)).transpose()
    }

    /// The first element and the number of elements of a vector.
    fn elements(&self, slot: u16) -> Result<Option<(usize, usize)>, ReadError> {
        let Some(at) = self.field(slot) else { return Ok(None) };
        let vector = follow(self.bytes, at)?;
        Ok(Some((vector + 4, number::<u32>(self.bytes, vector)? as usize)))
    }

    /// The bytes of a vector of elements of `size` bytes.
    fn raw(&self, slot: u16, size: usize) -> Result<Option<&'a [u8]>, ReadError> {
        let Some((first, count)) = self.elements(slot)? else { return Ok(None) };
        let end = first.saturating_add(count.saturating_mul(size));
        self.bytes.get(first..end).map(Some).ok_or_else(|| outside(end))
    }

    /// The bytes of a vector of bytes; `None` when it is absent.
    pub(super) fn bytes(&self, slot: u16) -> Result<Option<&'a [u8]>, ReadError> {
        self.raw(slot, 1)
    }

    /// A vector of numbers; empty when it is absent.
    pub(super) fn numbers<T: Scalar>(&self, slot: u16) -> Result<Vec<T>, ReadError> {
        let raw = self.raw(slot, T::SIZE)?.unwrap_or_default();
        Ok(raw.chunks_exact(T::SIZE).filter_map(T::get).collect())
    }

    /// A string; empty when it is absent.
    pub(super) fn text(&self, slot: u16) -> Result<String, ReadError> {
        let raw = self.bytes(slot)?.unwrap_or_default();
        let text = str::from_utf8(raw).map_err(|e| ReadError::damaged("model", e.to_string()))?;
        Ok(text.to_string())
    }

    /// Every table of a vector of tables, read by `each`, which is told the index; empty when it is absent.
    pub(super) fn tables<T>(
        &self,
        slot: u16,
        mut each: impl FnMut(usize, Table<'a>) -> Result<T, ReadError>,
    ) -> Result<Vec<T>, ReadError> {
        let Some((first, count)) = self.elements(slot)? else { return Ok(vec![]) };
        let mut all = Vec::with_capacity(count.min(self.bytes.len() / 4));
        for i in 0..count {
            all.push(each(i, Table::new(self.bytes, follow(self.bytes, first + 4 * i)?)?)?);
        }
        Ok(all)
    }
}
