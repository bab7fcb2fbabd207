//! The protobuf encoding, written straight into one buffer: most of a small model is names, and copying each into a
//! message first would cost more than everything else.

/// Bytes of a message in the making.
pub(super) struct Encoder {
    bytes: Vec<u8>,
}

/// How the value of a field is encoded.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Delimited = 2,
    Fixed32 = 5,
}

impl Encoder {
    pub(super) fn with_capacity(bytes: usize) -> Encoder {
        Encoder { bytes: Vec::with_capacity(bytes) }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn key(&mut self, tag: u32, wire: Wire) {
        self.varint(u64::from(tag << 3 | wire as u32));
    }

    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// An integer field, zero included.
    pub(super) fn int(&mut self, tag: u32, value: i64) {
        self.key(tag, Wire::Varint);
        self.varint(value.cast_unsigned());
    }

    /// A float field, zero included.
    pub(super) fn float(&mut self, tag: u32, value: f32) {
        self.key(tag, Wire::Fixed32);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A field of bytes or text, empty ones included.
    pub(super) fn bytes(&mut self, tag: u32, value: &[u8]) {
        self.key(tag, Wire::Delimited);
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// A field of text, left out when it is empty.
    pub(super) fn text(&mut self, tag: u32, value: &str) {
        if !value.is_empty() {
            self.bytes(tag, value.as_bytes());
        }
    }

    /// A message field, whose own fields are written inside.
    pub(super) fn message<T>(&mut self, tag: u32, fields: impl FnOnce(&mut Encoder) -> T) -> T {
        self.key(tag, Wire::Delimited);
        let start = self.bytes.len();
        // Most messages are short and have a length of one byte; the others are moved.
        self.bytes.push(0);
        let result = fields(self);
        let len = self.bytes.len() - start - 1;
        if len <= 0x7f {
            self.bytes[start] = len as u8;
        } else {
            let mut length = Encoder::with_capacity(10);
            length.varint(len as u64);
            self.bytes.splice(start..=start, length.bytes);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto::{GraphProto, Model, NodeProto, OperatorSetId, TensorProto};
    use super::*;
    use prost::Message;

    #[test]
    fn fields_are_those_that_a_decoder_reads_back() {
        for len in [0, 1, 118, 119, 120, 127, 128, 129, 20_000] {
            let name = "n".repeat(len);
            let mut e = Encoder::with_capacity(0);
            e.int(1, -1);
            e.message(7, |e| {
                e.message(1, |e| {
                    e.bytes(1, b"");
                    e.text(3, &name);
                });
                e.message(5, |e| e.bytes(9, name.as_bytes()));
            });
            e.message(8, |e| e.int(2, 300));
            let node = NodeProto { input: vec![String::new()], name: name.clone(), ..NodeProto::default() };
            let tensor = TensorProto { raw_data: name.into_bytes().into(), ..TensorProto::default() };
            let model = Model {
                ir_version: -1,
                graph: Some(GraphProto {
                    node: vec![node],
                    initializer: vec![tensor],
                    ..GraphProto::default()
                }),
                opset_import: vec![OperatorSetId { domain: String::new(), version: 300 }],
            };
            assert_eq!(Model::decode(e.finish().as_slice()).unwrap(), model);
        }
    }
}
