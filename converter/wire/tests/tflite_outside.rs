//! Files made by somebody else's writer: `data/outside.py` made each .tflite here and the text beside it, with the
//! Python schema classes of ai-edge-litert 2.3.0.

use halfproof_wire::tflite::{dump, read, write};

fn check(name: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/");
    let bytes = std::fs::read(format!("{folder}{name}.tflite")).expect("a file of the repository");
    let expected = std::fs::read_to_string(format!("{folder}{name}.txt")).expect("a file of the repository");
    let seen = read(&bytes).map_or_else(|e| format!("{e}\n"), |model| dump(&model));
    assert_eq!(seen, expected);
    if let Ok(model) = read(&bytes) {
        assert!(read(&write(&model)).expect("our own file") == model);
    }
}

macro_rules! files {
    ($( $test:ident $name:literal, )*) => { $(
        #[test]
        fn $test() { check($name); }
    )* };
}

files! {
    every_field_of_every_option_table_is_read_from_its_slot "every_option",
    old_operator_codes_quantization_variables_metadata_and_signatures_are_read "plain",
    sparse_tensors_are_refused "sparse",
    blockwise_quantization_is_refused "blockwise",
    variant_tensors_are_refused "variant",
    data_in_other_files_is_refused "external",
    stablehlo_options_are_refused "stablehlo",
    fields_newer_than_our_tables_are_refused "quant_spec",
    unknown_builtins_are_refused "future",
}
