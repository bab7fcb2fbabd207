//! What halfproof and an adapter say to each other: one JSON object per line. `docs/adapter-protocol.md` is the text for
//! people who write adapters.

use halfproof_ir::Precision;
use serde::{Deserialize, Serialize};

/// The version of the protocol that is spoken.
pub const PROTOCOL: u32 = 1;

/// The adapter's first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The version of the protocol.
    pub protocol: u32,
    /// The converter's name, for people.
    pub name: String,
    /// The converter's version, as reports show it.
    pub version: String,
    /// In which form it takes source programs.
    pub takes: Form,
    /// In which form it answers.
    #[serde(default)]
    pub gives: Gives,
    /// The strategies that it follows; never empty.
    pub precisions: Vec<Precision>,
}

/// The form of a source program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// An .onnx file.
    Onnx,
    /// A float32 .tflite file, made by our own converter.
    Tflite,
    /// A Python file with a `torch.nn.Module` called `Model` and a function `inputs`.
    Torch,
    /// A Python file with a `tf.function` with a signature, called `model`.
    Tensorflow,
}

impl Form {
    /// The file that holds the source program.
    pub(super) fn file(self) -> &'static str {
        match self {
            Form::Onnx => "source.onnx",
            Form::Tflite => "source.tflite",
            Form::Torch | Form::Tensorflow => "source.py",
        }
    }
}

/// The form of a converted model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gives {
    /// A .tflite file.
    #[default]
    Tflite,
    /// An .onnx file, whose types say what is float16.
    Onnx,
}

impl Gives {
    /// The file that holds the converted model.
    pub(super) fn file(self) -> &'static str {
        match self {
            Gives::Tflite => "target.tflite",
            Gives::Onnx => "target.onnx",
        }
    }
}

/// One program to convert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Order<'a> {
    /// Comes back in the answer.
    pub(super) id: u64,
    /// The strategy.
    pub(super) precision: Precision,
    /// The file with the source program.
    pub(super) source: &'a str,
    /// Where the converted model is to be written.
    pub(super) target: &'a str,
}

/// The answer to an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Answer {
    /// Which order.
    pub(super) id: u64,
    /// What became of it.
    #[serde(flatten)]
    pub(super) outcome: Told,
}

/// What an adapter says of one order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub(super) enum Told {
    /// The file is there.
    Converted,
    /// The converter says that it does not do this.
    Refused {
        /// In the converter's words.
        text: String,
        /// The operator that it names.
        #[serde(default)]
        operator: Option<String>,
    },
    /// The source program cannot be used in this form, for a reason that is not the converter's.
    Unusable {
        /// Why.
        text: String,
    },
    /// The converter failed.
    Failed {
        /// In the converter's words.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_documentation_are_understood() {
        let greeting: Greeting = serde_json::from_str(
            r#"{"protocol": 1, "name": "mine", "version": "2.0", "takes": "onnx", "precisions": ["weights", "full"]}"#,
        )
        .unwrap();
        assert_eq!(greeting.precisions, [Precision::Weights, Precision::Full]);
        let answer = |line: &str| serde_json::from_str::<Answer>(line).unwrap().outcome;
        assert_eq!(answer(r#"{"id": 1, "outcome": "converted"}"#), Told::Converted);
        let refused = Told::Refused { text: "no kernel".into(), operator: Some("tfl.pad".into()) };
        assert_eq!(
            answer(r#"{"id": 1, "outcome": "refused", "text": "no kernel", "operator": "tfl.pad"}"#),
            refused
        );
        assert_eq!(
            answer(r#"{"id": 1, "outcome": "failed", "text": "x"}"#),
            Told::Failed { text: "x".into() }
        );
        assert!(serde_json::from_str::<Answer>(r#"{"id": 1, "outcome": "perhaps"}"#).is_err());
    }
}
