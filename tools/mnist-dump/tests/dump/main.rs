//! The program from outside: what it is given, what comes out.

mod bad;
mod choice;
mod files;
mod real;
mod sets;
mod synthetic;
mod util;
