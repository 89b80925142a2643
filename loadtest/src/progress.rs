//! Progress bars, on the terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for `len` things of one kind.
pub fn bar(message: impl Into<String>, len: u64, what: &str) -> ProgressBar {
    let template =
        format!("{{msg:>14}} [{{wide_bar}}] {{human_pos}}/{{human_len}} {what} ({{per_sec}})");
    ProgressBar::new(len).with_message(message.into()).with_style(style(&template))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
