// Shape buckets: requests whose open dimension falls into the same bucket are padded to its size and share batches.

export interface ShapeBuckets {
  /** Of the inputs as the model has them, counted from 0; never the rows. */
  readonly dimension: number;
  /** Ascending. */
  readonly sizes: readonly number[];
  /** Inputs that are padded together; empty: all that are open in that dimension. */
  readonly inputs: readonly string[];
}

/** What is padded where: nothing of inputs that the buckets leave alone. */
export function isBucketed(
  buckets: ShapeBuckets,
  input: { readonly name: string; readonly shape: readonly number[] },
): boolean {
  if (input.shape[buckets.dimension] !== -1) return false;
  return buckets.inputs.length === 0 || buckets.inputs.includes(input.name);
}

/** The size to which a request of this size is padded: its own beyond the largest bucket. */
export function bucketOf(buckets: ShapeBuckets, size: number): number {
  return buckets.sizes.find((bucket) => bucket >= size) ?? size;
}
