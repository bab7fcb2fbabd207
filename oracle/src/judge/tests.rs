//! Hand-made conversions with known answers.
