//! `kernels/op_codes.h` is generated from the table of ops.

use common::plan::OpCode;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// `KlPriorBack` as `kl_prior_back`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (i, c) in name.char_indices() {
        if c.is_uppercase() && i > 0 {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

fn header() -> String {
    let mut text =
        "// The codes of ops and their functions in ops.h. Generated from the table of ops, common/src/plan/op.rs:\n\
                    // UPDATE_EXPECT=1 cargo test --release -p common --test cuda op_codes\n\
                    #pragma once\n\n\
                    #define FOR_EACH_OP(OP)"
            .to_owned();
    for code in OpCode::ALL {
        let function = snake_case(&format!("{code:?}"));
        write!(text, " \\\n    OP({}, {function})", function.to_uppercase()).expect("a String");
    }
    text + "\n"
}

#[test]
fn op_codes_of_the_kernels_are_those_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernels/op_codes.h");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, header()).unwrap();
    }
    let got = fs::read_to_string(&path).unwrap();
    assert!(got == header(), "kernels/op_codes.h is stale: run this test with UPDATE_EXPECT=1, then make kernels");
}
