// Runs the models, apart from the page, so that the page answers while one works.

import * as ort from "./ort/ort.wasm.bundle.min.mjs";

import { get } from "./get.js";

ort.env.wasm.numThreads = 1; // more would need headers that keep other pages' windows apart, for little gain
const models = new Map(); // by name: what will be the model's session

async function load(name) {
  const answer = await get(`models/${encodeURIComponent(name)}.onnx`);
  return ort.InferenceSession.create(new Uint8Array(await answer.arrayBuffer()));
}

let before = Promise.resolve(); // one photo at a time: the library takes no second one while it is busy
self.onmessage = ({ data }) => {
  before = before.then(() => answer(data));
};

async function answer({ id, name, photo, width, height }) {
  try {
    if (!models.has(name)) models.set(name, load(name));
    const model = await models.get(name);
    const start = performance.now();
    const { probability } = await model.run({ photo: new ort.Tensor("uint8", photo, [height, width, 3]) });
    self.postMessage({ id, map: probability.data, seconds: (performance.now() - start) / 1000 });
  } catch (error) {
    models.delete(name);
    self.postMessage({ id, error: error.message || String(error) });
  }
}
