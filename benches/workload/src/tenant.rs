//! A tenant: its ACL classes, who reads them, and the topics it works on.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Range,
};

use crate::{
    random::{Random, zipf},
    topics::TOPICS,
};

const GROUPS: usize = 60;
const USERS: usize = 200;
const CLASSES_MAX: usize = 300;
const CLASSES_MIN: usize = 40;
/// Topics that a tenant works on.
const TENANT_TOPICS: usize = 120;
/// Topics that a class is mostly about.
const FAVOURITES: usize = 6;
/// Groups of one user at most.
const GROUPS_OF_USER_MAX: usize = 20;

/// Chunks with one ACL.
#[derive(Clone, Debug)]
pub struct Class {
    /// Who may read them: any of these.
    pub principals: Vec<String>,
    /// How many there are.
    pub size: usize,
    favourites: Vec<usize>,
}

/// Someone who asks.
#[derive(Clone, Debug)]
pub struct User {
    /// The user's own principal, such as `user:u007`, and then the groups'.
    pub principals: Vec<String>,
    /// The classes that these open, in order.
    pub classes: Vec<usize>,
    /// Chunks in those classes.
    pub readable: usize,
    /// Their share of the tenant's chunks.
    pub share: f64,
}

/// An isolated customer.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Such as `t03`.
    pub name: String,
    /// Its chunks, among those of all tenants.
    pub rows: Range<usize>,
    /// Its classes.
    pub classes: Vec<Class>,
    /// Its users.
    pub users: Vec<User>,
    topics: Vec<usize>,
    topic_weights: Vec<f64>,
}

impl Tenant {
    /// The tenant, and the class of each of its chunks.
    pub(crate) fn new(name: String, rows: Range<usize>, random: &mut Random) -> (Self, Vec<usize>) {
        let mut topics: Vec<usize> = (0..TOPICS).collect();
        random.shuffle(&mut topics);
        topics.truncate(TENANT_TOPICS);
        let mut classes = classes(CLASSES_MAX.min((rows.len() / 20).max(CLASSES_MIN)), &topics, random);
        let sizes = zipf(classes.len(), 1.1);
        // Every class has a chunk where there are enough.
        let mut class_of: Vec<usize> = (0..classes.len().min(rows.len())).collect();
        class_of.extend((class_of.len()..rows.len()).map(|_| random.chosen(&sizes)));
        random.shuffle(&mut class_of);
        class_of.iter().for_each(|class| classes[*class].size += 1);
        let users = users(&classes, rows.len(), random);
        (Self { name, rows, classes, users, topics, topic_weights: zipf(TENANT_TOPICS, 0.7) }, class_of)
    }

    /// What a chunk of this class is about: mostly one of the class's favourites.
    pub(crate) fn topic_of(&self, class: usize, random: &mut Random) -> usize {
        if random.unit() < 0.6 {
            self.classes[class].favourites[random.below(FAVOURITES)]
        } else {
            self.any_topic(random)
        }
    }

    pub(crate) fn any_topic(&self, random: &mut Random) -> usize {
        self.topics[random.chosen(&self.topic_weights)]
    }
}

/// Classes name one to four groups; a fifth of them also one or two users, a tenth one user only.
fn classes(count: usize, topics: &[usize], random: &mut Random) -> Vec<Class> {
    let groups = zipf(GROUPS, 0.8);
    let user = |random: &mut Random| format!("user:u{:03}", random.below(USERS));
    let mut seen = HashSet::new();
    let mut classes = Vec::with_capacity(count);
    while classes.len() < count {
        let drawn = random.unit();
        let wanted = 1 + [0.45, 0.75, 0.9].partition_point(|bound| *bound <= drawn);
        let mut names = BTreeSet::new();
        while names.len() < wanted {
            names.insert(format!("group:g{:02}", random.chosen(&groups)));
        }
        if random.unit() < 0.2 {
            (0..=random.below(2)).for_each(|_| {
                names.insert(user(random));
            });
        }
        if random.unit() < 0.1 {
            names = BTreeSet::from([user(random)]);
        }
        let principals: Vec<String> = names.into_iter().collect();
        if seen.insert(principals.clone()) {
            let favourites = (0..FAVOURITES).map(|_| topics[random.below(topics.len())]).collect();
            classes.push(Class { principals, size: 0, favourites });
        }
    }
    classes
}

/// Users join groups, tried in random order, as long as they stay near a share that is log-uniform from 0.1 % to 60 %.
#[expect(clippy::cast_precision_loss, reason = "counts of chunks")]
fn users(classes: &[Class], chunks: usize, random: &mut Random) -> Vec<User> {
    let mut opened_by: HashMap<&str, Vec<usize>> = HashMap::new();
    for (class, names) in classes.iter().enumerate() {
        names.principals.iter().for_each(|name| opened_by.entry(name).or_default().push(class));
    }
    let opened = |name: &str| opened_by.get(name).map_or(&[][..], Vec::as_slice);
    let user = |number: usize| {
        let name = format!("user:u{number:03}");
        let target = (0.001_f64.ln() + random.unit() * (0.6_f64 / 0.001).ln()).exp();
        let mut may_read: BTreeSet<usize> = opened(&name).iter().copied().collect();
        let mut readable: usize = may_read.iter().map(|class| classes[*class].size).sum();
        let mut groups = Vec::new();
        let mut order: Vec<usize> = (0..GROUPS).collect();
        random.shuffle(&mut order);
        for group in order {
            let group = format!("group:g{group:02}");
            let new: Vec<usize> = opened(&group).iter().filter(|class| !may_read.contains(class)).copied().collect();
            let wider = readable + new.iter().map(|class| classes[*class].size).sum::<usize>();
            if wider as f64 / chunks as f64 <= target * 1.15 && groups.len() < GROUPS_OF_USER_MAX {
                may_read.extend(new);
                readable = wider;
                groups.push(group);
            }
        }
        groups.sort_unstable();
        groups.insert(0, name);
        User {
            principals: groups,
            classes: may_read.into_iter().collect(),
            readable,
            share: readable as f64 / chunks as f64,
        }
    };
    (0..USERS).map(user).collect()
}
