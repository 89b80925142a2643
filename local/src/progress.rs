//! Progress bars with rates, drawn from the totals while the work goes on.

use std::sync::Arc;
use std::time::Duration;

use contract::metrics;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::{Instant, interval};

use crate::standstill::Standstill;
use crate::totals::{Totals, get};

/// How often the bars are drawn.
const DRAW_INTERVAL: Duration = Duration::from_millis(100);

/// How soon a wait is said that is another one, and how soon the same.
const SAY_NEWS: Duration = Duration::from_secs(10);
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// A bar with a known end.
const MEASURED: &str = "{msg:>14} [{wide_bar}] {human_pos}/{human_len} ({per_sec})";

/// A count without a known end.
const COUNTED: &str = "{msg:>14} {spinner} {human_pos} ({per_sec})";

/// A bar for `len` steps of one kind.
pub fn bar(message: &'static str, len: u64) -> ProgressBar {
    ProgressBar::new(len).with_message(message).with_style(style(MEASURED))
}

/// A count of what has no end that is known.
pub fn count(message: &'static str) -> ProgressBar {
    ProgressBar::no_length().with_message(message).with_style(style(COUNTED))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Draws all stages of `files` uploads until it is dropped, and says what is waited for where
/// nothing moves.
pub async fn draw(totals: Arc<Totals>, standstill: Arc<Standstill>, files: u64) {
    let all = MultiProgress::new();
    let measured = |message, len| all.add(bar(message, len));
    let counted = |message| all.add(count(message));
    let bars = Erasing {
        uploaded: measured("files", files),
        events: counted("events read"),
        records: measured("stream records", 0),
        contents: counted("contents"),
    };
    let mut ticks = interval(DRAW_INTERVAL);
    let mut said: Option<(String, Instant)> = None;
    loop {
        ticks.tick().await;
        let waiting = standstill.sentences();
        let is_news = said.as_ref().is_none_or(|(before, at)| {
            before != &without_digits(&waiting) || at.elapsed() >= SAY_AGAIN
        });
        if waiting.is_empty() {
            said = None;
        } else if is_news && said.as_ref().is_none_or(|(_, at)| at.elapsed() >= SAY_NEWS) {
            say(&all, &waiting);
            said = Some((without_digits(&waiting), Instant::now()));
        }
        let counts = totals.counts();
        bars.uploaded.set_position(get(&totals.notifications_done));
        bars.events.set_position(counts.get(metrics::EVENTS_READ));
        bars.records.set_length(counts.get(metrics::STREAM_RECORDS));
        bars.records.set_position(get(&totals.records_done));
        bars.contents.set_position(counts.get(metrics::CONTENTS_STORED));
    }
}

/// What is left when numbers, which always move, are left out.
fn without_digits(lines: &[String]) -> String {
    lines.concat().chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// Says lines above the bars; without a terminal there are none.
fn say(bars: &MultiProgress, lines: &[String]) {
    for line in lines {
        if bars.is_hidden() {
            eprintln!("{line}");
        } else {
            let _ = bars.println(line);
        }
    }
}

struct Erasing {
    uploaded: ProgressBar,
    events: ProgressBar,
    records: ProgressBar,
    contents: ProgressBar,
}

impl Drop for Erasing {
    fn drop(&mut self) {
        for bar in [&self.uploaded, &self.events, &self.records, &self.contents] {
            bar.finish_and_clear();
        }
    }
}
