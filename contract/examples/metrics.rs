//! Prints the table of counters, for `make tables`.

fn main() {
    print!("{}", contract::metrics::markdown());
}
