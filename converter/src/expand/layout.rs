//! Col2Im: in every round, each place of the image takes the next of the columns' elements that fall on it.

use super::Builder;
use super::scatter::{coordinates, signed};
use halfproof_ir::ops::{Concat, Gather};
use halfproof_ir::{Node, Op, ValueId};

/// One convolution's worth of overlapping blocks at most.
const MOST_ROUNDS: usize = 64;

pub(super) fn col2im(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::Col2Im(op) = &node.op else { return Err("it is no Col2Im".into()) };
    let (x, y) = (b.need(node, 0)?, b.need_output(node)?);
    let (from, shape) = (b.ty(x)?, b.shape(y)?);
    let image = &shape[2..];
    let rank = image.len();
    let block: Vec<usize> = b
        .integers(node, 2, "block_shape")?
        .unwrap_or_default()
        .iter()
        .map(|&n| usize::try_from(n).unwrap_or(0))
        .collect();
    let given =
        |list: &[i64], i: usize, each: usize| list.get(i).map_or(each, |&v| usize::try_from(v).unwrap_or(0));
    let (steps, dilations): (Vec<usize>, Vec<usize>) =
        (0..rank).map(|i| (given(&op.strides, i, 1), given(&op.dilations, i, 1))).unzip();
    let pads: Vec<usize> = (0..2 * rank).map(|i| given(&op.pads, i, 0)).collect();
    if block.len() != rank || block.contains(&0) || steps.contains(&0) {
        return Err("block_shape or strides do not fit".into());
    }
    let counts = (0..rank)
        .map(|i| {
            let room = image[i] + pads[i] + pads[rank + i];
            let reach = (block[i] - 1) * dilations[i] + 1;
            room.checked_sub(reach).map(|r| r / steps[i] + 1).ok_or("a block is larger than the image")
        })
        .collect::<Result<Vec<usize>, _>>()?;
    let (cells, columns, size): (usize, usize, usize) =
        (block.iter().product(), counts.iter().product(), image.iter().product());
    if from.shape[2] != columns {
        return Err(format!("{} columns do not make up {columns} blocks", from.shape[2]));
    }
    let mut rounds: Vec<Vec<i64>> = Vec::new();
    let mut met = vec![0usize; size];
    for cell in 0..cells {
        let inner = coordinates(cell, &block);
        for column in 0..columns {
            let outer = coordinates(column, &counts);
            let place = (0..rank).try_fold(0, |flat, i| {
                let at = (outer[i] * steps[i] + inner[i] * dilations[i]).checked_sub(pads[i])?;
                (at < image[i]).then_some(flat * image[i] + at)
            });
            let Some(place) = place else { continue };
            if met[place] == rounds.len() {
                rounds.push(vec![signed(cells * columns); size]);
            }
            rounds[met[place]][place] = signed(cell * columns + column);
            met[place] += 1;
        }
    }
    if rounds.len() > MOST_ROUNDS {
        return Err(format!("{} blocks overlap in one place, more than {MOST_ROUNDS}", rounds.len()));
    }
    let planes = shape[0] * shape[1];
    let held = b.reshape(x, &[planes, cells * columns])?;
    let idle = b.floats(from.dtype, &[planes, 1], vec![0.0; planes]);
    let held = b.emit(Concat { axis: 1 }, &[held, idle])?;
    let mut sum: Option<ValueId> = None;
    for round in rounds {
        let source = b.wholes(&[size], round);
        let term = b.emit(Gather { axis: 1 }, &[held, source])?;
        sum = Some(match sum {
            Some(sum) => b.emit(Op::Add, &[sum, term])?,
            None => term,
        });
    }
    let sum = sum.ok_or("no block falls on the image")?;
    Ok(vec![b.reshape(sum, &shape)?])
}
