//! Control flow: where the ways of a branch meet again.
//!
//! The lanes of a warp that take different ways join at the immediate post-dominator of the branch: the first instruction
//! that every way reaches. That is how compilers for GPUs do it, and no promise of PTX.

use super::Instruction;
use super::op::Op;

/// Sets `meet` of every branch (the end of the code, where the ways meet in no instruction).
pub(super) fn set_meets(code: &mut [Instruction]) {
    let end = code.len();
    let mut leaders = vec![false; end + 1];
    leaders[0] = true;
    for (i, instruction) in code.iter().enumerate() {
        match instruction.op {
            Op::Branch { to, .. } => (leaders[to], leaders[i + 1]) = (true, true),
            Op::Return => leaders[i + 1] = true,
            _ => {}
        }
    }
    leaders[end] = true;
    // Basic blocks by their first instruction; the last, without instructions, is the exit.
    let starts: Vec<usize> = (0..=end).filter(|i| leaders[*i]).collect();
    let mut block_of = vec![0; end + 1];
    starts.iter().enumerate().for_each(|(block, start)| block_of[*start] = block);
    let exit = starts.len() - 1;
    let successors: Vec<Vec<usize>> = (0..exit)
        .map(|block| {
            let last = &code[starts[block + 1] - 1];
            match (&last.op, last.guard) {
                (Op::Return, None) => vec![exit],
                (Op::Return, Some(_)) => vec![exit, block + 1],
                (Op::Branch { to, .. }, None) => vec![block_of[*to]],
                (Op::Branch { to, .. }, Some(_)) => vec![block_of[*to], block + 1],
                _ => vec![block + 1],
            }
        })
        .collect();
    let meets = post_dominators(&successors, exit);
    for block in 0..exit {
        if let Op::Branch { meet, .. } = &mut code[starts[block + 1] - 1].op {
            *meet = starts[meets[block]];
        }
    }
}

/// The immediate post-dominator of each node (Cooper, Harvey and Kennedy 2001, on the reversed graph). Of a node from
/// which the exit is not reached, an endless loop, it is the exit.
fn post_dominators(successors: &[Vec<usize>], exit: usize) -> Vec<usize> {
    let mut predecessors = vec![vec![]; exit + 1];
    for (node, all) in successors.iter().enumerate() {
        all.iter().for_each(|next| predecessors[*next].push(node));
    }
    let order = postorder(&predecessors, exit);
    let mut rank = vec![0; exit + 1];
    order.iter().enumerate().for_each(|(r, node)| rank[*node] = r);
    let mut meets: Vec<Option<usize>> = vec![None; exit + 1];
    meets[exit] = Some(exit);
    let mut changed = true;
    while changed {
        changed = false;
        for &node in order.iter().rev().filter(|node| **node != exit) {
            let known = successors[node].iter().copied().filter(|next| meets[*next].is_some());
            let new = known.reduce(|mut a, mut b| {
                while a != b {
                    while rank[a] < rank[b] {
                        a = meets[a].expect("a known node has a known post-dominator");
                    }
                    while rank[b] < rank[a] {
                        b = meets[b].expect("a known node has a known post-dominator");
                    }
                }
                a
            });
            if new.is_some() && meets[node] != new {
                meets[node] = new;
                changed = true;
            }
        }
    }
    meets.into_iter().map(|meet| meet.unwrap_or(exit)).collect()
}

/// Depth-first postorder of the nodes that are reached from `root`.
fn postorder(edges: &[Vec<usize>], root: usize) -> Vec<usize> {
    let (mut order, mut seen, mut stack) = (vec![], vec![false; edges.len()], vec![(root, 0)]);
    seen[root] = true;
    while let Some((node, edge)) = stack.last_mut() {
        match edges[*node].get(*edge) {
            Some(&next) => {
                *edge += 1;
                if !std::mem::replace(&mut seen[next], true) {
                    stack.push((next, 0));
                }
            }
            None => {
                order.push(*node);
                stack.pop();
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::post_dominators;

    #[test]
    fn ways_of_a_branch_and_of_a_loop_meet() {
        // 0 branches to 1 and 2, which meet in 3; 3 repeats 0, or goes on to 4, the exit.
        let successors = [vec![1, 2], vec![3], vec![3], vec![0, 4]];
        assert_eq!(post_dominators(&successors, 4), [3, 3, 3, 4, 4]);
        // A way out of the middle of a branch: they meet behind it.
        let successors = [vec![1, 2], vec![3, 4], vec![3], vec![4]];
        assert_eq!(post_dominators(&successors, 4), [4, 4, 3, 4, 4]);
        // An endless loop.
        assert_eq!(post_dominators(&[vec![1, 2], vec![1]], 2), [2, 2, 2]);
    }
}
