//! Any bytes as a .tflite file.

use halfproof_ir::{Precision, Request};
use halfproof_wire::tflite::{dump, read, write};

/// Reads; what is read must survive being written, and may be retyped or refused, but never panic; what
/// is retyped reads too.
pub fn run(data: &[u8]) {
    let Ok(model) = read(data) else { return };
    let _ = dump(&model);
    let again = read(&write(&model)).expect("a model that was read is written as one that reads");
    assert_eq!(dump(&again), dump(&model), "the model changed when it was written");
    for precision in Precision::ALL {
        if let Ok(retyped) = halfproof_converter::retype::convert_tflite(&model, &Request::new(precision)) {
            read(&retyped.model).expect("a model that was retyped is written as one that reads");
        }
    }
}
