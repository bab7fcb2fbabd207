//! Attention.

use super::{Operand, Site, Type, Types};
use halfproof_ir::ops::Attention;

pub(super) fn attention(op: &Attention, site: &Site<'_>) -> Types {
    let (q, k, v) = (site.need(0)?, site.need(1)?, site.need(2)?);
    let (past_key, past_value) = (site.at(4), site.at(5));
    let by_head = |x: &Operand<'_>, heads: i64| match *x.shape() {
        [n, h, l, s] => Ok([n, h, l, s]),
        [n, l, hidden] => {
            let heads = usize::try_from(heads).ok().filter(|&h| h > 0 && hidden % h == 0);
            let heads = heads.ok_or_else(|| format!("{hidden} elements do not fit the number of heads"))?;
            Ok([n, heads, l, hidden / heads])
        }
        _ => Err("its operands have neither 3 nor 4 axes".to_string()),
    };
    let ([n, heads, queries, size], mut keys, mut values) =
        (by_head(&q, op.q_num_heads)?, by_head(&k, op.kv_num_heads)?, by_head(&v, op.kv_num_heads)?);
    if past_key.is_some() != past_value.is_some() {
        return Err("one half of the cache is missing".into());
    }
    for (held, past) in [(&mut keys, past_key), (&mut values, past_value)] {
        if let Some(past) = past {
            let &[_, _, p, _] = past.shape() else { return Err("the cache does not fit".into()) };
            held[2] += p;
        }
    }
    let fits = keys[0] == n && values[0] == n && keys[3] == size && keys[..3] == values[..3];
    if !fits || keys[1] == 0 || heads % keys[1] != 0 {
        return Err(format!("queries {:?}, keys {keys:?} and values {values:?} do not fit", q.shape()));
    }
    let y = match q.ty.rank() {
        3 => vec![n, queries, heads * values[3]],
        _ => vec![n, heads, queries, values[3]],
    };
    let shown = vec![n, heads, queries, keys[2]];
    let all = [y, keys.to_vec(), values.to_vec(), shown];
    Ok(all.into_iter().map(|shape| Type::new(q.ty.dtype, shape)).take(site.results.max(1)).collect())
}
