// The networks, in a thread of their own so that the page stays quick. Messages are {id, task, ...}; the answer is
// {id, result} or {id, error}, and before it any number of {id, done, all}.
import * as pictures from "./pictures.js";

// Pictures of more pixels are stylised in tiles: a browser's memory is small
const WHOLE = 1_000_000;
const TILE = 512;
const COLLECTED = 1_100_000;

let ort;
let model;
let engine;
let side = 0;
const sessions = {};
const styles = {};
let content = null;
let own = {};
let cancelled = 0;

const address = (name) => new URL(name, import.meta.url).href;

async function load(name) {
  const response = await fetch(address(name));
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}; run scripts/build_demo.py`);
  return response;
}

async function open(provider) {
  const webgpu = provider === "webgpu";
  ort = await import(address(webgpu ? "runtime/ort.webgpu.min.mjs" : "runtime/ort.wasm.min.mjs"));
  ort.env.wasm.wasmPaths = address("runtime/");
  // without cross-origin isolation a page may not share memory between threads
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency || 1) : 1;
  engine = { provider, threads: ort.env.wasm.numThreads };
  for (const name of Object.keys(sessions)) delete sessions[name];
  // both networks once: a graphics processor that can't run them says so now
  const small = { width: 64, height: 64, data: new Uint8Array(3 * 64 * 64).map((_, i) => i) };
  await transfer(small, tensor(await embed(small), 1, model.embedding_dim), [0, 0, 0]);
}

async function session(name) {
  if (!sessions[name]) {
    const bytes = await (await load(`models/${name}.onnx`)).arrayBuffer();
    sessions[name] = await ort.InferenceSession.create(bytes, {
      executionProviders: engine.provider === "webgpu" ? ["webgpu", "wasm"] : ["wasm"],
      logSeverityLevel: 3,
    });
  }
  return sessions[name];
}

const tensor = (numbers, ...shape) => new ort.Tensor("float32", numbers, shape);

async function run(name, inputs) {
  const outputs = await (await session(name)).run(inputs);
  const values = await Promise.all(Object.entries(outputs).map(async ([key, value]) => [key, await value.getData()]));
  return Object.fromEntries(values);
}

async function embed(style) {
  const { width, height, data } = pictures.prepareStyle(style);
  const input = tensor(pictures.toNetwork({ width, height, data }), 1, 3, height, width);
  return (await run("predictor", { style: input })).embedding;
}

const blend = (a, b, share) => a.map((value, i) => (1 - share) * value + share * b[i]);

// live: whether it is a frame of the camera, whose own style is not the photograph's
async function chosenEmbedding(of, live, { mix, strength }) {
  const style = styles.b && mix ? blend(styles.a, styles.b, mix) : styles.a;
  if (strength === 1) return style;
  const key = `${live} ${of.width} ${of.height}`;
  own[key] ??= await embed(of);
  return blend(own[key], style, strength);
}

async function transfer(picture, embedding, nothing) {
  const { width, height } = picture;
  const inputs = { content: tensor(pictures.toNetwork(picture, nothing), 1, 3, height, width), embedding };
  return (await run("transfer", inputs)).pastiche;
}

// The pastiche of a picture of one colour: its noise averages out where the last norm is
async function paintConstant(width, height, embedding) {
  const black = { width: 16, height: 16, data: new Uint8Array(3 * 256) };
  const numbers = await transfer(black, embedding, [0, 0, 0]);
  const least = 2 ** -24;
  const logit = (x) => Math.log(x / (1 - x));
  const colour = [0, 1, 2].map((c) => {
    const plane = Array.from(numbers.subarray(256 * c, 256 * (c + 1)));
    const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
    if (model.output === "linear") return mean(plane);
    return 1 / (1 + Math.exp(-mean(plane.map((x) => logit(Math.min(1 - least, Math.max(least, x)))))));
  });
  const data = new Uint8Array(3 * width * height).map((_, i) => Math.round(255 * Math.min(1, Math.max(0, colour[i % 3]))));
  return { width, height, data };
}

async function stylize(picture, numbers, report) {
  const embedding = tensor(numbers, 1, model.embedding_dim);
  const background = pictures.findBackground(picture);
  if (background?.constant) return paintConstant(picture.width, picture.height, embedding);
  const zero = model.output === "tanh" ? 0.5 : 0;
  const nothing = background ? background.levels.map((level) => level / 255 - zero) : [0, 0, 0];
  const padded = pictures.pad(picture);
  const { width, height } = padded;
  const pastiche =
    side || width * height > WHOLE
      ? await stylizeTiled(padded, embedding, nothing, report)
      : pictures.toPicture(await transfer(padded, embedding, nothing), width, height);
  return padded === picture ? pastiche : pictures.crop(pastiche, 0, 0, picture.width, picture.height);
}

// First the statistics of the instance norms over the whole picture, then its tiles with these
async function stylizeTiled(picture, embedding, nothing, report) {
  const { width, height } = picture;
  const batches = pictures.planCrops(width, height, COLLECTED);
  const rows = pictures.planTiles(height, side || TILE);
  const columns = pictures.planTiles(width, side || TILE);
  const all = batches.length + rows.length * columns.length;
  let done = 0;
  const size = model.statistics[0] * model.statistics[1];
  const total = new Float64Array(size);
  const nowhere = tensor(new Float32Array(size), ...model.statistics);
  const crops = batches.flat();
  for (const batch of batches) {
    const [{ width: w, height: h }] = batch;
    const numbers = new Float32Array(batch.length * 3 * w * h);
    batch.forEach(({ left, top }, i) => {
      numbers.set(pictures.toNetwork(pictures.crop(picture, left, top, w, h), nothing), i * 3 * w * h);
    });
    const inputs = { content: tensor(numbers, batch.length, 3, h, w), embedding };
    const { collected } = await run("tiles", { ...inputs, statistics: nowhere, given: tensor(new Float32Array([0]), 1) });
    collected.forEach((value, i) => (total[i] += (batch.length * value) / crops.length));
    await report(++done, all);
  }
  const statistics = tensor(Float32Array.from(total), ...model.statistics);
  const given = tensor(new Float32Array([1]), 1);
  const data = new Uint8Array(3 * width * height);
  for (const row of rows) {
    for (const column of columns) {
      const tile = pictures.crop(picture, column.start, row.start, column.side, row.side);
      const inputs = { content: tensor(pictures.toNetwork(tile, nothing), 1, 3, row.side, column.side), embedding };
      const found = await run("tiles", { ...inputs, statistics, given });
      const painted = pictures.toPicture(found.pastiche, column.side, row.side);
      const kept = [column.low - column.start, row.low - row.start, column.high - column.low, row.high - row.low];
      const piece = pictures.crop(painted, ...kept);
      for (let y = 0; y < piece.height; y++) {
        const line = piece.data.subarray(3 * y * piece.width, 3 * (y + 1) * piece.width);
        data.set(line, 3 * ((row.low + y) * width + column.low));
      }
      await report(++done, all);
    }
  }
  return { width, height, data };
}

const tasks = {
  async start({ engine: wanted, tile }) {
    side = 4 * Math.floor((tile || 0) / 4);
    model = await (await load("models/model.json")).json();
    const adapter = wanted === "wasm" ? null : await navigator.gpu?.requestAdapter().catch(() => null);
    try {
      await open(adapter ? "webgpu" : "wasm");
    } catch (error) {
      if (!adapter) throw error;
      await open("wasm");
    }
    return engine;
  },
  async style({ key, image }) {
    styles[key] = image && (await embed(pictures.fromRgba(image)));
  },
  async content({ image }) {
    content = pictures.fromRgba(image);
    own = {};
  },
  // size: short side of the result; 0 for the content's own. image: a frame of the camera in place of the content.
  async stylize({ size, image, ...choices }, report) {
    const source = image ? pictures.fromRgba(image) : content;
    const smaller = size && size < Math.min(source.width, source.height);
    const picture = smaller ? pictures.resizeShortSide(source, size) : source;
    const pastiche = await stylize(picture, await chosenEmbedding(picture, Boolean(image), choices), report);
    const after = pictures.toRgba(choices.colours ? pictures.keepColours(pastiche, picture) : pastiche);
    return { after, before: pictures.toRgba(picture), engine };
  },
};

// A picture can be too large for a graphics processor that ran the small one; then the processor takes over
async function carryOut(task, given, report) {
  try {
    return await tasks[task](given, report);
  } catch (error) {
    if (engine?.provider !== "webgpu" || error.message === "cancelled") throw error;
    await open("wasm");
    return tasks[task](given, report);
  }
}

let queue = Promise.resolve();
self.onmessage = ({ data: { id, task, ...given } }) => {
  if (task === "cancel") {
    cancelled = given.what;
    return;
  }
  queue = queue.then(async () => {
    const report = async (done, all) => {
      self.postMessage({ id, done, all });
      // WebAssembly leaves this thread no moment in which a message that cancels could come in
      await new Promise((resolve) => setTimeout(resolve));
      if (cancelled === id) throw new Error("cancelled");
    };
    try {
      const result = await carryOut(task, given, report);
      const moved = result?.after ? [result.after.data.buffer, result.before.data.buffer] : [];
      self.postMessage({ id, result }, moved);
    } catch (error) {
      self.postMessage({ id, error: error.message || String(error) });
    }
  });
};
