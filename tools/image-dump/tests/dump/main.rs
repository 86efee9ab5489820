//! image-dump as a program: what it reads, what it writes, and what it refuses.

mod archives;
mod bad;
mod colours;
mod folders;
mod sizes;
mod splits;
mod util;
