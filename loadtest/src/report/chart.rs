//! A chart of lines, as SVG inside HTML.

use std::fmt::Write as _;

use super::escape::Escaped;
use super::table::number;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 44.0;

/// Steps that people read easily.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

/// Lines on an axis, about.
const TICKS: f64 = 5.0;

/// How an axis is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Logarithmic,
}

/// An axis.
pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) scale: Scale,
    /// Marks in place of round numbers, each with its text.
    pub(super) marks: Vec<(f64, String)>,
}

/// A line; the number of its run decides its colour.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) run: usize,
    /// Drawn broken, to be told from another line of the same run.
    pub(super) is_second: bool,
    pub(super) points: Vec<(f64, f64)>,
}

/// A chart.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
    /// A line across that is not to be crossed.
    pub(super) bound: Option<f64>,
    /// Times that are shaded.
    pub(super) bands: Vec<Band>,
}

/// A part of the x axis that something was on for.
pub(super) struct Band {
    pub(super) name: String,
    pub(super) run: usize,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// From values to places on the page.
struct Place {
    low: f64,
    high: f64,
    scale: Scale,
    from: f64,
    to: f64,
}

impl Place {
    fn new(axis: &Axis, values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let is_log = axis.scale == Scale::Logarithmic;
        let (mut low, mut high) = values
            .filter(|value| value.is_finite() && (!is_log || *value > 0.0))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            (low, high) = (1.0, 1.0);
        }
        if !is_log {
            low = low.min(0.0);
        }
        if low == high {
            high = if is_log { high * 2.0 } else { high + 1.0 };
        }
        Self { low, high, scale: axis.scale, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let part = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic => {
                (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
            }
        };
        self.from + part * (self.to - self.from)
    }

    /// Round numbers on the axis.
    fn ticks(&self) -> Vec<f64> {
        let inside = |tick: &f64| (self.low..=self.high).contains(tick);
        match self.scale {
            Scale::Linear => {
                let rough = (self.high - self.low) / TICKS;
                let power = 10_f64.powf(rough.log10().floor());
                let step = STEPS.iter().map(|step| step * power).find(|step| *step >= rough);
                let step = step.unwrap_or(power * 10.0);
                let first = (self.low / step).ceil() as i64;
                (first..).map(|n| n as f64 * step).take_while(|tick| *tick <= self.high).collect()
            }
            Scale::Logarithmic => {
                let (first, last) = (self.low.log10().floor() as i32, self.high.log10() as i32 + 1);
                let powers = (first..=last).map(|power| 10_f64.powi(power));
                let all = powers.flat_map(|power| STEPS.map(|step| step * power));
                let ticks: Vec<f64> = all.filter(inside).collect();
                // Many decades have room for their beginnings only.
                let has_room = ticks.len() as f64 <= TICKS * 2.0;
                let is_power = |tick: &f64| (tick.log10() - tick.log10().round()).abs() < 1e-9;
                ticks.into_iter().filter(|tick| has_room || is_power(tick)).collect()
            }
        }
    }
}

impl Chart {
    /// The chart as a figure of HTML, with its words for those who cannot see it.
    pub(super) fn html(&self) -> String {
        let points = || self.series.iter().flat_map(|series| series.points.iter().copied());
        let marks = |axis: &Axis| axis.marks.iter().map(|(at, _)| *at).collect::<Vec<_>>();
        let xs = points().map(|(x, _)| x).chain(marks(&self.x));
        let xs = xs.chain(self.bands.iter().flat_map(|band| [band.from, band.to]));
        let ys = points().map(|(_, y)| y).chain(self.bound);
        let x = Place::new(&self.x, xs, LEFT, WIDTH - RIGHT);
        let y = Place::new(&self.y, ys, HEIGHT - BOTTOM, TOP);
        let mut svg = format!(
            "<figure><figcaption>{}</figcaption>\n\
             <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
            Escaped(self.title),
            Escaped(&self.words())
        );
        self.shade(&mut svg, &x);
        self.grid(&mut svg, &x, &y);
        if let Some(bound) = self.bound {
            let at = y.at(bound);
            let to = WIDTH - RIGHT;
            let _ = writeln!(
                svg,
                "<line class=\"bound\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{to}\" y2=\"{at:.1}\"/>"
            );
        }
        for (n, series) in self.series.iter().enumerate() {
            line(&mut svg, series, &x, &y);
            legend(&mut svg, series, n);
        }
        svg.push_str("</svg></figure>\n");
        svg
    }

    /// What the chart says, in words.
    fn words(&self) -> String {
        let mut words = format!("{}: {} by {}.", self.title, self.y.label, self.x.label);
        for series in &self.series {
            let highest = series.points.iter().map(|(_, y)| *y).fold(0.0, f64::max);
            let _ = write!(words, " {}: at most {}.", series.name, number(highest));
        }
        for band in &self.bands {
            let (from, to) = (number(band.from), number(band.to));
            let _ = write!(words, " {} from {from} to {to}.", band.name);
        }
        words
    }

    /// Bands with their names, each run in a lane of its own.
    fn shade(&self, svg: &mut String, x: &Place) {
        let lanes = self.bands.iter().map(|band| band.run + 1).max().unwrap_or(1);
        let height = (HEIGHT - BOTTOM - TOP) / lanes as f64;
        for band in &self.bands {
            let (from, to) = (x.at(band.from), x.at(band.to));
            let (top, width) = (TOP + height * band.run as f64, to - from);
            let (text_x, text_y) = ((from + to) / 2.0 + 4.0, top + 4.0);
            let class = if band.run == 0 { "a" } else { "b" };
            let name = Escaped(&band.name);
            let _ = writeln!(
                svg,
                "<rect class=\"band {class}\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
                 height=\"{height:.1}\"><title>{name}</title></rect>\
                 <text class=\"band\" text-anchor=\"end\" \
                 transform=\"translate({text_x:.1} {text_y:.1}) rotate(-90)\">{name}</text>"
            );
        }
    }

    fn grid(&self, svg: &mut String, x: &Place, y: &Place) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in y.ticks() {
            let at = y.at(tick);
            let (text_x, text_y) = (LEFT - 8.0, at + 4.0);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/>\
                 <text x=\"{text_x}\" y=\"{text_y:.1}\" text-anchor=\"end\">{}</text>",
                short(tick)
            );
        }
        let rounds = || x.ticks().into_iter().map(|tick| (tick, number(tick))).collect();
        let marks = if self.x.marks.is_empty() { rounds() } else { self.x.marks.clone() };
        for (tick, text) in marks {
            let (at, text_y) = (x.at(tick), bottom + 16.0);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>\
                 <text x=\"{at:.1}\" y=\"{text_y}\" text-anchor=\"middle\">{}</text>",
                Escaped(&text)
            );
        }
        let (middle, text_y) = ((LEFT + right) / 2.0, HEIGHT - 8.0);
        let _ = writeln!(
            svg,
            "<text x=\"{middle}\" y=\"{text_y}\" text-anchor=\"middle\">{}</text>\
             <text x=\"4\" y=\"14\">{}</text>",
            Escaped(self.x.label),
            Escaped(self.y.label)
        );
    }
}

fn class(series: &Series) -> &'static str {
    if series.run == 0 { "a" } else { "b" }
}

fn line(svg: &mut String, series: &Series, x: &Place, y: &Place) {
    let mut points = String::new();
    for (at_x, at_y) in &series.points {
        let _ = write!(points, "{:.1},{:.1} ", x.at(*at_x), y.at(*at_y));
    }
    let second = if series.is_second { " second" } else { "" };
    let _ = writeln!(
        svg,
        "<polyline class=\"series {}{second}\" points=\"{}\"/>",
        class(series),
        points.trim_end()
    );
    // A single point makes no line.
    if let [(at_x, at_y)] = series.points[..] {
        let (cx, cy) = (x.at(at_x), y.at(at_y));
        let class = class(series);
        let _ =
            writeln!(svg, "<circle class=\"dot {class}\" cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"4\"/>");
    }
}

fn legend(svg: &mut String, series: &Series, n: usize) {
    let left = WIDTH - RIGHT - 150.0 * (n as f64 + 1.0);
    let (right, text) = (left + 24.0, left + 30.0);
    let second = if series.is_second { " second" } else { "" };
    let _ = writeln!(
        svg,
        "<line class=\"series {}{second}\" x1=\"{left}\" y1=\"10\" x2=\"{right}\" y2=\"10\"/>\
         <text x=\"{text}\" y=\"14\">{}</text>",
        class(series),
        Escaped(&series.name)
    );
}

/// A number that fits beside the axis.
fn short(value: f64) -> String {
    if value.abs() < 1e6 { number(value) } else { format!("{}M", number(value / 1e6)) }
}

/// Marks of quantiles, further apart the closer they are to the end.
pub(super) fn quantile_axis() -> Axis {
    let marks = [(0.0, "0"), (0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")];
    let marks = marks.map(|(quantile, name)| (rarity(quantile), name.to_owned())).to_vec();
    Axis { label: "part of all", scale: Scale::Logarithmic, marks }
}

/// One in how many is beyond the quantile.
pub(super) fn rarity(quantile: f64) -> f64 {
    1.0 / (1.0 - quantile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: Scale) -> Axis {
        Axis { label: "l", scale, marks: Vec::new() }
    }

    #[test]
    fn values_have_their_place_on_either_scale() {
        let linear = Place::new(&axis(Scale::Linear), [0.0, 200.0].into_iter(), 0.0, 100.0);
        let log = Place::new(&axis(Scale::Logarithmic), [1.0, 100.0].into_iter(), 0.0, 100.0);

        assert_eq!(linear.at(50.0), 25.0);
        assert!((log.at(10.0) - 50.0).abs() < 1e-9);
        assert_eq!(linear.ticks(), [0.0, 50.0, 100.0, 150.0, 200.0]);
        assert_eq!(log.ticks(), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
    }

    #[test]
    fn millions_are_written_short() {
        assert_eq!(
            [0.0, 0.5, 5_000.0, 2.5e6, 1e8].map(short),
            ["0", "0.50", "5000", "2.50M", "100M"]
        );
    }

    #[test]
    fn nothing_and_a_single_value_can_be_drawn() {
        for values in [vec![], vec![7.0], vec![0.0], vec![f64::NAN]] {
            for scale in [Scale::Linear, Scale::Logarithmic] {
                let place = Place::new(&axis(scale), values.iter().copied(), 0.0, 100.0);
                assert!(place.at(5.0).is_finite(), "{values:?} {scale:?}");
                assert!(place.ticks().len() < 20, "{values:?} {scale:?}");
            }
        }
    }
}
