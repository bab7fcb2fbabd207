//! Activations with an operand of their own: PRelu.

use super::{Site, Types, broadcast};

pub(super) fn prelu(site: &Site<'_>) -> Types {
    let (x, slope) = (site.need(0)?, site.need(1)?);
    if broadcast(&[x.shape(), slope.shape()])? != x.shape() {
        return Err("slope does not broadcast to the input".into());
    }
    site.same()
}
