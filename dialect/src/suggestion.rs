//! What somebody meant who wrote something else.

/// How alike two names are at least, from 0 to 1.
const LIKENESS: f64 = 0.7;

/// `: did you mean x?` where a known name is like the one that was written.
pub fn did_you_mean<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let written = written.to_lowercase();
    let rated = known.into_iter().map(|name| (strsim::jaro_winkler(&written, name), name));
    let best = rated.filter(|(likeness, _)| *likeness >= LIKENESS);
    let best = best.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map_or(String::new(), |(_, name)| format!(": did you mean {name}?"))
}
