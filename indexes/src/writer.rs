//! From one snapshot to the next: changes are applied in order, then each touched class is indexed once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value};

use crate::{
    acl::Acl,
    body,
    change::Change,
    class::ClassId,
    collection::Collection,
    document::{ChunkEntry, Document, DocumentChunk, DocumentEntry},
    error::EngineError,
    graph::Task,
    id::{ChunkId, CollectionId, DocumentId},
    lexical::{analyzer::Analyzer, kind::AnalyzerKind},
    options::{EngineOptions, Settings},
    partition::{Partition, Touched},
    policy::Policy,
    rules::Ruleset,
    segment::{Fresh, Row},
    snapshot::{Documents, Snapshot},
    spill::{Blob, Spill},
    vector::quantize,
};

/// The snapshot that these changes make of another, and the graphs that are worth building then. On an error nothing has happened.
pub(crate) fn apply(
    snapshot: &Snapshot,
    epoch: u64,
    changes: Vec<Change>,
    analyzer: &mut Analyzer,
    settings: &Settings,
) -> Result<(Snapshot, Vec<Task>), EngineError> {
    let spill = settings.spill.as_ref();
    let mut writer = Writer { snapshot: snapshot.clone(), touched: BTreeMap::new(), fresh: Fresh::new(), spill };
    writer.snapshot.epoch = epoch;
    writer.snapshot.has_graphs = settings.options.graph_rows_min.is_some();
    for change in changes {
        writer.change(change)?;
    }
    writer.finish(analyzer, &settings.options)
}

struct Writer<'a> {
    snapshot: Snapshot,
    /// What happened in each class.
    touched: BTreeMap<u32, Touched>,
    /// The passages that are to be indexed.
    fresh: Fresh,
    spill: Option<&'a Arc<Spill>>,
}

impl Writer<'_> {
    fn change(&mut self, change: Change) -> Result<(), EngineError> {
        match change {
            Change::PutCollection(collection) => self.put_collection(collection)?,
            Change::DeleteCollection(id) => self.delete_collection(&id),
            Change::PutDocument(document) => self.put_document(document)?,
            Change::DeleteDocument { collection, document } => self.remove(&collection, &document),
            Change::SetAcl { collection, document, acl, version } => {
                self.set_acl(&collection, &document, acl, version)?;
            }
            Change::PutGroup { group, members } => self.policy().directory.put(&group, members),
            Change::DeleteGroup { group } => self.policy().directory.put(&group, BTreeSet::new()),
            Change::PutStanding { name, standing } => self.policy().directory.put_standing(name, standing),
            Change::DeclareAttributes(declarations) => self.policy().directory.declare(declarations),
            Change::RequireKnownUsers(required) => self.policy().directory.require_known_users(required),
            Change::PutPolicy(policy) => self.change_rules(|rules| rules.with(policy)),
            Change::DeletePolicy(name) => self.change_rules(|rules| rules.without(&name)),
            Change::EnablePermit(enabled) => self.change_rules(|rules| rules.permitting(enabled)),
            Change::PutGrant(grant) => self.policy().grants.put(grant),
            Change::EndGrant(id) => self.policy().grants.end(&id),
        }
        Ok(())
    }

    fn change_rules(&mut self, change: impl FnOnce(&Ruleset) -> Ruleset) {
        let policy = self.policy();
        policy.rules = change(&policy.rules);
    }

    fn put_collection(&mut self, collection: Collection) -> Result<(), EngineError> {
        let before = self.snapshot.policy.collections.get(&collection.id);
        let changes_space = before.is_some_and(|before| before.vectors != collection.vectors);
        if changes_space && self.snapshot.documents.get(&collection.id).is_some_and(|documents| !documents.is_empty()) {
            return Err(EngineError::VectorSource(collection.id));
        }
        let changes_terms = before.is_some_and(|before| before.analyzer != collection.analyzer);
        let id = collection.id.clone();
        self.policy().set_collection(&id, Some(Arc::new(collection)));
        if changes_terms {
            self.index_anew(&id)?;
        }
        Ok(())
    }

    /// Has every document of a collection leave its segments and come again, within the same snapshot.
    fn index_anew(&mut self, id: &CollectionId) -> Result<(), EngineError> {
        let documents: Vec<Arc<DocumentEntry>> =
            self.snapshot.documents.get(id).into_iter().flat_map(Documents::values).cloned().collect();
        for document in documents {
            self.recall(&document)?;
            let touched = self.touched.entry(document.class).or_default();
            // What came with this list of changes is in no segment yet.
            if touched.came.insert(document.id.clone()) {
                touched.left.extend(document.chunks.iter().map(|chunk| chunk.id));
            }
        }
        Ok(())
    }

    fn delete_collection(&mut self, id: &CollectionId) {
        let documents: Vec<DocumentId> =
            self.snapshot.documents.get(id).into_iter().flat_map(Documents::keys).cloned().collect();
        for document in documents {
            self.remove(id, &document);
        }
        self.snapshot.documents.remove_mut(id);
        self.policy().set_collection(id, None);
    }

    fn put_document(&mut self, document: Document) -> Result<(), EngineError> {
        let collection = self.snapshot.policy.collections.get(&document.collection);
        let collection = collection.ok_or_else(|| EngineError::NoCollection(document.collection.clone()))?;
        let expected = collection.vectors.dimensions();
        for vector in document.chunks.iter().filter_map(|chunk| chunk.vector.as_ref()) {
            if vector.dimensions() != expected {
                return Err(EngineError::Dimensions { expected, found: vector.dimensions() });
            }
        }
        self.remove(&document.collection, &document.id);
        let info = &document.info;
        let facts = Facts {
            metadata: (!info.metadata.is_empty()).then(|| Arc::new(info.metadata.clone())),
            info: Arc::new(Blob::put(self.spill, &body::write_info(info))),
            chunks: self.set_aside(&document.collection, &document.id, document.chunks),
            version: info.version,
        };
        self.insert(&document.collection, document.id, document.acl, facts);
        Ok(())
    }

    /// The entries of passages, which stay at hand until they are indexed.
    fn set_aside(
        &mut self,
        collection: &CollectionId,
        document: &DocumentId,
        chunks: Vec<DocumentChunk>,
    ) -> Arc<[ChunkEntry]> {
        let entry = |(place, chunk): (u32, DocumentChunk)| {
            let id = ChunkId::derive(&self.snapshot.key, collection, document, chunk.prepared.ordinal());
            let passage = Blob::put(self.spill, &body::write_chunk(&chunk.prepared));
            let lows = chunk.vector.as_ref().map(|vector| Blob::put(self.spill, &quantize::lows(vector)));
            let length = u32::try_from(chunk.prepared.text().len()).unwrap_or(u32::MAX);
            self.fresh.insert((id, place), chunk);
            ChunkEntry { id, passage, lows, length }
        };
        (0..).zip(chunks).map(entry).collect()
    }

    /// Brings what was set aside of a document, so that it can be indexed anew.
    fn recall(&mut self, document: &DocumentEntry) -> Result<(), EngineError> {
        // What came with this list of changes is in no segment yet, and is at hand already.
        let came = self.touched.get(&document.class).is_some_and(|touched| touched.came.contains(&document.id));
        if came {
            return Ok(());
        }
        for (place, chunk) in (0..).zip(document.read_chunks()?) {
            let vector = self.snapshot.holdings.vector(document.class, chunk.id(), place)?;
            self.fresh.insert((chunk.id(), place), DocumentChunk { prepared: chunk.prepared().clone(), vector });
        }
        Ok(())
    }

    fn set_acl(
        &mut self,
        collection: &CollectionId,
        document: &DocumentId,
        acl: Acl,
        version: u32,
    ) -> Result<(), EngineError> {
        let Some(before) = self.snapshot.document(collection, document).cloned() else { return Ok(()) };
        self.recall(&before)?;
        self.remove(collection, document);
        let (info, chunks) = (before.info.clone(), before.chunks.clone());
        let facts = Facts { metadata: before.metadata.clone(), info, chunks, version };
        self.insert(collection, document.clone(), acl, facts);
        Ok(())
    }

    fn insert(&mut self, collection: &CollectionId, id: DocumentId, acl: Acl, facts: Facts) {
        let snapshot = &mut self.snapshot;
        let name = ClassId::derive(&snapshot.key, collection, &acl);
        let class = snapshot.policy.classes.find(&name).unwrap_or_else(|| {
            let acl = Arc::new(acl);
            let class = Arc::make_mut(&mut snapshot.policy).classes.insert(name, collection, &acl);
            let partition = Partition::new(name, collection.clone(), acl);
            snapshot.holdings.partitions.insert_mut(class, Arc::new(partition));
            class
        });
        // Copied by the first change of a list, changed in place by the others: nobody else has seen the copy.
        let partition = Arc::make_mut(snapshot.holdings.partitions.get_mut(&class).expect("a class has a partition"));
        let acl = partition.acl.clone();
        let Facts { metadata, info, chunks, version } = facts;
        let (name, id_of) = (collection.clone(), id.clone());
        let record = DocumentEntry { collection: name, id: id_of, acl, class, version, metadata, info, chunks };
        let record = Arc::new(record);
        partition.documents.insert_mut(id.clone(), record.clone());
        partition.rows += record.chunks.len();
        snapshot.bytes += record.bytes(snapshot.policy.dimensions(collection));
        if !snapshot.documents.contains_key(collection) {
            snapshot.documents.insert_mut(collection.clone(), Documents::new_sync());
        }
        let documents = snapshot.documents.get_mut(collection).expect("it was just put there");
        documents.insert_mut(id.clone(), record);
        self.touched.entry(class).or_default().came.insert(id);
    }

    fn remove(&mut self, collection: &CollectionId, document: &DocumentId) {
        let snapshot = &mut self.snapshot;
        let Some(record) = snapshot.document(collection, document).cloned() else { return };
        if let Some(documents) = snapshot.documents.get_mut(collection) {
            documents.remove_mut(document);
        }
        snapshot.bytes = snapshot.bytes.saturating_sub(record.bytes(snapshot.policy.dimensions(collection)));
        let partition = snapshot.holdings.partitions.get_mut(&record.class).expect("a live document has a partition");
        let partition = Arc::make_mut(partition);
        partition.documents.remove_mut(document);
        partition.rows -= record.chunks.len();
        let touched = self.touched.entry(record.class).or_default();
        // What came with this list of changes is in no segment yet.
        if !touched.came.remove(document) {
            touched.left.extend(record.chunks.iter().map(|chunk| chunk.id));
        }
    }

    /// The policy, to be changed: a copy of the published one, with nothing decided yet.
    fn policy(&mut self) -> &mut Policy {
        Arc::make_mut(&mut self.snapshot.policy)
    }

    fn finish(
        mut self,
        analyzer: &mut Analyzer,
        options: &EngineOptions,
    ) -> Result<(Snapshot, Vec<Task>), EngineError> {
        let touched = std::mem::take(&mut self.touched);
        let mut small = self.leave_slabs(&touched);
        let mut tasks = Vec::new();
        for (class, touched) in touched {
            let partition = self.partition(class);
            let collection = partition.collection.clone();
            if partition.documents.is_empty() {
                self.forget_class(class);
            } else if partition.belongs_into_slab(options) {
                small.entry(collection).or_default().extend(self.small_rows(class, &touched)?);
            } else {
                if partition.is_small {
                    let slab = self.snapshot.holdings.slabs.get_mut(&collection).map(Arc::make_mut);
                    let rows = slab.map_or_else(Vec::new, |slab| slab.take(class));
                    small.entry(collection.clone()).or_default();
                    self.partition(class).leave_slab(&rows, options);
                    Arc::make_mut(&mut self.snapshot.holdings.large).insert(class);
                }
                let kind = self.analyzer_of(&collection);
                let fresh = std::mem::take(&mut self.fresh);
                tasks.extend(self.partition(class).reindex(&touched, &fresh, kind, analyzer, options)?);
                self.fresh = fresh;
            }
        }
        self.fill_slabs(small, analyzer)?;
        Ok((self.snapshot, tasks))
    }

    /// A touched class's partition, to be changed.
    fn partition(&mut self, class: u32) -> &mut Partition {
        Arc::make_mut(self.snapshot.holdings.partitions.get_mut(&class).expect("a touched class has a partition"))
    }

    fn forget_class(&mut self, class: u32) {
        let Some(partition) = self.snapshot.holdings.partitions.get(&class).cloned() else { return };
        let classes = &mut Arc::make_mut(&mut self.snapshot.policy).classes;
        classes.remove(partition.class, &partition.collection, &partition.acl);
        self.snapshot.holdings.partitions.remove_mut(&class);
        self.unmark_large(class);
    }

    fn unmark_large(&mut self, class: u32) {
        let large = &mut self.snapshot.holdings.large;
        if large.contains(class) {
            Arc::make_mut(large).remove(class);
        }
    }

    /// Lets what left small classes leave their slabs, before anything of the same name comes to them; gives the collections of these, with no rows yet.
    fn leave_slabs(&mut self, touched: &BTreeMap<u32, Touched>) -> BTreeMap<CollectionId, Vec<Row>> {
        let mut left: BTreeMap<CollectionId, Vec<ChunkId>> = BTreeMap::new();
        for (class, touched) in touched.iter().filter(|(_, touched)| !touched.left.is_empty()) {
            let partition = self.snapshot.holdings.partitions.get(class).filter(|partition| partition.is_small);
            if let Some(partition) = partition {
                left.entry(partition.collection.clone()).or_default().extend(&touched.left);
            }
        }
        for (collection, chunks) in &left {
            if let Some(slab) = self.snapshot.holdings.slabs.get_mut(collection) {
                Arc::make_mut(slab).remove(chunks);
            }
        }
        left.into_keys().map(|collection| (collection, Vec::new())).collect()
    }

    /// The rows that a small class brings to its slab: those that came, or all where they were in segments of its own.
    fn small_rows(&mut self, class: u32, touched: &Touched) -> Result<Vec<Row>, EngineError> {
        let partition = self.snapshot.holdings.partitions.get(&class).expect("a touched class has a partition").clone();
        if partition.is_small {
            return Ok(partition.rows_of(touched.came.iter()));
        }
        for (_, document) in partition.documents.iter().filter(|(id, _)| !touched.came.contains(*id)) {
            self.recall(document)?;
        }
        self.unmark_large(class);
        self.partition(class).enter_slab();
        Ok(partition.rows_of(partition.documents.keys()))
    }

    /// Indexes the rows of small classes, and tidies the slabs.
    fn fill_slabs(
        &mut self,
        rows: BTreeMap<CollectionId, Vec<Row>>,
        analyzer: &mut Analyzer,
    ) -> Result<(), EngineError> {
        for (collection, rows) in rows {
            let kind = self.analyzer_of(&collection);
            let slabs = &mut self.snapshot.holdings.slabs;
            if !slabs.contains_key(&collection) {
                slabs.insert_mut(collection.clone(), Arc::default());
            }
            let slab = Arc::make_mut(slabs.get_mut(&collection).expect("it was just put there"));
            slab.add(rows, &self.fresh, kind, analyzer)?;
            slab.tidy();
            if slab.is_empty() {
                slabs.remove_mut(&collection);
            }
        }
        Ok(())
    }

    fn analyzer_of(&self, collection: &CollectionId) -> AnalyzerKind {
        self.snapshot.policy.collections.get(collection).map(|settings| settings.analyzer).unwrap_or_default()
    }
}

/// What a document's entry keeps whoever may read it.
struct Facts {
    metadata: Option<Arc<Map<String, Value>>>,
    info: Arc<Blob>,
    chunks: Arc<[ChunkEntry]>,
    version: u32,
}
