//! Manifests made of another one's parts: whatever stays is named by its blobs, not rewritten.

use super::{Input, Manifest, Packed, ShardEntry};

impl Manifest {
    /// Adds a packed dataset with its inputs and shards, or replaces the one of that name.
    ///
    /// # Shape
    /// Inputs and shards come in any order; the id is left to be computed.
    pub fn put_packed(
        &mut self,
        dataset: &str,
        packed: Packed,
        inputs: impl IntoIterator<Item = Input>,
        shards: impl IntoIterator<Item = ShardEntry>,
    ) {
        self.inputs.retain(|input| !is_of(input, dataset));
        self.shards.retain(|shard| shard.dataset != dataset);
        self.packed.insert(dataset.to_owned(), packed);
        self.inputs.extend(inputs);
        self.shards.extend(shards);
        self.inputs.sort();
        self.shards.sort();
    }

    /// Takes over the packed datasets of another manifest that this one has not.
    pub fn carry_packed(&mut self, from: &Self) {
        for (dataset, packed) in &from.packed {
            if !self.packed.contains_key(dataset) {
                let inputs = from.inputs.iter().filter(|input| is_of(input, dataset));
                let shards = from.shards_of(dataset);
                self.put_packed(dataset, packed.clone(), inputs.cloned(), shards.cloned());
            }
        }
    }
}

/// Returns whether an input is rows of a packed dataset.
fn is_of(input: &Input, packed: &str) -> bool {
    let Input::File { dataset, .. } = input;
    dataset.as_deref() == Some(packed)
}
