// The page: what is chosen, what is asked of the network, and what is shown of its answers.

import { dragEdge, frame, placeEdge } from "./compare.js";
import { ask, cancel, onFailure } from "./network.js";
import { pixels, read } from "./reading.js";

const element = (id) => document.getElementById(id);
const page = document.documentElement;
const lists = { content: [], a: [], b: [] };
// ?engine=wasm leaves WebGPU alone; ?tile=256 paints every picture in tiles of this side
const query = Object.fromEntries(new URLSearchParams(location.search));
let camera = null;
let busy = false;
let again = false;
let name = "picture";
let notice = ""; // on the photograph, said after every line about a picture that is made of it

function say(text, problem = false) {
  const line = element("status");
  line.textContent = text;
  line.classList.toggle("problem", problem);
}

async function choose(list, entry) {
  page.dataset.state = "busy";
  try {
    if (list === "content" && camera) stopCamera();
    if (!entry.blob && entry.file) {
      const response = await fetch(`samples/${entry.file}`);
      if (!response.ok) throw new Error(`samples/${entry.file}: ${response.status}; run scripts/build_demo.py`);
      entry.blob = await response.blob();
    }
    const image = entry.blob ? await read(entry.blob) : null;
    if (list === "content") {
      ({ name } = entry);
      await ask("content", { image });
      notice = image.reduced ? ". The photograph was reduced to 16 megapixels, which every browser can hold." : "";
    } else {
      await ask("style", { key: list, image });
    }
    if (list === "b") element("mix").disabled = !image;
    await paint();
  } catch (error) {
    page.dataset.state = "ready";
    say(error.message, true);
  }
}

function show(list, entry, checked = false) {
  const label = document.createElement("label");
  label.className = "sample";
  label.title = entry.name;
  const radio = Object.assign(document.createElement("input"), { type: "radio", name: list, checked });
  radio.setAttribute("aria-label", entry.name);
  radio.addEventListener("change", () => choose(list, entry));
  const picture = document.createElement(entry.small ? "img" : "span");
  if (entry.small) Object.assign(picture, { src: entry.small, alt: "", loading: "lazy" });
  else Object.assign(picture, { className: "none", textContent: entry.name });
  label.append(radio, picture);
  const place = document.querySelector(`[data-list="${list}"]`);
  if (entry.blob) place.prepend(label);
  else place.append(label);
  lists[list].push({ entry, radio });
  return radio;
}

function take(list, file) {
  if (!file) return;
  const entry = { name: file.name?.replace(/\.\w+$/, "") || "pasted", blob: file, small: URL.createObjectURL(file) };
  show(list, entry, true);
  choose(list, entry);
}

const settings = () => ({
  mix: element("mix").value / 100,
  strength: element("strength").value / 100,
  colours: element("colours").checked,
});

function showEngine({ provider, threads }) {
  const processor = threads > 1 ? `${threads} threads of the processor` : "one thread of the processor";
  const where = provider === "webgpu" ? "the graphics processor (WebGPU)" : processor;
  element("engine").textContent = `ONNX Runtime Web runs the network on ${where}.`;
  page.dataset.engine = provider;
}

function draw({ after, before, engine }) {
  showEngine(engine);
  for (const [id, image] of [["after", after], ["before", before]]) {
    const canvas = element(id);
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d").putImageData(new ImageData(image.data, image.width, image.height), 0, 0);
  }
  const chosen = (list) => lists[list].find(({ radio }) => radio.checked)?.entry.name;
  const second = element("mix").disabled ? "" : ` and ${chosen("b")}`;
  const text = `${camera ? "The webcam’s picture" : chosen("content")} in the style of ${chosen("a")}${second}`;
  element("after").setAttribute("aria-label", text);
  frame.style.setProperty("--aspect", `${after.width} / ${after.height}`);
  placeEdge();
}

// Paints the preview anew; what changes meanwhile is painted next
async function paint() {
  if (camera) return;
  again = busy;
  if (busy) return;
  busy = true;
  page.dataset.state = "busy";
  try {
    do {
      again = false;
      const start = performance.now();
      const found = await ask("stylize", { size: Number(element("size").value), ...settings() });
      draw(found);
      const { width, height } = found.after;
      say(`Preview of ${width} × ${height} pixels in ${((performance.now() - start) / 1000).toFixed(1)} s${notice}`);
    } while (again && !camera);
  } catch (error) {
    say(error.message, true);
  }
  busy = false;
  page.dataset.state = "ready";
  for (const id of ["save", "save-preview"]) element(id).disabled = false;
}

function download(canvas, suffix) {
  const format = element("format").value;
  canvas.toBlob(
    (blob) => {
      if (!blob) return say("The browser could not write so large a picture; choose JPEG or a smaller photograph.", true);
      const ending = format === "image/png" ? "png" : "jpg";
      const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob) });
      link.download = `${name}_${suffix}.${ending}`.replace(/[\s/\\]+/g, "_");
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      return say(`${link.download}: ${canvas.width} × ${canvas.height} pixels, downloaded${notice}`);
    },
    format,
    0.95,
  );
}

async function saveFull() {
  const bar = element("progress");
  const buttons = ["save", "save-preview", "camera"].map(element);
  buttons.forEach((button) => (button.disabled = true));
  say("Painting at full size …");
  bar.removeAttribute("value");
  bar.hidden = element("cancel").hidden = false;
  const painting = ask("stylize", { size: 0, ...settings() }, (done, all) => (bar.value = done / all));
  element("cancel").onclick = () => cancel(painting);
  try {
    const { after } = await painting;
    const canvas = Object.assign(document.createElement("canvas"), { width: after.width, height: after.height });
    canvas.getContext("2d").putImageData(new ImageData(after.data, after.width, after.height), 0, 0);
    download(canvas, "stylized");
  } catch (error) {
    say(error.message === "cancelled" ? "Cancelled." : error.message, error.message !== "cancelled");
  }
  bar.hidden = element("cancel").hidden = true;
  buttons.forEach((button) => (button.disabled = false));
}

async function startCamera() {
  try {
    camera = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: false });
  } catch (error) {
    const reason = error.name === "NotAllowedError" ? "the browser was not allowed to use it" : error.message;
    return say(`No webcam: ${reason}`, true);
  }
  element("camera").textContent = "Stop";
  element("keep").hidden = false;
  const video = element("video");
  video.srcObject = camera;
  await video.play();
  while (camera) {
    const image = pixels(video, video.videoWidth, video.videoHeight);
    const start = performance.now();
    try {
      draw(await ask("stylize", { size: Math.min(256, element("size").value), image, ...settings() }));
    } catch (error) {
      say(error.message, true);
      return stopCamera();
    }
    say(`${(1000 / (performance.now() - start)).toFixed(1)} frames a second`);
    await new Promise(requestAnimationFrame);
  }
  return null;
}

function stopCamera() {
  camera?.getTracks().forEach((track) => track.stop());
  camera = null;
  element("keep").hidden = true;
  element("camera").textContent = "Webcam";
}

function keepFrame() {
  const video = element("video");
  const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  stopCamera();
  canvas.toBlob((blob) => take("content", new File([blob], "webcam.png", { type: "image/png" })));
}

function listen() {
  for (const input of document.querySelectorAll("[data-file]")) {
    input.addEventListener("change", () => {
      take(input.dataset.file, input.files[0]);
      input.value = "";
    });
  }
  for (const place of document.querySelectorAll("[data-drop]")) {
    place.addEventListener("dragover", (event) => {
      event.preventDefault();
      place.classList.add("over");
    });
    place.addEventListener("dragleave", () => place.classList.remove("over"));
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      place.classList.remove("over");
      take(place.dataset.drop, event.dataTransfer.files[0]);
    });
  }
  document.addEventListener("paste", (event) => {
    take("content", [...event.clipboardData.files].find((file) => file.type.startsWith("image/")));
  });
  for (const id of ["strength", "mix"]) {
    element(id).addEventListener("input", () => {
      element(`${id}-value`).textContent = `${element(id).value} %`;
      element(id).setAttribute("aria-valuetext", `${element(id).value} percent`);
      paint();
    });
  }
  for (const id of ["colours", "size"]) element(id).addEventListener("change", paint);
  element("compare").addEventListener("input", placeEdge);
  for (const type of ["pointerdown", "pointermove"]) frame.addEventListener(type, dragEdge);
  addEventListener("resize", placeEdge);
  element("save").addEventListener("click", saveFull);
  element("save-preview").addEventListener("click", () => download(element("after"), "preview"));
  element("camera").addEventListener("click", () => (camera ? (stopCamera(), paint()) : startCamera()));
  element("keep").addEventListener("click", keepFrame);
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
}

async function start() {
  listen();
  const response = await fetch("samples/samples.json");
  if (!response.ok) throw new Error("samples/samples.json is not there; run scripts/build_demo.py");
  const samples = await response.json();
  const fill = (list, kind, checked) => {
    for (const { name: title, file, small } of samples[kind]) {
      show(list, { name: title, file, small: `samples/${small}` }, title === checked);
    }
  };
  const [content, style] = ["cat", "swirling night"];
  fill("content", "content", content);
  fill("a", "style", style);
  show("b", { name: "none" }, true);
  fill("b", "style");
  const engine = await ask("start", query);
  showEngine(engine);
  const { provider } = engine;
  if (provider === "webgpu") element("size").value = "512";
  else if (innerWidth < 900) element("size").value = "256";
  const entry = (list, title) => lists[list].find((found) => found.entry.name === title).entry;
  const first = entry("content", content);
  first.blob = await (await fetch(`samples/${first.file}`)).blob();
  await ask("content", { image: await read(first.blob) });
  ({ name } = first);
  await choose("a", entry("a", style));
}

onFailure((text) => say(text, true));
start().catch((error) => say(error.message, true));
