// Plain floats in place of tensors, for the simple service: features become the one input of a model, its first output
// becomes predictions.
import { datatypes, elementCount, type Tensor } from '../../proto/tensor.js';
import { type ElementWriter, elementReader, elementWriters } from './elements.js';
import { type InferRequest, invalidInput } from './request.js';
import { portText, quote, shapeText } from './sentence.js';
import type { Port, Signature } from './signature.js';

/** `batchSize` 0 means as many rows as the features make. */
export function featuresRequest(
  signature: Signature,
  features: readonly number[],
  batchSize: number,
): InferRequest {
  const port = signature.inputs[0];
  const needed = signature.inputs.filter((input) => !input.optional).length;
  if (port === undefined || needed > 1) {
    throw invalidInput(
      `model ${quote(signature.model)} has the inputs ${signature.inputs.map(portText).join(', ')}: features fill only ` +
        'one, use ModelInfer',
    );
  }
  const writer = port.datatype === 'BYTES' ? undefined : elementWriters[port.datatype];
  const output = signature.outputs[0];
  if (writer === undefined || output === undefined || output.datatype === 'BYTES') {
    throw invalidInput(`model ${quote(signature.model)} does not go from numbers to numbers: use ModelInfer`);
  }
  const shape = shapeFor(signature, port, features.length, batchSize);
  return {
    model: signature.model,
    version: signature.version,
    id: '',
    parameters: undefined,
    inputs: [{ name: port.name, datatype: port.datatype, shape, data: bytesOf(port, writer, features) }],
    outputs: [output.name],
  };
}

function shapeFor(signature: Signature, port: Port, count: number, batchSize: number): number[] {
  if (!Number.isInteger(batchSize) || batchSize < 0) {
    throw invalidInput(
      `batch_size is ${batchSize}, wanted is a whole number from 0 (0: as many rows as there are)`,
    );
  }
  if (count === 0)
    throw invalidInput(`features is empty; model ${quote(signature.model)} takes ${portText(port)}`);
  if (!signature.batches && batchSize > 1) {
    throw invalidInput(`batch_size is ${batchSize}; model ${quote(signature.model)} takes one row at a time`);
  }
  const rowShape = signature.batches ? port.shape.slice(1) : [...port.shape];
  const free = rowShape.indexOf(-1);
  if (free !== rowShape.lastIndexOf(-1)) {
    throw invalidInput(
      `input ${quote(port.name)} has the shape ${shapeText(port.shape)}, which features can't tell: use ModelInfer`,
    );
  }
  const fixed = elementCount(rowShape.filter((size) => size !== -1));
  const rows = batchSize === 0 ? (free === -1 && signature.batches ? count / fixed : 1) : batchSize;
  const perRow = count / rows;
  const unit = fixed;
  const fits = Number.isInteger(rows) && (free === -1 ? perRow === unit : Number.isInteger(perRow / unit));
  if (!fits) {
    const asked = batchSize === 0 ? 'rows' : `${batchSize} row${batchSize === 1 ? '' : 's'}`;
    throw invalidInput(
      `${count} features don't divide into ${asked} of ${free === -1 ? '' : 'a multiple of '}${unit}, which a row of ` +
        `input ${portText(port)} of model ${quote(signature.model)} takes`,
    );
  }
  if (free !== -1) rowShape[free] = perRow / unit;
  return signature.batches ? [rows, ...rowShape] : rowShape;
}

function bytesOf(port: Port, writer: ElementWriter, features: readonly number[]): Uint8Array {
  const size = datatypes[port.datatype];
  const bytes = new Uint8Array(features.length * size);
  const view = new DataView(bytes.buffer);
  features.forEach((feature, index) => {
    if (!writer.fits(feature)) {
      throw invalidInput(`feature ${index} is ${feature}; input ${quote(port.name)} wants ${writer.wants}`);
    }
    writer.write(view, index * size, feature);
  });
  return bytes;
}

export function predictionsOf(outputs: readonly Tensor[]): number[] {
  const output = outputs[0] as Tensor;
  if (output.datatype === 'BYTES') return [];
  const read = elementReader(output.datatype);
  const view = new DataView(output.data.buffer, output.data.byteOffset, output.data.byteLength);
  const size = datatypes[output.datatype];
  return Array.from({ length: output.data.byteLength / size }, (_, index) =>
    Number(read(view, index * size)),
  );
}
