//! GridSample and AffineGrid.

use super::window::image;
use super::{Site, Types, extents};

pub(super) fn grid_sample(site: &Site<'_>) -> Types {
    let (x, grid) = (site.need(0)?, site.need(1)?);
    let (n, c, spatial) = image(x.shape())?;
    let fits = grid.ty.rank() == x.ty.rank()
        && grid.shape()[0] == n
        && grid.shape()[x.ty.rank() - 1] == spatial.len();
    if !fits {
        return Err(format!("a grid {:?} does not fit {:?}", grid.shape(), x.shape()));
    }
    let places = &grid.shape()[1..grid.ty.rank() - 1];
    site.with([n, c].iter().chain(places).copied().collect())
}

pub(super) fn affine_grid(site: &Site<'_>) -> Types {
    let &[n, axes, columns] = site.need(0)?.shape() else { return Err("theta holds no matrices".into()) };
    let size = extents(&site.need(1)?.integers("size")?)?;
    if columns != axes + 1 || size.len() != axes + 2 || size[0] != n {
        return Err(format!("theta does not fit the size {size:?}"));
    }
    site.with(std::iter::once(n).chain(size[2..].iter().copied()).chain([axes]).collect())
}
