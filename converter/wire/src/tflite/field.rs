//! How each type of option field is verified, read and written.

use super::options::{Activation, MirrorPadMode, Padding};
use super::table::{Scalar, Table};
use super::writer::{Fields, Placed, Writer};
use super::{ReadError, TensorType};
use flatbuffers::{ForwardsUOffset, Vector, Verifiable};

/// A field of an option table.
pub(super) trait Field: Sized {
    /// What the flatbuffer stores.
    type Stored: Verifiable;
    /// The field of a table, or its default.
    fn read(table: &Table<'_>, slot: u16, default: Self) -> Result<Self, ReadError>;
    /// Announces the field to the table that is about to be placed.
    fn put(&self, fields: &mut Fields, slot: u16, default: &Self);
    /// Places what the field points to, after the table.
    fn place(&self, _writer: &mut Writer, _table: &Placed, _slot: u16) {}
}

impl<T: Scalar> Field for T {
    type Stored = T;
    fn read(table: &Table<'_>, slot: u16, default: T) -> Result<T, ReadError> {
        table.scalar(slot, default)
    }
    fn put(&self, fields: &mut Fields, slot: u16, default: &T) {
        fields.scalar(slot, *self, *default);
    }
}

/// Vectors are written even when they are empty: to LiteRT an absent `new_shape` of RESHAPE is not an empty one.
impl<T: Scalar + 'static> Field for Vec<T>
where
    Vector<'static, T>: Verifiable,
{
    type Stored = ForwardsUOffset<Vector<'static, T>>;
    fn read(table: &Table<'_>, slot: u16, _: Vec<T>) -> Result<Vec<T>, ReadError> {
        table.numbers(slot)
    }
    fn put(&self, fields: &mut Fields, slot: u16, _: &Vec<T>) {
        fields.offset(slot, true);
    }
    fn place(&self, writer: &mut Writer, table: &Placed, slot: u16) {
        writer.numbers(table.field(slot), self);
    }
}

impl Field for String {
    type Stored = ForwardsUOffset<&'static str>;
    fn read(table: &Table<'_>, slot: u16, _: String) -> Result<String, ReadError> {
        table.text(slot)
    }
    fn put(&self, fields: &mut Fields, slot: u16, _: &String) {
        fields.offset(slot, true);
    }
    fn place(&self, writer: &mut Writer, table: &Placed, slot: u16) {
        writer.text(table.field(slot), self);
    }
}

macro_rules! enumerations {
    ($( $ty:ident what $what:literal, )*) => { $(
        impl Field for $ty {
            type Stored = i8;
            fn read(table: &Table<'_>, slot: u16, default: $ty) -> Result<$ty, ReadError> {
                let code = table.scalar(slot, default.code())?;
                $ty::from_code(code).ok_or_else(|| ReadError::unsupported("", format!(concat!($what, " {}"), code)))
            }
            fn put(&self, fields: &mut Fields, slot: u16, default: &$ty) {
                fields.scalar(slot, self.code(), default.code());
            }
        }
    )* };
}

enumerations! {
    Padding what "padding scheme",
    Activation what "fused activation",
    MirrorPadMode what "mirror pad mode",
    TensorType what "element type",
}
