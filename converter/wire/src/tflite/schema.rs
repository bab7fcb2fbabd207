//! The structural tables of the schema: their fields by slot, and how the `flatbuffers` verifier walks them.
//!
//! A field that [`Model`](super::Model) does not hold is listed too, so that `read` can see that it is there; what it
//! points to is not followed.

use super::options::Options;
use flatbuffers::{ForwardsUOffset, InvalidFlatbuffer, TableVerifier, Vector, Verifiable, Verifier};

type Result<T> = std::result::Result<T, InvalidFlatbuffer>;
type Text = ForwardsUOffset<&'static str>;
type Numbers<T> = ForwardsUOffset<Vector<'static, T>>;
type Tables<T> = ForwardsUOffset<Vector<'static, ForwardsUOffset<T>>>;
/// An offset that is not followed.
type Elsewhere = u32;

/// Where a table's field list keeps the offset of a field.
pub(super) const fn vtable_offset(slot: u16) -> u16 {
    4 + 2 * slot
}

macro_rules! tables {
    ($( $table:ident { $( $slot:literal $field:ident : $ty:ty, )* } )*) => { $(
        #[doc = concat!("The schema's `", stringify!($table), "`; its constants are the slots of the fields.")]
        pub(super) struct $table;

        #[expect(non_upper_case_globals, reason = "the names of the schema")]
        #[allow(dead_code, reason = "some fields are verified and then ignored")]
        impl $table {
            $( pub(super) const $field: u16 = $slot; )*

            fn fields<'v, 'o, 'b>(mut table: TableVerifier<'v, 'o, 'b>) -> Result<TableVerifier<'v, 'o, 'b>> {
                $( table = table.visit_field::<$ty>(stringify!($field), vtable_offset($slot), false)?; )*
                Ok(table)
            }
        }
    )* };
}

tables! {
    Model {
        0 version: u32,
        1 operator_codes: Tables<OperatorCode>,
        2 subgraphs: Tables<SubGraph>,
        3 description: Text,
        4 buffers: Tables<Buffer>,
        6 metadata: Tables<Metadata>,
        7 signature_defs: Tables<SignatureDef>,
    }
    OperatorCode { 0 deprecated_builtin_code: i8, 1 custom_code: Text, 2 version: i32, 3 builtin_code: i32, }
    SubGraph {
        0 tensors: Tables<Tensor>,
        1 inputs: Numbers<i32>,
        2 outputs: Numbers<i32>,
        3 operators: Tables<Operator>,
        4 name: Text,
    }
    Tensor {
        0 shape: Numbers<i32>,
        1 dtype: i8,
        2 buffer: u32,
        3 name: Text,
        4 quantization: ForwardsUOffset<QuantizationParameters>,
        5 is_variable: bool,
        6 sparsity: Elsewhere,
        7 shape_signature: Numbers<i32>,
        8 has_rank: bool,
        9 variant_tensors: Elsewhere,
        10 external_buffer: u32,
    }
    QuantizationParameters {
        0 min: Numbers<f32>,
        1 max: Numbers<f32>,
        2 scale: Numbers<f32>,
        3 zero_point: Numbers<i64>,
        4 details_type: u8,
        5 details: Elsewhere,
        6 quantized_dimension: i32,
    }
    Operator {
        0 opcode_index: u32,
        1 inputs: Numbers<i32>,
        2 outputs: Numbers<i32>,
        3 builtin_options_type: u8,
        4 builtin_options: Elsewhere,
        5 custom_options: Numbers<u8>,
        6 custom_options_format: i8,
        8 intermediates: Numbers<i32>,
        9 large_custom_options_offset: u64,
        10 large_custom_options_size: u64,
        11 builtin_options_2_type: u8,
        12 builtin_options_2: Elsewhere,
        13 debug_metadata_index: i32,
    }
    Buffer { 0 data: Numbers<u8>, 1 offset: u64, 2 size: u64, }
    Metadata { 0 name: Text, 1 buffer: u32, }
    SignatureDef { 0 inputs: Tables<TensorMap>, 1 outputs: Tables<TensorMap>, 2 signature_key: Text, 4 subgraph_index: u32, }
    TensorMap { 0 name: Text, 1 tensor_index: u32, }
}

macro_rules! verifiable {
    ($( $table:ident )*) => { $(
        impl Verifiable for $table {
            fn run_verifier(v: &mut Verifier<'_, '_>, at: usize) -> Result<()> {
                $table::fields(v.visit_table(at)?)?.finish();
                Ok(())
            }
        }
    )* };
}

verifiable! { Model OperatorCode SubGraph Tensor QuantizationParameters Buffer Metadata SignatureDef TensorMap }

/// An operator has a union: which table its options are is the number in another field.
impl Verifiable for Operator {
    fn run_verifier(v: &mut Verifier<'_, '_>, at: usize) -> Result<()> {
        let mut table = Operator::fields(v.visit_table(at)?)?;
        let tag = match table.deref(vtable_offset(Operator::builtin_options_type))? {
            Some(at) => table.verifier().get_u8(at)?,
            None => 0,
        };
        match table.deref(vtable_offset(Operator::builtin_options))? {
            Some(options) => Options::verify(table.verifier(), tag, options)?,
            None if tag == 0 => {}
            None => {
                return InvalidFlatbuffer::new_inconsistent_union("builtin_options", "builtin_options_type");
            }
        }
        table.finish();
        Ok(())
    }
}
