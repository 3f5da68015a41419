//! How many requests were made with tokens that allow so many: counted in memory, and only while the token holds.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use ringfence_indexes::Timestamp;

use super::task_token::Budget;

/// The most budgets that are counted at the same time: anybody can append one to a token.
const BUDGETS_MAX: usize = 100_000;

/// What was spent.
#[derive(Debug, Default)]
pub(super) struct Budgets(Mutex<HashMap<[u8; 32], Spent>>);

#[derive(Debug)]
struct Spent {
    requests: u32,
    until: Timestamp,
}

impl Budgets {
    /// Counts one request against each of these; `false`, and nothing is counted, where one of them is spent.
    pub(super) fn spend(&self, budgets: &[Budget], until: Timestamp, now: Timestamp) -> bool {
        if budgets.is_empty() {
            return true;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = |budget: &Budget| all.get(&budget.name).map_or(0, |spent| spent.requests);
        if budgets.iter().any(|budget| spent(budget) >= budget.requests_max) {
            return false;
        }
        if all.len() + budgets.len() > BUDGETS_MAX {
            all.retain(|_, spent| now < spent.until);
        }
        // Where there is no room to count, what cannot be counted does not hold.
        if all.len() + budgets.len() > BUDGETS_MAX {
            return false;
        }
        for budget in budgets {
            let spent = all.entry(budget.name).or_insert(Spent { requests: 0, until });
            spent.requests += 1;
            spent.until = spent.until.max(until);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_against_every_budget_or_none() {
        let budgets = Budgets::default();
        let budget = |name: u8, requests_max| Budget { name: [name; 32], requests_max };
        let (root, child) = (budget(1, 3), budget(2, 1));
        let spend = |budgets_of: &[Budget]| budgets.spend(budgets_of, Timestamp(9), Timestamp(0));
        assert!(spend(&[root.clone(), child.clone()]));
        assert!(!spend(&[root.clone(), child]), "the child is spent");
        assert!(spend(std::slice::from_ref(&root)) && spend(std::slice::from_ref(&root)));
        assert!(!spend(&[root]), "what the child spent counts");
        assert!(!spend(&[budget(3, 0)]) && spend(&[]));
    }
}
