//! Lays out a flatbuffer front to back: parents before children, offsets filled in when the child is placed.
//!
//! The builder of the `flatbuffers` crate writes back to front, cannot align a byte vector to 16, and has to move
//! everything once more to give a vector that starts at the file's first byte. Written forwards, large constants
//! come last and are copied once. What comes out is checked in tests by that crate's verifier and by other readers.

use super::table::Scalar;

/// More than the schema's largest table has fields.
const MAX_FIELDS: usize = 16;

/// The fields of one table: what the file needs to know before it can be placed.
#[derive(Default)]
pub(super) struct Fields {
    fields: [Field; MAX_FIELDS],
    count: usize,
}

#[derive(Clone, Copy, Default)]
struct Field {
    bits: u64,
    slot: u8,
    size: u8,
}

impl Fields {
    /// A number, left out when it has its default (bit for bit: −0.0 is not 0.0).
    #[inline]
    pub(super) fn scalar<T: Scalar>(&mut self, slot: u16, value: T, default: T) -> &mut Fields {
        if value.bits() != default.bits() {
            self.push(Field { slot: slot as u8, size: T::SIZE as u8, bits: value.bits() });
        }
        self
    }

    /// Room for an offset, to be linked once the child is placed; left out when there is no child.
    #[inline]
    pub(super) fn offset(&mut self, slot: u16, present: bool) -> &mut Fields {
        if present {
            self.push(Field { slot: slot as u8, size: 4, bits: 0 });
        }
        self
    }

    #[inline]
    fn push(&mut self, field: Field) {
        self.fields[self.count] = field;
        self.count += 1;
    }
}

/// A table that has its place.
pub(super) struct Placed {
    /// The byte that offsets to this table point to.
    pub(super) at: usize,
    offsets: [u16; MAX_FIELDS],
}

impl Placed {
    /// The byte where a field is stored.
    pub(super) fn field(&self, slot: u16) -> usize {
        self.at + self.offsets[slot as usize] as usize
    }
}

/// The file so far.
pub(super) struct Writer {
    out: Vec<u8>,
    vtables: Vec<Vtable>,
}

/// A list of field offsets that stands in the file.
struct Vtable {
    at: usize,
    /// Its first four bytes: its own length and that of its tables. Few lists have the same.
    head: [u16; 2],
}

impl Writer {
    /// An empty file with its identifier and room for the offset of the root table, which belongs at byte 0.
    pub(super) fn new(identifier: [u8; 4], capacity: usize) -> Writer {
        let mut out = Vec::with_capacity(capacity);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&identifier);
        Writer { out, vtables: Vec::with_capacity(24) }
    }

    /// The bytes.
    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    /// The number of bytes so far.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Zeros up to a place that is `ahead` bytes before a multiple of `alignment` (a power of two).
    pub(super) fn pad(&mut self, alignment: usize, ahead: usize) {
        let end = (self.out.len() + ahead).next_multiple_of(alignment) - ahead;
        self.out.resize(end, 0);
    }

    /// Fills in the offset at byte `field`: it leads to `target`, which comes later in the file.
    pub(super) fn link(&mut self, field: usize, target: usize) {
        let distance = (target - field) as u32;
        self.out[field..field + 4].copy_from_slice(&distance.to_le_bytes());
    }

    /// Fills in a number of eight bytes.
    pub(super) fn patch(&mut self, field: usize, value: u64) {
        self.out[field..field + 8].copy_from_slice(&value.to_le_bytes());
    }

    /// Places a table; larger fields come first, so that nothing needs padding in between.
    pub(super) fn table(&mut self, fields: &Fields) -> Placed {
        let fields = &fields.fields[..fields.count];
        let mut offsets = [0u16; MAX_FIELDS];
        let mut slots = 0;
        // Where the next field of a width goes.
        let mut next = [0u16; 9];
        for field in fields {
            next[field.size as usize] += u16::from(field.size);
            slots = slots.max(field.slot as usize + 1);
        }
        let wide = next[8] > 0;
        let mut size = 4u16;
        for width in [8, 4, 2, 1] {
            let all = next[width];
            next[width] = size;
            size += all;
        }
        for field in fields {
            let next = &mut next[field.size as usize];
            offsets[field.slot as usize] = *next;
            *next += u16::from(field.size);
        }
        let vtable = self.vtable(&offsets[..slots], size);
        self.pad(if wide { 8 } else { 4 }, 4 * usize::from(wide));
        let at = self.out.len();
        self.out.resize(at + size as usize, 0);
        let table = &mut self.out[at..];
        table[..4].copy_from_slice(&((at - vtable) as i32).to_le_bytes());
        for field in fields {
            let place = &mut table[offsets[field.slot as usize] as usize..];
            match field.size {
                4 => place[..4].copy_from_slice(&(field.bits as u32).to_le_bytes()),
                1 => place[0] = field.bits as u8,
                size => {
                    place[..size as usize].copy_from_slice(&field.bits.to_le_bytes()[..size as usize]);
                }
            }
        }
        Placed { at, offsets }
    }

    /// Where the list of field offsets stands; tables with equal lists share one.
    fn vtable(&mut self, offsets: &[u16], table_size: u16) -> usize {
        let length = 4 + 2 * offsets.len();
        let head = [length as u16, table_size];
        let mut bytes = [0u8; 4 + 2 * MAX_FIELDS];
        for (two, number) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(head.iter().chain(offsets)) {
            *two = number.to_le_bytes();
        }
        let bytes = &bytes[..length];
        let same = |v: &&Vtable| v.head == head && self.out[v.at..].starts_with(bytes);
        if let Some(known) = self.vtables.iter().find(same) {
            return known.at;
        }
        self.pad(2, 0);
        let at = self.out.len();
        self.vtables.push(Vtable { at, head });
        self.out.extend_from_slice(bytes);
        at
    }

    /// Places a vector of numbers and links it.
    pub(super) fn numbers<T: Scalar>(&mut self, field: usize, numbers: &[T]) {
        self.pad(T::SIZE.max(4), 4);
        self.link(field, self.out.len());
        self.length(numbers.len());
        self.out.reserve(T::SIZE * numbers.len());
        for number in numbers {
            self.out.extend_from_slice(&number.bits().to_le_bytes()[..T::SIZE]);
        }
    }

    /// Places a vector of bytes whose first element is aligned to `alignment`, and links it.
    pub(super) fn bytes(&mut self, field: usize, bytes: &[u8], alignment: usize) {
        self.pad(alignment, 4);
        self.link(field, self.out.len());
        self.length(bytes.len());
        self.out.extend_from_slice(bytes);
    }

    /// Places a string with its final null and links it.
    pub(super) fn text(&mut self, field: usize, text: &str) {
        self.bytes(field, text.as_bytes(), 4);
        self.out.push(0);
    }

    /// Places a vector of `count` offsets and links it; element i is at byte `4 * i` from the result.
    pub(super) fn offsets(&mut self, field: usize, count: usize) -> usize {
        self.pad(4, 0);
        self.link(field, self.out.len());
        self.length(count);
        let first = self.out.len();
        self.out.resize(first + 4 * count, 0);
        first
    }

    /// Bytes as they are.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn length(&mut self, count: usize) {
        self.out.extend_from_slice(&(count as u32).to_le_bytes());
    }
}
