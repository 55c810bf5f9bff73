//! Numbers drawn at random, where nothing secret depends on them.

use std::io;

/// One of the numbers below `limit`; 0 where there is none.
pub fn below(limit: usize) -> io::Result<usize> {
    let drawn = getrandom::u64().map_err(io::Error::other)?;
    // The rest of a division prefers small numbers a little; here that harms nobody.
    let drawn = usize::try_from(drawn >> 1).map_or(0, |drawn| drawn);
    Ok(drawn.checked_rem(limit).map_or(0, |rest| rest))
}

/// One of them; `None` where there is none.
pub fn one_of<T>(items: &[T]) -> io::Result<Option<&T>> {
    Ok(items.get(below(items.len())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_below_the_limit() {
        assert_eq!((below(0).unwrap(), below(1).unwrap()), (0, 0));
        assert!((0..100).all(|_| below(3).unwrap() < 3));
        assert_eq!(one_of::<u8>(&[]).unwrap(), None);
    }
}
