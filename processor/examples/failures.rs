//! Prints the table of failures, for `make tables`.

fn main() {
    print!("{}", processor::failure::table::markdown());
}
