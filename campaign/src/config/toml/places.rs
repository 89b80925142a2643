//! Where each setting stands, and what is said of one that stands elsewhere or is unknown.

/// Settings above the first table.
const TOP: [&str; 22] = [
    "attributes",
    "cache_hours",
    "cache_system",
    "cooldown_hours",
    "fields",
    "forbidden",
    "grounded",
    "history",
    "hourly_limit",
    "keep_prompts_days",
    "links",
    "max_tokens",
    "model_id",
    "on_missing_item",
    "priority",
    "replace",
    "required",
    "retract_when",
    "structured_output",
    "temperature",
    "timeout_seconds",
    "ttl_days",
];

/// Tables with their settings; those of `fields_from` are the names of properties.
const TABLES: [(&str, &[&str]); 8] = [
    ("batch", &["within_hours"]),
    ("budget", &["over_budget", "tokens_per_day", "usd_per_day"]),
    ("guardrail", &["id", "version"]),
    ("price", &["usd_per_million_input_tokens", "usd_per_million_output_tokens"]),
    ("trigger", &["after", "event_types", "unless", "when"]),
    (CHECKS, &["name", "say", "when"]),
    ("fallback", &["language"]),
    ("fields_from", &[]),
];

/// The table that stands once for each check.
const CHECKS: &str = "checks";

/// Settings of other tools, and what they are called here.
const ELSEWHERE: [(&str, &str); 11] = [
    ("delay", "after"),
    ("except", "unless"),
    ("exception", "unless"),
    ("inference_profile", "model_id"),
    ("max_completion_tokens", "max_tokens"),
    ("max_new_tokens", "max_tokens"),
    ("max_output_tokens", "max_tokens"),
    ("maxOutputTokens", "max_tokens"),
    ("retract", "retract_when"),
    ("retract_if", "retract_when"),
    ("wait", "after"),
];

/// What is said of a setting that is not known where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Elsewhere {
    pub(super) reason: String,
    /// The settings and tables that were meant by it, which are not missing besides.
    pub(super) meant: Vec<String>,
}

/// The settings of a table.
pub(super) fn of_table(name: &str) -> impl Iterator<Item = &'static str> {
    TABLES.into_iter().filter(move |(table, _)| *table == name).flat_map(|(_, of)| of).copied()
}

/// What is said of a setting that stands in `table`, or above all, and is not known there;
/// `inside` are the names in it, if it is a table.
pub(super) fn told(table: Option<&str>, name: &str, inside: Option<Vec<&str>>) -> Elsewhere {
    let here = table.map_or(String::new(), |table| format!(" stands in [{table}]:"));
    let is_table = TABLES.iter().any(|(table, _)| *table == name);
    if is_table {
        // Only within a table is a table's name not known.
        let reason = format!("{name}{here} begin a table of its own, {}", written(name));
        return Elsewhere { reason, meant: names(name, inside) };
    }
    if table.is_some() && TOP.contains(&name) {
        let reason = format!("{name}{here} it belongs above the first [table]");
        return Elsewhere { reason, meant: vec![name.to_owned()] };
    }
    if let Some((home, _)) = TABLES.iter().find(|(_, of)| of.contains(&name)) {
        let here = if here.is_empty() { here } else { format!("{here} it") };
        let reason = format!("{name}{here} belongs into {}", written(home));
        return Elsewhere { reason, meant: vec![name.to_owned(), (*home).to_owned()] };
    }
    match inside {
        Some(inside) => unknown_table(name, inside),
        None => unknown_setting(table, name),
    }
}

/// The name of a table, as it begins it.
fn written(table: &str) -> String {
    if table == CHECKS { format!("[[{table}]]") } else { format!("[{table}]") }
}

fn unknown_setting(table: Option<&str>, name: &str) -> Elsewhere {
    let said = format!("unknown setting \"{name}\"");
    let own: Vec<&str> = table.map_or(TOP.to_vec(), |table| of_table(table).collect());
    if let Some((meant, remedy)) = meant(name, own) {
        return Elsewhere { reason: said + &remedy, meant: vec![meant] };
    }
    let homes = [(None, &TOP[..])].into_iter();
    let homes = homes.chain(TABLES.into_iter().map(|(home, of)| (Some(home), of)));
    for (home, of) in homes {
        if let Some((meant, remedy)) = meant(name, of.to_vec()) {
            let place = home.map_or("above the first [table]".to_owned(), |home| {
                format!("in {}", written(home))
            });
            let reason = format!("{said}{} {place}?", remedy.trim_end_matches('?'));
            return Elsewhere { reason, meant: vec![meant] };
        }
    }
    let Some(table) = table else {
        return Elsewhere { reason: format!("{said}: remove or rename it"), meant: Vec::new() };
    };
    let own: Vec<&str> = of_table(table).collect();
    let reason = format!("{said}: {} has {}", written(table), own.join(", "));
    Elsewhere { reason, meant: own.into_iter().map(str::to_owned).collect() }
}

fn unknown_table(name: &str, inside: Vec<&str>) -> Elsewhere {
    let said = format!("unknown table [{name}]");
    if let Some((meant, _)) = meant(name, TABLES.iter().map(|(table, _)| *table).collect()) {
        let reason = format!("{said}: did you mean {}?", written(&meant));
        return Elsewhere { reason, meant: names(&meant, Some(inside)) };
    }
    let known: Vec<&str> = inside.iter().copied().filter(|name| TOP.contains(name)).collect();
    let remedy = match known.as_slice() {
        [] => ": remove it".to_owned(),
        known => format!(": {} above the first [table]", belong(known)),
    };
    Elsewhere { reason: said + &remedy, meant: names(name, Some(inside)) }
}

fn belong(names: &[&str]) -> String {
    let verb = if names.len() == 1 { "belongs" } else { "belong" };
    format!("{} {verb}", names.join(", "))
}

fn names(name: &str, inside: Option<Vec<&str>>) -> Vec<String> {
    std::iter::once(name).chain(inside.into_iter().flatten()).map(str::to_owned).collect()
}

/// The name that was meant, and what is said of it.
fn meant(name: &str, known: Vec<&str>) -> Option<(String, String)> {
    if let Some((_, here)) = ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == name)
        && known.contains(here)
    {
        return Some(((*here).to_owned(), format!(": did you mean {here}?")));
    }
    let remedy = dialect::did_you_mean(name, known);
    let meant = remedy.strip_prefix(": did you mean ")?.strip_suffix('?')?.to_owned();
    Some((meant, remedy))
}
