//! The word that somebody probably meant.

/// Returns that there is no `word` of this kind, and the nearest one that there is.
pub fn unknown(kind: &str, word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!("there is no {kind} `{word}`; did you mean `{near}`?"),
        None if known.is_empty() => format!("there is no {kind} `{word}`, and no other either"),
        None => format!("there is no {kind} `{word}`; there are: {}", known.join(", ")),
    }
}

/// Returns the nearest of the known words, if any is near at all.
pub fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    let (steps, word) = known.iter().map(|word| (distance(wrong, word), *word)).min()?;
    (steps <= wrong.chars().count().div_ceil(2)).then_some(word)
}

/// Returns how many letters must change to make `a` of `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut diagonal = i;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(nearest("zzzz", &["limits"]), None);
        assert_eq!(nearest("limts", &["paths", "limits"]), Some("limits"));
    }
}
