//! Operators that move axes and blocks.

use super::{Site, Types, axis, extents};
use halfproof_ir::ops::{DepthToSpace, SpaceToDepth, Transpose};

pub(super) fn col2im(site: &Site<'_>) -> Types {
    let &[n, rows, _] = site.need(0)?.shape() else { return Err("its operand has no three axes".into()) };
    let image = extents(&site.need(1)?.integers("image_shape")?)?;
    let cells: usize = extents(&site.need(2)?.integers("block_shape")?)?.iter().product();
    if cells == 0 || rows % cells != 0 {
        return Err(format!("{rows} rows are no multiple of {cells}"));
    }
    site.with([n, rows / cells].into_iter().chain(image).collect())
}

pub(super) fn transpose(t: &Transpose, site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    site.with(permutation(&t.perm, x.ty.rank())?.into_iter().map(|i| x.shape()[i]).collect())
}

pub(super) fn depth_to_space(d: &DepthToSpace, site: &Site<'_>) -> Types {
    let (n, c, h, w, b) = blocks(site.need(0)?.shape(), d.blocksize)?;
    if c % (b * b) != 0 {
        return Err(format!("{c} channels are no multiple of {}", b * b));
    }
    site.with(vec![n, c / (b * b), h * b, w * b])
}

pub(super) fn space_to_depth(d: &SpaceToDepth, site: &Site<'_>) -> Types {
    let (n, c, h, w, b) = blocks(site.need(0)?.shape(), d.blocksize)?;
    if h % b != 0 || w % b != 0 {
        return Err(format!("{h} x {w} is no multiple of {b}"));
    }
    site.with(vec![n, c * b * b, h / b, w / b])
}

/// A Transpose's permutation; reversal when the attribute is empty.
///
/// # Errors
/// When it is none.
pub fn permutation(perm: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    if perm.is_empty() {
        return Ok((0..rank).rev().collect());
    }
    let perm: Vec<usize> = perm.iter().map(|&a| axis(a, rank)).collect::<Result<_, _>>()?;
    let mut sorted = perm.clone();
    sorted.sort_unstable();
    if sorted.iter().copied().eq(0..rank) {
        Ok(perm)
    } else {
        Err(format!("perm is no permutation of {rank} axes"))
    }
}

/// N, C, H, W and the block size.
fn blocks(shape: &[usize], block: i64) -> Result<(usize, usize, usize, usize, usize), String> {
    let &[n, c, h, w] = shape else { return Err(format!("a tensor of rank {} is no image", shape.len())) };
    let b =
        usize::try_from(block).ok().filter(|&b| b > 0 && b < 1 << 16).ok_or("blocksize is not positive")?;
    Ok((n, c, h, w, b))
}
