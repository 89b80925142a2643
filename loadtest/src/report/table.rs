//! Tables of figures, one column for each run, with the difference of two.

use std::fmt::Write as _;

use super::escape::Escaped;

/// Differences smaller than this part are noise, not better or worse.
const NOISE: f64 = 0.05;

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Good {
    Low,
    High,
    Neither,
}

/// A figure of every run; none where a run has none.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) good: Good,
    pub(super) values: Vec<Option<f64>>,
}

/// The table of these figures.
pub(super) fn table(names: &[&str], rows: &[Row]) -> String {
    let mut html = String::from("<table><thead><tr><th scope=\"col\">figure</th>");
    for name in names {
        let _ = write!(html, "<th scope=\"col\">{}</th>", Escaped(name));
    }
    let compares = names.len() == 2;
    html.push_str(if compares { "<th scope=\"col\">A to B</th>" } else { "" });
    html.push_str("</tr></thead><tbody>\n");
    for row in rows {
        let _ = write!(html, "<tr><th scope=\"row\">{}</th>", Escaped(row.name));
        for value in &row.values {
            let _ = match value {
                Some(value) => write!(html, "<td>{}{}</td>", number(*value), row.unit),
                None => write!(html, "<td>none</td>"),
            };
        }
        if compares {
            html.push_str(&change(row));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table>\n");
    html
}

fn change(row: &Row) -> String {
    let [Some(a), Some(b)] = row.values[..] else { return "<td></td>".to_owned() };
    if a == b {
        return "<td>same</td>".to_owned();
    }
    let is_worse = match row.good {
        Good::Low => b > a * (1.0 + NOISE),
        Good::High => b < a * (1.0 - NOISE),
        Good::Neither => false,
    };
    let class = if is_worse { " class=\"worse\"" } else { "" };
    let words = if is_worse { " (worse)" } else { "" };
    if a == 0.0 {
        return format!("<td{class}>{:+}{words}</td>", b - a);
    }
    format!("<td{class}>{:+.1} %{words}</td>", (b / a - 1.0) * 100.0)
}

/// A number with as many digits as a person reads.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 1_000.0 || value.fract() == 0.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(good: Good, a: f64, b: f64) -> String {
        change(&Row { name: "n", unit: "", good, values: vec![Some(a), Some(b)] })
    }

    #[test]
    fn a_difference_is_worse_only_the_wrong_way_and_above_noise() {
        assert_eq!(cell(Good::Low, 10.0, 15.0), "<td class=\"worse\">+50.0 % (worse)</td>");
        assert_eq!(cell(Good::Low, 10.0, 5.0), "<td>-50.0 %</td>");
        assert_eq!(cell(Good::High, 100.0, 80.0), "<td class=\"worse\">-20.0 % (worse)</td>");
        assert_eq!(cell(Good::Low, 100.0, 101.0), "<td>+1.0 %</td>");
        assert_eq!(cell(Good::Low, 0.0, 2.0), "<td class=\"worse\">+2 (worse)</td>");
        assert_eq!(cell(Good::Neither, 3.0, 3.0), "<td>same</td>");
    }
}
