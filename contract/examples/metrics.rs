//! Prints the table of metrics, for `make tables`; with `names` the golden file of their names,
//! which the infrastructure's tests read.

use contract::metrics::all;
use serde_json::json;

fn main() {
    if std::env::args().nth(1).is_none_or(|wanted| wanted != "names") {
        return print!("{}", contract::metrics::markdown());
    }
    let names = |by_campaign: bool| -> Vec<&str> {
        let wanted = all().filter(|metric| !by_campaign || metric.is_by_campaign());
        wanted.map(|metric| metric.name).collect()
    };
    println!("{:#}", json!({ "all": names(false), "by_campaign": names(true) }));
}
