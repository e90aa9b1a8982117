// A backend of one's own, to copy: how often each letter of an alphabet occurs in a text.
// runtime/executor/README.md describes what it is given and gives.

/** @type {import('../../../runtime/executor/own.js').OwnBackend['load']} */
export async function load(model) {
  const alphabet = [...String(model.settings.alphabet)];
  const size = model.outputs[0].shape[1];
  if (alphabet.length !== size)
    throw new Error(`settings.alphabet has ${alphabet.length} letters, share ${size}`);
  const places = new Map(alphabet.map((letter, place) => [letter, place]));
  const decoder = new TextDecoder();

  function count(bytes, shares) {
    let letters = 0;
    for (const character of decoder.decode(bytes).toLowerCase()) {
      const place = places.get(character);
      if (place === undefined) continue;
      shares[place] += 1;
      letters += 1;
    }
    for (let place = 0; place < size && letters > 0; place++) shares[place] /= letters;
  }

  return {
    // Nothing to get ready: only that runs of so many rows have been seen once.
    async warmup(rows) {
      for (let row = 0; row < rows; row++) count(new Uint8Array(64).fill(97), new Float32Array(size));
    },

    async infer({ inputs: [text], rows }) {
      const data = new Float32Array(rows * size);
      text.data.forEach((bytes, row) => {
        count(bytes, data.subarray(row * size, (row + 1) * size));
      });
      return [{ name: 'share', shape: [rows, size], data }];
    },

    async unload() {
      places.clear();
    },
  };
}
